//! How long a client may keep the server waiting, how long the server may keep it,
//! and how many may be connected at once.
//!
//! | what | limit | then |
//! |---|---|---|
//! | connections | `--max-connections` | 503 in the clear, closed under TLS |
//! | TLS handshake | [`HANDSHAKE`] | closed |
//! | headers; an idle connection | `--header-seconds` | closed (hyper's own timer) |
//! | a pause within a body | twice that | 408 |
//! | a pause in taking the answer | twice that | closed |
//! | a request, body included | `--request-seconds` | 503; [`LONG`] has its own |
//!
//! Timers run only while something waits: who is quick pays for none of the pauses.
//!
//! Source: RFC 9110 §15.5.9, §15.6.4

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum_server::accept::Accept;
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

use crate::config::Limits;

/// How long a TLS handshake may take.
pub const HANDSHAKE: Duration = Duration::from_secs(10);

/// What takes long by its nature, and how long it may.
const LONG: (&str, Duration) = ("/fhir/$import", Duration::from_mins(10));

/// Files that are no connections: the database, the log, what a request opens.
const OTHER_FILES: usize = 128;

impl Limits {
    /// How long a client may pause within a body, or in taking an answer.
    fn pause(self) -> Duration {
        self.header * 2
    }

    /// How long a request for this path may take.
    pub fn of(self, path: &str) -> Duration {
        let (long, time) = LONG;
        if path == long { time.max(self.request) } else { self.request }
    }

    /// The request, whose body ends with [`Slow`] if it pauses for too long.
    pub fn patient(self, request: Request) -> Request {
        if http_body::Body::is_end_stream(request.body()) {
            return request;
        }
        request.map(|body| Body::new(Coming { body, pause: self.pause(), waiting: None }))
    }
}

/// Middleware of what is not FHIR: a page or a token that takes too long is 503.
pub async fn in_time(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    let request = limits.patient(request);
    tokio::time::timeout(limits.request, next.run(request)).await.unwrap_or_else(|_| {
        let mut late = StatusCode::SERVICE_UNAVAILABLE.into_response();
        late.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        late
    })
}

/// Nothing of a body came for too long.
#[derive(Debug, thiserror::Error)]
#[error("the body paused for too long")]
pub struct Slow;

impl Slow {
    /// Whether it is what this error comes from.
    pub fn is_behind(error: &(dyn std::error::Error + 'static)) -> bool {
        std::iter::successors(Some(error), |error| error.source()).any(<dyn std::error::Error>::is::<Self>)
    }
}

/// A body that is waited for.
struct Coming {
    body: Body,
    pause: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl http_body::Body for Coming {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            this.waiting = None;
            return Poll::Ready(frame);
        }
        ready!(paused(&mut this.waiting, this.pause, context));
        Poll::Ready(Some(Err(axum::Error::new(Slow))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Ready when `waiting`, begun now if it was not yet, has lasted for `pause`.
fn paused(waiting: &mut Option<Pin<Box<Sleep>>>, pause: Duration, context: &mut Context<'_>) -> Poll<()> {
    waiting.get_or_insert_with(|| Box::pin(sleep(pause))).as_mut().poll(context)
}

/// Takes connections as long as there is room.
#[derive(Clone, Debug)]
pub struct Door {
    room: Arc<Semaphore>,
    pause: Duration,
    /// Nothing can be said before the handshake.
    tls: bool,
}

impl Door {
    /// For one listener.
    pub fn new(limits: Limits, tls: bool) -> Self {
        let room = open_files().map_or(limits.connections, |files| {
            let most = files.saturating_sub(OTHER_FILES).max(1);
            if most < limits.connections {
                tracing::warn!(most, "the process may open {files} files, so fewer connections are taken");
            }
            most.min(limits.connections)
        });
        let room = room.min(Semaphore::MAX_PERMITS);
        Self { room: Arc::new(Semaphore::new(room)), pause: limits.pause(), tls }
    }
}

impl<S> Accept<TcpStream, S> for Door {
    type Stream = Guest;
    type Service = S;
    type Future = std::future::Ready<io::Result<(Guest, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let Ok(place) = self.room.clone().try_acquire_owned() else {
            if !self.tls {
                // A fresh socket has room for it; who does not get it sees the end.
                let _ = stream.try_write(FULL);
            }
            return std::future::ready(Err(io::Error::other("no room for another connection")));
        };
        std::future::ready(Ok((Guest { stream, pause: self.pause, waiting: None, _place: place }, service)))
    }
}

const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// A connection that has a place, and gives it back when it ends.
#[derive(Debug)]
pub struct Guest {
    stream: TcpStream,
    pause: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
    _place: OwnedSemaphorePermit,
}

impl Guest {
    /// What became of a write; an error if the client has taken nothing for too long.
    fn written(&mut self, done: Poll<io::Result<usize>>, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if done.is_ready() {
            self.waiting = None;
            return done;
        }
        ready!(paused(&mut self.waiting, self.pause, context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Guest {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Guest {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(done, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.written(done, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// How many files this process may have open, where the system tells.
fn open_files() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}
