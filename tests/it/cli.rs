//! The program, as its users run it: real processes, real sockets, a sandbox as the provider.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use serde_json::{Value, json};

/// A directory with a configuration and a store, in which commands are run.
pub(crate) struct Place {
    pub(crate) directory: tempfile::TempDir,
}

impl Place {
    /// As `outlast init` leaves it.
    pub(crate) fn new() -> Self {
        let place = Place { directory: tempfile::tempdir().unwrap() };
        assert_eq!(place.run(&["init"]).code(), 0);
        place
    }

    /// With this sandbox as the provider.
    pub(crate) fn at(sandbox: &Sandbox, more: &str) -> Self {
        let place = Place::new();
        let api = &sandbox.api;
        place.edit(|text| {
            text.replace("# allow_loopback", "allow_loopback")
                .replace("# token_url = \"https://www.linkedin.com", &format!("token_url = \"{api}"))
                .replace("# api_base = \"https://api.linkedin.com", &format!("api_base = \"{api}"))
                .replace("[limits]\n", &format!("[limits]\n{more}\n"))
        });
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn edit(&self, change: impl Fn(String) -> String) {
        let file = self.path().join("outlast.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, change(text)).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_outlast"));
        command.current_dir(self.path()).args(arguments).env_remove("OUTLAST_CONFIG").env_remove("RUST_LOG");
        command.env("LINKEDIN_CLIENT_ID", "client-id-1").env("LINKEDIN_CLIENT_SECRET", "client-secret-1");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran(self.command(arguments).stdin(Stdio::null()).output().unwrap())
    }

    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Ran(child.wait_with_output().unwrap())
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        self.json_with(&[], arguments)
    }

    pub(crate) fn json_with(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Value {
        let mut command = self.command(&[arguments, &["--json"]].concat());
        let ran = Ran(command.envs(environment.iter().copied()).stdin(Stdio::null()).output().unwrap());
        serde_json::from_str(&ran.out()).unwrap_or_else(|why| panic!("{why}: {} {}", ran.out(), ran.err()))
    }

    pub(crate) fn authorise(&self) {
        let grant = json!({"access_token": ACCESS, "refresh_token": "refresh-1", "issued": "-30d", "expires": "+30d"});
        let ran = self.run_with(&["auth", "import", "acme"], &grant.to_string());
        assert_eq!(ran.code(), 0, "{}", ran.err());
    }

    /// Starts `outlast serve` and waits until it is ready.
    pub(crate) fn serve(&self) -> Running {
        Running::start(&mut self.command(&["serve"]))
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }
}

pub(crate) const ACCESS: &str = "access-token-of-the-test";

/// A command that has ended.
pub(crate) struct Ran(Output);

impl Ran {
    pub(crate) fn code(&self) -> i32 {
        self.0.status.code().unwrap_or(-1)
    }

    pub(crate) fn out(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    pub(crate) fn err(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).unwrap()
    }
}

/// A process that has said that it is ready. It is killed when the test ends.
pub(crate) struct Running {
    child: Child,
    pub(crate) ready: String,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        assert!(!ready.is_empty(), "it ended before it was ready");
        Running { child, ready }
    }

    /// Asks it to stop and waits until it has.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        assert!(Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status().unwrap().success());
        self.child.wait().unwrap()
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) struct Sandbox {
    _running: Running,
    pub(crate) api: String,
}

impl Sandbox {
    pub(crate) fn start() -> Self {
        Sandbox::with(&json!({}))
    }

    /// With these switches.
    pub(crate) fn with(switches: &Value) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = directory.path().join("options.json");
        let grant = json!({"access_token": ACCESS, "refresh_token": "refresh-1", "age_s": 30 * 86_400});
        std::fs::write(&options, json!({"grants": [grant], "switches": switches}).to_string()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_outlast"));
        let running = Running::start(command.args(["sandbox", "--json", "--nodes", "3", "--options"]).arg(&options));
        let ready: Value = serde_json::from_str(&running.ready).unwrap();
        Sandbox { api: ready["api"].as_str().unwrap().to_owned(), _running: running }
    }
}

pub(crate) fn event(number: usize) -> String {
    let moment = outlast::clock::wall().as_millis().saturating_sub(60_000);
    json!({
        "type": "track", "event": "Order Completed", "messageId": format!("m-{number}"), "userId": "u-1",
        "timestamp": moment, "traits": {"email": format!("user{number}@example.org")},
        "properties": {"currency": "EUR", "revenue": 12.5}
    })
    .to_string()
}

