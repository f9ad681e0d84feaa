//! The recorded requests of the reference implementation, played against LinkedIn's destinations and operations with `compat`
//! on.
//!
//! An event goes through its recorded subscription and mapping, the action's schema, and the destination. Requests are compared
//! as recorded: method, address, body as JSON, and the headers that mean something. Recorded answers are given back, and the
//! verdicts compared with the recorded results.
//!
//! What goes on where a destination ends is followed that far. After a 401 the reference refreshes and does all again, which
//! is the engine's here: each request is compared, the 401 must read as a refused token, and what follows it is played as a
//! conversation of its own. A reset never reaches a destination: its request is compared.

use std::collections::BTreeMap;

use outlast::destination::linkedin::operations::{self, Task};
use outlast::destination::linkedin::{self, Api, SettingError};
use outlast::destination::{Conclusion, Conversation, Destination, Item, Memo, Memory, Operation, Step, Trouble, Turn};
use outlast::exchange::{Answer, Exchange, Request};
use outlast::route::{Action, Draft, Misfit, Route};
use outlast_state::{DeliveryId, Load, Receipt, Span, Time, Verdict, Why};
use serde_json::{Map, Value, json};

use crate::linkedin_refresh;
use crate::vectors::{Tally, load};

const FILE: &str = "linkedin_requests.json";
const API: &str = "https://api.linkedin.com/rest";
/// What the reference says of a batch member that does not match; a single one is skipped without a word.
const NOT_SUBSCRIBED: &str = "Payload is either invalid or does not match the subscription";

#[test]
fn recorded_requests() {
    let mut tally = Tally::new(FILE);
    for vector in &load(FILE) {
        let id = text(&vector["id"]);
        let played = match text(&vector["kind"]) {
            "refresh_token" => linkedin_refresh::play(vector),
            "event" => event(vector),
            "hook" => hook(vector),
            "dynamic_field" => choices(vector),
            "test_authentication" => probe(vector),
            other => Err(format!("there is no kind `{other}`")),
        };
        match played {
            Ok(()) => tally.pass(),
            Err(why) => tally.fail(format!("{id} ({})", text(&vector["note"])), why),
        }
    }
    tally.finish();
}

// ---- What was recorded -------------------------------------------------------------------------------------------------

/// A recorded request and its answer; none where the connection broke.
struct Recorded<'a> {
    request: &'a Value,
    answer: Option<Answer>,
}

fn to_api(request: &Value) -> bool {
    text(&request["url"]).starts_with(API)
}

/// The requests to the API, with their answers.
fn recorded(vector: &Value) -> Vec<Recorded<'_>> {
    let answers = list(&vector["responses"]).iter().map(Some).chain(std::iter::repeat(None));
    let all = list(&vector["requests"]).iter().zip(answers).filter(|(request, _)| to_api(request));
    all.map(|(request, answer)| Recorded { request, answer: answer.and_then(|it| replayed(it, now(vector))) }).collect()
}

fn replayed(recorded: &Value, received: Time) -> Option<Answer> {
    let status = u16::try_from(recorded["status"].as_u64()?).unwrap();
    let headers = recorded["headers"].as_object().into_iter().flatten();
    let headers = headers.map(|(name, value)| (name.clone(), text(value).to_owned())).collect();
    let body = match &recorded["body"] {
        Value::String(text) => text.clone(),
        json => json.to_string(),
    };
    Some(Answer { status, headers, body: body.into_bytes(), received })
}

fn now(vector: &Value) -> Time {
    Time::from_millis(vector["now_ms"].as_u64().unwrap())
}

fn compare(request: &Request, recorded: &Value) -> Result<(), String> {
    same("method", request.method().as_str(), text(&recorded["method"]))?;
    same("address", request.url().as_str(), text(&recorded["url"]))?;
    let body = String::from_utf8_lossy(request.body());
    match &recorded["body"] {
        Value::Null => same("body", body.as_ref(), "")?,
        Value::String(text) => same("body", body.as_ref(), text)?,
        json => same("body", &serde_json::from_str::<Value>(&body).map_err(|error| error.to_string())?, json)?,
    }
    let authorized = text(&recorded["headers"]["authorization"]).starts_with("Bearer access-token-");
    same("authorization", &request.wants_bearer(), &authorized)?;
    for name in ["linkedin-version", "x-restli-protocol-version", "x-restli-method", "content-type"] {
        let bare = |value: &str| value.split(';').next().unwrap_or_default().to_owned();
        let ours = request.headers().iter().find(|(known, _)| *known == name).map(|(_, value)| bare(value));
        same(name, &ours, &recorded["headers"][name].as_str().map(bare))?;
    }
    Ok(())
}

