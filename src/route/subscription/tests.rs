//! Tests of the whole: each quirk in both readings, hostile texts, and laws over generated ones.

mod laws;
mod quirks;

use serde_json::json;

use super::{Code, EvaluationError, Explanation, Subscription};

fn strict(text: &str) -> Subscription {
    Subscription::strict(text).unwrap_or_else(|findings| panic!("{text}: {findings:?}"))
}

fn compatible(text: &str) -> Subscription {
    Subscription::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn the_intended_language_is_free_of_findings() {
    let texts = [
        r#"type = "track" and event = "Parcel Scanned""#,
        r#"type = "identify" and (traits.depot = "north" or traits.depot = "south")"#,
        r#"properties.weight >= 2.5 and !contains(event, "Test")"#,
        r#"match(context.page.url, "https://shop.example/*")"#,
        "userId != null",
        "userId = true or name = null",
        r#"properties.\2fa = true and properties.a\/b != 3 and properties.items\[1\].sku = "x""#,
        r#"properties.n < "5" and properties.n > -1"#,
        "properties . a . b = 1",
        "\ttype\n=\n\"track\"",
        r#"contains(event, 5) and !match(name, "*x")"#,
    ];
    for text in texts {
        assert_eq!(Subscription::findings(text), [], "{text}");
        assert_eq!(strict(text).root, compatible(text).root, "{text}");
    }
}

#[test]
fn the_strict_reading_knows_groups_in_groups_and_carriage_returns() {
    let nested = strict("(type = \"track\" and\r\n (event = \"A\" or (event = \"B\")))\r\n");
    assert!(nested.matches(&json!({"type": "track", "event": "B"})));
    assert!(!nested.matches(&json!({"type": "page", "event": "B"})));
    let calls = strict(r#"((contains(event, "A")) or type = "page") and name = "N""#);
    assert!(calls.matches(&json!({"event": "xAx", "name": "N"})));
    assert!(!calls.matches(&json!({"event": "xAx"})));
    assert_eq!(strict(&calls.to_string()).root, calls.root);
}

#[test]
fn groups_are_nested_up_to_a_depth() {
    let nested = |depth: usize| format!("{}type = \"a\"{}", "(".repeat(depth), ")".repeat(depth));
    assert!(strict(&nested(64)).matches(&json!({"type": "a"})));
    let findings = Subscription::findings(&nested(65));
    assert_eq!(findings.iter().map(|it| (it.code, it.column)).collect::<Vec<_>>(), [(Code::NestedGroup, 65)]);
}

#[test]
fn a_finding_shows_its_line_with_a_caret() {
    let text = "name != null and\n  type = \"identify\" OR type = \"track\"";
    let findings = Subscription::findings(text);
    let shown = findings.first().unwrap().caret(text);
    let expected = "subscription, line 2, column 21: `OR` is read as nothing; connectives are lower case: write `or`\n    \
                    type = \"identify\" OR type = \"track\"\n                      ^^";
    assert_eq!(shown, expected);
}

#[test]
fn a_long_line_is_shown_around_the_caret() {
    let text =
        format!("{}type = 'a' and {}name = \"n\"", "type = \"ü\" and ".repeat(20), "type = \"ü\" and ".repeat(20));
    let shown = Subscription::findings(&text).first().unwrap().caret(&text);
    let lines: Vec<&str> = shown.lines().collect();
    let at = lines[2].find('^').unwrap();
    assert_eq!(lines[1].chars().skip(at).take(3).collect::<String>(), "'a'");
    assert_eq!((lines[2].trim(), lines[1].chars().count()), ("^^^", 104));
    assert!(lines[1].starts_with("  …") && lines[1].ends_with('…'));
}

#[test]
fn an_error_says_where_and_what_to_do() {
    let error = Subscription::parse("type = \"a\" && name = \"b\"").unwrap_err();
    assert_eq!(error.to_string(), "line 1, column 12: `&` has no meaning here: write `and`");
    assert_eq!(error.finding().code, Code::Character);
    assert!(error.caret("type = \"a\" && name = \"b\"").ends_with("\n             ^"));
    let nothing = Subscription::parse("foo = 1").unwrap_err();
    assert_eq!(nothing.finding().code, Code::Empty);
}

#[test]
fn an_explanation_names_the_terms_that_failed_and_what_is_there() {
    let subscription = strict(r#"type = "track" and (event = "A" or properties.kilos > 5) and name = "N""#);
    let failed = |event| match subscription.explain(&event) {
        Explanation::Failed(terms) => terms.into_iter().map(|it| (it.term, it.found)).collect::<Vec<_>>(),
        other => panic!("{other}"),
    };
    let term = |term: &str, found: &str| (String::from(term), String::from(found));
    assert_eq!(failed(json!({"event": "A"})), [term(r#"type = "track""#, "nothing")]);
    assert_eq!(
        failed(json!({"type": "track", "event": "B", "properties": {"kilos": 5}})),
        [term(r#"event = "A""#, r#"the text "B""#), term("properties.kilos > 5", "the number 5")]
    );
    let matched = subscription.explain(&json!({"type": "track", "event": "A", "name": "N"}));
    assert_eq!((&matched, matched.to_string()), (&Explanation::Matched, "matched".into()));
    let long = strict(r#"event = "A""#).explain(&json!({"event": "ä".repeat(100)})).to_string();
    assert!(long.contains(&format!("\"{}\"… (200 bytes)", "ä".repeat(60))), "{long}");
    let undecided = strict("userId = null").explain(&json!(null));
    assert_eq!(undecided, Explanation::Undecided(EvaluationError::NullEvent));
}

#[test]
fn an_alternative_beside_a_true_one_has_not_failed() {
    let subscription = strict(r#"(type = "a" and event = "x") or (type = "b" and event = "y")"#);
    let Explanation::Failed(terms) = subscription.explain(&json!({"type": "a", "event": "y"})) else { panic!() };
    assert_eq!(terms.iter().map(|it| &*it.term).collect::<Vec<_>>(), [r#"event = "x""#, r#"type = "b""#]);
}

#[test]
fn operators_that_have_no_sign_work_where_they_are_written_as_words() {
    let event = json!({"event": "abc", "properties": {"n": 5}});
    for (text, expected) in [
        (r#"event contains "b""#, true),
        (r#"event not_ends_with "c""#, false),
        ("properties.n number_equals 5", true),
        ("properties.n number_not_equals \"5\"", true),
        ("properties.n exists x", true),
        (r#"event \= "abc""#, true),
        (r#"event \=\= "abc""#, false),
    ] {
        assert_eq!(compatible(text).matches(&event), expected, "{text}");
        assert_eq!(Subscription::findings(text).first().map(|it| it.code), Some(Code::WrongToken), "{text}");
    }
}

#[test]
fn a_pattern_that_loses_half_a_character_looks_for_the_other_half() {
    // U+1F600 and U+1FA00 differ in the first of their two UTF-16 units only.
    let subscription = compatible("match(event, \"\u{1F600}bc\")");
    for (event, expected) in [("x\u{1F600}bc", true), ("x\u{1FA00}bc", true), ("\u{1F601}bc", false), ("bc", false)] {
        assert_eq!(subscription.matches(&json!({"event": event})), expected, "{event}");
    }
    assert_eq!(compatible(&subscription.to_string()).root, subscription.root);
}

#[test]
fn paths_without_a_usable_piece_are_errors_and_those_without_a_name_are_missing() {
    let event = json!({"properties": {"a": 1}});
    assert_eq!(compatible(r"properties.\. = 1").evaluate(&event), Err(EvaluationError::EmptyPath));
    assert_eq!(compatible(r"properties\. = null").evaluate(&event), Ok(true));
    for text in [r"properties.\. = 1", r"properties\. = null", r"properties.a\.\.b = 1", r"properties.\[ = 1"] {
        let read = compatible(text);
        assert_eq!(compatible(&read.to_string()).root, read.root, "{text} as {read}");
        assert_eq!(Subscription::findings(text).first().map(|it| it.code), Some(Code::Path), "{text}");
    }
}

#[test]
fn positions_are_canonical_and_count_utf16_units() {
    let event = json!({"properties": {"list": ["a", "b"], "text": "a\u{1F600}b"}});
    for (text, expected) in [
        (r#"properties.list.\1 = "b""#, true),
        (r#"properties.list.\01 = "b""#, false),
        (r"properties.list.\2 = null", true),
        ("properties.list.length = 2", true),
        ("properties.text.length = 4", true),
        (r#"properties.text.\3 = "b""#, true),
        (r"properties.text.\0.length = 1", true),
        ("properties.text.length.length = null", true),
    ] {
        assert_eq!(compatible(text).matches(&event), expected, "{text}");
    }
}

#[test]
fn short_words_are_cut_by_the_length_of_the_look_ahead_in_utf16_units() {
    let event = |text| json!({"event": text});
    for (text, value) in [("event = a\"", "a"), ("event = n\u{1F600}", "n"), ("event = nul", "n"), ("event = n=5", "n")]
    {
        assert!(compatible(text).matches(&event(value)), "{text}");
    }
    for text in ["event = a\u{1F600}", "event = nx\u{1F600}", "properties.n=5"] {
        assert!(Subscription::parse(text).is_err(), "{text}");
    }
}

#[test]
fn lengths_are_guarded_where_the_reference_guards_them() {
    let text = |length: usize| format!("event = \"{}\"", "x".repeat(length));
    assert!(Subscription::parse(&text(99_999)).is_ok());
    assert_eq!(Subscription::parse(&text(100_000)).unwrap_err().finding().code, Code::TooLong);
    let pairs = format!("event = \"{}\"", "\u{1F600}".repeat(50_000));
    assert_eq!(Subscription::findings(&pairs).first().map(|it| it.code), Some(Code::TooLong));
    for first in ["x", "7"] {
        let word = |length: usize| format!("event = {}", first.repeat(length));
        assert!(Subscription::parse(&word(100_000)).is_ok());
        assert!(Subscription::parse(&word(100_001)).is_err());
    }
}

#[test]
fn hostile_texts_are_answered_soon() {
    let open = "(".repeat(100_000);
    let quotes = "\"".repeat(100_000);
    let pairs = "()".repeat(50_000);
    let bangs = "!(".repeat(50_000);
    let guards = "properties.a.b = 0 and properties.a.c = null and ".repeat(2_000);
    let unknown = format!("f{open}");
    let texts =
        [&*open, &quotes, &pairs, &bangs, &guards, &unknown, "\"", "'", "!", "\\", "-", ".", "=", "a", "n", "\u{0}"];
    let wide = "@ü\n".repeat(50_000);
    for text in texts.into_iter().chain([&*wide]) {
        let findings = Subscription::findings(text);
        assert!(!findings.is_empty() && findings.len() <= 100);
        for finding in &findings {
            assert!(text.get(finding.span.clone()).is_some());
            assert!(finding.caret(text).contains('^'));
        }
        if let Ok(subscription) = Subscription::parse(text) {
            assert!(!subscription.matches(&json!(null)), "no subscription matches null");
        }
    }
}
