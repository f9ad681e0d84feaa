//! The program: one file a command. Commands speak with a running engine over its control socket, or with the store.

mod alerts;
mod auth;
mod backup;
mod bench;
mod cancel;
mod check;
mod completions;
pub(crate) mod control;
mod demo;
mod doctor;
mod failure;
mod init;
mod linkedin;
mod list;
mod log;
mod pause;
mod plot;
mod print;
mod profile;
mod progress;
mod redrive;
mod rule;
mod sandbox;
mod schema;
mod select;
pub(crate) mod send;
mod serve;
mod session;
mod show;
mod signals;
mod sim;
pub(crate) mod socket;
#[cfg(test)]
mod tests;
mod try_event;
mod vault;
mod why;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::Failure;

/// Deliveries that outlast crashes, dead tokens and slow propagation.
#[derive(Parser)]
#[command(name = "outlast", version, arg_required_else_help = true, after_help = EXAMPLES)]
struct Cli {
    #[arg(long, global = true, value_name = "FILE", help = CONFIG_HELP)]
    config: Option<PathBuf>,
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT", help = LOG_HELP)]
    log: log::Format,
    #[command(subcommand)]
    command: Command,
}

const CONFIG_HELP: &str = "The configuration [default: outlast.toml, or what OUTLAST_CONFIG names]";
const LOG_HELP: &str = "How log lines on stderr are written; RUST_LOG says which";

const EXAMPLES: &str = "Examples:
  outlast demo                             watch it survive a dead token and a crash
  outlast bench --quick                    what it costs on this machine, in under a minute
  outlast sim storm                        what rules for refused tokens do, in simulated time
  outlast init                             write outlast.toml and a key file
  outlast check                            verify the configuration
  outlast auth login acme                  give a credential its grant, by way of a browser
  outlast try event.json                   what would become of an event
  outlast serve                            deliver what is accepted
  outlast send events.jsonl --wait         accept events, wait until all have ended
  outlast list --state Failed              what was given up
  outlast why 01K8ZQ4C2R7N3D5F6G8H9JKMNP   what a delivery waits for
  outlast alerts                           what went wrong lately, and who must act
  outlast vault check                      whether everything that is sealed opens, and with which key
  outlast doctor                           whether the store is whole, and what to do if not

Exit codes: 0 fine, 1 failed, 2 usage or configuration.";

#[derive(Subcommand)]
enum Command {
    Demo(demo::Args),
    Bench(bench::Args),
    Sim(sim::Args),
    Init(init::Args),
    Check(check::Args),
    Try(try_event::Args),
    Send(send::Args),
    Serve(serve::Args),
    List(list::Args),
    Alerts(alerts::Args),
    Show(show::Args),
    Why(why::Args),
    Cancel(cancel::Args),
    Redrive(redrive::Args),
    Pause(pause::PauseArgs),
    Resume(pause::ResumeArgs),
    Auth(auth::Args),
    Vault(vault::Args),
    Linkedin(linkedin::Args),
    Choices(linkedin::ChoicesArgs),
    Doctor(doctor::Args),
    Export(backup::ExportArgs),
    Import(backup::ImportArgs),
    Profile(profile::Args),
    Sandbox(sandbox::Args),
    Schema(schema::Args),
    Completions(completions::Args),
}

/// Runs the program with the process's arguments.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(said) => {
            // Help and version are errors to the parser; what cannot be printed has no reader.
            drop(said.print());
            return ExitCode::from(u8::try_from(said.exit_code()).unwrap_or(2));
        }
    };
    match run_command(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run_command(cli: Cli) -> Result<(), Failure> {
    let level = if matches!(cli.command, Command::Serve(_) | Command::Sandbox(_)) { "info" } else { "warn" };
    log::start(cli.log, level)?;
    let config = cli.config.unwrap_or_else(config_file);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|why| Failure::new(format!("the runtime cannot be started: {why}")))?;
    runtime.block_on(dispatch(&config, cli.command))
}

async fn dispatch(config: &Path, command: Command) -> Result<(), Failure> {
    match command {
        Command::Demo(args) => demo::run(args).await,
        Command::Bench(args) => bench::run(args).await,
        Command::Sim(args) => sim::run(args).await,
        Command::Init(args) => init::run(config, &args),
        Command::Check(args) => check::run(config, &args).await,
        Command::Linkedin(args) => linkedin::run(config, args).await,
        Command::Choices(args) => linkedin::choices(config, args).await,
        Command::Try(args) => try_event::run(config, args),
        Command::Send(args) => send::run(config, args).await,
        Command::Serve(args) => serve::run(config, &args).await,
        Command::List(args) => list::run(config, args).await,
        Command::Alerts(args) => alerts::run(config, args).await,
        Command::Show(args) => show::run(config, &args).await,
        Command::Why(args) => why::run(config, &args).await,
        Command::Cancel(args) => cancel::run(config, args).await,
        Command::Redrive(args) => redrive::run(config, args).await,
        Command::Pause(args) => pause::pause(config, args).await,
        Command::Resume(args) => pause::resume(config, args).await,
        Command::Auth(args) => auth::run(config, args).await,
        Command::Vault(args) => vault::run(config, args).await,
        Command::Export(args) => backup::export(config, &args),
        Command::Import(args) => backup::import(config, &args),
        Command::Doctor(args) => doctor::run(config, &args),
        Command::Profile(args) => profile::run(&args),
        Command::Sandbox(args) => sandbox::run(args).await,
        Command::Schema(args) => schema::run(&args),
        Command::Completions(args) => completions::run(&args),
    }
}

fn config_file() -> PathBuf {
    std::env::var_os("OUTLAST_CONFIG")
        .filter(|path| !path.is_empty())
        .map_or_else(|| "outlast.toml".into(), PathBuf::from)
}
