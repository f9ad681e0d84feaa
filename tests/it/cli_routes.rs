//! The program with routes, as its users run it: what it says of events and configurations, and what it asks of a provider
//! beside delivering.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use serde_json::{Value, json};

use crate::cli::{Place, Sandbox, event, events};

const ROUTES: &str = r#"
[destination.api]
kind = "http"
url = "https://api.example.com/v1/people/{{userId}}"
secret_headers = [{ name = "x-api-key", value = "${API_KEY}" }]

[[route]]
to = "conversions"
name = "purchases"
when = 'event = "Order Completed" and properties.revenue > 10'

[[route]]
to = "api"
name = "people"
when = 'type = "identify"'
mapping.userId = { "@path" = "$.userId" }
mapping.name = { "@liquid" = "{{ name | upcase }}" }

[[route]]
to = "api"
name = "off"
enabled = false
"#;

/// As `outlast init` leaves it, with this added.
fn place(more: &str) -> Place {
    let place = Place::new();
    place.edit(|text| text + more);
    place
}

fn run(place: &Place, arguments: &[&str], input: &str) -> (i32, String, String) {
    place.write("input", input);
    let output = place.command(arguments).env("API_KEY", "canary-header-secret").output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// What `try` says of each line, by route.
fn fates(place: &Place, input: &str) -> (i32, Vec<Value>) {
    let (code, out, err) = run(place, &["try", "input", "--json"], input);
    assert!(!out.contains("canary") && !err.contains("canary"), "{out} {err}");
    (code, serde_json::Deserializer::from_str(&out).into_iter().map(Result::unwrap).collect())
}

fn of<'a>(tried: &'a Value, route: &str) -> &'a Value {
    let routes = tried["routes"].as_array().unwrap();
    routes.iter().find(|one| one["route"] == route).unwrap_or_else(|| panic!("no route {route} in {tried}"))
}

#[test]
fn five_events_are_tried_and_nothing_is_stored() {
    let place = place(ROUTES);
    let cheap = event(2).replace("12.5", "9.5");
    let input = [
        event(1),
        cheap,
        json!({ "type": "identify", "userId": "u 1", "name": "ada" }).to_string(),
        json!({ "type": "track", "event": "Order Completed", "properties": { "revenue": 11 } }).to_string(),
        "[1]".to_owned(),
    ]
    .join("\n");
    let (code, tried) = fates(&place, &input);
    assert_eq!((code, tried.len()), (1, 5), "something would fail");

    let matched = of(&tried[0], "purchases");
    assert_eq!((&matched["fate"], &matched["destination"]), (&json!("sent"), &json!("conversions")));
    assert_eq!(matched["request"]["method"], "POST");
    let headers = matched["request"]["headers"].to_string();
    assert!(headers.contains("Bearer ••••"), "{headers}");
    assert_eq!(matched["payload"]["eventId"], "m-1", "{matched}");
    assert_eq!(of(&tried[0], "off")["fate"], "disabled");

    let not = of(&tried[1], "purchases");
    assert_eq!(not["fate"], "not_subscribed");
    let because = not["because"].as_str().unwrap();
    assert!(because.contains("properties.revenue > 10") && because.contains("9.5"), "{because}");

    let mapped = of(&tried[2], "people");
    assert_eq!((&mapped["fate"], &mapped["payload"]["name"]), (&json!("sent"), &json!("ADA")), "{mapped}");
    assert_eq!(mapped["request"]["url"], "https://api.example.com/v1/people/u%201");
    assert!(mapped["request"]["headers"].to_string().contains("[secret]"), "{mapped}");

    let failed = of(&tried[3], "purchases");
    assert_eq!(failed["fate"], "refused", "{failed}");
    assert!(!failed["code"].as_str().unwrap().is_empty() && failed["detail"].as_str().unwrap().len() > 20, "{failed}");

    assert_eq!(tried[4]["refused"]["code"], "EVENT_NOT_AN_OBJECT");
    let (_, tried) = fates(&place, &json!({ "type": "identify" }).to_string());
    let nobody = of(&tried[0], "people");
    assert!(nobody["detail"].as_str().unwrap().starts_with("`url {{userId}}`: "), "the hole is named: {nobody}");
    assert!(!place.path().join("outlast-data").exists(), "trying opens no store");
}

