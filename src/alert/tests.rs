use outlast_state::{Cause, DeliveryId, Span};

use super::told::*;
use super::*;

const DAY: u64 = 86_400;
const BEGIN: Time = Time::from_millis(1_780_000_000_000);

fn at(seconds: u64) -> Time {
    BEGIN.after(Span::from_secs(seconds))
}

fn alive(ends: Time) -> CredentialStands {
    CredentialStands {
        means: Means::Consent,
        dead: None,
        quarantined: false,
        serves: true,
        ends,
        last: None,
        fruitless: false,
        live: 3,
    }
}

/// Looks at a credential at each of these times, with what was told before: the kinds that were told, and when.
fn calendar(
    stands: &CredentialStands,
    told: &mut CredentialTold,
    times: impl Iterator<Item = u64>,
) -> Vec<(u64, String)> {
    let mut all = Vec::new();
    for seconds in times {
        let look = credential("acme", *told, stands, &Alerts::DAYS, at(seconds));
        *told = look.told;
        all.extend(look.news.iter().map(|news| (seconds / DAY, format!("{} {:?}", news.kind, news.severity))));
        // Looking once more tells nothing more.
        assert_eq!(credential("acme", *told, stands, &Alerts::DAYS, at(seconds)).news, []);
    }
    all
}

#[test]
fn warnings_are_in_order_and_an_endless_grant_has_none() {
    let all = warnings(at(40 * DAY), at(26 * DAY), &[1, 30, 14, 7, 7]);
    let told: Vec<_> = all.iter().map(|warning| (warning.days, warning.at, warning.past)).collect();
    let expected =
        [(30, at(10 * DAY), true), (14, at(26 * DAY), true), (7, at(33 * DAY), false), (1, at(39 * DAY), false)];
    assert_eq!(told, expected);
    assert_eq!(warnings(Time::NEVER, BEGIN, &Alerts::DAYS), []);
    assert_eq!(warnings(Time::from_millis(5), Time::ZERO, &[1])[0].at, Time::ZERO);
}

#[test]
fn a_year_of_a_grant_is_four_warnings_and_the_end() {
    let mut told = CredentialTold::default();
    let all = calendar(&alive(at(365 * DAY)), &mut told, (0..400).map(|day| day * DAY));
    let expected = [
        (335, "credential.dying Warning"),
        (351, "credential.dying Warning"),
        (358, "credential.dying Warning"),
        (364, "credential.dying Critical"),
        (365, "credential.grant_ended Critical"),
    ];
    assert_eq!(all, expected.map(|(day, text)| (day, text.to_owned())));
}

#[test]
fn the_next_look_is_when_the_next_warning_is_due() {
    let (mut told, mut now) = (CredentialTold::default(), BEGIN);
    let mut looks = Vec::new();
    loop {
        let look = credential("acme", told, &alive(at(31 * DAY)), &Alerts::DAYS, now);
        let Some(again) = look.again else { break };
        looks.push((again.since(BEGIN).as_millis() / 1000 / DAY, look.news.len()));
        (told, now) = (look.told, again);
    }
    assert_eq!(looks, [(1, 0), (17, 1), (24, 1), (30, 1), (31, 1)]);
}

#[test]
fn a_process_that_was_down_for_a_month_tells_the_nearest_only() {
    let mut told = CredentialTold::default();
    let all = calendar(&alive(at(40 * DAY)), &mut told, [0, 35 * DAY].into_iter());
    assert_eq!(all, [(35, "credential.dying Warning".to_owned())]);
    assert_eq!(told.days, Some(7));
}

#[test]
fn an_end_that_moves_a_little_is_the_same_and_one_that_moves_on_begins_anew() {
    let mut told = CredentialTold::default();
    let first = calendar(&alive(at(20 * DAY)), &mut told, [0].into_iter());
    assert_eq!(first.len(), 1);
    assert_eq!(calendar(&alive(at(20 * DAY + 1_800)), &mut told, [DAY].into_iter()), []);
    // Made longer, but never by more than the first warning: that one is not repeated at each refresh.
    let mut rolling = told;
    for day in 1..20 {
        assert_eq!(calendar(&alive(at((20 + day) * DAY)), &mut rolling, [day * DAY].into_iter()), [], "day {day}");
    }
    let all = calendar(&alive(at(400 * DAY)), &mut told, (2..390).map(|day| day * DAY));
    let days: Vec<u64> = all.iter().map(|(day, _)| *day).collect();
    assert_eq!(days, [370, 386], "the rest of its warnings are ahead");
    assert_eq!(calendar(&alive(Time::NEVER), &mut told, [391 * DAY].into_iter()), []);
    assert_eq!(told, CredentialTold::default());
}

