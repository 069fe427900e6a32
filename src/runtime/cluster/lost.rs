//! Lost peers: how timely says that another process is gone.

/// Whether timely panics so because another process is gone.
pub fn is_lost_peer(text: &str) -> bool {
    text.starts_with("timely communication error:") || text == "MergeQueue poisoned."
}

/// The process at the other end of a thread of timely.
pub fn peer(thread: Option<&str>) -> String {
    let name = thread.unwrap_or_default();
    let index = name.strip_prefix("timely:recv-").or_else(|| name.strip_prefix("timely:send-"));
    index.map_or("another process".into(), |index| format!("process {index}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc::channel;

    use timely::communication::Hooks;
    use timely::communication::allocator::zero_copy::bytes_exchange::{BytesPush, MergeQueue};
    use timely::communication::allocator::zero_copy::tcp::recv_loop;

    use super::*;

    /// The text with which a thread panics.
    fn panic_of(work: impl FnOnce() + Send + 'static) -> String {
        let panic = std::thread::spawn(work).join().expect_err("a panic");
        let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
        text.or_else(|| panic.downcast_ref::<String>().cloned()).expect("a text")
    }

    #[test]
    fn a_lost_peer_is_known_by_what_timely_says() {
        let closed = panic_of(|| {
            let (here, there) = UnixStream::pair().expect("a pair of sockets");
            drop(there);
            recv_loop(here, vec![], 0, 0, 1, Hooks::default().refill, None);
        });
        assert!(closed.starts_with("timely communication error: "), "{closed}");
        assert!(is_lost_peer(&closed));

        let poisoned = panic_of(|| {
            let (mut writer, reader) = MergeQueue::new_pair(Default::default(), None, None);
            let held = std::thread::spawn(move || {
                let _reader = reader;
                panic!("on purpose");
            });
            held.join().expect_err("a panic on purpose");
            let (sender, none) = channel();
            drop(sender);
            writer.extend(none.try_iter());
        });
        assert_eq!(poisoned, "MergeQueue poisoned.");
        assert!(is_lost_peer(&poisoned));
        assert!(!is_lost_peer("index out of bounds"));
    }

    #[test]
    fn the_thread_tells_which_peer_is_lost() {
        assert_eq!(peer(Some("timely:recv-3")), "process 3");
        assert_eq!(peer(Some("timely:send-0")), "process 0");
        assert_eq!(peer(Some("timely:work-1")), "another process");
    }
}
