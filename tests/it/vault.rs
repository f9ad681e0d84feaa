//! The change of the vault's key under a running engine, and crashes within it.

use std::time::Duration;

use outlast::state::Span;
use outlast::store::memory::{Fate, MemoryStore};
use outlast::store::{Key, StoreErrorKind};
use outlast::vault::{KeyId, Vault, VaultKey};
use outlast::{Builder, ErrorKind, OAuth, Outcome, Secret};
use serde_json::json;

use crate::bench::{Bench, SETTLE};

fn key() -> VaultKey {
    VaultKey::random().unwrap()
}

/// The names of the keys that what is durable is sealed with.
fn sealed_with(store: &MemoryStore) -> Vec<KeyId> {
    let sealed = store.durable_records().into_iter().filter(|(key, _)| matches!(key, Key::Token(..) | Key::Grant(_)));
    sealed.map(|(_, record)| Vault::key_of(&record).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_engine_goes_over_to_another_key_and_goes_on_delivering() {
    let bench = Bench::new().await;
    let (old, new) = (key(), key());
    let engine = bench.authorised(bench.builder().vault_key(old.clone())).await;
    let mut ids = bench.submit_some(&engine, "before", 100).await;
    let done = engine.rekey(new.clone()).await.unwrap();
    assert_eq!((done.resealed, done.left.len()), (2, 0));
    assert_eq!(done.key, new.id().to_string());
    // The next token is asked for with the grant that was sealed anew.
    bench.revoke_access();
    ids.extend(bench.submit_some(&engine, "after", 100).await);
    bench.all_done(&engine, &ids).await;
    assert_eq!((bench.saw("refreshes_ok"), bench.saw("applied")), (1, 200));
    let view = engine.vault().await.unwrap();
    assert_eq!(view.keys, [new.id().to_string(), old.id().to_string()]);
    assert!(view.records.iter().all(|record| record.problem.is_none() && record.key.as_ref() == Some(&view.keys[0])));
    assert!(view.records.iter().any(|record| record.what == "refresh token" && record.epoch == 2), "{view:?}");
    engine.stop().await.unwrap();

    bench.reopen();
    assert!(sealed_with(&bench.store()).iter().all(|key| *key == new.id()), "nothing needs the old key");
    let engine = bench.builder().vault_key(new.clone()).open().await.unwrap();
    let id = bench.submit(&engine, "with the new key").await;
    bench.all_done(&engine, &[id]).await;
    engine.stop().await.unwrap();
    bench.reopen();
    let engine = bench.builder().vault_key(old).open().await.unwrap();
    let told = engine.credentials().await.unwrap()[0].detail.clone();
    assert!(told.contains("sealed with another key") && told.contains(&new.id().to_string()), "{told}");
    engine.stop().await.unwrap();
}

/// A refresh whose answer comes while the vault goes over to another key.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_asked_for_during_the_change_is_sealed_with_the_new_key() {
    let bench = Bench::with(json!({"switches": {"token_latency_ms": {"min_ms": 50, "max_ms": 50}}})).await;
    let (old, new) = (key(), key());
    let engine = bench.authorised(bench.builder().vault_key(old)).await;
    bench.revoke_access();
    let ids = bench.submit_some(&engine, "waits", 10).await;
    let is_out = async || engine.credentials().await.unwrap()[0].detail.contains("the request is out");
    bench.eventually(is_out).await;
    engine.rekey(new.clone()).await.unwrap();
    // The provider's time is the bench's, which nobody moves while something is in the air.
    while is_out().await {
        bench.clock.advance(Span::from_millis(60));
        let _ = tokio::time::timeout(Duration::from_millis(20), std::future::pending::<()>()).await;
    }
    bench.all_done(&engine, &ids).await;
    engine.stop().await.unwrap();
    bench.reopen();
    let keys = sealed_with(&bench.store());
    assert!(keys.len() >= 2 && keys.iter().all(|key| *key == new.id()), "{keys:?}");
    assert_eq!(bench.saw("refreshes_ok"), 1);
}

const NAMES: [&str; 4] = ["acme", "beta", "corp", "delta"];

fn many(bench: &Bench, keys: &[&VaultKey]) -> Builder {
    let builder = keys[1..]
        .iter()
        .fold(bench.builder().vault_key(keys[0].clone()), |builder, key| builder.old_vault_key((*key).clone()));
    NAMES[1..].iter().fold(builder, |builder, name| {
        builder.credential(*name, OAuth::new(bench.profile(), "client-id-1", Secret::new("canary-client-secret")))
    })
}

/// The store fails at each of its writes and barriers in turn, and then loses, or keeps, what had no barrier.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_during_the_change_opens_with_both_keys_and_the_change_can_be_ended() {
    let (mut failed, mut point) = (0, 0);
    loop {
        let bench = Bench::new().await;
        let (old, new) = (key(), key());
        let engine = many(&bench, &[&old]).open().await.unwrap();
        for name in NAMES {
            engine.authorise(name, bench.grant("canary-access-1", "canary-refresh-1")).await.unwrap();
        }
        let nth = point / 4 + 1;
        match point % 2 {
            0 => bench.store().fail_write(nth, StoreErrorKind::Failed),
            _ => bench.store().fail_barrier(nth, StoreErrorKind::Failed),
        }
        let changed = engine.rekey(new.clone()).await;
        let fate = if point % 4 < 2 { Fate::LoseAll } else { Fate::KeepAll };
        drop(engine);
        bench.crash(fate);
        let keys = sealed_with(&bench.store());
        assert_eq!(keys.len(), 2 * NAMES.len());
        match &changed {
            Err(why) => {
                assert_eq!(why.kind(), ErrorKind::Storage, "{why}");
                failed += 1;
            }
            Ok(_) => assert!(keys.iter().all(|key| *key == new.id()), "what was told is durable"),
        }
        let engine = many(&bench, &[&new, &old]).open().await.unwrap();
        let view = engine.vault().await.unwrap();
        assert!(view.records.len() == 8 && view.records.iter().all(|record| record.problem.is_none()), "{view:?}");
        let done = engine.rekey(new.clone()).await.unwrap();
        assert_eq!((done.resealed + done.already, done.left.len()), (8, 0));
        bench.clock.advance(SETTLE);
        let id = bench.submit(&engine, "still delivered").await;
        assert!(matches!(bench.outcomes(&engine, &[id]).await[..], [Outcome::Done(_)]));
        engine.stop().await.unwrap();
        bench.reopen();
        assert!(sealed_with(&bench.store()).iter().all(|key| *key == new.id()));
        point += 1;
        if changed.is_ok() && point % 4 == 0 {
            break;
        }
        assert!(point < 100, "it does not end");
    }
    assert!(failed >= 4, "the sweep met {failed} failures");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_without_a_key_has_no_vault_to_change() {
    let store = std::sync::Arc::new(MemoryStore::new());
    let engine = outlast::Engine::builder("unused").store(store).open().await.unwrap();
    assert_eq!(engine.rekey(key()).await.err().unwrap().kind(), ErrorKind::Configuration);
    assert_eq!(engine.vault().await.err().unwrap().kind(), ErrorKind::Configuration);
    engine.stop().await.unwrap();
}
