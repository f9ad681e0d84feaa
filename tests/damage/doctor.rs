//! What `outlast doctor` says of a store, what it saves, and that it changes nothing.

use std::fs;

use outlast::doctor::{self, Examination};
use outlast::state::{DeliveryId, Epoch};
use outlast::store::keys::Meta;
use outlast::store::{DiskStore, Key, StoreKind, Table};
use outlast::{Error, ErrorKind, Filter, Scope};

use crate::place::{Place, event, grant, killed, made};

on_each_kind! {
    a_whole_store_is_well_and_is_saved_whole,
    each_record_that_does_not_verify_is_named_with_what_to_do,
    what_points_to_nothing_is_named,
    a_gap_is_accepted_by_a_human_only,
    a_store_in_use_is_left_alone,
    a_salvage_tells_when_nobody_can_say_whether_it_is_all,
    a_store_that_opens_in_no_way_is_not_told_to_be_saved,
    copies_that_a_killed_doctor_left_go_with_the_next_one,
    what_is_told_to_be_done_helps,
    nothing_is_saved_into_the_store_itself,
    what_lies_around_a_bad_page_is_saved,
    what_only_the_journal_holds_is_examined_and_saved,
}

fn found(place: &Place) -> Examination {
    let before = place.bytes();
    let found = doctor::examine(&place.path()).unwrap();
    assert!(place.bytes() == before, "it changed the store");
    assert_eq!(place.litter(), [] as [String; 0], "it left something");
    found
}

/// The remedies for what is found about `subject`.
fn remedies<'a>(found: &'a Examination, subject: &str) -> Vec<&'a str> {
    let about = found.findings.iter().filter(|finding| finding.subject.contains(subject));
    about.map(|finding| finding.remedy.as_str()).collect()
}

/// Flips a bit of each of these records.
fn spoil(place: &Place, keys: &[Key]) {
    let records = place.records();
    place.behind(keys.iter().map(|key| {
        let mut value = records[key].clone();
        *value.last_mut().unwrap() ^= 1;
        (key.clone(), Some(value))
    }));
}

async fn a_whole_store_is_well_and_is_saved_whole(kind: StoreKind) {
    let (place, ids) = made(kind, 3).await;
    let truth = place.records();
    let found = found(&place);
    assert!(found.ok && found.findings.is_empty() && found.refusal.is_none(), "{found:?}");
    assert_eq!((found.format, found.commit), (Some(3), found.acknowledged));
    let deliveries = found.tables.iter().find(|table| table.table == "delivery").unwrap();
    assert_eq!((deliveries.found, deliveries.counted), (6, Some(6)), "and one has ended");

    let to = place.beside("saved");
    let salvage = doctor::salvage(&place.path(), &to).unwrap();
    assert_eq!((salvage.deliveries, salvage.left.len()), (7, 0));
    let store = DiskStore::open(&to, &place.options()).unwrap();
    let (mut saved, mut truth) = (crate::place::everything(&store).unwrap(), truth);
    let clock = Key::Meta(Meta::Clock); // what was read of a store does not count as one that was stopped cleanly
    assert_ne!(saved.remove(&clock), truth.remove(&clock));
    // The counts are of the old store; who opens the new one counts what is there.
    assert!(saved.remove(&Key::Meta(Meta::Counts)).is_none() && truth.remove(&Key::Meta(Meta::Counts)).is_some());
    let differ: Vec<&Key> = truth.keys().chain(saved.keys()).filter(|key| saved.get(key) != truth.get(key)).collect();
    assert_eq!(differ, [] as [&Key; 0]);
    drop(store);
    let engine = place.builder_on(&to).open().await.unwrap();
    assert_eq!(engine.list(Filter::default()).await.unwrap().len(), ids.len());
    assert_eq!(engine.pauses().await.unwrap().len(), 1);
    assert_eq!(engine.credentials().await.unwrap()[0].state, "Current");
    engine.stop().await.unwrap();
}

