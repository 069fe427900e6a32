//! A store of objects as a folder: S3, or whatever else speaks `object_store`.
//!
//! ```text
//! stage ──► memory, the newest ──► a file without a name, the older ones      not in the store
//! publish ──► PUT, if no object has the name ──► there, whole
//!                  └ one has: its mark says whether an earlier try of this writer has put it
//! ```
//!
//! An object appears whole, so nothing is stored under another name first. A file is staged ahead
//! of its publication only if it is full before its epoch ends; several of those would fill the
//! memory, so all but one wait on the disk. They are lost with the process, as their epoch is.
//!
//! A PUT whose answer is lost may have been done. So each writer marks its objects with a number
//! that no other has: the next try, which is refused, sees by the mark that it has succeeded.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use bytes::Bytes;
use object_store::client::HttpError;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
};
use tokio::runtime::Runtime;

use super::storage::{Published, Storage};
use crate::error::{Error, Result};

/// The metadata of an object that says who has written it.
const MARK: Attribute = Attribute::Metadata(std::borrow::Cow::Borrowed("highwater-writer"));

/// Objects whose names begin with a prefix. Blocks the thread that owns it.
pub(super) struct Objects {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    place: String,
    runtime: Runtime,
    /// What this writer marks its objects with.
    mark: String,
    /// The file that was staged last.
    newest: Option<(String, Bytes)>,
    /// Those that were staged before and are not published yet.
    older: BTreeMap<String, File>,
}