pub(crate) fn events(count: usize) -> String {
    (0..count).map(|number| event(number) + "\n").collect()
}

#[test]
fn from_init_to_redrive_without_an_engine() {
    let place = Place::new();
    assert_eq!(place.run(&["init"]).code(), 1, "nothing is overwritten");
    let key = std::fs::metadata(place.path().join("outlast.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    assert_eq!(place.json(&["check"]), json!({"ok": true, "errors": [], "warnings": []}));

    place.write("events.jsonl", &events(3));
    let sent = place.run(&["send", "events.jsonl"]);
    assert_eq!(sent.code(), 0, "{}", sent.err());
    assert!(sent.out().starts_with("accepted 3, repeated 0 (same key and body), refused 0\n"), "{}", sent.out());
    assert!(sent.err().contains("on the store at outlast-data (no engine is running)"), "{}", sent.err());
    assert!(sent.err().contains("`outlast serve` delivers them"), "{}", sent.err());
    assert!(place.run(&["send", "events.jsonl"]).out().starts_with("accepted 0, repeated 3 "));

    let listed = place.json(&["list", "--state", "pending"]);
    let ids: Vec<&str> = listed.as_array().unwrap().iter().map(|delivery| delivery["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 3);
    assert_eq!(place.json(&["list", "--limit", "2"]).as_array().unwrap().len(), 2);
    assert_eq!(place.json(&["show", ids[0]])["once"], "m-0");
    assert!(place.run(&["show", ids[0]]).out().contains("once         m-0\n"));
    let why = place.run(&["why", ids[0]]).out();
    assert!(why.contains("`outlast auth import acme`"), "{why}");
    let shown = place.run(&["auth", "show", "acme"]);
    assert!(shown.out().starts_with("acme: unauthorised\n"), "{}", shown.out());
    assert!(shown.out().contains("\nWhoever can consent must act: authorise it again.\n"), "{}", shown.out());
    let unknown = place.run(&["auth", "show", "nobody"]);
    assert_ne!(unknown.code(), 0);
    assert!(unknown.err().contains("there is none named \"nobody\"; configured: acme"), "{}", unknown.err());

    assert_eq!(place.run(&["cancel", "--to", "conversions"]).code(), 2, "more than one needs a yes");
    assert!(place.run(&["cancel", ids[0]]).out().starts_with("cancelled 1, refused 0"));
    assert!(place.run(&["cancel", "--to", "conversions", "--yes"]).out().starts_with("cancelled 2, refused 0"));
    let again = place.run(&["cancel", ids[0]]);
    assert_eq!((again.code(), again.out().as_str()), (1, "cancelled 0, refused 1\n"));
    assert_eq!(place.json(&["redrive", "--to", "conversions", "--dry-run"])["failed"], 3);
    assert_eq!(place.json(&["list", "--state", "Failed"]).as_array().unwrap().len(), 3, "that was a rehearsal");
    assert!(place.run(&["redrive", ids[1]]).out().starts_with("redriven 1, refused 0"));
    assert_eq!(place.json(&["list", "--state", "Failed"]).as_array().unwrap().len(), 2);
}

#[test]
fn an_engine_serves_other_commands_until_it_is_told_to_stop() {
    let sandbox = Sandbox::start();
    let place = Place::at(&sandbox, "");
    place.authorise();
    let engine = place.serve();
    assert!(engine.ready.starts_with("ready: pid "), "{}", engine.ready);
    let socket = place.path().join("outlast-data/control.sock");
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);

    let sent = place.run_with(&["send", "-", "--wait"], &events(1000));
    assert_eq!(sent.code(), 0, "{}", sent.err());
    assert_eq!(
        sent.out(),
        "accepted 1000, repeated 0 (same key and body), refused 0\ndelivered 1000, failed 0\n",
        "{}",
        sent.err()
    );
    assert!(sent.err().contains(&format!("on the running engine (pid {})", engine.child.id())));
    assert_eq!(place.json(&["list", "--state", "Done", "--limit", "0"]).as_array().unwrap().len(), 1000);
    assert_eq!(place.json(&["auth", "list"])[0]["state"], "Current");
    let shown = place.json(&["auth", "show", "acme"]);
    assert_eq!((&shown["finding"], &shown["tokens"][0]["role"]), (&json!("working"), &json!("serving")), "{shown}");
    assert!(shown["nodes"].as_array().is_some_and(|nodes| !nodes.is_empty()), "{shown}");
    let text = place.run(&["auth", "show", "acme"]).out();
    assert!(text.starts_with("acme: working\nprofile linkedin, Current, epoch 1, 0 live deliveries\n"), "{text}");
    let second = place.run(&["serve"]);
    assert_eq!(second.code(), 1);
    assert!(second.err().contains("an engine works on the store outlast-data already"), "{}", second.err());

    assert!(engine.terminate().success());
    assert!(!socket.exists());
    let after = place.run(&["list", "--limit", "1"]);
    assert!(after.err().contains("no engine is running"), "{}", after.err());
}

#[test]
fn without_an_engine_send_and_wait_delivers_and_counts_what_failed() {
    let sandbox = Sandbox::start();
    let place = Place::at(&sandbox, "");
    place.authorise();
    let bad = json!({"type": "track", "messageId": "bad", "traits": {"email": "a@example.org"}}).to_string();
    let input = format!("{}{bad}\nno json\n", events(3));
    let ran = place.run_with(&["send", "-", "--wait", "--json"], &input);
    let tally: Value = serde_json::from_str(&ran.out()).unwrap_or_else(|why| panic!("{why}: {}", ran.err()));
    assert_eq!(ran.code(), 1, "something failed");
    assert_eq!((&tally["accepted"], &tally["refused"]), (&json!(4), &json!(1)));
    assert_eq!((&tally["delivered"], &tally["failed"]), (&json!(3), &json!(1)));
    let reasons: Vec<&String> = tally["reasons"].as_object().unwrap().keys().collect();
    assert!(reasons[0].contains("conversionHappenedAt"), "the reason names the field: {reasons:?}");
    assert!(ran.err().contains("error: -:5:2: not JSON"), "{}", ran.err());
}

#[test]
fn a_full_engine_takes_everything_in_time() {
    let sandbox = Sandbox::start();
    let place = Place::at(&sandbox, "live = 8");
    place.authorise();
    let ran = place.run_with(&["send", "-", "--wait"], &events(100));
    assert!(ran.out().ends_with("refused 0\ndelivered 100, failed 0\n"), "{} {}", ran.out(), ran.err());
}

#[test]
fn waiting_can_be_cut_short() {
    let place = Place::new();
    place.write("events.jsonl", &events(2));
    let mut command = place.command(&["send", "events.jsonl", "--wait"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("waiting until all have ended")));
    assert!(lines.any(|line| line.unwrap().starts_with("waiting: Credential acme was never authorised")));
    let meanwhile = place.run(&["list"]);
    assert!(meanwhile.err().contains(&format!("on the running engine (pid {})", child.id())), "{}", meanwhile.err());
    assert!(Command::new("kill").arg("-INT").arg(child.id().to_string()).status().unwrap().success());
    assert!(lines.any(|line| line.unwrap().contains("`outlast serve` delivers them")));
    let ran = Ran(child.wait_with_output().unwrap());
    assert_eq!(ran.code(), 1);
    assert!(ran.out().ends_with("\ndelivered 0, failed 0, not ended 2\n"), "{}", ran.out());
    assert_eq!(place.json(&["list"]).as_array().unwrap().len(), 2);
}

#[test]
fn what_a_killed_engine_leaves_behind_is_no_obstacle() {
    let place = Place::new();
    place.serve().kill();
    let socket = place.path().join("outlast-data/control.sock");
    assert!(socket.exists(), "a killed process cannot remove it");
    let listed = place.run(&["list"]);
    assert_eq!(listed.code(), 0, "{}", listed.err());
    assert!(listed.err().contains("no engine is running"));
    let engine = place.serve();
    assert!(place.run(&["list"]).err().contains("on the running engine"));
    assert!(engine.terminate().success());
}

#[test]
fn pauses_are_kept_and_listed() {
    let place = Place::new();
    place.write("events.jsonl", &events(2));
    place.run(&["send", "events.jsonl", "--lane", "userId"]);
    let paused = place.run(&["pause", "lane", "conversions", "u-1"]);
    assert!(paused.out().contains("it holds back 2 live deliveries"), "{}", paused.out());
    assert_eq!(place.json(&["pause", "list"]), json!([{"lane": {"destination": "conversions", "lane": "u-1"}}]));
    assert_eq!(
        place.run(&["resume", "lane", "conversions", "u-1"]).out(),
        "resumed lane u-1 of destination conversions\n"
    );
    assert_eq!(place.run(&["pause", "list"]).out(), "nothing is paused\n");
    assert_eq!(place.run(&["pause", "destination", "nowhere"]).code(), 1);
}

#[test]
fn a_wrong_key_is_named_with_its_line_and_the_exit_code_is_2() {
    let place = Place::new();
    place.edit(|text| text.replace("# batch_size", "bacth_size"));
    let line = std::fs::read_to_string(place.path().join("outlast.toml")).unwrap();
    let line = line.lines().position(|line| line.starts_with("bacth_size")).unwrap().saturating_add(1);
    for command in [&["check"][..], &["list"], &["serve"]] {
        let ran = place.run(command);
        assert_eq!(ran.code(), 2, "{command:?}");
        let expected = format!(
            "error: outlast.toml:{line}: destination.conversions.bacth_size: unknown key; did you mean batch_size?\n"
        );
        assert_eq!(ran.err(), expected);
    }
}

#[test]
fn usage_has_its_exit_codes() {
    let place = Place { directory: tempfile::tempdir().unwrap() };
    for (arguments, code) in [
        (&["--help"][..], 0),
        (&["--version"], 0),
        (&["send", "--help"], 0),
        (&[], 2),
        (&["dance"], 2),
        (&["show", "not-an-id"], 2),
        (&["cancel"], 2),
        (&["check"], 2),
    ] {
        assert_eq!(place.run(arguments).code(), code, "{arguments:?}");
    }
    let elsewhere = Place::new();
    let named = elsewhere.path().join("outlast.toml");
    let ran = place.command(&["list", "--json"]).env("OUTLAST_CONFIG", &named).output().unwrap();
    assert_eq!(ran.stdout, b"[]\n");
    let missing = place.run(&["list"]).err();
    assert!(
        missing.contains("error: there is no configuration file outlast.toml\nhelp: `outlast init` writes one"),
        "{missing}"
    );
}

#[test]
fn shells_get_their_completions() {
    let place = Place { directory: tempfile::tempdir().unwrap() };
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = place.run(&["completions", shell]);
        assert_eq!(ran.code(), 0);
        assert!(ran.out().contains("redrive"), "{shell}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let place = Place { directory: tempfile::tempdir().unwrap() };
    let mut child =
        place.command(&["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ran = Ran(child.wait_with_output().unwrap());
    assert_eq!((ran.code(), ran.err().as_str()), (0, ""));
}

#[test]
fn no_token_is_ever_printed() {
    let place = Place::new();
    let grant = json!({"access_token": "s3cret-access", "refresh_token": "s3cret-refresh", "issued": "-30d", "expires": "+30d"});
    for local in [true, false] {
        let engine = (!local).then(|| place.serve());
        for arguments in [&["auth", "import", "acme", "--json"][..], &["auth", "list", "--json"], &["list"]] {
            let mut command = place.command(arguments);
            command.env("RUST_LOG", "trace").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            // A command that reads no input may be gone before it gets any.
            drop(child.stdin.take().unwrap().write_all(grant.to_string().as_bytes()));
            let ran = Ran(child.wait_with_output().unwrap());
            assert_eq!(ran.code(), 0, "{}", ran.err());
            assert!(!ran.out().contains("s3cret") && !ran.err().contains("s3cret"), "{arguments:?}");
        }
        drop(engine);
    }
}

#[test]
fn the_control_socket_answers_nonsense_with_a_refusal_and_goes_on() {
    let place = Place::new();
    let engine = place.serve();
    let mut stream = UnixStream::connect(place.path().join("outlast-data/control.sock")).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap()).lines();
    stream.write_all(b"nonsense\n{\"ask\":\"hello\"}\n").unwrap();
    let refusal: Value = serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap();
    assert_eq!(refusal["Err"]["kind"], "refused");
    let hello: Value = serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap();
    assert_eq!(hello["Ok"]["hello"]["pid"], engine.child.id());
}
