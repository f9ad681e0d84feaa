//! A grant as people bring it. No message repeats a value, because any of them may be a token in the wrong place.

use outlast_state::{Span, Time};
use serde_json::{Map, Value};

use crate::cli::control::Grant;
use crate::cli::failure::Failure;
use crate::config::text;
use crate::nearest::nearest;
use crate::secret::Secret;

/// Reads a JSON object: the grant, and the names of what means nothing here.
pub(super) fn from_json(text: &str, now: Time) -> Result<(Grant, Vec<String>), Failure> {
    let text = text.trim_start_matches('\u{feff}');
    let value: Value = serde_json::from_str(text).map_err(|why| {
        wrong("the grant", format!("is not JSON, at line {} and column {}", why.line(), why.column()))
    })?;
    let Value::Object(members) = value else {
        return Err(wrong("the grant", "is not a JSON object; write {\"access_token\": \"…\"}"));
    };
    let strangers = members.keys().filter(|name| !KNOWN.contains(&name.as_str()) && !HARMLESS.contains(&name.as_str()));
    let mut ignored = Vec::new();
    for stranger in strangers {
        // A slip of the finger would lose a token; what else a provider says beside is its own affair.
        if let Some(meant) = nearest(stranger, KNOWN).filter(|_| !CLOSE_BY.contains(&stranger.as_str())) {
            let name = shown(stranger);
            return Err(wrong("the grant", format!("has {name}, which is not known; did you mean {meant}?")));
        }
        ignored.push(shown(stranger));
    }
    let reader = Reader { members, now };
    let access = reader.secret("access_token")?;
    let access = access.ok_or_else(|| wrong("access_token", "is missing"))?;
    let issued = reader.moment("issued", &[], now)?;
    let base = issued.unwrap_or(now);
    let expires = reader.moment("expires", &["expires_in"], base)?.or(reader.expires_at()?);
    let refresh_expires =
        reader.moment("refresh_expires", &["refresh_expires_in", "refresh_token_expires_in"], base)?;
    let scope = reader.members.get("scope").and_then(Value::as_str).filter(|scope| !scope.is_empty());
    let (scope, refresh) = (scope.map(str::to_owned), reader.secret("refresh_token")?);
    Ok((Grant { access, refresh, issued, expires, refresh_expires, scope }, ignored))
}

/// The name of a member, if it looks like one: a token in its place has digits or capitals, or is long.
fn shown(name: &str) -> String {
    let fits = name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if fits { name.to_owned() } else { "a member whose name cannot be shown".to_owned() }
}

/// Reads the variables that begin with `prefix`.
pub(super) fn from_environment(
    prefix: &str,
    environment: &dyn Fn(&str) -> Option<String>,
    now: Time,
) -> Result<Grant, Failure> {
    let get = |part: &str| environment(&format!("{prefix}_{part}")).filter(|value| !value.is_empty());
    let at = |part: &str| get(part).map(|text| moment(&format!("{prefix}_{part}"), &text, now)).transpose();
    let secret = |part: &str| get(part).map(|text| token(&format!("{prefix}_{part}"), &text)).transpose();
    let issued = at("ISSUED")?;
    let base = issued.unwrap_or(now);
    let after = |part: &str| {
        let span = |text: String| text.trim().parse().map(|seconds| base.after(Span::from_secs(seconds)));
        let wrong = |_| wrong(&format!("{prefix}_{part}"), "must be a whole number of seconds");
        get(part).map(span).transpose().map_err(wrong)
    };
    let access = secret("ACCESS_TOKEN")?
        .ok_or_else(|| wrong(&format!("the environment variable {prefix}_ACCESS_TOKEN"), "is not set"))?;
    Ok(Grant {
        access,
        refresh: secret("REFRESH_TOKEN")?,
        issued,
        expires: at("EXPIRES")?.or(after("EXPIRES_IN")?),
        refresh_expires: at("REFRESH_EXPIRES")?.or(after("REFRESH_EXPIRES_IN")?),
        scope: get("SCOPE"),
    })
}

struct Reader {
    members: Map<String, Value>,
    now: Time,
}

