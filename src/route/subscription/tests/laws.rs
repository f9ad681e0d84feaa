//! Laws over generated texts and events.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{compatible, strict};
use crate::route::subscription::Subscription;

/// Fields, few and related, so that events have some of them and conditions agree at times.
fn field() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "properties.a",
            "traits.a",
            "context.a.b",
            "properties . a.b",
            r"properties.\2",
            r"traits.\and"
        ])
        .prop_map(String::from),
        prop::collection::vec(r"\\[ -~&&[^.\[\]]]|[A-Za-z_]", 1..4)
            .prop_map(|it| format!("properties.x{}", it.concat())),
    ]
}

fn quoted() -> impl Strategy<Value = String> {
    prop_oneof![prop::sample::select(vec!["", "a", "ab", "5", "true", "null"]).prop_map(String::from), "[^\"]{0,6}"]
        .prop_map(|text| format!("\"{text}\""))
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof!["[+-]?[0-9]{1,3}(\\.[0-9]{1,3})?", "[0-9]{1,40}"]
}

fn comparison() -> impl Strategy<Value = String> {
    let equality = || prop::sample::select(vec!["=", "!="]);
    let order = prop::sample::select(vec!["<", "<=", ">", ">="]);
    let whole = prop::sample::select(vec!["type", "event", "name", "userId"]);
    prop_oneof![
        (whole, equality(), quoted()).prop_map(|(field, operator, value)| format!("{field} {operator} {value}")),
        (equality(), prop::sample::select(vec!["name", "userId"])).prop_map(|(it, field)| format!("{field} {it} null")),
        (field(), equality(), prop_oneof![quoted(), number(), Just("null".into())])
            .prop_map(|(field, operator, value)| format!("{field} {operator} {value}")),
        (field(), prop::bool::ANY).prop_map(|(field, flag)| format!("{field} = {flag}")),
        (field(), order, number()).prop_map(|(field, operator, value)| format!("{field}\t{operator} {value}")),
    ]
}

fn call() -> impl Strategy<Value = String> {
    let target = prop_oneof![prop::sample::select(vec!["event", "name", "userId"]).prop_map(String::from), field()];
    let argument = prop_oneof![
        quoted().prop_map(|text| ("contains", text)),
        "[^\"*]{0,4}".prop_map(|text| ("match", format!("\"{text}*\""))),
        "[^\"*]{0,4}".prop_map(|text| ("match", format!("\"*{text}\""))),
    ];
    (target, argument, prop::bool::ANY)
        .prop_map(|(target, (name, text), bang)| format!("{}{name}({target},\n{text})", if bang { "!" } else { "" }))
}

fn connective() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![" and ", "\n or\t"])
}

/// A group: a call only at its end.
fn group() -> impl Strategy<Value = String> {
    (prop::collection::vec(comparison(), 1..4), prop::option::of(call()), connective()).prop_map(
        |(mut terms, call, connective)| {
            terms.extend(call);
            format!("( {} )", terms.join(connective))
        },
    )
}

/// A text of the intended language, without groups in groups.
fn flat() -> impl Strategy<Value = String> {
    (prop::collection::vec(prop_oneof![3 => comparison(), 1 => call(), 1 => group()], 1..5), connective())
        .prop_map(|(terms, connective)| terms.join(connective))
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop::sample::select(vec![json!(null), json!(true), json!(false), json!(0), json!(5), json!(-2.5)]),
        prop::sample::select(vec!["", "a", "ab", "b", "5", "true", "null", "x*"]).prop_map(Value::from),
        (0..1000).prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
        Just(json!(["a", 5])),
    ]
}

