use std::io::{Read as _, Write as _};
use std::process::Command;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};
use tokio::net::TcpListener;

use super::loopback::{Reply, Server};
use super::*;

const OK: Reply = Reply::Say("HTTP/1.1 201 Created\r\nX-Li-Uuid: abc\r\ncontent-length: 2\r\n\r\nok");
const LONG: Span = Span::from_secs(20);
const SHORT: Span = Span::from_millis(80);

fn local() -> Http {
    Http::new(HttpOptions { allow_loopback: true, ..HttpOptions::default() }).unwrap()
}

fn now() -> Time {
    Time::from_millis(42)
}

fn get(url: Url) -> Request {
    Request::new(Method::Get, url)
}

fn cause(answer: Result<Answer, NoAnswer>) -> (&'static str, String) {
    match answer.unwrap_err() {
        NoAnswer::NotSent { cause } => ("not sent", cause),
        NoAnswer::Lost { cause } => ("lost", cause),
        NoAnswer::Forbidden { cause } => ("forbidden", cause),
    }
}

#[tokio::test]
async fn a_request_arrives_as_it_was_made_with_the_token() {
    let server = Server::start(OK).await;
    let body = serde_json::json!({"a": 1});
    let request = Request::new(Method::Post, server.url("/p?q=1")).header("x-mine", "yes").json(&body).bearer();
    let (token, audience) = (Secret::new("tok-1"), Audience::of([&server.url("/")]));
    let bearer = Bearer { token: &token, audience: &audience, carrier: &Carrier::Bearer };
    let answer = local().send(&request, Some(bearer), LONG, now).await.unwrap();

    assert_eq!((answer.status, answer.body.as_slice(), answer.received), (201, b"ok".as_slice(), now()));
    assert_eq!(answer.header("x-li-uuid"), Some("abc"));
    let seen = server.seen().remove(0);
    assert!(seen.starts_with("POST /p?q=1 HTTP/1.1\r\n"), "{seen}");
    for line in [
        "authorization: Bearer tok-1",
        "accept-encoding: identity",
        "content-type: application/json",
        "x-mine: yes",
        concat!("user-agent: outlast/", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(seen.contains(&format!("{line}\r\n")), "{line} is missing in {seen}");
    }
    assert!(seen.ends_with("{\"a\":1}"), "{seen}");
}

#[tokio::test]
async fn a_request_that_asks_for_no_token_gets_none_and_connections_are_kept() {
    let server = Server::start(OK).await;
    let (token, audience) = (Secret::new("tok-1"), Audience::of([&server.url("/")]));
    let http = local();
    for _ in 0..3 {
        let bearer = Bearer { token: &token, audience: &audience, carrier: &Carrier::Bearer };
        http.send(&get(server.url("/")), Some(bearer), LONG, now).await.unwrap();
    }
    assert!(server.seen().iter().all(|request| !request.contains("authorization")));
    assert_eq!((server.seen().len(), server.connections()), (3, 1));
}

#[tokio::test]
async fn a_token_goes_to_its_audience_only_and_otherwise_nothing_is_sent() {
    let server = Server::start(OK).await;
    let token = Secret::new("tok-1");
    let elsewhere = Audience::of([&Url::parse("https://api.linkedin.com").unwrap()]);
    let request = get(server.url("/?q=canary")).bearer();
    let bearer = Bearer { token: &token, audience: &elsewhere, carrier: &Carrier::Bearer };
    let (kind, why) = cause(local().send(&request, Some(bearer), LONG, now).await);
    assert_eq!(kind, "forbidden");
    assert!(!why.contains("tok-1") && !why.contains("canary"), "{why}");
    assert_eq!(cause(local().send(&request, None, LONG, now).await).0, "forbidden");

    let open = Url::parse("http://api.example.com/").unwrap();
    let bearer = Bearer { token: &token, audience: &Audience::of([&open]), carrier: &Carrier::Bearer };
    let (kind, why) = cause(local().send(&get(open.clone()).bearer(), Some(bearer), LONG, now).await);
    assert!(kind == "forbidden" && why.contains("use https"), "{why}");
    let (kind, why) = cause(local().post_form(&open, &Form::default().field("token", &token), LONG, now).await);
    assert!(kind == "forbidden" && why.contains("use https"), "{why}");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let second = Server::start(OK).await;
    let text = format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", second.url("/"));
    let first = Server::start(Reply::Say(text.leak())).await;
    let answer = local().send(&get(first.url("/")), None, LONG, now).await.unwrap();
    assert_eq!(answer.status, 307);
    assert_eq!((first.connections(), second.connections()), (1, 0));
}

#[tokio::test]
async fn an_endless_body_is_cut_at_the_cap_and_the_connection_dropped() {
    let server = Server::start(Reply::Endless).await;
    let answer = local().send(&get(server.url("/")), None, LONG, now).await.unwrap();
    assert_eq!(answer.body.len(), 64 * 1024);
    // The server writes until the connection breaks: its task ends only if it was dropped.
    server.tasks.close();
    server.tasks.wait().await;
}

#[tokio::test]
async fn encoded_content_is_left_as_it_is() {
    const GZIP: &[u8] =
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 6\r\n\r\n\x1f\x8b\x08\x00\xff\xfe";
    let server = Server::start(Reply::Bytes(GZIP)).await;
    let answer = local().send(&get(server.url("/")), None, LONG, now).await.unwrap();
    assert_eq!(answer.body, b"\x1f\x8b\x08\x00\xff\xfe");
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
}

#[tokio::test]
async fn what_was_sent_and_not_answered_is_lost() {
    let rows = [
        (Reply::Silence, SHORT, "did not answer within 80 ms"),
        (Reply::Head, SHORT, "did not answer within 80 ms"),
        (Reply::Close, LONG, "broke off"),
        (Reply::Say("garbage\r\n\r\n"), LONG, "broke off"),
        (Reply::ManyHeaders, LONG, "broke off"),
    ];
    for (reply, within, words) in rows {
        let server = Server::start(reply).await;
        let request = Request::new(Method::Post, server.url("/?q=canary")).header("x-key", "canary");
        let (kind, why) = cause(local().send(&request, None, within, now).await);
        assert_eq!(kind, "lost", "{why}");
        assert!(why.contains(words) && !why.contains("canary"), "{words}: {why}");
        // On a slow machine the short time may end before the server has read anything.
        let fewest = usize::from(within == LONG);
        assert!((fewest..=1).contains(&server.seen().len()), "{words}: sent once");
    }
}

#[tokio::test]
async fn a_refused_connection_sent_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let request = get(Url::parse(&format!("http://{address}/?q=canary")).unwrap());
    let (kind, why) = cause(local().send(&request, None, LONG, now).await);
    assert_eq!(kind, "not sent");
    assert!(why.contains(&address.to_string()) && why.contains("refused") && !why.contains("canary"), "{why}");
}

