//! Folders of Parquet files over kills: each row in one file that a reader sees, once.

use std::fs::{self, File};
use std::path::Path;

use highwater::testing::{Dice, Scratch};
use parquet::file::reader::SerializedFileReader;

use super::{calm, kept, killed_until_it_ends};
use crate::binary::highwater;

const PORTS: [(&str, &str); 2] =
    [("sink.chat_summary_minute", "rows=\"final\","), ("dead_letters", "")];

fn folder(dir: &Path, port: &str) -> std::path::PathBuf {
    dir.join(port.rsplit('.').next().unwrap_or(port))
}

/// Files that hold a few epochs each.
fn sinks(dir: &Path) -> Vec<String> {
    let bind = |(port, rows): &(&str, &str)| {
        let path = folder(dir, port);
        format!("{port}={{{rows}parquet={{path={path:?},roll_every=\"300ms\"}}}}")
    };
    PORTS.iter().map(bind).collect()
}

/// The rows that a reader finds, sorted.
pub(crate) fn rows(dir: &Path, port: &str) -> Vec<String> {
    let mut rows = Vec::new();
    for entry in fs::read_dir(folder(dir, port)).expect("the folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|ending| ending == "parquet") {
            let file = File::open(&path).expect("a file");
            let reader = SerializedFileReader::new(file).expect("a Parquet file");
            rows.extend(reader.into_iter().map(|row| row.expect("a row").to_string()));
        }
    }
    rows.sort();
    rows
}

#[test]
fn rows_are_in_one_file_each_whenever_the_job_is_killed() {
    let (quiet, dir) = (Scratch::new("parquet-calm"), Scratch::new("parquet-killed"));
    calm(quiet.path(), &sinks(quiet.path()));

    let start = |workers: u64| {
        let mut command = highwater();
        command.args(["run", "chat", "-w", &workers.to_string()]);
        kept(command, dir.path(), &sinks(dir.path()))
    };
    killed_until_it_ends((dir.path(), &mut Dice::new(), 9), start);
    for (port, _) in PORTS {
        let (found, expected) = (rows(dir.path(), port), rows(quiet.path(), port));
        assert!(!expected.is_empty());
        let missing: Vec<_> = expected.iter().filter(|row| !found.contains(row)).take(3).collect();
        let (is, was) = (found.len(), expected.len());
        assert!(found == expected, "{port}: {is} of {was}; missing {missing:?}");
    }
}
