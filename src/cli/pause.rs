//! `outlast pause` and `outlast resume`

use std::path::Path;

use clap::Subcommand;

use super::control::Request;
use super::failure::Failure;
use super::print;
use super::session::{Purpose, Session};
use crate::view::Scope;

/// Stop sending to a destination, with a credential or in a lane, until it is resumed
#[derive(clap::Args)]
#[command(after_help = "Examples:
  outlast pause destination conversions
  outlast pause credential acme
  outlast pause lane conversions customer-17
  outlast pause list")]
pub(crate) struct PauseArgs {
    #[command(subcommand)]
    what: Pause,
}

#[derive(Subcommand)]
enum Pause {
    #[command(flatten)]
    Of(What),
    /// List what is paused
    List {
        /// As a JSON array
        #[arg(long)]
        json: bool,
    },
}

/// Send again what was paused
#[derive(clap::Args)]
#[command(after_help = "Example:
  outlast resume destination conversions")]
pub(crate) struct ResumeArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// All deliveries to a destination
    Destination {
        /// Its name
        name: String,
    },
    /// All deliveries that need a credential
    Credential {
        /// Its name
        name: String,
    },
    /// One lane of a destination
    Lane {
        /// The destination's name
        destination: String,
        /// The lane's name
        lane: String,
    },
}

impl From<What> for Scope {
    fn from(what: What) -> Self {
        match what {
            What::Destination { name } => Scope::Destination(name),
            What::Credential { name } => Scope::Credential(name),
            What::Lane { destination, lane } => Scope::Lane { destination, lane },
        }
    }
}

pub(crate) async fn pause(config: &Path, args: PauseArgs) -> Result<(), Failure> {
    let scope: Scope = match args.what {
        Pause::Of(what) => what.into(),
        Pause::List { json } => return list(config, json).await,
    };
    let mut session = Session::open(config, Purpose::Look).await?;
    let paused = session.ask::<u64>(Request::Pause { scope: scope.clone() }).await;
    session.close().await?;
    let live = paused?;
    print::line(&format!("paused {scope}: it holds back {live} live deliveries, whose deadlines run on"))
}

pub(crate) async fn resume(config: &Path, args: ResumeArgs) -> Result<(), Failure> {
    let scope: Scope = args.what.into();
    let mut session = Session::open(config, Purpose::Look).await?;
    let resumed = session.ask::<bool>(Request::Resume { scope: scope.clone() }).await;
    session.close().await?;
    print::line(&if resumed? { format!("resumed {scope}") } else { format!("{scope} was not paused") })
}

async fn list(config: &Path, json: bool) -> Result<(), Failure> {
    let mut session = Session::open(config, Purpose::Look).await?;
    let listed = session.ask::<Vec<Scope>>(Request::Pauses).await;
    session.close().await?;
    let scopes = listed?;
    if json {
        return print::json(&scopes);
    }
    if scopes.is_empty() {
        return print::line("nothing is paused");
    }
    scopes.iter().try_for_each(|scope| print::line(&scope.to_string()))
}
