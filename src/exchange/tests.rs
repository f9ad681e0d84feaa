use url::Url;

use super::*;

fn waits(text: &str) -> Option<Span> {
    // Sun, 06 Nov 1994 08:49:07 GMT
    let answer = Answer {
        status: 503,
        headers: vec![("retry-after".into(), text.into())],
        body: Vec::new(),
        received: Time::from_millis(784_111_747_000),
    };
    answer.retry_after(Span::from_secs(900))
}

#[test]
fn retry_after_is_seconds_or_a_date_in_any_of_its_forms_and_capped() {
    for (text, seconds) in [
        ("0", Some(0)),
        (" 120 ", Some(120)),
        ("901", Some(900)),
        ("99999999999999999999999999", Some(900)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some(30)),
        ("Sunday, 06-Nov-94 08:49:37 GMT", Some(30)),
        ("Sun Nov  6 08:49:37 1994", Some(30)),
        ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
        ("Sun, 06 Nov 2044 08:49:00 GMT", Some(900)),
        ("", None),
        ("-1", None),
        ("+1", None),
        ("1.5", None),
        ("soon", None),
        ("Sun, 99 Nov 1994 08:49:37 GMT", None),
    ] {
        assert_eq!(waits(text), seconds.map(Span::from_secs), "{text:?}");
    }
}

#[test]
fn a_secret_header_is_sent_and_not_shown() {
    let url = Url::parse("https://crm.example/contacts?email=ada@example.com").unwrap();
    let request = Request::new(Method::Post, url)
        .header("x-plain", "seen")
        .secret_header("x-api-key", &Secret::new("hush-hush-hush"))
        .header("x-api-key", "seen too");
    assert_eq!(request.headers().get(1).unwrap().1, "hush-hush-hush");
    let shown: Vec<_> = request.shown().collect();
    assert_eq!(shown, [("x-plain", "seen"), ("x-api-key", "[secret]"), ("x-api-key", "seen too")]);
    assert!(!format!("{request:?}").contains("hush"));
}

#[test]
fn header_names_and_values_are_those_of_http() {
    for name in ["x-api-key", "accept", "x.y_z~1"] {
        assert_eq!(unfit_header_name(name), None, "{name}");
    }
    for name in ["", "X-Api-Key", "x key", "x:y", "x\n", "naïve", "host", "content-length", "transfer-encoding"] {
        assert!(unfit_header_name(name).is_some(), "{name}");
    }
    assert!(is_header_value("a b\tc~") && is_header_value(""));
    assert!(!is_header_value("a\nb") && !is_header_value("ä") && !is_header_value("\u{7f}"));
}
