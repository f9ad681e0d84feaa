//! Conversations about audiences, played against recorded answers.

use std::collections::BTreeMap;

use outlast_state::{DeliveryId, Load, Receipt, Span, Time, Verdict, Why};
use serde_json::{Value, json};

use super::{Audiences, COMPANIES, USERS};
use crate::destination::linkedin::tests::Said;
use crate::destination::linkedin::{AudiencesBuilder, audiences};
use crate::destination::{Conclusion, Conversation, Destination, Item, Memo, Memory, Turn};
use crate::exchange::{Answer, Exchange, Request};

mod elements;
mod laws;
mod order;
mod segments;

const NOW: Time = Time::from_millis(1_773_576_000_000); // 2026-03-15T12:00:00Z
const ADA: &str = "e1a3741ca332e55d1911ea2f85931387b67f22c76f5a6c859c431a4f269089b1";
const MEMORY: &str = "501/segment/USER/spring";

fn live() -> Audiences {
    settings().build().unwrap()
}

fn settings() -> AudiencesBuilder {
    audiences().ad_account_id("501")
}

/// A person who enters the audience `spring`.
fn person(email: &str) -> Value {
    json!({
        "email": email, "source_segment_id": "spring", "personas_audience_key": "spring", "dmp_segment_name": "Spring",
        "event_name": "Audience Entered", "dmp_user_action": "AUTO",
    })
}

fn company(domain: &str) -> Value {
    json!({
        "identifiers": {"companyDomain": domain}, "dmp_company_action": "ADD", "audience_source": "ENGAGE_RETL",
        "computation_key": "accounts",
    })
}

/// The same with other members; null takes one away.
fn with(mut payload: Value, members: Value) -> Value {
    let (Value::Object(all), Value::Object(members)) = (&mut payload, members) else { panic!("objects") };
    for (key, value) in members {
        if value.is_null() {
            all.remove(&key)
        } else {
            all.insert(key, value)
        };
    }
    payload
}

/// What is asked, in order, and how it ends; unless there are fewer answers than questions.
struct Played {
    asked: Vec<Request>,
    conclusions: Option<Vec<Conclusion>>,
    memos: Vec<Memo>,
}

impl Played {
    fn verdicts(&self) -> Vec<Verdict> {
        let conclusions = self.conclusions.as_ref().expect("the conversation ended");
        conclusions.iter().map(|conclusion| conclusion.verdict).collect()
    }

    fn detail(&self) -> &str {
        &self.conclusions.as_ref().expect("the conversation ended")[0].detail
    }

    /// `GET /dmpSegments`, and so on.
    fn lines(&self) -> Vec<String> {
        let line = |request: &Request| {
            format!("{} {}", request.method().as_str(), request.url().path().trim_start_matches("/rest"))
        };
        self.asked.iter().map(line).collect()
    }

    fn body(&self, n: usize) -> Value {
        serde_json::from_slice(self.asked[n].body()).unwrap()
    }
}

struct Bench<'a> {
    destination: &'a Audiences,
    action: &'a str,
    payloads: Vec<Value>,
    memory: BTreeMap<String, (String, Time)>,
    began: Time,
}

impl<'a> Bench<'a> {
    fn users(destination: &'a Audiences, payloads: impl Into<Vec<Value>>) -> Self {
        Bench { destination, action: USERS, payloads: payloads.into(), memory: BTreeMap::new(), began: NOW }
    }

    fn companies(destination: &'a Audiences, payloads: impl Into<Vec<Value>>) -> Self {
        Bench { action: COMPANIES, ..Bench::users(destination, payloads) }
    }

    fn knowing(mut self, key: &str, value: &str) -> Self {
        self.memory.insert(key.to_owned(), (value.to_owned(), Time::from_millis(u64::MAX)));
        self
    }

    fn play(&self, answers: &[Answer]) -> Played {
        let items: Vec<Item<'_>> = (1_u128..)
            .zip(&self.payloads)
            .map(|(n, payload)| Item {
                id: DeliveryId::from_u128(n),
                body: b"",
                action: self.action,
                payload,
                saved: &Value::Null,
            })
            .collect();
        let memory = Memory::new(&self.memory, self.began);
        let (mut asked, mut so_far, mut answers) = (Vec::new(), Vec::new(), answers.iter());
        loop {
            let conversation = Conversation { items: &items, so_far: &so_far, memory, began: self.began };
            let turn = self.destination.converse(&conversation);
            let memos = self.destination.remember(&conversation);
            match turn {
                Turn::Conclude(conclusions) => return Played { asked, conclusions: Some(conclusions), memos },
                Turn::Ask(request) => {
                    asked.push(request.clone());
                    match answers.next() {
                        None => return Played { asked, conclusions: None, memos },
                        Some(answer) => so_far.push(Exchange { request, answer: answer.clone() }),
                    }
                }
            }
        }
    }
}

fn answer(status: u16, headers: &[(&str, &str)], body: impl Said) -> Answer {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Answer { status, headers, body: body.bytes(), received: NOW }
}

/// The answer of a look-up that finds a user segment 4411 and a company segment 4412.
fn found() -> Answer {
    let elements = json!([{"id": 4412, "type": "COMPANY"}, {"id": 4411, "type": "USER"}, {"id": 1, "type": "USER"}]);
    answer(200, &[], json!({ "elements": elements }))
}

fn found_nothing() -> Answer {
    answer(200, &[], json!({"elements": []}))
}

fn made() -> Answer {
    answer(201, &[("x-restli-id", "7788")], "")
}

/// The answer of a stream with these statuses.
fn results(statuses: &[u16]) -> Answer {
    let elements: Vec<Value> = statuses.iter().map(|status| json!({"status": status})).collect();
    answer(200, &[], json!({ "elements": elements }))
}

fn accepted(status: u16) -> Verdict {
    Verdict::Accepted { receipt: Receipt { status } }
}

fn rejected(status: u16) -> Verdict {
    Verdict::Refused { why: Why::Rejected { status } }
}

fn failing(seconds: u64) -> Verdict {
    Verdict::Busy { after: Span::from_secs(seconds), load: Load::Failing }
}

fn throttled(seconds: u64) -> Verdict {
    Verdict::Busy { after: Span::from_secs(seconds), load: Load::Throttled }
}

fn not_yet(seconds: u64) -> Verdict {
    Verdict::NotYet { after: Span::from_secs(seconds) }
}

const INVALID: Verdict = Verdict::Refused { why: Why::Invalid };
