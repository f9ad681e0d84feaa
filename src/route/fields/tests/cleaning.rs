//! The messages and values that are expected in the manners `Single` and `Batch` are those of the reference
//! implementation's validator.

use serde_json::{Value, json};

use super::{cleaned, object, outcome};
use crate::route::fields::{Condition, Empties, Field, Format, Schema, When};

/// What becomes of a value in a field named `v` and labelled `V`.
#[expect(clippy::needless_pass_by_value, reason = "so that rows read well")]
fn of(field: &Field, value: Value) -> Result<Value, String> {
    let result = outcome(std::slice::from_ref(field), json!({"v": value}), Empties::Batch)?;
    Ok(result.get("v").cloned().unwrap_or(json!("gone")))
}

#[test]
fn texts_are_made_of_numbers_and_flags() {
    let text = Field::text("v").label("V");
    for (given, made) in [
        (json!(12.5), "12.5"),
        (json!(1999), "1999"),
        (json!(1e21), "1e+21"),
        (json!(true), "true"),
        (json!(["x"]), "x"),
        (json!([5]), "5"),
        (json!([null]), ""),
        (json!(""), ""),
    ] {
        assert_eq!(of(&text, given.clone()), Ok(json!(made)), "{given}");
    }
    assert_eq!(of(&text, json!({})), Err("V must be a string but it was an object.".into()));
    assert_eq!(of(&text, json!(["a", "b"])), Err("V must be a string but it was an array.".into()));
    assert_eq!(of(&text, json!([{}])), Err("V must be a string but it was an object.".into()));
}

#[test]
fn numbers_are_made_of_numeric_texts_and_flags() {
    let number = Field::number("v").label("V");
    for (given, made) in [
        (json!(" 5 "), json!(5)),
        (json!("0x10"), json!(16)),
        (json!("1e3"), json!(1000)),
        (json!("120.50"), json!(120.5)),
        (json!(" "), json!(0)),
        (json!(true), json!(1)),
        (json!([null]), json!(0)),
        (json!([5]), json!(5)),
        (json!(5.0), json!(5.0)),
        (json!(""), json!("gone")),
    ] {
        assert_eq!(of(&number, given.clone()), Ok(made), "{given}");
    }
    for given in ["x", "1_0", "NaN", "Infinity", "1e999"] {
        assert_eq!(of(&number, json!(given)), Err("V must be a number but it was a string.".into()), "{given}");
    }
}

#[test]
fn whole_numbers_are_whole() {
    let integer = Field::integer("v").label("V");
    assert_eq!(of(&integer, json!("5.0")), Ok(json!(5)));
    assert_eq!(of(&integer, json!(false)), Ok(json!(0)));
    assert_eq!(of(&integer, json!(5.5)), Err("V must be an integer but it was a number.".into()));
    assert_eq!(of(&integer, json!("5.5")), Err("V must be an integer but it was a string.".into()));
}

#[test]
fn flags_are_made_of_their_names_and_of_0_and_1() {
    let flag = Field::boolean("v").label("V");
    for (given, made) in
        [(json!("true"), true), (json!("false"), false), (json!(1), true), (json!(0), false), (json!([null]), false)]
    {
        assert_eq!(of(&flag, given.clone()), Ok(json!(made)), "{given}");
    }
    for given in [json!("TRUE"), json!("1"), json!(2)] {
        assert!(of(&flag, given.clone()).is_err(), "{given}");
    }
}

#[test]
fn null_is_made_of_nothing_where_nothing_else_fits() {
    let nullable = |field: Field| field.label("V").allow_null();
    assert_eq!(of(&nullable(Field::number("v")), json!(null)), Ok(json!(null)));
    assert_eq!(of(&nullable(Field::number("v")), json!(false)), Ok(json!(0)));
    assert_eq!(of(&nullable(Field::object("v")), json!(0)), Ok(json!(null)));
    assert_eq!(of(&nullable(Field::boolean("v")), json!([""])), Ok(json!(null)));
    let wrong = of(&nullable(Field::object("v")), json!(5));
    assert_eq!(wrong, Err("V must be an object or null but it was a number.".into()));
}

