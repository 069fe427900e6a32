//! The asking side.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::runs::Run;
use super::{STATUS, STOP};
use crate::error::{Error, Result};
use crate::observe::status::Status;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long it may be.
const BYTES_MAX: usize = 64 << 20;

/// What a process says of itself.
///
/// # Errors
///
/// Kind `Unreachable`: it does not answer. Kind `Config`: it speaks of other things, as it is of
/// another version.
pub fn ask(run: &Run) -> Result<Status> {
    let body = call(run, Method::GET, STATUS)?;
    serde_json::from_slice(&body).map_err(|error| {
        Error::config(format!("its status cannot be read: {error}"))
            .hint("it may be of another version: use the binary that runs it")
            .within(place(run))
    })
}

/// Asks a process for its end.
///
/// # Errors
///
/// Kind `Unreachable`: it does not answer. Kind `Config`: it refuses.
pub fn command(run: &Run) -> Result<()> {
    call(run, Method::POST, STOP).map(|_| ())
}

fn place(run: &Run) -> String {
    format!("pid {} at {}", run.pid, run.address.as_deref().unwrap_or("no address"))
}

fn call(run: &Run, method: Method, path: &str) -> Result<Bytes> {
    let Some(address) = &run.address else {
        return Err(Error::config(format!("pid {} answers nobody: `http.listen` is off", run.pid))
            .hint("send it SIGTERM to stop it"));
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Error::unreachable)?;
    let answer = runtime.block_on(async {
        let talk = tokio::time::timeout(PATIENCE, talk(run, address, method, path));
        talk.await.unwrap_or_else(|_| {
            let seconds = PATIENCE.as_secs();
            Err(Error::unreachable(format!("no answer within {seconds} s"))
                .hint("it may be stopped, or its machine busy"))
        })
    });
    answer.map_err(|error| error.within(place(run)))
}

async fn talk(run: &Run, address: &str, method: Method, path: &str) -> Result<Bytes> {
    let lost = |error: hyper::Error| Error::unreachable(format!("lost: {error}"));
    let stream = TcpStream::connect(address).await.map_err(Error::unreachable)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
    // Its end is that of the answer.
    drop(tokio::spawn(connection));
    let mut request = Request::builder().method(&method).uri(path).header(header::HOST, address);
    if method == Method::POST {
        request = request.header(header::AUTHORIZATION, format!("Bearer {}", run.token));
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(Error::bug)?;
    let answer = sender.send_request(request).await.map_err(lost)?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), BYTES_MAX).collect().await;
    let body = body.map_err(|error| Error::unreachable(format!("lost: {error}")))?.to_bytes();
    match status {
        StatusCode::OK | StatusCode::ACCEPTED => Ok(body),
        StatusCode::TOO_MANY_REQUESTS => Err(Error::unreachable("too many others ask it")),
        other => Err(Error::config(format!("it refuses: {other}"))),
    }
}