/// Whether `ours` is what was recorded of an error, as far as it is not its runtime's own.
fn said(ours: &str, error: &Value) -> Result<(), String> {
    let message = text(&error["message"]);
    if error["message_is_runtime_specific"] == true || (error["message_is_prefix"] == true && ours.starts_with(message))
    {
        return Ok(());
    }
    same("message", ours, message)
}

// ---- Events ------------------------------------------------------------------------------------------------------------

fn event(vector: &Value) -> Result<(), String> {
    match built(vector) {
        Ok(destination) => Play::new(vector, destination.as_ref())?.run(),
        Err(error) => said(error.problem(), &vector["error"]),
    }
}

fn built(vector: &Value) -> Result<Box<dyn Destination>, SettingError> {
    let batch_size = if vector["batch"] == true { 5000 } else { 1 };
    // The canary flags select a second version, which is the same one in the recording.
    if vector["destination"] == "linkedin-conversions" {
        return Ok(Box::new(linkedin::conversions().compat(true).batch_size(batch_size).build()?));
    }
    Ok(Box::new(audiences(vector).batch_size(batch_size).build()?))
}

fn audiences(vector: &Value) -> linkedin::AudiencesBuilder {
    let settings = &vector["settings"];
    let flag = |name: &str| settings[name].as_bool().unwrap_or(true);
    linkedin::audiences()
        .compat(true)
        .ad_account_id(text(&settings["ad_account_id"]))
        .send_email(flag("send_email"))
        .send_google_advertising_id(flag("send_google_advertising_id"))
}

/// What becomes of an event before a destination is asked.
enum Fate {
    NotSubscribed,
    Unfit(Misfit),
    Payload(Value),
}

struct Play<'a> {
    vector: &'a Value,
    destination: &'a dyn Destination,
    route: Route,
    fates: Vec<Fate>,
}

impl<'a> Play<'a> {
    fn new(vector: &'a Value, destination: &'a dyn Destination) -> Result<Self, String> {
        let slug = text(&vector["action"]);
        let action = destination.actions().iter().find(|action| action.slug() == slug).ok_or("no such action")?;
        let route = route(vector, action)?;
        let events =
            if vector["batch"] == true { list(&vector["events"]) } else { std::slice::from_ref(&vector["event"]) };
        let fate = |event: &Value| match route.payload(event, destination.empties()) {
            _ if !route.takes(event) => Fate::NotSubscribed,
            Ok(payload) => Fate::Payload(payload.fields),
            Err(misfit) => Fate::Unfit(misfit),
        };
        let fates = events.iter().map(fate).collect();
        Ok(Play { vector, destination, route, fates })
    }

    /// The items that the destination is asked about, and what it says of each before.
    fn checked(&self) -> Vec<Option<(Item<'_>, Option<Conclusion>)>> {
        let began = now(self.vector);
        let items = (1_u128..).zip(&self.fates).map(|(n, fate)| {
            let Fate::Payload(payload) = fate else { return None };
            let (action, saved) = (self.route.action().slug(), self.route.saved());
            let item = Item { id: DeliveryId::from_u128(n), body: b"", action, payload, saved };
            Some((item, self.destination.check(&item, began).err()))
        });
        items.collect()
    }

    fn run(&self) -> Result<(), String> {
        let checked = self.checked();
        let open: Vec<Item<'_>> =
            checked.iter().flatten().filter(|(_, refused)| refused.is_none()).map(|(item, _)| *item).collect();
        let mut known = BTreeMap::new();
        for (key, value) in self.vector["state"].as_object().into_iter().flatten() {
            known.insert(key.clone(), (text(value).to_owned(), Time::from_millis(u64::MAX)));
        }
        let talk = Talk { memory: Memory::new(&known, now(self.vector)), ..Talk::new(self, &open) };
        let Some(Ended { conclusions, last, memos }) = talk.lead()? else { return Ok(()) };
        self.remembered(&memos)?;
        let mut said = conclusions.into_iter();
        let conclusions = checked.into_iter().map(|item| match item {
            None => None,
            Some((_, Some(refused))) => Some(refused),
            Some((_, None)) => said.next(),
        });
        self.judge(&conclusions.collect::<Vec<_>>(), last.as_ref())
    }

