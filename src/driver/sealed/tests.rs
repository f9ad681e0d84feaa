use std::sync::Arc;

use outlast_state::{Span, Time};
use url::Url;

use super::*;
use crate::authorisation::Authorisation;
use crate::builder::{Builder, OAuth};
use crate::driver::grants::Brought;
use crate::driver::heart::Gathering;
use crate::driver::{Ask, Look};
use crate::guard::Audience;
use crate::oauth::Profile;
use crate::recover::{self, Recovered};
use crate::secret::Secret;
use crate::store::memory::{Fate, MemoryStore};

const NOW: Time = Time::from_millis(1_780_000_000_000);
const NAMES: [&str; 5] = ["acme", "beta", "corp", "delta", "echo"];

fn key() -> VaultKey {
    VaultKey::random().unwrap()
}

/// An engine's heart over this store, which looks at two sealed records a turn.
fn heart(store: &MemoryStore, keys: &[&VaultKey], names: &[&str]) -> Heart {
    let nobody = Url::parse("http://127.0.0.1:1/").unwrap();
    let mut builder = Builder::new("unused".into()).vault_key(keys[0].clone()).hold(true);
    builder.slice = 2;
    builder = keys[1..].iter().fold(builder, |builder, key| builder.old_vault_key((*key).clone()));
    for name in names {
        let profile = Profile::generic("nobody", nobody.clone(), Audience::of([&nobody]));
        builder = builder.credential(*name, OAuth::new(profile, "client", Secret::new("hush")));
    }
    let store: Arc<dyn Store> = Arc::new(store.clone());
    let Recovered { heart, .. } = recover::recovered(&mut builder, &store, 7, NOW).unwrap();
    heart
}

/// A turn, committed, and its acts that only answer done.
fn turn(heart: &mut Heart, store: &MemoryStore, ask: Option<Ask>) {
    let mut gathering = Gathering::default();
    ask.into_iter().for_each(|ask| gathering.call(ask));
    let turn = heart.turn(gathering, NOW).unwrap();
    let durable = store.commit(turn.writes).unwrap();
    for act in turn.acts {
        if let crate::driver::acts::Act::Answer(answer) = act {
            answer(durable);
        }
    }
}

fn authorised(old: &VaultKey) -> MemoryStore {
    let store = MemoryStore::new();
    let mut heart = heart(&store, &[old], &NAMES);
    for name in NAMES {
        let grant = Authorisation {
            access: Secret::new(format!("access-{name}")),
            refresh: Some(Secret::new(format!("refresh-{name}"))),
            issued: Some(NOW),
            expires: Some(NOW.after(Span::from_secs(86_400))),
            refresh_expires: None,
            scope: None,
        };
        let (reply, mut answer) = oneshot::channel();
        turn(&mut heart, &store, Some(Ask::Authorise { credential: name.to_owned(), grant, reply }));
        answer.try_recv().unwrap().unwrap();
    }
    store
}

/// The keys that what is durable is sealed with, a record each; each opens, with the vault that has both.
fn sealed_with(store: &MemoryStore, keys: &[&VaultKey]) -> Vec<crate::vault::KeyId> {
    let vault = keys[1..].iter().fold(Vault::new(keys[0]), |vault, key| vault.and_opens_with(key));
    let mut found = Vec::new();
    for (key, sealed) in store.durable_records() {
        let opened = match &key {
            Key::Token(name, epoch) => {
                vault.open_access(name, *epoch, &sealed).map(|token| token.reveal() == format!("access-{name}"))
            }
            Key::Grant(name) => vault
                .open_grant(name, Epoch::from_number(1), &sealed)
                .map(|grant| grant.refresh.unwrap().reveal() == format!("refresh-{name}")),
            _ => continue,
        };
        assert_eq!(opened, Ok(true), "{key}");
        found.push(Vault::key_of(&sealed).unwrap());
    }
    assert_eq!(found.len(), 2 * NAMES.len());
    found
}

fn rekey(heart: &mut Heart, store: &MemoryStore, key: &VaultKey) -> Rekeyed {
    let (reply, mut answer) = oneshot::channel();
    turn(heart, store, Some(Ask::Rekey { key: key.clone(), reply }));
    for _ in 0..50 {
        turn(heart, store, None);
        if let Ok(done) = answer.try_recv() {
            return done.unwrap();
        }
    }
    panic!("it does not end");
}

fn check(heart: &mut Heart, store: &MemoryStore) -> VaultView {
    let (reply, mut answer) = oneshot::channel();
    turn(heart, store, Some(Ask::Look(Look::Vault { reply })));
    for _ in 0..50 {
        turn(heart, store, None);
        if let Ok(found) = answer.try_recv() {
            return found.unwrap();
        }
    }
    panic!("it does not end");
}

#[test]
fn everything_is_sealed_anew_slice_by_slice_and_once() {
    let (old, new) = (key(), key());
    let store = authorised(&old);
    let mut heart = heart(&store, &[&old], &NAMES);
    let done = rekey(&mut heart, &store, &new);
    assert_eq!(done, Rekeyed { key: new.id().to_string(), resealed: 10, already: 0, left: Vec::new() });
    assert!(sealed_with(&store, &[&new]).iter().all(|key| *key == new.id()), "the old key is not needed any more");
    let again = rekey(&mut heart, &store, &new);
    assert_eq!((again.resealed, again.already), (0, 10));
    let found = check(&mut heart, &store);
    assert_eq!(found.keys, [new.id().to_string(), old.id().to_string()]);
    assert!(found.records.len() == 10 && found.records.iter().all(|record| record.problem.is_none()), "{found:?}");
}

