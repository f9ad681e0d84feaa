//! What a child process of the bench does.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::process::{self, Worker};
use super::sink::Sink;
use super::{parked, restart};
use crate::cli::failure::Failure;
use crate::cli::print;

/// A child's task, as its parent tells it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Task {
    /// Take what is posted until the parent is gone.
    Sink,
    /// Park deliveries, and measure.
    Parked(parked::Order),
    /// Fill a store and be killed, or open what was left.
    Restart(restart::Order),
}

impl std::str::FromStr for Task {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(text)
    }
}

/// Does the task.
pub(super) async fn run(task: Task) -> Result<(), Failure> {
    match task {
        Task::Sink => {
            let sink = Sink::start().await.map_err(|why| Failure::new(format!("the sink cannot listen: {why}")))?;
            tell(&sink.address)?;
            process::parent_gone().await;
            Ok(())
        }
        Task::Parked(order) => parked::child(order).await,
        Task::Restart(order) => restart::child(order).await,
    }
}

/// Tells the parent something.
pub(super) fn tell(value: &impl Serialize) -> Result<(), Failure> {
    print::line(&serde_json::to_string(value).map_err(|why| Failure::new(why.to_string()))?)
}

/// A sink in a process of its own, and where it listens.
pub(super) async fn sink() -> Result<(Worker, SocketAddr), Failure> {
    let mut worker = Worker::start(&Task::Sink)?;
    let address = worker.told().await?;
    Ok((worker, address))
}
