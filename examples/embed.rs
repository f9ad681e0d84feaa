//! The README's program, end to end. The provider is a sandbox in this process, so nothing leaves the machine.

use std::error::Error;
use std::sync::Arc;

use outlast::destination::linkedin;
use outlast::guard::Audience;
use outlast::oauth::Profile;
use outlast::sandbox::{Options, Sandbox};
use outlast::vault::VaultKey;
use outlast::{Authorisation, Endpoint, Engine, OAuth, Outcome, Parcel, Secret, clock};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // The provider: one grant, whose tokens work on every node.
    let grants = json!({"grants": [{"access_token": "access-1", "refresh_token": "refresh-1"}]});
    let sandbox = Sandbox::start(Options::from_json(&grants)?, Arc::new(|| clock::wall().as_millis())).await?;
    let api = format!("http://{}/rest", sandbox.api_addr());
    let mut profile = Profile::linkedin();
    profile.token_url = format!("http://{}/oauth/v2/accessToken", sandbox.api_addr()).parse()?;
    profile.audience = Audience::of([&api.parse()?]);
    let grant = Authorisation {
        access: Secret::new("access-1"),
        refresh: Some(Secret::new("refresh-1")),
        issued: None,
        expires: None,
        refresh_expires: None,
        scope: None,
    };
    let oauth = OAuth::new(profile, "client-id-1", Secret::new("client-secret-1")).first_grant(grant);

    // The engine: a store in a directory, a key for its vault, a credential, a destination.
    let directory = tempfile::tempdir()?;
    let engine = Engine::builder(directory.path().join("data"))
        .vault_key(VaultKey::create(&directory.path().join("outlast.key"))?)
        .allow_loopback(true)
        .credential("acme", oauth)
        .destination(
            "conversions",
            Endpoint::new(linkedin::conversions().rule("789123").api(&api).build()?).credential("acme"),
        )
        .open()
        .await?;

    let event = json!({
        "type": "track", "event": "Order Completed", "messageId": "order-4711", "timestamp": clock::wall().as_millis(),
        "traits": {"email": "ada@example.org"}, "properties": {"currency": "EUR", "revenue": 12.5}
    });
    let id = engine.submit(Parcel::to("conversions").json(&event)?.once("order-4711")).await?;
    let again = engine.submit(Parcel::to("conversions").json(&event)?.once("order-4711")).await?;
    println!("the same key and body is the same delivery: {}", id == again);
    match engine.outcome(id).await? {
        Outcome::Done(done) => println!("delivered: attempts {}, status {}", done.attempts, done.status),
        Outcome::Failed(failed) => println!("gave up: {}", failed.reason),
    }
    engine.stop().await?;
    Ok(())
}
