//! Declared destinations through the engine, from a configuration file: what their answers mean, what tells repeats, what of
//! a batch became of whom, and what is never shown.

use outlast::clock;
use outlast::route::Event;
use outlast::{Fate, Filter, Outcome};
use serde_json::{Value, json};

use crate::site::{Receiver, Site};

fn configured(receiver: &Receiver, more: &str) -> String {
    let address = &receiver.address;
    format!(
        "[destination.api]\nkind = \"http\"\nurl = \"{address}/v1/people/{{{{userId}}}}\"\nmethod = \"PUT\"\nmessage = \"/error/text\"\n\
         retry_after = \"/error/wait\"\nheaders = {{ x-source = \"outlast\", x-user = \"{{{{userId}}}}\" }}\n\
         secret_headers = [{{ name = \"x-api-key\", value = \"canary-header-secret\" }}]\n{more}\n\
         [[route]]\nto = \"api\"\nname = \"people\"\nwhen = 'type = \"identify\"'\n"
    )
}

const ANSWERS: &str = r#"answers = [
    { status = "200", pointer = "/error/code", values = ["E_LATER"], means = "busy" },
    { status = "200", pointer = "/error/code", values = ["E_SLOW"], means = "throttled" },
    { status = "200", pointer = "/error/code", values = ["E_SOON"], means = "not_yet" },
    { status = "200-299", pointer = "/error/code", values = ["E_NEVER", "E_BAD"], means = "refused" },
    { status = "409", means = "accepted" },
    { status = "503", pointer = "/error/code", values = ["E_GONE"], means = "refused" },
]"#;

