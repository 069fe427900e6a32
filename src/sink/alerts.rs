//! Alerts on standard error: a sink whose rows are alerts, each of which is logged once at WARN.
//!
//! It stands in front of the sink that the binding names, on the thread of its writer. So that
//! nobody drowns, ten rows of an alert are logged in a second, by each writer; how many more there
//! were is said when the second is over.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::courier::{Courier, Delivered, Delivery, Route};
use super::{Accepts, Guarantee, Placement, Refusal, Shard, Sink, Writer};
use crate::alert::Raised;
use crate::checkpoint::{Receipt, SinkReceipt};
use crate::error::Result;
use crate::row::{Cell, Rows};
use crate::text::Text;

/// How many rows of an alert are logged in a second.
const LOGGED_MAX: u64 = 10;

const SECOND: Duration = Duration::from_secs(1);

/// A sink of alerts that logs what it is given.
pub struct LoggedAlerts(Arc<Mutex<Box<dyn Sink>>>);

impl LoggedAlerts {
    /// One that hands the rows on to another sink.
    pub fn new(sink: Arc<Mutex<Box<dyn Sink>>>) -> LoggedAlerts {
        LoggedAlerts(sink)
    }

    fn sink(&self) -> MutexGuard<'_, Box<dyn Sink>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for LoggedAlerts {
    fn accepts(&self) -> Accepts {
        self.sink().accepts()
    }

    fn guarantee(&self) -> Guarantee {
        self.sink().guarantee()
    }

    fn placement(&self) -> Placement {
        self.sink().placement()
    }

    fn claim(&self) -> Option<PathBuf> {
        self.sink().claim()
    }

    fn check(&mut self) -> Result<()> {
        self.sink().check()
    }

    fn create(&mut self) -> Result<Vec<String>> {
        self.sink().create()
    }

    fn resume(&mut self, receipts: Option<&[SinkReceipt]>) -> Result<()> {
        self.sink().resume(receipts)
    }

    fn courier(&mut self, route: Route) -> Result<Option<Box<dyn Courier>>> {
        let courier = self.sink().courier(route)?;
        let logging = |courier| LoggingCourier { courier, log: Log::default(), again: false };
        Ok(courier.map(|courier| Box::new(logging(courier)) as Box<dyn Courier>))
    }

    fn open(&mut self, shard: Shard) -> Result<Box<dyn Writer>> {
        let writer = self.sink().open(shard)?;
        Ok(Box::new(Logging { writer, log: Log::default(), again: false }))
    }
}

struct Logging {
    writer: Box<dyn Writer>,
    log: Log,
    /// The last rows could not be written, and come again.
    again: bool,
}

impl Writer for Logging {
    fn write(&mut self, rows: &Rows) -> Result<Vec<Refusal>> {
        if !self.again {
            rows.iter().for_each(|(_, cells)| self.log.take(cells, Instant::now()));
        }
        let written = self.writer.write(rows);
        self.again = written.is_err();
        written
    }

    fn epoch(&mut self, epoch: u64) -> Result<()> {
        self.log.count(Instant::now().checked_sub(SECOND));
        self.writer.epoch(epoch)
    }

    fn answers_later(&self) -> Option<Duration> {
        self.writer.answers_later()
    }

    fn answer(&mut self, until: Instant) -> Result<Option<Vec<Refusal>>> {
        self.writer.answer(until)
    }

    fn stage(&mut self, epoch: u64) -> Result<Receipt> {
        self.writer.stage(epoch)
    }

    fn held_until(&self) -> Option<Instant> {
        self.writer.held_until()
    }

    fn flush(&mut self) -> Result<()> {
        self.writer.flush()
    }

    fn finish(&mut self) -> Result<()> {
        self.writer.finish()
    }
}

struct LoggingCourier {
    courier: Box<dyn Courier>,
    log: Log,
    /// The last rows could not be delivered, and come again.
    again: bool,
}

impl Courier for LoggingCourier {
    fn every(&self) -> Option<Duration> {
        self.courier.every()
    }

    fn refuses(&self, rows: &Rows) -> Vec<Refusal> {
        self.courier.refuses(rows)
    }

    fn begin(&mut self) -> Result<Delivered> {
        self.courier.begin()
    }

    fn deliver(&mut self, delivery: &Delivery<'_>) -> Result<Vec<Refusal>> {
        self.log.count(Instant::now().checked_sub(SECOND));
        if !self.again {
            delivery.rows.iter().for_each(|(_, cells)| self.log.take(cells, Instant::now()));
        }
        let delivered = self.courier.deliver(delivery);
        self.again = delivered.is_err();
        delivered
    }
}

impl Drop for LoggingCourier {
    fn drop(&mut self) {
        self.log.count(Some(Instant::now()));
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        self.log.count(Some(Instant::now()));
    }
}

/// What was logged of each alert in the second that runs.
#[derive(Default)]
struct Log(BTreeMap<Text, Second>);