#[test]
fn what_is_tried_is_told_in_words() {
    let place = place(ROUTES);
    let (code, out, _) = run(&place, &["try", "input"], &event(1));
    assert_eq!(code, 0, "{out}");
    for part in [
        "event 1",
        "purchases -> conversions (streamConversion)",
        "    matched\n",
        "    fields   {",
        "    request  POST ",
        "switched off",
    ] {
        assert!(out.contains(part), "{part:?} is not in:\n{out}");
    }
    let (code, out, _) = run(&place, &["try", "input", "--route", "people"], &event(1));
    assert_eq!(code, 0);
    assert!(out.contains("people -> api (send)") && !out.contains("purchases"), "{out}");
    assert!(out.contains("identify"), "the term that failed is named: {out}");
    let (code, out, _) = run(&place, &["try", "--event", "input"], "{\"a\":\n");
    assert_eq!(code, 1);
    assert!(out.contains("refused at the door, nothing would be stored (EVENT_NOT_JSON)"), "{out}");
    let (code, out, _) = run(&place, &["try", "input", "--route", "nowhere"], &event(1));
    assert!(code == 0 && out.contains("there is no such route"), "{out}");
}

#[test]
fn events_are_sent_by_routes_and_those_that_none_takes_are_counted() {
    let sandbox = Sandbox::start();
    let place = Place::at(&sandbox, "");
    let routes = "\n[[route]]\nto = \"conversions\"\nname = \"purchases\"\nwhen = 'event = \"Order Completed\"'\n\
                  [[route]]\nto = \"conversions\"\nname = \"large\"\nwhen = 'properties.revenue > 12'\n";
    place.edit(|text| text + routes);
    place.authorise();
    let input = format!("{}{}\n[]\n", events(3), json!({ "type": "page" }));
    let ran = place.run_with(&["send", "-", "--wait", "--json"], &input);
    let tally: Value = serde_json::from_str(&ran.out()).unwrap_or_else(|why| panic!("{why}: {}", ran.err()));
    assert_eq!((&tally["accepted"], &tally["repeated"]), (&json!(6), &json!(0)), "{tally}");
    assert_eq!(
        (&tally["unrouted"], &tally["refused"], &tally["delivered"]),
        (&json!(1), &json!(1), &json!(6)),
        "{tally}"
    );
    let shown = place.json(&["show", tally["ids"][1].as_str().unwrap()]);
    assert!(["purchases", "large"].contains(&shown["route"].as_str().unwrap()), "{shown}");
    let again = place.run_with(&["send", "-"], &format!("{}{}\n", events(1), json!({ "type": "page" })));
    assert!(again.out().contains("1 events were taken by no route; `outlast try` says why"), "{}", again.out());
    let to = place.run_with(&["send", "-", "--to", "conversions"], &events(1));
    assert!(to.out().starts_with("accepted 1, "), "beside the routes it is another delivery: {}", to.out());
}

#[test]
fn a_failed_delivery_shows_its_code() {
    let sandbox = Sandbox::start();
    let place = Place::at(&sandbox, "");
    place.edit(|text| text + "\n[[route]]\nto = \"conversions\"\nname = \"all\"\nwhen = 'type = \"track\"'\n");
    place.authorise();
    let bad = json!({ "type": "track", "messageId": "bad", "traits": { "email": "a@example.org" } }).to_string();
    let ran = place.run_with(&["send", "-", "--wait", "--json"], &bad);
    let tally: Value = serde_json::from_str(&ran.out()).unwrap();
    let shown = place.json(&["show", tally["ids"][0].as_str().unwrap()]);
    assert_eq!((&shown["state"], &shown["route"]), (&json!("Failed"), &json!("all")));
    assert_eq!(shown["code"], "PAYLOAD_VALIDATION_FAILED", "{shown}");
    let text = place.run(&["show", tally["ids"][0].as_str().unwrap()]).out();
    assert!(text.contains("PAYLOAD_VALIDATION_FAILED") && text.contains("conversionHappenedAt"), "{text}");
}

