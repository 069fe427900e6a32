//! [`Flow::alerts`] and [`Windowed::alert`]: from thresholds in `[parameters]` to a view of rows.

use super::flow::Flow;
use super::panes::{PaneNode, Raise};
use super::windowed::Windowed;
use crate::alert::{self, Alert, Raised};
use crate::config::Parameters;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::keyed::Pane;
use crate::row::{Cells, Field};
use crate::sink::text::JsonNames;
use crate::text::Text;

impl Flow {
    /// Reads which alerts there are; see [`Alerts`] for the parameters.
    ///
    /// # Errors
    ///
    /// `alerts.enabled` is neither true nor false.
    pub fn alerts<'a>(&self, parameters: &'a mut Parameters) -> Result<Alerts<'a>> {
        let enabled = parameters.bool("alerts.enabled", true)?;
        let (flow, on) = (self.clone(), enabled && self.settings().alerts);
        Ok(Alerts { parameters, flow, on })
    }
}

/// Reads alerts from `[parameters]`.
///
/// | parameter | meaning |
/// |---|---|
/// | `alerts.enabled` | `false` turns all alerts off |
/// | `alerts.NAME` | the threshold of an alert; `"off"` turns it off |
/// | `alerts.NAME.warning` | the same, to stand beside the next one |
/// | `alerts.NAME.critical` | a further threshold, beyond which it is critical; by default none |
/// | `alerts.operational` | `"auto"`: those watch jobs with endless input; `"on"`: all; `"off"` |
/// | `alerts.NAME.over` | of an operational alert: the time over which it measures |
/// | `alerts.NAME.keys_max` | of an alert about silence: how many keys are remembered |
///
/// Where nothing is bound to the view `alerts`, all of them are off.
pub struct Alerts<'a> {
    pub(super) parameters: &'a mut Parameters,
    pub(super) flow: Flow,
    on: bool,
}

impl Alerts<'_> {
    /// An alert that is raised at values above a threshold.
    ///
    /// # Errors
    ///
    /// A threshold is no number, or negative.
    pub fn above(&mut self, name: &'static str, threshold: f64) -> Result<Alert> {
        self.read(Alert::above(name, Some(threshold)), threshold)
    }

    /// An alert that is raised at values below a threshold.
    ///
    /// # Errors
    ///
    /// As [`Alerts::above`].
    pub fn below(&mut self, name: &'static str, threshold: f64) -> Result<Alert> {
        self.read(Alert::below(name, Some(threshold)), threshold)
    }

    fn read(&mut self, alert: Alert, threshold: f64) -> Result<Alert> {
        let name = format!("alerts.{}", alert.name());
        let plain = self.parameters.threshold(&name, Some(threshold))?;
        let warning = self.parameters.threshold(&format!("{name}.warning"), plain)?;
        let critical = self.parameters.threshold(&format!("{name}.critical"), None)?;
        let alert = alert.warning(warning).critical(critical);
        Ok(if self.on { alert } else { alert.off() })
    }
}

impl<K: Key + Field, R: Clone + 'static> Windowed<K, R> {
    /// Raises an alert in the view `alerts` for each final row whose value is beyond a threshold,
    /// at most once for each window and key, and hands the rows on. `view` is what they are
    /// called, `key` are the names of the columns of their key. A value may be missing.
    ///
    /// ```
    /// use highwater::prelude::*;
    /// # use highwater::testing::{Example, example::Event};
    /// /// Failed logins of each user, minute by minute.
    /// fn failed_logins(logins: &Stream<Event>, many: Alert) {
    ///     logins
    ///         .key_by(|login| login.key.clone())
    ///         .window(Tumbling::new(minutes(1)))
    ///         .accumulate(|_| Count::one())
    ///         .alert(many, "failed_logins", &["user_id"], |count| count.get() as f64)
    ///         .rows(Example::row)
    ///         .sink("failed_logins");
    /// }
    ///
    /// let logins = [("ann", 1, 0), ("ann", 2, 0), ("bob", 3, 0), ("ann", 4, 0), ("bob", 5, 0)];
    /// let rows = Example::flow(logins, |flow| {
    ///     let mut parameters = Parameters::new(&toml::toml! { alerts.failed_logins = 2 });
    ///     let mut alerts = flow.alerts(&mut parameters).unwrap();
    ///     let many = alerts.above("failed_logins", 10.0).unwrap();
    ///     failed_logins(&flow.source("events", seconds(10), Example::time), many);
    /// });
    /// assert_eq!(
    ///     rows,
    ///     [
    ///         "alerts failed_logins example failed_logins 00:00 01:00 {\"user_id\":\"ann\"} \
    ///          3 2 warning",
    ///         "failed_logins ann 00:00 3",
    ///         "failed_logins bob 00:00 2",
    ///     ],
    /// );
    /// ```
    ///
    /// An alert that is off costs nothing; what is computed for it alone should ask
    /// [`Alert::is_on`].
    pub fn alert<V: Into<Option<f64>>>(
        &self,
        alert: Alert,
        view: &str,
        key: &[&str],
        value: impl Fn(&R) -> V + 'static,
    ) -> Windowed<K, R> {
        let mut columns = Vec::new();
        K::columns("", false, &mut columns);
        if columns.len() != key.len() {
            self.flow.with(|plan| {
                let (parts, named) = (columns.len(), key.len());
                let error = Error::config(format!(
                    "the key of view `{view}` has {parts} columns, and alert `{}` names {named}",
                    alert.name()
                ));
                plan.errors.push(error.hint("name each column of the key once, in its order"));
            });
        }
        if alert.is_on() {
            let (names, view) = (JsonNames::new(key.iter().copied()), Text::from(view));
            let system = self.flow.settings().system.clone();
            let judge = move |pane: &Pane<K, R>| {
                let value = value(&pane.value).into()?;
                let (threshold, severity) = alert.judge(value)?;
                Some(Raised {
                    alert: Text::from(alert.name()),
                    system: system.clone(),
                    view: view.clone(),
                    window: Some(pane.window),
                    key: object(&names, &pane.key),
                    value,
                    threshold,
                    severity: severity.name().into(),
                })
            };
            let below = PaneNode::new();
            self.panes.push(Raise { judge, below: below.clone() });
            self.below(below).sink(alert::VIEW);
        }
        self.clone()
    }
}

/// The columns of a key as a JSON object.
pub(super) fn object<K: Field>(names: &JsonNames, key: &K) -> Text {
    let (mut cells, mut json) = (Cells::default(), Vec::new());
    key.put(&mut cells);
    names.object(&cells.into_vec(), &mut json);
    Text::from(String::from_utf8_lossy(&json))
}

#[cfg(test)]
mod tests;
