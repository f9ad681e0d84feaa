use serde_json::json;

use super::object;
use crate::route::fields::{Condition, Field, Schema};

fn schema() -> Schema {
    Schema::new([
        Field::text("account").label("Account").required().example("501"),
        Field::boolean("send_email").label("Send Email").default(true),
        Field::integer("size").default(5000).minimum(1),
        Field::number("rate"),
        Field::text("campaigns").multiple(),
        Field::text("key").label("Key").secret().required_when(Condition::is("sign", true)),
        Field::boolean("sign"),
        Field::text("old_keys").secret().multiple(),
        Field::object("auth").properties([Field::text("user").default("me"), Field::text("password").secret()]),
    ])
}

#[test]
fn settings_are_read_by_their_keys() {
    let given = json!({
        "account": "501", "rate": 0.5, "campaigns": ["a", "b"], "key": "hush", "old_keys": ["one", "two"],
        "auth": {"password": "quiet"}
    });
    let settings = schema().settings(object(given)).unwrap();
    assert_eq!(settings.text("account"), Some("501"));
    assert!(settings.flag("send_email") && !settings.flag("sign"));
    assert_eq!((settings.integer("size"), settings.number("rate")), (Some(5000), Some(0.5)));
    assert_eq!(settings.list("campaigns"), [json!("a"), json!("b")]);
    assert_eq!(settings.text("auth.user"), Some("me"));
    assert_eq!(settings.secret("key").unwrap().reveal(), "hush");
    assert_eq!(settings.secrets("old_keys").len(), 2);
    assert_eq!(settings.secret("auth.password").unwrap().reveal(), "quiet");
    assert!(settings.value("key").is_none() && settings.value("auth.password").is_none());
}

#[test]
fn no_secret_is_printed() {
    let given = json!({"account": "501", "key": "hush", "old_keys": ["one"], "auth": {"password": "quiet"}});
    let shown = format!("{:?}", schema().settings(object(given)).unwrap());
    assert!(!["hush", "one", "quiet"].iter().any(|secret| shown.contains(secret)), "{shown}");
    assert!(shown.contains("\"key\": [secret]") && shown.contains("\"account\""), "{shown}");
    let given = json!({"account": "501", "key": ["hush"], "auth": {"pasword": "quiet"}});
    let faults = schema().settings(object(given)).unwrap_err();
    assert!(!format!("{faults} {} {faults:?}", faults.advice()).contains("hush"));
    assert!(!format!("{faults} {} {faults:?}", faults.advice()).contains("quiet"));
}

#[test]
fn nothing_is_guessed() {
    let faults = schema().settings(object(json!({"acount": "501", "send_email": "true", "size": 0}))).unwrap_err();
    let messages: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "The root value has an unexpected property, acount, which is not in the list of allowed properties \
             (account, send_email, size, rate, campaigns, key, sign, old_keys, auth).",
            "The root value is missing the required field 'account'.",
            "Send Email must be a boolean but it was a string.",
            "The value at /size must be equal to or greater than 1.",
        ]
    );
    assert_eq!(
        faults.advice(),
        "Field `acount`: Did you mean `account`? Field `account`: Set it, for example \"501\". \
         Field `send_email`: Write a boolean. Field `size`: Write 1 or more."
    );
    let faults = schema().settings(object(json!({"account": 501, "campaigns": "a"}))).unwrap_err();
    assert_eq!(faults.iter().next().unwrap().remedy, "Put it in quotes.");
    assert!(faults.to_string().ends_with("The value at /campaigns must be an array but it was a string."), "{faults}");
}

#[test]
fn blanks_are_no_setting() {
    let faults = schema().settings(object(json!({"account": " ", "sign": true, "key": ""}))).unwrap_err();
    assert_eq!(
        faults.to_string(),
        "The root value is missing the required field 'key'. The root value is missing the required field 'account'."
    );
}