impl Reader {
    fn secret(&self, name: &str) -> Result<Option<Secret>, Failure> {
        match self.members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if !text.trim().is_empty() => token(name, text).map(Some),
            Some(_) => Err(wrong(name, "must be a text that is not empty")),
        }
    }

    /// When the token expires, as some token endpoints say it.
    fn expires_at(&self) -> Result<Option<Time>, Failure> {
        match self.members.get("expires_at") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.parse::<f64>().is_err() => moment("expires_at", text, self.now).map(Some),
            Some(other) => {
                let written = other.as_str().map_or_else(|| other.to_string(), str::to_owned);
                let seconds = written.split('.').next().and_then(|whole| whole.parse().ok());
                let seconds = seconds.ok_or_else(|| wrong("expires_at", "must be a moment, or seconds since 1970"))?;
                Ok(Some(Time::ZERO.after(Span::from_secs(seconds))))
            }
        }
    }

    /// The moment `name`, in whichever of its spellings; those in `after` are seconds after `base`.
    fn moment(&self, name: &str, after: &[&str], base: Time) -> Result<Option<Time>, Failure> {
        let (seconds, millis) = (format!("{name}_s"), format!("{name}_ms"));
        let spellings = [name, &seconds, &millis].into_iter().chain(after.iter().copied());
        let mut given =
            spellings.filter_map(|key| Some((key, self.members.get(key).filter(|value| !value.is_null())?)));
        let Some((key, value)) = given.next() else { return Ok(None) };
        if let Some((other, _)) = given.next() {
            return Err(wrong(other, format!("stands beside {key}; leave one of them out")));
        }
        if key == name {
            let text = value
                .as_str()
                .ok_or_else(|| wrong(key, format!("must be a text; numbers go into {seconds} or {millis}")))?;
            return moment(key, text, self.now).map(Some);
        }
        let number = value.as_u64().ok_or_else(|| wrong(key, "must be a whole number"))?;
        Ok(Some(match key {
            _ if key == millis => Time::from_millis(number),
            _ if key == seconds => Time::ZERO.after(Span::from_secs(number)),
            _ => base.after(Span::from_secs(number)),
        }))
    }
}

/// A token, without the line break that copying leaves at its end. Nothing between that no header can carry.
fn token(name: &str, text: &str) -> Result<Secret, Failure> {
    let text = text.trim();
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(Secret::new(text));
    }
    Err(wrong(name, "holds a space, a line break or a letter that no token has; write the token alone"))
}

fn moment(name: &str, text: &str, now: Time) -> Result<Time, Failure> {
    text::moment(text, now).map_err(|_| {
        wrong(name, "is not a moment; write it as 2026-03-01T12:00:00Z, or from now on as -30d, +12h or now")
    })
}

fn wrong(name: &str, what: impl AsRef<str>) -> Failure {
    Failure::usage(format!("{name} {}", what.as_ref())).help("`outlast auth import --help` shows what is read")
}

/// What a grant may hold.
const KNOWN: [&str; 15] = [
    "access_token",
    "refresh_token",
    "issued",
    "issued_s",
    "issued_ms",
    "expires",
    "expires_s",
    "expires_ms",
    "expires_in",
    "expires_at",
    "refresh_expires",
    "refresh_expires_s",
    "refresh_expires_ms",
    "refresh_expires_in",
    "refresh_token_expires_in",
];

/// What token endpoints answer beside (RFC 6749, `OpenID` Connect, and the sandbox's control interface), and needs no word.
const HARMLESS: [&str; 6] = ["scope", "token_type", "id_token", "action", "grant", "access"];

