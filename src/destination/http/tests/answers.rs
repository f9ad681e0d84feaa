use outlast_state::{Load, Receipt, Span, Why};

use super::*;
use crate::taxonomy::{REJECTED, RESULT_MISSING};

fn row(status: std::ops::RangeInclusive<u16>, at: &str, values: &[&str], means: Means) -> Row {
    Row { rule: Rule::status(status).holding(at, values), means }
}

fn rows() -> Vec<Row> {
    vec![
        row(200..=299, "/error", &["slow_down"], Means::Throttled),
        row(200..=299, "/error", &["busy"], Means::Busy),
        row(200..=599, "/error", &["expired"], Means::TokenRefused),
        row(200..=299, "/ok", &["false"], Means::Refused),
        row(404..=404, "/code", &["17"], Means::NotYet),
        row(400..=499, "/code", &["batch"], Means::Split),
        Row { rule: Rule::status(409..=409), means: Means::Accepted },
        row(409..=409, "/code", &["never reached"], Means::Refused),
    ]
}

fn crm() -> Description {
    Description {
        bearer: true,
        answers: rows(),
        retry_after: Some("/wait".into()),
        message: Some("/message".into()),
        secret_headers: vec![("x-api-key".into(), Secret::new("hush-hush-hush-hush"))],
        ..post("https://crm.example/")
    }
}

fn batched() -> Description {
    let results = Results {
        list: "/results".into(),
        status: Some("/status".into()),
        answers: vec![row(200..=599, "/error/code", &["DUPLICATE"], Means::Accepted)],
        message: Some("/error/text".into()),
    };
    Description { batch: Some(Batch { results: Some(results), ..Batch::up_to(9) }), ..crm() }
}

const fn accepted(status: u16) -> Verdict {
    Verdict::Accepted { receipt: Receipt { status } }
}

const fn rejected(status: u16) -> Verdict {
    Verdict::Refused { why: Why::Rejected { status } }
}

const fn busy(seconds: u64, load: Load) -> Verdict {
    Verdict::Busy { after: Span::from_secs(seconds), load }
}

