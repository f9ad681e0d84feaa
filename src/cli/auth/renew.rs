//! `outlast auth refresh` and `outlast auth revoke`

use std::path::Path;
use std::time::Duration;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::standing;
use crate::cli::control::Request;
use crate::cli::failure::Failure;
use crate::cli::print;
use crate::cli::session::{Purpose, Session};
use crate::clock;
use crate::view::{CredentialView, Revocation};

/// Ask for a new token now, as a planned refresh would
#[derive(Args)]
#[command(
    after_help = "A running engine asks at once; `outlast auth show` says what came of it. Without one the wish is stored, and
`outlast serve` asks when it starts. A token that is younger than its settle window is not refreshed."
)]
pub(super) struct Refresh {
    /// The credential's name in the configuration
    name: String,
    /// How it stands afterwards, as JSON
    #[arg(long)]
    json: bool,
}

/// End a credential: here in any case, and at its provider where the profile says how
#[derive(Args)]
pub(super) struct Revoke {
    /// The credential's name in the configuration
    name: String,
    /// Do it without being asked again
    #[arg(long)]
    yes: bool,
    /// What came of it, as JSON
    #[arg(long)]
    json: bool,
}

/// So often is a refresh looked after, at intervals of [`PAUSE`]: as long as a token request may take.
const LOOKS: u32 = 300;
const PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn refresh(config: &Path, args: &Refresh) -> Result<(), Failure> {
    let mut session = Session::open(config, Purpose::Look).await?;
    let asked = session.ask::<Box<CredentialView>>(Request::Refresh { credential: args.name.clone() }).await;
    let mut ended = asked.map(|view| *view);
    if session.is_running() && ended.is_ok() {
        ended = outcome(&mut session, &args.name).await;
    } else if ended.is_ok() {
        print::note("it is stored that a new token is wanted; `outlast serve` asks for it");
    }
    session.close().await?;
    let credential = ended?;
    if args.json { print::json(&credential) } else { standing(&credential) }
}

/// Waits until the token request has been answered, or has had its time.
async fn outcome(session: &mut Session, name: &str) -> Result<CredentialView, Failure> {
    let never = CancellationToken::new();
    let mut looks = 0_u32;
    loop {
        let all = session.ask::<Vec<CredentialView>>(Request::Credentials).await?;
        let credential = all.into_iter().find(|credential| credential.name == name);
        let credential = credential.ok_or_else(|| Failure::new(format!("credential {name} is gone")))?;
        // What is said of trouble is worth the look, though the engine tries again.
        let answered = credential.state != "Refreshing" || credential.detail.contains("Trouble:");
        looks = looks.saturating_add(1);
        if answered || looks > LOOKS {
            return Ok(credential);
        }
        clock::wait(PAUSE, &never).await;
    }
}

pub(super) async fn revoke(config: &Path, args: &Revoke) -> Result<(), Failure> {
    let mut session = Session::open(config, Purpose::Look).await?;
    if !args.yes {
        let all = session.ask::<Vec<CredentialView>>(Request::Credentials).await;
        session.close().await?;
        let live = all?.into_iter().find(|it| it.name == args.name).map(|it| it.live);
        let live =
            live.ok_or_else(|| Failure::new(format!("there is no credential {} in the configuration", args.name)))?;
        let message =
            format!("this ends credential {}, and {live} live deliveries wait until it is authorised again", args.name);
        return Err(Failure::usage(message).help("repeat the command with --yes"));
    }
    let ended = session.ask::<Box<Revocation>>(Request::Revoke { credential: args.name.clone() }).await;
    session.close().await?;
    let ended = ended?;
    if args.json {
        return print::json(&ended);
    }
    standing(&ended.credential)?;
    print::line(&ended.detail)
}
