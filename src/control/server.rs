//! The HTTP server of a process: one thread, a few connections, small requests.
//!
//! | limit | | on reaching it |
//! |---|---|---|
//! | connections | 256 | 429, and closed |
//! | headers | 8 KiB, 64 of them | 431 |
//! | time for the headers of a request, also of the next one | 5 s | closed |
//! | body | 64 KiB, none of which is read | 413 |

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::guard::{Guard, Refused};
use super::panel::Panel;
use super::{STATUS, STOP};
use crate::error::{Error, Result};

const CONNECTIONS_MAX: usize = 256;
const HEADER_BYTES_MAX: usize = 8 << 10;
const HEADERS_MAX: usize = 64;
const HEADER_TIME_MAX: Duration = Duration::from_secs(5);
const BODY_BYTES_MAX: u64 = 64 << 10;

/// How often the panel is asked to take a sample.
const SAMPLE: Duration = Duration::from_secs(1);

/// How long a connection may take to be told that there are too many.
const FAREWELL_MAX: Duration = Duration::from_millis(100);

/// A server; it ends with this value.
pub struct Server {
    address: SocketAddr,
    end: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Serves a panel on a socket.
    ///
    /// # Errors
    ///
    /// The system refuses a thread, or what a thread needs.
    pub fn start(listener: TcpListener, guard: Guard, panel: Arc<dyn Panel>) -> Result<Server> {
        let failed = |error| Error::unreachable(format!("the HTTP server cannot start: {error}"));
        let address = listener.local_addr().map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(failed)?;
        let (end, ended) = oneshot::channel();
        let shared = Arc::new(Shared { guard, panel });
        let thread = std::thread::Builder::new().name("http".into()).spawn(move || {
            runtime.block_on(async {
                match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => serve(listener, shared, ended).await,
                    Err(error) => tracing::warn!("the HTTP server cannot listen: {error}"),
                }
            });
        });
        let thread = thread.map_err(failed)?;
        Ok(Server { address, end: Some(end), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by the hook already.
            let _ = thread.join();
        }
    }
}

struct Shared {
    guard: Guard,
    panel: Arc<dyn Panel>,
}

/// Until the other end of `ended` is gone.
async fn serve(
    listener: tokio::net::TcpListener,
    shared: Arc<Shared>,
    mut ended: oneshot::Receiver<()>,
) {
    let seats = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut samples = tokio::time::interval(SAMPLE);
    loop {
        tokio::select! {
            _ = &mut ended => return,
            _ = samples.tick() => shared.panel.sample(),
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => match seats.clone().try_acquire_owned() {
                    Ok(seat) => drop(tokio::spawn(connection(stream, shared.clone(), seat))),
                    Err(_) => {
                        shared.panel.refused().count(Refused::Crowd);
                        tokio::spawn(refuse(stream));
                    }
                },
                // One caller's connection has failed, or there are no more files: others may end.
                Err(_) => tokio::time::sleep(FAREWELL_MAX).await,
            },
        }
    }
}

/// Tells one too many.
async fn refuse(mut stream: TcpStream) {
    let words = b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    // It is closed whether it hears of it or not.
    let _ = tokio::time::timeout(FAREWELL_MAX, stream.write_all(words)).await;
}

async fn connection(stream: TcpStream, shared: Arc<Shared>, seat: OwnedSemaphorePermit) {
    let _seat = seat;
    let Ok(local) = stream.local_addr() else { return };
    let service = service_fn(|request: Request<Incoming>| {
        let response = answer(&shared, local, &request);
        async { Ok::<_, Infallible>(response) }
    });
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME_MAX)
        .max_header_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    if let Err(error) = server.serve_connection(TokioIo::new(stream), service).await
        && (error.is_parse() || error.is_timeout())
    {
        shared.panel.refused().count(Refused::Headers);
    }
}

type Answer = Response<Full<Bytes>>;

fn answer(shared: &Shared, local: SocketAddr, request: &Request<Incoming>) -> Answer {
    match decide(shared, local, request) {
        Ok(answer) => answer,
        Err((reason, status)) => {
            shared.panel.refused().count(reason);
            let words = match reason {
                Refused::Host => "the Host of the request is not this server",
                Refused::Origin => "the request comes from a page of another site",
                Refused::Token => "control needs `Authorization: Bearer` and the token of the job",
                Refused::Body => "the body is too long",
                Refused::Unknown | Refused::Crowd | Refused::Headers => "there is nothing here",
            };
            json(status, format!("{{\"error\":\"{words}\"}}"))
        }
    }
}

fn decide(
    shared: &Shared,
    local: SocketAddr,
    request: &Request<Incoming>,
) -> std::result::Result<Answer, (Refused, StatusCode)> {
    let headers = request.headers();
    let admitted = match (only(headers, header::HOST), only(headers, header::ORIGIN)) {
        (Some(host), Some(origin)) => shared.guard.admit(local, host, origin),
        // Several of one kind: which one counts depends on who reads.
        (None, _) => Err(Refused::Host),
        (_, None) => Err(Refused::Origin),
    };
    admitted.map_err(|reason| (reason, StatusCode::FORBIDDEN))?;
    if BODY_BYTES_MAX < request.body().size_hint().lower() {
        return Err((Refused::Body, StatusCode::PAYLOAD_TOO_LARGE));
    }
    let unknown = |status| Err((Refused::Unknown, status));
    match (request.uri().path(), request.method()) {
        (STATUS, &Method::GET | &Method::HEAD) => {
            match serde_json::to_string(&shared.panel.status()) {
                Ok(status) => Ok(json(StatusCode::OK, status)),
                Err(error) => {
                    tracing::warn!("a status is no JSON: {error}");
                    Ok(json(StatusCode::INTERNAL_SERVER_ERROR, "{}".into()))
                }
            }
        }
        (STOP, &Method::POST) => {
            let token = only(headers, header::AUTHORIZATION).flatten();
            shared.guard.allow(token).map_err(|reason| (reason, StatusCode::UNAUTHORIZED))?;
            shared.panel.stop();
            Ok(json(StatusCode::ACCEPTED, "{\"stopping\":true}".into()))
        }
        (STATUS | STOP, _) => unknown(StatusCode::METHOD_NOT_ALLOWED),
        _ => unknown(StatusCode::NOT_FOUND),
    }
}

/// The value of a header that may be there once; `None` if it is there more often, or is no text.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<Option<&str>> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Some(None),
        (Some(value), None) => value.to_str().ok().map(Some),
        (Some(_), Some(_)) => None,
    }
}

fn json(status: StatusCode, body: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    let fixed = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'self'"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}