#[test]
fn what_cannot_be_taken_is_told_with_line_and_code_and_tried_alike() {
    let place = place("\n[[route]]\nto = \"conversions\"\nname = \"all\"\n");
    place.edit(|text| text.replace("# body_bytes = 65536", "body_bytes = 1000"));
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let large = event(1).replace("EUR", &"x".repeat(1000));
    let long = json!({ "type": "track", "messageId": "k".repeat(300) }).to_string();
    let lines: [(&[u8], &str); 7] = [
        (b"[1]", "EVENT_NOT_AN_OBJECT"),
        (b"{\"a\": nope}", "EVENT_NOT_JSON"),
        (b"{\"a\": \"\xff\"}", "EVENT_NOT_UTF8"),
        (deep.as_bytes(), "EVENT_TOO_DEEP"),
        (large.as_bytes(), "EVENT_TOO_LARGE"),
        (long.as_bytes(), "PARCEL_INVALID"),
        (b"null", "EVENT_NOT_AN_OBJECT"),
    ];
    let text: Vec<u8> = lines.iter().flat_map(|(line, _)| [line, &b"\n"[..]].concat()).collect();
    std::fs::write(place.path().join("lines"), &text).unwrap();
    for to in [&[][..], &["--to", "conversions"]] {
        let sent = place.run(&[&["send", "lines", "--json"], to].concat());
        let tally: Value = serde_json::from_str(&sent.out()).unwrap_or_else(|why| panic!("{why}: {}", sent.err()));
        assert_eq!((sent.code(), &tally["refused"], &tally["accepted"]), (1, &json!(7), &json!(0)), "{}", sent.err());
        for (number, (_, code)) in (1..).zip(lines) {
            let told = sent.err();
            let told = told.lines().find(|told| told.starts_with(&format!("error: lines:{number}:")));
            assert!(told.is_some_and(|told| told.ends_with(&format!("({code})"))), "{number}: {code}: {}", sent.err());
        }
    }
    assert_eq!(place.json(&["list"]), json!([]), "nothing is stored");
    let tried = place.run(&["try", "lines", "--json"]);
    let read = serde_json::Deserializer::from_str(&tried.out()).into_iter().map(Result::unwrap).collect::<Vec<Value>>();
    let codes: Vec<&str> = read.iter().map(|one| one["refused"]["code"].as_str().unwrap_or("taken")).collect();
    assert_eq!(codes, lines.map(|(_, code)| code));
}

#[test]
fn what_is_hardly_meant_is_a_warning_and_strict_makes_it_an_error_with_a_caret() {
    let lax = "\n[[route]]\nto = \"conversions\"\nname = \"lax\"\nwhen = 'type = \"track\" garbage'\n";
    let strict = lax.replace("name", "strict = true\nname");
    let place = place(lax);
    let verdict = place.json(&["check"]);
    assert_eq!(verdict["ok"], true);
    let warnings = verdict["warnings"].to_string();
    assert!(warnings.contains("route lax to conversions (") && warnings.contains('^'), "{warnings}");
    let ran = place.run(&["check"]);
    assert!(ran.code() == 0 && ran.out().contains("warning: route lax"), "{}", ran.out());
    place.edit(|text| text.replace(lax, &strict));
    let ran = place.run(&["check"]);
    assert_eq!(ran.code(), 2);
    assert!(ran.err().contains("route[1].when: ") && ran.err().contains('^'), "{}", ran.err());
    let verdict = place.run(&["check", "--json"]);
    let verdict: Value = serde_json::from_str(&verdict.out()).unwrap();
    assert_eq!(verdict["ok"], false);
}

#[test]
fn a_live_check_asks_the_provider_what_the_credential_may_do() {
    for (role, good) in [("CAMPAIGN_MANAGER", true), ("VIEWER", false)] {
        let sandbox = Sandbox::with(&json!({ "ad_accounts": [{ "id": 501, "name": "North", "role": role }] }));
        let place = Place::at(&sandbox, "");
        let api = &sandbox.api;
        let audiences = format!(
            "\n[destination.audiences]\nkind = \"linkedin-audiences\"\ncredential = \"acme\"\nad_account_id = \"501\"\napi_base = \"{api}/rest\"\n"
        );
        place.edit(|text| text + &audiences);
        let before = place.run(&["check", "--live"]);
        assert_eq!(before.code(), 1, "nobody authorised it: {}{}", before.out(), before.err());
        place.authorise();
        let ran = place.run(&["check", "--live"]);
        assert_eq!(ran.code(), i32::from(!good), "{} {}", ran.out(), ran.err());
        let word = if good { "audiences: its credential is good" } else { "audiences: its credential is not good: " };
        assert!(ran.out().contains(word), "{}", ran.out());
        let verdict: Value = serde_json::from_str(&place.run(&["check", "--live", "--json"]).out()).unwrap();
        assert_eq!(verdict["ok"], good, "{verdict}");
        assert_eq!(verdict["live"][0]["destination"], "audiences", "{verdict}");
    }
}

