//! Whether both accounts say what the promise says. The judge knows the events from the sample's own flags, the provider's
//! account and the store's, and nothing from the engine.

use std::collections::BTreeSet;

use super::audit::Audit;
use super::ledger::Ledger;
use super::play::{Kill, Played};
use crate::sample::Sample;

/// Refused requests beyond those that were in flight at the first one (S13).
const STRAY: u64 = 24;

/// What is violated, each in a sentence; nothing if all is well.
pub(super) fn violations(sample: &Sample, played: &Played) -> Vec<String> {
    let Played { audit, ledger, kills, .. } = played;
    let found = [
        applied(&sample.valid, audit),
        applied_once(audit),
        accepted(sample, ledger),
        ended(ledger),
        delivered(sample, ledger),
        failed(sample, ledger),
        renewals(audit, ledger, kills),
        conflicts(audit),
        refused(played),
        duplicates(audit, kills),
        crashed(kills),
        (!played.stopped_well).then(|| "the engine did not stop cleanly on SIGTERM; its log says why".to_owned()),
    ];
    found.into_iter().flatten().collect()
}

fn applied(valid: &BTreeSet<String>, audit: &Audit) -> Option<String> {
    let missing: Vec<&String> = valid.iter().filter(|id| !audit.applied.contains_key(*id)).collect();
    let strange: Vec<&String> = audit.applied.keys().filter(|id| !valid.contains(*id)).collect();
    let some = |ids: &[&String]| ids.iter().take(3).map(|id| id.as_str()).collect::<Vec<_>>().join(", ");
    match (missing.as_slice(), strange.as_slice()) {
        ([], []) => None,
        (missing, []) => {
            Some(format!("lost: {} valid events were not applied, such as {}", missing.len(), some(missing)))
        }
        (_, strange) => {
            Some(format!("{} events were applied that are not valid, such as {}", strange.len(), some(strange)))
        }
    }
}

fn applied_once(audit: &Audit) -> Option<String> {
    let twice = audit.applied.values().filter(|times| **times > 1).count();
    (twice > 0).then(|| format!("{twice} events counted more than once"))
}

fn accepted(sample: &Sample, ledger: &Ledger) -> Option<String> {
    let known = count(sample.valid.len()).saturating_add(count(sample.invalid.len()));
    (ledger.accepted != known || ledger.damaged > 0).then(|| {
        format!(
            "the store holds {} deliveries ({} damaged), and {known} different events were accepted (S1)",
            ledger.accepted, ledger.damaged
        )
    })
}

fn ended(ledger: &Ledger) -> Option<String> {
    (ledger.live > 0).then(|| format!("{} deliveries have not ended", ledger.live))
}

fn delivered(sample: &Sample, ledger: &Ledger) -> Option<String> {
    let valid = count(sample.valid.len());
    (ledger.delivered != valid).then(|| format!("{} deliveries are Done, of {valid} valid events", ledger.delivered))
}

fn failed(sample: &Sample, ledger: &Ledger) -> Option<String> {
    let invalid = count(sample.invalid.len());
    (ledger.failed != invalid).then(|| format!("{} deliveries are Failed, of {invalid} invalid events", ledger.failed))
}

fn renewals(audit: &Audit, ledger: &Ledger, kills: &[Kill]) -> Option<String> {
    let renewals = audit.refreshes();
    let most = most_renewals(audit, ledger, kills);
    let fit = (1..=most).contains(&renewals) && ledger.renewals >= 1;
    // One token was revoked, so one renewal is stored, however often the provider was asked for it.
    (!fit || ledger.renewals > 1).then(|| {
        format!(
            "{renewals} renewals at the provider and {} stored; 1 was needed and at most {most} allowed (S3)",
            ledger.renewals
        )
    })
}

/// S3: as many as are stored, as had their answers lost, and as were cut off by a kill between call and result.
pub(super) fn most_renewals(audit: &Audit, ledger: &Ledger, kills: &[Kill]) -> u64 {
    let cut_off = count(kills.iter().filter(|kill| kill.left.renewing).count());
    ledger.renewals.saturating_add(audit.lost_answers).saturating_add(cut_off)
}

fn conflicts(audit: &Audit) -> Option<String> {
    let conflicts = audit.conflicts.len();
    (conflicts > 0).then(|| format!("{conflicts} events were sent with two bodies"))
}

fn refused(played: &Played) -> Option<String> {
    let (refused, in_flight) = (played.audit.refused(), in_flight_at_refusal(played));
    let most = most_refused(played);
    (refused > most).then(|| {
        format!(
            "{refused} requests were refused; {in_flight} were in flight at the first one, and {most} are allowed (S13)"
        )
    })
}

pub(super) fn most_refused(played: &Played) -> u64 {
    in_flight_at_refusal(played).saturating_add(STRAY)
}

