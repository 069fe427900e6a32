//! The sinks of the list, each bound to a place of its own, and what a reader finds there.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use highwater::config::SinkBinding;
use highwater::row::{Cell, Change};
use highwater::sink::kinds::SINKS;
use highwater::sink::{Common, Guarantee, Sink, View, memory};
use highwater::testing::s3::{S3Server, USER};
use highwater::testing::{KafkaServer, PostgresServer, Scratch};
use highwater::time::minutes;
use parquet::file::reader::SerializedFileReader;
use parquet::record::RowAccessor;

use super::{check, kill_between_calls, view};

/// The kinds of sinks that have a case.
pub(super) const KINDS: [&str; 7] =
    ["blackhole", "console", "file", "kafka", "memory", "parquet", "postgres"];

type Seen = Vec<(i64, String)>;

/// A sink and its readers.
pub(super) struct Case {
    pub(super) name: &'static str,
    kind: &'static str,
    options: String,
    common: Common,
    view: View,
    /// The job, whose name servers remember.
    pub(super) job: String,
    /// How many calls the longest attempt that is killed makes.
    pub(super) calls: usize,
    pub(super) change: Change,
    pub(super) promises: Guarantee,
    /// Whether the place holds one row of each key.
    pub(super) keeps_one_by_key: bool,
    /// Whether a reader may look between attempts, at little cost.
    looks_early: bool,
    /// `None` of a sink that keeps no row.
    reader: Option<Box<dyn Fn() -> Seen>>,
    /// Kept until the end.
    _scratch: Option<Scratch>,
}

impl Case {
    fn new(name: &'static str, kind: &'static str, options: String) -> Case {
        Case {
            name,
            kind,
            options,
            common: Common::default(),
            view: view(&["n"]),
            job: format!("contract {name}"),
            calls: 24,
            change: Change::Final,
            promises: Guarantee::AtLeastOnce,
            keeps_one_by_key: false,
            looks_early: false,
            reader: None,
            _scratch: None,
        }
    }

    /// Binds the sink, as a process that starts does.
    pub(super) fn sink(&self) -> Box<dyn Sink> {
        let binding = SinkBinding {
            kind: self.kind.into(),
            options: toml::from_str(&self.options).expect("options"),
            place: self.name.into(),
            rows: None,
            stamp: None,
            trigger_interval: None,
            retry_max: minutes(10),
            overwrite: self.common.overwrite,
            formula_guard: self.common.formula_guard,
            exactly_once: self.common.exactly_once,
            queue_rows_max: 100_000,
        };
        let kind = SINKS.iter().find(|sink| sink.name == self.kind).expect("it is in the list");
        (kind.bind)(&binding, &self.view, &self.common).expect("it can be bound")
    }

    /// Makes the table or topic that is missing.
    pub(super) fn create(&self) {
        let mut sink = self.sink();
        sink.resume(None).expect("the first attempt");
        sink.create().unwrap_or_else(|error| panic!("{}: {error}", self.name));
    }

    pub(super) fn seen(&self) -> Option<Seen> {
        self.reader.as_ref().map(|reader| reader())
    }

    pub(super) fn seen_early(&self) -> Option<Vec<i64>> {
        let seen = self.seen().filter(|_| self.looks_early)?;
        Some(seen.into_iter().map(|(n, _)| n).collect())
    }
}

/// Makes a case, if its server is installed.
type Make = fn() -> Option<Case>;

/// All cases but that of `console`, which has a process of its own.
pub(super) const ALL: [Make; 11] = [
    blackhole_case,
    memory_case,
    file_case,
    parquet_folder,
    parquet_bucket,
    kafka_plain,
    kafka_transactions,
    kafka_taken_back,
    postgres_keyed,
    postgres_keyless,
    postgres_updates,
];

/// Drops rows: all that there is to see is that it takes them.
fn blackhole_case() -> Option<Case> {
    let case = Case::new("blackhole", "blackhole", String::new());
    Some(Case { promises: Guarantee::Idempotent, reader: None, ..case })
}

fn memory_case() -> Option<Case> {
    let name = "the sinks' contract";
    let reader = move || {
        let log = memory::collector(name).log();
        log.into_iter().map(|(_, cells)| of_cells(&cells)).collect()
    };
    let case = Case::new("memory", "memory", format!("name = \"{name}\""));
    Some(Case { reader: Some(Box::new(reader)), ..case })
}

fn of_cells(cells: &[Cell]) -> (i64, String) {
    match cells {
        [Cell::I64(n), Cell::Text(word)] => (*n, word.to_string()),
        other => panic!("{other:?}"),
    }
}

fn of_json(line: &str) -> (i64, String) {
    let row: serde_json::Value = serde_json::from_str(line).expect("a row");
    (row["n"].as_i64().expect("a number"), row["word"].as_str().expect("a word").to_owned())
}

fn file_case() -> Option<Case> {
    let scratch = Scratch::new("contract-file");
    let path = scratch.path().join("rows.jsonl");
    let options = format!("path = {:?}", path.to_str().expect("a text"));
    let reader = move || match fs::read_to_string(&path) {
        Ok(text) => text.lines().map(of_json).collect(),
        // Until its end it has another name.
        Err(_) => vec![],
    };
    Some(Case {
        promises: Guarantee::ExactlyOnce,
        looks_early: true,
        reader: Some(Box::new(reader)),
        _scratch: Some(scratch),
        ..Case::new("file", "file", options)
    })
}

