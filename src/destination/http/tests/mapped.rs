//! With mappings as its templates, as configurations have them.

use super::*;
use crate::taxonomy::LIQUID_FAILED;

const ADA: &str = r#"{"userId":"ada","traits":{"email":"ada@example.com","age":36},"tags":["a","b"]}"#;

fn mapped(description: Description) -> Declared {
    Declared::mapped(description).unwrap_or_else(|error| panic!("{error}"))
}

fn bodied(body: Value) -> Description {
    Description { body: Body::Mapped(body), ..post("https://crm.example/{{userId}}?age={{$.traits.age}}") }
}

#[test]
fn mappings_fill_address_headers_and_body() {
    let headers = vec![
        ("x-user".into(), json!("user {{userId}}")),
        ("x-mail".into(), json!({ "@path": "$.traits.email" })),
        ("x-none".into(), json!({ "@path": "$.none" })),
    ];
    let body = json!({ "person": { "mail": { "@path": "$.traits.email" }, "name": { "@path": "$.name" } } });
    let request = asked(&mapped(Description { headers, ..bodied(body) }), &[ADA]);
    assert_eq!(request.url().as_str(), "https://crm.example/ada?age=36");
    assert_eq!((header(&request, "x-user"), header(&request, "x-mail")), (Some("user ada"), Some("ada@example.com")));
    assert_eq!(header(&request, "x-none"), None);
    assert_eq!(super::body(&request), json!({ "person": { "mail": "ada@example.com" } }));
}

#[test]
fn a_body_may_be_a_directive_a_list_or_fixed() {
    for (template, expected) in [
        (json!({ "@path": "$.traits" }), json!({ "email": "ada@example.com", "age": 36 })),
        (json!([{ "@path": "$.userId" }, 1, { "a": { "@path": "tags[1]" } }]), json!(["ada", 1, { "a": "b" }])),
        (json!("for {{userId}}"), json!("for ada")),
        (json!(7), json!(7)),
        (json!([]), json!([])),
        (json!({}), json!({})),
    ] {
        assert_eq!(super::body(&asked(&mapped(bodied(template.clone())), &[ADA])), expected, "{template}");
    }
}

#[test]
fn what_a_mapping_cannot_do_is_said_with_place_and_code() {
    for (template, code, place) in [
        (json!({ "a": { "@liquid": "{{ a | " } }), LIQUID_FAILED, "`body`: mapping at `a/@liquid`"),
        (json!([{ "@wrong": 1 }]), MAPPING_FAILED, "`body`: mapping at `list/0"),
    ] {
        let declared = mapped(bodied(template));
        let conclusion = declared.check(&Item::plain(id(1), ADA.as_bytes()), Time::ZERO).unwrap_err();
        assert_eq!(conclusion.code, code, "{}", conclusion.detail);
        assert!(conclusion.detail.starts_with(place), "{}", conclusion.detail);
    }
    let error = Declared::mapped(bodied(json!({ "a": { "@path": 1 } }))).err().unwrap();
    assert_eq!(error.setting(), "body");
    assert!(error.problem().contains("a/@path"), "{error}");
}

#[test]
fn its_action_brings_the_event_or_what_is_mapped() {
    let declared = mapped(post("https://crm.example/"));
    let [send] = declared.actions() else { panic!("one action") };
    let route = crate::route::Route::preset(send).unwrap();
    let event: Value = serde_json::from_str(ADA).unwrap();
    assert!(route.takes(&event));
    assert_eq!(route.payload(&event, declared.empties()).unwrap().fields, Value::Null);
}