async fn each_record_that_does_not_verify_is_named_with_what_to_do(kind: StoreKind) {
    let (place, ids) = made(kind, 0).await;
    let once = place.records().keys().find(|key| key.table() == Table::Once).unwrap().clone();
    let pause = place.records().keys().find(|key| key.table() == Table::Pause).unwrap().clone();
    let credential = Key::Credential("acme".into());
    let keys = [
        Key::Delivery(ids[0]),
        Key::Parcel(ids[1]),
        Key::Body(ids[3], 0),
        once,
        pause,
        credential,
        Key::Meta(Meta::Clock),
    ];
    spoil(&place, &keys);
    let found = found(&place);
    assert!(!found.ok);
    assert_eq!(found.refusal, None, "it opens, and these are left alone");
    for (key, remedy) in
        keys.iter().zip(["salvage", "cancel", "cancel", "refused", "resume", "auth import acme", "anew"])
    {
        let remedies = remedies(&found, &key.to_string());
        assert!(remedies.iter().any(|told| told.contains(remedy)), "{key}: {remedies:?}");
    }
    let unsendable = remedies(&found, &format!("delivery {}", ids[3]));
    assert!(unsendable.iter().any(|told| told.contains("outlast cancel")), "{unsendable:?}");

    let salvage = doctor::salvage(&place.path(), &place.beside("saved")).unwrap();
    assert_eq!(salvage.deliveries, 1, "only one has all of its records: {:?}", salvage.left);
    for key in &keys {
        let id = match key {
            Key::Parcel(id) | Key::Body(id, _) => Key::Delivery(*id).to_string(),
            key => key.to_string(),
        };
        assert!(salvage.left.iter().any(|left| left.key.contains(&id)), "{id}: {:?}", salvage.left);
    }
    // The credential's record is lost; that its epoch was 1 is not.
    let engine = place.builder_on(&place.beside("saved")).open().await.unwrap();
    let view = engine.credentials().await.unwrap().remove(0);
    assert_eq!((view.state.as_str(), view.epoch), ("Dead", 1));
    assert!(engine.pauses().await.unwrap().is_empty());
    engine.resume(Scope::Credential("acme".into())).await.unwrap();
    engine.stop().await.unwrap();
}

async fn what_points_to_nothing_is_named(kind: StoreKind) {
    let (place, ids) = made(kind, 0).await;
    let records = place.records();
    let gone = [
        Key::Delivery(ids[0]),
        Key::Parcel(ids[1]),
        Key::Grant("acme".into()),
        Key::Token("acme".into(), Epoch::from_number(1)),
    ];
    assert!(gone.iter().all(|key| records.contains_key(key)));
    place.behind(gone.map(|key| (key, None)));
    if kind == StoreKind::Sled {
        fs::write(place.sled().join("snap.00FF.generating"), "half").unwrap();
        fs::write(place.sled().join("blobs").join("0001"), "page").unwrap();
    }
    let found = found(&place);
    let refusal = found.refusal.clone().unwrap();
    assert!(refusal.contains(if kind == StoreKind::Sled { "blobs" } else { "missing" }), "{refusal}");
    let told = |subject: &str, what: &str| {
        let about = |finding: &&doctor::Finding| finding.subject.contains(subject) && finding.what.contains(what);
        assert!(found.findings.iter().any(|finding| about(&finding)), "{subject} {what}: {:#?}", found.findings);
    };
    told("table delivery", "1 of 3 records is missing");
    told(&format!("parcel {}", ids[0]), "its delivery is not");
    told(&format!("delivery {}", ids[1]), "its parcel is missing");
    told("once", &ids[0].to_string());
    told("credential", "its grant is not in the store");
    told("credential", "its token is not in the store");
    if kind == StoreKind::Sled {
        told(".generating", "interrupted snapshot");
        told("blobs", "outside of the file");
    }
}

async fn a_gap_is_accepted_by_a_human_only(kind: StoreKind) {
    let (newer, ids) = made(kind, 0).await;
    let place = newer.copied();
    let engine = newer.open().await;
    engine.cancel(ids[0]).await.unwrap();
    engine.stop().await.unwrap();
    fs::copy(newer.path().join("mark"), place.path().join("mark")).unwrap();
    let found = found(&place);
    assert!(!found.ok);
    assert!(remedies(&found, "file mark").len() == 1 && found.findings[0].what.contains("--accept-gap"), "{found:?}");
    let refused: Error = place.builder_on(&place.path()).open().await.err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Corrupt);
    // What is saved has no gap of its own: the salvage itself must tell of it.
    let salvage = doctor::salvage(&place.path(), &place.beside("saved")).unwrap();
    assert_eq!((salvage.deliveries, salvage.left.len()), (4, 1), "{salvage:?}");
    assert!(salvage.left[0].key == "the end of the store" && salvage.left[0].why.contains("was acknowledged"));
    let gap = doctor::accept_gap(&place.path()).unwrap();
    assert!(gap.acknowledged.unwrap() > gap.commit, "{gap:?}");
    assert!(doctor::examine(&place.path()).unwrap().ok);
    let engine = place.open().await;
    assert_eq!(engine.show(ids[0]).await.unwrap().summary.state, "Pending");
    engine.stop().await.unwrap();
}

