//! `{:?}` of what the library gives away. What may hold a provider's words is printed here with a secret in every place that
//! has room for one; everything else stands in a list with the reason why it cannot hold one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use outlast::Secret;
use outlast::destination::{Step, Turn};
use outlast::exchange::{Answer, Exchange, Method, Request};
use outlast::state::{Epoch, Time};
use outlast::store::{Key, Writes};
use outlast::vault::{Grant, Vault, VaultError, VaultKey};

use crate::scan::{Canary, Scanner};

const SECRET: &str = "AQXdSP_W41/UPs5i+oT8t4HJyqODB5FqA9f2";

fn answer() -> Answer {
    let headers = vec![("x-echo".to_owned(), SECRET.to_owned()), (SECRET.to_lowercase(), String::new())];
    Answer { status: 401, headers, body: format!("{{\"error\": \"{SECRET}\"}}").into_bytes(), received: Time::ZERO }
}

fn request() -> Request {
    let url = format!("https://api.example.com/v1?key={SECRET}").parse().unwrap();
    let request = Request::new(Method::Post, url).bearer().secret_header("x-api-key", &Secret::new(SECRET));
    request.header("x-other", SECRET).content("text/plain", SECRET)
}

fn of_the_vault() -> Vec<String> {
    let (key, other) = (VaultKey::random().unwrap(), VaultKey::random().unwrap());
    let vault = Vault::new(&key);
    let sealed = vault.seal_access("acme", Epoch::default(), &Secret::new(SECRET)).unwrap();
    let grant = Grant { refresh: Some(Secret::new(SECRET)), refresh_expires: Time::NEVER };
    let sealed_grant = vault.seal_grant("acme", Epoch::default(), &grant).unwrap();
    let wrong = Vault::new(&other).open_access("acme", Epoch::default(), &sealed).err().unwrap();
    let moved = vault.open_access("other", Epoch::default(), &sealed).err().unwrap();
    let long = vault.seal_access("acme", Epoch::default(), &Secret::new(SECRET.repeat(200))).err().unwrap();
    let refused = VaultKey::from_text(&Secret::new(SECRET)).err().unwrap();
    let command = ["sh", "-c", "echo $0 >&2; echo $0; exit 3", SECRET].map(str::to_owned);
    let failed = VaultKey::from_command(&command, VaultKey::COMMAND_TIME).err().unwrap();
    let mut writes = Writes::new();
    writes.put(Key::Token("acme".into(), Epoch::default()), sealed);
    writes.put(Key::Grant("acme".into()), sealed_grant);
    writes.put(Key::Memory([1; 32]), SECRET.as_bytes().to_vec());
    assert!(matches!((&wrong, &moved), (VaultError::WrongKey { .. }, VaultError::Damaged { .. })));
    let errors = [wrong, moved, long].map(|error| format!("{error:?} {error}"));
    let keys = [refused, failed].map(|error| format!("{error:?} {error}"));
    [&errors[..], &keys, &[format!("{writes:?} {:?} {:?}", key.id(), vault.keys())]].concat()
}

#[test]
fn what_may_hold_a_secret_does_not_print_it() {
    let exchange = || Exchange { request: request(), answer: answer() };
    let mut printed = of_the_vault();
    printed.push(format!("{:?} {:#?}", exchange(), exchange()));
    printed.push(format!("{:?} {:?}", Turn::Ask(request()), Step::Ask(request())));
    printed.push(format!("{:?}", request().shown().filter(|(name, _)| *name == "x-api-key").collect::<Vec<_>>()));
    let scanner = Scanner::new(&[Canary::new("it", SECRET)]);
    for text in &printed {
        assert_eq!(scanner.find(text.as_bytes()), BTreeSet::new(), "S16 Silence: {text}");
    }
    // And a text that prints it is found.
    let parcel = format!("{:?}", outlast::Parcel::to(SECRET));
    assert!(!scanner.find(parcel.as_bytes()).is_empty(), "{parcel}");
}

