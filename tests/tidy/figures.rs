//! Figures of documents: each section that has some names the run folder they are of, which is
//! published with the code, or says why there is none.
//!
//! The table of bars is made from these folders and compared by a test of `highwater-bench`; the
//! numbers of the paper have a rule of their own.

use super::paper::{figures, without};
use super::{TREE, none, text};

const DOCUMENTS: [&str; 2] = ["README.md", "docs/performance.md"];

/// Where folders lie whose figures may be quoted.
const PUBLISHED: &str = "bench/results/published/";

/// Begins the reason for which a section has no run folder.
const NOT_KEPT: &str = "<!-- not kept: ";

#[test]
fn figures_of_documents_name_a_published_run() {
    let mut broken = Vec::new();
    for document in DOCUMENTS {
        let found = bare(&text(document), &TREE.files);
        broken.extend(found.into_iter().map(|what| format!("{document}: {what}")));
    }
    none("figures are of a run folder below bench/results/published", broken);
}

/// Sections with figures and without their source, and folders that are not there.
fn bare(document: &str, files: &[String]) -> Vec<String> {
    let mut broken = Vec::new();
    let document = without(document, "<!-- bars -->", "<!-- /bars -->");
    for section in format!("\n{document}").split("\n## ") {
        let title = section.trim_start().lines().next().unwrap_or_default();
        let runs: Vec<&str> = section.split(PUBLISHED).skip(1).map(folder).collect();
        let runs = runs.into_iter().filter(|run| !run.is_empty());
        let (there, away): (Vec<&str>, Vec<&str>) =
            runs.partition(|run| files.contains(&format!("{PUBLISHED}{run}/runs.csv")));
        broken.extend(away.into_iter().map(|run| format!("`{title}`: no run `{run}`")));
        let reason = section.split(NOT_KEPT).nth(1).and_then(|rest| rest.split_once("-->"));
        let has_reason = reason.is_some_and(|(why, _)| 20 < why.trim().len());
        if let Some(figure) = quoted(section).first()
            && there.is_empty()
            && !has_reason
        {
            broken.push(format!("`{title}`: {figure} is of no run"));
        }
    }
    broken
}

/// The name of a folder that a text begins with.
fn folder(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '-').unwrap_or(text.len());
    &text[..end]
}

/// Figures of a section: those with a unit, and cells of tables that are numbers.
fn quoted(section: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_code = false;
    for line in section.lines() {
        if line.starts_with("```") {
            is_code = !is_code;
        }
        if is_code {
            continue;
        }
        found.extend(figures(&without(line, "`", "`")));
        if line.starts_with('|') {
            let cells = line.split('|').map(str::trim);
            let numbers = cells.filter(|cell| cell.starts_with(|c: char| c.is_ascii_digit()));
            found.extend(numbers.map(String::from));
        }
    }
    found
}

#[test]
fn a_section_with_a_figure_needs_a_run_or_a_reason() {
    let files = ["bench/results/published/20260101T000000Z-a-b/runs.csv".to_string()];
    let check = |document: &str, expect: &[&str]| {
        assert_eq!(bare(document, &files), expect, "{document}");
    };
    let table = "| a | b |\n|---|---|\n| x | 1.5 |\n";
    let run = "[run](../bench/results/published/20260101T000000Z-a-b)\n";
    check("# T\nNo figure, in `5 ms` of code, 25 views.\n```\n5 ms\n```\n", &[]);
    check("# T\nIt takes 5 ms.\n", &["`# T`: 5 ms is of no run"]);
    check(&format!("# T\n## S\n{table}"), &["`S`: 1.5 is of no run"]);
    check(&format!("# T\n## S\n{run}{table}"), &[]);
    check(&format!("# T\n{run}## S\n{table}"), &["`S`: 1.5 is of no run"]);
    let gone = run.replace("a-b", "a-c");
    let missing = "`S`: no run `20260101T000000Z-a-c`";
    check(&format!("## S\n{gone}{table}"), &[missing, "`S`: 1.5 is of no run"]);
    check("## S\n<!-- not kept: no -->\n5 ms\n", &["`S`: 5 ms is of no run"]);
    check("## S\n<!-- not kept: times of the build, by hand -->\n5 ms\n", &[]);
    check("## S\n<!-- bars -->\n| 5 ms |\n<!-- /bars -->\n", &[]);
}
