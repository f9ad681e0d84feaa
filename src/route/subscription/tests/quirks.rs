//! The twenty quirks, in the order of their documentation: what the compatible reading makes of each, and that the strict one
//! refuses it, or reads it right.

use serde_json::{Value, json};

use super::compatible;
use crate::route::subscription::{Code, Subscription};

/// What the compatible reading is shown to do.
enum Compatible {
    /// The event matches, or not.
    Decides(Value, bool),
    /// There is no subscription.
    Refuses,
}
use Compatible::{Decides, Refuses};

/// The compatible reading, and the strict one's first finding: its code, and the part of the text that it points at.
fn quirk(text: &str, expected: Compatible, finding: Option<(Code, &str)>) {
    match expected {
        Decides(event, matches) => assert_eq!(compatible(text).matches(&event), matches, "{text} for {event}"),
        Refuses => assert!(Subscription::parse(text).is_err(), "{text}"),
    }
    let findings = Subscription::findings(text);
    let first = findings.first().map(|it| (it.code, text.get(it.span.clone()).unwrap()));
    assert_eq!(first, finding, "{text}: {findings:?}");
    assert_eq!(Subscription::strict(text).is_ok(), finding.is_none());
    assert!(findings.iter().all(|it| !it.message.is_empty() && !it.remedy.is_empty()));
}

#[test]
fn q01_unknown_fields_are_dropped() {
    let text = r#"event = "A" and messageId = "m""#;
    quirk(text, Decides(json!({"event": "A"}), true), Some((Code::UnknownField, "messageId")));
    let call = r#"event = "A" and contains(type, "a")"#;
    quirk(call, Decides(json!({"event": "A"}), true), Some((Code::UnknownField, "type")));
    quirk("length(event) > 2", Refuses, Some((Code::UnknownField, "length")));
}

#[test]
fn q02_the_last_connective_wins() {
    let text = r#"type = "a" and event = "b" or name = "c""#;
    quirk(text, Decides(json!({"type": "a"}), true), Some((Code::MixedConnectives, "or")));
}

#[test]
fn q03_groups_in_groups_are_not_read_and_the_strict_reading_knows_them() {
    let text = r#"((type = "a") or type = "b")"#;
    quirk(text, Refuses, None);
    assert_eq!(Subscription::parse(text).unwrap_err().finding().code, Code::NestedGroup);
}

#[test]
fn q04_a_call_closes_its_group() {
    let text = r#"(contains(event, "A") or type = "p") and name = "N""#;
    quirk(text, Decides(json!({"event": "A", "name": "N"}), false), Some((Code::CallInGroup, "contains")));
}

#[test]
fn q05_upper_case_connectives_are_ignored() {
    for text in [r#"type = "a" OR event = "b""#, r#"type = "a" Or event = "b""#] {
        quirk(text, Decides(json!({"type": "a"}), false), Some((Code::UpperCaseConnective, &text[11..13])));
    }
}

#[test]
fn q06_a_connective_that_touches_a_parenthesis_is_a_word() {
    let text = r#"type = "a" or(event = "b")"#;
    quirk(text, Decides(json!({"type": "a"}), false), Some((Code::TouchingConnective, "or")));
}

