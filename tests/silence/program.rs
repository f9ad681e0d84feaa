//! The program, at its most talkative, with providers that repeat what they were sent: every command, a kill, a change of the
//! vault's key. All that it has written is read: directory, output, log.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use outlast::sandbox::{Options, Sandbox};
use serde_json::{Value, json};

use crate::scan::{Canary, Scanner};
use crate::site::Receiver;

// Made for this test, of characters that its encodings change.
const ACCESS: &str = "AQXdSP_W41/UPs5i+oT8t4HJyqODB5FqA9f2";
const REFRESH: &str = "AQWbz7/Lm1Nf0rTe+y2GcsVhUQ3Kd8pE_x5J";
const NEXT_ACCESS: &str = "AQX0nextRt/6Wmv+KzQy7aBf3Hs9dJl2Cg8P";
const NEXT_REFRESH: &str = "AQW1nextUo/5Xnb+LpAq8cEg4Mt0fKi3Dh9R";
const CLIENT: &str = "client/s3cr3t+Zk8vQw2NxPy6TbRf1LmH7dG";
const CODE: &str = "AQTcode/7Hn2+QwErTy4UiOp9AsDfGh1JkLz6Xc";
const API_KEY: &str = "sk-live/0aB9cD8eF7gH6iJ5+kL4mN3oP2qR1sT";
const WEBHOOK: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwUx31AbYz";

/// Files that are there to hold a secret.
const KEYS: [&str; 3] = ["outlast.key", "new.key", "grant.json"];

/// A directory with a configuration that names its secrets, and everything that was said there.
struct Place {
    directory: tempfile::TempDir,
    said: Vec<u8>,
    ran: Vec<String>,
}

