//! The program as its users run it: a directory with a configuration and a store, `outlast serve` in it, and a command's
//! end of the control socket.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use outlast::store::StoreKind;
use outlast::vault::VaultKey;
use serde_json::{Value, json};

pub(crate) const ACCESS: &str = "crash-access-token";
pub(crate) const REFRESH: &str = "crash-refresh-token";
pub(crate) const HALF_LIFE_S: u64 = 30 * 86_400;

/// Where an engine runs, again and again.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    store: PathBuf,
}

impl Place {
    /// With this provider. The store lies in `store`, or in the place itself.
    pub(crate) fn new(api: SocketAddr, batch: u64, store: Option<&Path>, kind: StoreKind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = store.map_or_else(|| folder.path().join("data"), Path::to_owned);
        VaultKey::create(&folder.path().join("outlast.key")).unwrap();
        let config = format!(
            "[store]
path = {:?}
kind = {:?}
cache_mib = 16
[vault]
key_file = \"outlast.key\"
[network]
allow_loopback = true
[credential.acme]
profile = \"linkedin\"
client_id = \"client-id-1\"
client_secret = \"client-secret-1\"
token_url = \"http://{api}/oauth/v2/accessToken\"
settle = \"1s\"
[destination.conversions]
kind = \"linkedin-conversions\"
credential = \"acme\"
conversion_rule = \"789123\"
api_base = \"http://{api}/rest\"
batch_size = {batch}
concurrency = 16
",
            store.display().to_string(),
            kind.name()
        );
        std::fs::write(folder.path().join("outlast.toml"), config).unwrap();
        Place { folder, store }
    }

    pub(crate) fn store(&self) -> &Path {
        &self.store
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_outlast"));
        self.prepare(command.args(arguments));
        command
    }

    /// The directory and the surroundings that every command has.
    pub(crate) fn prepare(&self, command: &mut Command) {
        command.current_dir(self.folder.path()).env_remove("OUTLAST_CONFIG").env_remove("RUST_LOG");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    }

    pub(crate) fn authorise(&self) {
        let grant = json!({"access_token": ACCESS, "refresh_token": REFRESH, "issued": "-30d", "expires": "+30d"});
        let mut child = self.command(&["auth", "import", "acme"]).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(grant.to_string().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    pub(crate) fn serve(&self) -> Serving {
        Serving::start(&mut self.command(&["serve"]))
    }
}

/// An engine's process. It is killed when the test lets go of it.
pub(crate) struct Serving {
    pub(crate) child: Child,
}

impl Serving {
    pub(crate) fn start(command: &mut Command) -> Self {
        // Nobody may stand in the way of a process that has much to say.
        Serving { child: command.stderr(Stdio::null()).spawn().unwrap() }
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop. Whether it ended well.
    pub(crate) fn terminate(&mut self) -> bool {
        assert!(Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status().unwrap().success());
        self.child.wait().unwrap().success()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A command's end of the control socket.
pub(crate) struct Client {
    reader: BufReader<UnixStream>,
}

impl Client {
    /// Connects with the engine of this process, once it answers; `None` when it does not yet.
    pub(crate) fn connect(store: &Path, process: u32) -> Option<Self> {
        let stream = UnixStream::connect(store.join("control.sock")).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut client = Client { reader: BufReader::new(stream) };
        let hello = client.ask(&json!({"ask": "hello"})).ok()?;
        (hello["Ok"]["hello"]["pid"] == process).then_some(client)
    }

    /// Connects with the engine of this process, whenever it answers; `None` if it ends before.
    pub(crate) fn wait(store: &Path, serving: &mut Serving) -> Option<Self> {
        while serving.child.try_wait().unwrap().is_none() {
            match Client::connect(store, serving.child.id()) {
                Some(client) => return Some(client),
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        }
        None
    }

    pub(crate) fn ask(&mut self, question: &Value) -> io::Result<Value> {
        let mut stream = self.reader.get_ref();
        stream.write_all(format!("{question}\n").as_bytes())?;
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 || !line.ends_with('\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(serde_json::from_str(&line)?)
    }

    /// Offers these events. For each the name of its delivery, or why there is none; an error when nobody answers.
    pub(crate) fn submit(&mut self, events: &[Value]) -> io::Result<Vec<Result<String, String>>> {
        let offer = |event: &Value| json!({"destination": "conversions", "body": event.to_string(), "once": event["messageId"]});
        let offers: Vec<Value> = events.iter().map(offer).collect();
        let answer = self.ask(&json!({"ask": "submit", "offers": offers}))?;
        let Some(items) = answer["Ok"]["submitted"].as_array() else {
            return Ok(vec![Err(answer["Err"].to_string()); events.len()]);
        };
        let item = |item: &Value| item["Ok"].as_str().map(str::to_owned).ok_or_else(|| item["Err"].to_string());
        Ok(items.iter().map(item).collect())
    }

    /// How many deliveries have not ended.
    pub(crate) fn live(&mut self) -> io::Result<u64> {
        let counts = self.ask(&json!({"ask": "counts"}))?;
        let counts = &counts["Ok"]["counts"];
        let states = ["pending", "sending", "awaiting_propagation", "refreshing"];
        Ok(states.iter().map(|state| counts[state].as_u64().unwrap()).sum())
    }
}