#[test]
fn death_is_told_once_with_its_cause_and_life_once() {
    let mut told = CredentialTold::default();
    let dead = CredentialStands { dead: Some((Cause::Revoked, at(5))), ..alive(at(DAY)) };
    let look = credential("acme", told, &dead, &Alerts::DAYS, at(5));
    let [news] = look.news.as_slice() else { panic!("{:?}", look.news) };
    assert_eq!((news.kind, news.severity), (AlertKind::CredentialDead, Severity::Critical));
    assert!(news.text.contains("expired or revoked") && news.text.contains("auth import acme"), "{}", news.text);
    assert!(news.text.contains("3 deliveries wait"), "{}", news.text);
    assert_eq!(look.again, None, "the calendar of a dead one does not matter");
    told = look.told;
    assert_eq!(credential("acme", told, &dead, &Alerts::DAYS, at(900)).news, []);
    // A request for a token is out: that is neither.
    let asking = CredentialStands { serves: false, ..alive(at(90 * DAY)) };
    let look = credential("acme", told, &asking, &Alerts::DAYS, at(60));
    assert_eq!((look.news, look.told), (vec![], told));
    let look = credential("acme", told, &alive(at(90 * DAY)), &Alerts::DAYS, at(65));
    let kinds: Vec<_> = look.news.iter().map(|news| news.kind).collect();
    assert_eq!(kinds, [AlertKind::CredentialAlive]);
    assert!(look.news[0].text.contains("after 1 min"), "{}", look.news[0].text);
    assert_eq!(credential("acme", look.told, &alive(at(90 * DAY)), &Alerts::DAYS, at(65)).news, []);
    // One whose record is damaged counts as dead.
    let doubt = CredentialStands { quarantined: true, ..alive(Time::NEVER) };
    let look = credential("acme", CredentialTold::default(), &doubt, &Alerts::DAYS, at(65));
    assert!(look.news[0].text.contains("does not verify"), "{}", look.news[0].text);
}

#[test]
fn a_token_of_no_use_is_told_once_and_again_when_there_is_another() {
    let fruitless = CredentialStands { fruitless: true, ..alive(Time::NEVER) };
    let mut told = CredentialTold::default();
    for (stands, news) in [(&fruitless, 1), (&fruitless, 0), (&alive(Time::NEVER), 0), (&fruitless, 1)] {
        let look = credential("acme", told, stands, &Alerts::DAYS, BEGIN);
        assert_eq!(look.news.len(), news);
        told = look.told;
    }
}

#[test]
fn a_grant_that_the_provider_ends_while_a_token_serves_is_told_once_whoever_says_so_first() {
    let ends = at(400 * DAY);
    let refused = CredentialStands { last: Some((Cause::Revoked, at(9 * DAY))), ..alive(ends) };
    let mut told = CredentialTold::default();
    let look = credential("acme", told, &refused, &Alerts::DAYS, BEGIN);
    assert_eq!((look.news.len(), look.news[0].kind), (1, AlertKind::GrantEnded));
    let text = &look.news[0].text;
    assert!(text.contains("expired or revoked. The token that it has serves on until 2026-"), "{text}");
    told = look.told;
    assert_eq!(credential("acme", told, &refused, &Alerts::DAYS, at(5)).news, []);
    let over = CredentialStands { ends: at(5), ..refused };
    assert_eq!(credential("acme", told, &over, &Alerts::DAYS, at(6)).news, [], "the calendar says it, too");
    // It is authorised again, and refused again.
    told = credential("acme", told, &alive(ends), &Alerts::DAYS, at(7)).told;
    assert_eq!(credential("acme", told, &refused, &Alerts::DAYS, at(8)).news.len(), 1);
    // The calendar said it first.
    let over = CredentialStands { ends: at(5), ..alive(ends) };
    let look = credential("acme", CredentialTold::default(), &over, &Alerts::DAYS, at(6));
    assert_eq!(look.news.len(), 1);
    let over = CredentialStands { last: Some((Cause::Revoked, Time::NEVER)), ..over };
    assert_eq!(credential("acme", look.told, &over, &Alerts::DAYS, at(7)).news, []);
}

fn stands(open: Option<Time>, works: Option<Time>) -> DestinationStands {
    DestinationStands { open, works, live: 1 }
}

#[test]
fn a_destination_that_flaps_is_told_once_and_well_when_it_has_been_calm() {
    let mut told = DestinationTold::default();
    let mut all = Vec::new();
    for (now, open, works) in [
        (0, None, Some(0)),
        (10, Some(10), None),
        (11, Some(10), None),
        (12, None, Some(12)),
        (30, Some(30), None),
        (40, None, Some(40)),
        (69, None, Some(40)),
        (70, None, Some(40)),
        (99, None, Some(40)),
    ] {
        let look = destination("ads", told, &stands(open.map(at), works.map(at)), at(now));
        told = look.told;
        all.extend(look.news.iter().map(|news| (now, news.kind)));
        let waits = (12..=69).contains(&now) && open.is_none();
        assert_eq!(look.again, works.filter(|_| waits).map(|works| at(works + 30)), "at {now}");
    }
    assert_eq!(all, [(10, AlertKind::CircuitOpened), (70, AlertKind::CircuitClosed)]);
    assert_eq!(told, DestinationTold::default());
}

