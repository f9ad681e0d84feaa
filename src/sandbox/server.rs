//! The sockets around the provider.

use super::control;
use super::field::FieldError;
use super::options::Options;
use super::pacing::Paced;
use super::provider::Provider;
use super::socket::Socket;
use super::timekeeper::Timekeeper;
use super::wire::{Ending, Head, Reply, Ticket};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::fs::File;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Milliseconds since 1970, as the machine has it.
pub type WallClock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// A running sandbox. Dropping it stops it without waiting; [`stop`](Self::stop) waits.
pub struct Sandbox {
    api: SocketAddr,
    control: SocketAddr,
    shared: Arc<Shared>,
}

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// An option does not fit.
    #[error("the sandbox's option {0}")]
    Option(#[from] FieldError),
    /// An address cannot be listened on.
    #[error("the sandbox cannot listen on {address} for `{option}`: {source}; choose another address or port 0")]
    Listen {
        /// The option that names the address.
        option: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The audit log cannot be opened.
    #[error("the sandbox cannot append to its audit log {path} (`audit_log`): {source}")]
    AuditLog {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Sandbox {
    /// Opens both listeners and answers from then on. Needs a running tokio runtime.
    ///
    /// # Errors
    /// If an option does not fit, an address is taken or the audit log cannot be opened.
    pub async fn start(options: Options, wall: WallClock) -> Result<Self, SandboxError> {
        let time = Timekeeper::new(options.clock, wall);
        let (api_listen, control_listen) = (options.api_listen, options.control_listen);
        let audit_log = options.audit_log.clone();
        let provider = Provider::new(options, time.now())?;
        let file = audit_log.map(open_log).transpose()?;
        let (api, api_addr) = listen("api_listen", api_listen).await?;
        let (control, control_addr) = listen("control_listen", control_listen).await?;
        let shared = Arc::new(Shared {
            core: Mutex::new(Core { provider, file }),
            time,
            rules_changed: watch::Sender::new(()),
            connections: AtomicU64::new(0),
            cancel: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        shared.tasks.spawn(accept_api(Arc::clone(&shared), api, api_addr));
        shared.tasks.spawn(control::accept(Arc::clone(&shared), control));
        Ok(Self { api: api_addr, control: control_addr, shared })
    }

    /// Where the API and the token endpoint listen.
    #[must_use]
    pub fn api_addr(&self) -> SocketAddr {
        self.api
    }

    /// Where the control interface listens.
    #[must_use]
    pub fn control_addr(&self) -> SocketAddr {
        self.control
    }

    /// Steers the provider from the same process; the closure gets it and the time. No request is answered meanwhile.
    pub fn with_provider<T>(&self, steer: impl FnOnce(&mut Provider, u64) -> T) -> T {
        let now = self.shared.time.now();
        let result = steer(&mut self.shared.core().provider, now);
        self.shared.rules_changed.send_replace(());
        result
    }

    /// Closes listeners and connections and waits until all is quiet.
    pub async fn stop(self) {
        self.shared.cancel.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.shared.cancel.cancel();
    }
}

/// What all connections share.
pub(super) struct Shared {
    core: Mutex<Core>,
    pub(super) time: Timekeeper,
    pub(super) rules_changed: watch::Sender<()>,
    connections: AtomicU64,
    pub(super) cancel: CancellationToken,
    pub(super) tasks: TaskTracker,
}

/// One lock for both, so that lines are in the file in the order of their numbers.
pub(super) struct Core {
    pub(super) provider: Provider,
    file: Option<File>,
}

impl Core {
    /// Writes a line, in one call, without a buffer: it is the system's before the answer goes out.
    pub(super) fn write(&mut self, line: &str) -> io::Result<()> {
        match &mut self.file {
            Some(file) => file.write_all(format!("{line}\n").as_bytes()),
            None => Ok(()),
        }
    }
}

impl Shared {
    // A panic under the lock is a bug that its own task reports; the counts may be off by one then, the sandbox goes on.
    pub(super) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn wait(&self, ms: u64) {
        if ms > 0 {
            self.time.wait_until(self.time.now().saturating_add(ms)).await;
        }
    }
}

/// Counts a request down when it is dropped: after the answer, or when the client is gone.
pub(super) struct Closing {
    shared: Arc<Shared>,
    ticket: Ticket,
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.shared.core().provider.close(self.ticket);
    }
}

/// The connection is to close without an answer.
#[derive(Debug, thiserror::Error)]
#[error("closed without an answer")]
struct NoAnswer;

async fn accept_api(shared: Arc<Shared>, listener: TcpListener, address: SocketAddr) {
    let mut rules = shared.rules_changed.subscribe();
    let mut open = Some(listener);
    while !shared.cancel.is_cancelled() {
        let now = shared.time.now();
        let refusal = shared.core().provider.refused_period(now);
        let (refusing, change) = match refusal {
            Some((from, until)) if from <= now => (true, until),
            Some((from, _)) => (false, from),
            None => (false, u64::MAX),
        };
        // Refused by the system itself, because nobody listens.
        open = match open {
            _ if refusing => None,
            None => TcpListener::bind(address).await.ok(),
            open => open,
        };
        tokio::select! {
            () = shared.cancel.cancelled() => {}
            () = shared.time.wait_until(change) => {}
            _ = rules.changed() => {}
            accepted = accept_one(open.as_ref(), refusing) => if let Some(stream) = accepted {
                shared.tasks.spawn(converse(Arc::clone(&shared), stream));
            }
        }
    }
}

async fn accept_one(listener: Option<&TcpListener>, refusing: bool) -> Option<TcpStream> {
    match listener {
        Some(listener) => match listener.accept().await {
            Ok((stream, _)) => return Some(stream),
            Err(error) => tracing::warn!(%error, "the sandbox could not accept a connection"),
        },
        None if refusing => std::future::pending().await,
        None => tracing::warn!("the sandbox could not listen again after a period of refused connections"),
    }
    // Out of descriptors, or the port is taken for a moment: try again, but not in a busy loop.
    tokio::time::timeout(PAUSE, std::future::pending::<()>()).await.ok();
    None
}

async fn converse(shared: Arc<Shared>, stream: TcpStream) {
    let tcp = shared.connections.fetch_add(1, Ordering::Relaxed).saturating_add(1);
    stream.set_nodelay(true).ok();
    let reset = Arc::new(AtomicBool::new(false));
    let io = TokioIo::new(Socket { stream, reset: Arc::clone(&reset) });
    let service = service_fn(|request| answer(Arc::clone(&shared), tcp, Arc::clone(&reset), request));
    // Without a date header, which would come from another clock than the sandbox's.
    let connection = http1::Builder::new().auto_date_header(false).serve_connection(io, service);
    tokio::select! {
        () = shared.cancel.cancelled() => {}
        ended = connection => if let Err(error) = ended {
            tracing::trace!(%error, tcp, "a connection to the sandbox ended early");
        }
    }
}

async fn answer(
    shared: Arc<Shared>,
    tcp: u64,
    reset: Arc<AtomicBool>,
    request: Request<Incoming>,
) -> Result<Response<Paced>, NoAnswer> {
    let (parts, incoming) = request.into_parts();
    let now = shared.time.now();
    let begun = shared.core().provider.begin(head(&parts, tcp), now);
    let body = if begun.resets_unread() {
        bytes::Bytes::new()
    } else {
        Limited::new(incoming, LARGEST_BODY).collect().await.map_err(|_| NoAnswer)?.to_bytes()
    };
    let mut reply = {
        let mut core = shared.core();
        let reply = core.provider.finish(begun, &body);
        let written = core.write(&reply.line);
        withheld_unless(written, reply)
    };
    let closing = Closing { shared: Arc::clone(&shared), ticket: reply.ticket };
    shared.wait(reply.pace.before_ms).await;
    match reply.ending {
        Ending::Hang => {
            shared.cancel.cancelled().await;
            Err(NoAnswer)
        }
        Ending::Reset => {
            reset.store(true, Ordering::Relaxed);
            Err(NoAnswer)
        }
        Ending::Whole | Ending::Cut(_) => {
            let headers = std::mem::take(&mut reply.headers);
            let body = Paced::new(&reply.body, reply.pace, reply.ending, Arc::clone(&shared), closing);
            let start = Response::builder().status(reply.status);
            let response = headers.iter().fold(start, |response, (name, value)| response.header(name, value));
            response.body(body).map_err(|_| NoAnswer)
        }
    }
}

// What is not in the log did not happen: a client must not act on an answer that a judge cannot see.
fn withheld_unless(written: io::Result<()>, reply: Reply) -> Reply {
    match written {
        Ok(()) => reply,
        Err(error) => {
            tracing::error!(%error, "the sandbox cannot write its audit log and resets the connection instead of answering");
            Reply { ending: Ending::Reset, ..reply }
        }
    }
}

fn head(parts: &hyper::http::request::Parts, tcp: u64) -> Head {
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Head {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().map(str::to_owned),
        headers: parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
        tcp,
    }
}

async fn listen(option: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), SandboxError> {
    let failed = |source| SandboxError::Listen { option, address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

fn open_log(path: PathBuf) -> Result<File, SandboxError> {
    let opened = File::options().create(true).append(true).open(&path);
    opened.map_err(|source| SandboxError::AuditLog { path, source })
}

/// Far above 5000 conversions.
pub(super) const LARGEST_BODY: usize = 64 << 20;
const PAUSE: Duration = Duration::from_millis(50);