impl Objects {
    pub(super) fn new(store: Arc<dyn ObjectStore>, prefix: Path, place: String) -> Result<Objects> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::unreachable(format!("no event loop: {error}")))?;
        let mark = unique().map_err(|error| Error::storage(format!("no random: {error}")))?;
        let (newest, older) = (None, BTreeMap::new());
        Ok(Objects { store, prefix, place, runtime, mark, newest, older })
    }

    /// Where a file is, by its name as it is listed.
    fn path(&self, name: &str) -> Result<Path> {
        Path::parse(format!("{}/{name}", self.prefix)).map_err(|error| {
            let why = format!("`{name}` cannot be the name of an object: {error}");
            Error::config(why).within(self.place.as_str())
        })
    }

    /// Writes an object unless there is one.
    fn create(&self, name: &str, bytes: Bytes) -> Result<Published> {
        let path = self.path(name)?;
        let attributes = Attributes::from_iter([(MARK, self.mark.clone())]);
        let options = PutOptions { mode: PutMode::Create, attributes, ..PutOptions::default() };
        let put = self.store.put_opts(&path, bytes.into(), options);
        match self.runtime.block_on(put) {
            Ok(_) => Ok(Published::Done),
            Err(object_store::Error::AlreadyExists { .. }) => self.whose(&path),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Whether the object that has a name is one of this writer.
    fn whose(&self, path: &Path) -> Result<Published> {
        let head = GetOptions { head: true, ..GetOptions::default() };
        match self.runtime.block_on(self.store.get_opts(path, head)) {
            Ok(found) => match found.attributes.get(&MARK) {
                Some(mark) if **mark == *self.mark => Ok(Published::Done),
                _ => Ok(Published::Taken),
            },
            // Two writes at the same time: the store takes one of them when both come again.
            Err(object_store::Error::NotFound { .. }) => {
                let why = format!("another write of `{path}` is under way");
                Err(Error::unreachable(why).within(self.place.as_str()))
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn failed(&self, error: &object_store::Error) -> Error {
        let error = match meaning(error) {
            Failure::Away(words) => Error::unreachable(format!("S3 cannot be used now: {words}"))
                .hint("is it running, is `endpoint` right, and does anything say a key?"),
            Failure::Setup(words) => Error::config(format!("S3 refuses: {words}")).hint(
                "are bucket, `region`, `access_key` and `secret_key` right, and is it allowed?",
            ),
        };
        error.within(self.place.as_str())
    }
}

impl Storage for Objects {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn list(&mut self) -> Result<Vec<String>> {
        let listed = self.runtime.block_on(self.store.list_with_delimiter(Some(&self.prefix)));
        let listed = listed.map_err(|error| self.failed(&error))?;
        let objects = listed.objects.iter().map(|object| &object.location);
        // Some programs mark a folder with an object of its own name.
        let paths = objects.chain(&listed.common_prefixes).filter(|path| **path != self.prefix);
        let mut names: Vec<String> =
            paths.filter_map(|path| path.filename().map(str::to_owned)).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// There are no folders, and a bucket is nothing that a sink makes.
    fn make(&mut self) -> Result<()> {
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<()> {
        let path = self.path(name)?;
        match self.runtime.block_on(self.store.delete(&path)) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn stage(&mut self, name: &str, bytes: &Bytes) -> Result<()> {
        if let Some((older, bytes)) = &self.newest {
            let file = spilled(bytes).map_err(|error| {
                let folder = std::env::temp_dir();
                Error::storage(format!("cannot write a file in `{}`: {error}", folder.display()))
                    .hint("it is tried again; make room on the disk, or stop the job")
            })?;
            self.older.insert(older.clone(), file);
        }
        self.newest = Some((name.to_owned(), bytes.clone()));
        Ok(())
    }

    fn publish(&mut self, staged: &str, name: &str) -> Result<Published> {
        let bytes = match (&self.newest, self.older.get_mut(staged)) {
            (_, Some(file)) => read(file).map_err(|error| {
                Error::storage(format!("cannot read a file that waits to be uploaded: {error}"))
            })?,
            (Some((newest, bytes)), None) if newest == staged => bytes.clone(),
            _ => return Err(Error::bug(format!("`{staged}` was never staged"))),
        };
        let published = self.create(name, bytes)?;
        if self.older.remove(staged).is_none() {
            self.newest = None;
        }
        Ok(published)
    }
}

/// Bytes in a file that no folder lists: it is gone with this value, or with the process.
fn spilled(bytes: &[u8]) -> io::Result<File> {
    let path = std::env::temp_dir().join(format!("highwater-{}", unique()?));
    let mut file = File::options().read(true).write(true).create_new(true).open(&path)?;
    fs::remove_file(&path)?;
    file.write_all(bytes)?;
    Ok(file)
}

fn read(file: &mut File) -> io::Result<Bytes> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

/// A number that nobody else has, as the system gives it.
fn unique() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

/// Why something was not done.
#[derive(Debug, PartialEq, Eq)]
enum Failure {
    /// The store is away, full or busy: the same may work later.
    Away(String),
    /// It will never work like this: key, bucket, region.
    Setup(String),
}

/// What an error means, by the status of the answer. The crate has it in its text alone.
fn meaning(error: &object_store::Error) -> Failure {
    let text = error.to_string();
    if let Some((_, answer)) = text.split_once(" status code: ") {
        let (status, body) = answer.split_once(": ").unwrap_or((answer, ""));
        let part = |name: &str| {
            let (_, rest) = body.split_once(&format!("<{name}>"))?;
            rest.split_once("</").map(|(part, _)| part.to_owned())
        };
        let code = part("Code");
        let said: Vec<String> = [code.clone(), part("Message")].into_iter().flatten().collect();
        let words = if said.is_empty() { status.to_owned() } else { said.join(": ") };
        let busy = matches!(status.get(..3), Some("408" | "409" | "429"))
            || status.starts_with('5')
            // AWS says so with status 400, of an upload that has come to a halt.
            || code.as_deref() == Some("RequestTimeout");
        return if busy { Failure::Away(words) } else { Failure::Setup(words) };
    }
    let mut cause = error.source();
    let mut deepest = None;
    let mut sent = false;
    while let Some(error) = cause {
        sent |= error.is::<HttpError>();
        deepest = Some(error.to_string());
        cause = error.source();
    }
    let words = deepest.unwrap_or(text);
    match error {
        _ if sent => Failure::Away(words),
        object_store::Error::Generic { .. } if !words.contains("region") => Failure::Away(words),
        _ => Failure::Setup(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_whether_trying_again_may_help() {
        let check = |text: &str, expect: Failure| {
            let error = object_store::Error::Generic { store: "S3", source: text.into() };
            assert_eq!(meaning(&error), expect, "{text}");
        };
        let body = |code: &str| format!("<Error><Code>{code}</Code><Message>why</Message></Error>");
        let status = |status: &str, body: &str| {
            let begin = "Error performing PUT http://s3/b/v in 1s - Server returned non-2xx";
            format!("{begin} status code: {status}: {body}")
        };
        let away = |words: &str| Failure::Away(words.into());
        let setup = |words: &str| Failure::Setup(words.into());
        check(&status("503 Slow Down", &body("SlowDown")), away("SlowDown: why"));
        check(&status("500 Internal Server Error", ""), away("500 Internal Server Error"));
        check(&status("409 Conflict", &body("Conditional")), away("Conditional: why"));
        check(&status("400 Bad Request", &body("RequestTimeout")), away("RequestTimeout: why"));
        check(&status("400 Bad Request", &body("ExpiredToken")), setup("ExpiredToken: why"));
        check(&status("404 Not Found", &body("NoSuchBucket")), setup("NoSuchBucket: why"));
        check(&status("403 Forbidden", ""), setup("403 Forbidden"));
        let elsewhere = "Received redirect without LOCATION, this normally indicates an \
                         incorrectly configured region";
        check(elsewhere, setup(elsewhere));
        check("the body ended early", away("the body ended early"));
    }
}