async fn a_store_in_use_is_left_alone(kind: StoreKind) {
    let (place, _) = made(kind, 0).await;
    let engine = place.open().await;
    for refused in [
        doctor::examine(&place.path()).err().unwrap(),
        doctor::salvage(&place.path(), &place.beside("saved")).err().unwrap(),
        doctor::accept_gap(&place.path()).err().unwrap(),
    ] {
        assert_eq!(refused.kind(), ErrorKind::Held);
        assert!(refused.to_string().contains(&std::process::id().to_string()), "{refused}");
    }
    engine.stop().await.unwrap();
    drop(engine);
    fs::create_dir(place.beside("full")).unwrap();
    fs::write(place.beside("full").join("file"), "mine").unwrap();
    let refused = doctor::salvage(&place.path(), &place.beside("full")).err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Caller);
    let nothing = doctor::examine(&place.beside("full")).err().unwrap();
    assert!(nothing.to_string().contains("there is no store at"), "{nothing}");
}

async fn a_salvage_tells_when_nobody_can_say_whether_it_is_all(kind: StoreKind) {
    let (place, _) = made(kind, 0).await;
    let unwitnessed = place.copied();
    fs::remove_file(unwitnessed.path().join("mark")).unwrap();
    let salvage = doctor::salvage(&unwitnessed.path(), &unwitnessed.beside("saved")).unwrap();
    assert!(salvage.left.len() == 1 && salvage.left[0].why.contains("the file mark does not say"), "{salvage:?}");
    place.behind_ledger(Some(b"junk"));
    let examined = found(&place);
    let subjects: Vec<&str> = examined.findings.iter().map(|finding| finding.subject.as_str()).collect();
    assert_eq!(subjects, ["the ledger"], "nobody knows the last commit: {examined:?}");
    place.behind_ledger(None);
    let salvage = doctor::salvage(&place.path(), &place.beside("saved")).unwrap();
    assert!(salvage.deliveries == 4 && salvage.left.iter().any(|left| left.key == "the ledger"), "{salvage:?}");
}

async fn a_store_that_opens_in_no_way_is_not_told_to_be_saved(kind: StoreKind) {
    let (place, _) = made(kind, 0).await;
    drop(place.store().unwrap());
    fs::write(place.base(), "").unwrap();
    for refused in [
        doctor::examine(&place.path()).err().unwrap(),
        doctor::salvage(&place.path(), &place.beside("saved")).err().unwrap(),
        doctor::accept_gap(&place.path()).err().unwrap(),
    ] {
        let said = refused.to_string();
        assert!(said.contains("put back a backup") && !said.contains("outlast doctor"), "{said}");
    }
    assert_eq!(place.litter(), [] as [String; 0]);
}

async fn copies_that_a_killed_doctor_left_go_with_the_next_one(kind: StoreKind) {
    let (place, _) = made(kind, 0).await;
    let (left, saved) = (".outlast-doctor-1-0", place.beside("saved"));
    for parent in [place.beside("."), saved.clone()] {
        fs::create_dir_all(parent.join(left).join("try-0")).unwrap();
        fs::write(parent.join(left).join("try-0/db"), "older").unwrap();
    }
    assert_eq!(doctor::salvage(&place.path(), &saved).unwrap().deliveries, 4);
    let mut names: Vec<_> = fs::read_dir(&saved).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    let mut expected = ["mark", place.base_name()];
    expected.sort_unstable();
    assert_eq!(names, expected);
    fs::remove_dir_all(&saved).unwrap();
    assert!(found(&place).ok);
}

/// Each remedy, done as it is told, helps.
async fn what_is_told_to_be_done_helps(kind: StoreKind) {
    let (place, ids) = made(kind, 0).await;
    let pause = place.records().into_keys().find(|key| key.table() == Table::Pause).unwrap();
    let event = |n: usize| outlast::Parcel::to("conversions").json(&event(&format!("order-{n}"), [0, 7_000][n / 3]));
    for damaged in [
        Key::Parcel(ids[0]),
        Key::Body(ids[3], 0),
        Key::Credential("acme".into()),
        Key::Meta(Meta::Clock),
        Key::Meta(Meta::Identity),
        pause.clone(),
    ] {
        let place = place.copied();
        spoil(&place, std::slice::from_ref(&damaged));
        assert!(!found(&place).ok, "{damaged}");
        let engine = place.open().await;
        match &damaged {
            Key::Parcel(id) | Key::Body(id, _) => {
                assert_eq!(engine.cancel(*id).await.unwrap().state, "Failed");
                let n = ids.iter().position(|known| known == id).unwrap();
                let repeated = engine.submit(event(n).unwrap().once(format!("order-{n}"))).await.unwrap();
                assert_eq!(repeated, *id, "the remedy says so");
                let again = engine.submit(event(n).unwrap()).await.unwrap();
                assert_eq!(engine.show(again).await.unwrap().summary.state, "Pending");
            }
            Key::Credential(name) => drop(engine.authorise(name, grant()).await.unwrap()),
            Key::Pause(_) => {
                for scope in engine.pauses().await.unwrap() {
                    engine.resume(scope).await.unwrap();
                }
            }
            _ => {}
        }
        engine.stop().await.unwrap();
        drop(engine);
        let after = found(&place);
        match &damaged {
            Key::Parcel(_) | Key::Body(..) => {
                assert!(after.findings.iter().all(|finding| finding.remedy.contains("has ended")), "{after:?}");
                let salvage = doctor::salvage(&place.path(), &place.beside("saved")).unwrap();
                assert_eq!((salvage.deliveries, salvage.left.len()), (4, 2), "{salvage:?}");
            }
            _ => assert!(after.ok, "{damaged}: {after:?}"),
        }
    }
}

