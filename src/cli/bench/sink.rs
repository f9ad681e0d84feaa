//! The API that is delivered to: it takes whatever is posted and says 201. HTTP/1.1 with connections that stay open.
//!
//! The path says when it answers: `/after/20` after 20 ms, any other at once, or as the sink was turned.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::clock;

/// A running sink. Dropping it ends it.
pub(super) struct Sink {
    pub(super) address: SocketAddr,
    seen: Arc<Seen>,
    cancel: CancellationToken,
}

/// What the sink has seen.
#[derive(Default)]
struct Seen {
    requests: AtomicU64,
    first: Notify,
    open: AtomicU64,
    in_flight: AtomicU64,
    /// How it answers where the path does not say: after so many milliseconds, or never.
    after_ms: AtomicU64,
}

/// What is no number of milliseconds.
const NEVER: u64 = u64::MAX;

impl Sink {
    /// Listens on a free port of this machine.
    pub(super) async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (seen, cancel) = (Arc::<Seen>::default(), CancellationToken::new());
        TaskTracker::new().spawn(accept(listener, Arc::clone(&seen), cancel.clone()));
        Ok(Sink { address, seen, cancel })
    }

    /// How many requests have arrived.
    pub(super) fn requests(&self) -> u64 {
        self.seen.requests.load(Ordering::Relaxed)
    }

    /// How many connections are open.
    pub(super) fn open(&self) -> u64 {
        self.seen.open.load(Ordering::Relaxed)
    }

    /// How many requests are waiting for their answer.
    pub(super) fn in_flight(&self) -> u64 {
        self.seen.in_flight.load(Ordering::Relaxed)
    }

    /// From now on nobody listens, and its connections are closed.
    pub(super) fn close(&self) {
        self.cancel.cancel();
    }

    /// From now on it answers in this manner where the path does not say otherwise.
    pub(super) fn turn(&self, manner: Manner) {
        let after = match manner {
            Manner::AtOnce => 0,
            Manner::After(span) => u64::try_from(span.as_millis()).unwrap_or(NEVER),
            Manner::Never => NEVER,
        };
        self.seen.after_ms.store(after, Ordering::Relaxed);
    }

    /// Waits until a first request has arrived.
    pub(super) async fn first(&self) {
        let notified = self.seen.first.notified();
        if self.requests() == 0 {
            notified.await;
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.close();
    }
}

/// Where a sink at this address takes events. The path as the top of this file has it.
pub(super) fn url(address: SocketAddr, path: &str) -> Url {
    let mut url = Url::parse("http://127.0.0.1/").expect("a constant address is one");
    // An address of this machine has a port, and http takes one.
    let _ = url.set_port(Some(address.port()));
    url.set_path(path);
    url
}

async fn accept(listener: TcpListener, seen: Arc<Seen>, cancel: CancellationToken) {
    let tasks = TaskTracker::new();
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(tasks.spawn(converse(stream, Arc::clone(&seen), cancel.clone()))),
                // Out of descriptors for a moment: not in a busy loop.
                Err(_) => drop(clock::wait(Duration::from_millis(10), &cancel).await),
            }
        }
    }
}

async fn converse(stream: TcpStream, seen: Arc<Seen>, cancel: CancellationToken) {
    // Where the system refuses that, answers are late, and the figures say so.
    stream.set_nodelay(true).ok();
    seen.open.fetch_add(1, Ordering::Relaxed);
    let service = service_fn(|request| answer(request, &seen, &cancel));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        () = cancel.cancelled() => {}
        // A client that goes away is none of the sink's business.
        _ = connection => {}
    }
    seen.open.fetch_sub(1, Ordering::Relaxed);
}

async fn answer(
    request: Request<Incoming>,
    seen: &Seen,
    cancel: &CancellationToken,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if seen.requests.fetch_add(1, Ordering::Relaxed) == 0 {
        seen.first.notify_waiters();
    }
    let manner = Manner::of(request.uri().path(), seen.after_ms.load(Ordering::Relaxed));
    // What is cut off in the middle gets an answer that nobody reads.
    drop(request.into_body().collect().await);
    seen.in_flight.fetch_add(1, Ordering::Relaxed);
    // Counted down too when the client gives up, and this is dropped in the middle.
    let _waiting = Waiting(&seen.in_flight);
    match manner {
        Manner::AtOnce => {}
        Manner::After(span) => drop(clock::wait(span, cancel).await),
        Manner::Never => cancel.cancelled().await,
    }
    let mut response = Response::new(Full::new(Bytes::from_static(br#"{"status":"created"}"#)));
    *response.status_mut() = StatusCode::CREATED;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    Ok(response)
}

/// Counts down when it is dropped.
struct Waiting<'a>(&'a AtomicU64);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// When a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    AtOnce,
    After(Duration),
    Never,
}

impl Manner {
    fn of(path: &str, otherwise_ms: u64) -> Self {
        match path.strip_prefix("/after/").and_then(|ms| ms.parse().ok()).unwrap_or(otherwise_ms) {
            0 => Manner::AtOnce,
            NEVER => Manner::Never,
            ms => Manner::After(Duration::from_millis(ms)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_says_when_it_answers_and_else_the_sink() {
        let after = |ms| Manner::After(Duration::from_millis(ms));
        assert_eq!([Manner::of("/", 0), Manner::of("/after/0", 7)], [Manner::AtOnce; 2]);
        assert_eq!([Manner::of("/after/20", 0), Manner::of("/after/20", NEVER)], [after(20); 2]);
        assert_eq!([Manner::of("/after/soon", 7), Manner::of("/", NEVER)], [after(7), Manner::Never]);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 4711));
        assert_eq!(url(address, "/after/20").as_str(), "http://127.0.0.1:4711/after/20");
    }
}
