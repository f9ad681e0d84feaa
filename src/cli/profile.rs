//! `outlast profile`

use std::path::Path;

use serde::Serialize;

use super::failure::Failure;
use super::print;
use crate::oauth::{GrantKind, Profile};
use crate::rehearsal::{Scene, rehearse};
use crate::span;

/// The rules of providers: those that ship, and your own
#[derive(clap::Args)]
#[command(after_help = "Examples:
  outlast profile list                            the profiles that ship
  outlast profile show hubspot                    one of them, with the source of each fact
  outlast profile show generic > acme.toml        a file to start from
  outlast profile check acme.toml                 whether it can work
  outlast profile check acme.toml --rehearse      whether the engine delivers to a provider that behaves so")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the profiles that ship
    List(ListArgs),
    /// Show a profile that ships, or one in a file
    Show(ShowArgs),
    /// Verify a profile
    Check(CheckArgs),
}

#[derive(clap::Args)]
struct ListArgs {
    /// As a JSON list
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct ShowArgs {
    /// One that ships, or a file that ends in .toml
    #[arg(value_name = "NAME")]
    name: String,
    /// Every key, also those that the file leaves to what it extends
    #[arg(long)]
    whole: bool,
    /// Every key, as a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct CheckArgs {
    /// A file, or the name of one that ships
    #[arg(value_name = "FILE")]
    file: String,
    /// Also deliver through a local provider that behaves as the profile says, in simulated time
    #[arg(long)]
    rehearse: bool,
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
    scenes: Vec<Scene>,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    match &args.command {
        Command::List(args) => list(args.json),
        Command::Show(args) => show(args),
        Command::Check(args) => check(args),
    }
}

fn list(json: bool) -> Result<(), Failure> {
    let profiles: Vec<Profile> = Profile::shipped_names().filter_map(Profile::shipped).collect();
    if json {
        return print::json(&profiles.iter().map(Profile::to_json).collect::<Vec<_>>());
    }
    let rows: Vec<[String; 6]> = profiles.iter().map(row).collect();
    print::table(["NAME", "GRANT", "SETTLES IN", "TOKEN LIVES", "GRANT LIVES", "TOKENS FROM"], &rows)
}

fn row(profile: &Profile) -> [String; 6] {
    let known = GrantKind::NAMES.iter().find(|(_, kind)| *kind == profile.grant);
    let from = match profile.lacks_token_url() {
        true if profile.grant == GrantKind::Static => "the configuration".to_owned(),
        true => "token_url of the credential".to_owned(),
        false => profile.token_url.to_string(),
    };
    [
        profile.name.clone(),
        known.map_or_else(String::new, |(name, _)| (*name).to_owned()),
        span::written(profile.settle),
        if profile.grant == GrantKind::Static { "-".to_owned() } else { span::written(profile.access_life) },
        profile.grant_life.map_or_else(|| "-".to_owned(), span::written),
        from,
    ]
}

fn show(args: &ShowArgs) -> Result<(), Failure> {
    let (text, profile) = found(&args.name)?;
    let profile = profile.map_err(Failure::usage);
    if args.json {
        return print::json(&profile?.to_json());
    }
    let text = if args.whole { profile?.to_toml() } else { text };
    print::line(text.trim_end())
}

fn check(args: &CheckArgs) -> Result<(), Failure> {
    let (_, profile) = found(&args.file)?;
    let profile = match profile {
        Ok(profile) => profile,
        Err(why) => return told(args, why.lines().map(str::to_owned).collect(), &[], true),
    };
    let warnings = profile.warnings();
    if !args.rehearse {
        return passed(args, &profile, warnings, Vec::new());
    }
    match rehearse(&profile) {
        Ok(report) => passed(args, &profile, warnings, report.scenes),
        Err(broken) => told(args, vec![broken.to_string()], &warnings, false),
    }
}

fn passed(args: &CheckArgs, profile: &Profile, warnings: Vec<String>, scenes: Vec<Scene>) -> Result<(), Failure> {
    if args.json {
        return print::json(&Verdict { ok: true, errors: Vec::new(), warnings, scenes });
    }
    warnings.iter().try_for_each(|warning| print::line(&format!("warning: {warning}")))?;
    if profile.lacks_token_url() && profile.grant != GrantKind::Static {
        print::line("it does not say where tokens are asked for: credentials of it need a token_url")?;
    }
    if scenes.is_empty() {
        return print::line(&format!("the profile {} can work", profile.name));
    }
    let rows: Vec<[String; 6]> = scenes.iter().map(played).collect();
    print::table(["SCENE", "EVENTS", "REFUSED", "REFRESHES", "TOOK", "NOTE"], &rows)?;
    print::line(&format!("the profile {} works: every event was delivered", profile.name))
}

fn played(scene: &Scene) -> [String; 6] {
    [
        scene.name.to_owned(),
        scene.events.to_string(),
        scene.refused.to_string(),
        scene.refreshes.to_string(),
        print::length(scene.took_ms),
        scene.note.clone().unwrap_or_default(),
    ]
}

/// Tells what is wrong. What cannot be read is a matter of usage; what does not work is a failure.
fn told(args: &CheckArgs, errors: Vec<String>, warnings: &[String], unreadable: bool) -> Result<(), Failure> {
    let message = errors.join("\n");
    if args.json {
        print::json(&Verdict { ok: false, errors, warnings: warnings.to_vec(), scenes: Vec::new() })?;
    }
    Err(if unreadable { Failure::usage(message) } else { Failure::new(message) })
}

/// The text of a profile and what it says, or everything that is wrong with it.
pub(super) fn found(name: &str) -> Result<(String, Result<Profile, String>), Failure> {
    if let (Some(text), Some(profile)) = (Profile::shipped_text(name), Profile::shipped(name)) {
        return Ok((text.to_owned(), Ok(profile)));
    }
    if Path::new(name).extension().is_none_or(|ending| ending != "toml") {
        let known: Vec<&str> = Profile::shipped_names().collect();
        let meant = crate::table::suggestion(name, &known);
        return Err(Failure::usage(format!("{name} is none of the profiles that ship{meant}"))
            .help("a profile of your own is a file whose name ends in .toml"));
    }
    let text = std::fs::read_to_string(name)
        .map_err(|why| Failure::usage(format!("the profile cannot be read from {name}: {why}")))?;
    let environment = |name: &str| std::env::var(name).ok();
    let profile = Profile::draft(name, &text, &environment).map_err(|why| why.to_string());
    Ok((text, profile))
}