/// The rows in the files of a folder that a reader sees.
fn of_folder(folder: &Path) -> Seen {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    let files = paths.iter().filter(|path| path.extension().is_some_and(|end| end == "parquet"));
    let rows = files.flat_map(|path| {
        let file = File::open(path).expect("a file");
        SerializedFileReader::new(file).expect("a Parquet file").into_iter()
    });
    rows.map(|row| {
        let row = row.expect("a row");
        (row.get_long(0).expect("a number"), row.get_string(1).expect("a word").clone())
    })
    .collect()
}

fn parquet_folder() -> Option<Case> {
    let scratch = Scratch::new("contract-parquet");
    let folder = scratch.path().join("views");
    let options = format!("path = {:?}\nroll_every = \"1ms\"", folder.to_str().expect("a text"));
    Some(Case {
        promises: Guarantee::ExactlyOnce,
        looks_early: true,
        reader: Some(Box::new(move || of_folder(&folder))),
        _scratch: Some(scratch),
        ..Case::new("parquet", "parquet", options)
    })
}

fn parquet_bucket() -> Option<Case> {
    let server = S3Server::shared()?;
    let folder = server.make_bucket("contract").expect("a bucket").join("views");
    let options = format!(
        "path = \"s3://contract/views\"\nroll_every = \"1ms\"\n\
         s3 = {{ endpoint = \"{}\", access_key = \"{}\", secret_key = \"{}\" }}",
        server.endpoint(),
        USER.0,
        USER.1
    );
    Some(Case {
        promises: Guarantee::ExactlyOnce,
        looks_early: true,
        reader: Some(Box::new(move || of_folder(&folder))),
        ..Case::new("parquet in a bucket", "parquet", options)
    })
}

fn kafka(name: &'static str, topic: &'static str, exactly_once: bool) -> Option<Case> {
    let server = KafkaServer::shared()?;
    let options = format!("topic = \"{topic}\"\nbrokers = \"{}\"", server.brokers());
    let reader = move || {
        let values = crate::topics::values(&server.brokers(), topic, &[]);
        values.iter().map(|value| of_json(value)).collect()
    };
    Some(Case {
        common: Common { exactly_once, ..Common::default() },
        promises: Guarantee::Idempotent,
        reader: Some(Box::new(reader)),
        ..Case::new(name, "kafka", options)
    })
}

fn kafka_plain() -> Option<Case> {
    kafka("kafka", "contract.plain", false)
}

fn kafka_transactions() -> Option<Case> {
    let case = kafka("kafka exactly once", "contract.transactions", true)?;
    // Each attempt waits until the broker has ended the transaction of the one before.
    Some(Case { promises: Guarantee::ExactlyOnce, calls: 14, ..case })
}

/// Rows that may go again wait for their checkpoint, too.
fn kafka_taken_back() -> Option<Case> {
    let common = Common { updates: true, takes_back: true, ..Common::default() };
    Some(Case { common, ..kafka("kafka, taken back", "contract.again", false)? })
}

fn postgres(name: &'static str, table: &'static str, key: &[&str]) -> Option<Case> {
    let server = PostgresServer::shared()?;
    let database = format!("contract_{table}");
    let url = server.create_database(&database).expect("a database");
    let options =
        format!("url = \"{url}\"\ntable = \"{table}\"\nepochs_table = \"{table}_epochs\"");
    let reader = move || {
        let rows = server.query_in(&database, &format!("SELECT n, word FROM {table}"));
        let row = |row: Vec<String>| (row[0].parse().expect("a number"), row[1].clone());
        rows.expect("a table").into_iter().map(row).collect()
    };
    Some(Case {
        view: view(key),
        promises: Guarantee::ExactlyOnce,
        looks_early: true,
        reader: Some(Box::new(reader)),
        ..Case::new(name, "postgres", options)
    })
}

fn postgres_keyed() -> Option<Case> {
    postgres("postgres", "keyed", &["n"])
}

fn postgres_keyless() -> Option<Case> {
    postgres("postgres, no key", "keyless", &[])
}

fn postgres_updates() -> Option<Case> {
    Some(Case {
        common: Common { updates: true, ..Common::default() },
        change: Change::Upsert,
        promises: Guarantee::Idempotent,
        keeps_one_by_key: true,
        ..postgres("postgres, updates", "updated", &["n"])?
    })
}

/// Tells the copy of this test that is the process whose output is read.
const CHILD: &str = "HIGHWATER_CONTRACT_CONSOLE";

/// Standard output cannot be read by the process that writes it.
#[test]
fn console_rows_are_shown_at_least_once() {
    let case = Case::new("console", "console", "format = \"json\"".into());
    if std::env::var_os(CHILD).is_some() {
        let (expected, promised) = kill_between_calls(&case);
        assert_eq!(promised, case.promises);
        eprintln!("expected {}", expected.len());
        return;
    }
    let mut child = Command::new(std::env::current_exe().expect("this test"));
    child.args(["--exact", "contract::cases::console_rows_are_shown_at_least_once"]);
    child.arg("--nocapture").env(CHILD, "1");
    let output = child.output().expect("the test starts");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8(output.stderr));
    let err = err.expect("text");
    assert!(output.status.success(), "{out}{err}");
    let expected = err.lines().find_map(|line| line.strip_prefix("expected ")?.parse().ok());
    let expected: Vec<i64> = (0..expected.expect("how many")).collect();
    // The name of the test stands in front of the first row.
    let rows = out.lines().filter_map(|line| Some(of_json(&line[line.find('{')?..])));
    check(&case, &expected, case.promises, rows.collect());
}
