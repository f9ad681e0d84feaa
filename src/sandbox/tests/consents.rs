//! The consent page, codes with and without PKCE, and grants that need no human.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use std::collections::BTreeMap;

const BACK: &str = "http://127.0.0.1:8421/back";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// Of that verifier: the pair is the example of RFC 7636, appendix B.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn encoded(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn visit(world: &mut World, more: &[(&str, &str)]) -> Reply {
    let asked = [("response_type", "code"), ("client_id", "client-id-1"), ("redirect_uri", BACK), ("state", "s t")];
    let asked: Vec<_> = asked.into_iter().filter(|(name, _)| more.iter().all(|(other, _)| other != name)).collect();
    let query = encoded(&[asked.as_slice(), more].concat());
    world.send("GET", &format!("/oauth/v2/authorization?{query}"), &[], "")
}

fn sent_back(reply: &Reply) -> BTreeMap<String, String> {
    let location = reply.headers.iter().find(|(name, _)| name == "location").map(|(_, value)| value.as_str());
    let location = location.unwrap_or_else(|| panic!("nobody is sent anywhere: {}", reply.status));
    assert_eq!(reply.status, 302);
    url::Url::parse(location).unwrap().query_pairs().into_owned().collect()
}

fn code(world: &mut World, more: &[(&str, &str)]) -> String {
    sent_back(&visit(world, more)).remove("code").unwrap()
}

fn redeem(world: &mut World, code: &str, more: &[(&str, &str)]) -> (u16, String) {
    let form = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", BACK)];
    let reply = world.token_call("accessToken", &[form.as_slice(), more].concat());
    let said = if reply.status == 200 { "scope" } else { "error" };
    (reply.status, text(&reply, said))
}

#[test]
fn a_consent_ends_in_a_code_with_the_state_and_the_scopes_that_were_asked_for() {
    let mut world = World::new(&json!({}));
    let back = sent_back(&visit(&mut world, &[("scope", "r_ads rw_conversions")]));
    assert_eq!(back["state"], "s t");
    assert_eq!(redeem(&mut world, &back["code"], &[]), (200, "r_ads,rw_conversions".into()));
    assert_eq!(redeem(&mut world, &back["code"], &[]), (400, "invalid_request".into()), "a code is good once");
    let late = code(&mut world, &[]);
    world.now += 1801 * 1000;
    assert_eq!(redeem(&mut world, &late, &[]), (400, "invalid_request".into()), "a code ends");
}

#[test]
fn who_is_not_known_is_sent_nowhere() {
    let mut world = World::new(&json!({"redirect_uris": ["https://app.example/back", "http://127.0.0.1/back"]}));
    for (name, value) in [
        ("client_id", "stranger"),
        ("redirect_uri", "https://app.example/back/"),
        ("redirect_uri", "https://app.example/back?x=1"),
        ("redirect_uri", "http://127.0.0.1:8421/other"),
        ("redirect_uri", "http://localhost:8421/back"),
        ("redirect_uri", "nonsense"),
    ] {
        let reply = visit(&mut world, &[(name, value)]);
        assert_eq!(reply.status, 400, "{value}");
        assert!(reply.headers.iter().all(|(name, _)| name != "location"), "{value}");
    }
    code(&mut world, &[]);
    code(&mut world, &[("redirect_uri", "https://app.example/back")]);
}

#[test]
fn what_is_wrong_with_the_request_is_told_where_the_client_asked_for() {
    let error =
        |switches: Value, more: &[(&str, &str)]| sent_back(&visit(&mut World::new(&switches), more))["error"].clone();
    assert_eq!(error(json!({"consent_refused": true}), &[]), "user_cancelled_authorize");
    assert_eq!(error(json!({"refused_scopes": ["x"]}), &[("scope", "r_ads x")]), "unauthorized_scope_error");
    assert_eq!(error(json!({}), &[("response_type", "token")]), "unsupported_response_type");
    assert_eq!(error(json!({"pkce": "required"}), &[]), "invalid_request");
    let plain = [("code_challenge", VERIFIER), ("code_challenge_method", "plain")];
    assert_eq!(error(json!({"pkce": "optional"}), &plain), "invalid_request");
}

#[test]
fn a_challenge_is_met_by_its_verifier_alone() {
    let challenge = [("code_challenge", CHALLENGE), ("code_challenge_method", "S256")];
    for pkce in ["optional", "required"] {
        let mut world = World::new(&json!({"pkce": pkce}));
        let mut tried = |verifier: &[(&str, &str)]| {
            let code = code(&mut world, &challenge);
            redeem(&mut world, &code, verifier).0
        };
        assert_eq!(tried(&[("code_verifier", VERIFIER)]), 200, "{pkce}");
        assert_eq!(tried(&[("code_verifier", CHALLENGE)]), 400, "{pkce}");
        assert_eq!(tried(&[]), 400, "{pkce}");
    }
    let mut world = World::new(&json!({}));
    let made = code(&mut world, &challenge);
    assert_eq!(
        redeem(&mut world, &made, &[("code_verifier", VERIFIER)]),
        (401, "invalid_client".into()),
        "as LinkedIn does"
    );
    let made = code(&mut world, &challenge);
    assert_eq!(redeem(&mut world, &made, &[]).0, 200, "the challenge itself does no harm there");
}

