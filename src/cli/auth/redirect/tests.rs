use super::*;

const LONG: Duration = Duration::from_secs(20);

async fn say(address: SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn get(target: &str, host: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nhost: {host}\r\nuser-agent: x\r\n\r\n")
}

async fn listening(written: Option<&str>, port: Option<u16>) -> (String, Listener) {
    let (address, listener) = Redirect::of(written, port).unwrap().listen().await.unwrap();
    (address, listener.unwrap())
}

#[tokio::test]
async fn only_the_right_answer_ends_the_wait() {
    let (address, listener) = listening(None, None).await;
    let at = listener.listening.local_addr().unwrap();
    let host = at.to_string();
    assert_eq!(address, format!("http://{host}/"));
    // One that says nothing holds nobody up.
    let silent = TcpStream::connect(at).await.unwrap();
    let visitors = async {
        for (text, status) in [
            (get("/?code=x", "evil.example"), "421"),
            (get("/?code=x", "127.0.0.1"), "421"),
            ("GET /?code=x HTTP/1.1\r\n\r\n".to_owned(), "421"),
            (format!("GET / HTTP/1.1\r\nhost: {host}\r\nhost: {host}\r\n\r\n"), "421"),
            (get("/favicon.ico", &host), "404"),
            (get("/?state=wrong&code=x", &host), "400"),
            (get("/", &host), "400"),
            (format!("POST /?right HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\n\r\n"), "405"),
            ("GET / HTTP/2\r\n\r\n".to_owned(), "505"),
            ("hello\r\n\r\n".to_owned(), "400"),
        ] {
            let answer = say(at, &text).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{text}: {answer}");
            assert!(!answer.contains("evil") && answer.contains("no-referrer"), "{answer}");
        }
        assert_eq!(
            say(at, &format!("GET /{} HTTP/1.1\r\n", "x".repeat(LONGEST))).await,
            "",
            "too long is not answered"
        );
        say(at, &get("/?right", &host)).await
    };
    let waited = async {
        let read = |query: &str| if query == "right" { Err(NoCode::Empty) } else { Err(NoCode::Foreign) };
        let mut arrived = listener.wait(LONG, read).await.unwrap();
        assert!(matches!(arrived.result, Err(NoCode::Empty)));
        arrived.browser.answer(&page::done("acme", "Current")).await;
    };
    let (page, ()) = tokio::join!(visitors, waited);
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains("Credential acme has its grant"), "{page}");
    drop(silent);
}

#[tokio::test]
async fn nobody_is_waited_for_longer_than_was_said() {
    let (_, listener) = listening(None, None).await;
    let waited = listener.wait(Duration::from_millis(20), |_| Err(NoCode::Foreign)).await;
    assert!(waited.err().unwrap().to_string().contains("nobody came back in time"));
}

#[tokio::test]
async fn an_address_goes_to_the_provider_to_the_letter() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    for host in ["127.0.0.1", "localhost", "LOCALHOST"] {
        let written = format!("http://{host}:{free}");
        let (address, listener) = listening(Some(&written), None).await;
        assert_eq!(address, written, "no slash is added");
        assert_eq!((listener.path.as_str(), listener.authority), ("/", format!("{}:{free}", host.to_lowercase())));
    }
    let (address, _) = listening(Some("http://127.0.0.1/back"), Some(free)).await;
    assert_eq!(address, format!("http://127.0.0.1:{free}/back"));
    let wrong = Redirect::of(Some("http://127.0.0.1:1234/back"), Some(free)).err().unwrap();
    assert!(wrong.to_string().contains("whose port is 1234"), "{wrong}");
    assert!(Redirect::of(Some("callback"), None).is_err());
}

#[tokio::test]
async fn what_is_not_on_this_machine_is_not_listened_on() {
    for written in
        ["https://app.example/back", "http://192.0.2.1/back", "https://127.0.0.1:8421/back", "http://app.localhost/"]
    {
        let redirect = Redirect::of(Some(written), None).unwrap();
        assert!(!redirect.is_here(), "{written}");
        assert_eq!(redirect.address(), written);
    }
    assert!(Redirect::of(Some("http://[::1]:8421/back"), None).unwrap().is_here());
}

#[tokio::test]
async fn a_port_that_is_taken_says_what_to_do() {
    let (_, listener) = listening(None, None).await;
    let taken = listener.listening.local_addr().unwrap().port();
    let failure = Redirect::of(None, Some(taken)).unwrap().listen().await.err().unwrap();
    assert!(failure.to_string().contains(&format!("port {taken} of 127.0.0.1")), "{failure}");
}
