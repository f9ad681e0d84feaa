//! Introspection (RFC 7662): what the issuer thinks of a token. A tie-breaker, asked only where refusals alone cannot tell.

use outlast_state::Standing;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::exchange::{Answer, NoAnswer};

/// What the issuer's answer means, with a note for people. Only `"active": false` of a success says that a token is dead:
/// `LinkedIn` adds in `status` whether it expired or was revoked. Nothing else is quoted, since a body may hold a token.
#[must_use]
pub(crate) fn standing(answer: Result<Answer, NoAnswer>) -> (Standing, String) {
    let answer = match answer {
        Ok(answer) => answer,
        Err(none) => return (Standing::Unknown, format!("the issuer could not be asked about the token: {none}")),
    };
    let (status, body) = (answer.status, Zeroizing::new(answer.body));
    let (200..=299, Ok(Value::Object(fields))) = (status, serde_json::from_slice(&body)) else {
        let note = format!("the introspection endpoint answered {status} and said nothing of the token");
        return (Standing::Unknown, note);
    };
    match (fields.get("active").and_then(Value::as_bool), fields.get("status").and_then(Value::as_str)) {
        (Some(true), _) => (Standing::Active, String::new()),
        (Some(false), Some("expired")) => (Standing::Expired, "the issuer says that the token is expired".to_owned()),
        (Some(false), _) => (Standing::Revoked, "the issuer says that the token is not active".to_owned()),
        (None, _) => (Standing::Unknown, format!("the introspection endpoint answered {status} without `active`")),
    }
}

#[cfg(test)]
mod tests {
    use outlast_state::Time;

    use super::*;

    fn said(status: u16, body: &str) -> Standing {
        let answer = Answer { status, headers: Vec::new(), body: body.as_bytes().to_vec(), received: Time::ZERO };
        standing(Ok(answer)).0
    }

    #[test]
    fn only_a_clear_no_says_that_a_token_is_dead() {
        assert_eq!(said(200, r#"{"active":true,"status":"active"}"#), Standing::Active);
        assert_eq!(said(200, r#"{"active":false,"status":"expired"}"#), Standing::Expired);
        assert_eq!(said(200, r#"{"active":false,"status":"revoked"}"#), Standing::Revoked);
        assert_eq!(said(200, r#"{"active":false}"#), Standing::Revoked);
        for (status, body) in
            [(200, "{}"), (200, "[]"), (200, ""), (200, r#"{"active":"no"}"#), (400, r#"{"active":false}"#), (503, "")]
        {
            assert_eq!(said(status, body), Standing::Unknown, "{status} {body}");
        }
        assert_eq!(standing(Err(NoAnswer::NotSent { cause: "refused".into() })).0, Standing::Unknown);
    }

    #[test]
    fn no_note_quotes_the_body() {
        for body in [r#"{"active":false,"status":"canary"}"#, r#"{"error":"canary"}"#, "canary"] {
            let answer = Answer { status: 200, headers: Vec::new(), body: body.into(), received: Time::ZERO };
            assert!(!standing(Ok(answer)).1.contains("canary"), "{body}");
        }
    }
}