fn ask(world: &mut World, headers: &[(&str, &str)], form: &[(&str, &str)]) -> Reply {
    let kind = ("content-type", "application/x-www-form-urlencoded");
    world.send("POST", "/oauth/v2/accessToken", &[headers, &[kind]].concat(), &encoded(form))
}

#[test]
fn a_client_proves_itself_in_the_form_or_in_the_header() {
    let mut world = World::new(&json!({}));
    let grant = ("grant_type", "client_credentials");
    let pair = STANDARD.encode("client-id-1:client-secret-1");
    let header = format!("Basic {pair}");
    let reply = ask(&mut world, &[("authorization", &header)], &[grant, ("scope", "a b")]);
    assert_eq!((reply.status, text(&reply, "scope").as_str()), (200, "a,b"));
    assert!(body(&reply).get("refresh_token").is_none(), "a client that can ask needs none");
    assert_eq!(world.me(&text(&reply, "access_token"), "n1").status, 403, "it has these scopes and no others");
    let form = [grant, ("client_id", "client-id-1"), ("client_secret", "client-secret-1")];
    assert_eq!(ask(&mut world, &[], &form).status, 200);
    assert_eq!(ask(&mut world, &[("authorization", &header)], &form).status, 400, "not in both");
    let wrong = format!("Basic {}", STANDARD.encode("client-id-1:other"));
    assert_eq!(ask(&mut world, &[("authorization", &wrong)], &[grant]).status, 401);
}

/// A signer of assertions, and what the sandbox must know of it.
fn signer() -> (EcdsaKeyPair, Value) {
    let random = SystemRandom::new();
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, made.as_ref(), &random).unwrap();
    // SubjectPublicKeyInfo of an EC key on P-256 is this and the point (RFC 5480, section 2).
    let head = [
        0x30, 0x59, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7,
        3, 0x42, 0,
    ];
    let info = [head.as_slice(), pair.public_key().as_ref()].concat();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(info));
    (pair, json!({"issuer": "signer-1", "public_key": pem, "key_id": "k1"}))
}

fn signed(pair: &EcdsaKeyPair, head: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(head), part(claims));
    let signature = pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn an_assertion_is_taken_only_with_its_signature_and_in_its_time() {
    let ((pair, known), (stranger, _)) = (signer(), signer());
    let mut world = World::new(&json!({"signers": [known]}));
    let (head, now) = (json!({"alg": "ES256", "kid": "k1"}), START / 1000);
    let good =
        json!({"iss": "signer-1", "sub": "u", "aud": "http://x/oauth/v2/accessToken", "iat": now, "exp": now + 60});
    let mut tried = |assertion: &str| {
        let form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion)];
        ask(&mut world, &[], &form).status
    };
    assert_eq!(tried(&signed(&pair, &head, &good)), 200);
    assert_eq!(tried(&signed(&stranger, &head, &good)), 400, "another key");
    for (pointer, value) in [
        ("iss", json!("other")),
        ("sub", json!("")),
        ("aud", json!("http://x/elsewhere")),
        ("exp", json!(now)),
        ("iat", json!(now + 61)),
    ] {
        let mut claims = good.clone();
        claims[pointer] = value;
        assert_eq!(tried(&signed(&pair, &head, &claims)), 400, "{pointer}");
    }
    for head in [json!({"alg": "none", "kid": "k1"}), json!({"alg": "RS256", "kid": "k1"}), json!({"alg": "ES256"})] {
        assert_eq!(tried(&signed(&pair, &head, &good)), 400, "{head}");
    }
    let whole = signed(&pair, &head, &good);
    for broken in ["", "a", "a.b", "a.b.c", &whole[..whole.len() - 4], &whole.replace('.', "")] {
        assert_eq!(tried(broken), 400, "{broken}");
    }
    for key in ["", "nonsense", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"] {
        let change = json!({"signers": [{"issuer": "a", "public_key": key}]});
        assert!(Switches::default().changed(&change).is_err(), "{key}");
    }
}

#[test]
fn no_secret_of_a_consent_is_in_the_audit_log() {
    let mut world = World::new(&json!({"pkce": "optional"}));
    let challenge = [("code_challenge", CHALLENGE), ("code_challenge_method", "S256")];
    let visited = visit(&mut world, &challenge);
    let made = sent_back(&visited).remove("code").unwrap();
    let form =
        [("grant_type", "authorization_code"), ("code", &made), ("redirect_uri", BACK), ("code_verifier", VERIFIER)];
    let redeemed = world.token_call("accessToken", &form);
    for (line, secret) in
        [(&visited.line, "s t"), (&visited.line, &made), (&redeemed.line, &made), (&redeemed.line, VERIFIER)]
    {
        assert!(!line.contains(secret), "{line}");
    }
}