#[test]
fn rules_are_made_changed_and_associated_and_choices_listed() {
    let sandbox = Sandbox::start();
    let place = Place::at(&sandbox, "");
    place.authorise();
    let account = ["--account", "501"];
    let rule = |task: &str, more: &[&str]| {
        let ran = place.run(&[&["linkedin", "rule", task], &account[..], more, &["--json"]].concat());
        let said: Value = serde_json::from_str(&ran.out()).unwrap_or_else(|why| panic!("{why}: {}", ran.err()));
        (ran.code(), said)
    };
    let described = ["--name", "Purchases", "--type", "PURCHASE", "--attribution", "LAST_TOUCH_BY_CAMPAIGN"];
    let (code, made) = rule("create", &[&described[..], &["--campaign", "71"]].concat());
    assert_eq!(code, 0, "{made}");
    let id = made["savedData"]["id"].to_string().replace('"', "");
    assert!(id.parse::<u64>().is_ok(), "{made}");
    let (code, changed) = rule("update", &["--rule", &id, "--name", "Orders"]);
    assert_eq!(code, 0, "{changed}");
    let (code, associated) = rule("associate", &["--rule", &id, "--campaign", "72"]);
    assert_eq!(code, 0, "{associated}");
    let (code, existing) = rule("create", &["--existing", &id]);
    assert_eq!(code, 0, "{existing}");

    let listed = place.run(&["choices", "conversionRuleId", "--account", "501"]);
    assert!(listed.code() == 0, "{}", listed.err());
    let accounts = place.json(&["choices", "adAccountId"]);
    assert_eq!(accounts["choices"].as_array().unwrap().len(), 2, "{accounts}");
    let campaigns = place.run(&["choices", "campaignId", "--account", "501"]).out();
    assert!(campaigns.contains("71") && campaigns.contains("Spring"), "{campaigns}");

    let (code, wrong) = rule("create", &["--name", "No type"]);
    assert_eq!(code, 1, "{wrong}");
    assert!(!wrong["code"].as_str().unwrap().is_empty() && !wrong["message"].as_str().unwrap().is_empty(), "{wrong}");
    let (code, wrong) = rule("update", &["--rule", "999999", "--name", "Nobody's"]);
    assert_eq!(code, 1, "{wrong}");
    let wrong = place.run(&["choices", "campaignId"]);
    assert!(wrong.code() == 1 && wrong.err().contains("FIELD_NOT_SELECTED"), "{}", wrong.err());
    let wrong = place.run(&["choices", "shoeSize"]);
    assert_eq!(wrong.code(), 1, "{}", wrong.out());
    assert!(wrong.err().contains("shoeSize") || wrong.err().contains("NO_SUCH"), "{}", wrong.err());
    let nowhere = place.run(&["choices", "adAccountId", "--to", "nowhere"]);
    assert_eq!(nowhere.code(), 2, "{}", nowhere.err());
}

/// What is replaced in [`ROUTES`] by what, and what is then told.
const FAULTS: &[(&str, &str, &str)] = &[
    ("url =", "ulr =", "destination.api.ulr: unknown key; did you mean url?"),
    ("kind = \"http\"", "kind = \"htpt\"", "`htpt` is not known; did you mean http?"),
    ("to = \"conversions\"", "to = \"conversion\"", "there is no [destination.conversion]; did you mean conversions?"),
    (
        "name = \"purchases\"",
        "action = \"streamConversions\"",
        "has no action streamConversions; did you mean streamConversion?",
    ),
    ("enabled = false", "enabeld = false", "unknown key; did you mean enabled?"),
    ("name = \"off\"", "name = \"people\"", "there is a route people to api already"),
    ("when = 'event = \"Order Completed\" and", "mapping.emial = \"x\"\nwhen = '", "`emial` is no field of the action"),
    ("\"@liquid\"", "\"@frob\"", "@frob"),
    ("url = \"https://", "url = \"http://", "http"),
    ("name = \"x-api-key\", value", "nmae = \"x-api-key\", value", "secret_headers"),
    ("secret_headers = [{ name = \"x-api-key\", value = \"${API_KEY}\" }]", "method = \"${API_KEY}\"", "method"),
    ("secret_headers = [{ name = \"x-api-key\", value = \"${API_KEY}\" }]", "batch = \"${API_KEY}\"", "batch"),
    (
        "secret_headers = [{ name = \"x-api-key\", value = \"${API_KEY}\" }]",
        "headers = { authorization = \"${API_KEY}\" }",
        "headers",
    ),
    (
        "secret_headers = [{ name = \"x-api-key\", value = \"${API_KEY}\" }]",
        "answers = [{ means = \"${API_KEY}\" }]",
        "answers",
    ),
    (
        "secret_headers = [{ name = \"x-api-key\", value = \"${API_KEY}\" }]",
        "answers = [{ status = \"${API_KEY}\", means = \"busy\" }]",
        "answers",
    ),
    ("secret_headers = [{ name = \"x-api-key\", value = \"${API_KEY}\" }]", "message = \"${API_KEY}\"", "message"),
    (
        "secret_headers = [{ name = \"x-api-key\", value = \"${API_KEY}\" }]",
        "dedupe = { header = \"${API_KEY} x\" }",
        "dedupe",
    ),
    (
        "secret_headers = [{ name = \"x-api-key\", value = \"${API_KEY}\" }]",
        "credential = \"${API_KEY}\"",
        "credential",
    ),
    ("people/{{userId}}", "people/{{${API_KEY}", "url"),
    ("value = \"${API_KEY}\"", "value = \"a\\nb\"", "secret_headers"),
];

