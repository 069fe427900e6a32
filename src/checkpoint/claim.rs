//! [`Claim`]: a folder of checkpoints belongs to one process at a time.
//!
//! Two that go on from one checkpoint could not harm it, as of two manifests of an epoch one is
//! refused. But until one notices both write: a file would be cut by one while the other appends to
//! it. So process 0 of a job locks its folder before it looks for a checkpoint, and the system lets
//! go of that lock however the process ends. A bucket has no locks.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::error::{Error, Result};

/// The file that is locked; it holds the number of the process.
const NAME: &str = "lock";

/// The right to go on from the checkpoints of a folder, for as long as it is kept.
#[derive(Debug)]
pub struct Claim(#[expect(dead_code, reason = "it is locked")] Option<File>);

impl Claim {
    /// Nobody can be kept out.
    #[cfg(feature = "s3")]
    pub(super) fn none() -> Claim {
        Claim(None)
    }

    /// Claims a folder, which is made if it is not there.
    pub(super) fn of_folder(path: &Path) -> Result<Claim> {
        let failed = |error| {
            Error::config(format!("cannot write checkpoints to `{}`: {error}", path.display()))
                .hint("set `checkpoint.path` to a folder that this user may write")
        };
        fs::create_dir_all(path).map_err(failed)?;
        let mut options = File::options();
        let opened = options.read(true).write(true).create(true).truncate(false);
        let mut file = opened.open(path.join(NAME)).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(taken(path, &mut file)),
            Err(TryLockError::Error(error)) => {
                let path = path.display();
                tracing::warn!("{path} cannot be locked, so keep other processes away: {error}");
                return Ok(Claim(None));
            }
        }
        // For people alone: a number that is missing or old harms nobody.
        let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
        Ok(Claim(Some(file)))
    }
}

fn taken(path: &Path, file: &mut File) -> Error {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.read_to_string(&mut text));
    let who = match text.trim().parse::<u32>() {
        Ok(process) if read.is_ok() => format!("process {process}"),
        _ => "another process".to_owned(),
    };
    Error::unreachable(format!("`{}` is in use by {who}", path.display())).hint(
        "one process at a time goes on from a checkpoint: stop that one, or set another \
         `checkpoint.path`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::testing::Scratch;

    #[test]
    fn a_folder_has_one_owner_until_it_is_gone() {
        let scratch = Scratch::new("claim");
        let path = scratch.path().join("chat");
        let claim = Claim::of_folder(&path).unwrap();
        let error = Claim::of_folder(&path).unwrap_err();
        assert_eq!(error.kind(), Kind::Unreachable);
        let who = format!("is in use by process {}", std::process::id());
        assert!(error.message().contains(&who), "{error}");
        drop(claim);
        Claim::of_folder(&path).unwrap();
    }
}
