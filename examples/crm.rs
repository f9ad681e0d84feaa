//! A destination that is declared in `crm/outlast.toml` alone talks to a made-up CRM, whose refresh tokens rotate: each refresh
//! kills the refresh token before it. The access token expires twice; everything arrives, each contact once.

use std::error::Error;
use std::sync::Arc;

use outlast::config::Config;
use outlast::route::Event;
use outlast::sandbox::{Options, Sandbox};
use outlast::state::Time;
use outlast::vault::VaultKey;
use outlast::{Authorisation, Secret, clock};
use serde_json::json;

const MONTH: u64 = 30 * 86_400;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = json!({
        "grants": [{"access_token": "access-1", "refresh_token": "refresh-1", "scope": "crm.contacts", "age_s": MONTH}],
        "switches": {"rotate_refresh": "new_old_dead"}
    });
    let crm = Sandbox::start(Options::from_json(&options)?, Arc::new(|| clock::wall().as_millis())).await?;

    let folder = tempfile::tempdir()?;
    let (file, here) = (folder.path().join("outlast.toml"), format!("http://{}", crm.api_addr()));
    let text = include_str!("crm/outlast.toml").replace("https://crm.example.com", &here);
    std::fs::write(&file, text.replace("${CRM_CLIENT_SECRET}", "client-secret-1"))?;
    VaultKey::create(&folder.path().join("outlast.key"))?;
    let engine = Config::load(&file)?.builder()?.open().await?;
    let (access, refresh) = (Secret::new("access-1"), Some(Secret::new("refresh-1")));
    let issued = Some(Time::from_millis(clock::wall().as_millis().saturating_sub(MONTH.saturating_mul(1000))));
    engine
        .authorise("crm", Authorisation { access, refresh, issued, expires: None, refresh_expires: None, scope: None })
        .await?;

    for round in 0..3_u32 {
        if round > 0 {
            crm.with_provider(|provider, now| provider.expire_access(None, now))?;
        }
        let people = (0..100_u32).map(|number| {
            let traits =
                json!({"email": format!("person-{round}-{number}@example.org"), "name": format!("Person {number}")});
            Event::json(json!({"type": "identify", "messageId": format!("m-{round}-{number}"), "traits": traits}))
        });
        for made in engine.ingest_all(people.collect::<Result<_, _>>()?).await?.into_iter().flatten() {
            engine.outcome(made.delivery?).await?;
        }
    }

    let (counts, seen) = (engine.counts().await?, crm.with_provider(|provider, _| provider.summary()));
    println!("delivered {}, failed {}", counts.done, counts.failed);
    println!("the CRM has {} contacts, and was told {} of them twice", seen.applied, seen.duplicates);
    println!("refreshes: {}, each with the refresh token of the one before", seen.refreshes_ok);
    engine.stop().await?;
    crm.stop().await;
    Ok(())
}
