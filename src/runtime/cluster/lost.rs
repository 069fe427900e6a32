//! How timely says that another process is gone: by a panic, of which only the text tells.

/// Who is lost, such as `process 2`, if a panic with this text on this thread says that a peer is;
/// `None` for any other panic.
pub fn lost_peer(text: &str, thread: Option<&str>) -> Option<String> {
    // timely keeps the first text stable on purpose; the test below has both from timely itself.
    if !text.starts_with("timely communication error:") && text != "MergeQueue poisoned." {
        return None;
    }
    let name = thread.unwrap_or_default();
    let index = name.strip_prefix("timely:recv-").or_else(|| name.strip_prefix("timely:send-"));
    Some(index.map_or("another process".into(), |index| format!("process {index}")))
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
        assert!(lost_peer(&closed, None).is_some());

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
        assert!(lost_peer(&poisoned, None).is_some());
        assert_eq!(lost_peer("index out of bounds", Some("timely:recv-3")), None);
    }

    #[test]
    fn the_thread_tells_which_peer_is_lost() {
        let check = |thread: &str, expect: &str| {
            let lost = lost_peer("timely communication error: reading", Some(thread));
            assert_eq!(lost.as_deref(), Some(expect));
        };
        check("timely:recv-3", "process 3");
        check("timely:send-0", "process 0");
        check("timely:work-1", "another process");
    }
}
