use std::fs;

use crate::config::Config;
use crate::oauth::{Carrier, GrantKind};
use crate::secret::Secret;

const BASE: &str = "[vault]\nkey_env = \"KEY\"\n[credential.acme]\n";

/// A folder with a configuration in it.
fn read(table: &str) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("key.pem"), include_str!("../../oauth/assertion/rsa_pkcs8.pem")).unwrap();
    fs::write(folder.path().join("token"), "token-in-a-file\n").unwrap();
    fs::write(folder.path().join("empty"), " \n").unwrap();
    let environment = |name: &str| match name {
        "API_KEY" => Some("k3y-of-the-environment".to_owned()),
        "PEM" => Some(include_str!("../../oauth/assertion/rsa_pkcs1.pem").to_owned()),
        "BAD" => Some("two words".to_owned()),
        _ => None,
    };
    let read = Config::read(&folder.path().join("outlast.toml"), &format!("{BASE}{table}"), &environment);
    read.map_err(|error| error.to_string())
}

fn sound(table: &str) -> crate::builder::OAuth {
    read(table).unwrap_or_else(|why| panic!("{table}: {why}")).oauth("acme").unwrap()
}

#[test]
fn a_configured_token_stands_in_one_of_three_places() {
    for (written, token) in [
        ("token = \"plain\"", "plain"),
        ("token = \"${API_KEY}\"", "k3y-of-the-environment"),
        ("token_env = \"API_KEY\"", "k3y-of-the-environment"),
        ("token_file = \"token\"", "token-in-a-file"),
    ] {
        let oauth = sound(&format!("profile = \"generic-token\"\n{written}"));
        assert_eq!(oauth.fixed.as_ref().map(Secret::reveal), Some(token), "{written}");
        assert_eq!(oauth.profile.grant, GrantKind::Static);
    }
    let oauth = sound("profile = \"generic-token\"\ntoken = \"t\"\ntoken_header = \"x-api-key\"");
    assert_eq!(oauth.profile.carrier, Carrier::Header { name: "x-api-key".into(), prefix: String::new() });
    let oauth = sound("profile = \"generic-token\"\ntoken = \"t\"\ntoken_prefix = \"Token \"");
    assert_eq!(oauth.profile.carrier, Carrier::Header { name: "authorization".into(), prefix: "Token ".into() });
}

#[test]
fn a_client_has_what_its_grant_needs() {
    let url = "token_url = \"https://id.example/token\"\nclient_id = \"me\"\n";
    let oauth = sound(&format!("profile = \"generic\"\n{url}redirect_uri = \"http://127.0.0.1:8421\""));
    assert!(oauth.client.secret.is_none(), "a public client");
    assert_eq!(oauth.client.redirect_uri.as_deref(), Some("http://127.0.0.1:8421"));
    let oauth = sound(&format!(
        "profile = \"generic\"\ngrant = \"client-credentials\"\n{url}client_secret = \"s\"\n\
         token_params = {{ audience = \"https://api.example/\" }}"
    ));
    assert_eq!(oauth.profile.grant, GrantKind::ClientCredentials);
    assert_eq!(oauth.client.parameters, [("audience".to_owned(), "https://api.example/".to_owned())]);
    for key in ["private_key_file = \"key.pem\"", "private_key_env = \"PEM\""] {
        let oauth = sound(&format!(
            "profile = \"salesforce-jwt\"\n[credential.acme.assertion]\nissuer = \"me\"\nsubject = \"u\"\nkey_id = \"k\"\n\
             audience = \"https://login.example\"\n{key}"
        ));
        assert_eq!(oauth.client.assertion.map(|assertion| assertion.algorithm()), Some("RS256"), "{key}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_remedy_and_never_repeated() {
    let url = "token_url = \"https://id.example/token\"\n";
    let jwt = "profile = \"salesforce-jwt\"\n[credential.acme.assertion]\n";
    let generic = format!("profile = \"generic\"\n{url}");
    let rows = [
        (format!("{generic}client_secret = \"s\""), "credential.acme.client_id: is missing"),
        ("profile = \"linkedin\"\nclient_id = \"me\"".to_owned(), "credential.acme.client_secret: is missing"),
        (
            format!("{generic}grant = \"client-credentials\"\nclient_id = \"me\""),
            "credential.acme.client_secret: is missing",
        ),
        (format!("{generic}grant = \"magic\"\nclient_id = \"me\""), "credential.acme.grant: `magic` is not known"),
        (format!("{generic}client_id = \"me\"\ntoken = \"s3cret\""), "credential.acme.token: means nothing to a grant"),
        (
            format!("{generic}client_id = \"me\"\nredirect_uri = \"back\""),
            "credential.acme.redirect_uri: `back` is not an address",
        ),
        (
            format!("{generic}client_id = \"me\"\ntoken_params = {{ a = 1 }}"),
            "credential.acme.token_params.a: is not a text",
        ),
        ("profile = \"generic-token\"".to_owned(), "credential.acme.token: is missing"),
        (
            "profile = \"generic-token\"\nclient_id = \"me\"\ntoken = \"t\"".to_owned(),
            "client_id: means nothing to a configured",
        ),
        (
            "profile = \"generic-token\"\ntoken = \"t\"\ntoken_env = \"API_KEY\"".to_owned(),
            "token_env: stands beside token",
        ),
        (
            "profile = \"generic-token\"\ntoken_env = \"NONE\"".to_owned(),
            "token_env: the environment variable NONE is not set",
        ),
        ("profile = \"generic-token\"\ntoken_env = \"BAD\"".to_owned(), "token_env: holds a blank"),
        ("profile = \"generic-token\"\ntoken_file = \"none\"".to_owned(), "cannot be read"),
        ("profile = \"generic-token\"\ntoken_file = \"empty\"".to_owned(), "token_file: is empty"),
        ("profile = \"generic-token\"\ntoken = \"t\"\ntoken_header = \"Host\"".to_owned(), "token_header: "),
        ("profile = \"salesforce-jwt\"".to_owned(), "credential.acme.assertion: is missing"),
        (format!("{jwt}private_key_file = \"key.pem\""), "credential.acme.assertion.issuer: is missing"),
        (format!("{jwt}issuer = \"me\""), "credential.acme.assertion.private_key_file: is missing"),
        (format!("{jwt}issuer = \"me\"\nprivate_key_file = \"token\""), "private_key_file: holds no private key"),
        (format!("{jwt}issuer = \"me\"\nprivate_key_env = \"API_KEY\""), "private_key_env: holds no private key"),
        (
            format!("{jwt}issuer = \"me\"\nkeyid = \"k\"\nprivate_key_file = \"key.pem\""),
            "keyid: unknown key; did you mean key_id?",
        ),
    ];
    for (table, expected) in rows {
        let why = read(&table).err().unwrap_or_else(|| panic!("{table} is sound"));
        assert!(why.contains(expected), "{table}: {why}");
        for secret in ["s3cret", "two words", "k3y-of", "token-in-a-file", "MII"] {
            assert!(!why.contains(secret), "{why}");
        }
    }
}
