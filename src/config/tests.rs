use outlast_state::Span;
use url::Url;

use super::*;
use crate::limits::Retention;

const SOUND: &str = r#"
[store]
path = "data"
cache_mib = 64

[vault]
key_file = "outlast.key"

[limits]
live = 1000
time_to_live = "10m"
request_timeout = "500ms"

[network]
allow_loopback = true

[credential.acme]
profile = "linkedin"
client_id = "${LI_ID}"
client_secret = "${LI_SECRET}"
token_url = "http://127.0.0.1:9/oauth/v2/accessToken"
settle = "30s"

[destination.conversions]
kind = "linkedin-conversions"
credential = "acme"
conversion_rule = "789123"
api_base = "http://127.0.0.1:9/rest"
concurrency = 8
"#;

fn environment(name: &str) -> Option<String> {
    matches!(name, "LI_ID" | "LI_SECRET").then(|| format!("value of {name}"))
}

fn read(text: &str) -> Result<Config, ConfigError> {
    Config::read(Path::new("conf/outlast.toml"), text, &environment)
}

/// The faults of the sound file with `from` replaced by `to`.
fn faults(from: &str, to: &str) -> Vec<String> {
    assert!(SOUND.contains(from), "{from}");
    match read(&SOUND.replacen(from, to, 1)) {
        Ok(_) => Vec::new(),
        Err(error) => error.to_string().lines().map(|line| line.replace("conf/outlast.toml:", "")).collect(),
    }
}

#[test]
fn a_sound_file_says_what_it_says() {
    let config = read(SOUND).unwrap();
    assert_eq!(config.store, Path::new("conf/data"), "paths count from the file's directory");
    assert_eq!(config.vault.as_ref().unwrap().key, KeySource::File("conf/outlast.key".into()));
    assert_eq!(config.settings.cache_mib, Some(64));
    assert_eq!(config.settings.retention, Retention::default());
    assert!(config.allow_loopback);
    let expected =
        Limits { live: 1000, time_to_live: Span::from_secs(600), request: Span::from_millis(500), ..Limits::default() };
    assert_eq!(config.limits, expected);
    let credential = config.credentials.get("acme").unwrap();
    assert_eq!((credential.profile.name.as_str(), credential.client.id.as_str()), ("linkedin", "value of LI_ID"));
    let profile = config.profile("acme", credential);
    assert_eq!(profile.settle, Span::from_secs(30));
    assert_eq!(profile.token_url.port(), Some(9));
    assert!(profile.audience.admits(&Url::parse("http://127.0.0.1:9/rest/conversionEvents").unwrap()));
    assert!(!profile.audience.admits(&Url::parse("https://api.linkedin.com/rest").unwrap()), "nobody sends it there");
    assert_eq!(config.destinations.get("conversions").unwrap().concurrency, Some(8));
    assert_eq!(config.warnings(), Vec::<String>::new());
}

#[test]
fn what_has_ended_is_kept_as_the_file_says() {
    let config = read("[store]\nkeep_done = \"90s\"\nkeep_failed = \"90d\"\nkeep_count = 5000").unwrap();
    let kept = Retention { done: Span::from_secs(90), failed: Span::from_secs(90 * 86_400), count: 5_000 };
    assert_eq!(config.settings.retention, kept);
    let faults = faults("cache_mib = 64", "keep_done = 7");
    assert_eq!(faults, ["4: store.keep_done: is a number; write it in quotes"]);
    let faults = self::faults("cache_mib = 64", "keep_failed = \"0s\"");
    assert_eq!(faults.len(), 1, "{faults:?}");
    let faults = self::faults("cache_mib = 64", "keep_failed = \"59s\"");
    assert!(faults[0].starts_with("4: store.keep_failed: must be at least \"1m\""), "{faults:?}");
}

#[test]
fn an_empty_file_is_an_engine_without_destinations() {
    let config = read("").unwrap();
    assert_eq!(config.store, Path::new("conf/outlast-data"));
    assert_eq!(config.warnings(), ["destination: there is none, so nothing can be sent; add [destination.NAME]"]);
}