    fn remembered(&self, memos: &[Memo]) -> Result<(), String> {
        let day = |memo: &Memo| memo.keep == Span::from_secs(86_400);
        let ours: BTreeMap<&str, (Option<&str>, bool)> =
            memos.iter().map(|memo| (memo.key.as_str(), (memo.value.as_deref(), day(memo)))).collect();
        let written = self.vector["state_written"].as_object().into_iter().flatten();
        // What the reference writes without a value is nothing that could be kept.
        let written = written.filter(|(_, entry)| entry.get("value").is_some());
        let recorded: BTreeMap<&str, (Option<&str>, bool)> = written
            .map(|(key, entry)| (key.as_str(), (entry["value"].as_str(), entry["ttl"] == json!({"hour": 24}))))
            .collect();
        same("what is kept in mind", &ours, &recorded)
    }

    /// Compares what was concluded with what the reference returned.
    fn judge(&self, conclusions: &[Option<Conclusion>], last: Option<&Answer>) -> Result<(), String> {
        if let Some(nodes) = self.vector["result"].pointer("/0/multistatus") {
            same("results", &conclusions.len(), &list(nodes).len())?;
            let mut all = self.fates.iter().zip(conclusions).zip(list(nodes));
            return all.try_for_each(|((fate, ours), node)| judge_node(fate, ours.as_ref(), node, last));
        }
        let error = &self.vector["error"];
        for (fate, conclusion) in self.fates.iter().zip(conclusions) {
            match fate {
                Fate::NotSubscribed => same("result", &self.vector["result"], &json!([{"output": "not subscribed"}]))?,
                // In a batch that fails as a whole nothing is told of these.
                Fate::Unfit(_) if self.vector["batch"] == true => {}
                Fate::Unfit(misfit) => {
                    same("kind", text(&error["kind"]), "schema_validation")?;
                    said(&misfit.message, error)?;
                }
                Fate::Payload(_) => {
                    let conclusion = conclusion.as_ref().ok_or("nothing was concluded")?;
                    if error.is_null() { accepted(conclusion, last)? } else { judge_error(conclusion, error, last)? }
                }
            }
        }
        Ok(())
    }
}

fn route(vector: &Value, action: &Action) -> Result<Route, String> {
    let mapping = vector["mapping"].as_object().cloned().unwrap_or_default();
    let when = vector["subscribe"].as_str().map(str::to_owned);
    let draft = Draft { when, mapping, bare: true, ..Draft::default() };
    Route::new("recorded", action, &draft)
        .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

/// The conversations that a vector is made of: one, and one more after each refused token.
struct Talk<'a> {
    play: &'a Play<'a>,
    items: &'a [Item<'a>],
    memory: Memory<'a>,
}

/// How the last of them ended.
struct Ended {
    conclusions: Vec<Conclusion>,
    last: Option<Answer>,
    memos: Vec<Memo>,
}

impl<'a> Talk<'a> {
    fn new(play: &'a Play<'a>, items: &'a [Item<'a>]) -> Self {
        Talk { play, items, memory: Memory::EMPTY }
    }

    /// Nothing where the recording goes on to the end where the engine's part begins: a reset, or a refused token.
    fn lead(&self) -> Result<Option<Ended>, String> {
        let mut recorded = recorded(self.play.vector).into_iter();
        let mut so_far = Vec::new();
        loop {
            let conversation = self.conversation(&so_far);
            let request = match self.turn(&conversation) {
                Turn::Ask(request) => request,
                Turn::Conclude(conclusions) => {
                    same("requests that were not made", &recorded.count(), &0)?;
                    let memos =
                        if self.items.is_empty() { Vec::new() } else { self.play.destination.remember(&conversation) };
                    let last = so_far.last().map(|exchange: &Exchange| exchange.answer.clone());
                    return Ok(Some(Ended { conclusions, last, memos }));
                }
            };
            let next = recorded.next().ok_or_else(|| format!("{request:?} was not to be sent"))?;
            compare(&request, next.request)?;
            let Some(answer) = next.answer else {
                return same("error", text(&self.play.vector["error"]["kind"]), "network").map(|()| None);
            };
            let refused = answer.status == 401;
            so_far.push(Exchange { request, answer });
            if refused {
                self.token_refused(&so_far)?;
                so_far.clear();
                if recorded.len() == 0 {
                    return Ok(None);
                }
            }
        }
    }

    fn conversation<'c>(&'c self, so_far: &'c [Exchange]) -> Conversation<'c> {
        Conversation { items: self.items, so_far, memory: self.memory, began: now(self.play.vector) }
    }

    fn turn(&self, conversation: &Conversation<'_>) -> Turn {
        if self.items.is_empty() { Turn::Conclude(Vec::new()) } else { self.play.destination.converse(conversation) }
    }

    fn token_refused(&self, so_far: &[Exchange]) -> Result<(), String> {
        match self.turn(&self.conversation(so_far)) {
            Turn::Ask(request) => Err(format!("{request:?} after a 401")),
            Turn::Conclude(conclusions) => conclusions.iter().try_for_each(|it| {
                let unsent = it.verdict == Verdict::Refused { why: Why::Invalid };
                if unsent { Ok(()) } else { same("401", &it.verdict, &Verdict::TokenRefused) }
            }),
        }
    }
}

