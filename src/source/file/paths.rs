//! Which files a path means.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The files of several paths, in the order of their names, each once.
pub(super) fn find(paths: &[String]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        let found = find_one(path)?;
        if found.is_empty() {
            return Err(Error::config(format!("no file matches `{path}`"))
                .hint("the path is relative to the folder that highwater was started in"));
        }
        files.extend(found);
    }
    if files.is_empty() {
        return Err(
            Error::config("the list of paths is empty").hint("write path = \"logs/*.jsonl\"")
        );
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// A name with `*`, `?` or `[` that is there as it stands is no pattern.
fn find_one(path: &str) -> Result<Vec<PathBuf>> {
    let plain = Path::new(path);
    if plain.is_dir() {
        return in_folder(plain);
    }
    if plain.exists() || !path.contains(['*', '?', '[']) {
        return match plain.metadata() {
            Ok(_) => Ok(vec![plain.into()]),
            Err(error) => Err(super::unreadable(plain, &error)),
        };
    }
    let matches = glob::glob(path)
        .map_err(|error| Error::config(format!("`{path}` is no pattern of paths: {error}")))?;
    let mut files = Vec::new();
    for file in matches {
        let file = file.map_err(|error| super::unreadable(error.path(), error.error()))?;
        if !file.is_dir() {
            files.push(file);
        }
    }
    Ok(files)
}

fn in_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error: std::io::Error| super::unreadable(folder, &error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let unfinished = name.starts_with('.') || name.ends_with(".partial");
        if !unfinished && !path.is_dir() {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(Error::config(format!(
            "there is no file in the folder `{}`",
            folder.display()
        )));
    }
    Ok(files)
}
