//! What lies ahead, from values of the machine.

use outlast_state::{CredentialInput, Need, Span, Terms};

use super::*;
use crate::guard::Audience;

const DAY: u64 = 86_400_000;

fn at(day: u64) -> Time {
    Time::from_millis(day * DAY)
}

fn profile() -> Profile {
    let url: url::Url = "https://api.example/token".parse().unwrap();
    let scopes = ["read".to_owned(), "write".to_owned()].to_vec();
    Profile { scopes, ..Profile::generic("plain", url.clone(), Audience::of([&url])) }
}

/// Authorised on day 100, for 60 days, and 365 for the grant.
fn authorised(terms: Terms) -> Credential {
    let input = CredentialInput::Authorised { issued: at(100), expires: at(160), ends: at(465) };
    Credential::unauthorised(terms, at(100)).step(input, at(100))
}

fn terms() -> Terms {
    Terms { renew_at: 80, ..Terms::of(Span::from_secs(600)) }
}

fn used(credential: Credential, day: u64) -> Credential {
    let epoch = tokens(&credential).unwrap().0.epoch;
    credential.step(CredentialInput::Accepted { epoch, sent: at(day) }, at(day))
}

#[test]
fn a_grant_that_lives_stops_at_its_end_and_says_who_must_act() {
    let credential = used(authorised(terms()), 101);
    assert_eq!(stops(&credential), Some(at(465)));
    let planned = refresh(&credential).unwrap();
    assert!(planned >= at(145) && planned <= at(148), "{planned:?}");
    assert_eq!(proven(&credential), Some(at(101)));
    let said = outlook("acme", &profile(), &credential);
    assert_eq!(
        said,
        "Its grant ends at 1971-04-11T00:00:00Z, whatever is refreshed. Authorise it again before: `outlast auth login acme`, or `outlast auth import acme`."
    );
}

#[test]
fn one_that_nobody_used_plans_nothing_and_was_never_proven() {
    let credential = authorised(terms());
    assert_eq!((refresh(&credential), proven(&credential)), (None, None));
}

#[test]
fn a_grant_that_has_ended_stops_with_the_last_of_its_tokens() {
    let refreshing = used(authorised(terms()), 101).step(CredentialInput::RefreshDue, at(148));
    assert_eq!(refresh(&refreshing), Some(at(148)), "as soon as it can be");
    let from = refreshing.epoch;
    for (input, said) in [
        (
            CredentialInput::RefusedForGood { from, cause: Cause::Revoked },
            "Its grant has ended. Its last token serves until",
        ),
        (CredentialInput::Misconfigured { from }, "Its provider refuses the client. Its last token serves until"),
    ] {
        let ended = refreshing.step(input, at(148));
        assert_eq!((stops(&ended), refresh(&ended)), (Some(at(160)), None));
        let outlook = outlook("acme", &profile(), &ended);
        assert!(outlook.starts_with(said) && outlook.contains("1970-06-10"), "{outlook}");
    }
}

#[test]
fn what_is_dead_stopped_when_it_died() {
    let dead = authorised(terms()).step(CredentialInput::Revoked, at(120));
    assert_eq!((stops(&dead), refresh(&dead), proven(&dead)), (Some(at(120)), None, None));
    assert_eq!((dead.idle_end(), dead.keep_alive()), (None, None));
}

#[test]
fn an_idle_grant_is_kept_alive_also_while_a_next_token_waits() {
    let idle = Terms { idle: Span::from_millis(40 * DAY), ..terms() };
    let mut credential = authorised(idle);
    assert_eq!((credential.idle_end(), credential.keep_alive()), (Some(at(140)), Some(at(130))));
    // Nobody ever uses it: each refresh brings a token that nobody tries.
    let mut now = at(100);
    for _ in 0..40 {
        let Some(due) = refresh(&credential).filter(|due| *due < credential.ends) else { break };
        assert!(Some(due) < credential.idle_end(), "in time");
        now = due.max(now);
        credential = credential.step(CredentialInput::RefreshDue, now);
        if let CredentialWant::Renewal { from, .. } = credential.wants() {
            let expires = now.after(Span::from_millis(60 * DAY)).min(at(465));
            credential = credential.step(CredentialInput::Renewed { from, issued: now, expires, ends: at(465) }, now);
            assert_eq!(credential.idle_end(), Some(now.after(idle.idle)));
        }
    }
    assert!(credential.idle_end() >= Some(at(300)) && credential.fruitless == 0, "{credential:?}");
}

#[test]
fn a_next_token_that_waits_is_not_replaced_for_anything_else() {
    let credential = used(authorised(terms()), 101).step(CredentialInput::RefreshDue, at(148));
    let renewed = CredentialInput::Renewed { from: credential.epoch, issued: at(148), expires: at(208), ends: at(465) };
    let credential = credential.step(renewed, at(148));
    assert_eq!(refresh(&credential), None);
    assert_eq!(credential.step(CredentialInput::RefreshDue, at(150)), credential);
    assert_eq!(proven(&credential), Some(at(148)), "its provider gave a token");
    let lost = credential.step(CredentialInput::Needed { past: credential.epoch, why: Need::Expired }, at(209));
    assert_eq!(lost, credential, "that one does not serve");
}

#[test]
fn scopes_are_compared_whatever_stands_between_them() {
    let drift = |granted: &str| drift(&profile(), Some(granted));
    for granted in ["read write", "write,read", "read, write ,", "write\tread"] {
        let drift = drift(granted);
        assert_eq!((drift.missing.len(), drift.beyond.len()), (0, 0), "{granted:?}");
    }
    assert_eq!(drift("read admin").missing, ["write"]);
    assert_eq!(drift("read admin").beyond, ["admin"]);
    assert_eq!(drift("").missing, ["read", "write"]);
    assert_eq!(super::drift(&profile(), None), ScopeDrift::default());
    let nothing_asked = Profile { scopes: Vec::new(), ..profile() };
    assert_eq!(super::drift(&nothing_asked, Some("read")).beyond, Vec::<String>::new());
}

#[test]
fn who_must_act_depends_on_how_tokens_are_come_by() {
    let of = |grant, ends| {
        let credential = Credential { ends, ..authorised(terms()) };
        outlook("acme", &Profile { grant, ..profile() }, &credential)
    };
    assert!(of(GrantKind::ClientCredentials, Time::NEVER).contains("needs no human"));
    assert!(of(GrantKind::Static, at(465)).contains("Put another one into the configuration before"));
    assert_eq!(of(GrantKind::AuthorizationCode, Time::NEVER), "No end of its grant is known.");
    let idle = Terms { idle: Span::from_millis(40 * DAY), ..terms() };
    let credential = Credential { ends: Time::NEVER, ..authorised(idle) };
    assert!(outlook("acme", &profile(), &credential).contains("Unused, it would die at 1970-05-21"));
}
