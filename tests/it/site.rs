//! What tests of configured destinations stand on: a configuration file over the bench's provider, store and clock, and a
//! receiver on a loopback port that says what it is told to say.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use outlast::clock::Clock;
use outlast::config::Config;
use outlast::route::Event;
use outlast::vault::VaultKey;
use outlast::{Engine, Failed, Outcome};
use outlast_state::{DeliveryId, Span};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::bench::Bench;

/// A provider, and a folder with a configuration.
pub(crate) struct Site {
    pub(crate) bench: Bench,
    folder: tempfile::TempDir,
}

const HEAD: &str = r#"
[vault]
key_file = "outlast.key"

[network]
allow_loopback = true

[credential.acme]
profile = "linkedin"
client_id = "client-id-1"
client_secret = "canary-client-secret"
token_url = "API/oauth/v2/accessToken"
"#;

impl Site {
    pub(crate) async fn new() -> Self {
        let grant = json!({
            "access_token": "canary-access-1", "refresh_token": "canary-refresh-1", "age_s": 30 * 86_400,
            "client_secret": "canary-client-secret", "scope": "rw_conversions,crm.contacts"
        });
        let bench = Bench::with(json!({ "grants": [grant] })).await;
        let folder = tempfile::tempdir().unwrap();
        VaultKey::create(&folder.path().join("outlast.key")).unwrap();
        Site { bench, folder }
    }

    /// Opens the engine that is configured; `API` in the text stands for the provider.
    pub(crate) async fn open(&self, text: &str) -> Engine {
        self.bench.authorised(self.builder(text)).await
    }

    pub(crate) fn builder(&self, text: &str) -> outlast::Builder {
        let file = self.folder.path().join("outlast.toml");
        let api = format!("http://{}", self.bench.sandbox.api_addr());
        std::fs::write(&file, format!("{HEAD}{text}").replace("API", &api)).unwrap();
        let config = Config::load(&file).unwrap_or_else(|why| panic!("{why}"));
        let builder = config.builder().unwrap();
        builder.store(Arc::new(self.bench.store())).clock(Arc::clone(&self.bench.clock) as Arc<dyn Clock>)
    }

    /// Stops the engine, and opens the store anew with this configuration.
    pub(crate) async fn restart(&self, engine: Engine, text: &str) -> Engine {
        engine.stop_within(Span::ZERO).await.unwrap();
        self.bench.reopen();
        self.open(text).await
    }

    /// Takes the event in: its routes and their deliveries.
    pub(crate) async fn ingest(&self, engine: &Engine, event: &Value) -> Vec<(String, DeliveryId)> {
        let made = engine.ingest(Event::json(event.clone()).unwrap()).await.unwrap();
        made.into_iter().map(|one| (one.route, one.delivery.unwrap())).collect()
    }

    /// Takes an event in that one route takes.
    pub(crate) async fn ingest_one(&self, engine: &Engine, event: &Value) -> DeliveryId {
        let made = self.ingest(engine, event).await;
        assert_eq!(made.len(), 1, "{made:?}");
        made[0].1
    }

    pub(crate) async fn done(&self, engine: &Engine, id: DeliveryId) {
        self.bench.all_done(engine, &[id]).await;
    }

    pub(crate) async fn failed(&self, engine: &Engine, id: DeliveryId) -> Failed {
        match self.bench.outcomes(engine, &[id]).await.pop().unwrap() {
            Outcome::Failed(failed) => failed,
            Outcome::Done(done) => panic!("it was delivered: {done:?}"),
        }
    }

    /// What the provider was asked at this path.
    pub(crate) fn asked(&self, path: &str) -> Vec<Value> {
        self.bench.log().into_iter().filter(|line| line["path"] == path).collect()
    }
}

/// Listens, answers as it is told, and remembers what came.
pub(crate) struct Receiver {
    pub(crate) address: String,
    state: Arc<Mutex<Script>>,
}

#[derive(Default)]
struct Script {
    answers: VecDeque<(u16, String)>,
    came: Vec<Came>,
}

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Came {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Came {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(Script::default()));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Arc::clone(&shared)));
            }
        });
        Receiver { address, state }
    }

    /// What it answers next, in this order; a 200 after that.
    pub(crate) fn answers(&self, answers: &[(u16, &str)]) {
        let answers = answers.iter().map(|(status, body)| (*status, (*body).to_owned()));
        self.state.lock().unwrap().answers.extend(answers);
    }

    pub(crate) fn came(&self) -> Vec<Came> {
        self.state.lock().unwrap().came.clone()
    }
}

async fn serve(mut socket: TcpStream, state: Arc<Mutex<Script>>) {
    let mut seen = Vec::new();
    let came = loop {
        if let Some(came) = whole(&seen) {
            break came;
        }
        let mut more = [0; 4096];
        match socket.read(&mut more).await {
            Ok(0) | Err(_) => return,
            Ok(count) => seen.extend_from_slice(more.get(..count).unwrap()),
        }
    };
    let (status, body) = {
        let mut state = state.lock().unwrap();
        state.came.push(came);
        state.answers.pop_front().unwrap_or((200, "{}".to_owned()))
    };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    // Who asked may be gone.
    drop(socket.write_all(answer.as_bytes()).await);
    drop(socket.shutdown().await);
}

fn whole(seen: &[u8]) -> Option<Came> {
    let text = String::from_utf8_lossy(seen);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let line = lines.next()?.to_owned();
    let split = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    let headers: Vec<(String, String)> = lines.filter_map(split).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    (body.len() >= length.unwrap_or(0)).then(|| Came { line, headers, body: body.to_owned() })
}
