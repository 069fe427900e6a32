//! The paper's numbers: measured ones stand in its text by their names, constants are marked.

use super::{TREE, none, text};

const PAPER: &str = "paper/paper.typ";

/// What makes a number a figure.
const UNITS: [&str; 25] = [
    "%", "×", "x", "ns", "us", "µs", "ms", "s", "sec", "seconds", "min", "minutes", "h", "hours",
    "bytes", "KB", "kB", "KiB", "MB", "MiB", "GB", "GiB", "M", "events", "times",
];

#[test]
fn no_bare_figure_stands_in_the_paper() {
    let mut broken = Vec::new();
    for (line, text) in (1..).zip(prose(&text(PAPER)).lines()) {
        broken.extend(figures(text).into_iter().map(|found| format!("{PAPER}:{line}: {found}")));
    }
    none("figures of the paper are `#m(…)`, constants are `#given[…]`", broken);
}

/// A misspelled name would never be measured.
#[test]
fn every_number_of_the_paper_can_be_measured() {
    let experiments = TREE.files.iter().filter(|path| path.starts_with("bench/experiments/"));
    let experiments: String = experiments.map(|path| text(path)).collect();
    let (known, roles) = (text("paper/measured.py"), text("paper/runs.py"));
    let paper = without_comments(&text(PAPER));
    let names = paper.split("#m(\"").skip(1).filter_map(|rest| rest.split('"').next());
    let mut broken = Vec::new();
    let mut count = 0;
    for name in names {
        count += 1;
        let parts: Vec<&str> = name.split('.').collect();
        let quoted = |text: &str, word: &str| text.contains(&format!("\"{word}\""));
        let good = match parts[..] {
            [role, group, engine, what] => {
                let query = group.split('-').next().unwrap_or(group);
                let (tag, percentile) = what.split_once('-').unwrap_or((what, what));
                quoted(&roles, role)
                    && quoted(&experiments, query)
                    && quoted(&experiments, engine)
                    && [tag, percentile].iter().all(|word| known.contains(&format!("{word}\"")))
            }
            [role, what] => quoted(&roles, role) && known.contains(&format!("{{role}}.{what}")),
            _ => false,
        };
        if !good {
            broken.push(format!("{PAPER}: `{name}`"));
        }
    }
    assert!(0 < count, "{PAPER} has no number");
    none("names of numbers are ROLE.GROUP.ENGINE.WHAT", broken);
}

/// A text of Typst without comments, names of numbers, and what is marked as given; lines stay.
fn prose(text: &str) -> String {
    without(&without(&without_comments(text), "#m(\"", "\")"), "#given[", "]")
}

fn without_comments(text: &str) -> String {
    let lines = text.lines().map(|line| if line.starts_with("//") { "" } else { line });
    lines.collect::<Vec<_>>().join("\n")
}

/// A text without all that stands between two marks; lines stay.
pub(super) fn without(text: &str, open: &str, close: &str) -> String {
    let mut parts = text.split(open);
    let mut left = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (inside, rest) = part.split_once(close).unwrap_or((part, ""));
        left.extend(inside.chars().filter(|c| *c == '\n'));
        left.push('#');
        left.push_str(rest);
    }
    left
}

/// Numbers of a line with a unit behind them.
pub(super) fn figures(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let inside_word = rest[..at].chars().next_back().is_some_and(char::is_alphabetic);
        let (_, from) = rest.split_at(at);
        let length = from.find(|c: char| !c.is_ascii_digit() && !".,".contains(c));
        let (number, after) = from.split_at(length.unwrap_or(from.len()));
        let after = after.trim_start_matches(['~', '\u{a0}', '\u{2009}']);
        let unit = after.strip_prefix(' ').unwrap_or(after);
        let end = unit.find(|c: char| !c.is_alphabetic() && !"%×".contains(c));
        let unit = &unit[..end.unwrap_or(unit.len())];
        if !inside_word && UNITS.contains(&unit) {
            found.push(format!("{number} {unit}"));
        }
        rest = after;
    }
    found
}

#[test]
fn a_number_with_a_unit_is_a_figure() {
    let check = |line: &str, expect: &[&str]| {
        assert_eq!(figures(&prose(line)), expect, "{line}");
    };
    check("it takes 5 ms, or 1.5~s at 99 %", &["5 ms", "1.5 s", "99 %"]);
    check("1.4x as fast, 3× as much, 2M events", &["1.4 x", "3 ×", "2 M"]);
    check("#given[5 ms] and #m(\"cost.count.spark.rate\") M events", &[]);
    check("in 2021, five of 25 views; p99 ms; Section 3 says", &[]);
    check("a tick is #given[5 ms], not 6 ms", &["6 ms"]);
}
