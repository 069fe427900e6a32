//! The tables of guarantees and of reliability: what is claimed is earned by tests that are there.

use super::{TREE, none, text};

const DOCUMENT: &str = "docs/guarantees.md";

#[test]
fn guarantees_are_earned_by_tests() {
    let tests = tests();
    let mut broken = Vec::new();
    let mut claims = 0;
    for row in text(DOCUMENT).lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" |").map(str::trim).collect();
        let [sink, promise, _, earned] = cells[..] else {
            broken.push(format!("`{row}` has {} cells", cells.len()));
            continue;
        };
        let named: Vec<&str> = earned.split('`').skip(1).step_by(2).collect();
        let claims_something = promise.contains("once") && !promise.starts_with("at least");
        claims += usize::from(claims_something);
        if claims_something && named.is_empty() {
            broken.push(format!("{sink}: `{promise}` is earned by no test"));
        }
        let away = named.iter().filter(|name| !tests.contains(&(**name).to_owned()));
        broken.extend(away.map(|name| format!("{sink}: there is no test `{name}`")));
    }
    assert!(5 <= claims, "the table of {DOCUMENT} was not understood");
    none("guarantees are earned by tests", broken);
}

#[test]
fn figures_of_reliability_name_tests() {
    let tests = tests();
    let document = "docs/reliability.md";
    let mut broken = Vec::new();
    let mut named = 0;
    for row in text(document).lines().filter(|line| line.starts_with("| R")) {
        let earned = row.trim_matches('|').rsplit(" |").next().unwrap_or_default();
        for name in earned.split('`').skip(1).step_by(2) {
            named += 1;
            if !tests.contains(&name.to_owned()) {
                broken.push(format!("there is no test `{name}`"));
            }
        }
    }
    assert!(30 <= named, "the table of {document} was not understood");
    none("figures of reliability name tests", broken);
}

/// The names of all tests: functions behind `#[test]`.
fn tests() -> Vec<String> {
    let mut found = Vec::new();
    for file in TREE.files.iter().filter(|file| file.ends_with(".rs")) {
        for after in text(file).split("#[test]\n").skip(1) {
            let rest = after.trim_start().trim_start_matches("#[cfg(feature = \"s3\")]\n");
            let name = rest.strip_prefix("fn ").and_then(|rest| rest.split('(').next());
            found.extend(name.map(str::to_owned));
        }
    }
    found
}