#[tokio::test]
async fn header_values_that_http_forbids_are_refused() {
    let server = Server::start(OK).await;
    for value in ["a\r\nx: y", "a\nb", "a\rb", "a\0b", "\u{7f}"] {
        let request = get(server.url("/")).header("x-mine", value);
        let (kind, why) = cause(local().send(&request, None, LONG, now).await);
        assert!(kind == "forbidden" && why.contains("`x-mine`"), "{value:?}: {why}");
    }
    for name in ["content-length", "host", "transfer-encoding", "bad name", "x\r\ny"] {
        let request = get(server.url("/")).header(name, "1");
        assert_eq!(cause(local().send(&request, None, LONG, now).await).0, "forbidden", "{name}");
    }
    let (token, audience) = (Secret::new("canary\r\nx: y"), Audience::of([&server.url("/")]));
    let bearer = Bearer { token: &token, audience: &audience, carrier: &Carrier::Bearer };
    let (kind, why) = cause(local().send(&get(server.url("/")).bearer(), Some(bearer), LONG, now).await);
    assert!(kind == "forbidden" && !why.contains("canary"), "{why}");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn loopback_needs_permission_whether_written_or_resolved() {
    let server = Server::start(OK).await;
    let closed = Http::new(HttpOptions::default()).unwrap();
    let (kind, why) = cause(closed.send(&get(server.url("/")), None, LONG, now).await);
    assert!(kind == "forbidden" && why.contains("allow loopback"), "{why}");

    let lying: Lookup = Arc::new(|_| Box::pin(async { Ok(vec!["127.0.0.1:0".parse().unwrap()]) }));
    let port = server.address.port();
    let request = get(Url::parse(&format!("http://public.example:{port}/")).unwrap());
    let http = Http::resolving_with(HttpOptions::default(), Arc::clone(&lying)).unwrap();
    let (kind, why) = cause(http.send(&request, None, LONG, now).await);
    assert!(kind == "not sent" && why.contains("public.example is a reserved address (loopback)"), "{why}");
    assert_eq!(server.connections(), 0);

    let options = HttpOptions { allow_hosts: vec!["public.example".into()], ..HttpOptions::default() };
    let http = Http::resolving_with(options, lying).unwrap();
    assert_eq!(http.send(&request, None, LONG, now).await.unwrap().status, 201);
}

#[tokio::test]
async fn localhost_is_never_asked_of_a_resolver() {
    let server = Server::start(OK).await;
    let absent: Lookup = Arc::new(|host| Box::pin(async move { panic!("{host} was looked up") }));
    let options = HttpOptions { allow_loopback: true, ..HttpOptions::default() };
    let http = Http::resolving_with(options, absent).unwrap();
    let url = Url::parse(&format!("http://api.localhost:{}/", server.address.port())).unwrap();
    assert_eq!(http.send(&get(url), None, LONG, now).await.unwrap().status, 201);
}

#[tokio::test]
async fn a_form_is_encoded_and_asks_for_json() {
    let server = Server::start(OK).await;
    let (token, grant) = (Secret::new("a b&c=d+ü"), Secret::new("refresh_token"));
    let form = Form::default().field("refresh_token", &token).field("grant_type", &grant);
    local().post_form(&server.url("/token"), &form, LONG, now).await.unwrap();
    let seen = server.seen().remove(0);
    assert!(seen.starts_with("POST /token HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains("accept: application/json\r\n") && !seen.contains("authorization"), "{seen}");
    assert!(seen.contains("content-type: application/x-www-form-urlencoded\r\n"), "{seen}");
    assert!(seen.ends_with("\r\n\r\nrefresh_token=a+b%26c%3Dd%2B%C3%BC&grant_type=refresh_token"), "{seen}");
}

#[tokio::test]
async fn a_client_may_prove_itself_in_the_header() {
    let server = Server::start(OK).await;
    let form = Form::grant("client_credentials").basic("me", &Secret::new("hush"));
    local().post_form(&server.url("/token"), &form, LONG, now).await.unwrap();
    let seen = server.seen().remove(0);
    assert!(seen.contains("authorization: Basic bWU6aHVzaA==\r\n"), "{seen}");
    assert!(seen.ends_with("\r\n\r\ngrant_type=client_credentials"), "{seen}");
}

#[tokio::test]
async fn a_token_stands_where_its_carrier_says_and_replaces_what_stood_there() {
    let server = Server::start(OK).await;
    let (token, url) = (Secret::new("key-1"), server.url("/"));
    let audience = Audience::of([&url]);
    for (name, prefix, line) in
        [("x-api-key", "", "x-api-key: key-1"), ("authorization", "Token ", "authorization: Token key-1")]
    {
        let carrier = Carrier::Header { name: name.into(), prefix: prefix.into() };
        let bearer = Bearer { token: &token, audience: &audience, carrier: &carrier };
        let request = get(url.clone()).header(name, "the destination's own").bearer();
        local().send(&request, Some(bearer), LONG, now).await.unwrap();
        let seen = server.seen().pop().unwrap();
        assert!(seen.contains(&format!("{line}\r\n")) && !seen.contains("own"), "{seen}");
        assert!(name == "authorization" || !seen.contains("authorization"), "{seen}");
    }
    for name in ["host", "content-length", "X-Key", "a b", "", "x\r\ny"] {
        let carrier = Carrier::Header { name: name.into(), prefix: String::new() };
        let bearer = Bearer { token: &token, audience: &audience, carrier: &carrier };
        let (kind, why) = cause(local().send(&get(url.clone()).bearer(), Some(bearer), LONG, now).await);
        assert!(kind == "forbidden" && why.contains("correct the credential"), "{name}: {why}");
    }
    assert_eq!(server.connections(), 2, "nothing else was sent");
}

#[tokio::test]
async fn a_peer_that_does_not_speak_tls_gets_no_request() {
    let server = Server::start(OK).await;
    let url = Url::parse(&format!("https://{}/?q=canary", server.address)).unwrap();
    let (token, audience) = (Secret::new("tok-1"), Audience::of([&url]));
    let bearer = Bearer { token: &token, audience: &audience, carrier: &Carrier::Bearer };
    // The server waits for the end of a head, which a greeting never has; the connect time-out ends it.
    let options = HttpOptions { allow_loopback: true, connect_within: SHORT, ..HttpOptions::default() };
    let (kind, why) = cause(Http::new(options).unwrap().send(&get(url).bearer(), Some(bearer), LONG, now).await);
    assert!(kind == "not sent" && !why.contains("canary") && !why.contains("tok-1"), "{kind}: {why}");
    assert!(server.seen().iter().all(|text| !text.contains("tok-1")));
}

/// Runs the test `name` of this binary in a process of its own, whose environment says other things.
fn in_environment(name: &str, variables: &[(&str, &str)]) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args([name, "--exact", "--ignored", "--test-threads=1"]).envs(variables.iter().copied());
    let output = child.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("1 passed"), "{name}: {text}");
}

#[tokio::test]
async fn a_proxy_in_the_environment_is_not_used() {
    let proxy = Server::start(Reply::Say("HTTP/1.1 502 Proxied\r\ncontent-length: 0\r\n\r\n")).await;
    let address = format!("http://{}", proxy.address);
    let child = tokio::task::spawn_blocking(move || {
        let variables = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"].map(|name| (name, address.as_str()));
        in_environment("http::tests::with_a_proxy_in_the_environment", &variables);
    });
    child.await.unwrap();
    assert_eq!(proxy.connections(), 1, "only the client that obeys the environment comes here");
}

#[tokio::test]
#[ignore = "run by a_proxy_in_the_environment_is_not_used, which sets the environment"]
async fn with_a_proxy_in_the_environment() {
    let server = Server::start(OK).await;
    let answer = local().send(&get(server.url("/")), None, LONG, now).await.unwrap();
    assert_eq!(answer.status, 201);
    // That the variables would be obeyed by a client that was not told otherwise makes the line above mean something.
    let obedient = Client::builder().tls_backend_preconfigured(trusting_nobody().unwrap()).build().unwrap();
    assert_eq!(obedient.get(server.url("/")).send().await.unwrap().status().as_u16(), 502);
}

#[test]
fn a_machine_without_certificates_is_told_so_at_the_first_https_request() {
    let nowhere = [("SSL_CERT_FILE", "/nonexistent/file"), ("SSL_CERT_DIR", "/nonexistent/dir")];
    in_environment("http::tests::without_certificates", &nowhere);
}

#[tokio::test]
#[ignore = "run by a_machine_without_certificates_is_told_so_at_the_first_https_request, which sets the environment"]
async fn without_certificates() {
    let server = Server::start(OK).await;
    let http = local();
    assert_eq!(http.send(&get(server.url("/")), None, LONG, now).await.unwrap().status, 201);
    let url = Url::parse(&format!("https://{}/", server.address)).unwrap();
    let (kind, why) = cause(http.send(&get(url), None, LONG, now).await);
    assert!(kind == "not sent" && why.contains("operator: install"), "{kind}: {why}");
    assert_eq!(server.connections(), 1);
}

/// A TLS server that speaks HTTP/1.1 with one client, and tells what it was sent, or why there was no handshake.
fn tls_server() -> (SocketAddr, std::thread::JoinHandle<io::Result<String>>) {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("tls/leaf.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/leaf.key")).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let mut config = builder
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        let (stream, _) = listener.accept()?;
        let session = ServerConnection::new(Arc::new(config)).map_err(io::Error::other)?;
        let mut stream = rustls::StreamOwned::new(session, stream);
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")?;
        stream.flush()?;
        Ok(String::from_utf8_lossy(&buffer[..count]).into_owned())
    });
    (address, serving)
}