/// What providers answer that only looks like a slip: `issued_at` of Salesforce is its own count, `ext_expires_in` Microsoft's.
const CLOSE_BY: [&str; 2] = ["issued_at", "ext_expires_in"];

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_millis(1_000_000_000_000);

    fn at(days: i64) -> Time {
        Time::from_millis(NOW.as_millis().saturating_add_signed(days.saturating_mul(86_400_000)))
    }

    #[test]
    fn moments_are_read_in_each_spelling() {
        let rows = [
            (r#"{"access_token":"a"}"#, None, None, None),
            (r#"{"access_token":"a","issued":"-30d","expires":"+30d"}"#, Some(at(-30)), Some(at(30)), None),
            (r#"{"access_token":"a","issued":"-30d","expires_in":86400}"#, Some(at(-30)), Some(at(-29)), None),
            (r#"{"access_token":"a","expires_in":86400,"scope":"x","token_type":"Bearer"}"#, None, Some(at(1)), None),
            (
                r#"{"access_token":"a","issued_s":1000000000,"expires_ms":1000086400000}"#,
                Some(at(0)),
                Some(at(1)),
                None,
            ),
            (r#"{"access_token":"a","refresh_token":"r","refresh_token_expires_in":172800}"#, None, None, Some(at(2))),
            (r#"{"access_token":"a","refresh_expires":"2001-09-12T01:46:40Z","issued":null}"#, None, None, Some(at(3))),
        ];
        for (text, issued, expires, refresh_expires) in rows {
            let (grant, _) = from_json(text, NOW).unwrap();
            assert_eq!(
                (grant.issued, grant.expires, grant.refresh_expires),
                (issued, expires, refresh_expires),
                "{text}"
            );
            assert_eq!(grant.access.reveal(), "a");
        }
    }

    #[test]
    fn what_token_endpoints_answer_is_taken_as_it_is() {
        let rows = [
            // LinkedIn and this project's sandbox.
            (
                r#"{"access_token":"a","expires_in":86400,"scope":"r_ads,rw_conversions","token_type":"Bearer",
                    "refresh_token":"r","refresh_token_expires_in":172800}"#,
                Some(at(1)),
                Some(at(2)),
                "",
            ),
            // The sandbox's control interface.
            (r#"{"action":"issue","grant":1,"access":1,"access_token":"a","refresh_token":"r"}"#, None, None, ""),
            // Salesforce, Microsoft, and those that tell a moment.
            (
                r#"{"access_token":"a","refresh_token":"r","signature":"s","id":"i","issued_at":"1278448384422","instance_url":"u"}"#,
                None,
                None,
                "signature, id, issued_at, instance_url",
            ),
            (r#"{"access_token":"a","expires_in":86400,"ext_expires_in":9}"#, Some(at(1)), None, "ext_expires_in"),
            (r#"{"access_token":"a","expires_at":"2001-09-10T01:46:40Z"}"#, Some(at(1)), None, ""),
            (r#"{"access_token":"a","expires_at":1000086400}"#, Some(at(1)), None, ""),
            (r#"{"access_token":"a","expires_at":1000086400.25}"#, Some(at(1)), None, ""),
            (r#"{"access_token":"a","expires_at":"1000086400"}"#, Some(at(1)), None, ""),
            (r#"{"access_token":"a","S3CRET":"x"}"#, None, None, "a member whose name cannot be shown"),
        ];
        for (text, expires, refresh_expires, left_out) in rows {
            let (grant, ignored) = from_json(text, NOW).unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!((grant.expires, grant.refresh_expires), (expires, refresh_expires), "{text}");
            assert_eq!(ignored.join(", "), left_out, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_never_repeated() {
        let rows = [
            (r"{", "the grant is not JSON, at line 1 and column 1"),
            (r#"["s3cret"]"#, "the grant is not a JSON object"),
            (r#"{"refresh_token":"s3cret"}"#, "access_token is missing"),
            (r#"{"access_token":3}"#, "access_token must be a text"),
            (r#"{"access_token":" "}"#, "access_token must be a text"),
            (r#"{"access_token":"Bearer s3cret"}"#, "access_token holds a space"),
            (r#"{"access_token":"s3cret\r\nX-Other: 1"}"#, "access_token holds a space, a line break"),
            (r#"{"access_token":"a","refresh_token":"s3cret\u0000"}"#, "refresh_token holds a space, a line break or"),
            (r#"{"access_tokn":"s3cret"}"#, "did you mean access_token?"),
            (r#"{"access_token":"a","acces_token":"s3cret"}"#, "the grant has acces_token, which is not known"),
            (r#"{"access_token":"a","expires_at":"s3cret"}"#, "expires_at is not a moment"),
            (r#"{"access_token":"a","expires_at":["s3cret"]}"#, "expires_at must be a moment"),
            (r#"{"access_token":"s3cret","expires":"s3cret"}"#, "expires is not a moment"),
            (
                r#"{"access_token":"s3cret","expires":5}"#,
                "expires must be a text; numbers go into expires_s or expires_ms",
            ),
            (r#"{"access_token":"s3cret","expires_in":"s3cret"}"#, "expires_in must be a whole number"),
            (r#"{"access_token":"s3cret","expires_in":5,"expires_s":5}"#, "expires_in stands beside expires_s"),
        ];
        for (text, expected) in rows {
            let failure = from_json(text, NOW).err().unwrap();
            assert!(failure.to_string().contains(expected), "{failure} for {text}");
            assert!(!failure.to_string().contains("s3cret"), "{failure}");
            assert_eq!(failure.code(), 2);
        }
    }

    #[test]
    fn the_environment_holds_a_grant_too() {
        let environment = |name: &str| match name {
            "ACME_ACCESS_TOKEN" => Some("a\n".to_owned()),
            "ACME_ISSUED" => Some("-30d".to_owned()),
            "ACME_REFRESH_TOKEN" => Some(String::new()),
            "ACME_REFRESH_EXPIRES_IN" => Some("86400".to_owned()),
            "BAD_ACCESS_TOKEN" => Some("a".to_owned()),
            "BAD_EXPIRES_IN" => Some("s3cret".to_owned()),
            _ => None,
        };
        let grant = from_environment("ACME", &environment, NOW).unwrap();
        assert_eq!((grant.issued, grant.expires), (Some(at(-30)), None));
        assert_eq!(grant.access.reveal(), "a");
        assert!(grant.refresh.is_none(), "empty is absent");
        assert_eq!(grant.refresh_expires, Some(at(-29)), "counted from when it was issued");
        let failure = from_environment("BAD", &environment, NOW).err().unwrap().to_string();
        assert!(failure.contains("BAD_EXPIRES_IN must be a whole number") && !failure.contains("s3cret"), "{failure}");
        let failure = from_environment("OTHER", &environment, NOW).err().unwrap();
        assert!(failure.to_string().contains("OTHER_ACCESS_TOKEN is not set"));
    }
}
