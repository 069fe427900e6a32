//! The share of logins that fail: no view upstream, so the alert has a window of its own.

use highwater::prelude::*;
use highwater_datasets::shop::Event;

/// Raises an alert for a minute of which too large a share of the logins failed. A login that does
/// not say how it went is none of them, but one of all.
pub(super) fn login_failures(events: &Stream<Event>, many: Alert) {
    if many.is_on() {
        events
            .filter(|event| event.is("user_login"))
            .window(Tumbling::new(minutes(1)))
            .accumulate(|login| (Count::of(login.success == Some(false)), Count::one()))
            .alert(many, "alerts", &[], |(failed, all)| stats::ratio(failed.get(), all.get()));
    }
}
