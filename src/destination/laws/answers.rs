//! What the provider says: what was recorded, the same bent, and what is hard to read.

use outlast_state::{Span, Time};
use serde_json::{Value, json};

use crate::exchange::Answer;

/// A token, as answers quote it.
pub(super) const MARKER: &str = "AQXlawsTOKENzN8rW0qJ5uVt2KcYp7DfGh3LmBs9";

/// The answers of a conversation, the last of them repeated.
#[derive(Clone, Debug)]
pub(super) struct Script {
    answers: Vec<Answer>,
    /// How many recorded answers come before the one that it is about.
    pub(super) before: usize,
    /// Whether one of them quotes the token.
    pub(super) quotes_token: bool,
    /// Whether none of them says something about one of several items.
    pub(super) is_about_all: bool,
}

impl Script {
    /// `answers`, at least one.
    fn new(answers: Vec<Answer>) -> Self {
        let is_about_all = answers.iter().all(|answer| answer.json().is_none() && !lists(&answer.body));
        let in_header = |answer: &Answer| answer.headers.iter().any(|(_, value)| value.contains(MARKER));
        let quotes = |answer: &Answer| in_header(answer) || String::from_utf8_lossy(&answer.body).contains(MARKER);
        let quotes_token = answers.iter().any(quotes);
        Script { answers, before: 0, quotes_token, is_about_all }
    }

    /// Up to seven of the pool; nothing of an empty one.
    pub(super) fn drawn(pool: &[Answer], draw: &mut Draw) -> Option<Self> {
        let count = draw.below(7).saturating_add(1);
        let answers: Vec<Answer> = (0..count).filter_map(|_| draw.one(pool).cloned()).collect();
        (!answers.is_empty()).then(|| Script::new(answers))
    }

    /// The answer to the request with this number, from 0.
    pub(super) fn answer(&self, number: usize) -> Answer {
        let found = self.answers.get(number).or(self.answers.last());
        found.cloned().unwrap_or_else(|| plain(500, Time::ZERO))
    }
}

/// Whether a body may name items by their positions.
fn lists(body: &[u8]) -> bool {
    String::from_utf8_lossy(body).to_ascii_lowercase().contains("index")
}

/// Draws by a number: the generator is Steele, Lea and Flood's `SplitMix64`.
pub(super) struct Draw(u64);

impl Draw {
    pub(super) fn new(seed: u64) -> Self {
        Draw(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        self.next().checked_rem(bound).and_then(|drawn| usize::try_from(drawn).ok()).unwrap_or(0)
    }

    pub(super) fn one<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.below(all.len()))
    }
}

/// What is always played: the recorded ones in their order, each answer of the pool from the start on, and each after one
/// and after two recorded ones.
pub(super) fn scripts(recorded: &[Answer], now: Time) -> Vec<Script> {
    let mut scripts = Vec::new();
    if !recorded.is_empty() {
        scripts.push(Script::new(recorded.to_vec()));
    }
    let pool = pool(recorded, now);
    scripts.extend(pool.iter().map(|answer| Script::new(vec![answer.clone()])));
    for before in 1..=recorded.len().min(2) {
        let known: Vec<Answer> = recorded.iter().take(before).cloned().collect();
        let after = |answer: &Answer| Script {
            before,
            ..Script::new([known.as_slice(), std::slice::from_ref(answer)].concat())
        };
        scripts.extend(pool.iter().map(after));
    }
    scripts
}

/// All answers there are to choose from.
pub(super) fn pool(recorded: &[Answer], now: Time) -> Vec<Answer> {
    let mut pool = recorded.to_vec();
    pool.extend(recorded.iter().flat_map(bent));
    pool.extend(hard(now));
    pool
}

/// One status of each class and of each row of the table of statuses, and some that no provider may send.
const STATUSES: [u16; 33] = [
    0, 100, 199, 200, 201, 202, 204, 207, 299, 301, 304, 400, 401, 402, 403, 404, 408, 409, 410, 413, 414, 418, 422,
    423, 425, 426, 429, 500, 501, 503, 599, 600, 65_535,
];

/// Those of them that answers with a body are read by.
const CLASSES: [u16; 4] = [200, 404, 422, 503];

/// What `Retry-After` may say.
const WAITS: [&str; 8] = [
    "7",
    "0",
    "901",
    "18446744073709551616",
    "-1",
    "soon",
    "Sun, 15 Mar 2026 12:05:00 GMT",
    "Fri, 31 Dec 9999 23:59:59 GMT",
];

fn hard(now: Time) -> Vec<Answer> {
    let mut hard = Vec::new();
    hard.extend(STATUSES.map(|status| plain(status, now)));
    for status in CLASSES {
        for (kind, body) in bodies() {
            let headers = vec![("content-type".to_owned(), kind.to_owned())];
            hard.push(Answer { headers, body, ..plain(status, now) });
        }
    }
    for status in [200, 400, 408, 422, 423, 429, 500, 503] {
        for wait in WAITS {
            let headers = vec![("retry-after".to_owned(), wait.to_owned())];
            hard.push(Answer { headers, ..plain(status, now) });
        }
    }
    hard
}