/// What was in flight at the first refusal: by the provider's log when it was given, by the journals when it was heard. An
/// engine that was killed in between heard none, and had in flight what its store says was being sent.
pub(super) fn in_flight_at_refusal(played: &Played) -> u64 {
    let Played { audit, ledger, kills, .. } = played;
    let given = audit.refused_ms.first().copied().unwrap_or(u64::MAX);
    let unheard = kills.iter().filter(|kill| given <= kill.at_ms && !kill.left.refusal_heard);
    let cut_off = unheard.map(|kill| kill.left.sending).max().unwrap_or(0);
    audit.in_flight_at_refusal.max(ledger.in_flight_at_refusal).max(cut_off)
}

fn duplicates(audit: &Audit, kills: &[Kill]) -> Option<String> {
    let most = in_flight_at_kills(kills);
    (audit.duplicates > most).then(|| {
        format!(
            "the provider saw {} duplicates, and {most} deliveries were in flight when the engine was killed",
            audit.duplicates
        )
    })
}

/// What the store says was being sent when the engine was gone.
pub(super) fn in_flight_at_kills(kills: &[Kill]) -> u64 {
    kills.iter().map(|kill| kill.left.sending).fold(0, u64::saturating_add)
}

fn crashed(kills: &[Kill]) -> Option<String> {
    kills.is_empty().then(|| "the engine was never killed".to_owned())
}

pub(super) fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Sample {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
        Sample { events: Vec::new(), valid: names(&["a", "b"]), invalid: names(&["x"]), duplicates: 0 }
    }

    fn played() -> Played {
        let applied = [("a".to_owned(), 1), ("b".to_owned(), 1)].into();
        let audit = Audit {
            applied,
            refreshed_ms: vec![1],
            refused_ms: vec![0; 30],
            in_flight_at_refusal: 6,
            duplicates: 2,
            ..Audit::default()
        };
        let ledger = Ledger { accepted: 3, delivered: 2, failed: 1, renewals: 1, ..Ledger::default() };
        let left = Ledger { sending: 2, ..Ledger::default() };
        Played {
            audit,
            ledger,
            kills: vec![Kill { left, ..Kill::default() }],
            began_ms: 0,
            ended_ms: 1,
            peak_memory: None,
            stopped_well: true,
        }
    }

    fn told(change: impl FnOnce(&mut Played)) -> Vec<String> {
        let mut played = played();
        change(&mut played);
        violations(&sample(), &played)
    }

    #[test]
    fn a_run_that_keeps_the_promise_passes() {
        assert_eq!(told(|_| ()), Vec::<String>::new());
    }

    #[test]
    fn each_violation_is_told() {
        type Change = fn(&mut Played);
        let rows: [(&str, Change); 15] = [
            ("lost: 1 valid events", |played| assert!(played.audit.applied.remove("a").is_some())),
            ("applied that are not valid, such as x", |played| {
                assert!(played.audit.applied.insert("x".into(), 1).is_none());
            }),
            ("1 events counted more than once", |played| assert!(played.audit.applied.insert("a".into(), 2).is_some())),
            ("(S1)", |played| played.ledger.accepted = 2),
            ("1 damaged", |played| played.ledger.damaged = 1),
            ("1 deliveries have not ended", |played| played.ledger.live = 1),
            ("1 deliveries are Done, of 2", |played| played.ledger.delivered = 1),
            ("2 deliveries are Failed, of 1", |played| played.ledger.failed = 2),
            ("2 renewals at the provider and 1 stored", |played| played.audit.refreshed_ms.push(2)),
            ("1 renewals at the provider and 2 stored", |played| played.ledger.renewals = 2),
            ("sent with two bodies", |played| assert!(played.audit.conflicts.insert("a".into()))),
            ("31 requests were refused", |played| played.audit.refused_ms.push(0)),
            ("saw 3 duplicates, and 2", |played| played.audit.duplicates = 3),
            ("never killed", |played| (played.kills, played.audit.duplicates) = (Vec::new(), 0)),
            ("did not stop cleanly", |played| played.stopped_well = false),
        ];
        for (expected, change) in rows {
            let told = told(change);
            assert_eq!(told.len(), 1, "{expected}: {told:?}");
            assert!(told[0].contains(expected), "{expected}: {told:?}");
        }
    }

    #[test]
    fn either_account_tells_what_was_in_flight_at_the_first_refusal() {
        let more = |change: fn(&mut Played)| {
            told(|played| {
                played.audit.refused_ms.push(0);
                change(played);
            })
        };
        assert_eq!(more(|played| played.ledger.in_flight_at_refusal = 7), Vec::<String>::new());
        assert_eq!(more(|played| played.kills[0].left.sending = 7), Vec::<String>::new());
        let heard = more(|played| {
            (played.kills[0].left.sending, played.kills[0].left.refusal_heard) = (7, true);
        });
        assert_eq!(heard.len(), 1, "{heard:?}");
    }

    #[test]
    fn a_kill_between_call_and_result_excuses_one_renewal() {
        let none = told(|played| {
            played.audit.refreshed_ms.push(2);
            played.kills[0].left.renewing = true;
        });
        assert_eq!(none, Vec::<String>::new());
        assert_eq!(told(|played| played.audit.refreshed_ms.clear()).len(), 1, "a renewal that the provider never saw");
    }
}