fn accepted(conclusion: &Conclusion, last: Option<&Answer>) -> Result<(), String> {
    let element = last.and_then(Answer::json).and_then(|body| body.pointer("/elements/0/status")?.as_u64());
    match conclusion.verdict {
        Verdict::Accepted { receipt: Receipt { status } } => {
            let told = last.is_none_or(|last| u64::from(last.status) == u64::from(status));
            let known = told || element == Some(u64::from(status));
            if known { Ok(()) } else { Err(format!("accepted with {status}, which was not said")) }
        }
        other => Err(format!("{other:?}: {}", conclusion.detail)),
    }
}

fn judge_error(conclusion: &Conclusion, error: &Value, last: Option<&Answer>) -> Result<(), String> {
    let failing = Verdict::Busy { after: Span::ZERO, load: Load::Failing };
    let status = error["http_status"].as_u64().or(error["status"].as_u64());
    let status = u16::try_from(status.unwrap_or_default()).unwrap();
    match text(&error["kind"]) {
        "payload_validation" | "invalid_settings" | "schema_validation" => {
            same("verdict", &conclusion.verdict, &Verdict::Refused { why: Why::Invalid })?;
            said(&conclusion.detail, error)
        }
        // The words are the status' phrase.
        "http_status" => same("verdict", &conclusion.verdict, &host(status, last)),
        "bad_json" => same("verdict", &conclusion.verdict, &failing),
        "create_segment_failure" => {
            same("verdict", &conclusion.verdict, &failing)?;
            said(&conclusion.detail, error)
        }
        "retryable" | "api_error" => {
            let verdict = same_but_wait(&conclusion.verdict, &host(status, last));
            same("verdict", &verdict, &true)?;
            said(&conclusion.detail, error)
        }
        other => Err(format!("an error of kind {other}; concluded was {conclusion:?}")),
    }
}

fn judge_node(fate: &Fate, ours: Option<&Conclusion>, node: &Value, last: Option<&Answer>) -> Result<(), String> {
    let message = text(&node["errormessage"]);
    if node["errorreporter"] == "INTEGRATIONS" {
        same("status", &node["status"], &json!(400))?;
    }
    match (fate, ours) {
        (Fate::NotSubscribed, _) => same("message", NOT_SUBSCRIBED, message),
        (Fate::Unfit(misfit), _) => same("message", misfit.message.as_str(), message),
        (Fate::Payload(_), None) => Err("nothing was concluded".into()),
        (Fate::Payload(_), Some(ours)) if node["errorreporter"] == "INTEGRATIONS" => {
            same("verdict", &ours.verdict, &Verdict::Refused { why: Why::Invalid })?;
            same("message", ours.detail.as_str(), message)
        }
        (Fate::Payload(_), Some(ours)) => {
            let status = u16::try_from(node["status"].as_u64().unwrap_or_default()).unwrap();
            same("element", &same_but_wait(&ours.verdict, &host(status, last)), &true)
                .map_err(|_| format!("{ours:?}, and the status was {status}"))?;
            // Of conversions it is the raw body, which is not for people.
            let told = node["sent"].get("action").is_some() && !message.is_empty();
            if told { same("message", ours.detail.as_str(), message) } else { Ok(()) }
        }
    }
}

/// Whether both are the same but for how long to wait: the recording of some statuses has lost that.
fn same_but_wait(ours: &Verdict, recorded: &Verdict) -> bool {
    match (ours, recorded) {
        (Verdict::Busy { load, .. }, Verdict::Busy { load: other, .. }) => load == other,
        (ours, recorded) => ours == recorded,
    }
}

