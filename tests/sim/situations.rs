//! What a credential can suffer from, brought about with the provider of the sandbox, and what is said of it: the page
//! `docs/CREDENTIAL-STATES.md` holds the output, and the test that makes it compares.

mod place;

use std::fmt::Write as _;
use std::path::Path;

use outlast::CredentialDetails;
use outlast::state::{Finding, Span};
use serde_json::{Value, json};

use place::{Place, profile};

const MONTH: Span = Span::from_secs(30 * 86_400);

/// Three nodes; a new token is known to the first at once, to the others after 45 s and 2 minutes.
fn slow() -> Value {
    json!({"nodes": ["n1", "n2", "n3"], "visibility": {"fixed": {"n2": 45_000, "n3": 120_000}}})
}

fn propagating() -> (Place, CredentialDetails) {
    let mut place = Place::new(&slow(), profile());
    place.authorise(MONTH);
    place.until(Finding::Working);
    place.provider.revoke_access(None, place.now).unwrap();
    let split = |details: &CredentialDetails| {
        let nodes = details.nodes.iter().filter(|node| node.accepted_epoch == Some(2)).count();
        details.finding == Finding::Propagating && nodes > 0
    };
    let details = place.feed_until(split);
    (place, details)
}

fn expired() -> (Place, CredentialDetails) {
    let mut place = Place::new(&json!({"nodes": ["n1"]}), profile());
    place.authorise(MONTH);
    place.until(Finding::Working);
    place.faults(json!([{"when": {"path": "/oauth/v2/accessToken"}, "action": {"status": {"status": 503}}}]));
    place.pass(Span::from_secs(31 * 86_400));
    let details = place.until(Finding::Expired);
    (place, details)
}

fn revoked() -> (Place, CredentialDetails) {
    let mut place = Place::new(&json!({"nodes": ["n1", "n2"]}), profile());
    place.authorise(MONTH);
    place.until(Finding::Working);
    place.provider.revoke_grant(1, place.now).unwrap();
    let details = place.feed_until(|details| details.credential.state == "Dead");
    (place, details)
}

fn scope_missing(delay: u64) -> (Place, CredentialDetails) {
    let mut profile = profile();
    profile.scopes = vec!["r_ads".into(), "rw_conversions".into()];
    let mut place = Place::new(&json!({"nodes": ["n1"], "late_scopes": {"rw_conversions": delay}}), profile);
    place.authorise(Span::ZERO);
    let details = place.until(Finding::ScopeMissing);
    (place, details)
}

/// No node ever learns of a new token; the issuer knows it, or not yet.
fn never_accepted(introspection_delay: u64) -> Place {
    let switches = json!({
        "nodes": ["n1", "n2"], "never_visible_on": ["n1", "n2"], "introspection_delay_ms": introspection_delay
    });
    let mut place = Place::new(&switches, profile());
    place.authorise(MONTH);
    place.until(Finding::Working);
    place.provider.revoke_access(None, place.now).unwrap();
    place
}

fn stood_by() -> (Place, CredentialDetails) {
    let mut place = never_accepted(0);
    let details = place.feed_until(|details| details.issuer.is_some());
    (place, details)
}

fn disowned() -> (Place, CredentialDetails) {
    let mut place = never_accepted(7 * place::DAY);
    let details = place.feed_until(|details| details.credential.state == "Dead");
    (place, details)
}

fn grant_lost() -> (Place, CredentialDetails) {
    let mut place = Place::new(&json!({"nodes": ["n1"], "rotate_refresh": "new_old_dead"}), profile());
    place.authorise(MONTH);
    place.until(Finding::Working);
    place.provider.revoke_access(None, place.now).unwrap();
    place.kills = true;
    let details = place.feed_until(|details| details.credential.state == "Dead");
    (place, details)
}

/// A title, what was done, what is found, and the place where it is so.
type Situation = (&'static str, &'static str, Finding, (Place, CredentialDetails));

