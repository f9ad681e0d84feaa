//! Finding, making and forgetting segments.

use super::*;

const DAY: Span = Span::from_secs(86_400);

fn ago(seconds: u64) -> String {
    format!("7788 {}", NOW.as_millis().saturating_sub(seconds.saturating_mul(1000)))
}

#[test]
fn a_segment_that_is_there_is_found_and_kept_in_mind_for_a_day() {
    let live = live();
    let played = Bench::users(&live, [person("ada.miller@example.org")]).play(&[found(), results(&[201])]);
    assert_eq!(played.lines(), ["GET /dmpSegments", "POST /dmpSegments/4411/users"]);
    let query = "q=account&account=urn%3Ali%3AsponsoredAccount%3A501&sourceSegmentId=spring&sourcePlatform=SEGMENT";
    assert_eq!(played.asked[0].url().query(), Some(query));
    assert_eq!(played.verdicts(), [accepted(201)]);
    assert_eq!(played.memos, [Memo::keep(MEMORY, "4411", DAY)]);
}

#[test]
fn q11_a_segment_of_another_type_is_not_the_one() {
    let live = live();
    let companies_only = answer(200, &[], json!({"elements": [{"id": 4412, "type": "COMPANY"}, {"id": 9}]}));
    let played = Bench::users(&live, [person("a@example.org")]).play(&[companies_only]);
    assert_eq!(played.lines(), ["GET /dmpSegments", "POST /dmpSegments"]);
    let played = Bench::companies(&live, [company("example.org")]).play(&[found()]);
    assert_eq!(played.lines(), ["GET /dmpSegments", "POST /dmpSegments/4412/companies"]);
}

#[test]
fn a_segment_that_is_not_there_is_made_and_left_alone_for_five_seconds() {
    let live = live();
    let played = Bench::users(&live, [person("a@example.org")]).play(&[found_nothing(), made()]);
    assert_eq!(played.lines(), ["GET /dmpSegments", "POST /dmpSegments"]);
    let expected = json!({
        "name": "Spring", "sourcePlatform": "SEGMENT", "sourceSegmentId": "spring",
        "account": "urn:li:sponsoredAccount:501", "type": "USER", "destinations": [{"destination": "LINKEDIN"}],
    });
    assert_eq!(played.body(1), expected);
    assert_eq!(played.verdicts(), [not_yet(5)]);
    assert_eq!(played.memos, [Memo::keep(MEMORY, ago(0), DAY)]);
    let nameless = with(person("a@example.org"), json!({"dmp_segment_name": null}));
    let played = Bench::users(&live, [nameless]).play(&[found_nothing(), made()]);
    assert_eq!(played.body(1)["name"], "spring", "it is called by its key");
}

#[test]
fn q12_the_id_stands_in_either_header() {
    let live = live();
    let rows: [&[(&str, &str)]; 3] = [
        &[("x-restli-id", "7788"), ("x-linkedin-id", "1")],
        &[("x-linkedin-id", "7788")],
        &[("x-restli-id", " 7788 ")],
    ];
    for headers in rows {
        for bench in [Bench::users(&live, [person("a@example.org")]), Bench::companies(&live, [company("example.org")])]
        {
            let played = bench.play(&[found_nothing(), answer(201, headers, "")]);
            assert_eq!(played.memos[0].value, Some(ago(0)), "{headers:?}");
        }
    }
}

#[test]
fn q12_without_an_id_the_segment_is_looked_up_again_and_not_made_twice() {
    let live = live();
    let bench = || Bench::users(&live, [person("a@example.org")]);
    for headers in [&[][..], &[("x-restli-id", "")], &[("x-restli-id", "not an id")]] {
        let played = bench().play(&[found_nothing(), answer(201, headers, "")]);
        assert_eq!(played.verdicts(), [not_yet(5)]);
        assert_eq!(played.memos, [Memo::keep(MEMORY, format!("- {}", NOW.as_millis()), DAY)]);
    }
    let just_now = format!("- {}", NOW.as_millis() - 20_000);
    let played = bench().knowing(MEMORY, &just_now).play(&[found_nothing()]);
    assert_eq!(played.lines(), ["GET /dmpSegments"]);
    assert_eq!(played.verdicts(), [not_yet(20)]);
    let played = bench().knowing(MEMORY, &just_now).play(&[found(), results(&[201])]);
    assert_eq!(played.verdicts(), [accepted(201)]);
    assert_eq!(played.memos[0].value, Some(format!("4411 {}", NOW.as_millis() - 20_000)), "it is new all the same");
    let long_ago = format!("- {}", NOW.as_millis() - 601_000);
    let played = bench().knowing(MEMORY, &long_ago).play(&[found_nothing(), answer(201, &[], "")]);
    assert_eq!(played.lines(), ["GET /dmpSegments", "POST /dmpSegments"]);
    assert_eq!(played.verdicts(), [failing(0)], "what goes on for long spends the budget");
    assert_eq!(played.memos[0].value, Some(long_ago), "so that it ends");
}