#[test]
fn what_was_told_failing_is_not_well_before_it_has_answered() {
    let told = DestinationTold { open: Some(BEGIN), ..DestinationTold::default() };
    let look = destination("ads", told.clone(), &stands(None, None), at(9_000));
    assert_eq!((look.news, look.told, look.again), (vec![], told, None));
}

#[test]
fn a_million_failures_are_a_line_at_once_and_one_a_minute() {
    let mut told = DestinationTold::default();
    let mut all = Vec::new();
    for second in 0..300 {
        for number in 0..100_u32 {
            let code = ["REJECTED", "EXPIRED", "A", "B", "C", "D"][usize::try_from(number % 6).unwrap()];
            told.untold.add(DeliveryId::from_u128(u128::from(number)), code, "rejected with status 400: no");
        }
        let look = destination("ads", told, &stands(None, None), at(second));
        told = look.told;
        all.extend(look.news.into_iter().map(|news| (second, news.count, news.text)));
    }
    let counts: Vec<_> = all.iter().map(|(second, count, _)| (*second, *count)).collect();
    assert_eq!(counts, [(0, 100), (60, 6_000), (120, 6_000), (180, 6_000), (240, 6_000)]);
    let text = &all[1].2;
    assert!(text.starts_with("6000 deliveries to ads were given up since 2026-"), "{text}");
    assert!(text.contains("REJECTED 1020, EXPIRED 1020, A 1020, B 1020, others 1920."), "{text}");
    assert!(text.contains("The first is 00000000000000000000000000: rejected with status 400: no."), "{text}");
    // The last of them are told, too, when nothing fails any more.
    let look = destination("ads", told.clone(), &stands(None, None), at(299));
    assert_eq!((look.news.len(), look.again), (0, Some(at(300))));
    let look = destination("ads", told, &stands(None, None), at(300));
    assert_eq!(look.news[0].count, 5_900);
    assert_eq!(destination("ads", look.told, &stands(None, None), at(999)).news, []);
}

#[test]
fn one_failure_reads_as_one() {
    let mut told = DestinationTold { failed: Some(BEGIN), ..DestinationTold::default() };
    told.untold.add(DeliveryId::from_u128(7), "REJECTED", &"x".repeat(9_000));
    let text = &destination("ads", told, &stands(None, None), at(900)).news[0].text;
    assert!(text.starts_with("1 delivery to ads was given up: REJECTED 1. It is 0000"), "{text}");
    assert!(text.len() < 600, "{text}");
}

#[test]
fn damage_is_told_when_it_is_more_than_was_told() {
    let told = store(StoreTold::default(), 2, false);
    assert_eq!((told.news[0].count, told.told.damaged), (2, 2));
    assert_eq!(store(told.told, 2, false).news, []);
    // While it is still read, less has been found than was told.
    assert_eq!(store(told.told, 0, false).told.damaged, 2);
    let mended = store(told.told, 0, true);
    assert_eq!((mended.news.len(), mended.told.damaged), (0, 0));
    assert_eq!(store(mended.told, 1, true).news.len(), 1);
}

#[test]
fn names_are_the_same_everywhere() {
    for kind in AlertKind::ALL {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
    }
    for severity in [Severity::Info, Severity::Warning, Severity::Critical] {
        assert_eq!(serde_json::to_value(severity).unwrap(), severity.name());
    }
    let subjects = [AlertSubject::Credential("a".into()), AlertSubject::Destination("b".into()), AlertSubject::Store];
    assert_eq!(subjects.map(|subject| subject.to_string()), ["credential a", "destination b", "store"]);
}

/// What a person reads in any alert: whole sentences, and what to do.
#[test]
fn alerts_read_well() {
    let mut texts = vec![text::store_failed("no space is left")];
    for (live, means) in [(0, Means::Consent), (1, Means::Itself), (2, Means::Written)] {
        let ends = at(9 * DAY);
        for cause in
            [Cause::Revoked, Cause::NoRefreshToken, Cause::Misconfigured, Cause::GrantLost, Cause::NeverAccepted]
        {
            texts.push(text::dead("acme", means, cause, BEGIN, live));
            texts.push(text::last_token("acme", means, cause, ends, live));
        }
        texts.extend([text::grant_ended("acme", means, ends, live), text::quarantined("acme", means, live)]);
        texts.extend([text::alive("acme", Span::from_secs(9), live), text::circuit_opened("ads", BEGIN, live)]);
        texts.push(text::circuit_closed("ads", Span::from_secs(9), live));
        texts.push(text::damaged(live + 1));
    }
    texts.extend([text::dying("acme", Means::Itself, at(9 * DAY), BEGIN), text::fruitless("acme")]);
    for text in texts {
        assert!(!text.contains("  ") && !text.contains("..") && !text.contains(['{', '}', '\n']), "{text}");
        assert!(text.starts_with(char::is_uppercase) || text.starts_with(char::is_numeric), "{text}");
        assert!(!text.contains(" 1 deliveries") && !text.contains("1 records"), "{text}");
    }
}
