//! The engine's HTTP client beside the library below it, bare: `outlast bench` takes the first for its baseline, so it is
//! to be hardly the slower one. In pairs, and in processor time, which a busy machine disturbs less than the time on the clock;
//! the server's part is in both alike.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use outlast::exchange::{self, Method};
use outlast::http::{Http, HttpOptions, WITHIN};
use outlast_state::Time;
use reqwest::header::{ACCEPT_ENCODING, HeaderValue};
use rustix::time::{ClockId, clock_gettime};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use url::Url;

const REQUESTS: u32 = 2_000;
const AT_ONCE: u32 = 256;
const PAIRS: usize = 41;
const BODY: &[u8] = &[b'x'; 600];

type Posting = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A server of its own thread, so that both clients find it alike.
fn server() -> Url {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            tell.send(listener.local_addr().expect("it is bound")).expect("somebody waits");
            let tasks = TaskTracker::new();
            loop {
                let (stream, _) = listener.accept().await.expect("descriptors enough");
                stream.set_nodelay(true).expect("a TCP stream");
                let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
                tasks.spawn(async { drop(connection.await) });
            }
        });
    });
    let address = told.recv().expect("the server starts");
    Url::parse(&format!("http://{address}/")).expect("an address is part of one")
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    drop(request.into_body().collect().await);
    Ok(Response::builder().status(201).body(Full::new(Bytes::from_static(b"{}"))).expect("a response"))
}

/// The processor time that it takes to post so many bodies, so many at once.
async fn posted(post: impl Fn() -> Posting + Clone + Send + 'static) -> Duration {
    let (begun, left, tasks) = (processor(), Arc::new(AtomicU32::new(REQUESTS)), TaskTracker::new());
    for _ in 0..AT_ONCE {
        let (post, left) = (post.clone(), Arc::clone(&left));
        // Each task but the last takes one more away than there is, and ends.
        let more = move || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        tasks.spawn(async move {
            while more() {
                post().await;
            }
        });
    }
    tasks.close();
    tasks.wait().await;
    processor().saturating_sub(begun)
}

/// The processor time of this process so far.
fn processor() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).expect("it is positive")
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let (ours, bare) = (ours(server()), bare(server()));
    let run = |ours: &dyn Fn() -> Duration, bare: &dyn Fn() -> Duration, turn: usize| {
        // Who begins changes, so that neither has the warmer machine.
        if turn.is_multiple_of(2) {
            let first = ours();
            (first, bare())
        } else {
            let first = bare();
            (ours(), first)
        }
    };
    let (ours, bare) = (|| runtime.block_on(posted(ours.clone())), || runtime.block_on(posted(bare.clone())));
    run(&ours, &bare, 0);
    let pairs: Vec<(Duration, Duration)> = (0..PAIRS).map(|turn| run(&ours, &bare, turn)).collect();
    let micros = |span: Duration| span.as_secs_f64() * 1e6 / f64::from(REQUESTS);
    let [ours, bare] =
        [median(pairs.iter().map(|pair| micros(pair.0))), median(pairs.iter().map(|pair| micros(pair.1)))];
    let ratio = median(pairs.iter().map(|pair| pair.0.div_duration_f64(pair.1)));
    println!("client: processor time per request, server included, medians of {PAIRS} pairs of {REQUESTS} requests");
    println!("client: the engine's {ours:.2} µs, bare {bare:.2} µs, ratio of the pairs {ratio:.3}");
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    *values.get(values.len() / 2).expect("there are some")
}

/// Posts an event as the engine does.
fn ours(url: Url) -> impl Fn() -> Posting + Clone + Send + 'static {
    let options = HttpOptions { allow_loopback: true, ..HttpOptions::default() };
    let http = Arc::new(Http::new(options).expect("the TLS library takes its settings"));
    move || {
        let (http, url) = (Arc::clone(&http), url.clone());
        Box::pin(async move {
            let request = exchange::Request::new(Method::Post, url).content("application/json", BODY);
            let answer = http.send(&request, None, WITHIN, || Time::ZERO).await;
            assert!(answer.expect("the server answers").is_success());
        })
    }
}

/// Posts it with the library below, and the same settings.
fn bare(url: Url) -> impl Fn() -> Posting + Clone + Send + 'static {
    let client = reqwest::Client::builder()
        .user_agent(concat!("outlast/", env!("CARGO_PKG_VERSION")))
        .default_headers([(ACCEPT_ENCODING, HeaderValue::from_static("identity"))].into_iter().collect())
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .tls_backend_preconfigured(no_tls())
        .tcp_nodelay(true)
        .connect_timeout(Duration::from_secs(5))
        .pool_max_idle_per_host(256)
        .timeout(Duration::from_millis(WITHIN.as_millis()))
        .build()
        .expect("the TLS library takes its settings");
    move || {
        let (client, url) = (client.clone(), url.clone());
        Box::pin(async move {
            let request = client.post(url).header("content-type", "application/json").body(BODY.to_vec());
            let answer = request.send().await.expect("the server answers");
            assert!(answer.status().is_success());
            drop(answer.bytes().await.expect("the server answers"));
        })
    }
}

/// The client must have TLS settings, and makes no TLS connection here.
fn no_tls() -> rustls::ClientConfig {
    rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}
