use super::*;

fn good() -> Description {
    post("https://crm.example/in")
}

const fn key(place: Place) -> Dedupe {
    Dedupe { place, value: None }
}

fn batch(at: &str, around: Value, results: Option<Results>) -> Batch {
    Batch { at: at.into(), around, results, ..Batch::up_to(2) }
}

fn results(list: &str, status: Option<&str>, answers: Vec<Row>) -> Results {
    Results { list: list.into(), status: status.map(str::to_owned), answers, message: None }
}

fn refused(rows: &[(Description, &str, &str)]) {
    for (description, setting, problem) in rows {
        let error = Declared::new(description.clone(), &compile).err().unwrap_or_else(|| panic!("built: {problem}"));
        assert_eq!(error.setting(), *setting, "{error}");
        assert!(error.problem().contains(problem), "{error}");
        assert!(error.remedy().len() > 5 && !error.to_string().contains("hush"), "{error}");
    }
}

#[test]
fn an_address_is_checked_and_its_host_is_fixed() {
    let to = |url: &str| post(url);
    refused(&[
        (to("crm.example/in"), "url", "no scheme"),
        (to(""), "url", "no scheme"),
        (to("ftp://crm.example/"), "url", "neither https nor http"),
        (to("https:///in"), "url", "no address"),
        (to("https://{{host}}/in"), "url", "host is a template"),
        (to("https://{{a/b}}.example/in"), "url", "host is a template"),
        (to("https://crm.example:{{port}}/in"), "url", "host is a template"),
        (to("https://crm.example{{x}}"), "url", "host is a template"),
        (to("{{scheme}}://crm.example/"), "url", "host is a template"),
        (to("https://crm.example/{{x"), "url", "no `}}`"),
        (to("https://crm.example/{{ }}"), "url", "names nothing"),
        (to("https://crm.example/{{{x}}}"), "url", "holds `{{{`"),
        (to("https://crm.example\\{{x}}"), "url", "backslash"),
        (to("https://crm.example/a\nb"), "url", "control character"),
        (to("https://crm.example/#{{x}}"), "url", "fragment"),
        (to("https://ada:hush@crm.example/"), "url", "user name or a password"),
        (Description { bearer: true, ..to("http://crm.example/") }, "url", "in the clear"),
        (
            Description { secret_headers: vec![("x-key".into(), Secret::new("hush"))], ..to("http://crm.example/") },
            "url",
            "in the clear",
        ),
    ]);
    for url in ["http://127.0.0.1:9000/{{x}}", "HTTPS://crm.example?x={{x}}", "https://[::1]/a/{{ x }}/"] {
        assert!(Declared::new(Description { bearer: true, ..to(url) }, &compile).is_ok(), "{url}");
    }
}

#[test]
fn headers_are_checked_and_stand_once() {
    let plain = |name: &str, value: Value| Description { headers: vec![(name.into(), value)], ..good() };
    let secret =
        |name: &str, value: &str| Description { secret_headers: vec![(name.into(), Secret::new(value))], ..good() };
    let twice = vec![("x-a".into(), json!("1")), ("X-A".into(), json!("2"))];
    refused(&[
        (plain("Host", json!("x")), "headers", "by the HTTP client"),
        (plain("x y", json!("x")), "headers", "name of a header"),
        (plain("authorization", path("v")), "headers", "a secret, and would be shown"),
        (plain("x-a", json!("a\nb")), "headers", "HTTP forbids"),
        (plain("x-a", json!({ "@wrong": 1 })), "headers x-a", "@wrong is no directive"),
        (Description { headers: twice, ..good() }, "headers", "stands twice"),
        (secret("x-a", "hush\n"), "secret_headers", "HTTP forbids"),
        (secret("content-type", "hush"), "secret_headers", "no secret"),
        (
            Description { bearer: true, ..secret("authorization", "hush") },
            "secret_headers",
            "by the destination itself",
        ),
        (Description { dedupe: Some(key(Place::Header("X-A".into()))), ..plain("x-a", json!("1")) }, "dedupe", "twice"),
    ]);
    assert!(Declared::new(secret("Authorization", "Basic aHVzaA=="), &compile).is_ok());
}

#[test]
fn body_dedupe_and_batch_are_checked() {
    let body = |body| Description { body, ..good() };
    let dedupe = |place| Description { dedupe: Some(key(place)), ..good() };
    let batched = |batch| Description { batch: Some(batch), ..good() };
    let answers = || vec![Row { rule: Rule::status(200..=299), means: Means::Accepted }];
    let result = |one| batched(batch("", Value::Null, Some(one)));
    refused(&[
        (body(Body::Mapped(json!({ "@wrong": 1 }))), "body", "@wrong is no directive"),
        (Description { body: Body::Event, ..Description::new(Method::Get, "https://crm.example/") }, "body", "GET"),
        (dedupe(Place::Body("id".into())), "dedupe", "begins with a slash"),
        (dedupe(Place::Body(String::new())), "dedupe", "no body, or no member"),
        (dedupe(Place::Body("/a".repeat(33))), "dedupe", "32 deep"),
        (dedupe(Place::Header("content-type".into())), "dedupe", "what the body is"),
        (Description { body: Body::Nothing, ..dedupe(Place::Body("/id".into())) }, "dedupe", "no body"),
        (batched(Batch::up_to(0)), "batch items", "Nothing fits"),
        (batched(Batch { bytes: 0, ..Batch::up_to(1) }), "batch items", "Nothing fits"),
        (Description { body: Body::Nothing, ..batched(Batch::up_to(2)) }, "batch items", "without a body"),
        (batched(batch("items", Value::Null, None)), "batch at", "begins with a slash"),
        (batched(batch("/items", json!([1]), None)), "batch around", "no object"),
        (batched(batch("", json!({ "a": 1 }), None)), "batch at", "replace what is around"),
        (batched(batch("/a/b", json!({ "a": 1 }), None)), "batch at", "no object"),
        (result(results("x", Some("/s"), Vec::new())), "batch results list", "begins with a slash"),
        (result(results("", Some("s"), Vec::new())), "batch results status", "begins with a slash"),
        (result(results("", None, Vec::new())), "batch results", "what an element means"),
    ]);
    assert!(Declared::new(result(results("", None, answers())), &compile).is_ok());
}

#[test]
fn rows_of_the_answer_table_are_checked() {
    let row = |rule| Description { answers: vec![Row { rule, means: Means::Busy }], ..good() };
    let ok = Rule::status(200..=200);
    #[expect(clippy::reversed_empty_ranges, reason = "an empty range is what is refused")]
    let empty = Rule::status(300..=200);
    let token = vec![Row { rule: ok.clone(), means: Means::TokenRefused }];
    refused(&[
        (row(empty), "answers[0]", "range of statuses is empty"),
        (row(ok.clone().holding("error", &["x"])), "answers[0]", "begins with a slash"),
        (row(ok.clone().holding("/a~2", &["x"])), "answers[0]", "~0"),
        (row(ok.clone().holding("/error", &[])), "answers[0]", "no values"),
        (row(Rule { values: vec!["x".into()], ..ok.clone() }), "answers[0]", "no pointer"),
        (Description { answers: token.clone(), ..good() }, "answers[0]", "No token is sent"),
        (Description { retry_after: Some("wait".into()), ..good() }, "retry_after", "begins with a slash"),
        (Description { message: Some("/a~".into()), ..good() }, "message", "~0"),
    ]);
    assert!(Declared::new(Description { answers: token, bearer: true, ..good() }, &compile).is_ok());
}
