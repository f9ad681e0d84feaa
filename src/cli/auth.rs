//! `outlast auth`

mod calendar;
mod grant;
mod ical;
mod login;
mod page;
mod redirect;
mod renew;
mod show;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;
use zeroize::Zeroizing;

use super::control::{Grant, Request};
use super::failure::Failure;
use super::print;
use super::session::{Purpose, Session};
use crate::clock;
use crate::view::{CredentialCalendar, CredentialView};

/// Give credentials their tokens, and see how they stand
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Auth,
}

#[derive(Subcommand)]
enum Auth {
    Login(login::Login),
    Import(Import),
    Show(show::Show),
    Refresh(renew::Refresh),
    Revoke(renew::Revoke),
    /// List the credentials: state, how long they last, what is planned, who depends on them
    List {
        /// As a JSON array, with what lies ahead of each
        #[arg(long)]
        json: bool,
    },
    Calendar(calendar::Args),
}

/// Give a credential a grant that exists already
#[derive(clap::Args)]
#[command(after_help = IMPORT_HELP)]
struct Import {
    /// The credential's name in the configuration
    name: String,
    /// Read the grant from this file, - for stdin
    #[arg(long, value_name = "FILE", default_value = "-")]
    file: PathBuf,
    #[arg(long, value_name = "PREFIX", conflicts_with = "file", help = ENV_HELP)]
    env: Option<String>,
    /// How it stands afterwards, as JSON
    #[arg(long)]
    json: bool,
}

const ENV_HELP: &str = "Read it from the environment instead: PREFIX_ACCESS_TOKEN, PREFIX_REFRESH_TOKEN, PREFIX_ISSUED, PREFIX_EXPIRES or PREFIX_EXPIRES_IN, PREFIX_REFRESH_EXPIRES or PREFIX_REFRESH_EXPIRES_IN, PREFIX_SCOPE";

const IMPORT_HELP: &str = r#"The grant is a JSON object, as a token endpoint answers it:
  {"access_token": "…", "expires_in": 5184000, "refresh_token": "…", "token_type": "Bearer", "scope": "…"}

issued, expires and refresh_expires are moments: RFC 3339 ("2026-03-01T12:00:00Z"), or counted from now ("-30d", "+12h").
issued_s and issued_ms hold seconds and milliseconds since 1970, and so on.
expires_at is a moment, or seconds since 1970.
expires_in and refresh_expires_in (or refresh_token_expires_in) are seconds after issued.
Without issued, the token counts as minted now. Members that mean nothing here are left out, and named.

Examples:
  outlast auth import acme --file tokens.json
  vault read -format=json secret/acme | jq .data | outlast auth import acme
  outlast auth import acme --env ACME"#;

pub(crate) async fn run(config: &Path, args: Args) -> Result<(), Failure> {
    match args.command {
        Auth::Login(args) => login::run(config, &args).await,
        Auth::Import(args) => import(config, &args).await,
        Auth::Show(args) => show::run(config, args).await,
        Auth::Refresh(args) => renew::refresh(config, &args).await,
        Auth::Revoke(args) => renew::revoke(config, &args).await,
        Auth::List { json } => list(config, json).await,
        Auth::Calendar(args) => calendar::run(config, &args).await,
    }
}

async fn import(config: &Path, args: &Import) -> Result<(), Failure> {
    let now = clock::wall();
    let grant = if let Some(prefix) = &args.env {
        grant::from_environment(prefix, &|name| std::env::var(name).ok(), now)?
    } else {
        let (grant, ignored) = grant::from_json(&read(&args.file)?, now)?;
        if !ignored.is_empty() {
            print::note(&format!("left out, since it means nothing here: {}", ignored.join(", ")));
        }
        grant
    };
    let credential = deliver(config, &args.name, grant).await?;
    if args.json {
        return print::json(&credential);
    }
    standing(&credential)
}

/// Gives a grant to the engine that runs, or to the store.
async fn deliver(config: &Path, name: &str, grant: Grant) -> Result<CredentialView, Failure> {
    let mut session = Session::open(config, Purpose::Look).await?;
    let request = Request::Authorise { credential: name.to_owned(), grant };
    let authorised = session.ask::<Box<CredentialView>>(request).await;
    session.close().await?;
    Ok(*authorised?)
}

/// How a credential stands, in a line.
fn standing(credential: &CredentialView) -> Result<(), Failure> {
    let CredentialView { name, state, epoch, detail, .. } = credential;
    print::line(&format!("{name} is {state}, epoch {epoch}: {detail}"))
}

fn read(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    let done = if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text))
    };
    done.map_err(|why| Failure::new(format!("the grant cannot be read from {}: {why}", path.display())))?;
    Ok(text)
}

/// A credential as JSON: how it stands, and what lies ahead of it.
#[derive(Serialize)]
struct Listed<'a> {
    #[serde(flatten)]
    stands: &'a CredentialView,
    calendar: &'a CredentialCalendar,
}

async fn list(config: &Path, json: bool) -> Result<(), Failure> {
    let mut session = Session::open(config, Purpose::Look).await?;
    let credentials = session.ask::<Vec<CredentialView>>(Request::Credentials).await;
    let calendars = session.ask::<Vec<CredentialCalendar>>(Request::Calendar).await;
    session.close().await?;
    let (credentials, calendars) = (credentials?, calendars?);
    // Each is asked of the same engine, whose credentials do not change while it runs.
    let of = |stands: &CredentialView| calendars.iter().find(|calendar| calendar.credential == stands.name);
    let listed = credentials.iter().filter_map(|stands| Some(Listed { stands, calendar: of(stands)? }));
    let listed: Vec<Listed<'_>> = listed.collect();
    if json {
        return print::json(&listed);
    }
    let rows: Vec<[String; 11]> = listed.iter().map(row).collect();
    print::table(HEADS, &rows)
}

const HEADS: [&str; 11] =
    ["NAME", "PROFILE", "STATE", "EPOCH", "TOKEN ENDS", "NEXT TOKEN", "STOPS", "PROVEN", "LIVE", "AT RISK", "DETAIL"];

fn row(Listed { stands, calendar }: &Listed<'_>) -> [String; 11] {
    let moment = |millis: Option<u64>| millis.map_or_else(|| "-".to_owned(), print::moment);
    let ahead = |millis: Option<u64>| moment(millis.filter(|_| !calendar.dead));
    [
        stands.name.clone(),
        stands.profile.clone(),
        stands.state.clone(),
        stands.epoch.to_string(),
        ahead(calendar.token_ends_ms),
        ahead(calendar.refresh_ms),
        moment(calendar.stops_ms),
        moment(calendar.proven_ms),
        stands.live.to_string(),
        calendar.at_risk.to_string(),
        print::short(&detail(stands, calendar), 120),
    ]
}

/// What there is to say in one line: of one that is about to stop, that.
fn detail(stands: &CredentialView, calendar: &CredentialCalendar) -> String {
    let warned = calendar.warnings.iter().any(|warning| warning.past) || !calendar.scopes.missing.is_empty();
    if warned { calendar.outlook.clone() } else { stands.detail.clone() }
}
