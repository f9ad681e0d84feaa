//! The recorded requests of the reference, played against `Conversions` with `compat` on.
//!
//! Requests are compared as recorded: method, address, body as JSON, and the headers that mean something. Recorded answers are
//! given back to the destination, and its verdicts compared with the recorded results. Four kinds of vectors go on where a
//! destination ends, and are followed that far: after a 401 the reference refreshes and sends again, which is the engine's;
//! here the request before and after is compared and the 401 must read as a refused token. A reset never reaches a destination:
//! only its request is compared.

use std::collections::BTreeMap;

use outlast::destination::linkedin::{self, Conversions, Mapping, SettingError};
use outlast::destination::{Conclusion, Conversation, Destination, Item, Turn};
use outlast::exchange::{Answer, Exchange, Request};
use outlast_state::{DeliveryId, Load, Receipt, Span, Time, Verdict, Why};
use serde_json::{Map, Value, json};

const VECTORS: &str = include_str!("../vectors/linkedin_requests.json");
const API: &str = "https://api.linkedin.com/rest/";
/// What the reference says of a batch member that does not match; a single one is skipped without a word there.
const NOT_SUBSCRIBED: &str = "Payload is either invalid or does not match the subscription";

/// The vectors of other parts, by id.
const EXCLUDED: [(&str, &[&str]); 5] = [
    (
        "the mapping-save hook, which makes conversion rules, is not part of this destination yet",
        &[
            "hook-create-one-campaign",
            "hook-create-two-campaigns",
            "hook-existing-rule",
            "hook-update",
            "hook-missing-fields",
            "hook-associate-fails",
        ],
    ),
    (
        "choices for a user interface are not part of this destination yet",
        &["dyn-ad-accounts", "dyn-campaigns", "dyn-rules", "dyn-rules-no-account"],
    ),
    (
        "the credential test is the program's, not a destination's",
        &["auth-test-conversions", "auth-test-audiences", "auth-test-audiences-viewer"],
    ),
    ("the refresh is the credential's, not a destination's", &["auth-refresh-conversions", "auth-refresh-audiences"]),
    (
        "LinkedIn Audiences is another destination, which does not exist yet",
        &[
            "aud-add",
            "aud-remove",
            "aud-create-segment",
            "aud-computation-key",
            "aud-explicit-add-mismatch",
            "aud-mismatch",
            "aud-both-flags-off",
            "aud-gaid-only",
            "aud-empty-userids",
            "aud-no-ids",
            "aud-email-not-normalised",
            "aud-profile-fields",
            "aud-users-401",
            "aud-users-404",
            "aud-users-429",
            "aud-users-201",
            "aud-element-failure-ignored",
            "aud-lookup-401",
            "aud-lookup-500",
            "aud-create-no-id-header",
            "aud-cached",
            "aud-lookup-malformed",
            "aud-missing-key",
            "aud-missing-setting",
            "aud-batch-mixed",
            "aud-batch-drops-idless",
            "aud-batch-first-decides",
            "aud-batch-500",
            "co-domain",
            "co-id",
            "co-both-normalised",
            "co-create",
            "co-create-no-id",
            "co-connections",
            "co-connections-no-name",
            "co-no-identifiers",
            "co-element-400",
            "co-element-429",
            "co-404",
            "co-batch-dedupe",
            "co-batch-partial",
            "co-batch-short-answer",
            "co-batch-401",
            "co-batch-409",
            "co-batch-validation",
        ],
    ),
];

