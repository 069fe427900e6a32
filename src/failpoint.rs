//! Places at which a test can make a process fail: [`failpoint!`] with feature `failpoints`, and
//! nothing at all without it.
//!
//! ```text
//! HIGHWATER_FAILPOINTS="ckpt.before_write=kill@3;sink.before_write=panic"
//! ```
//!
//! `kill` (SIGKILL to this process), `stop` (SIGSTOP), `panic`, `sleep(MILLISECONDS)`, and where a
//! disk is asked `eio` and `enospc`; with `@N` at the Nth passage alone, with `@N+` at that and all
//! behind it, else at each. A place says on standard error when it acts, so a test can
//! check that its fault happened.

/// Passes a named place; with feature `failpoints` something may happen there.
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        $crate::failpoint::pass($name);
    };
    (disk $name:literal) => {
        #[cfg(feature = "failpoints")]
        $crate::failpoint::ask($name)?;
    };
}

pub(crate) use failpoint;

#[cfg(feature = "failpoints")]
pub(crate) use armed::{ask, pass};

#[cfg(feature = "failpoints")]
mod armed {
    use std::io;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    use std::time::Duration;

    use signal_hook::consts::{SIGKILL, SIGSTOP};
    use signal_hook::low_level::raise;

    /// What happens at a place.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Action {
        Kill,
        Stop,
        Panic,
        Sleep(Duration),
        /// The error of a disk, by its number.
        Disk(i32),
    }

    /// A place where something happens.
    #[derive(Debug)]
    pub(super) struct Armed {
        pub(super) name: String,
        pub(super) action: Action,
        /// From this passage on, and up to that one.
        pub(super) at: (u64, u64),
        passages: AtomicU64,
    }

    /// Passes a place where nothing fails.
    pub(crate) fn pass(name: &str) {
        ask(name).unwrap_or_else(|error| panic!("failpoint {name} asks no disk: {error}"));
    }

    /// Passes a place where a disk is asked.
    pub(crate) fn ask(name: &str) -> io::Result<()> {
        static ALL: OnceLock<Vec<Armed>> = OnceLock::new();
        let all = ALL.get_or_init(|| {
            let text = std::env::var("HIGHWATER_FAILPOINTS").unwrap_or_default();
            read(&text).unwrap_or_else(|part| panic!("HIGHWATER_FAILPOINTS: `{part}`"))
        });
        all.iter().filter(|armed| armed.name == name).try_for_each(Armed::pass)
    }

    impl Armed {
        fn pass(&self) -> io::Result<()> {
            let passage = self.passages.fetch_add(1, Relaxed) + 1;
            if passage < self.at.0 || self.at.1 < passage {
                return Ok(());
            }
            eprintln!("failpoint {}: {:?} at passage {passage}", self.name, self.action);
            match self.action {
                Action::Kill => drop(raise(SIGKILL)),
                Action::Stop => drop(raise(SIGSTOP)),
                Action::Panic => panic!("failpoint {}", self.name),
                Action::Sleep(time) => std::thread::sleep(time),
                Action::Disk(number) => return Err(io::Error::from_raw_os_error(number)),
            }
            Ok(())
        }
    }

    /// Reads all; an error is the part that is wrong.
    pub(super) fn read(text: &str) -> Result<Vec<Armed>, String> {
        let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
        parts.map(|part| armed(part).ok_or_else(|| part.to_owned())).collect()
    }

    fn armed(part: &str) -> Option<Armed> {
        let (name, action) = part.split_once('=')?;
        let (action, at) = match action.split_once('@') {
            None => (action, (1, u64::MAX)),
            Some((action, at)) => {
                let first = at.trim_end_matches('+').parse().ok()?;
                (action, (first, if at.ends_with('+') { u64::MAX } else { first }))
            }
        };
        let sleep = action.strip_prefix("sleep(").and_then(|rest| rest.strip_suffix(')'));
        let action = match (action, sleep) {
            ("kill", _) => Action::Kill,
            ("stop", _) => Action::Stop,
            ("panic", _) => Action::Panic,
            ("eio", _) => Action::Disk(5),
            ("enospc", _) => Action::Disk(28),
            (_, Some(millis)) => Action::Sleep(Duration::from_millis(millis.parse().ok()?)),
            _ => return None,
        };
        Some(Armed { name: name.into(), action, at, passages: AtomicU64::new(0) })
    }
}

#[cfg(all(test, feature = "failpoints"))]
mod tests {
    use super::armed::{Action, read};
    use crate::time::millis;

    #[test]
    fn places_have_an_action_and_a_passage() {
        let all = read("a.b=kill@3; c=panic;d=sleep(250)@1;e=stop@2+;f=eio").expect("places");
        let all: Vec<_> = all.iter().map(|one| (one.name.as_str(), one.action, one.at)).collect();
        assert_eq!(
            all,
            [
                ("a.b", Action::Kill, (3, 3)),
                ("c", Action::Panic, (1, u64::MAX)),
                ("d", Action::Sleep(millis(250)), (1, 1)),
                ("e", Action::Stop, (2, u64::MAX)),
                ("f", Action::Disk(5), (1, u64::MAX)),
            ]
        );
        for wrong in ["a", "a=b", "a=kill@x", "a=sleep(x)", "a=sleep 5"] {
            assert_eq!(read(wrong).expect_err(wrong), wrong);
        }
    }
}