fn event() -> impl Strategy<Value = Value> {
    let members = || {
        prop::collection::btree_map(
            "[ab2x]|and|xa",
            prop_oneof![scalar(), Just(json!({"b": "a"})), Just(json!({"b": 5}))],
            0..4,
        )
    };
    let below = || prop_oneof![4 => members().prop_map(|it| json!(it)), 1 => scalar()];
    let whole =
        prop::collection::btree_map(prop::sample::select(vec!["type", "event", "name", "userId"]), scalar(), 0..5);
    (whole, below(), below(), below()).prop_map(|(whole, properties, traits, context)| {
        let mut event = json!(whole);
        event["properties"] = properties;
        event["traits"] = traits;
        event["context"] = context;
        event
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_readings_agree_where_the_strict_one_finds_nothing(text in flat(), events in prop::collection::vec(event(), 1..6)) {
        if Subscription::findings(&text).is_empty() {
            let (strict, compatible) = (strict(&text), compatible(&text));
            for event in events {
                prop_assert_eq!(strict.evaluate(&event), compatible.evaluate(&event), "{} for {}", text, event);
            }
        }
    }

    #[test]
    fn the_only_finding_of_the_intended_language_is_the_falsy_parent(text in flat()) {
        let findings = Subscription::findings(&text);
        prop_assert!(findings.iter().all(|it| it.code.as_str() == "falsy-parent"), "{}: {:?}", text, findings);
    }

    #[test]
    fn what_is_written_back_is_read_as_the_same_tree(text in flat()) {
        let read = compatible(&text);
        let again = compatible(&read.to_string());
        prop_assert_eq!(&again.root, &read.root, "{} as {}", text, read);
        prop_assert_eq!(again.to_string(), read.to_string());
    }

    #[test]
    fn groups_in_groups_are_written_back_too(texts in prop::collection::vec(flat(), 2..4), outer in connective()) {
        let nested = texts.iter().map(|it| format!("(({it}){outer}name = \"n\")")).collect::<Vec<_>>().join("\r\n or ");
        if let Ok(read) = Subscription::strict(&nested) {
            prop_assert_eq!(&strict(&read.to_string()).root, &read.root, "{}", nested);
        }
    }

    #[test]
    fn an_explanation_is_of_the_same_mind_as_the_evaluation(text in flat(), event in event()) {
        use crate::route::subscription::Explanation::{Failed, Matched, Undecided};
        let read = compatible(&text);
        match (read.explain(&event), read.evaluate(&event)) {
            (Matched, decided) => prop_assert_eq!(decided, Ok(true)),
            (Undecided(error), decided) => prop_assert_eq!(decided, Err(error)),
            (Failed(terms), decided) => {
                prop_assert_eq!(decided, Ok(false));
                prop_assert!(!terms.is_empty());
                for failed in terms {
                    prop_assert_eq!(compatible(&failed.term).evaluate(&event), Ok(false), "{}", failed);
                }
            }
        }
    }

    #[test]
    fn no_text_makes_a_reader_panic(text in any::<String>(), event in event()) {
        check(&text, &event);
    }

    #[test]
    fn no_text_of_the_languages_own_tokens_makes_a_reader_panic(
        tokens in prop::collection::vec(prop::sample::select(TOKENS.to_vec()), 0..24), event in event()
    ) {
        check(&tokens.concat(), &event);
    }
}

const TOKENS: [&str; 40] = [
    "type",
    "event",
    "userId",
    "properties",
    "traits.a",
    "context.",
    "contains",
    "match",
    "(",
    ")",
    "(",
    ")",
    "!",
    "!=",
    "=",
    "<",
    ">=",
    "and",
    "or",
    "OR",
    "not",
    "null",
    "true",
    "\"a\"",
    "\"",
    "'",
    "'b'",
    "*\"",
    "\\",
    "é",
    "😀",
    "-",
    "1",
    "1.",
    ".",
    "[",
    ",",
    " ",
    "\r",
    "\t",
];

/// Whatever the text: findings lie within it, and what has none is read alike by both, or only by the strict reading.
fn check(text: &str, event: &Value) {
    let findings = Subscription::findings(text);
    assert!(findings.iter().all(|it| text.get(it.span.clone()).is_some() && it.caret(text).contains('^')));
    let read = Subscription::parse(text);
    if let Ok(read) = &read {
        assert!(!read.explain(event).to_string().is_empty() && !read.to_string().is_empty());
    }
    let Ok(strict) = Subscription::strict(text) else { return };
    match read {
        Ok(read) => assert_eq!(read.evaluate(event), strict.evaluate(event), "{text}"),
        Err(error) => {
            assert!(text.contains('\r') || error.finding().code.as_str() == "nested-group", "{text}: {error}");
        }
    }
}
