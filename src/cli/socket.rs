//! The control socket of a running engine: a Unix socket in the data directory, a line of JSON each way. Only the user that
//! the store belongs to gets an answer.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

use super::control::{Answer, Fault, Hello, Kind, PROTOCOL, Request, Response, execute};
use super::failure::Failure;
use crate::engine::Engine;

/// The longest question. A group of parcels is far below it.
const LONGEST: u64 = 16 * 1024 * 1024;

/// So many commands may speak with an engine at once; the next one waits.
const AT_ONCE: usize = 64;

/// The socket's name in the data directory.
fn socket_in(store: &Path) -> PathBuf {
    store.join("control.sock")
}

/// An engine's end of the socket.
pub(crate) struct Control {
    path: PathBuf,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

impl Control {
    /// Answers for `engine` from now on. The caller has the store open, which only one process can: so a socket that is
    /// there already was left behind by a process that was killed, and is replaced.
    pub(crate) fn start(store: &Path, engine: Engine) -> Result<Self, Failure> {
        let path = socket_in(store);
        let (listener, owner) = listen(&path).map_err(|why| {
            Failure::new(format!("the control socket {} cannot be made: {why}", path.display())).help(
                match why.kind() {
                    io::ErrorKind::InvalidInput => {
                        "sockets need a short path: choose another store.path, or start outlast nearer to it"
                    }
                    _ => "check who owns the data directory",
                },
            )
        })?;
        let control = Control { path, stopping: CancellationToken::new(), tasks: TaskTracker::new() };
        let serving = accept(listener, owner, engine, control.stopping.clone(), control.tasks.clone());
        control.tasks.spawn(serving);
        Ok(control)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Ends all conversations and takes the socket away.
    pub(crate) async fn stop(self) {
        // Whoever connects from here on is told at once that nobody listens.
        drop(std::fs::remove_file(&self.path));
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// The socket, and who owns it.
fn listen(path: &Path) -> io::Result<(UnixListener, u32)> {
    match std::fs::remove_file(path) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok((listener, std::fs::metadata(path)?.uid()))
}

async fn accept(listener: UnixListener, owner: u32, engine: Engine, stopping: CancellationToken, tasks: TaskTracker) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopping.cancelled() => return,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(why) => {
                tracing::warn!(%why, "a command could not connect");
                // Out of descriptors, most likely: not in a busy loop.
                crate::clock::wait(std::time::Duration::from_millis(100), &stopping).await;
                continue;
            }
        };
        let (engine, stopping) = (engine.clone(), stopping.clone());
        tasks.spawn(async move {
            let conversation = stopping.run_until_cancelled(converse(stream, owner, &engine)).await;
            if let Some(Err(why)) = conversation {
                tracing::debug!(%why, "a command's connection ended");
            }
            drop(place);
        });
    }
}

async fn converse(stream: UnixStream, owner: u32, engine: &Engine) -> io::Result<()> {
    let peer = stream.peer_cred()?.uid();
    if peer != owner && peer != 0 {
        tracing::warn!(peer, "another user tried to give commands");
        return Ok(());
    }
    let (reader, writer) = stream.into_split();
    answer_all(BufReader::new(reader), writer, engine).await
}

/// Answers each line with a line, until the other end has nothing more to say, or says what is no line.
pub(crate) async fn answer_all(
    mut reader: impl AsyncBufRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
    engine: &Engine,
) -> io::Result<()> {
    while let Some(line) = next_line(&mut reader).await? {
        let answer = match serde_json::from_slice(&line) {
            Ok(request) => execute(engine, request).await,
            Err(why) => {
                let message = format!("the question is not understood ({why}); both ends must be of one release");
                Err(Fault { kind: Kind::Refused, code: None, message })
            }
        };
        write_line(&mut writer, &answer).await?;
    }
    Ok(())
}

/// A line, wiped when it has been read: it may hold a token.
async fn next_line(reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut line = Zeroizing::new(Vec::new());
    reader.take(LONGEST).read_until(b'\n', &mut line).await?;
    match line.last() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        Some(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "a line was too long, or was cut off")),
    }
}

async fn write_line(writer: &mut (impl AsyncWrite + Unpin), value: &impl Serialize) -> io::Result<()> {
    let mut line = Zeroizing::new(serde_json::to_vec(value)?);
    line.push(b'\n');
    writer.write_all(&line).await
}

/// A command's end of the socket.
pub(crate) struct Client {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Client {
    /// Connects with the engine that serves this store; `None` if there is none, also when it was killed and its socket
    /// is still there.
    pub(crate) async fn connect(store: &Path) -> Result<Option<(Self, Hello)>, Failure> {
        let path = socket_in(store);
        let stream = match UnixStream::connect(&path).await {
            Ok(stream) => stream,
            Err(why) => {
                return match why.kind() {
                    io::ErrorKind::PermissionDenied => {
                        Err(Failure::new(format!("{} belongs to another user", path.display()))
                            .help("give commands as the user that runs the engine"))
                    }
                    _ => Ok(None),
                };
            }
        };
        let (reader, writer) = stream.into_split();
        let mut client = Client { reader: BufReader::new(reader), writer };
        let Ok(Ok(response)) = client.ask(&Request::Hello).await else { return Ok(None) };
        match Hello::from_response(response) {
            Some(hello) if hello.protocol == PROTOCOL => Ok(Some((client, hello))),
            Some(hello) => Err(Failure::new(format!(
                "the running engine is of release {}, this is {}",
                hello.version,
                env!("CARGO_PKG_VERSION")
            ))
            .help("use the same release for both")),
            None => Err(Failure::new(format!("{} is not answered by outlast", path.display()))),
        }
    }

    pub(crate) async fn ask(&mut self, request: &Request) -> io::Result<Result<Response, Fault>> {
        write_line(&mut self.writer, request).await?;
        let mut line = Zeroizing::new(Vec::new());
        self.reader.read_until(b'\n', &mut line).await?;
        if line.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(serde_json::from_slice(&line)?)
    }
}
