//! A command's way to an engine: the one that runs, or one opened on the store for as long as the command takes.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::control::{Answer, Fault, Hello, Kind, Request, execute};
use super::failure::Failure;
use super::print;
use super::socket::{Client, Control};
use crate::builder::Builder;
use crate::clock;
use crate::config::Config;
use crate::engine::Engine;
use crate::error::ErrorKind;

/// What an engine is opened for when none runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To look and to change what is stored. Nothing is sent.
    Look,
    /// To send, too.
    Deliver,
}

/// An engine that answers.
pub(crate) struct Session {
    link: Link,
}

enum Link {
    Running(Box<Client>),
    Opened { engine: Engine, control: Option<Control> },
}

/// Another command may hold the store for a moment, and `serve` holds it before its socket answers: so often is it tried
/// again, at intervals of [`PAUSE`].
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// What works on a store.
pub(crate) enum Found {
    /// An engine in another process.
    Running(Box<Client>, Hello),
    /// The one that was opened just now.
    Opened(Engine),
}

/// Finds the engine that runs on this store, or opens the one that is described.
pub(crate) async fn find(store: &Path, describe: impl Fn() -> Result<Builder, Failure>) -> Result<Found, Failure> {
    let mut tries = TRIES;
    loop {
        if let Some((client, hello)) = Client::connect(store).await? {
            return Ok(Found::Running(Box::new(client), hello));
        }
        match describe()?.open().await {
            Ok(engine) => return Ok(Found::Opened(engine)),
            Err(held) if held.kind() == ErrorKind::Held && tries > 0 => tries = tries.saturating_sub(1),
            Err(error) => return Err(error.into()),
        }
        clock::wait(PAUSE, &CancellationToken::new()).await;
    }
}

impl Session {
    /// Finds the running engine, or opens the store; says on stderr which.
    pub(crate) async fn open(config: &Path, purpose: Purpose) -> Result<Self, Failure> {
        let store = Config::outline(config)?.store;
        // Read once, however often it is asked for: the vault's key may come from a command.
        let known = OnceLock::new();
        let describe = || {
            let described = if let Some(known) = known.get() {
                known
            } else {
                let read = Config::load(config)?;
                known.get_or_init(|| read)
            };
            Ok(described.builder()?.hold(purpose == Purpose::Look))
        };
        let link = match find(&store, describe).await? {
            Found::Running(client, hello) => {
                print::note(&format!("on the running engine (pid {})", hello.pid));
                Link::Running(client)
            }
            Found::Opened(engine) => {
                print::note(&format!("on the store at {} (no engine is running)", store.display()));
                // Work that takes long can be looked at from elsewhere meanwhile.
                let control =
                    (purpose == Purpose::Deliver).then(|| Control::start(&store, engine.clone())).transpose()?;
                Link::Opened { engine, control }
            }
        };
        Ok(Session { link })
    }

    /// Whether what is accepted here is also sent by itself.
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.link, Link::Running(_))
    }

    /// Asks, and takes no for a failure.
    pub(crate) async fn ask<A: Answer>(&mut self, request: Request) -> Result<A, Failure> {
        Ok(self.try_ask(request).await??)
    }

    /// Asks.
    pub(crate) async fn try_ask<A: Answer>(&mut self, request: Request) -> Result<Result<A, Fault>, Failure> {
        let answer = match &mut self.link {
            Link::Opened { engine, .. } => execute(engine, request).await,
            Link::Running(client) => client.ask(&request).await.map_err(|why| {
                Failure::new(format!("the running engine does not answer any more ({why})"))
                    .help("what it has acknowledged is on disk; start it again, then repeat the command")
            })?,
        };
        let unexpected = || Failure::new("the running engine gave another answer than was asked for");
        match answer {
            Ok(response) => Ok(Ok(A::from_response(response).ok_or_else(unexpected)?)),
            Err(fault) => Ok(Err(fault)),
        }
    }

    /// Closes the store if it was opened here.
    pub(crate) async fn close(self) -> Result<(), Failure> {
        let Link::Opened { engine, control } = self.link else { return Ok(()) };
        if let Some(control) = control {
            control.stop().await;
        }
        Ok(engine.stop().await?)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        match fault.kind {
            Kind::Configuration => Failure::usage(fault.message),
            Kind::Busy | Kind::Ended | Kind::Refused => Failure::new(fault.message),
        }
    }
}