fn situations() -> Vec<Situation> {
    vec![
        (
            "Propagating",
            "The token was revoked, a new one was minted, and two of three nodes have not heard of it yet.",
            Finding::Propagating,
            propagating(),
        ),
        ("Expired", "The token's life is over, and the token endpoint is down.", Finding::Expired, expired()),
        (
            "Revoked",
            "The member has removed the application: the token is refused, and so is the refresh token.",
            Finding::Revoked,
            revoked(),
        ),
        (
            "Scope missing",
            "The token was minted right after the consent, and permissions are cached: it lacks a scope.",
            Finding::ScopeMissing,
            scope_missing(500_000),
        ),
        (
            "Never accepted, and the issuer stands by the token",
            "Two tokens in a row are refused by all nodes beyond \
            their settle windows; the issuer says that the second one is active. Nothing more is minted.",
            Finding::NeverAccepted,
            stood_by(),
        ),
        (
            "Never accepted, and the issuer does not know the token",
            "The same; the issuer says that it is not active.",
            Finding::NeverAccepted,
            disowned(),
        ),
        (
            "Grant lost in a crash",
            "The provider replaces the refresh token with each refresh, and the process was \
            killed between the provider's answer and the commit that would have stored it.",
            Finding::GrantLost,
            grant_lost(),
        ),
    ]
}