#[test]
fn q07_a_bang_before_anything_but_a_call_is_ignored() {
    for text in [r#"!(type = "a")"#, r#"!type = "a""#] {
        quirk(text, Decides(json!({"type": "a"}), true), Some((Code::MisplacedBang, "!")));
    }
    quirk(r#"! contains(event, "a")"#, Refuses, Some((Code::MisplacedBang, "!")));
    let text = r#"type = "a" and !name = "n""#;
    assert_eq!(Subscription::findings(text).len(), 1);
}

#[test]
fn q08_the_word_not_is_ignored() {
    quirk(r#"not contains(event, "a")"#, Decides(json!({"event": "a"}), true), Some((Code::NotWord, "not")));
}

#[test]
fn q09_single_quotes_stay() {
    quirk("event = 'A'", Decides(json!({"event": "A"}), false), Some((Code::SingleQuotes, "'A'")));
    quirk("event = 'A'", Decides(json!({"event": "'A'"}), true), Some((Code::SingleQuotes, "'A'")));
}

#[test]
fn q10_a_pattern_without_a_star_loses_a_character() {
    let found = |pattern| Some((Code::MatchPattern, pattern));
    quirk(r#"match(event, "exact")"#, Decides(json!({"event": "wxact"}), true), found(r#""exact""#));
    quirk(r#"match(event, "*mid*")"#, Decides(json!({"event": "a mid b"}), false), found(r#""*mid*""#));
    quirk("match(event, 55)", Decides(json!({"event": "x5"}), true), found("55"));
}

#[test]
fn q11_type_and_event_compare_text() {
    for value in ["null", "true", "7"] {
        let text = format!("event != {value}");
        quirk(&text, Decides(json!({"event": 7}), true), Some((Code::TextField, value)));
        quirk(&text, Decides(json!({"event": value}), false), Some((Code::TextField, value)));
    }
    quirk("userId = 7", Decides(json!({"userId": 7}), false), Some((Code::TextField, "7")));
}

#[test]
fn q12_unequal_to_true_is_true_for_true() {
    let found = Some((Code::NotBoolean, "!= true"));
    quirk("properties.a != true", Decides(json!({"properties": {"a": true}}), true), found);
}

#[test]
fn q13_a_missing_value_is_a_text() {
    quirk("type = ", Decides(json!({"type": "eos"}), true), Some((Code::MissingValue, "=")));
    quirk("type", Refuses, Some((Code::MissingValue, "type")));
}

#[test]
fn q14_exotic_white_space_is_an_error_and_carriage_returns_are_strictly_fine() {
    for space in ["\u{a0}", "\u{c}", "\u{2009}"] {
        quirk(&format!("type ={space} \"a\""), Refuses, Some((Code::WhiteSpace, space)));
    }
    quirk("type = \"a\"\r\n", Refuses, None);
    // The reference reads this one: the second text begins at the quote that the return touches.
    quirk("event = \"a\"\r\"", Decides(json!({"event": "a"}), true), Some((Code::OpenText, "\"")));
}

#[test]
fn q15_some_operators_may_not_touch_their_value() {
    quirk(r#"type !="a""#, Refuses, Some((Code::TouchingOperator, "!=")));
    let event = json!({"properties": {"n": 6}});
    quirk("properties.n >=5", Decides(event, false), Some((Code::TouchingOperator, ">=")));
    quirk("properties.n>5", Refuses, Some((Code::TouchingOperator, ">")));
}

#[test]
fn q16_a_falsy_parent_is_taken_for_its_member() {
    let falsy = [("0", json!(0)), ("false", json!(false)), ("\"\"", json!(""))];
    for (value, parent) in falsy {
        let text = format!("properties.a.b = {value}");
        quirk(&text, Decides(json!({"properties": {"a": parent}}), true), Some((Code::FalsyParent, "properties.a.b")));
    }
    let guarded = "properties.a.b = 0 and properties.a.x = null";
    quirk(guarded, Decides(json!({"properties": {"a": 0}}), false), None);
    quirk(guarded, Decides(json!({"properties": {"a": {"b": 0}}}), true), None);
}

#[test]
fn q17_a_lone_sign_is_not_a_number() {
    quirk("properties.n != -", Decides(json!({"properties": {"n": 1}}), true), Some((Code::LoneSign, "-")));
    quirk("event = -", Decides(json!({"event": "NaN"}), true), Some((Code::LoneSign, "-")));
}

#[test]
fn q18_short_words_are_cut_at_the_end() {
    for (text, word) in [("event = ab", "ab"), ("event = nul", "nul"), ("event = n=5", "n=5")] {
        quirk(text, Decides(json!({"event": &word[..1]}), true), Some((Code::CutWord, word)));
    }
}

#[test]
fn q19_a_closing_quote_that_touches_opens_another_text() {
    let text = r#"type = "a"or event = "b""#;
    quirk(text, Decides(json!({"type": "a"}), true), Some((Code::TouchingText, "\"")));
    quirk(text, Decides(json!({"event": "b"}), false), Some((Code::TouchingText, "\"")));
}

#[test]
fn q20_any_token_is_an_operator_or_a_value() {
    quirk(r#"type like "x""#, Decides(json!({"type": "x"}), false), Some((Code::WrongToken, "like")));
    quirk("event = (", Decides(json!({"event": "("}), true), Some((Code::WrongToken, "(")));
    quirk("event = word", Decides(json!({"event": "word"}), true), Some((Code::WrongToken, "word")));
    quirk("properties.n == 5", Decides(json!({"properties": {"n": "="}}), true), Some((Code::WrongToken, "=")));
    quirk(r#"event = "A" "B""#, Decides(json!({"event": "A"}), true), Some((Code::WrongToken, "\"B\"")));
    quirk("properties.n > true", Decides(json!({"properties": {"n": 2}}), true), Some((Code::WrongToken, "true")));
}

#[test]
fn connectives_stand_between_conditions() {
    let event = json!({"type": "a", "event": "b"});
    for (text, at) in [
        (r#"type = "a" event = "b""#, "event"),
        (r#"type = "a" and"#, "and"),
        (r#"or type = "a""#, "or"),
        (r#"type = "a" and and event = "b""#, "and"),
    ] {
        quirk(text, Decides(event.clone(), true), Some((Code::Connective, at)));
    }
}

#[test]
fn groups_are_whole_and_hold_conditions() {
    quirk("()", Refuses, Some((Code::Group, "(")));
    quirk(r#"(type = "a""#, Refuses, Some((Code::Group, "(")));
    quirk(r#"type = "a")"#, Decides(json!({"type": "a"}), true), Some((Code::Group, ")")));
    quirk(r#"type = "a" or ()"#, Decides(json!({"type": "b"}), false), Some((Code::Group, "(")));
}

#[test]
fn calls_have_two_arguments() {
    quirk("contains(event)", Decides(json!({"event": "eos"}), true), Some((Code::Arguments, "contains")));
    quirk("match(event, \"a*\", 1)", Decides(json!({"event": "ab"}), true), Some((Code::Arguments, "match")));
    quirk("contains(event \"a\")", Decides(json!({"event": ")"}), true), Some((Code::Arguments, "contains")));
    quirk("contains(event, bare)", Decides(json!({"event": "bare"}), true), Some((Code::WrongToken, "bare")));
}

#[test]
fn paths_lead_where_they_seem_to() {
    let none = || Decides(json!({"properties": {"and": 1, "2fa": true}}), false);
    quirk("properties.and = 1", none(), Some((Code::Path, ".and")));
    quirk("properties.2fa = true", none(), Some((Code::Path, ".2")));
    quirk("properties..and = 1", none(), Some((Code::Path, ".")));
    quirk(r"properties.a\.b = 1", none(), Some((Code::Path, r"properties.a\.b")));
    quirk("properties = 1", none(), Some((Code::Path, "properties")));
    quirk(r#"event.name = "A""#, Decides(json!({"event": "A"}), true), Some((Code::Path, "event.name")));
    quirk("properties.a[0] = 1", Refuses, Some((Code::Path, "[")));
}

#[test]
fn numbers_are_whole() {
    quirk("event = 5a", Decides(json!({"event": "5"}), true), Some((Code::Number, "5")));
    quirk("properties.n = -.5", Decides(json!({"properties": {"n": -0.5}}), true), Some((Code::Number, "-.5")));
    quirk("properties.n = 1.", Refuses, Some((Code::Number, "1.")));
}
