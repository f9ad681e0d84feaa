//! `outlast serve`

use std::path::Path;

use super::failure::Failure;
use super::print;
use super::session::{Found, find};
use super::signals::Signals;
use super::socket::Control;
use crate::config::Config;
use crate::engine::Engine;

/// Deliver what is stored and what other commands accept, until SIGINT or SIGTERM
#[derive(clap::Args)]
#[command(after_help = "Examples:
  outlast serve
  RUST_LOG=outlast=debug outlast --log json serve 2> outlast.log

A second signal ends the process at once. That loses nothing that was acknowledged.")]
pub(crate) struct Args {
    /// Follow this machine's clock even if it is more than 48 hours ahead of the last time in the store
    #[arg(long)]
    accept_time: bool,
}

pub(crate) async fn run(config: &Path, args: &Args) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let config = Config::load(config)?;
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let describe = || Ok(config.builder()?.accept_time(args.accept_time));
    let engine = match find(&config.store, describe).await? {
        Found::Opened(engine) => engine,
        Found::Running(_, hello) => {
            let store = config.store.display();
            let message = format!("an engine works on the store {store} already (pid {})", hello.pid);
            return Err(Failure::new(message).help("stop that one first, or give this one a store of its own"));
        }
    };
    let control = Control::start(&config.store, engine.clone())?;
    // It serves whether or not somebody reads this.
    drop(print::line(&ready(&config, &engine, &control).await?));
    tokio::select! {
        name = signals.next() => print::note(&format!("{name}: stopping")),
        why = engine.ended() => {
            signals.or_exit(control.stop()).await;
            return Err(why.into());
        }
    }
    signals
        .or_exit(async {
            control.stop().await;
            engine.stop().await
        })
        .await?;
    Ok(())
}

async fn ready(config: &Config, engine: &Engine, control: &Control) -> Result<String, Failure> {
    let live = engine.counts().await?.live();
    Ok(format!(
        "ready: pid {}, store {}, socket {}, destinations {}, credentials {}, live deliveries {live}",
        std::process::id(),
        config.store.display(),
        control.path().display(),
        config.destinations.len(),
        config.credentials.len(),
    ))
}
