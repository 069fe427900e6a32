//! [`Client`]: the objects of a bucket whose names begin with a prefix, by blocking calls.
//!
//! ```text
//! create ──► PUT, if no object has the name ──► there, whole
//!                 └ one has: its mark says whether an earlier try of this client has put it
//! ```
//!
//! A PUT whose answer is lost may have been done. So each client marks its objects with a number
//! that no other has: the next try, which is refused, sees by the mark that it has succeeded.
//!
//! Each request has its time (`request_timeout`), so what is large is written and read in pieces;
//! it appears as a whole all the same.

use std::error::Error as _;
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use object_store::client::HttpError;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, GetOptions, MultipartUpload, ObjectStore, ObjectStoreExt, PutMode,
    PutOptions,
};
use tokio::runtime::Runtime;

use crate::error::{Error, Result};

/// The metadata of an object that says who has written it.
const MARK: Attribute = Attribute::Metadata(std::borrow::Cow::Borrowed("highwater-writer"));

/// Bytes of one request, at most: 64 MiB in the default time of a request are 9 Mbit/s.
const PIECE: usize = 64 << 20;

/// How creating an object ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Created {
    /// It is there, by this call or an earlier one.
    Done,
    /// Another client's object has the name, and keeps it.
    Taken,
}

/// Objects whose names begin with a prefix. Blocks the threads that use it.
///
/// Errors are of kind `Unreachable` if the same call may succeed later, else of kind `Config`.
pub(crate) struct Client {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    place: String,
    runtime: Runtime,
    /// What this client marks its objects with.
    mark: String,
    /// Bytes of one request, at most.
    piece: usize,
}

impl Client {
    /// `place` is what messages call it.
    pub(crate) fn new(store: Arc<dyn ObjectStore>, prefix: Path, place: String) -> Result<Client> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::unreachable(format!("no event loop: {error}")))?;
        let mark = unique().map_err(|error| Error::storage(format!("no random: {error}")))?;
        Ok(Client { store, prefix, place, runtime, mark, piece: PIECE })
    }

    /// With pieces of another size, which a real server may refuse.
    #[cfg(test)]
    pub(crate) fn in_pieces(self, piece: usize) -> Client {
        Client { piece, ..self }
    }

    /// What messages call it.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// Where an object is, by its name as it is listed.
    fn path(&self, name: &str) -> Result<Path> {
        Path::parse(format!("{}/{name}", self.prefix)).map_err(|error| {
            let why = format!("`{name}` cannot be the name of an object: {error}");
            Error::config(why).within(self.place.as_str())
        })
    }

    /// Writes an object unless there is one.
    pub(crate) fn create(&self, name: &str, bytes: Bytes) -> Result<Created> {
        let path = self.path(name)?;
        let attributes = Attributes::from_iter([(MARK, self.mark.clone())]);
        let options = PutOptions { mode: PutMode::Create, attributes, ..PutOptions::default() };
        let put = self.store.put_opts(&path, bytes.into(), options);
        match self.runtime.block_on(put) {
            Ok(_) => Ok(Created::Done),
            Err(object_store::Error::AlreadyExists { .. }) => self.whose(&path),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Whether the object that has a name is one of this client.
    fn whose(&self, path: &Path) -> Result<Created> {
        let head = GetOptions { head: true, ..GetOptions::default() };
        match self.runtime.block_on(self.store.get_opts(path, head)) {
            Ok(found) => match found.attributes.get(&MARK) {
                Some(mark) if **mark == *self.mark => Ok(Created::Done),
                _ => Ok(Created::Taken),
            },
            // Two writes at the same time: the store takes one of them when both come again.
            Err(object_store::Error::NotFound { .. }) => {
                let why = format!("another write of `{path}` is under way");
                Err(Error::unreachable(why).within(self.place.as_str()))
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Writes an object, which replaces one of that name.
    pub(crate) fn replace(&self, name: &str, bytes: Bytes) -> Result<()> {
        let path = self.path(name)?;
        let done = self.runtime.block_on(async {
            if bytes.len() <= self.piece {
                return self.store.put(&path, bytes.into()).await.map(drop);
            }
            let mut upload = self.store.put_multipart(&path).await?;
            let done = self.put_pieces(&mut *upload, bytes).await;
            if done.is_err() {
                // What stays is not listed; a rule of the bucket removes it (`sinks.md`).
                let _ = upload.abort().await;
            }
            done
        });
        done.map_err(|error| self.failed(&error))
    }

    async fn put_pieces(
        &self,
        upload: &mut dyn MultipartUpload,
        mut bytes: Bytes,
    ) -> object_store::Result<()> {
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(self.piece));
            upload.put_part(piece.into()).await?;
        }
        upload.complete().await.map(drop)
    }

    /// The bytes of an object, `None` if there is none.
    pub(crate) fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.path(name)?;
        let read = self.runtime.block_on(async {
            let found = self.store.get(&path).await?;
            let size = found.meta.size;
            if size <= self.piece as u64 {
                return found.bytes().await.map(|bytes| bytes.to_vec());
            }
            drop(found);
            let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
            while (bytes.len() as u64) < size {
                let from = bytes.len() as u64;
                let range = from..size.min(from + self.piece as u64);
                bytes.extend_from_slice(&self.store.get_range(&path, range).await?);
            }
            Ok(bytes)
        });
        match read {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// The names of the objects, and of what would be folders, in order.
    pub(crate) fn list(&self) -> Result<Vec<String>> {
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

    /// Removes an object, if it is there.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        let path = self.path(name)?;
        match self.runtime.block_on(self.store.delete(&path)) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Copies an object, if it is there, to another name.
    pub(crate) fn copy(&self, name: &str, other: &str) -> Result<()> {
        let (from, to) = (self.path(name)?, self.path(other)?);
        match self.runtime.block_on(self.store.copy(&from, &to)) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
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

/// A number that nobody else has, as the system gives it.
pub(crate) fn unique() -> io::Result<String> {
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