fn person(name: &str) -> Value {
    json!({ "type": "identify", "userId": name, "messageId": name })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_row_of_the_answer_table_means_what_it_says() {
    let (site, receiver) = (Site::new().await, Receiver::start().await);
    let engine = site.open(&configured(&receiver, ANSWERS)).await;
    let said = |code: &str| json!({ "error": { "code": code, "text": format!("said {code}"), "wait": 7 } }).to_string();
    // What is answered; then whether it is delivered, with how many attempts, of which so many count.
    let rows = [
        ("done", vec![(200, "{}".to_owned())], true, 1, 0),
        ("known", vec![(409, "{}".to_owned())], true, 1, 0),
        ("later", vec![(200, said("E_LATER"))], true, 2, 1),
        ("slow", vec![(200, said("E_SLOW"))], true, 2, 0),
        ("soon", vec![(200, said("E_SOON"))], true, 2, 0),
        ("never", vec![(200, said("E_NEVER"))], false, 1, 0),
        ("bad", vec![(299, said("E_BAD"))], false, 1, 0),
        ("gone", vec![(503, said("E_GONE"))], false, 1, 0),
        ("busy", vec![(503, said("E_OTHER"))], true, 2, 1),
        ("refused", vec![(422, said("E_OTHER"))], false, 1, 0),
    ];
    for (name, answers, delivered, attempts, spent) in rows {
        let answers: Vec<(u16, &str)> = answers.iter().map(|(status, body)| (*status, body.as_str())).collect();
        receiver.answers(&answers);
        let began = site.bench.clock.millis();
        let id = site.ingest_one(&engine, &person(name)).await;
        let outcome = site.bench.outcomes(&engine, &[id]).await.pop().unwrap();
        assert_eq!(matches!(outcome, Outcome::Done(_)), delivered, "{name}: {outcome:?}");
        let shown = engine.show(id).await.unwrap().summary;
        assert_eq!((shown.attempts, shown.spent), (attempts, spent), "{name}: {shown:?}");
        if let Outcome::Failed(failed) = outcome {
            assert!(failed.reason.contains("said E_") && !failed.code.is_empty(), "{name}: {failed:?}");
        } else if matches!(name, "slow" | "soon") {
            assert!(site.bench.clock.millis() - began >= 7000, "{name}: it waits as long as it was told to");
        }
    }
    let came = receiver.came();
    assert_eq!(came[0].line, "PUT /v1/people/done HTTP/1.1");
    assert_eq!((came[0].header("x-user"), came[0].header("x-api-key")), ("done", "canary-header-secret"));
    assert_eq!((came[0].json(), came[0].header("authorization")), (person("done"), ""));
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_is_the_same_over_retries_and_a_restart() {
    for (dedupe, own) in [
        ("dedupe = { header = \"Idempotency-Key\" }", false),
        ("dedupe = { header = \"Idempotency-Key\", value = { \"@path\" = \"$.messageId\" } }", true),
    ] {
        let (site, receiver) = (Site::new().await, Receiver::start().await);
        let text = configured(&receiver, dedupe);
        let engine = site.open(&text).await;
        receiver.answers(&[(500, ""), (503, "")]);
        let id = site.ingest_one(&engine, &person("ada")).await;
        let twice = async { site.bench.eventually(async || receiver.came().len() == 2).await };
        site.bench.drive(&engine, twice).await;
        receiver.answers(&[(500, "")]);
        let engine = site.restart(engine, &text).await;
        site.done(&engine, id).await;
        let came = receiver.came();
        let expected = if own { "ada".to_owned() } else { id.to_string() };
        assert!(came.len() >= 3 && came.iter().all(|one| one.header("idempotency-key") == expected), "{came:?}");
        assert!(came.iter().all(|one| one.body == came[0].body));
        engine.stop().await.unwrap();
    }
}

const BATCH: &str = r#"
[destination.crm]
kind = "http"
credential = "acme"
url = "API/crm/v1/contacts/batch"
dedupe = { body = "/idempotencyKey" }

[destination.crm.batch]
items = 10
at = "/inputs"
linger = "5s"
results = { list = "/results", status = "/status", message = "/error" }

[[route]]
to = "crm"
name = "contacts"
when = 'type = "identify"'
mapping.email = { "@path" = "$.email" }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn each_item_of_a_batch_has_the_result_that_stands_in_its_place() {
    let site = Site::new().await;
    site.bench.faults(json!([{ "when": { "path": "/crm/*", "uses": 1 }, "action": { "element_status": [
        { "index": 0, "status": 503, "message": "later" }, { "index": 2, "status": 429, "message": "slower" }
    ] } }]));
    let engine = site.open(BATCH).await;
    // One that proves the token goes first, so that the rest share a request.
    let emails = ["a@example.org", "nobody", "c@example.org", "d@example.org", "a@example.org"];
    let events: Vec<Event> = (0..)
        .zip(emails)
        .map(|(number, email)| {
            Event::json(json!({ "type": "identify", "messageId": format!("m-{number}"), "email": email })).unwrap()
        })
        .collect();
    let made = engine.ingest_all(events).await.unwrap();
    let ids: Vec<_> = made.into_iter().flatten().map(|one| one.delivery.unwrap()).collect();
    let outcomes = site.bench.outcomes(&engine, &ids).await;
    let Outcome::Failed(failed) = &outcomes[1] else { panic!("{outcomes:?}") };
    assert!(failed.reason.contains("email is not an e-mail address") && failed.attempts == 1, "{failed:?}");
    assert_eq!(outcomes.iter().filter(|one| matches!(one, Outcome::Done(_))).count(), 4, "{outcomes:?}");
    let spent = async |place: usize| engine.show(ids[place]).await.unwrap().summary.spent;
    assert_eq!((spent(0).await, spent(2).await, spent(3).await), (1, 0, 0), "busy counts, a throttle does not");
    let asked = site.asked("/crm/v1/contacts/batch");
    let sizes: Vec<usize> = asked.iter().map(|line| line["body"]["inputs"].as_array().unwrap().len()).collect();
    assert_eq!(sizes[0], 5, "{sizes:?}");
    let key = |line: &Value, place: usize| line["body"]["inputs"][place]["idempotencyKey"].clone();
    assert_eq!(key(&asked[0], 0), ids[0].to_string(), "the key is the delivery's name");
    assert_eq!(site.bench.saw("conflicts"), 0);
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_whose_answer_is_lost_is_sent_again_with_the_same_keys_and_counts_once() {
    let site = Site::new().await;
    site.bench.faults(json!([
        { "when": { "path": "/crm/*", "nth": 1 }, "action": "reset_after_apply" },
        { "when": { "path": "/crm/*", "nth": 1 }, "action": { "element_count": { "by": -1 } } },
        { "when": { "path": "/crm/*", "nth": 1 }, "action": { "malformed_json": "cut" } }
    ]));
    let engine = site.open(BATCH).await;
    let event = |number: u32| {
        let email = format!("p-{number}@example.org");
        Event::json(json!({ "type": "identify", "messageId": format!("m-{number}"), "email": email })).unwrap()
    };
    let made = engine.ingest_all((0..8).map(event).collect()).await.unwrap();
    let ids: Vec<_> = made.into_iter().flatten().map(|one| one.delivery.unwrap()).collect();
    site.bench.all_done(&engine, &ids).await;
    assert_eq!((site.bench.saw("applied"), site.bench.saw("conflicts")), (8, 0));
    let asked = site.asked("/crm/v1/contacts/batch");
    assert!(asked.len() >= 4, "{}", asked.len());
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_header_is_never_shown() {
    let (site, receiver) = (Site::new().await, Receiver::start().await);
    let text = configured(&receiver, "");
    let echo = json!({ "error": { "text": "your key canary-header-secret is wrong" } }).to_string();
    let trials = site.builder(&text).try_event(&Event::json(person("ada")).unwrap(), clock::wall()).unwrap();
    let shown = serde_json::to_string(&trials).unwrap();
    assert!(
        matches!(&trials[0].fate, Fate::Sent { request: Some(request), .. } if request.url.ends_with("/v1/people/ada"))
    );
    assert!(shown.contains("x-api-key") && shown.contains("[secret]") && !shown.contains("canary"), "{shown}");
    let engine = site.open(&text).await;
    receiver.answers(&[(503, &echo), (400, &echo)]);
    let id = site.ingest_one(&engine, &person("ada")).await;
    let failed = site.failed(&engine, id).await;
    assert!(failed.reason.contains("your key"), "{}", failed.reason);
    let told = [
        failed.reason,
        serde_json::to_string(&engine.show(id).await.unwrap()).unwrap(),
        serde_json::to_string(&engine.list(Filter::default()).await.unwrap()).unwrap(),
        engine.why(id).await.unwrap().join(" "),
    ]
    .concat();
    assert!(!told.contains("canary"), "{told}");
    engine.stop().await.unwrap();
}