/// Types of the library that print themselves and can be given a secret: printed above, or by the runs of this suite, which
/// print views and errors.
const PRINTED: [(&str, &[&str]); 12] = [
    ("src/exchange.rs", &["Method", "Answer", "Exchange", "NoAnswer", "Request"]),
    ("src/vault.rs", &["VaultError"]),
    ("src/vault/key.rs", &["KeyError", "KeyId"]),
    ("src/vault/keyring.rs", &["KeyringEntry"]),
    ("src/store/mod.rs", &["Writes", "Durable", "StoreFigures"]),
    ("src/store/error.rs", &["StoreError", "StoreErrorKind"]),
    ("src/error.rs", &["Error", "ErrorKind"]),
    ("src/config.rs", &["ConfigError"]),
    ("src/table.rs", &["Fault"]),
    ("src/engine.rs", &["Routed"]),
    ("src/http.rs", &["HttpOptions", "HttpError"]),
    ("src/destination/operation.rs", &["Step", "Trouble"]),
];

/// Where the types lie that no secret comes to, and why.
const PLAIN: [(&str, &str); 19] = [
    ("src/alert", "printed by the runs of this suite, as views are"),
    ("src/backup.rs", "counts"),
    (
        "src/destination/",
        "what the operator declared, without its secrets, and what a destination made of answers that were hidden",
    ),
    ("src/doctor/", "names of records, and counts"),
    ("src/driver/", "names of rows"),
    ("src/exchange/", "rows of answer tables"),
    ("src/guard.rs", "addresses and rules"),
    ("src/limits.rs", "numbers"),
    ("src/oauth/", "a provider's rules; its clients and tokens do not print themselves"),
    ("src/parcel.rs", "the event"),
    ("src/route/", "what the operator wrote, and events; secret settings have a type of their own"),
    ("src/routing.rs", "what an event would become, with secret headers hidden"),
    ("src/sample.rs", "events that are made up"),
    ("src/span.rs", "a length of time"),
    ("src/store/", "names of records and tables, numbers"),
    ("src/taxonomy", "constants"),
    ("src/view", "printed by the runs of this suite, with every canary about"),
    ("src/clock.rs", "times"),
    ("src/digest.rs", "hashes"),
];

/// Public types of a file that print themselves.
fn printable(text: &str) -> Vec<String> {
    let product = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let mut found = Vec::new();
    let mut derives = false;
    for line in product.lines() {
        if line.starts_with("#[derive(") {
            derives = line.contains("Debug");
        } else if let Some(rest) = line.strip_prefix("pub struct ").or_else(|| line.strip_prefix("pub enum ")) {
            let name = rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().unwrap();
            found.extend(derives.then(|| name.to_owned()));
            derives = false;
        } else if let Some((_, name)) = line.split_once("Debug for ") {
            found.push(name.split(|letter: char| !letter.is_alphanumeric()).next().unwrap().to_owned());
        }
    }
    found
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

#[test]
fn every_public_type_that_prints_itself_was_thought_of() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut faults, mut seen) = (Vec::new(), 0);
    for path in sources(&root.join("src")) {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        // The program's own types and the provider of tests are not the library's.
        let other = ["src/cli/", "src/sandbox/", "src/verify/"].iter().any(|folder| name.starts_with(folder));
        let test = name.contains("/tests") || path.extension().is_none_or(|kind| kind != "rs");
        if other || test {
            continue;
        }
        for found in printable(&fs::read_to_string(&path).unwrap()) {
            seen += 1;
            let printed = PRINTED.iter().any(|(file, types)| *file == name && types.contains(&found.as_str()));
            let plain = PLAIN.iter().any(|(place, _)| name.starts_with(place));
            if !printed && !plain {
                faults.push(format!(
                    "{name}: {found} prints itself; print it here with a secret, or say why it has none"
                ));
            }
        }
    }
    assert!(seen > 80, "the sources were read: {seen}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
