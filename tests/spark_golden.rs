//! Results of Spark: the views of each system over small inputs are what Spark 3.5 made of them.
//!
//! ```text
//! tests/golden/spark/<system>/<case>/input/<port>/*.jsonl    records; a file is a partition
//!                                   /expected/<view>.csv     Spark's rows, sorted
//! ```
//!
//! `bench/spark/golden.sh` makes both; these tests need no Spark. Jobs run as they do from the
//! command line, from files to CSV files, with 1, 2 and 4 workers and with both engines.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use highwater::runtime::{Job, Stop, Workers, run};
use highwater::testing::Scratch;

use crate::systems;

/// How far floats may be apart, of their size: the order in which Spark adds is not defined.
const RELATIVE: f64 = 1e-9;
/// The same where a sum cancels out.
const ABSOLUTE: f64 = 1e-12;
/// How many differences are listed.
const LISTED_MAX: usize = 12;

#[test]
fn the_views_of_chat_are_those_of_spark() {
    check("chat");
}

#[test]
fn the_views_of_campus_are_those_of_spark() {
    check("campus");
}

#[test]
fn the_views_of_elearning_are_those_of_spark() {
    check("elearning");
}

#[test]
fn the_views_of_shop_are_those_of_spark() {
    check("shop");
}

#[test]
fn the_views_of_market_are_those_of_spark() {
    check("market");
}

fn check(system: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/spark").join(system);
    let cases = entries(&root);
    assert!(!cases.is_empty());
    let mut wrong = Vec::new();
    for case in cases {
        for engine in ["hash", "differential"] {
            for workers in [1, 2, 4] {
                let scratch = Scratch::new("spark");
                let jobs = jobs(system, &case, scratch.path(), engine);
                run(jobs, &Workers::threads(workers), &Stop::new()).unwrap();
                let place = format!("{}, {engine}, {workers} workers", case.display());
                for expected in entries(&case.join("expected")) {
                    let view = expected.file_name().unwrap().to_string_lossy().into_owned();
                    let found = fs::read_to_string(scratch.path().join(&view)).unwrap_or_default();
                    let expected = fs::read_to_string(expected).unwrap();
                    let unequal = differences(&expected, &found).into_iter();
                    wrong.extend(unequal.map(|line| format!("{place}, {view}: {line}")));
                }
            }
        }
    }
    let listed: Vec<&str> = wrong.iter().take(LISTED_MAX).map(String::as_str).collect();
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), listed.join("\n"));
}

/// What lies in a folder, in the order of names.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut entries: Vec<PathBuf> = entries.collect();
    entries.sort();
    entries
}

/// The jobs of a system, from the files of a case to files in `output`. A view that Spark has not
/// computed is left out.
fn jobs(system: &str, case: &Path, output: &Path, engine: &str) -> Vec<Arc<Job>> {
    let mut overlay = String::from("[sink.\"*\"]\nblackhole = {}\n");
    let name = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    for port in entries(&case.join("input")) {
        writeln!(overlay, "[source.{}]\nfile = {{ path = {port:?} }}", name(&port)).unwrap();
    }
    for view in entries(&case.join("expected")) {
        let rows = output.join(view.file_name().unwrap());
        let binding = format!("file = {{ path = {rows:?} }}\nrows = \"final\"");
        writeln!(overlay, "[sink.{}]\n{binding}", name(&view)).unwrap();
    }
    writeln!(overlay, "[view.\"*\"]\nengine = {engine:?}").unwrap();
    systems::jobs(system, &[("spark.toml", overlay.as_str())])
}

/// The lines of two CSV files that have no partner, in any order; floats need only be close.
fn differences(expected: &str, found: &str) -> Vec<String> {
    let (expected_header, expected) = expected.split_once('\n').unwrap_or_default();
    let found = systems::unstamped(found);
    let found_header = found.first().copied().unwrap_or_default();
    if expected_header != found_header {
        return vec![format!("expected the columns {expected_header}, found {found_header}")];
    }
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    expected.lines().for_each(|line| *counts.entry(line).or_default() += 1);
    found.iter().skip(1).for_each(|line| *counts.entry(line).or_default() -= 1);
    let left = |sign: i64| {
        let counts = counts.iter().filter(move |(_, count)| 0 < sign * **count);
        counts.flat_map(|(line, count)| vec![*line; count.unsigned_abs() as usize])
    };
    let mut partners: Vec<&str> = left(-1).collect();
    let mut differences = Vec::new();
    for line in left(1) {
        match partners.iter().position(|partner| is_close(line, partner)) {
            Some(at) => drop(partners.remove(at)),
            None => differences.push(format!("expected {line}")),
        }
    }
    differences.extend(partners.iter().map(|line| format!("found    {line}")));
    differences
}

/// Whether two lines differ in floats alone, and little; those inside of texts count too.
fn is_close(a: &str, b: &str) -> bool {
    let is_end = |c: char| ", :\"{}[]".contains(c);
    let ends = |line: &str| line.chars().filter(|c| is_end(*c)).collect::<String>();
    ends(a) == ends(b)
        && a.split(is_end).zip(b.split(is_end)).all(|(a, b)| a == b || are_close_floats(a, b))
}

fn are_close_floats(a: &str, b: &str) -> bool {
    // What has two decimals on both sides is exact, as integers are.
    let has_two = |text: &str| text.split_once('.').is_some_and(|(_, part)| part.len() == 2);
    if !(a.contains('.') || b.contains('.')) || (has_two(a) && has_two(b)) {
        return false;
    }
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => (a - b).abs() <= (RELATIVE * a.abs().max(b.abs())).max(ABSOLUTE),
        _ => false,
    }
}

#[test]
fn lines_without_a_partner_are_found() {
    let check = |expected: &str, found: &str, count: usize| {
        let differences = differences(expected, found);
        assert_eq!(differences.len(), count, "{differences:?}");
    };
    check("a,b\n1,2\n3,4\n", "a,b\n3,4\n1,2\n", 0);
    check("a,b\n1,2\n", "a\n1\n", 1);
    check("a\n1\n", "a,processed_at\n1,2026-03-01T12:00:10.000001Z\n", 0);
    check("a,b\n1,2\n", "a,b\n1,3\n", 2);
    check("a,b\n1,2\n1,2\n", "a,b\n1,2\n", 1);
    check("a,b\n1,0.1\n", "a,b\n1,0.10000000000000001\n", 0);
    check("a,b\n1,2\n", "a,b\n1,2.0000000000000004\n", 0);
    check("a,b\n1,0.1\n", "a,b\n1,0.1000001\n", 2);
    check("a,b\n1,70000000000.01\n", "a,b\n1,70000000000.02\n", 2);
    check("a\n\"rate: 1.1, n: 2\"\n", "a\n\"rate: 1.1000000000000001, n: 2\"\n", 0);
    check("a\n\"rate: 1.1, n: 2\"\n", "a\n\"rate: 1.1, n: 3\"\n", 2);
    check("a\n2026-03-01T12:00:10.000001Z\n", "a\n2026-03-01T12:00:10.000002Z\n", 2);
}