#[test]
fn faults_of_destinations_and_routes_name_the_line_and_what_to_write_and_no_secret() {
    let sound = ROUTES;
    for (from, to, expected) in FAULTS {
        assert!(sound.contains(from), "{from}");
        let place = place(&sound.replacen(from, to, 1));
        let (code, out, err) = run(&place, &["check"], "");
        assert_eq!(code, 2, "{to}: {out}{err}");
        assert!(err.contains(expected), "{to}: {expected:?} is not in {err}");
        assert!(
            err.lines().all(|line| !line.starts_with("error: ") || line.starts_with("error: outlast.toml:")),
            "{err}"
        );
        assert!(!err.contains("canary") && !out.contains("canary"), "{to}: {err}");
    }
    let (code, out, err) = run(&place(sound), &["check"], "");
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("off: to api (send), switched off") && !out.contains("canary"), "{out}");
}

#[test]
fn the_address_of_a_webhook_is_shown_without_its_path() {
    let hook = "[destination.hook]\nkind = \"webhook\"\nurl = \"https://hooks.example.com/T1/${API_KEY}\"\n\
                secrets = [\"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\"]\n";
    let (code, out, err) = run(&place(hook), &["check"], "");
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("hook: webhook at https://hooks.example.com\n") && !out.contains("canary"), "{out}");
    for (from, to) in [("https://", "http://"), ("hooks.example.com", "10.0.0.1"), ("/T1/", "/T1/#")] {
        let (code, out, err) = run(&place(&hook.replace(from, to)), &["check"], "");
        assert_eq!(code, 2, "{to}: {out}");
        assert!(err.contains("destination.hook.url") && !err.contains("canary") && !err.contains("C2FVsBQI"), "{err}");
    }
}

#[test]
fn the_log_at_its_loudest_shows_no_secret_header() {
    let place = place(&ROUTES.replace("https://api.example.com", "http://127.0.0.1:9"));
    place.edit(|text| text.replace("# allow_loopback", "allow_loopback"));
    place.write("person", &json!({ "type": "identify", "userId": "u", "messageId": "p" }).to_string());
    let mut command = place.command(&["send", "person", "--wait"]);
    command.env("API_KEY", "canary-header-secret").env("RUST_LOG", "trace");
    let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert!(std::process::Command::new("kill").arg("-INT").arg(child.id().to_string()).status().unwrap().success());
    let ended = child.wait_with_output().unwrap();
    let told = [ended.stdout, ended.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    assert!(told.contains("127.0.0.1:9") || told.len() > 500, "something is logged: {told}");
    assert!(!told.contains("canary"), "{told}");
    let id = place.json_with(&[("API_KEY", "canary-header-secret")], &["list"])[0]["id"].as_str().unwrap().to_owned();
    for command in [&["show", &id][..], &["show", &id, "--json"], &["why", &id], &["export", "-"]] {
        let (code, out, err) = run(&place, command, "");
        assert!(code == 0 && !out.contains("canary") && !err.contains("canary"), "{command:?}: {out} {err}");
    }
}