#[test]
fn lists_are_made_of_what_should_be_their_item() {
    let list = Field::text("v").label("V").multiple();
    assert_eq!(of(&list, json!("x")), Ok(json!(["x"])));
    assert_eq!(of(&list, json!(["x", 5, true, null])), Ok(json!(["x", "5", "true"])));
    assert_eq!(of(&list, json!({})), Err("The value at /v/0 must be a string but it was an object.".into()));
    let inner = [Field::object("o").label("O").properties([list])];
    let deep = |value| outcome(&inner, json!({"o": {"v": value}}), Empties::Batch);
    assert_eq!(deep(json!("x")), Ok(json!({"o": {"v": ["x"]}})));
    assert_eq!(deep(json!({})), Err("V must be an array but it was an object.".into()));
}

#[test]
fn objects_are_made_of_nothing_else() {
    let object = Field::object("v").label("V");
    assert_eq!(of(&object, json!({"any": [1]})), Ok(json!({"any": [1]})));
    assert_eq!(of(&object, json!([{}])), Err("V must be an object but it was an array.".into()));
}

#[test]
fn moments_are_checked_and_passed_on() {
    let moment = Field::datetime("v").label("V");
    for given in [json!("2026-03-14"), json!("1773482400"), json!(-5), json!("14 Mar 2026"), json!("2026-13-45")] {
        assert_eq!(of(&moment, given.clone()), Ok(given));
    }
    let wrong = Err("V must be a valid date-like string but it was not.".to_owned());
    for given in [json!("soon"), json!(true), json!("NaN"), json!("-99999999999999")] {
        assert_eq!(of(&moment, given.clone()), wrong, "{given}");
    }
    assert_eq!(of(&moment, json!({})), Err("V must be a string or number but it was an object.".into()));
}

#[test]
fn limits_hold_also_at_zero_and_for_whole_numbers() {
    let number = Field::integer("v").label("V").minimum(0).maximum(5);
    assert_eq!(of(&number, json!(0)), Ok(json!(0)));
    assert_eq!(of(&number, json!(-1)), Err("V must be equal to or greater than 0.".into()));
    assert_eq!(of(&number, json!("6")), Err("V must be equal to or less than 5.".into()));
    let text = Field::text("v").label("V").minimum(2).maximum(3);
    assert_eq!(of(&text, json!("ä")), Err("V must be 2 characters or more but it was 1 character.".into()));
    assert_eq!(of(&text, json!("abcd")), Err("V must be 3 characters or fewer but it was 4 characters.".into()));
}

#[test]
fn choices_are_named_when_none_is_made() {
    let choices = Field::text("v").label("V").choices(["a", "b"]);
    assert_eq!(of(&choices, json!("c")), Err("V must be one of: \"a\" or \"b\".".into()));
    let both = "V must be a string but it was an object. V must be one of: \"a\" or \"b\".";
    assert_eq!(of(&choices, json!({})), Err(both.into()));
    let labelled = Field::text("v").label("V").choices([("a", "Add"), ("b", "Be"), ("c", "See")]).allow_null();
    let message = "V must be one of: \"a\", \"b\", \"c\", or null.";
    assert_eq!(of(&labelled, json!("d")), Err(message.into()));
    assert_eq!(of(&labelled, json!(null)), Ok(json!(null)));
    let list = Field::text("v").label("V").choices(["a"]).multiple();
    assert_eq!(of(&list, json!(["a", "b"])), Err("The value at /v/1 must be one of: \"a\".".into()));
}