/// What is changed in the sound file, and the fault that it makes.
const FAULTS: [(&str, &str, &str); 23] = [
    (
        "concurrency = 8",
        "bacth_size = 8",
        "29: destination.conversions.bacth_size: unknown key; did you mean batch_size?",
    ),
    ("[network]", "[netwrok]", "14: netwrok: unknown key; did you mean network?"),
    (
        "cache_mib = 64",
        "colour = 64",
        "4: store.colour: unknown key; known are path, kind, cache_mib, keep_done, keep_failed, keep_count",
    ),
    ("cache_mib = 64", "cache_mib = \"64\"", "4: store.cache_mib: must be a whole number from 1 to 65536"),
    ("cache_mib = 64", "cache_mib = 0", "4: store.cache_mib: must be a whole number from 1 to 65536"),
    ("path = \"data\"", "path = 7", "3: store.path: is a number; write it in quotes"),
    ("path = \"data\"", "path = \"\"", "3: store.path: is empty; leave it out or give it a value"),
    ("live = 1000", "live = -1", "10: limits.live: must be a whole number from 1 to 1000000000"),
    (
        "time_to_live = \"10m\"",
        "time_to_live = \"10 parsecs\"",
        "11: limits.time_to_live: `10 parsecs` is not a length of time; write a number and ms, s, m, h or d, such as 500ms, 10m or 1h30m",
    ),
    ("time_to_live = \"10m\"", "time_to_live = \"0s\"", "11: limits.time_to_live: must be longer than nothing"),
    ("time_to_live = \"10m\"", "time_to_live = 10", "11: limits.time_to_live: is a number; write it in quotes"),
    ("allow_loopback = true", "allow_loopback = \"yes\"", "15: network.allow_loopback: is a text; write true or false"),
    (
        "profile = \"linkedin\"",
        "profile = \"linkedn\"",
        "18: credential.acme.profile: `linkedn` is not known; did you mean linkedin?",
    ),
    ("profile = \"linkedin\"\n", "\n", "17: credential.acme.profile: is missing; write profile = \"linkedin\""),
    (
        "${LI_ID}",
        "${LI_IDD}",
        "19: credential.acme.client_id: the environment variable LI_IDD is not set; set it, or write the value here",
    ),
    (
        "${LI_SECRET}",
        "${LI_SECRET",
        "20: credential.acme.client_secret: a `${` has no `}`; close it, or write `$${` for the characters themselves",
    ),
    (
        "token_url = \"http://127.0.0.1:9/",
        "token_url = \"http://example.org/",
        "21: credential.acme.token_url: would send a secret over plain http; write https://",
    ),
    (
        "token_url = \"http://127.0.0.1:9/oauth/v2/accessToken\"",
        "token_url = \"ftp://example.org\"",
        "21: credential.acme.token_url: `ftp://example.org` is not an address that begins with https://",
    ),
    (
        "kind = \"linkedin-conversions\"",
        "kind = \"webhok\"",
        "25: destination.conversions.kind: `webhok` is not known; did you mean webhook?",
    ),
    (
        "credential = \"acme\"",
        "credential = \"amce\"",
        "26: destination.conversions.credential: there is no [credential.amce]; did you mean acme?",
    ),
    (
        "concurrency = 8",
        "batch_size = 5001",
        "29: destination.conversions.batch_size: Batch Size must be equal to or less than 5000. Write 5000 or less.",
    ),
    (
        "[vault]\nkey_file = \"outlast.key\"",
        "[vault]\nkey_file = \"a\"\nkey_env = \"B\"",
        "8: vault.key_env: stands beside key_file; leave one of them out",
    ),
    (
        "[network]\n",
        "network = 3\n[other]\n",
        "14: limits.network: unknown key; known are calls, live, body_bytes, time_to_live, budget, request_timeout",
    ),
];

#[test]
fn each_fault_names_line_key_and_remedy() {
    for (from, to, expected) in FAULTS {
        let faults = faults(from, to);
        assert!(faults.iter().any(|fault| fault == expected), "expected {expected}, got {faults:#?}");
    }
}

#[test]
fn what_cannot_be_read_as_toml_names_its_line() {
    let faults = faults("live = 1000", "live = = 1000");
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].starts_with("10: not TOML: "), "{faults:?}");
}

#[test]
fn all_faults_are_told_at_once_in_the_order_of_their_lines() {
    let text = "[store]\npth = \"x\"\n[destination.a]\nkind = \"b\"\n[limits]\nlive = 0\n";
    let error = read(text).err().unwrap().to_string();
    let lines: Vec<&str> = error.lines().map(|line| line.split(':').nth(1).unwrap()).collect();
    assert_eq!(lines, ["2", "4", "6"], "{error}");
}

#[test]
fn loopback_needs_an_allowance() {
    let faults = faults("allow_loopback = true", "allow_loopback = false");
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults.iter().all(|fault| fault.contains("network.allow_loopback = true allows")), "{faults:?}");
}