/// What the reference's host makes of a status.
fn host(status: u16, last: Option<&Answer>) -> Verdict {
    let after = last.and_then(|last| last.retry_after(Span::from_secs(900))).unwrap_or(Span::ZERO);
    match status {
        200..=299 => Verdict::Accepted { receipt: Receipt { status } },
        401 => Verdict::TokenRefused,
        429 => Verdict::Busy { after, load: Load::Throttled },
        408 | 423 | 500 | 502..=599 => Verdict::Busy { after, load: Load::Failing },
        _ => Verdict::Refused { why: Why::Rejected { status } },
    }
}

// ---- Operations --------------------------------------------------------------------------------------------------------

/// How an operation ends that is given the recorded answers; nothing where the recording goes on with a refresh or a reset.
fn operated(vector: &Value, operation: &dyn Operation) -> Result<Option<Result<Value, Trouble>>, String> {
    let refreshed = list(&vector["requests"]).iter().any(|request| !to_api(request));
    let mut recorded = recorded(vector).into_iter();
    let mut so_far = Vec::new();
    loop {
        let ended = match operation.step(&so_far) {
            Step::Ask(request) => {
                let next = recorded.next().ok_or_else(|| format!("{request:?} was not to be sent"))?;
                compare(&request, next.request)?;
                let Some(answer) = next.answer else { return Ok(None) };
                // An operation ends there; the reference refreshes and does it again.
                if answer.status == 401 && refreshed {
                    return Ok(None);
                }
                so_far.push(Exchange { request, answer });
                continue;
            }
            Step::Done(value) => Ok(value),
            Step::Failed(trouble) => Err(trouble),
        };
        same("requests that were not made", &recorded.count(), &0)?;
        return Ok(Some(ended));
    }
}

fn api() -> Api {
    Api::new(API, "202603").unwrap().compat(true)
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn hook(vector: &Value) -> Result<(), String> {
    let saved = vector["hook_outputs"].as_object();
    let task = if saved.is_some() { Task::Update } else { Task::Create };
    let ended = match operations::rule(&api(), task, &object(&vector["hook_inputs"]), saved) {
        Err(trouble) => {
            same("requests that were not made", &recorded(vector).len(), &0)?;
            Err(trouble)
        }
        Ok(rule) => match operated(vector, &rule)? {
            None => return Ok(()),
            Some(ended) => ended,
        },
    };
    let result = &vector["result"];
    match ended {
        Ok(value) => same("result", &value, result),
        Err(trouble) => {
            same("code", trouble.code.as_str(), text(&result["error"]["code"]))?;
            said(&trouble.message, &result["error"])?;
            let saved = result.get("savedData");
            saved.map_or(Ok(()), |saved| same("saved", &trouble.reached, saved))
        }
    }
}

fn choices(vector: &Value) -> Result<(), String> {
    let ended = match operations::choices(&api(), text(&vector["field"]), &object(&vector["hook_inputs"])) {
        Err(trouble) => {
            same("requests that were not made", &recorded(vector).len(), &0)?;
            Err(trouble)
        }
        Ok(choices) => match operated(vector, &choices)? {
            None => return Ok(()),
            Some(ended) => ended,
        },
    };
    let ours = match ended {
        Ok(value) => value,
        Err(Trouble { code, message, mut reached }) => {
            reached["error"] = json!({"message": message, "code": code});
            reached
        }
    };
    same("result", &ours, &vector["result"])
}

fn probe(vector: &Value) -> Result<(), String> {
    let error = &vector["error"];
    let probe = if vector["destination"] == "linkedin-conversions" {
        operations::test_conversions(&api())
    } else {
        match audiences(vector).build() {
            Ok(audiences) => operations::test_audiences(&audiences),
            // The host puts a status before it, which is empty for a setting.
            Err(why) => return said(&format!("Credentials are invalid:  {}", why.problem()), error),
        }
    };
    if vector["auth"]["access_token"].as_str().is_none_or(str::is_empty) {
        return said(&probe.without_token().message, error);
    }
    match operated(vector, &probe)? {
        None => Ok(()),
        Some(Ok(_)) => same("error", error, &Value::Null),
        Some(Err(trouble)) => said(&trouble.message, error),
    }
}

// ---- Small things ------------------------------------------------------------------------------------------------------

fn same<T: PartialEq + std::fmt::Debug + ?Sized>(what: &str, ours: &T, recorded: &T) -> Result<(), String> {
    if ours == recorded { Ok(()) } else { Err(format!("{what}: ours {ours:?}, recorded {recorded:?}")) }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
