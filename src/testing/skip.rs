//! A server that cannot be started here: a skip for a developer, a failure in CI.

use std::fmt;
use std::path::PathBuf;

/// Why a server cannot be started here, and what to install.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    /// A sentence.
    pub reason: String,
}

impl Skip {
    pub(crate) fn new(reason: impl fmt::Display) -> Skip {
        Skip { reason: reason.to_string() }
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Skip {}

/// The server, or `None` after the reason was printed: the test then returns.
///
/// # Panics
///
/// In CI (the variable `CI` is set), where nothing may be skipped.
pub fn or_skip<T>(started: Result<T, Skip>) -> Option<T> {
    match started {
        Ok(server) => Some(server),
        Err(skip) if std::env::var_os("CI").is_some() => panic!("not skipped in CI: {skip}"),
        Err(skip) => {
            eprintln!("skipped: {skip}");
            None
        }
    }
}

/// The folder for what is fetched once: `$HIGHWATER_CACHE`, else the user's own cache folder.
pub fn cache_dir() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(dir) = set("HIGHWATER_CACHE") {
        return PathBuf::from(dir);
    }
    let user = set("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".cache")));
    user.unwrap_or_else(std::env::temp_dir).join("highwater")
}