#[test]
fn the_first_row_that_fits_counts_and_then_the_status() {
    let declared = built(crm());
    let not_yet = Verdict::NotYet { after: Span::ZERO };
    for (status, body, verdict, code) in [
        (200, "{}", accepted(200), ""),
        (204, "", accepted(204), ""),
        (200, r#"{"error":"slow_down"}"#, busy(0, Load::Throttled), "DESTINATION_THROTTLED"),
        (200, r#"{"error":"busy","ok":false}"#, busy(0, Load::Failing), "DESTINATION_FAILING"),
        (403, r#"{"error":"expired"}"#, Verdict::TokenRefused, "TOKEN_REFUSED"),
        (200, r#"{"ok":false}"#, rejected(200), REJECTED),
        (404, r#"{"code":17}"#, not_yet, "RESOURCE_NOT_READY"),
        (404, r#"{"code":18}"#, rejected(404), "NOT_FOUND"),
        (409, r#"{"code":"never reached"}"#, accepted(409), ""),
        (422, r#"{"code":"batch"}"#, rejected(422), "UNPROCESSABLE_ENTITY"),
        (401, "", Verdict::TokenRefused, "UNAUTHORIZED"),
        (413, "", rejected(413), "PAYLOAD_TOO_LARGE"),
        (429, "", busy(0, Load::Throttled), "TOO_MANY_REQUESTS"),
        (500, "<html>", busy(0, Load::Failing), "INTERNAL_SERVER_ERROR"),
        (501, "", rejected(501), "NOT_IMPLEMENTED"),
    ] {
        let [conclusion] = read(&declared, &["{}"], status, &[], body).try_into().unwrap();
        assert_eq!((conclusion.verdict, conclusion.code), (verdict, code), "{status} {body}");
        assert_eq!(conclusion.detail.is_empty(), code.is_empty(), "{status} {body}");
    }
    let without = built(post("https://crm.example/"));
    assert_eq!(read(&without, &["{}"], 401, &[], "")[0].verdict, rejected(401), "no token was sent");
}

#[test]
fn the_longer_of_both_waits_holds_and_is_capped() {
    let declared = built(crm());
    for (header, body, seconds) in [
        ("5", r#"{"wait":7}"#, 7),
        ("9", r#"{"wait":7}"#, 9),
        ("", r#"{"wait":"12"}"#, 12),
        ("", r#"{"wait":"1970-01-01T00:17:10Z"}"#, 30),
        ("", r#"{"wait":"Thu, 01 Jan 1970 00:17:00 GMT"}"#, 20),
        ("", r#"{"wait":1e300}"#, 900),
        ("", r#"{"wait":86400}"#, 900),
        ("", r#"{"wait":-5}"#, 0),
        ("", r#"{"wait":"soon"}"#, 0),
        ("", r#"{"wait":null}"#, 0),
        ("", "no JSON", 0),
    ] {
        let [conclusion] = read(&declared, &["{}"], 503, &[("retry-after", header)], body).try_into().unwrap();
        assert_eq!(conclusion.verdict, busy(seconds, Load::Failing), "{header} {body}");
    }
    let [exact] = read(&declared, &["{}"], 429, &[], r#"{"wait":1.5}"#).try_into().unwrap();
    assert_eq!(exact.verdict, Verdict::Busy { after: Span::from_millis(1500), load: Load::Throttled });
}

#[test]
fn the_providers_words_are_told_in_one_line_without_our_secrets() {
    let declared = built(crm());
    let told = |message: &str| {
        let body = json!({ "message": message }).to_string();
        read(&declared, &["{}"], 422, &[], &body).remove(0).detail
    };
    let plain = told("mail\nis missing.");
    assert!(plain.starts_with("The destination answered 422 (UNPROCESSABLE_ENTITY): mail is missing. "), "{plain}");
    assert!(plain.ends_with("look at the mapping."), "{plain}");
    let quoted = told("key hush-hush-hush-hush is dead");
    assert!(!quoted.contains("hush-hush") && quoted.contains("is dead"), "{quoted}");
    assert!(told(&"x".repeat(100_000)).len() < 400);
    assert!(!read(&declared, &["{}"], 422, &[], r#"{"message":{"a":1}}"#)[0].detail.contains(": ."));
}

#[test]
fn a_batch_that_is_refused_as_a_whole_is_halved() {
    let declared = built(batched());
    for (status, body, verdict) in [
        (400, "", Verdict::Split),
        (413, "", Verdict::Split),
        (422, "", Verdict::Split),
        (403, r#"{"code":"batch"}"#, Verdict::Split),
        (403, "", rejected(403)),
        (503, "", busy(0, Load::Failing)),
        (409, "", accepted(409)),
    ] {
        let said = read(&declared, &["{}", "{}"], status, &[], body);
        assert_eq!(said.iter().map(|one| one.verdict).collect::<Vec<_>>(), [verdict; 2], "{status} {body}");
    }
}

#[test]
fn each_element_of_an_answer_is_its_items_own() {
    let declared = built(batched());
    let body = json!({ "results": [
        { "status": 201 },
        { "status": "422", "error": { "text": "no mail" } },
        { "status": 409, "error": { "code": "DUPLICATE" } },
        { "status": 429 },
        { "error": { "code": "DUPLICATE" } },
        { "status": "fine" },
        { "status": 401 },
        null,
    ] });
    let said = read(&declared, &["{}"; 8], 207, &[("retry-after", "3")], &body.to_string());
    let verdicts: Vec<_> = said.iter().map(|one| one.verdict).collect();
    let expected = [
        accepted(201),
        rejected(422),
        accepted(409),
        busy(3, Load::Throttled),
        accepted(207),
        Verdict::Unknown,
        Verdict::TokenRefused,
        Verdict::Unknown,
    ];
    assert_eq!(verdicts, expected);
    assert!(said[1].detail.contains("422 (UNPROCESSABLE_ENTITY): no mail."), "{}", said[1].detail);
    assert_eq!((said[5].code, said[7].code), (RESULT_MISSING, RESULT_MISSING));
}

#[test]
fn results_that_cannot_be_told_apart_are_nobodys() {
    let declared = built(batched());
    for (body, words) in [
        ("", "no list"),
        ("{}", "no list"),
        (r#"{"results":{}}"#, "no list"),
        (r#"{"results":[{"status":201}]}"#, "1 results at `/results` for 2 items"),
        (r#"{"results":[{"status":201},{"status":201},{"status":201}]}"#, "3 results"),
    ] {
        let said = read(&declared, &["{}", "{}"], 200, &[], body);
        assert!(said.iter().all(|one| one.verdict == Verdict::Unknown && one.code == RESULT_MISSING), "{body}");
        assert!(said.len() == 2 && said[0].detail.contains(words), "{}", said[0].detail);
    }
}

#[test]
fn the_names_of_meanings_are_all_there_and_differ() {
    let names: std::collections::BTreeSet<_> = Means::NAMES.iter().map(|(name, _)| *name).collect();
    let meanings: std::collections::HashSet<_> = Means::NAMES.iter().map(|(_, means)| *means).collect();
    assert_eq!((names.len(), meanings.len()), (Means::NAMES.len(), Means::NAMES.len()));
}
