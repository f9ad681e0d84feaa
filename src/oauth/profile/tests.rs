use outlast_state::Time;

use super::*;

fn constant(address: &str) -> Url {
    address.parse().unwrap()
}

fn answer(status: u16, body: &str) -> Answer {
    Answer { status, headers: Vec::new(), body: body.as_bytes().to_vec(), received: Time::ZERO }
}

#[test]
fn linkedin_reads_each_status() {
    let profile = Profile::linkedin();
    for status in 100..=599 {
        let expected = match status {
            401 => Evidence::Refuses,
            200..=299 | 400 | 404 | 409 | 413 | 422 => Evidence::Proves,
            _ => Evidence::Nothing,
        };
        assert_eq!(profile.evidence(&answer(status, "")), expected, "{status}");
    }
}

#[test]
fn linkedins_401_refuses_whatever_its_body_says() {
    let profile = Profile::linkedin();
    for body in [
        r#"{"status":401,"serviceErrorCode":65601,"code":"REVOKED_ACCESS_TOKEN","message":"…"}"#,
        r#"{"serviceErrorCode":"65602"}"#,
        r#"{"status":401}"#,
        "<html>",
        "",
    ] {
        assert!(profile.refuses_token(&answer(401, body)), "{body}");
    }
}

#[test]
fn what_refuses_does_not_prove() {
    let said = Rule::status(200..=200).holding("/error", &["token_expired"]);
    let profile = Profile { refuses: vec![said], ..Profile::linkedin() };
    assert_eq!(profile.evidence(&answer(200, r#"{"error":"token_expired"}"#)), Evidence::Refuses);
    assert!(!profile.proves_token(&answer(200, r#"{"error":"token_expired"}"#)));
    assert_eq!(profile.evidence(&answer(200, r#"{"error":"other"}"#)), Evidence::Proves);
    assert_eq!(profile.evidence(&answer(401, "")), Evidence::Nothing);
}

#[test]
fn linkedins_constants_are_the_documented_ones() {
    let profile = Profile::linkedin();
    assert_eq!(profile.token_url.as_str(), "https://www.linkedin.com/oauth/v2/accessToken");
    assert!(profile.audience.admits(&constant("https://api.linkedin.com/rest/conversionEvents")));
    assert!(!profile.audience.admits(&profile.token_url));
    assert_eq!(profile.settle, Span::from_secs(600));
    assert_eq!(profile.access_life, Span::from_secs(5_184_000));
    assert_eq!(profile.grant_life, Some(Span::from_secs(31_536_000)));
    assert_eq!(profile.event_age, Some(Span::from_millis(90 * 86_400_000)));
    assert_eq!(profile.quiet, Span::from_secs(30));
}

#[test]
fn a_profile_is_overridden_field_by_field() {
    let sandbox = constant("http://127.0.0.1:9000/oauth/v2/accessToken");
    let (token_url, audience) = (sandbox.clone(), Audience::of([&sandbox]));
    let profile = Profile { token_url, audience, settle: Span::from_secs(5), ..Profile::linkedin() };
    assert!(profile.audience.admits(&constant("http://127.0.0.1:9000/rest/conversionEvents")));
    assert_eq!(profile.evidence(&answer(401, "")), Evidence::Refuses);
}

#[test]
fn every_shipped_profile_is_sound_and_reads_as_what_it_is_written_as() {
    for name in Profile::shipped_names() {
        let profile = Profile::shipped(name).unwrap_or_else(|| panic!("{name}: {:?}", faults_of(name)));
        assert_eq!(profile.name, name);
        assert_eq!(profile.conflict(), None, "{name}");
        let written = profile.to_toml();
        match Profile::parse(&written) {
            Ok(read) => assert_eq!(read, profile, "{name}:\n{written}"),
            Err(why) => assert!(profile.lacks_token_url() && why.0.len() == 1, "{name}: {why}\n{written}"),
        }
        let whole = Profile { token_url: constant("https://example.com/token"), ..profile };
        assert_eq!(Profile::parse(&whole.to_toml()).as_ref(), Ok(&whole), "{name}");
    }
    assert_eq!(Profile::shipped("unheard-of"), None);
}

fn faults_of(name: &str) -> Option<ProfileError> {
    Profile::parse(Profile::shipped_text(name)?).err()
}

#[test]
fn the_file_of_generic_writes_out_what_a_profile_is_that_says_nothing() {
    assert_eq!(Profile::shipped("generic"), Some(Profile::bare("generic")));
    let text = Profile::shipped_text("generic").unwrap();
    for key in Profile::bare("generic").to_json().as_object().unwrap().keys() {
        assert!(text.contains(&format!("\n{key} = ")), "{key} is a default that the file does not tell");
    }
}

#[test]
fn every_fact_of_a_real_provider_stands_beside_its_source() {
    for name in ["github-app", "google", "hubspot", "linkedin", "salesforce", "salesforce-jwt"] {
        let text = Profile::shipped_text(name).unwrap();
        let sources = text.lines().filter(|line| line.starts_with('#') && line.contains("https://")).count();
        assert!(sources >= 1 && text.starts_with("# "), "{name} names no source");
        let uncommented = text.lines().filter(|line| line.starts_with("settle") || line.starts_with("refuses")).count();
        assert!(uncommented > 0 || text.contains("extends"), "{name} leaves its answers to the defaults");
    }
}

#[test]
fn shipped_profiles_read_the_answers_of_their_providers() {
    for (name, status, body, expected) in [
        ("google", 401, r#"{"error":{"status":"UNAUTHENTICATED"}}"#, Evidence::Refuses),
        (
            "google",
            403,
            r#"{"error":{"details":[{"reason":"ACCESS_TOKEN_SCOPE_INSUFFICIENT"}]}}"#,
            Evidence::LacksScope,
        ),
        ("google", 403, r#"{"error":{"status":"PERMISSION_DENIED"}}"#, Evidence::Nothing),
        ("hubspot", 401, r#"{"category":"EXPIRED_AUTHENTICATION"}"#, Evidence::Refuses),
        ("hubspot", 403, r#"{"status":"error","category":"MISSING_SCOPES"}"#, Evidence::LacksScope),
        ("salesforce", 401, r#"[{"errorCode":"INVALID_SESSION_ID"}]"#, Evidence::Refuses),
        ("salesforce", 403, r#"[{"errorCode":"REQUEST_LIMIT_EXCEEDED"}]"#, Evidence::Nothing),
        ("salesforce-jwt", 401, "", Evidence::Refuses),
        ("github-app", 401, r#"{"message":"Bad credentials"}"#, Evidence::Refuses),
        ("github-app", 403, r#"{"message":"Resource not accessible by integration"}"#, Evidence::LacksScope),
        ("github-app", 403, r#"{"message":"API rate limit exceeded"}"#, Evidence::Nothing),
        ("linkedin", 403, r#"{"serviceErrorCode":100,"code":"ACCESS_DENIED"}"#, Evidence::LacksScope),
        ("linkedin", 403, r#"{"serviceErrorCode":4711}"#, Evidence::Nothing),
    ] {
        let profile = Profile::shipped(name).unwrap();
        assert_eq!(profile.evidence(&answer(status, body)), expected, "{name} {status} {body}");
    }
}

const SOUND: &str = r#"name = "acme"
token_url = "https://acme.example/token"
settle = "30s"
renew_at = 70
refuses = [{ status = "401" }, { status = 403, pointer = "/code", values = ["dead"] }]
rotation = "rotates"
reuse_grace = "0s"
token_header = "x-acme-key"
scope_separator = ","
idle_life = "90d"
audience = ["https://api.acme.example/v1"]

[token]
access_token = "/data/key"
"#;

#[test]
fn a_file_says_what_it_says_and_the_rest_is_generic() {
    let profile = Profile::parse(SOUND).unwrap();
    let expected = Profile {
        settle: Span::from_secs(30),
        renew_at: 70,
        refuses: vec![Rule::status(401..=401), Rule::status(403..=403).holding("/code", &["dead"])],
        rotation: Rotation::Rotates { grace: Span::ZERO },
        carrier: Carrier::Header { name: "x-acme-key".into(), prefix: String::new() },
        scope_separator: ',',
        idle_life: Some(Span::from_secs(90 * 86_400)),
        token_shape: TokenShape { access_token: "/data/key".into(), ..TokenShape::default() },
        ..Profile::generic(
            "acme",
            constant("https://acme.example/token"),
            Audience::of([&constant("https://api.acme.example")]),
        )
    };
    assert_eq!(profile, expected);
}

#[test]
fn a_file_may_extend_a_shipped_profile_and_take_back_what_it_has() {
    let text =
        "name = \"mine\"\nextends = \"linkedin\"\nintrospect_url = \"none\"\ngrant_life = \"none\"\nsettle = \"20m\"";
    let profile = Profile::parse(text).unwrap();
    let expected = Profile {
        name: "mine".into(),
        introspect_url: None,
        grant_life: None,
        settle: Span::from_secs(1200),
        ..Profile::linkedin()
    };
    assert_eq!(profile, expected);
}

/// What is changed in the sound file, and the fault that it makes.
const FAULTS: [(&str, &str, &str); 22] = [
    ("settle = \"30s\"", "setle = \"30s\"", "3: setle: unknown key; did you mean settle?"),
    ("settle = \"30s\"", "settle = 30", "3: settle: is a number; write it in quotes"),
    (
        "settle = \"30s\"",
        "settle = \"2h\"",
        "3: settle: 2h is not shorter than access_life (1h): no token would live to settle",
    ),
    ("renew_at = 70", "renew_at = 0", "4: renew_at: must be a whole number from 1 to 100"),
    (
        "{ status = \"401\" }",
        "{ status = \"4o1\" }",
        "5: refuses[1].status: status `4o1` is not one; write a status such as 409, or two such as 400-499",
    ),
    (
        "{ status = \"401\" }",
        "{ state = \"401\" }",
        "5: refuses[1].status: is missing; write one such as \"401\", or two such as \"200-299\"",
    ),
    (
        "pointer = \"/code\"",
        "pointer = \"code\"",
        "5: refuses[2].pointer: `code` is not a JSON pointer; write one such as /access_token",
    ),
    (
        "values = [\"dead\"]",
        "values = []",
        "5: refuses[2].status: `pointer` and `values` belong together; write both, or leave both out",
    ),
    ("\"rotates\"", "\"rotats\"", "6: rotation: `rotats` is not known; did you mean rotates?"),
    ("\"rotates\"", "\"kept\"", "7: reuse_grace: means nothing without rotation = \"rotates\"; leave it out"),
    ("\"x-acme-key\"", "\"X Acme\"", "8: token_header: is not the name of a header in lower case"),
    ("\"x-acme-key\"", "\"host\"", "8: token_header: is written by the HTTP client"),
    ("\",\"", "\", \"", "9: scope_separator: is not one character; write \" \" or \",\""),
    ("\"90d\"", "\"30s\"", "10: idle_life: 30s is not longer than settle (30s): no refresh could come in time"),
    (
        "https://acme.example/token",
        "http://acme.example/token",
        "2: token_url: would send a secret over plain http; write https://",
    ),
    (
        "https://acme.example/token",
        "https://10.0.0.7/token",
        "2: token_url: 10.0.0.7 is a reserved address (private), to which nothing is sent; write the provider's address",
    ),
    (
        "token_url = \"https://acme.example/token\"",
        "",
        "1: token_url: is missing; write the address of the provider's token endpoint",
    ),
    ("name = \"acme\"", "extends = \"linkdin\"", "1: extends: `linkdin` is not known; did you mean linkedin?"),
    (
        "\"/data/key\"",
        "\"data\"",
        "14: token.access_token: `data` is not a JSON pointer; write one such as /access_token",
    ),
    ("access_token", "acess_token", "14: token.acess_token: unknown key; did you mean access_token?"),
    (
        "refuses = [{ status = \"401\" }, { status = 403, pointer = \"/code\", values = [\"dead\"] }]",
        "refuses = []",
        "5: refuses: names no answer, so a dead token would never be noticed; write [{ status = \"401\" }]",
    ),
    (
        "{ status = \"401\" }",
        "{ status = \"200-401\" }",
        "5: refuses: takes every success for a refusal; name a value in the body, too",
    ),
];

#[test]
fn what_cannot_work_is_told_with_its_line_its_key_and_a_remedy() {
    for (from, to, expected) in FAULTS {
        assert!(SOUND.contains(from), "{from}");
        let error = Profile::parse(&SOUND.replacen(from, to, 1)).expect_err(expected).to_string();
        assert!(error.lines().any(|line| line == format!("profile:{expected}")), "{from} -> {to}:\n{error}");
    }
    let both = Profile::parse("settle = \"2h\"\nrenew_at = 0").unwrap_err();
    assert!(both.0.len() >= 3, "all that is wrong is told: {both}");
    assert!(Profile::parse("name = ").unwrap_err().to_string().starts_with("profile:1: not TOML"));
}

#[test]
fn a_token_of_this_machine_is_taken_and_one_of_the_network_is_not() {
    let text = |host: &str| format!("name = \"a\"\ntoken_url = \"http://{host}:9000/token\"");
    assert!(Profile::parse(&text("127.0.0.1")).is_ok());
    assert!(Profile::parse(&text("192.168.0.1")).is_err());
}

#[test]
fn what_is_hardly_meant_is_warned_of() {
    assert_eq!(Profile::linkedin().warnings(), Vec::<String>::new());
    let hasty = Profile { renew_at: 99, authorize_url: None, ..Profile::linkedin() };
    let hasty = Profile { access_life: Span::from_secs(3600), proves: Vec::new(), ..hasty };
    let keys: Vec<String> =
        hasty.warnings().iter().map(|warning| warning.split(':').next().unwrap_or_default().to_owned()).collect();
    assert_eq!(keys, ["renew_at", "proves", "authorize_url"]);
}
