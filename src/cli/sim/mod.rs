//! `outlast sim`: the engine in simulated time.

mod storm;

use clap::Subcommand;

use super::failure::Failure;

/// The engine in simulated time: what would take hours takes seconds, and the same seed gives the same run
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Storm(storm::Args),
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::Storm(args) => storm::run(args).await,
    }
}
