//! Waiting until deliveries have ended.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Serialize;

use super::GROUP;
use crate::cli::control::Request;
use crate::cli::failure::Failure;
use crate::cli::print;
use crate::cli::progress::Progress;
use crate::cli::session::Session;
use crate::view::{CredentialView, DeliveryName, Outcome};

/// How deliveries have ended.
#[derive(Default, Serialize)]
pub(super) struct Ended {
    pub(super) delivered: u64,
    pub(super) failed: u64,
    /// How many failed for which reason.
    reasons: BTreeMap<String, u64>,
    live: u64,
}

/// How long the engine may think about a group of deliveries before it says which of them have ended.
const PATIENCE_MS: u64 = 1000;

impl Ended {
    /// Waits until all have ended. Each question is about a group; what has not ended in time goes to the end of the queue,
    /// so that one slow delivery does not hide the progress of the others.
    pub(super) async fn wait_for(&mut self, session: &mut Session, ids: &[DeliveryName]) -> Result<(), Failure> {
        let mut live: VecDeque<DeliveryName> = ids.iter().copied().collect();
        let mut progress = Progress::new("ended", Some(u64::try_from(ids.len()).unwrap_or(u64::MAX)));
        self.live = count(&live);
        let mut told = BTreeSet::new();
        while !live.is_empty() {
            let before = live.len();
            let group: Vec<DeliveryName> = live.drain(..live.len().min(GROUP)).collect();
            let request = Request::Outcomes { ids: group.clone(), patience_ms: PATIENCE_MS };
            let outcomes = session.ask::<Vec<Option<Outcome>>>(request).await?;
            for (id, outcome) in group.into_iter().zip(outcomes) {
                match outcome {
                    Some(outcome) => self.count(outcome),
                    None => live.push_back(id),
                }
            }
            self.live = count(&live);
            progress.reach(self.delivered.saturating_add(self.failed));
            if live.len() == before {
                tell_of_the_dead(session, &progress, &mut told).await?;
            }
        }
        Ok(())
    }

    fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Done(_) => self.delivered = self.delivered.saturating_add(1),
            Outcome::Failed(failed) => {
                self.failed = self.failed.saturating_add(1);
                let count = self.reasons.entry(failed.reason).or_default();
                *count = count.saturating_add(1);
            }
        }
    }

    pub(super) fn tell(&self) -> Result<(), Failure> {
        let live = if self.live > 0 { format!(", not ended {}", self.live) } else { String::new() };
        print::line(&format!("delivered {}, failed {}{live}", self.delivered, self.failed))?;
        let mut reasons: Vec<(&String, &u64)> = self.reasons.iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        reasons.iter().try_for_each(|(reason, count)| print::line(&format!("  {count:>6}  {reason}")))
    }
}

/// What waits for a human may wait for days: whoever looks on is told, once for each credential.
async fn tell_of_the_dead(
    session: &mut Session,
    progress: &Progress,
    told: &mut BTreeSet<String>,
) -> Result<(), Failure> {
    let credentials = session.ask::<Vec<CredentialView>>(Request::Credentials).await?;
    for dead in credentials.into_iter().filter(|view| view.state == "Dead" && view.live > 0) {
        if told.insert(dead.name) {
            progress.note(&format!("waiting: {}", dead.detail));
        }
    }
    Ok(())
}

fn count(live: &VecDeque<DeliveryName>) -> u64 {
    u64::try_from(live.len()).unwrap_or(u64::MAX)
}