impl Place {
    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_outlast"));
        command.current_dir(self.path()).args(arguments).env_remove("OUTLAST_CONFIG").env("RUST_LOG", "trace");
        let webhook = format!("whsec_{WEBHOOK}");
        command.env("CLIENT_SECRET", CLIENT).env("API_KEY", API_KEY).env("WEBHOOK_SECRET", webhook);
        command.env("ACME_ACCESS_TOKEN", ACCESS).env("ACME_REFRESH_TOKEN", REFRESH);
        command
    }

    /// Runs a command to its end, and keeps what it says.
    fn run(&mut self, arguments: &[&str]) -> String {
        let output = self.command(arguments).stdin(Stdio::null()).output().unwrap();
        self.ran.extend(arguments.first().map(|name| (*name).to_owned()));
        self.said.extend(format!("$ {arguments:?}\n").into_bytes());
        self.said.extend(&output.stdout);
        self.said.extend(&output.stderr);
        // What the parser refuses is not run. The tests of the configuration end like that on purpose.
        let refused = String::from_utf8_lossy(&output.stderr).contains("Usage: ");
        assert!(!refused, "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same of a command that reads.
    fn run_with(&mut self, arguments: &[&str], input: &str) {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // One that does not read it may be gone.
        drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
        let output = child.wait_with_output().unwrap();
        self.said.extend(format!("$ {arguments:?}\n").into_bytes());
        self.said.extend([output.stdout, output.stderr].concat());
    }

    fn json(&mut self, arguments: &[&str]) -> Value {
        let said = self.run(arguments);
        serde_json::from_str(&said).unwrap_or_else(|why| panic!("{arguments:?}: {why}: {said}"))
    }

    /// `serve`, with its log in a file of the directory.
    fn serve(&mut self, log: &str) -> Child {
        let log = fs::File::create(self.path().join(log)).unwrap();
        let mut command = self.command(&["--log", "json", "serve"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        assert!(ready.contains("ready"), "it ended before it was ready");
        self.said.extend(ready.into_bytes());
        self.ran.push("serve".to_owned());
        child
    }

    fn write(&self, name: &str, text: &str) {
        fs::File::create(self.path().join(name)).unwrap().write_all(text.as_bytes()).unwrap();
    }
}

fn event(name: &str, extra: &str) -> Value {
    let at = outlast::clock::wall().as_millis() - 60_000;
    json!({"type": "track", "event": "Order Completed", "messageId": name, "userId": name, "timestamp": at,
        "traits": {"email": format!("{name}@example.org")},
        "properties": {"currency": "EUR", "revenue": 12.5, "note": extra}})
}

fn events(names: &str, count: usize) -> String {
    (0..count).map(|number| event(&format!("{names}-{number}"), "").to_string() + "\n").collect()
}

fn place(api: &str, crm: &str, hook: &str) -> Place {
    let place = Place { directory: tempfile::tempdir().unwrap(), said: Vec::new(), ran: Vec::new() };
    place.write(
        "outlast.toml",
        &format!(
            r#"
[store]
path = "data"
[vault]
key_file = "outlast.key"
[network]
allow_loopback = true
[credential.acme]
profile = "linkedin"
client_id = "client-id-1"
client_secret = "${{CLIENT_SECRET}}"
token_url = "{api}/oauth/v2/accessToken"
settle = "1s"
redirect_uri = "https://app.example.com/back"
[destination.conversions]
kind = "linkedin-conversions"
credential = "acme"
conversion_rule = "789123"
batch_size = 1
api_base = "{api}/rest"
presets = true
[destination.crm]
kind = "http"
url = "{crm}/people/{{{{userId}}}}"
method = "PUT"
message = "/error"
secret_headers = [{{ name = "x-api-key", value = "${{API_KEY}}" }}]
body = {{ email = {{ "@path" = "$.traits.email" }} }}
[destination.hook]
kind = "webhook"
url = "{hook}/hook"
secrets = ["${{WEBHOOK_SECRET}}"]
presets = true
[[route]]
to = "crm"
name = "people"
when = 'type = "track"'
"#
        ),
    );
    place
}

/// A provider that says what it was sent, wherever it says anything.
fn faults() -> Value {
    let echo = json!({"message": format!("token {ACCESS} is no good"), "error": ACCESS, "serviceErrorCode": 100});
    let text = json!(format!("<html>{ACCESS}</html>"));
    // The token endpoint was sent the client's secret and the refresh token.
    let told = json!({"error": REFRESH, "error_description": format!("{REFRESH} or {CODE} is none of {CLIENT}"), "client": CLIENT});
    let page = json!(format!("<html>{REFRESH} {CLIENT} {NEXT_ACCESS}</html>"));
    let status = |status: u16, body: &Value| json!({"status": {"status": status, "body": body}});
    let minted = json!({"access_token": NEXT_ACCESS, "refresh_token": NEXT_REFRESH, "expires_in": 5_184_000});
    let once = |path: &str, action: Value| json!({"when": {"path": path, "uses": 1}, "action": action});
    json!([
        once("/rest/*", status(503, &echo)),
        once("/rest/*", status(200, &text)),
        once("/rest/*", status(429, &echo)),
        {"when": {"path": "/rest/*", "nth": 3}, "action": status(401, &echo)},
        once("/oauth/*", status(500, &told)),
        once("/oauth/*", status(200, &page)),
        once("/oauth/*", status(200, &minted)),
        {"when": {"path": "/oauth/*"}, "action": status(400, &json!({"error": "invalid_grant", "error_description": told}))},
    ])
}

async fn provider() -> Sandbox {
    let grant = |access: &str, refresh: &str| json!({"access_token": access, "refresh_token": refresh, "client_secret": CLIENT, "age_s": 30 * 86_400});
    let options = json!({"grants": [grant(ACCESS, REFRESH), grant(NEXT_ACCESS, NEXT_REFRESH)], "seed": 7});
    let now = Arc::new(|| outlast::clock::wall().as_millis());
    let sandbox = Sandbox::start(Options::from_json(&options).unwrap(), now).await.unwrap();
    let rules: Vec<_> = serde_json::from_value(faults()).unwrap();
    sandbox.with_provider(|provider, _| provider.set_faults(&rules)).unwrap();
    sandbox
}

/// What every secret of the run is, the keys that it made included.
fn canaries(place: &Place) -> Vec<Canary> {
    let named = [
        ("the access token", ACCESS),
        ("the refresh token", REFRESH),
        ("the next access token", NEXT_ACCESS),
        ("the next refresh token", NEXT_REFRESH),
        ("the client's secret", CLIENT),
        ("the code of a consent", CODE),
        ("the API key", API_KEY),
        ("the webhook's secret", WEBHOOK),
    ];
    let mut canaries: Vec<Canary> = named.iter().map(|(name, text)| Canary::new(name, text)).collect();
    let decode = |text: &str| base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).unwrap();
    canaries.push(Canary::new("the webhook's secret, decoded", decode(WEBHOOK)));
    for file in ["outlast.key", "new.key"] {
        let text = fs::read_to_string(place.path().join(file)).unwrap();
        canaries.push(Canary::new(&format!("{file} as text"), text.trim()));
        canaries.push(Canary::new(&format!("{file} as bytes"), decode(text.trim())));
    }
    canaries
}

/// Waits until the provider has minted the token that follows, and it has been used.
fn renewed(sandbox: &Sandbox) {
    for _ in 0..1200 {
        let saw = serde_json::to_value(sandbox.with_provider(|provider, _| provider.summary())).unwrap();
        if saw["token_calls"].as_u64() >= Some(3) && saw["applied"].as_u64() >= Some(6) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// Everything that people do with an engine.
fn live(place: &mut Place, sandbox: &Sandbox) {
    place.run(&["auth", "import", "acme", "--env", "ACME", "--json"]);
    let mut engine = place.serve("first.log");
    place.write("events.jsonl", &events("first", 6));
    place.run(&["send", "events.jsonl", "--json"]);
    let path = place.path().join("one.json");
    fs::write(&path, event("tried", "").to_string()).unwrap();
    place.run(&["try", "one.json", "--json"]);
    place.run(&["check", "--live", "--json"]);
    place.run(&["choices", "adAccountId", "--json"]);
    place.run(&["linkedin", "rule", "create", "--account", "5123", "--name", "Orders", "--type", "PURCHASE", "--json"]);
    sandbox.with_provider(|provider, now| provider.revoke_access(Some(1), now)).unwrap();
    place.write("more.jsonl", &events("second", 6));
    place.run(&["send", "more.jsonl", "--json"]);
    renewed(sandbox);
    place.run(&["vault", "new-key", "new.key", "--json"]);
    place.run(&["vault", "rekey", "--to-file", "new.key", "--json"]);
    place.run(&["vault", "check", "--json"]);
    place.run(&["auth", "list", "--json"]);
    for id in place.json(&["list", "--json"]).as_array().unwrap().clone().iter().map(|one| one["id"].as_str().unwrap())
    {
        place.run(&["show", id, "--json"]);
        place.run(&["why", id, "--json"]);
    }
    place.run(&["alerts", "--json"]);
    place.run(&["auth", "calendar", "--json"]);
    place.run(&["auth", "refresh", "acme", "--json"]);
    place.run_with(&["auth", "login", "acme", "--manual", "--json"], &format!("{CODE}\n"));
    let back = format!("https://app.example.com/back?state=other&code={CODE}\n");
    place.run_with(&["auth", "login", "acme", "--manual", "--json"], &back);
    place.run(&["pause", "destination", "conversions"]);
    place.run(&["pause", "list", "--json"]);
    place.run(&["resume", "destination", "conversions"]);
    engine.kill().unwrap();
    engine.wait().unwrap();
}

/// What is done when nobody serves, and what goes wrong.
fn after(place: &mut Place) {
    // The key of the configuration is the old one now: each command says so.
    place.run(&["auth", "list", "--json"]);
    place.run(&["vault", "check", "--json"]);
    place.run(&["vault", "check"]);
    let file = place.path().join("outlast.toml");
    let text = fs::read_to_string(&file).unwrap();
    place.write(
        "outlast.toml",
        &text.replace("\"outlast.key\"", "\"new.key\"\nold_keys = [{ key_file = \"outlast.key\" }]"),
    );
    place.run(&["vault", "rekey", "--json"]);
    place.run(&["cancel", "--state", "pending", "--yes", "--json"]);
    place.run(&["redrive", "--state", "failed", "--dry-run", "--json"]);
    place.run(&["auth", "revoke", "acme", "--yes", "--json"]);
    place.run(&["alerts", "--json"]);
    place.run(&["profile", "list", "--json"]);
    place.run(&["profile", "show", "linkedin", "--json"]);
    place.run(&["doctor", "--json"]);
    place.run(&["export", "backup.jsonl"]);
    place.run(&["schema"]);
    place.run(&["completions", "bash"]);
    // Secrets in wrong places.
    place.write(
        "grant.json",
        &json!({"access_token": ACCESS, "refresh_token": [REFRESH], "issued": CLIENT}).to_string(),
    );
    place.run(&["auth", "import", "acme", "--file", "grant.json", "--json"]);
    place.run(&["auth", "import", "nobody", "--env", "ACME", "--json"]);
    for wrong in [
        "settle = \"${CLIENT_SECRET}\"",
        "settle = \"1s\"\nprofile_name = \"${CLIENT_SECRET}\"",
        "settle = [\"${API_KEY}\"]",
    ] {
        let text = fs::read_to_string(&file).unwrap().replace("settle = \"1s\"", wrong);
        place.write("wrong.toml", &text);
        place.run(&["--config", "wrong.toml", "check", "--json"]);
        place.run(&["--config", "wrong.toml", "serve"]);
    }
    place.write("elsewhere.toml", &fs::read_to_string(&file).unwrap().replace("\"data\"", "\"other\""));
    place.run(&["--config", "elsewhere.toml", "import", "backup.jsonl"]);
    place.ran.push("import".to_owned());
    place.run(&["--config", "elsewhere.toml", "vault", "check", "--json"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_that_the_program_writes_holds_a_secret() {
    let (sandbox, crm, hook) = (provider().await, Receiver::start().await, Receiver::start().await);
    let key = format!("{{\"error\": \"key {API_KEY} is wrong\"}}");
    let signed = format!("{{\"error\": \"expected whsec_{WEBHOOK}\"}}");
    for (receiver, echo) in [(&crm, &key), (&hook, &signed)] {
        receiver.answers(&[(400, echo), (401, echo), (500, echo), (422, echo), (503, echo), (302, echo)]);
    }
    let mut place = place(&format!("http://{}", sandbox.api_addr()), &crm.address, &hook.address);
    assert!(place.command(&["vault", "new-key", "outlast.key"]).output().unwrap().status.success());
    tokio::task::block_in_place(|| {
        live(&mut place, &sandbox);
        after(&mut place);
    });
    let saw = serde_json::to_value(sandbox.with_provider(|provider, _| provider.summary())).unwrap();
    let log = fs::read_to_string(place.path().join("first.log")).unwrap();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("outlast::driver")).collect();
    let last = lines[lines.len().saturating_sub(20)..].join("\n");
    assert!(saw["token_calls"].as_u64() >= Some(3), "the run met its provider: {saw}\n{last}");
    assert!(crm.came().iter().any(|came| came.header("x-api-key") == API_KEY), "the API key was sent");
    assert!(!hook.came().is_empty(), "the hook was called");

    let scanner = Scanner::new(&canaries(&place));
    assert_eq!(scanner.files(place.path(), &KEYS), Vec::<String>::new(), "S16 Silence: the directory");
    for line in place.said.split(|byte| *byte == b'\n') {
        let found = scanner.find(line);
        assert!(found.is_empty(), "S16 Silence: {found:?} in {}", String::from_utf8_lossy(line));
    }
    // A test that cannot find anything finds nothing: the files that hold secrets do, and so does a store with a planted one.
    assert!(!scanner.files(place.path(), &[]).is_empty(), "the key is in its file");
    let planted = event("planted", &format!("look: {ACCESS}"));
    place.write("planted.jsonl", &format!("{planted}\n"));
    place.run(&["send", "planted.jsonl"]);
    place.run(&["export", "planted-backup.jsonl"]);
    let found = scanner.files(place.path(), &[&KEYS[..], &["planted.jsonl"]].concat());
    for (where_, form) in [("/data/", "as it is"), ("planted-backup.jsonl", "in base64")] {
        let leak = format!("the access token {form}");
        assert!(found.iter().any(|one| one.contains(where_) && one.contains(&leak)), "{where_} {form}: {found:?}");
    }
    every_command_was_run(&place);
}

/// Commands that this test does not run, each with the reason.
const NOT_RUN: [(&str, &str); 6] = [
    ("sim", "it makes its own provider and tokens, and writes figures"),
    ("init", "it writes a template and a key"),
    ("sandbox", "it is the provider, whose tokens are made up"),
    ("bench", "it makes its own provider and tokens, and writes figures"),
    ("demo", "it has a test of its own below"),
    ("help", "it is the parser's"),
];

fn every_command_was_run(place: &Place) {
    let help = String::from_utf8(place.command(&["--help"]).output().unwrap().stdout).unwrap();
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = commands.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names: Vec<&str> = names.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.len() > 15, "the help was read: {names:?}");
    for name in names {
        let excused = NOT_RUN.iter().any(|(known, _)| *known == name);
        assert!(excused || place.ran.iter().any(|ran| ran == name), "S16 Silence: {name} is not run with canaries");
    }
}

/// The demonstration's secrets are constants; its picture, its audit log and the logs of its engines are what people share.
#[test]
fn the_demonstration_shows_none_of_its_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept");
    let mut command = Command::new(env!("CARGO_BIN_EXE_outlast"));
    command.args(["demo", "--events", "100", "--json", "--keep"]).arg(&kept).env("RUST_LOG", "trace");
    let output = command.current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let key = fs::read_to_string(kept.join("outlast.key")).unwrap();
    let scanner = Scanner::new(&[
        Canary::new("the access token", "demo-access-token"),
        Canary::new("the refresh token", "demo-refresh-token"),
        Canary::new("the key", key.trim()),
    ]);
    assert_eq!(scanner.find(&output.stdout), std::collections::BTreeSet::new());
    assert_eq!(scanner.find(&output.stderr), std::collections::BTreeSet::new());
    // What the sandbox is started with, and the key itself.
    assert_eq!(scanner.files(&kept, &["sandbox.json", "outlast.key"]), Vec::<String>::new());
    let written: Vec<String> =
        fs::read_dir(&kept).unwrap().map(|one| one.unwrap().file_name().into_string().unwrap()).collect();
    for file in ["outlast-demo.svg", "audit.jsonl", "data"] {
        assert!(written.iter().any(|name| name == file), "{file} was looked at: {written:?}");
    }
}
