//! The same over TCP: what only a socket can show.

use super::super::{ClockMode, Sandbox};
use super::*;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

async fn started(options: Options) -> Sandbox {
    let options = Options { clock: ClockMode::Manual { start_ms: START }, ..options };
    Sandbox::start(options, Arc::new(|| START)).await.expect("the sandbox starts")
}

fn request(method: &str, path: &str, body: &str) -> String {
    let headers = API.iter().fold(String::new(), |text, (name, value)| text + name + ": " + value + "\r\n");
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
}

/// Everything that comes back, and the error if the connection does not end well.
async fn exchange(address: SocketAddr, request: &str) -> (String, Option<ErrorKind>) {
    let mut stream = TcpStream::connect(address).await.expect("somebody listens");
    let mut answer = Vec::new();
    let sent = stream.write_all(request.as_bytes()).await;
    let ended = match sent {
        Ok(()) => stream.read_to_end(&mut answer).await.map(|_| ()),
        Err(error) => Err(error),
    };
    (String::from_utf8_lossy(&answer).into_owned(), ended.err().map(|error| error.kind()))
}

async fn control(sandbox: &Sandbox, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let (answer, _) = exchange(sandbox.control_addr(), &request(method, path, &body.to_string())).await;
    let status = answer[9..12].parse().expect("a status");
    let body = answer.split_once("\r\n\r\n").expect("a body").1;
    (status, serde_json::from_str(body).expect("JSON"))
}

async fn fault(sandbox: &Sandbox, action: Value) {
    let rules = json!({"rules": [{"action": action}]});
    assert_eq!(control(sandbox, "POST", "/__ctl/faults", &rules).await.0, 200);
}

#[tokio::test]
async fn a_conversion_goes_through_and_is_in_the_file_before_the_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("audit.jsonl");
    let sandbox = started(Options { audit_log: Some(log.clone()), ..options(&json!({})) }).await;
    let (answer, error) =
        exchange(sandbox.api_addr(), &request("POST", "/rest/conversionEvents", &event("m-1").to_string())).await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert!(answer.contains("x-li-fabric: n1\r\n") && answer.contains("content-length: 0\r\n"), "{answer}");
    assert_eq!(error, None);
    let line: Value = serde_json::from_str(&std::fs::read_to_string(&log).expect("a file")).expect("one line");
    assert_eq!(line["applied"][0]["value"]["eventId"], "m-1");
    assert_eq!(control(&sandbox, "GET", "/__ctl/summary", &json!({})).await.1["applied"], 1);
    assert!(!exchange(sandbox.api_addr(), &request("GET", "/__ctl/summary", "")).await.0.contains("applied"));
    sandbox.stop().await;
}

#[tokio::test]
async fn resets_cuts_and_malice_reach_the_client() {
    let sandbox = started(options(&json!({}))).await;
    let batch = json!({"elements": [event("m-1")]}).to_string();
    let post =
        request("POST", "/rest/conversionEvents", &batch).replacen("\r\n", "\r\nx-restli-method: BATCH_CREATE\r\n", 1);
    for (action, applied) in [("reset_before_read", 0), ("reset_after_apply", 1)] {
        fault(&sandbox, json!(action)).await;
        let (answer, error) = exchange(sandbox.api_addr(), &post).await;
        assert_eq!((answer.as_str(), error), ("", Some(ErrorKind::ConnectionReset)), "{action}");
        assert_eq!(sandbox.with_provider(|provider, _| provider.summary().applied), applied, "{action}");
    }
    fault(&sandbox, json!("reset_mid_body")).await;
    let (answer, _) = exchange(sandbox.api_addr(), &post).await;
    let (head, body) = answer.split_once("\r\n\r\n").expect("headers arrive");
    assert!(head.contains("content-length: 29"), "{head}");
    assert_eq!(body.len(), 14, "{body}");
    sandbox.stop().await;
}