struct Second {
    begun: Instant,
    /// Rows since then.
    rows: u64,
}

impl Second {
    fn suppressed(&self) -> u64 {
        self.rows.saturating_sub(LOGGED_MAX)
    }
}

impl Log {
    /// Logs a row, if its alert has room in this second.
    fn take(&mut self, cells: &[Cell], now: Instant) {
        self.count(now.checked_sub(SECOND));
        let Some(Cell::Text(alert)) = cells.first() else { return };
        let second = self.0.entry(alert.clone()).or_insert(Second { begun: now, rows: 0 });
        second.rows += 1;
        if second.rows <= LOGGED_MAX {
            tracing::warn!("alert {}", sentence(cells));
        }
    }

    /// Ends the seconds that began so early, and says how much they have kept back.
    fn count(&mut self, until: Option<Instant>) {
        let is_over = |second: &Second| until.is_some_and(|until| second.begun <= until);
        for (alert, second) in self.0.extract_if(.., |_, second| is_over(second)) {
            if 0 < second.suppressed() {
                tracing::warn!("alert {alert}: {} more are not logged", second.suppressed());
            }
        }
    }
}

/// The columns of an alert, by name: `auth.failed_login_threshold warning: value=11 …`.
fn sentence(cells: &[Cell]) -> String {
    let schema = Raised::schema();
    let mut text = String::new();
    for (column, cell) in schema.columns.iter().zip(cells) {
        // Writing to a text cannot fail.
        let _ = match cell {
            _ if column.name == "alert" => Ok(()),
            Cell::Null => Ok(()),
            Cell::Text(value) => write!(text, " {}={value}", column.name),
            Cell::F64(value) => write!(text, " {}={value}", column.name),
            Cell::Time(time) => write!(text, " {}={time}", column.name),
            other => write!(text, " {}={other:?}", column.name),
        };
    }
    match cells.first() {
        Some(Cell::Text(alert)) => format!("{alert}:{text}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{Change, Mark, Origin, Position};
    use crate::sink::View;
    use crate::sink::memory::Collector;
    use crate::time::Time;
    use crate::window::Window;

    fn raised(alert: &str) -> Raised {
        let window = Window { start: Time::from_seconds(0), end: Time::from_seconds(60) };
        Raised {
            alert: alert.into(),
            system: "elearning".into(),
            view: "v".into(),
            window: Some(window),
            key: r#"{"user_id":"a b"}"#.into(),
            value: 11.0,
            threshold: 10.0,
            severity: "warning".into(),
        }
    }

    fn rows(alerts: &[&str]) -> Rows {
        let mut rows = Rows::default();
        let mark = Mark { change: Change::Final, origin: Origin::Record(Position::default()) };
        alerts.iter().for_each(|alert| rows.put(mark, &raised(alert)).unwrap());
        rows
    }

    #[test]
    fn a_row_is_said_with_its_names_and_values() {
        assert_eq!(
            sentence(&rows(&["a.b"]).cells),
            "a.b: system=elearning view=v window_start=1970-01-01T00:00:00.000000Z \
             window_end=1970-01-01T00:01:00.000000Z key={\"user_id\":\"a b\"} value=11 \
             threshold=10 severity=warning",
        );
    }

    #[test]
    fn ten_rows_of_an_alert_are_logged_in_a_second_and_the_others_counted() {
        let (mut log, begun) = (Log::default(), Instant::now());
        let (many, one) = (rows(&["many"]), rows(&["one"]));
        let after = |millis| begun + Duration::from_millis(millis);
        let kept = |log: &Log, alert: &str| log.0.get(alert).map(Second::suppressed);
        for millis in 0..25 {
            log.take(&many.cells, after(millis));
        }
        log.take(&one.cells, after(30));
        assert_eq!((kept(&log, "many"), kept(&log, "one")), (Some(15), Some(0)));
        // The second is over for one of them.
        log.count(Some(after(29)));
        assert_eq!((kept(&log, "many"), kept(&log, "one")), (None, Some(0)));
        log.take(&many.cells, after(1_000));
        assert_eq!(kept(&log, "many"), Some(0));
    }

    #[test]
    fn the_sink_behind_it_gets_every_row() {
        let view =
            View { name: "alerts".into(), schema: Raised::schema(), key: vec![], stamp: None };
        let collector = Collector::default();
        let sink: Arc<Mutex<Box<dyn Sink>>> = Arc::new(Mutex::new(collector.sink(&view)));
        let mut logged = LoggedAlerts::new(sink.clone());
        assert_eq!(logged.accepts(), sink.lock().unwrap().accepts());
        assert_eq!(logged.check(), Ok(()));
        let mut writer = logged.open(Shard { index: 0, count: 1 }).unwrap();
        assert_eq!(writer.write(&rows(&["a"; 30])), Ok(vec![]));
        writer.epoch(0).unwrap();
        writer.finish().unwrap();
        assert_eq!(collector.log().len(), 30);
    }
}