#[test]
fn forms_are_checked() {
    for (format, good, bad) in [
        (Format::Date, ["2024-02-29", "2026-12-31"], ["2026-02-29", "2026-3-1"]),
        (Format::Time, ["10:00:00", "23:59:60.5+02:00"], ["24:00:00", "10:00"]),
        (
            Format::DateTime,
            ["2026-03-14T10:00:00Z", "2026-03-14 10:00:00+0200"],
            ["2026-03-14", "2026-03-14T24:00:00Z"],
        ),
        (Format::Uri, ["https://a.b/c?d#e", "urn:x"], ["/x", "http://a b"]),
        (Format::UriReference, ["/a?b", "#f"], ["a b", "%zz"]),
        (Format::UriTemplate, ["{a}/{+b,c*}", "x"], ["{", "{}"]),
        (Format::Email, ["a.b@c.de", "o'x@y.z"], ["a@b", "a..b@c.d"]),
        (Format::Hostname, ["a.b.", "a-b"], ["-a", "a_b"]),
        (Format::Ipv4, ["192.0.2.1", "0.0.0.0"], ["256.1.1.1", "1.2.3"]),
        (Format::Ipv6, ["::1", "::1.2.3.4"], ["1::2::3", "g::"]),
        (Format::Regex, ["(?<n>a)|b{2,3}?", "[^]a-z]x"], ["a**", "(a"]),
        (
            Format::Uuid,
            ["123e4567-e89b-12d3-a456-426614174000", "urn:uuid:123E4567-e89b-12d3-a456-426614174000"],
            ["1", "x"],
        ),
    ] {
        let field = Field::text("v").label("V").format(format);
        for text in good {
            assert_eq!(of(&field, json!(text)), Ok(json!(text)));
        }
        for text in bad {
            let message = of(&field, json!(text)).unwrap_err();
            assert!(
                message.starts_with("V must be a valid ") && message.ends_with(" string but it was not."),
                "{text}"
            );
        }
    }
}

#[test]
fn what_is_empty_goes_in_the_manner_that_is_asked_for() {
    let fields = [
        Field::text("s"),
        Field::number("n"),
        Field::text("l").multiple(),
        Field::text("nullable").allow_null(),
        Field::object("o").properties([Field::text("s"), Field::number("n")]),
        Field::object("list").multiple().properties([Field::text("s")]),
        Field::object("free"),
    ];
    let given = json!({
        "s": "", "n": "", "l": ["", null, " "], "nullable": null, "o": {"s": "", "n": null},
        "list": [{"s": null}, null, ""], "free": {"s": "", "n": null}
    });
    let free = json!({"s": "", "n": null});
    let single = json!({"l": ["", " "], "nullable": null, "o": {"s": ""}, "list": [{"s": ""}], "free": free});
    let batch = json!({"s": "", "l": ["", " "], "nullable": null, "o": {"s": ""}, "list": [{"s": ""}], "free": free});
    let blank = json!({"l": [], "nullable": null, "o": {}, "list": [{}], "free": free});
    for (empties, expected) in [(Empties::Single, single), (Empties::Batch, batch), (Empties::Blank, blank)] {
        assert_eq!(outcome(&fields, given.clone(), empties), Ok(expected), "{empties:?}");
    }
    for given in ["", " ", "\u{feff}\t"] {
        assert_eq!(outcome(&fields, json!({"s": [given], "n": [given], "l": given}), Empties::Blank), Ok(json!({})));
    }
}

#[test]
fn what_is_missing_is_told_with_its_object() {
    let fields = [
        Field::text("at").label("At").required(),
        Field::object("user").label("user info").properties([Field::text("last").required(), Field::text("first")]),
        Field::object("list").label("List").multiple().properties([Field::text("q").required()]),
    ];
    let faults = cleaned(&fields, json!({"user": {}, "list": [{"q": 1}, {}]}), Empties::Blank).unwrap_err();
    assert_eq!(
        faults.to_string(),
        "The root value is missing the required field 'at'. User info is missing the required field 'last'. \
         The value at /list/1 is missing the required field 'q'."
    );
    let places: Vec<&str> = faults.iter().map(|fault| fault.place.as_str()).collect();
    assert_eq!(places, ["at", "user.last", "list[1].q"]);
    assert!(faults.advice().starts_with("Field `at`: Map a value to it. Field `user.last`: "));
}