#[tokio::test]
async fn a_delay_lasts_until_the_clock_has_moved() {
    let sandbox = started(options(&json!({}))).await;
    fault(&sandbox, json!({"delay": {"before_ms": 1000, "between_ms": 500, "pieces": 2}})).await;
    let api = sandbox.api_addr();
    let get = request("GET", "/rest/me", "");
    let answer = exchange(api, &get);
    tokio::pin!(answer);
    let begun = async {
        while sandbox.with_provider(|provider, _| provider.summary().in_flight) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! { biased; _ = &mut answer => panic!("too early"), () = begun => {} }
    let (status, clock) = control(&sandbox, "POST", "/__ctl/clock", &json!({"advance": 999})).await;
    assert_eq!((status, &clock["since_start_ms"], &clock["mode"]), (200, &json!(999), &json!("manual")));
    let moving = async {
        loop {
            control(&sandbox, "POST", "/__ctl/clock", &json!({"advance": 1})).await;
        }
    };
    let answered = tokio::select! { answered = &mut answer => answered, () = moving => unreachable!("it never ends") };
    assert!(answered.0.starts_with("HTTP/1.1 200 ") && answered.0.ends_with('}'), "{}", answered.0);
    let now = control(&sandbox, "GET", "/__ctl/clock", &json!({})).await.1["since_start_ms"].as_u64().expect("a time");
    assert!(now >= 2000, "before the headers 1000, before each of two pieces 500: {now}");
    sandbox.stop().await;
}

#[tokio::test]
async fn nobody_listens_during_a_refused_period_and_somebody_does_after_it() {
    let sandbox = started(options(&json!({}))).await;
    let rules = json!({"rules": [{"when": {"from_ms": 100, "until_ms": 200}, "action": "refuse"}]});
    control(&sandbox, "POST", "/__ctl/faults", &rules).await;
    let get = request("GET", "/rest/me", "");
    assert!(exchange(sandbox.api_addr(), &get).await.0.starts_with("HTTP/1.1 200 "));
    control(&sandbox, "POST", "/__ctl/clock", &json!({"set": START + 100})).await;
    while TcpStream::connect(sandbox.api_addr()).await.is_ok() {
        tokio::task::yield_now().await;
    }
    control(&sandbox, "POST", "/__ctl/clock", &json!({"set": START + 200})).await;
    while TcpStream::connect(sandbox.api_addr()).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert!(exchange(sandbox.api_addr(), &get).await.0.starts_with("HTTP/1.1 200 "));
    sandbox.stop().await;
}

#[tokio::test]
async fn a_hanging_request_is_in_flight_until_the_client_is_gone() {
    let sandbox = started(options(&json!({}))).await;
    fault(&sandbox, json!("hang")).await;
    let mut stream = TcpStream::connect(sandbox.api_addr()).await.expect("somebody listens");
    stream.write_all(request("GET", "/rest/me", "").as_bytes()).await.expect("sent");
    let in_flight = |sandbox: &Sandbox| sandbox.with_provider(|provider, _| provider.summary().in_flight);
    while in_flight(&sandbox) != 1 {
        tokio::task::yield_now().await;
    }
    drop(stream);
    while in_flight(&sandbox) != 0 {
        tokio::task::yield_now().await;
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn the_control_interface_steers_tokens_and_switches() {
    let sandbox = started(options(&json!({}))).await;
    let (status, revoked) = control(&sandbox, "POST", "/__ctl/token", &json!({"action": "revoke"})).await;
    assert_eq!((status, revoked), (200, json!({"action": "revoke", "access": 1})));
    let grant = json!({"access_token": "mine", "scope": "r_basicprofile"});
    let (_, issued) = control(&sandbox, "POST", "/__ctl/token", &json!({"action": "issue", "grant": grant})).await;
    assert_eq!((&issued["access_token"], &issued["access"]), (&json!("mine"), &json!(2)));
    let consent = json!({"client_id": "client-id-1", "redirect_uri": "https://a.example"});
    let (_, code) = control(&sandbox, "POST", "/__ctl/token", &json!({"action": "code", "consent": consent})).await;
    assert!(code["code"].as_str().is_some_and(|code| code.starts_with("AQC")));
    let (_, listed) = control(&sandbox, "POST", "/__ctl/token", &json!({"action": "list"})).await;
    assert_eq!(
        (&listed["access"][0]["revoked_ms"], listed["grants"].as_array().map(Vec::len)),
        (&json!(START), Some(2))
    );
    let (_, config) = control(&sandbox, "POST", "/__ctl/config", &json!({"supersede": {"revoke_old_after": 5}})).await;
    assert_eq!(config["supersede"], json!({"revoke_old_after": 5}));
    let (log, _) = exchange(sandbox.control_addr(), &request("GET", "/__ctl/log?from=2&limit=2", "")).await;
    assert!(log.contains("/__ctl/token") && !log.contains("mine"), "{log}");
    assert_eq!(log.matches("\"seq\":").count(), 2);
    assert_eq!(control(&sandbox, "POST", "/__ctl/reset", &json!({})).await.0, 200);
    assert!(exchange(sandbox.api_addr(), &request("GET", "/rest/me", "")).await.0.starts_with("HTTP/1.1 200 "));
    sandbox.stop().await;
}

#[tokio::test]
async fn what_the_control_interface_cannot_use_is_named() {
    let sandbox = started(options(&json!({}))).await;
    for (path, body, field) in [
        ("config", json!({"nods": 1}), "nods"),
        ("config", json!({"api_latency_ms": {"min_ms": "x", "max_ms": 1}}), "api_latency_ms.min_ms"),
        ("faults", json!({"rules": [{"action": "explode"}]}), "rules[0].action"),
        ("faults", json!({"rules": [{"when": {"nth": 0}, "action": "hang"}]}), "faults[0].when.nth"),
        ("token", json!({"action": "revoke", "access": 9}), "access"),
        ("token", json!({"action": "issue", "grant": {"age_s": -1}}), "grant.age_s"),
        ("token", json!({"action": "issue", "grant": {"client_secret": "other"}}), "grant.client_secret"),
        ("clock", json!({"set": "noon"}), "set"),
        ("token", json!([]), "body"),
    ] {
        let (status, told) = control(&sandbox, "POST", &format!("/__ctl/{path}"), &body).await;
        assert_eq!((status, &told["field"]), (400, &json!(field)), "{path} {body}: {told}");
    }
    assert_eq!(control(&sandbox, "GET", "/__ctl/log?from=x", &json!({})).await.1["field"], "from");
    assert_eq!(control(&sandbox, "GET", "/__ctl/nothing", &json!({})).await.0, 404);
    sandbox.stop().await;
}

#[tokio::test]
async fn what_keeps_it_from_starting_is_named() {
    let sandbox = started(options(&json!({}))).await;
    let start = async |options| match Sandbox::start(options, Arc::new(|| START)).await {
        Ok(_) => panic!("it must not start"),
        Err(error) => error.to_string(),
    };
    let taken = start(Options { api_listen: sandbox.api_addr(), ..options(&json!({})) }).await;
    assert!(taken.contains("api_listen") && taken.contains("port 0"), "{taken}");
    let log = start(Options { audit_log: Some("/nowhere/at/all".into()), ..options(&json!({})) }).await;
    assert!(log.contains("audit_log") && log.contains("/nowhere/at/all"), "{log}");
    let mut twice = options(&json!({}));
    twice.grants.extend(options(&json!({})).grants);
    assert!(start(twice).await.contains("grants[1].access_token"));
    sandbox.stop().await;
}

#[tokio::test]
async fn audiences_and_keys_in_paths_go_through_and_the_control_interface_shows_them() {
    let sandbox = started(options(&json!({}))).await;
    let ask = async |method: &str, path: &str, body: &Value| {
        let batch = "host: x\r\nx-restli-method: BATCH_CREATE\r\n";
        let mut request = request(method, path, &body.to_string());
        if path.ends_with("/users") {
            request = request.replacen("host: x\r\n", batch, 1);
        }
        exchange(sandbox.api_addr(), &request).await.0
    };
    let switches = json!({"segment_ready_delay_ms": 5000, "ad_accounts": [{"id": 501, "campaigns": [{"id": 71}]}]});
    assert_eq!(control(&sandbox, "POST", "/__ctl/config", &switches).await.0, 200);
    let segment = json!({
        "name": "n", "sourcePlatform": "SEGMENT", "sourceSegmentId": "k", "account": ACCOUNT, "type": "USER",
        "destinations": [{"destination": "LINKEDIN"}],
    });
    let made = ask("POST", "/rest/dmpSegments", &segment).await;
    assert!(made.starts_with("HTTP/1.1 201 ") && made.contains("x-restli-id: 70001\r\n"), "{made}");
    let users = json!({"elements": [{"action": "ADD", "userIds": [{"idType": "GOOGLE_AID", "idValue": "a"}]}]});
    assert!(ask("POST", "/rest/dmpSegments/70001/users", &users).await.starts_with("HTTP/1.1 404 "));
    assert_eq!(control(&sandbox, "POST", "/__ctl/clock", &json!({"advance": 5000})).await.0, 200);
    assert!(ask("POST", "/rest/dmpSegments/70001/users", &users).await.starts_with("HTTP/1.1 200 "));
    let key = "(campaign:urn%3Ali%3AsponsoredCampaign%3A71,conversion:urn%3Alla%3AllaPartnerConversion%3A321)";
    let pair = json!({"campaign": "urn:li:sponsoredCampaign:71", "conversion": "urn:lla:llaPartnerConversion:321"});
    let one = ask("PUT", &format!("/rest/campaignConversions/{key}"), &pair).await;
    assert!(one.starts_with("HTTP/1.1 204 "), "{one}");
    let many = json!({"entities": {key: pair}});
    let many = ask("PUT", &format!("/rest/campaignConversions?ids=List({key})"), &many).await;
    assert!(many.starts_with("HTTP/1.1 200 ") && many.contains(r#""errors":{}"#), "{many}");
    let user = format!("/rest/adAccountUsers/account={ACCOUNT}&user=urn:li:person:member-1");
    let role = ask("GET", &user, &json!({})).await;
    assert!(role.contains(r#""role":"CAMPAIGN_MANAGER""#), "{role}");
    let state = control(&sandbox, "GET", "/__ctl/state", &json!({})).await.1;
    assert_eq!(state["segments"][0]["members"], json!({"GOOGLE_AID:a": {"userIds": users["elements"][0]["userIds"]}}));
    assert_eq!(state["campaign_conversions"], json!([pair]));
    assert_eq!(state["conversions"], json!({"keyed": [], "unkeyed": []}));
    assert_eq!(control(&sandbox, "POST", "/__ctl/reset", &json!({})).await.0, 200);
    assert_eq!(control(&sandbox, "GET", "/__ctl/state", &json!({})).await.1["segments"], json!([]));
    sandbox.stop().await;
}