#[test]
fn who_loses_the_race_to_make_a_segment_looks_it_up_again() {
    let live = live();
    let conflict = || answer(409, &[], json!({"status": 409}));
    let bench = || Bench::users(&live, [person("a@example.org")]);
    let played = bench().play(&[found_nothing(), conflict()]);
    assert_eq!(played.verdicts(), [not_yet(2)]);
    let memo = format!("- {}", NOW.as_millis());
    assert_eq!(played.memos, [Memo::keep(MEMORY, memo.as_str(), DAY)]);
    let later = Bench { began: NOW.after(Span::from_secs(2)), ..bench().knowing(MEMORY, &memo) };
    let played = later.play(&[found()]);
    assert_eq!(played.verdicts(), [not_yet(3)], "the winner's segment is new");
    let later = Bench { began: NOW.after(Span::from_secs(6)), ..bench().knowing(MEMORY, &memo) };
    assert_eq!(later.play(&[found(), results(&[201])]).verdicts(), [accepted(201)]);
    let long_ago = format!("- {}", NOW.as_millis() - 601_000);
    let played = bench().knowing(MEMORY, &long_ago).play(&[found_nothing(), conflict()]);
    assert_eq!(played.verdicts(), [failing(0)]);
}

#[test]
fn what_is_known_is_streamed_to_at_once() {
    let live = live();
    let played = Bench::users(&live, [person("a@example.org")]).knowing(MEMORY, "9911").play(&[results(&[201])]);
    assert_eq!(played.lines(), ["POST /dmpSegments/9911/users"]);
    assert_eq!(played.verdicts(), [accepted(201)]);
    assert_eq!(played.memos, []);
}

#[test]
fn a_segment_that_was_just_made_is_left_alone_without_a_request() {
    let live = live();
    let bench = |seconds| Bench::users(&live, [person("a@example.org")]).knowing(MEMORY, &ago(seconds));
    for (seconds, wait) in [(0, 5), (1, 4), (4, 1)] {
        let played = bench(seconds).play(&[]);
        assert_eq!((played.lines().len(), played.verdicts()), (0, vec![not_yet(wait)]));
    }
    assert_eq!(bench(5).play(&[]).lines(), ["POST /dmpSegments/7788/users"]);
}

#[test]
fn a_new_segment_that_is_not_ready_is_waited_for_longer_and_longer() {
    let live = live();
    let missing = || answer(404, &[("x-li-uuid", "AAX")], json!({"message": "Could not find DMP segment"}));
    for (age, wait) in [(5, 5), (12, 12), (59, 59), (61, 60), (599, 60)] {
        let bench = Bench::users(&live, [person("a@example.org")]).knowing(MEMORY, &ago(age));
        let played = bench.play(&[missing()]);
        assert_eq!(played.verdicts(), [not_yet(wait)], "{age} s old");
        assert_eq!(played.memos, [], "it stays in mind");
    }
}

#[test]
fn q18_what_is_not_there_any_more_is_forgotten_and_looked_up_again() {
    let live = live();
    let missing = || answer(404, &[("x-li-uuid", "AAX")], "");
    for known in ["9911".to_owned(), ago(600), ago(7200)] {
        let played = Bench::users(&live, [person("a@example.org")]).knowing(MEMORY, &known).play(&[missing()]);
        assert_eq!(played.verdicts(), [failing(60)], "{known}");
        assert_eq!(played.memos, [Memo::forget(MEMORY)]);
        assert!(played.detail().contains("x-li-uuid AAX"), "{}", played.detail());
    }
    let played = Bench::users(&live, [person("a@example.org")]).play(&[found(), missing()]);
    assert_eq!((played.verdicts(), played.memos), (vec![failing(60)], vec![]));
}

