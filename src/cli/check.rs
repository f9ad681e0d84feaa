//! `outlast check`

use std::path::Path;

use serde::Serialize;

use super::failure::Failure;
use super::print;
use crate::config::{Config, KeySource};

/// Verify the configuration, without connecting to anything
#[derive(clap::Args)]
#[command(after_help = "Example:
  outlast check --json

Exit code 2 if something cannot work.")]
pub(crate) struct Args {
    /// As a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Verdict {
    ok: bool,
    errors: Vec<String>,
    warnings: Vec<String>,
}

pub(crate) fn run(path: &Path, args: &Args) -> Result<(), Failure> {
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(error) => return refused(error, args.json),
    };
    let warnings = config.warnings();
    // The key and the destinations' settings are tried out too.
    if let Err(error) = config.builder() {
        return refused(error, args.json);
    }
    if args.json {
        return print::json(&Verdict { ok: true, errors: Vec::new(), warnings });
    }
    print::line(&found(&config))?;
    warnings.iter().try_for_each(|warning| print::line(&format!("warning: {warning}")))?;
    print::line("the configuration can work")
}

fn refused<E: ToString + Into<Failure>>(error: E, json: bool) -> Result<(), Failure> {
    if json {
        let errors = error.to_string().lines().map(str::to_owned).collect();
        print::json(&Verdict { ok: false, errors, warnings: Vec::new() })?;
    }
    Err(error.into())
}

fn found(config: &Config) -> String {
    let mut lines =
        vec![format!("configuration  {}", config.file.display()), format!("store          {}", config.store.display())];
    lines.extend(config.vault.as_ref().map(|source| match source {
        KeySource::File(path) => format!("vault          key in {}", path.display()),
        KeySource::Environment(name) => format!("vault          key in the environment variable {name}"),
    }));
    for (name, credential) in &config.credentials {
        lines.push(format!("credential     {name}: profile {}, client {}", credential.profile, credential.client_id));
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