#[test]
fn recorded_requests() {
    let vectors: Vec<Value> = serde_json::from_str(VECTORS).unwrap();
    let reasons: BTreeMap<&str, &str> =
        EXCLUDED.iter().flat_map(|(reason, ids)| ids.iter().map(move |id| (*id, *reason))).collect();
    let (mut passed, mut failed, mut excluded) = (0, Vec::new(), 0);
    for vector in &vectors {
        let id = text(&vector["id"]);
        if let Some(reason) = reasons.get(id) {
            println!("excluded {id}: {reason}");
            excluded += 1;
            continue;
        }
        match check(vector) {
            Ok(()) => passed += 1,
            Err(why) => failed.push(format!("{id}: {why}")),
        }
    }
    println!("vectors linkedin_requests.json: {passed} passed, {} failed, {excluded} excluded", failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert_eq!(excluded, reasons.len(), "an excluded vector is not in the file");
    assert_eq!(passed, 45, "every vector of the action streamConversion is played");
}

fn check(vector: &Value) -> Result<(), String> {
    let events: Vec<Value> =
        if vector["batch"] == true { list(&vector["events"]).clone() } else { vec![vector["event"].clone()] };
    match built(vector) {
        Ok(destination) => play(&destination, vector, &events),
        // Without a rule the reference fails each call; here the destination cannot be made.
        Err(error) => same("setting", error.problem(), text(&vector["error"]["message"])),
    }
}

fn built(vector: &Value) -> Result<Conversions, SettingError> {
    let rule = vector["mapping"].pointer("/onMappingSave/outputs/id").map(text).unwrap_or_default();
    // The canary flag selects a second version, which is the same one in the recording.
    let batch_size = if vector["batch"] == true { 5000 } else { 1 };
    let builder = linkedin::conversions().rule(rule).compat(true).batch_size(batch_size);
    builder.mapping(mapping(&vector["mapping"])).build()
}

/// The built-in mapping where the vector has no other, so that it is played too.
fn mapping(recorded: &Value) -> Mapping {
    let mut fields = recorded.as_object().unwrap().clone();
    for control in ["enable_batching", "batch_size", "onMappingSave"] {
        fields.remove(control);
    }
    let default = json!({
        "conversionHappenedAt": {"@path": "$.timestamp"},
        "conversionValue": {"currencyCode": {"@path": "$.properties.currency"}, "amount": {"@path": "$.properties.revenue"}},
        "eventId": {"@path": "$.messageId"},
        "email": {"@path": "$.traits.email"},
    });
    if Value::Object(fields.clone()) == default {
        return Mapping::default();
    }
    Mapping::new(move |event| resolve_members(&fields, event))
}

fn resolve_members(template: &Map<String, Value>, event: &Map<String, Value>) -> Map<String, Value> {
    template.iter().filter_map(|(key, value)| Some((key.clone(), resolve(value, event)?))).collect()
}

/// As much of the mapping language as these vectors use: paths of names, and literals.
fn resolve(template: &Value, event: &Map<String, Value>) -> Option<Value> {
    let Value::Object(members) = template else { return Some(template.clone()) };
    let Some(path) = members.get("@path") else { return Some(Value::Object(resolve_members(members, event))) };
    let mut names = text(path).strip_prefix("$.").expect("a path from the top").split('.');
    let first = event.get(names.next()?)?;
    names.try_fold(first, |value, name| value.get(name)).cloned()
}

fn play(destination: &Conversions, vector: &Value, events: &[Value]) -> Result<(), String> {
    let bodies: Vec<String> = events.iter().map(Value::to_string).collect();
    let items: Vec<_> = bodies.iter().zip(1..).map(|(body, n)| item(n, body)).collect();
    let began = Time::from_millis(vector["now_ms"].as_u64().unwrap());
    let first = Conversation::begin(&items, began);
    let to_api = |recorded: &&Value| text(&recorded["url"]).starts_with(API);
    let recorded: Vec<&Value> = list(&vector["requests"]).iter().filter(to_api).collect();
    let request = match destination.converse(&first) {
        Turn::Conclude(conclusions) if recorded.is_empty() => return judge(vector, None, &conclusions),
        Turn::Conclude(conclusions) => return Err(format!("nothing was asked: {conclusions:?}")),
        Turn::Ask(request) => request,
    };
    if recorded.is_empty() {
        return Err(format!("{request:?} was not to be sent"));
    }
    recorded.iter().try_for_each(|recorded| compare(&request, recorded))?;
    let all = list(&vector["requests"]).iter().zip(list(&vector["responses"]));
    let answers = all.filter(|(recorded, _)| to_api(recorded)).filter_map(|(_, answer)| replayed(answer, began));
    for answer in answers {
        let so_far = [Exchange { request: request.clone(), answer: answer.clone() }];
        match destination.converse(&Conversation { so_far: &so_far, ..first }) {
            Turn::Conclude(conclusions) => judge(vector, Some(&answer), &conclusions)?,
            Turn::Ask(request) => return Err(format!("{request:?} after an answer")),
        }
    }
    Ok(())
}

fn item(n: u128, body: &str) -> Item<'_> {
    Item::plain(DeliveryId::from_u128(n), body.as_bytes())
}

