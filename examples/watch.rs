//! The states that one delivery goes through while its token dies and the next one spreads. The provider's clock stands
//! still until the delivery waits for the new token to spread: then it spreads.

mod local;

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use outlast::{Parcel, clock};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let time = Arc::new(AtomicU64::new(clock::wall().as_millis()));
    let wall = Arc::clone(&time);
    let switches = json!({"nodes": ["n1"], "visibility": {"fixed": {"n1": 5000}}});
    let sandbox = local::provider(switches, json!([]), Arc::new(move || wall.load(Ordering::Relaxed))).await?;
    sandbox.with_provider(|provider, now| provider.revoke_access(None, now))?;

    let engine = local::engine(&sandbox)?.open().await?;
    engine.pause(outlast::Scope::Destination("conversions".into())).await?;
    let id = engine.submit(Parcel::to("conversions").json(&local::order(1))?).await?;
    let mut watch = engine.watch(id).await?;
    engine.resume(outlast::Scope::Destination("conversions".into())).await?;

    while let Some(now) = watch.next().await {
        println!("{:<20} attempts {}", now.state, now.attempts);
        if now.state == "AwaitingPropagation" {
            time.fetch_add(5000, Ordering::Relaxed);
            println!("    {}", engine.why(id).await?.first().map_or("", String::as_str));
        }
        if now.ended_ms.is_some() {
            break;
        }
    }
    engine.stop().await?;
    sandbox.stop().await;
    Ok(())
}
