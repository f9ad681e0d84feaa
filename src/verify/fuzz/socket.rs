//! The control socket of a running engine.

use std::sync::Arc;

use outlast_state::{Receipt, Span, Time, Verdict};
use tokio::io::{AsyncReadExt as _, BufReader};
use url::Url;

use crate::builder::{Endpoint, OAuth};
use crate::cli::control::{Fault, Response};
use crate::cli::socket::answer_all;
use crate::clock::{Clock, Waiting};
use crate::destination::{Conclusion, Conversation, Destination, Turn};
use crate::engine::Engine;
use crate::guard::Audience;
use crate::oauth::Profile;
use crate::secret::Secret;
use crate::store::memory::MemoryStore;
use crate::vault::VaultKey;

/// What is written into the control socket of an engine.
///
/// # Panics
/// A line gets no answer, an answer is none, or the engine breaks.
pub fn socket(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime of one thread can be made");
    runtime.block_on(async {
        let engine = engine().await;
        let (near, mut far) = tokio::io::duplex(64 * 1024 * 1024);
        let ended = answer_all(BufReader::new(bytes), near, &engine).await;
        let mut answers = Vec::new();
        far.read_to_end(&mut answers).await.expect("what was written can be read");
        judge(bytes, &answers, ended.is_ok());
        engine.stop().await.expect("the engine has not broken");
    });
}

/// One answer for each whole line; what is no line closes the connection.
fn judge(bytes: &[u8], answers: &[u8], ended: bool) {
    let asked = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")).count();
    let whole = bytes.last().is_none_or(|last| *last == b'\n');
    assert_eq!(ended, whole, "the conversation ends with its last line");
    let lines = answers.split_inclusive(|byte| *byte == b'\n');
    let answered =
        lines.map(|line| serde_json::from_slice::<Result<Response, Fault>>(line).expect("an answer is JSON"));
    assert_eq!(answered.count(), asked, "one answer for each line");
}

/// An engine that can accept, show and authorise, and has nobody to speak with.
async fn engine() -> Engine {
    let nobody = Url::parse("http://127.0.0.1:1/").expect("it is an address");
    // Loopback is not allowed, so a refresh ends before a connection is made.
    let profile = Profile::generic("nobody", nobody.clone(), Audience::of([&nobody]));
    let key = VaultKey::known([7; 32]);
    Engine::builder("nowhere")
        .store(Arc::new(MemoryStore::new()))
        .clock(Arc::new(Still))
        .vault_key(key)
        .credential("acme", OAuth::new(profile, "client", Secret::new("hush")))
        .destination("parked", Endpoint::new(Silent).credential("acme"))
        .destination("taken", Endpoint::new(Silent))
        .open()
        .await
        .expect("an engine in memory opens")
}

/// A destination that takes everything without a request.
struct Silent;

impl Destination for Silent {
    fn converse(&self, conversation: &Conversation<'_>) -> Turn {
        let verdict = Verdict::Accepted { receipt: Receipt { status: 200 } };
        Turn::Conclude(conversation.items.iter().map(|_| Conclusion::new(verdict, "")).collect())
    }
}

/// Time that stands still: nothing here may depend on how fast a machine is.
struct Still;

impl Clock for Still {
    fn now(&self) -> Time {
        Time::from_millis(1_773_576_000_000)
    }

    fn wait(&self, _: Time) -> Waiting<'_> {
        Box::pin(std::future::pending())
    }

    fn refused_leap(&self) -> Option<Span> {
        None
    }
}
