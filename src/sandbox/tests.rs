//! The provider in process, and a few talks over real sockets.

mod ad_accounts;
mod campaign_conversions;
mod consents;
mod contacts;
mod conversion_rules;
mod conversions;
mod dmp_members;
mod dmp_segments;
mod fault_rules;
mod sockets;
mod token_endpoint;
mod token_states;

use super::{GrantSeed, Head, Incoming, Options, Provider, Reply, Switches, Ticket};
use serde_json::{Value, json};

/// 2026-03-15T12:00:00Z.
const START: u64 = 1_773_576_000_000;
const DAY: u64 = 86_400_000;
const CONVERSION: &str = "urn:lla:llaPartnerConversion:789123";
const ACCOUNT: &str = "urn:li:sponsoredAccount:501";
const HASH: &str = "e1a3741ca332e55d1911ea2f85931387b67f22c76f5a6c859c431a4f269089b1";

/// A provider and its time.
struct World {
    provider: Provider,
    now: u64,
}

/// The options of most tests: one grant with known tokens, and these switches.
fn options(switches: &Value) -> Options {
    let seed = GrantSeed {
        access_token: Some("access-1".into()),
        refresh_token: Some("refresh-1".into()),
        ..GrantSeed::default()
    };
    let switches = Switches::default().changed(switches).expect("the test's switches fit");
    Options { seed: 7, grants: vec![seed], switches, ..Options::default() }
}

impl World {
    fn new(switches: &Value) -> Self {
        Self { provider: Provider::new(options(switches), START).expect("the test's options fit"), now: START }
    }

    fn with_rules(rules: Value) -> Self {
        let mut world = Self::new(&json!({}));
        let rules: Vec<super::Rule> = serde_json::from_value(rules).expect("the test's rules fit");
        world.provider.set_faults(&rules).expect("the test's rules fit");
        world
    }

    fn open(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query.to_owned())));
        let head = Head { method: method.to_owned(), path: path.to_owned(), query, headers, tcp: 1 };
        self.provider.respond(&Incoming { head, body: body.as_bytes().to_vec().into() }, self.now)
    }

    /// A request whose answer goes out at once.
    fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let reply = self.open(method, path, headers, body);
        self.provider.close(reply.ticket);
        reply
    }

    fn me(&mut self, token: &str, node: &str) -> Reply {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("linkedin-version", "202603"), ("x-sandbox-node", node)];
        self.send("GET", "/rest/me", &headers, "")
    }

    fn convert(&mut self, event: &Value) -> Reply {
        self.send("POST", "/rest/conversionEvents", &API, &event.to_string())
    }

    fn convert_many(&mut self, events: &[Value]) -> Reply {
        let headers = [API.as_slice(), &[("x-restli-method", "BATCH_CREATE")]].concat();
        self.send("POST", "/rest/conversionEvents", &headers, &json!({"elements": events}).to_string())
    }

    fn get(&mut self, path: &str) -> Reply {
        self.send("GET", path, &API, "")
    }

    fn post(&mut self, path: &str, method: Option<&str>, body: &Value) -> Reply {
        let method = method.map(|method| ("x-restli-method", method));
        let headers: Vec<(&str, &str)> = API.into_iter().chain(method).collect();
        self.send("POST", path, &headers, &body.to_string())
    }

    fn put(&mut self, path: &str, body: &Value) -> Reply {
        self.send("PUT", path, &API, &body.to_string())
    }

    fn token_call(&mut self, path: &str, form: &[(&str, &str)]) -> Reply {
        let reply = self.open_token_call(path, form);
        self.provider.close(reply.ticket);
        reply
    }

    fn open_token_call(&mut self, path: &str, form: &[(&str, &str)]) -> Reply {
        let form = [CLIENT.as_slice(), form].concat();
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        self.open("POST", &format!("/oauth/v2/{path}"), &kind, &body)
    }

    fn refresh(&mut self, token: &str) -> Reply {
        self.token_call("accessToken", &[("grant_type", "refresh_token"), ("refresh_token", token)])
    }

    /// A refresh that must succeed; the new access token.
    fn renewed(&mut self) -> String {
        text(&self.refresh("refresh-1"), "access_token")
    }
}

fn event(id: &str) -> Value {
    json!({
        "conversion": CONVERSION,
        "conversionHappenedAt": START - DAY,
        "conversionValue": {"currencyCode": "USD", "amount": "120.50"},
        "eventId": id,
        "user": {"userIds": [{"idType": "SHA256_EMAIL", "idValue": HASH}]},
    })
}

fn body(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).expect("the answer is JSON")
}

fn text(reply: &Reply, member: &str) -> String {
    let body = body(reply);
    body[member].as_str().unwrap_or_else(|| panic!("no text `{member}` in {body}")).to_owned()
}

fn line(reply: &Reply) -> Value {
    serde_json::from_str(&reply.line).expect("a line is JSON")
}

/// The statuses of a batch's elements.
fn statuses(reply: &Reply) -> Vec<u64> {
    let body = body(reply);
    let elements = body["elements"].as_array().unwrap_or_else(|| panic!("no elements in {body}"));
    elements.iter().map(|element| element["status"].as_u64().expect("a status")).collect()
}

/// The members `member` of a list's elements.
fn listed(reply: &Reply, member: &str) -> Vec<Value> {
    let body = body(reply);
    let elements = body["elements"].as_array().unwrap_or_else(|| panic!("no elements in {body}"));
    elements.iter().map(|element| element[member].clone()).collect()
}

/// The keys of a line's `applied`, `duplicate` or `conflict`.
fn keys(reply: &Reply, list: &str) -> Vec<String> {
    let line = line(reply);
    let entries = line[list].as_array().expect("a list");
    entries.iter().map(|entry| entry["key"].as_str().expect("a key").to_owned()).collect()
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn close_all(world: &mut World, tickets: impl IntoIterator<Item = Ticket>) {
    tickets.into_iter().for_each(|ticket| world.provider.close(ticket));
}

const API: [(&str, &str); 4] = [
    ("authorization", "Bearer access-1"),
    ("linkedin-version", "202603"),
    ("x-restli-protocol-version", "2.0.0"),
    ("content-type", "application/json"),
];
const CLIENT: [(&str, &str); 2] = [("client_id", "client-id-1"), ("client_secret", "client-secret-1")];
