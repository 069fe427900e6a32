//! Alerts: when a value of a final row is worth a warning, and the row that says so.
//!
//! ```text
//! final row ─► value ─► beyond `critical`? beyond `warning`? ─► at most one row of `alerts`
//! ```
//!
//! An alert looks at rows that never change, in event time. So it is raised at most once for each
//! window and key, it is raised again by every run over the same log, and nothing has to take it
//! back. When it was raised is no part of it: a sink stamps that, if its binding asks.
//!
//! Operational alerts ([`watch`]) are about the running job instead. They have no window, and two
//! runs over the same log need not raise the same ones.

use std::sync::Arc;

use highwater_derive::Row;

use crate::row::Schema;
use crate::text::Text;
use crate::window::Window;

pub mod watch;

/// The view that all alerts of a job are rows of. A binding has to name it: `[sink."*"]` does not
/// speak of it.
pub const VIEW: &str = "alerts";

/// An alert: its name, and the thresholds beyond which it is raised.
///
/// ```
/// use highwater::alert::{Alert, Severity};
///
/// let spike = Alert::above("course.enrollment_spike", Some(20.0)).critical(Some(100.0));
/// assert_eq!(spike.judge(20.0), None);
/// assert_eq!(spike.judge(21.0), Some((20.0, Severity::Warning)));
/// assert_eq!(spike.judge(101.0), Some((100.0, Severity::Critical)));
///
/// let low = Alert::below("video.engagement_rate", Some(0.3));
/// assert_eq!(low.judge(0.25), Some((0.3, Severity::Warning)));
/// assert_eq!((low.judge(0.3), low.judge(f64::NAN)), (None, None));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alert {
    name: &'static str,
    beyond: Beyond,
    warning: Option<f64>,
    critical: Option<f64>,
}

/// On which side of a threshold an alert is raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// At values that are greater.
    Above,
    /// At values that are less.
    Below,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The value is beyond the threshold.
    Warning,
    /// It is beyond a further one.
    Critical,
}

impl Severity {
    /// `warning` or `critical`.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

impl Alert {
    /// One that is raised at values above a threshold; without one it is off.
    pub const fn above(name: &'static str, warning: Option<f64>) -> Alert {
        Alert { name, beyond: Beyond::Above, warning, critical: None }
    }

    /// One that is raised at values below a threshold; without one it is off.
    pub const fn below(name: &'static str, warning: Option<f64>) -> Alert {
        Alert { name, beyond: Beyond::Below, warning, critical: None }
    }

    /// Gives it another threshold, or none.
    pub const fn warning(self, warning: Option<f64>) -> Alert {
        Alert { warning, ..self }
    }

    /// Gives it a threshold beyond which it is critical.
    pub const fn critical(self, critical: Option<f64>) -> Alert {
        Alert { critical, ..self }
    }

    /// Takes its thresholds away.
    pub const fn off(self) -> Alert {
        Alert { warning: None, critical: None, ..self }
    }

    /// Its name, such as `auth.failed_login_threshold`.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it can be raised. What is computed for an alert alone need not be otherwise.
    pub const fn is_on(&self) -> bool {
        self.warning.is_some() || self.critical.is_some()
    }

    /// Its first threshold, such as `> 10`; `off` without one.
    pub fn bound(&self) -> String {
        let sign = match self.beyond {
            Beyond::Above => '>',
            Beyond::Below => '<',
        };
        let first = self.warning.or(self.critical);
        first.map_or("off".into(), |threshold| format!("{sign} {threshold}"))
    }

    /// The gravest threshold that a value is beyond; none for a value that is not finite.
    pub fn judge(&self, value: f64) -> Option<(f64, Severity)> {
        let is_beyond = |threshold: &f64| match self.beyond {
            Beyond::Above => *threshold < value,
            Beyond::Below => value < *threshold,
        };
        let level = |threshold: Option<f64>, severity| {
            threshold.filter(is_beyond).map(|threshold| (threshold, severity))
        };
        let graver = level(self.critical, Severity::Critical);
        graver.or_else(|| level(self.warning, Severity::Warning)).filter(|_| value.is_finite())
    }
}

/// A row of the view `alerts`.
#[derive(Clone, Debug, Row)]
pub struct Raised {
    /// Name of the alert.
    pub alert: Text,
    /// The system whose dataflow raised it.
    pub system: Text,
    /// The view whose row it is about.
    pub view: Text,
    /// The window of that row; an alert about the operation of a job has none.
    pub window: Option<Window>,
    /// The key of that row, as a JSON object of its columns.
    pub key: Text,
    /// What was found.
    pub value: f64,
    /// What it is beyond.
    pub threshold: f64,
    /// `warning` or `critical`.
    pub severity: Text,
}

impl Raised {
    /// The columns of the view.
    ///
    /// ```
    /// let schema = highwater::alert::Raised::schema();
    /// let names: Vec<&str> = schema.columns.iter().map(|column| &*column.name).collect();
    /// assert_eq!(
    ///     names.join(" "),
    ///     "alert system view window_start window_end key value threshold severity",
    /// );
    /// ```
    pub fn schema() -> Arc<Schema> {
        Schema::of::<Raised>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_beyond_a_threshold_and_not_at_it() {
        let check = |alert: Alert, value: f64, expect: Option<(f64, Severity)>| {
            assert_eq!(alert.judge(value), expect, "{alert:?} at {value}");
        };
        let above = Alert::above("a", Some(10.0));
        let warned = Some((10.0, Severity::Warning));
        check(above, 10.0_f64.next_up(), warned);
        check(above, 10.0, None);
        check(above, -11.0, None);
        let below = Alert::below("b", Some(10.0));
        check(below, 10.0_f64.next_down(), warned);
        check(below, 10.0, None);
        check(below, -11.0, warned);
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            check(above, value, None);
            check(below, value, None);
        }
    }

    #[test]
    fn the_gravest_level_speaks_also_if_it_is_the_only_one() {
        let both = Alert::below("b", Some(0.3)).critical(Some(0.1));
        assert_eq!(both.judge(0.2), Some((0.3, Severity::Warning)));
        assert_eq!(both.judge(0.05), Some((0.1, Severity::Critical)));
        let only = Alert::above("a", None).critical(Some(5.0));
        assert_eq!((only.judge(4.0), only.judge(6.0)), (None, Some((5.0, Severity::Critical))));
        assert!(only.is_on() && !only.off().is_on() && !Alert::above("a", None).is_on());
        assert_eq!(both.off().judge(0.0), None);
    }
}