/// The recorded answer; nothing for a connection that broke.
fn replayed(recorded: &Value, received: Time) -> Option<Answer> {
    let status = u16::try_from(recorded["status"].as_u64()?).unwrap();
    let headers = recorded["headers"].as_object().unwrap().iter();
    let headers = headers.map(|(name, value)| (name.clone(), text(value).to_owned())).collect();
    let body = match &recorded["body"] {
        Value::String(text) => text.clone(),
        json => json.to_string(),
    };
    Some(Answer { status, headers, body: body.into_bytes(), received })
}

fn compare(request: &Request, recorded: &Value) -> Result<(), String> {
    same("method", request.method().as_str(), text(&recorded["method"]))?;
    same("address", request.url().as_str(), text(&recorded["url"]))?;
    let body: Value = serde_json::from_slice(request.body()).map_err(|error| error.to_string())?;
    same("body", &body, &recorded["body"])?;
    let authorized =
        recorded["headers"]["authorization"].as_str().is_some_and(|value| value.starts_with("Bearer access-token-"));
    same("authorization", &request.wants_bearer(), &authorized)?;
    for name in ["linkedin-version", "x-restli-protocol-version", "x-restli-method", "content-type"] {
        let ours = request.headers().iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
        same(name, &ours, &recorded["headers"][name].as_str())?;
    }
    Ok(())
}

/// Compares what the destination concluded with what the reference returned.
fn judge(vector: &Value, answer: Option<&Answer>, conclusions: &[Conclusion]) -> Result<(), String> {
    // What the reference does after a 401 is not what the engine does.
    if let Some(answer) = answer.filter(|answer| answer.status == 401) {
        return conclusions.iter().try_for_each(|it| same("401", &it.verdict, &expected(answer.status, answer)));
    }
    if let Some(statuses) = vector["result"].pointer("/0/multistatus") {
        same("results", &conclusions.len(), &list(statuses).len())?;
        return conclusions
            .iter()
            .zip(list(statuses))
            .try_for_each(|(ours, recorded)| judge_one(ours, recorded, answer));
    }
    let [conclusion] = conclusions else { return Err(format!("{} conclusions", conclusions.len())) };
    match (&vector["error"], answer) {
        (Value::Null, Some(answer)) => same("verdict", &conclusion.verdict, &expected(answer.status, answer)),
        (Value::Null, None) => {
            same("result", &vector["result"], &json!([{"output": "not subscribed"}]))?;
            refused(conclusion, NOT_SUBSCRIBED)
        }
        (error, Some(answer)) => {
            same("status", &u64::from(answer.status), &error["http_status"].as_u64().unwrap_or_default())?;
            same("verdict", &conclusion.verdict, &expected(answer.status, answer))
        }
        (error, None) => refused(conclusion, text(&error["message"])),
    }
}

fn judge_one(ours: &Conclusion, recorded: &Value, answer: Option<&Answer>) -> Result<(), String> {
    if recorded["errorreporter"] == "INTEGRATIONS" {
        return refused(ours, text(&recorded["errormessage"]));
    }
    let answer = answer.ok_or("a result of the destination without an answer")?;
    let status = u16::try_from(recorded["status"].as_u64().unwrap_or_default()).unwrap();
    same("element", &ours.verdict, &expected(status, answer))
}

fn refused(conclusion: &Conclusion, message: &str) -> Result<(), String> {
    same("verdict", &conclusion.verdict, &Verdict::Refused { why: Why::Invalid })?;
    same("message", conclusion.detail.as_str(), message)
}

/// What the statuses mean that the recording has.
fn expected(status: u16, answer: &Answer) -> Verdict {
    match status {
        200..=299 => Verdict::Accepted { receipt: Receipt { status } },
        401 => Verdict::TokenRefused,
        429 => {
            let seconds = answer.header("retry-after").map_or(0, |text| text.parse().unwrap());
            Verdict::Busy { after: Span::from_secs(seconds), load: Load::Throttled }
        }
        500 => Verdict::Busy { after: Span::ZERO, load: Load::Failing },
        _ => panic!("a status that the recording did not have: {status}"),
    }
}

fn same<T: PartialEq + std::fmt::Debug + ?Sized>(what: &str, ours: &T, recorded: &T) -> Result<(), String> {
    if ours == recorded { Ok(()) } else { Err(format!("{what}: ours {ours:?}, recorded {recorded:?}")) }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}
