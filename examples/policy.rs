//! A policy of one's own. The provider takes an order and the connection breaks before its answer arrives: the order may
//! have arrived, or not. The policy that ships sends it again with the same key, and the provider counts it once. This one
//! holds it for an operator, as one would for a provider that does not recognise a repeat.

mod local;

use std::error::Error;
use std::sync::Arc;

use outlast::state::{Choice, Delivery, Policy, Standard, Time, Trouble, laws};
use outlast::{Builder, Outcome, Parcel, clock};
use proptest::test_runner::TestRunner;
use serde_json::json;

/// As [`Standard`], but nothing that may have arrived is sent again.
struct NeverTwice;

impl Policy for NeverTwice {
    fn choose(&self, delivery: &Delivery, trouble: Trouble, now: Time) -> Choice {
        match trouble {
            Trouble::Unknown => Choice::GiveUp,
            _ => Standard::default().choose(delivery, trouble, now),
        }
    }
}

async fn run(name: &str, describe: impl FnOnce(Builder) -> Builder) -> Result<(), Box<dyn Error>> {
    let breaks = json!([{"when": {"path": "/rest/*", "uses": 1}, "action": "reset_after_apply"}]);
    let wall = Arc::new(|| clock::wall().as_millis());
    let sandbox = local::provider(json!({}), breaks, wall).await?;
    let engine = describe(local::engine(&sandbox)?).open().await?;
    let id = engine.submit(Parcel::to("conversions").json(&local::order(1))?).await?;
    match engine.outcome(id).await? {
        Outcome::Done(done) => println!("{name}: delivered, attempts {}", done.attempts),
        Outcome::Failed(failed) => {
            println!("{name}: held, attempts {}, in doubt: {}", failed.attempts, failed.in_doubt);
        }
    }
    let seen = sandbox.with_provider(|provider, _| provider.summary());
    println!("    the provider counted {} order, and recognised {} repeat(s)", seen.applied, seen.duplicates);
    engine.stop().await?;
    sandbox.stop().await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let cases = (laws::any_delivery(), laws::any_trouble(), laws::any_time());
    TestRunner::deterministic()
        .run(&cases, |(delivery, trouble, now)| Ok(laws::policy(&NeverTwice, &delivery, trouble, now)?))?;
    println!("NeverTwice obeys the laws of a policy");
    run("Standard", |engine| engine).await?;
    run("NeverTwice", |engine| engine.policy(NeverTwice)).await
}