#[test]
fn a_condition_demands_a_field() {
    let fields = |when: When| {
        let members = [Field::text("x"), Field::text("y")];
        [Field::text("a").allow_null(), Field::object("o").properties(members), Field::text("b").required_when(when)]
    };
    let (a, yes, no) = (|value: Value| json!({"a": value}), true, false);
    for (when, rows) in [
        (Condition::is("a", "x").into(), vec![(a(json!("x")), yes), (a(json!("y")), no), (json!({}), no)]),
        (Condition::is_not("a", "x").into(), vec![(a(json!("x")), no), (a(json!("y")), yes), (json!({}), no)]),
        (Condition::absent("a").into(), vec![(a(json!("x")), no), (a(json!(null)), yes), (json!({}), yes)]),
        (Condition::present("a").into(), vec![(a(json!("x")), yes), (a(json!(null)), no), (json!({}), no)]),
        (Condition::is("o.x", "1").into(), vec![(json!({"o": {"x": "1"}}), yes), (json!({"o": {"x": "2"}}), no)]),
        (
            When::all([Condition::is("a", "x"), Condition::absent("o.y")]),
            vec![(a(json!("x")), yes), (json!({"a": "x", "o": {"y": "1"}}), no), (json!({}), no)],
        ),
        (
            When::any([Condition::is("a", "x"), Condition::is("o.y", "1")]),
            vec![(a(json!("x")), yes), (json!({"o": {"y": "1"}}), yes), (json!({}), no)],
        ),
    ] {
        let when: When = when;
        for (payload, demanded) in rows {
            let result = outcome(&fields(when.clone()), payload.clone(), Empties::Blank);
            let missing = "The root value is missing the required field 'b'.";
            assert_eq!(result.err().as_deref(), demanded.then_some(missing), "{when:?} {payload}");
        }
    }
}

#[test]
fn the_reference_adds_that_a_condition_is_not_met() {
    let fields = [
        Field::text("source").required(),
        Field::text("c").required(),
        Field::text("name").required_when(Condition::is("source", "LIST")),
    ];
    let message = "The root value is missing the required field 'name'. The root value must match \"then\" schema. \
                   The root value is missing the required field 'c'.";
    assert_eq!(outcome(&fields, json!({"source": "LIST"}), Empties::Single), Err(message.into()));
    let message =
        "The root value is missing the required field 'name'. The root value is missing the required field 'c'.";
    assert_eq!(outcome(&fields, json!({"source": ["LIST"]}), Empties::Blank), Err(message.into()));
}

#[test]
fn a_member_demands_its_object_and_spares_its_siblings() {
    let members = [Field::text("x").required(), Field::text("y").required_when(Condition::is("a", "1"))];
    let fields = [Field::text("a"), Field::object("o").label("O").properties(members)];
    let blank = |payload| outcome(&fields, payload, Empties::Blank);
    assert_eq!(blank(json!({"a": "1"})), Err("The root value is missing the required field 'o'.".into()));
    let both = "O is missing the required field 'y'. O is missing the required field 'x'.";
    assert_eq!(blank(json!({"a": "1", "o": {}})), Err(both.into()));
    assert_eq!(blank(json!({"a": "2"})), Ok(json!({"a": "2"})));
    let single = outcome(&fields, json!({"a": "1", "o": {"x": "1"}}), Empties::Single);
    let message = "The value at /o is missing the required field 'y'. The root value must match \"then\" schema.";
    assert_eq!(single, Err(message.into()));
}

#[test]
fn what_is_not_declared_goes_and_is_told() {
    let fields = [
        Field::text("a"),
        Field::object("o").properties([Field::text("x")]),
        Field::object("open").open().properties([Field::text("x")]),
        Field::object("list").multiple().properties([Field::text("x")]),
    ];
    let given = json!({"z": 1, "a": "1", "o": {"x": "1", "y": 2}, "open": {"y": 2}, "list": [{"y": 3}]});
    let result = cleaned(&fields, given, Empties::Blank).unwrap();
    assert_eq!(Value::from(result.payload), json!({"a": "1", "o": {"x": "1"}, "open": {"y": 2}, "list": [{}]}));
    assert_eq!(result.undeclared, ["z", "o.y", "list[0].y"]);
    let exempt = json!({"dynamicAuthSettings": {"x": 1}});
    assert_eq!(outcome(&fields, exempt.clone(), Empties::Single), Ok(exempt.clone()));
    assert_eq!(outcome(&fields, exempt, Empties::Blank), Ok(json!({})));
}

#[test]
fn a_million_faults_cost_no_million_messages() {
    let schema = Schema::new([Field::number("v").multiple()]);
    let faults = schema.clean(object(json!({"v": vec!["x"; 100_000]})), Empties::Blank).unwrap_err();
    assert_eq!(faults.iter().count(), 100);
    assert!(faults.to_string().ends_with(" There are 99900 more faults."), "{faults}");
}