#[test]
fn what_is_said_of_each_situation_is_what_the_page_holds() {
    let mut page = String::from(HEAD);
    for (title, what, finding, (mut place, details)) in situations() {
        assert_eq!(details.finding, finding, "{details}");
        assert!(!details.to_string().contains("canary-"), "S16 Silence");
        let waiting = place.submit();
        place.pass(Span::from_millis(1));
        let why = place.why(waiting);
        let credential: Vec<&String> = details.why.iter().filter(|one| one.starts_with("Diagnosis")).collect();
        assert!(credential.iter().all(|one| why.contains(one)), "{why:?}");
        println!("{title}\n{details}\n");
        write!(page, "\n## {title}\n\n{what}\n\n```console\n$ outlast auth show acme\n{details}\n```\n").unwrap();
        if finding == Finding::Propagating || finding == Finding::GrantLost {
            let why = why.join("\n");
            write!(page, "\nAnd of a delivery that waits for it:\n\n```console\n$ outlast why {waiting}\n{why}\n```\n")
                .unwrap();
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/CREDENTIAL-STATES.md");
    if std::env::var_os("OUTLAST_BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/CREDENTIAL-STATES.md is not what is said. If what is said is right, run\n    \
         OUTLAST_BLESS=1 cargo test --all-features --test sim -- situations\nand commit the page"
    );
}

const HEAD: &str = "\
# What a credential suffers from

A refused token says little: a provider answers 401 when a token is dead, and also while some of its nodes have not heard
of a new one. So Outlast keeps what was seen of each token (the first and the last acceptance and refusal, which nodes said
so, whether the token before still works), what the token endpoint and the issuer said, and how long the tokens of this
provider took to spread so far. `outlast auth show NAME` says what that comes to, what speaks for it, who must act and what
would change it; `outlast why ID` says the same of the credential that a delivery waits for. `--json` has all of it as data,
and so has `Engine::credential`. [The table of findings](STATES.md#what-it-suffers-from) says which is called what.

A test brings these situations about with the provider of the sandbox in simulated time, and compares this page with what is
said. Do not edit it: run `OUTLAST_BLESS=1 cargo test --all-features --test sim -- situations`.
";

#[test]
fn a_token_that_its_issuer_stands_by_is_tried_once_a_window_and_nothing_is_minted() {
    let (mut place, _) = stood_by();
    let (sent, minted) = (place.requests("/rest"), place.provider.summary().refreshes_ok);
    for _ in 0..360 {
        place.submit();
        place.pass(Span::from_secs(10));
    }
    let tried = place.requests("/rest") - sent;
    assert!((4..=8).contains(&tried), "{tried} requests in six settle windows");
    assert_eq!(place.provider.summary().refreshes_ok, minted, "nothing was minted");
    let asked = place.requests("/oauth/v2/introspectToken");
    assert!(asked <= 8, "{asked} questions in six settle windows");
    assert_eq!(place.show().credential.state, "Current");
}

#[test]
fn a_token_that_its_issuer_disowns_ends_the_credential() {
    let (mut place, details) = disowned();
    assert_eq!(place.requests("/oauth/v2/introspectToken"), 1);
    assert_eq!(details.issuer.unwrap().standing, "revoked");
    let (sent, called) = (place.requests("/rest"), place.provider.summary().token_calls);
    place.pass(Span::from_secs(7_200));
    assert_eq!((place.requests("/rest"), place.provider.summary().token_calls), (sent, called), "a dead one is quiet");
}

#[test]
fn a_scope_that_comes_later_is_minted_for_and_the_delivery_arrives() {
    let (mut place, _) = scope_missing(500_000);
    let waiting = place.submit();
    place.pass(Span::from_secs(60));
    assert_eq!(place.state(waiting).0, "Pending");
    assert_eq!(place.provider.summary().refreshes_ok, 0, "not before the profile's delay");
    place.pass(Span::from_secs(1_200));
    assert_eq!(place.state(waiting).0, "Done");
    assert_eq!(place.provider.summary().refreshes_ok, 1);
    let details = place.until(Finding::Working);
    assert_eq!(details.scopes.missing, Vec::<String>::new());
}

#[test]
fn a_scope_that_never_comes_fails_the_delivery_with_the_reason() {
    let (mut place, _) = scope_missing(400 * place::DAY);
    let waiting = place.submit();
    place.pass(Span::from_secs(3_600));
    let (state, detail) = place.state(waiting);
    assert_eq!(state, "Failed");
    assert!(detail.as_deref().is_some_and(|detail| detail.contains("403")), "{detail:?}");
    assert_eq!(place.provider.summary().refreshes_ok, 1, "another was minted once");
    let details = place.show();
    assert_eq!((details.finding, details.scopes.missing.join(" ")), (Finding::ScopeMissing, "rw_conversions".into()));
    assert!(details.why.iter().any(|one| one.contains("authorise it again with rw_conversions")), "{details}");
    // Later tokens lack it likewise, and are not minted twice for it.
    place.provider.revoke_access(None, place.now).unwrap();
    place.pass(Span::from_secs(3_600));
    assert!(place.provider.summary().refreshes_ok <= 2);
}

#[test]
fn a_token_answer_that_lacks_a_scope_is_as_good_as_a_refusal_for_it() {
    let mut profile = profile();
    profile.scopes = vec!["r_ads".into(), "rw_conversions".into()];
    profile.lacks_scope.clear();
    let mut place = Place::new(&json!({"nodes": ["n1"]}), profile);
    place.authorise(MONTH);
    place.until(Finding::Working);
    // The consent has just been widened: the next token comes without the new scope, the one after with it.
    let age = place.now - place::START + MONTH.as_millis();
    let mut switches = place.provider.switches().clone();
    switches.late_scopes.insert("rw_conversions".into(), age + 400_000);
    place.provider.configure(switches).unwrap();
    place.provider.revoke_access(None, place.now).unwrap();
    let details = place.until(Finding::ScopeMissing);
    assert_eq!(details.scopes.missing, ["rw_conversions"]);
    let details = place.until(Finding::Working);
    assert_eq!((details.credential.epoch, details.scopes.missing.len()), (3, 0), "{details}");
}

#[test]
fn what_tokens_teach_sets_the_canary_phase_and_outlives_the_process() {
    let mut place = Place::new(&slow(), profile());
    place.authorise(MONTH);
    for n in 0..22 {
        place.until(Finding::Working);
        assert_eq!(place.show().learned.young_ms, 60_000, "{n} tokens have taught too little");
        place.provider.revoke_access(None, place.now).unwrap();
        for _ in 0..140 {
            place.submit();
            place.pass(Span::from_secs(5));
        }
        if place.show().learned.tokens >= 20 {
            break;
        }
    }
    let learned = place.show().learned;
    let young = learned.young_ms;
    assert!((100_000..=200_000).contains(&young), "the slowest node takes 2 minutes: {learned:?}");
    let last = learned.last_refusal.unwrap();
    assert!(last.p50_ms <= last.p95_ms && last.p95_ms <= last.most_ms, "{last:?}");
    place.restart();
    assert_eq!(place.show().learned, learned);
}

#[test]
fn whether_the_token_before_still_works_is_told() {
    let (mut place, _) = propagating();
    let details = place.show();
    let [first, second] = details.tokens.as_slice() else { panic!("{details}") };
    assert_eq!((first.role.as_str(), second.role.as_str()), ("before", "serving"));
    assert!(first.first_accepted_ms.is_some() && first.last_refused_ms.is_some(), "{details}");
    assert!(second.first_accepted_ms.is_some() && second.first_refused_ms.is_some(), "{details}");
    assert_eq!(details.renewal.map(|renewal| renewal.came).as_deref(), Some("renewed"));
    place.restart();
    assert_eq!(place.show().tokens, [first.clone(), second.clone()], "clues outlive the process");
}