/// Bodies that say nothing, or not what they should.
fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    const JSON: &str = "application/json";
    // The token stands where someone who cuts at 200 characters cuts through it.
    let long = format!("{} {MARKER} {}", "x".repeat(180), "y".repeat(3000));
    let error = json!({"message": format!("The token {MARKER} is not known."), "status": 1e300, "code": MARKER.len()});
    let deep = "[".repeat(10_000);
    let mut bodies = vec![
        (JSON, b"<!doctype html><title>502</title>".to_vec()),
        ("text/html", format!("<p>Bearer {MARKER}</p>").into_bytes()),
        (JSON, b"{\"elements\":[{\"id\":".to_vec()),
        (JSON, b"\xef\xbb\xbf{}".to_vec()),
        (JSON, b"\xff\xfe\x00".to_vec()),
        (JSON, deep.into_bytes()),
        (JSON, b"{\"elements\":[{\"status\":1e999,\"id\":123456789012345678901234567890}]}".to_vec()),
        (JSON, b"Index: 0, ERROR :: no\nIndex: 99999999999999999999, ERROR :: no\nIndex: -1, ERROR ::".to_vec()),
    ];
    let values = [
        json!(null),
        json!(true),
        json!(-1.5e300),
        json!("text"),
        json!([]),
        json!({}),
        json!([null, 7, "x", [], {}]),
        json!({"message": long, "error": {"message": long, "code": long}}),
        error,
        json!({"elements": null, "results": {}, "errors": "x", "id": {}}),
        json!({"elements": [], "results": [], "errors": [], "data": []}),
        json!({"elements": [{"status": 201}, {"status": 429}, {"status": "500"}, {"status": -1}, {"status": 70_000}, 7]}),
    ];
    bodies.extend(values.into_iter().map(|value| (JSON, value.to_string().into_bytes())));
    bodies
}

fn plain(status: u16, now: Time) -> Answer {
    Answer { status, headers: Vec::new(), body: Vec::new(), received: now.after(Span::from_secs(1)) }
}

/// Places of one recorded body that are bent, at most.
const PLACES: usize = 12;

/// A recorded answer with one thing about it wrong.
fn bent(answer: &Answer) -> Vec<Answer> {
    let with = |body: Vec<u8>| Answer { body, ..answer.clone() };
    let half = answer.body.len() / 2;
    let mut bent = vec![
        with(answer.body.get(..half).unwrap_or_default().to_vec()),
        Answer { headers: Vec::new(), ..answer.clone() },
        Answer { status: if answer.is_success() { 422 } else { 200 }, ..answer.clone() },
        Answer { status: 503, ..answer.clone() },
    ];
    for (name, value) in [("", ""), ("retry-after", "11")] {
        let mut headers: Vec<_> = answer.headers.iter().map(|(name, _)| (name.clone(), value.to_owned())).collect();
        headers.extend((!name.is_empty()).then(|| (name.to_owned(), value.to_owned())));
        bent.push(Answer { headers, ..answer.clone() });
    }
    let Some(whole) = answer.json() else { return bent };
    for place in places(&whole) {
        let now = whole.pointer(&place).cloned().unwrap_or_default();
        for other in others(&now) {
            let mut changed = whole.clone();
            if let Some(found) = changed.pointer_mut(&place) {
                *found = other;
            }
            bent.push(with(changed.to_string().into_bytes()));
        }
    }
    bent
}

/// The pointers of a value, the outermost first.
fn places(whole: &Value) -> Vec<String> {
    let mut open = vec![(String::new(), whole)];
    let mut at = 0;
    while let Some((place, value)) = open.get(at).cloned() {
        if open.len() >= PLACES {
            break;
        }
        let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
        match value {
            Value::Object(members) => {
                open.extend(members.iter().map(|(key, value)| (format!("{place}/{}", escaped(key)), value)));
            }
            Value::Array(items) => {
                open.extend(items.iter().enumerate().map(|(number, value)| (format!("{place}/{number}"), value)));
            }
            _ => {}
        }
        at = at.saturating_add(1);
    }
    open.into_iter().take(PLACES).map(|(place, _)| place).collect()
}

/// What may stand there instead: other types, shorter and longer lists, numbers that nobody counts to.
fn others(value: &Value) -> Vec<Value> {
    let mut others = vec![json!(null), json!(""), json!(1e300), json!(-1), json!({}), json!([]), json!("\u{0}\r\n✓")];
    if let Value::Array(items) = value {
        others.push(items.iter().skip(1).cloned().collect());
        others.push(items.iter().chain(items.iter()).cloned().collect());
        others.push(items.iter().rev().cloned().collect());
    }
    if let Value::String(text) = value {
        others.push(json!("x".repeat(5000)));
        others.push(json!(format!("{text}{text}")));
    }
    others
}
