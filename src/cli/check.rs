//! `outlast check`

use std::path::Path;

use serde::Serialize;

use super::failure::Failure;
use super::linkedin::perform;
use super::print;
use crate::config::Config;

/// Verify the configuration, without connecting to anything unless asked to
#[derive(clap::Args)]
#[command(after_help = "Examples:
  outlast check
  outlast check --live
  outlast check --json

Exit code 2 if something cannot work, 1 if a destination does not take its credential.")]
pub(crate) struct Args {
    /// Also ask each provider whether its credential is good for the destination
    #[arg(long)]
    live: bool,
    /// As a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Verdict {
    ok: bool,
    errors: Vec<String>,
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    live: Vec<Live>,
}

/// What a provider says of a destination's credential.
#[derive(Serialize)]
struct Live {
    destination: String,
    ok: bool,
    message: String,
}

pub(crate) async fn run(path: &Path, args: &Args) -> Result<(), Failure> {
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(error) => return refused(error, args.json),
    };
    let warnings = config.warnings();
    // The key and the destinations' settings are tried out too.
    if let Err(error) = config.builder() {
        return refused(error, args.json);
    }
    let live = if args.live { ask(path, &config).await? } else { Vec::new() };
    let good = live.iter().all(|one| one.ok);
    if args.json {
        print::json(&Verdict { ok: good, errors: Vec::new(), warnings, live })?;
    } else {
        print::line(&found(&config))?;
        warnings.iter().try_for_each(|warning| print::line(&format!("warning: {warning}")))?;
        print::line("the configuration can work")?;
        for Live { destination, ok, message } in &live {
            let word = if *ok { "good" } else { "not good" };
            print::line(&format!("live           {destination}: its credential is {word}{message}"))?;
        }
    }
    if good { Ok(()) } else { Err(Failure::told()) }
}

/// Asks the provider of each destination with a credential.
async fn ask(path: &Path, config: &Config) -> Result<Vec<Live>, Failure> {
    let mut asked = Vec::new();
    for name in config.destinations.iter().filter(|(_, it)| it.credential.is_some()).map(|(name, _)| name) {
        let (ok, message) = match perform(path, name, "test", serde_json::json!({})).await {
            Ok(Ok(_)) => (true, String::new()),
            Ok(Err(trouble)) if trouble.code == NO_TEST => continue,
            Ok(Err(trouble)) => (false, format!(": {}", trouble.message)),
            Err(failure) => (false, format!(": {failure}")),
        };
        asked.push(Live { destination: name.clone(), ok, message });
    }
    Ok(asked)
}

/// What a destination says that has no test of its credential.
const NO_TEST: &str = "NO_SUCH_OPERATION";

fn refused<E: ToString + Into<Failure>>(error: E, json: bool) -> Result<(), Failure> {
    if json {
        let errors = error.to_string().lines().map(str::to_owned).collect();
        print::json(&Verdict { ok: false, errors, warnings: Vec::new(), live: Vec::new() })?;
    }
    Err(error.into())
}

fn found(config: &Config) -> String {
    let mut lines =
        vec![format!("configuration  {}", config.file.display()), format!("store          {}", config.store.display())];
    if let Some(keys) = &config.vault {
        lines.push(format!("vault          key in {}", keys.key));
        lines.extend(keys.old.iter().map(|old| format!("               old key in {old}")));
    }
    for (name, credential) in &config.credentials {
        let (profile, client) = (&credential.profile.name, &credential.client);
        let with = match (client.id.as_str(), &client.assertion) {
            (_, Some(assertion)) => format!("an assertion signed with {}", assertion.algorithm()),
            ("", None) => "a configured token".to_owned(),
            (id, None) => format!("client {id}"),
        };
        lines.push(format!("credential     {name}: profile {profile}, {with}"));
    }
    for (name, destination) in &config.destinations {
        let (kind, place) = (destination.kind.name, destination.place());
        let with = destination.credential.as_ref().map_or(String::new(), |it| format!(" with credential {it}"));
        lines.push(format!("destination    {name}: {kind} at {place}{with}"));
        for route in &destination.routes {
            let off = if route.is_enabled() { "" } else { ", switched off" };
            lines.push(format!("route          {}: to {name} ({}){off}", route.name(), route.action().slug()));
        }
    }
    lines.join("\n")
}
