//! A token dies under two hundred deliveries, and its successor takes a second to reach the provider's three nodes. One
//! refresh, a few refused requests, everything delivered, nobody's budget touched.

mod local;

use std::error::Error;
use std::sync::Arc;

use outlast::{Filter, Parcel, clock};
use serde_json::json;

const ORDERS: u32 = 200;
/// The engine's concurrency: what may be in the air when the token dies.
const IN_THE_AIR: u64 = 8;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let switches = json!({
        "nodes": ["n1", "n2", "n3"], "visibility": {"fixed": {"n1": 1000, "n2": 1000, "n3": 1000}}
    });
    let wall = Arc::new(|| clock::wall().as_millis());
    let sandbox = local::provider(switches, json!([]), wall).await?;
    let engine = local::engine(&sandbox)?.open().await?;

    let mut ids = Vec::new();
    for number in 0..ORDERS {
        if number == ORDERS.div_euclid(2) {
            sandbox.with_provider(|provider, now| provider.revoke_access(None, now))?;
        }
        ids.push(engine.submit(Parcel::to("conversions").json(&local::order(number))?).await?);
    }
    for id in ids {
        engine.outcome(id).await?;
    }

    let (counts, seen) = (engine.counts().await?, sandbox.with_provider(|provider, _| provider.summary()));
    let spent: u32 = engine.list(Filter::default()).await?.iter().map(|delivery| delivery.spent).sum();
    println!("accepted {ORDERS}, delivered {}, failed {}", counts.done, counts.failed);
    println!("the provider counted {}, and saw {} twice", seen.applied, seen.duplicates);
    println!("refreshes: {}", seen.refreshes_ok);
    println!("attempts that counted against a budget: {spent}");
    println!("some requests were refused: {}", seen.refused > 0);
    println!("no more than were in the air, and 24: {}", seen.refused <= IN_THE_AIR.saturating_add(24));
    engine.stop().await?;
    sandbox.stop().await;
    Ok(())
}
