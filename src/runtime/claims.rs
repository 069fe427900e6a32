//! Files and folders that one sink writes alone: no two sinks of a run may have the same.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{BoundSink, Job};
use crate::error::{Error, Result};

/// Looks whether two sinks of some jobs, which run at the same time, write to one place.
///
/// # Errors
///
/// The first two that do.
pub fn check_claims<'a>(jobs: impl IntoIterator<Item = &'a Job>) -> Result<()> {
    let mut claims: BTreeMap<PathBuf, String> = BTreeMap::new();
    for job in jobs {
        let views = job.sinks.iter().flat_map(|(view, sinks)| {
            sinks.iter().map(move |sink| (format!("view `{view}`"), sink))
        });
        for (what, bound) in views.chain([("dead letters".to_owned(), &job.letters)]) {
            let Some(path) = claim(bound) else { continue };
            let what = format!("{what} of job `{}`", job.name);
            if let Some(other) = claims.get(&path) {
                let why = format!("{other} and {what} write to one place, `{}`", path.display());
                return Err(Error::config(why).hint(
                    "a sink has its files for itself: put `{view}` into the path, or `{job}` into \
                     that of [sink.alerts] or [dead_letters]",
                ));
            }
            claims.insert(path, what);
        }
    }
    Ok(())
}

fn claim(bound: &BoundSink) -> Option<PathBuf> {
    let path = bound.lock().claim()?;
    if path.to_str().is_some_and(|path| path.contains("://")) {
        return Some(path);
    }
    // What has no absolute form is compared as it is written.
    Some(std::path::absolute(&path).unwrap_or(path))
}