#[test]
fn what_the_environment_holds_is_never_shown() {
    for (from, to) in [
        ("profile = \"linkedin\"", "profile = \"${LI_SECRET}\""),
        ("time_to_live = \"10m\"", "time_to_live = \"${LI_SECRET}\""),
        ("token_url = \"http://127.0.0.1:9/oauth/v2/accessToken\"", "token_url = \"${LI_SECRET}\""),
        ("api_base = \"http://127.0.0.1:9/rest\"", "api_base = \"x${LI_SECRET}\""),
        ("credential = \"acme\"", "credential = \"${LI_SECRET}\""),
    ] {
        let faults = faults(from, to);
        assert!(faults.iter().any(|fault| fault.contains("${LI_SECRET}")), "{faults:?}");
        assert!(faults.iter().all(|fault| !fault.contains("value of LI_SECRET")), "{faults:?}");
    }
}

#[test]
fn a_credential_needs_a_vault() {
    let faults = faults("[vault]\nkey_file = \"outlast.key\"", "");
    assert!(faults[0].contains("vault.key_file: is missing") && faults[0].contains("outlast init"), "{faults:?}");
}

#[test]
fn a_generic_credential_needs_its_token_endpoint() {
    let text = SOUND.replace("profile = \"linkedin\"", "profile = \"generic\"");
    let config = read(&text).unwrap();
    assert_eq!(config.profile("acme", config.credentials.get("acme").unwrap()).name, "generic");
    let without = text.replace("token_url = \"http://127.0.0.1:9/oauth/v2/accessToken\"\n", "");
    assert!(read(&without).err().unwrap().to_string().contains("credential.acme.token_url: is missing"));
}

#[test]
fn a_credential_that_nobody_uses_is_worth_a_word() {
    let text =
        format!("{SOUND}\n[credential.spare]\nprofile = \"linkedin\"\nclient_id = \"a\"\nclient_secret = \"b\"\n");
    let warnings = read(&text).unwrap().warnings();
    assert_eq!(warnings, ["credential.spare: no destination uses it; name it in one, or remove it"]);
}

#[test]
fn a_missing_file_is_told_apart() {
    let error = Config::load(Path::new("no/such/outlast.toml")).err().unwrap();
    assert!(matches!(error, ConfigError::File { missing: true, .. }), "{error}");
}

#[test]
fn what_the_engine_would_refuse_is_refused_here() {
    for name in [String::new(), "two\\nlines".to_owned(), "x".repeat(257)] {
        let faults = faults("[destination.conversions]", &format!("[destination.\"{name}\"]"));
        assert!(faults.iter().any(|fault| fault.contains(": destination: a name in it ")), "{faults:?}");
    }
    let keyless = faults("key_file = \"outlast.key\"", "");
    assert!(keyless[0].contains("vault.key_file: is missing"), "{keyless:?}");
    let split = faults("[store]\npath = \"data\"", "[store]\npath = \"da\\u0000ta\"");
    assert!(split[0].contains("store.path: holds a control character"), "{split:?}");
}

#[test]
fn an_address_that_is_refused_comes_with_one_remedy() {
    for (address, remedy) in [
        ("https://ada:pw@api.example/rest", "leave them out"),
        ("https://10.0.0.1/rest", "write the provider's address"),
    ] {
        let faults = faults("http://127.0.0.1:9/rest", address);
        let about: Vec<&String> = faults.iter().filter(|fault| fault.contains(remedy)).collect();
        assert!(about.len() == 1 && !about[0].contains("allow_loopback"), "{faults:?}");
    }
}

#[test]
fn known_keys_are_listed_once() {
    let faults = faults("[store]", "[zzz]\n[store]");
    assert!(
        faults[0].ends_with("known are store, credential, vault, limits, network, profile, destination, alerts, route"),
        "{faults:?}"
    );
}

#[test]
fn alerts_go_where_the_file_says_and_what_cannot_take_them_is_told() {
    let hook = "[destination.ops]\nkind = \"webhook\"\nurl = \"https://example.com/hook\"\nsecrets = [\"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\"]\n";
    assert_eq!(read(hook).unwrap().alerts, Alerts::default());
    let config = read(&format!("[alerts]\nto = \"ops\"\ndays = [60, 3]\nfailed = false\n{hook}")).unwrap();
    assert_eq!(config.alerts, Alerts { to: Some("ops".into()), days: vec![60, 3], failed: false });
    assert_eq!(config.warnings(), Vec::<String>::new());
    let told = |alerts: &str| {
        let error = read(&format!("[alerts]\n{alerts}\n{hook}")).err().unwrap().to_string();
        error.replace("conf/outlast.toml:", "")
    };
    assert_eq!(told("to = \"opps\""), "2: alerts.to: there is no [destination.opps]; did you mean ops?");
    let days = "2: alerts.days: must be a list of whole numbers from 1 to 3650, such as [30, 14, 7, 1]";
    for wrong in ["days = 30", "days = [0]", "days = [\"30\"]", "days = [3651]", "days = [1.5]"] {
        assert_eq!(told(wrong), days, "{wrong}");
    }
    let warned = read(&SOUND.replacen("[network]", "[alerts]\nto = \"conversions\"\n[network]", 1)).unwrap().warnings();
    assert!(
        warned[0].starts_with("alerts.to: conversions is a linkedin-conversions, which refuses alerts"),
        "{warned:?}"
    );
}