/// At every turn of a change, before its commit, within it, and after: what the store then holds opens with both keys, each
/// record with one of them; and a second change ends what the first began.
#[test]
fn a_crash_at_any_point_of_a_change_leaves_every_record_under_one_of_the_two_keys() {
    let mut mixed = 0;
    for turns in 0..9 {
        for fate in [Fate::LoseAll, Fate::KeepAll] {
            let (old, new) = (key(), key());
            let store = authorised(&old);
            let mut first = heart(&store, &[&old], &NAMES);
            let (reply, _answer) = oneshot::channel();
            turn(&mut first, &store, Some(Ask::Rekey { key: new.clone(), reply }));
            for _ in 0..turns {
                turn(&mut first, &store, None);
            }
            // The next one is written, and the machine dies before its barrier.
            store.write(first.turn(Gathering::default(), NOW).unwrap().writes).unwrap();
            drop(first);
            store.crash(fate);
            let store = store.reopen().unwrap();
            let keys = sealed_with(&store, &[&new, &old]);
            mixed += usize::from(keys.contains(&old.id()) && keys.contains(&new.id()));

            let mut second = heart(&store, &[&new, &old], &NAMES);
            let left = keys.iter().filter(|key| **key == old.id()).count() as u64;
            let done = rekey(&mut second, &store, &new);
            assert_eq!((done.resealed, done.already), (left, 10 - left), "after {turns} turns, {fate:?}");
            sealed_with(&store, &[&new]);
        }
    }
    assert!(mixed >= 6, "the sweep met {mixed} stores in between");
}

#[test]
fn a_token_that_comes_in_after_the_change_is_sealed_with_the_new_key_also_if_it_was_sealed_before() {
    let (old, new) = (key(), key());
    let store = authorised(&old);
    let mut heart = heart(&store, &[&old], &NAMES);
    let vault = Vault::new(&old);
    let second = Epoch::from_number(2);
    let grant = crate::vault::Grant { refresh: Some(Secret::new("refresh-2")), refresh_expires: Time::NEVER };
    let brought = Brought {
        issued: NOW,
        expires: NOW.after(Span::from_secs(60)),
        ends: Time::NEVER,
        sealed_token: vault.seal_access("acme", second, &Secret::new("access-2")).unwrap(),
        sealed_grant: vault.seal_grant("acme", second, &grant).unwrap(),
        token: Secret::new("access-2"),
    };
    rekey(&mut heart, &store, &new);
    let ending = heart.sealed_now("acme", Epoch::from_number(1), RenewalEnding::Renewed(brought));
    let RenewalEnding::Renewed(brought) = ending else { panic!("it is still renewed") };
    let only_new = Vault::new(&new);
    assert_eq!(only_new.open_access("acme", second, &brought.sealed_token).unwrap().reveal(), "access-2");
    assert_eq!(
        only_new.open_grant("acme", second, &brought.sealed_grant).unwrap().refresh.unwrap().reveal(),
        "refresh-2"
    );
}

#[test]
fn what_does_not_open_is_left_as_it_is_and_told() {
    let (old, new) = (key(), key());
    let store = authorised(&old);
    let token = |name: &str| Key::Token(name.to_owned(), Epoch::from_number(1));
    let foreign = Vault::new(&key()).seal_access("beta", Epoch::from_number(1), &Secret::new("x")).unwrap();
    store.replace(&token("beta"), Some(foreign.clone()));
    store.tamper(&token("corp"), |record| *record.last_mut().unwrap() ^= 1);
    let moved = store.durable(&token("acme"));
    store.replace(&token("delta"), moved.clone());
    let mut heart = heart(&store, &[&old], &NAMES);
    let found = check(&mut heart, &store);
    let problem = |name: &str| {
        let mut of_it =
            found.records.iter().filter(|record| record.credential == name && record.what == "access token");
        of_it.next().unwrap().problem.clone().unwrap_or_default()
    };
    assert!(problem("beta").contains("sealed with another key"), "{found:?}");
    assert!(problem("corp").contains("does not verify") && problem("delta").contains("does not verify"), "{found:?}");
    assert_eq!(found.records.iter().filter(|record| record.problem.is_some()).count(), 3);
    let done = rekey(&mut heart, &store, &new);
    assert_eq!((done.resealed, done.left.len()), (7, 3));
    assert_eq!(store.durable(&token("beta")), Some(foreign));
    assert_eq!(store.durable(&token("delta")), moved);
}

/// Its credential was taken out of the configuration, or its record is damaged: the key does not say for which epoch a grant was
/// sealed.
#[test]
fn a_grant_without_its_credential_is_sealed_anew_too() {
    let (old, new) = (key(), key());
    let store = authorised(&old);
    store.tamper(&Key::Credential("echo".into()), |record| record.truncate(3));
    store.replace(&Key::Credential("delta".into()), None);
    let mut heart = heart(&store, &[&old], &["acme", "echo"]);
    let done = rekey(&mut heart, &store, &new);
    assert_eq!((done.resealed, done.left), (10, Vec::new()));
    sealed_with(&store, &[&new]);
}

#[test]
fn one_change_at_a_time() {
    let (old, new) = (key(), key());
    let store = authorised(&old);
    let mut heart = heart(&store, &[&old], &NAMES);
    let (first, _waiting) = oneshot::channel();
    turn(&mut heart, &store, Some(Ask::Rekey { key: new.clone(), reply: first }));
    let (second, mut answer) = oneshot::channel();
    turn(&mut heart, &store, Some(Ask::Rekey { key: key(), reply: second }));
    assert_eq!(answer.try_recv().unwrap().err().unwrap().kind(), ErrorKind::Busy);
}