#[test]
fn https_works_with_a_certificate_that_the_machine_trusts() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = folder.path().join("ca.pem");
    std::fs::write(&trusted, include_bytes!("tls/ca.pem")).unwrap();
    let only = [("SSL_CERT_FILE", trusted.to_str().unwrap()), ("SSL_CERT_DIR", "/nonexistent/dir")];
    in_environment("http::tests::with_a_certificate_that_is_trusted", &only);
}

#[tokio::test]
#[ignore = "run by https_works_with_a_certificate_that_the_machine_trusts, which sets the environment"]
async fn with_a_certificate_that_is_trusted() {
    let http = local();
    for host in ["127.0.0.1", "localhost"] {
        let (address, serving) = tls_server();
        let url = Url::parse(&format!("https://{host}:{}/p", address.port())).unwrap();
        let (token, audience) = (Secret::new("tok-1"), Audience::of([&url]));
        let bearer = Bearer { token: &token, audience: &audience, carrier: &Carrier::Bearer };
        let answer = http.send(&get(url).bearer(), Some(bearer), LONG, now).await.unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (200, b"ok".as_slice()));
        let seen = serving.join().unwrap().unwrap();
        assert!(seen.starts_with("GET /p HTTP/1.1") && seen.contains("authorization: Bearer tok-1"), "{seen}");
    }
    let (address, serving) = tls_server();
    let url = Url::parse(&format!("https://other.localhost:{}/p", address.port())).unwrap();
    let (kind, why) = cause(http.send(&get(url), None, LONG, now).await);
    assert!(kind == "not sent" && why.contains("certificate"), "another name: {kind}: {why}");
    assert!(serving.join().unwrap().is_err());
}

#[test]
fn what_is_in_flight_may_move_between_threads() {
    fn assert_send(_: &impl Send) {}
    let (http, url) = (local(), Url::parse("http://127.0.0.1:1/").unwrap());
    let request = get(url.clone());
    assert_send(&http.send(&request, None, LONG, now));
    assert_send(&http.post_form(&url, &Form::default(), LONG, now));
}
