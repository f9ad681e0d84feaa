//! The log, on stderr.

use std::io::{self, IsTerminal as _};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use super::failure::Failure;
use super::print;

/// How a log line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
}

/// Logs what `RUST_LOG` lets through, or else what is at least as grave as `level`.
pub(crate) fn start(format: Format, level: &str) -> Result<(), Failure> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(directives) if !directives.trim().is_empty() => EnvFilter::try_new(&directives).map_err(|why| {
            Failure::usage(format!("RUST_LOG: `{directives}` is not a filter: {why}"))
                .help("write RUST_LOG=outlast=debug")
        })?,
        _ => EnvFilter::new(format!("warn,outlast={level}")),
    };
    let colours = io::stderr().is_terminal() && !print::plain();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(colours);
    let started = match format {
        Format::Text => log.try_init(),
        Format::Json => log.json().flatten_event(true).try_init(),
    };
    started.map_err(|why| Failure::new(format!("the log cannot be started: {why}")))
}
