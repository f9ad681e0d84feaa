//! Webhooks through the engine, from a configuration file: what a receiver sees over retries, while secrets rotate, and when
//! it wants no more.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use serde_json::json;
use standardwebhooks::Webhook;

use crate::site::{Came, Receiver, Site};

const OLD: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const NEW: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn configured(receiver: &Receiver, secrets: &[&str]) -> String {
    let address = &receiver.address;
    format!(
        "[destination.hook]\nkind = \"webhook\"\nurl = \"{address}/hooks/1?a=b\"\nsecrets = {secrets:?}\n\
         secret_headers = [{{ name = \"x-api-key\", value = \"canary-header-secret\" }}]\n[[route]]\nto = \"hook\"\nname = \"all\"\n\
         when = 'type = \"track\"'\n"
    )
}

/// Whether the public library, given this secret, takes the request for ours. It also asks that it be recent, which by the
/// test's clock it is not: so the time is checked apart.
fn signed_by(came: &Came, secret: &str) -> bool {
    let library = Webhook::new(secret).unwrap();
    let seconds = came.header("webhook-timestamp").parse().unwrap();
    let ours = library.sign(came.header("webhook-id"), seconds, came.body.as_bytes()).unwrap();
    came.header("webhook-signature").split(' ').any(|one| one == ours)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_has_the_same_id_and_body_and_a_new_time() {
    let (site, receiver) = (Site::new().await, Receiver::start().await);
    let engine = site.open(&configured(&receiver, &[OLD])).await;
    receiver.answers(&[(503, ""), (429, "{}"), (204, "")]);
    let event = json!({ "type": "track", "event": "A", "messageId": "m-1", "big": 12.50 });
    let id = site.ingest_one(&engine, &event).await;
    site.done(&engine, id).await;
    let came = receiver.came();
    assert_eq!(came.len(), 3);
    let times: Vec<u64> = came.iter().map(|one| one.header("webhook-timestamp").parse().unwrap()).collect();
    assert!(times[0] < times[1] && times[1] < times[2], "{times:?}");
    let now = site.bench.clock.millis() / 1000;
    assert!(times.iter().all(|time| *time <= now && now - time < 86_400), "{times:?} {now}");
    for one in &came {
        assert_eq!(one.line, "POST /hooks/1?a=b HTTP/1.1");
        assert_eq!(
            (one.header("webhook-id"), one.body.as_str()),
            (id.to_string().as_str(), event.to_string().as_str())
        );
        assert_eq!((one.header("content-type"), one.header("x-api-key")), ("application/json", "canary-header-secret"));
        assert!(signed_by(one, OLD) && !signed_by(one, NEW));
        assert_eq!(one.header("authorization"), "", "a webhook carries no token");
    }
    assert_eq!(engine.show(id).await.unwrap().summary.attempts, 3);
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_secrets_rotate_both_sign_and_the_id_stays_over_a_restart() {
    let (site, receiver) = (Site::new().await, Receiver::start().await);
    let engine = site.open(&configured(&receiver, &[OLD])).await;
    receiver.answers(&[(500, "")]);
    let id = site.ingest_one(&engine, &json!({ "type": "track", "messageId": "m-1" })).await;
    site.bench.eventually(async || receiver.came().len() == 1).await;
    let engine = site.restart(engine, &configured(&receiver, &[NEW, OLD])).await;
    site.done(&engine, id).await;
    let came = receiver.came();
    let last = came.last().unwrap();
    assert_eq!(last.header("webhook-id"), came[0].header("webhook-id"));
    assert!(signed_by(last, NEW) && signed_by(last, OLD), "{last:?}");
    assert_eq!(last.header("webhook-signature").split(' ').count(), 2);
    assert!(!signed_by(&came[0], NEW));
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_gone_fails_at_once_and_no_secret_is_shown() {
    let (site, receiver) = (Site::new().await, Receiver::start().await);
    let engine = site.open(&configured(&receiver, &[NEW, OLD])).await;
    for (answer, words) in [(410, "wants no events any more"), (401, "newest secret"), (400, "400")] {
        receiver.answers(&[(answer, "canary-header-secret whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]);
        let id = site.ingest_one(&engine, &json!({ "type": "track", "messageId": format!("m-{answer}") })).await;
        let failed = site.failed(&engine, id).await;
        assert_eq!(failed.attempts, 1, "{answer}");
        assert!(failed.reason.contains(words) && !failed.code.is_empty(), "{failed:?}");
        let shown = serde_json::to_string(&engine.show(id).await.unwrap()).unwrap();
        let why = engine.why(id).await.unwrap().join(" ");
        for secret in ["canary-header-secret", "MfKQ9r8G", "C2FVsBQI"] {
            assert!(!format!("{shown}{why}{}", failed.reason).contains(secret), "{answer}: {shown} {why}");
        }
        assert!(shown.contains(&failed.code), "{shown}");
    }
    assert_eq!(receiver.came().len(), 3);
    engine.stop().await.unwrap();
}