/// The sound file with this profile, and this in the credential.
fn with_profile(profile: &str, credential: &str) -> Result<Config, ConfigError> {
    let sound = SOUND.replace("profile = \"linkedin\"", credential);
    read(&format!("{sound}\n{profile}"))
}

#[test]
fn a_profile_of_the_files_own_comes_before_one_that_ships() {
    let own = "[profile.linkedin]\nextends = \"hubspot\"\nyoung = \"7s\"";
    let config = with_profile(own, "profile = \"linkedin\"\nscopes = [\"a\", \"b\"]").unwrap();
    let profile = &config.credentials.get("acme").unwrap().profile;
    assert_eq!((profile.name.as_str(), profile.young), ("linkedin", Span::from_secs(7)));
    assert_eq!(profile.access_life, Span::from_secs(1800), "the rest is HubSpot's");
    assert_eq!((profile.settle, profile.scopes.len()), (Span::from_secs(30), 2), "the credential has the last word");
    assert_eq!(profile.token_url.port(), Some(9));
}

#[test]
fn a_profile_may_be_a_file_beside_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("outlast.toml");
    std::fs::write(folder.path().join("mine.toml"), "name = \"mine\"\nsettle = \"5s\"").unwrap();
    std::fs::write(folder.path().join("bad.toml"), "name = \"bad\"\nsetle = \"5s\"\nrenew_at = 0").unwrap();
    let read = |name: &str| {
        let text =
            SOUND.replace("profile = \"linkedin\"", &format!("profile = \"{name}\"")).replace("settle = \"30s\"\n", "");
        Config::read(&file, &text, &environment)
    };
    let config = read("mine.toml").unwrap();
    let profile = &config.credentials.get("acme").unwrap().profile;
    assert_eq!((profile.name.as_str(), profile.settle), ("mine", Span::from_secs(5)));
    let told = read("bad.toml").err().unwrap().to_string();
    let bad = folder.path().join("bad.toml").display().to_string();
    for fault in [format!("{bad}:2: setle: unknown key; did you mean settle?"), format!("{bad}:3: renew_at: must be")] {
        assert!(told.contains(&format!(":18: credential.acme.profile: {fault}")), "{told}");
    }
    assert!(read("absent.toml").err().unwrap().to_string().contains("absent.toml cannot be read"));
}

#[test]
fn what_is_wrong_with_a_profile_is_told_once_and_where_it_stands() {
    let bad = "[profile.mine]\nsettle = \"2h\"";
    let told = with_profile(bad, "profile = \"mine\"").err().unwrap().to_string();
    assert_eq!(
        told,
        "conf/outlast.toml:32: profile.mine.settle: 2h is not shorter than access_life (1h): no token would live to settle"
    );
    let told = with_profile("[profile.mine]", "profile = \"mien\"").err().unwrap().to_string();
    assert_eq!(told, "conf/outlast.toml:18: credential.acme.profile: `mien` is not known; did you mean mine?");
    let told = read(&SOUND.replace("settle = \"30s\"", "settle = \"90d\"")).err().unwrap().to_string();
    assert_eq!(
        told,
        "conf/outlast.toml:22: credential.acme.settle: 90d is not shorter than access_life (60d): no token would live to settle"
    );
}

#[test]
fn a_profile_without_a_token_url_needs_the_credentials() {
    let text = SOUND.replace("token_url = \"http://127.0.0.1:9/oauth/v2/accessToken\"\n", "");
    assert!(read(&text).is_ok(), "LinkedIn's is known");
    for name in ["generic", "generic-rotating", "github-app"] {
        let told = read(&text.replace("\"linkedin\"", &format!("\"{name}\""))).err().unwrap().to_string();
        // One that signs lacks a key beside.
        assert_eq!(
            told.lines().last().unwrap(),
            format!(
                "conf/outlast.toml:17: credential.acme.token_url: is missing; the profile {name} does not know where tokens are asked for"
            )
        );
    }
}
