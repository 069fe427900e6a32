//! Reports of runs: a page, a text, plots, and the comparison of two runs.
//!
//! ```text
//! run folder ─► figures, loads ─► document ─┬─► report.html, all in one
//!                  ├─► plots ───────────────┴─► report.md, plots/*.svg
//!                  └─► bars ─► a table of docs/performance.md
//! ```
//!
//! What is shown of a trial is decided in [`figures`] and [`loads`]: a trial with wrong rows has no
//! number anywhere, in a plot either.

pub mod bars;
pub mod compare;
pub mod content;
pub mod document;
pub mod figures;
pub mod grid;
mod html;
pub mod loads;
mod markdown;
mod plots;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use highwater::error::{Error, Result};

use crate::harness::folder::Results;

use document::Block;

/// The run that is meant: a folder, the name of one below the results, or the newest there or below
/// the folder that was named instead.
///
/// # Errors
///
/// There is none, or it cannot be read.
pub fn run(run: Option<&Path>, results: &Path) -> Result<Results> {
    match run {
        None => Results::newest(results),
        Some(run) if run.join("run.json").exists() => Results::read(run),
        Some(run) if results.join(run).join("run.json").exists() => {
            Results::read(&results.join(run))
        }
        Some(run)
            if [run.to_path_buf(), results.join(run)].iter().any(|dir| bars::is_of_cases(dir)) =>
        {
            let why = format!("{} is of `highwater-bench cases`", run.display());
            Err(Error::usage(why).hint("it has no report; its samples are in runs.csv"))
        }
        Some(run) if run.is_dir() => Results::newest(run),
        Some(run) => Err(Error::usage(format!("there is no run `{}`", run.display())).hint(
            format!("name a folder that has a run.json, or one below {}", results.display()),
        )),
    }
}

/// Writes the report of a run into its folder; returns the page and the text.
///
/// # Errors
///
/// The folder cannot be read or written.
pub fn write(results: &Results) -> Result<[PathBuf; 2]> {
    let document = content::document(results)?;
    let plots = results.dir.join("plots");
    fs::create_dir_all(&plots).map_err(|error| cannot_write(&plots, &error))?;
    for block in &document.blocks {
        if let Block::Figure(figure) = block {
            let svg = plots::chart::standalone(&figure.svg, &figure.question);
            save(&plots.join(format!("{}.svg", figure.name)), &svg)?;
        }
    }
    let paths = ["report.html", "report.md"].map(|name| results.dir.join(name));
    save(&paths[0], &html::page(&document))?;
    save(&paths[1], &markdown::markdown(&document))?;
    Ok(paths)
}

fn save(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|error| cannot_write(path, &error))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Error {
    Error::storage(format!("cannot write {}: {error}", path.display()))
}
