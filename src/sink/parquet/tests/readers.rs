//! Two readers that are not ours: pyarrow and DuckDB. `.ci/setup` installs them.

use std::process::Command;

use super::*;
use crate::aggregate::Count;
use crate::runtime::{BoundSink, BoundSource, Job, Stop, Workers, run};
use crate::source::memory::Memory;
use crate::testing::example::Event;
use crate::testing::process::run as run_command;
use crate::testing::{Example, Skip, cache_dir, or_skip};
use crate::time::{minutes, seconds};
use crate::window::Tumbling;

/// Prints the rows of a folder as both readers see them, sorted, without the time zone.
const SCRIPT: &str = "
import sys, pyarrow.parquet, duckdb
folder, time = sys.argv[1:3]
table = pyarrow.parquet.read_table(folder)
rows = [list(row.values()) for row in table.to_pylist()]
texts = sorted(str([str(value).replace('+00:00', '') for value in row]) for row in rows)
print('pyarrow', table.schema.field(time).type, *texts, sep='\\n')
duckdb.sql(\"SET TimeZone = 'UTC'\")
files = duckdb.sql(f\"SELECT * REPLACE (CAST({time} AS VARCHAR) AS {time}) \"
                   f\"FROM read_parquet('{folder}/*.parquet')\")
texts = sorted(str([str(value).replace('+00', '') for value in row]) for row in files.fetchall())
print('duckdb', *texts, sep='\\n')
";

/// What both print.
fn readers(folder: &Path, time: &str) -> Option<String> {
    let python = cache_dir().join("readers/bin/python");
    let found = match python.exists() {
        true => Ok(python),
        false => Err(Skip::new("pyarrow and DuckDB are not installed; run .ci/setup")),
    };
    let mut command = Command::new(or_skip(found)?);
    command.args(["-c", SCRIPT]).arg(folder).arg(time);
    or_skip(run_command(command))
}

#[test]
fn pyarrow_and_duckdb_read_every_type() {
    for (more, type_name) in [("", "timestamp[us, tz=UTC]"), ("timestamps = \"int96\"", "ns")] {
        let folder = Temporary::new(&format!("readers-{}", more.len()));
        let mut writer = bind(&folder.0, &all_types(None), more, false).open(ONLY).unwrap();
        writer.write(&rows(all_cells())).unwrap();
        writer.finish().unwrap();
        let Some(text) = readers(&folder.0, "window_start") else { return };
        let rows = "\
['1969-12-31 23:59:59.999999', 'None', 'None', 'None', 'None', '9999999999999999999999.99', '', \
 '[]', '[]', 'None', 'None']
['2026-01-01 00:00:00.000001', 'True', '-7', '-9223372036854775808', '0.1', '-1234.56', 'größe', \
 \"['a', None, '']\", '[1, -2]', '{\"a\":1}', \"b'\\\\x00\\\\xff'\"]
['None', 'None', 'None', 'None', 'None', 'None', 'None', 'None', 'None', 'None', 'None']
";
        let (pyarrow, duckdb) = text.split_once("duckdb\n").expect("both readers");
        let mut lines = pyarrow.splitn(3, '\n');
        assert_eq!(lines.next(), Some("pyarrow"));
        assert!(lines.next().is_some_and(|line| line.contains(type_name)), "{pyarrow}");
        assert_eq!(lines.next(), Some(rows), "pyarrow, {more}");
        assert_eq!(duckdb, rows, "DuckDB, {more}");
    }
}

/// Runs a job on some workers whose view goes to a sink: 2,000 seconds of 40 keys, counted by the
/// minute.
pub(super) fn run_job(threads: usize, sink: impl FnOnce(&View) -> Box<dyn Sink>) {
    let events = |partition: i64| {
        let event = move |n: i64| Event::from((&*format!("key {}", n % 40), n, partition));
        Arc::new((0..2_000).map(event).collect::<Vec<_>>())
    };
    let memory = Memory::new().partition(events(1), &[10]).partition(events(2), &[7]);
    let mut job = Job::new("files", |flow| {
        let events = flow.source("events", seconds(5), Example::time);
        let counts = events
            .key_by(|event: &Event| event.key.clone())
            .window(Tumbling::new(minutes(1)))
            .accumulate(|_| Count::one());
        counts.rows(Example::row).sink("counts");
        Ok(())
    });
    job.sources = [("events".into(), BoundSource::new(Arc::new(memory)))].into();
    let schema = job.schemas().unwrap().remove("counts").unwrap();
    let view = View { name: "counts".into(), schema, key: vec![], stamp: None };
    let sink = BoundSink::new("counts", sink(&view));
    job.sinks = [("counts".into(), vec![sink])].into();
    run(vec![Arc::new(job)], &Workers::threads(threads), &Stop::new()).unwrap();
}

#[test]
fn several_workers_write_each_row_once() {
    let folder = Temporary::new("workers");
    run_job(3, |view| bind(&folder.0, view, "", false));
    assert_eq!(folder.names().len(), 3, "one file of each worker: {:?}", folder.names());
    let mut seen: Vec<String> = read(&folder).iter().map(|row| row.to_string()).collect();
    seen.sort();
    seen.dedup();
    // 2,000 seconds are 33 minutes, in each of which is every key, and a third of a minute.
    assert_eq!(seen.len(), 33 * 40 + 20);
}