async fn nothing_is_saved_into_the_store_itself(kind: StoreKind) {
    let (place, _) = made(kind, 0).await;
    for inside in ["data/saved", "data/journal/saved", "data/journal", "other/../data/a/b"] {
        fs::create_dir_all(place.beside("other")).unwrap();
        let refused = doctor::salvage(&place.path(), &place.beside(inside)).err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::Caller, "{inside}: {refused}");
    }
    assert_eq!(fs::read_dir(place.path().join("journal")).unwrap().count(), 0);
    assert!(!place.path().join("saved").exists() && !place.path().join("a").exists());
}

/// A table of several pages with one that cannot be read: what lies before and behind it is saved.
async fn what_lies_around_a_bad_page_is_saved(kind: StoreKind) {
    let (place, ids) = made(kind, 500).await;
    drop(place.store().unwrap()); // sled now has a snapshot, and reads pages when they are asked for
    let bytes = fs::read(place.base()).unwrap();
    let mut around = 0;
    for n in 0..16 {
        let damaged = place.copied();
        let (mut hole, at) = (bytes.clone(), n * (bytes.len() - 64) / 16);
        hole[at..at + 64].fill(0xA5);
        fs::write(damaged.base(), hole).unwrap();
        let Ok(salvage) = doctor::salvage(&damaged.path(), &damaged.beside("saved")) else { continue };
        let unread = salvage.left.iter().filter(|left| left.key.starts_with("from ")).count();
        let saved = usize::try_from(salvage.deliveries).unwrap();
        println!("hole at {at}: {saved} of {} deliveries saved, {unread} ranges not read", ids.len());
        if unread > 0 && saved > ids.len() / 2 {
            around += 1;
            let engine = damaged.builder_on(&damaged.beside("saved")).open().await.unwrap();
            let listed: Vec<DeliveryId> =
                engine.list(Filter::default()).await.unwrap().iter().map(|one| one.id.0).collect();
            assert_eq!(listed.len(), saved);
            engine.stop().await.unwrap();
        }
    }
    assert!(around > 0, "no page was met: the test is blind");
}

/// A store whose engine was killed: the newest deliveries are in its journal alone.
async fn what_only_the_journal_holds_is_examined_and_saved(kind: StoreKind) {
    for merging in [false, true] {
        let (place, truth) = killed(kind, merging).await.pop().unwrap();
        let deliveries = truth.keys().filter(|key| matches!(key.table(), Table::Delivery | Table::Ended)).count();
        let well = found(&place);
        assert!(well.ok && well.findings.is_empty() && well.refusal.is_none(), "{well:?}");
        assert_eq!(well.commit, well.acknowledged);
        let of_deliveries = well.tables.iter().filter(|table| ["delivery", "ended"].contains(&table.table.as_str()));
        let (read, counted) = of_deliveries
            .fold((0, 0), |(found, counted), table| (found + table.found, counted + table.counted.unwrap()));
        assert_eq!((read, counted), (deliveries as u64, deliveries as u64));
        let salvage = doctor::salvage(&place.path(), &place.beside("saved")).unwrap();
        assert_eq!((salvage.deliveries, salvage.left.len()), (deliveries as u64, 0), "{:?}", salvage.left);

        // Without its newest segment, where the base cannot have taken it over by then.
        if merging {
            continue;
        }
        let cut = place.copied();
        fs::remove_file(cut.segments().pop().unwrap()).unwrap();
        fs::remove_dir_all(cut.beside("saved")).unwrap();
        let less = found(&cut);
        assert!(!less.ok && less.findings[0].what.contains("was acknowledged"), "{less:?}");
        let salvage = doctor::salvage(&cut.path(), &cut.beside("saved")).unwrap();
        assert!(salvage.left.iter().any(|left| left.key == "the end of the store"), "{:?}", salvage.left);
        let gap = doctor::accept_gap(&cut.path()).unwrap();
        assert!(gap.acknowledged.unwrap() > gap.commit, "{gap:?}");
        assert!(doctor::examine(&cut.path()).unwrap().refusal.is_none());
        cut.open().await.stop().await.unwrap();
    }
}