#[test]
fn q18_the_account_and_the_type_are_part_of_what_is_kept_in_mind() {
    let other = settings().ad_account_id("502").build().unwrap();
    let played = Bench::users(&other, [person("a@example.org")]).knowing(MEMORY, "9911").play(&[]);
    assert_eq!(played.lines(), ["GET /dmpSegments"]);
    let live = live();
    let spring = with(company("example.org"), json!({"computation_key": "spring"}));
    let played = Bench::companies(&live, [spring]).knowing(MEMORY, "9911").play(&[]);
    assert_eq!(played.lines(), ["GET /dmpSegments"]);
}

#[test]
fn a_long_key_is_kept_in_mind_as_its_hash() {
    let live = live();
    let long = "k".repeat(5000);
    let payload = with(person("a@example.org"), json!({"source_segment_id": long, "personas_audience_key": long}));
    let played = Bench::users(&live, [payload]).play(&[found()]);
    assert!(played.memos[0].key.len() < 100 && played.asked[0].url().query().unwrap().contains(&long));
}

#[test]
fn each_status_of_a_look_up_and_of_a_creation() {
    let live = live();
    let rows = [
        (400, rejected(400)),
        (401, Verdict::TokenRefused),
        (403, failing(60)),
        (404, rejected(404)),
        (408, failing(7)),
        (413, rejected(413)),
        (422, rejected(422)),
        (423, failing(7)),
        (426, throttled(900)),
        (429, throttled(7)),
        (500, failing(7)),
        (501, rejected(501)),
        (503, failing(7)),
        (302, rejected(302)),
        (0, Verdict::Unknown),
    ];
    for (status, verdict) in rows {
        let no = || answer(status, &[("retry-after", "7")], json!({"message": "no"}));
        for bench in [
            Bench::users(&live, [person("a@example.org"), person("b@example.org")]),
            Bench::companies(&live, [company("example.org"), company("example.com")]),
        ] {
            for answers in [&[no()][..], &[found_nothing(), no()]] {
                let played = bench.play(answers);
                assert_eq!(played.verdicts(), [verdict, verdict], "{status}");
                assert_eq!(played.memos, [], "{status}");
                assert!(played.detail().contains(": no"), "{}", played.detail());
            }
        }
    }
    let lost = Bench::users(&live, [person("a@example.org")]).play(&[answer(404, &[], "")]);
    assert!(lost.detail().contains("`ad_account_id`"), "{}", lost.detail());
    let forbidden = Bench::users(&live, [person("a@example.org")]).play(&[answer(403, &[], "")]);
    assert!(forbidden.detail().contains("rw_dmp_segments"), "{}", forbidden.detail());
}

#[test]
fn a_look_up_that_cannot_be_read_makes_nothing() {
    let live = live();
    let bodies =
        ["{\"elements\": [", "", "[]", "{}", r#"{"elements":7}"#, r#"{"elements":[{"type":"USER"}]}"#, "<html>"];
    for body in bodies {
        let played = Bench::users(&live, [person("a@example.org")]).play(&[answer(200, &[], body)]);
        assert_eq!((played.asked.len(), played.verdicts()), (1, vec![failing(0)]), "{body}");
    }
    for id in [json!({}), json!(""), json!("a b"), json!("x".repeat(129)), json!(null), json!([1])] {
        let body = json!({"elements": [{"type": "USER", "id": id}]});
        assert_eq!(
            Bench::users(&live, [person("a@example.org")]).play(&[answer(200, &[], body)]).verdicts(),
            [failing(0)]
        );
    }
}

#[test]
fn an_id_stays_in_its_place_of_the_address() {
    let live = live();
    let body = json!({"elements": [{"type": "USER", "id": "../../x?y"}]});
    let played = Bench::users(&live, [person("a@example.org")]).play(&[answer(200, &[], body)]);
    assert_eq!(played.lines()[1], "POST /dmpSegments/..%2F..%2Fx%3Fy/users");
}
