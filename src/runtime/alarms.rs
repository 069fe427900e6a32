//! [`Alarms`]: operators that want to be activated later.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use timely::scheduling::Activator;

use crate::host::Host;

/// Activates operators of one worker after some time.
///
/// On a machine that is timely's own business. Its timers go by the machine's clock, whatever that
/// of the host says, so on a stage they are kept here, and the loop of the worker looks at them.
#[derive(Default)]
pub struct Alarms {
    host: Host,
    /// By time, and then in the order in which they were set.
    set: RefCell<BTreeMap<(Instant, u64), Activator>>,
}

impl Alarms {
    /// None yet.
    pub fn new(host: Host) -> Alarms {
        Alarms { host, set: RefCell::default() }
    }

    /// Activates an operator after a pause.
    pub fn after(&self, pause: Duration, activator: &Activator) {
        if self.host.stage().is_none() {
            activator.activate_after(pause);
            return;
        }
        let mut set = self.set.borrow_mut();
        let due = self.host.now() + pause;
        let same = set.range((due, 0)..=(due, u64::MAX)).next_back();
        let number = same.map_or(0, |((_, number), _)| number + 1);
        set.insert((due, number), activator.clone());
    }

    /// Activates what is due; returns when something will be.
    pub(super) fn ring(&self) -> Option<Instant> {
        let (mut set, now) = (self.set.borrow_mut(), self.host.now());
        while let Some(first) = set.first_entry()
            && first.key().0 <= now
        {
            first.remove().activate();
        }
        set.first_key_value().map(|((due, _), _)| *due)
    }
}
