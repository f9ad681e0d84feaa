//! The engine's HTTP client beside the library below it, bare: `outlast bench` takes the first for its baseline, so it must
//! not be the slower one.
#![allow(
    clippy::disallowed_methods,
    reason = "what is measured here is outside of the engine, which has a clock of its own"
)]

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use outlast::exchange::{self, Method};
use outlast::http::{Http, HttpOptions, WITHIN};
use outlast_state::Time;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use url::Url;

const REQUESTS: u64 = 2_000;
const AT_ONCE: u64 = 256;

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

/// What it takes to post so many bodies, so many at once.
async fn posted<F: Future<Output = ()> + Send + 'static>(post: impl Fn() -> F + Clone + Send + 'static) -> Duration {
    let (begun, left, tasks) = (Instant::now(), Arc::new(AtomicU64::new(REQUESTS)), TaskTracker::new());
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
    begun.elapsed()
}

fn client(criterion: &mut Criterion) {
    let (url, body) = (server(), vec![b'x'; 600]);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let options = HttpOptions { allow_loopback: true, ..HttpOptions::default() };
    let ours = Arc::new(Http::new(options).expect("the TLS library takes its settings"));
    let bare = reqwest::Client::builder()
        .no_proxy()
        .tls_backend_preconfigured(no_tls())
        .tcp_nodelay(true)
        .pool_max_idle_per_host(256)
        .build()
        .expect("the TLS library takes its settings");
    let mut group = criterion.benchmark_group("client");
    group.sample_size(10).throughput(Throughput::Elements(REQUESTS));
    group.bench_function("the engine's", |bencher| {
        let (url, body) = (url.clone(), body.clone());
        let ours = Arc::clone(&ours);
        let post = move || {
            let (http, url, body) = (Arc::clone(&ours), url.clone(), body.clone());
            async move {
                let request = exchange::Request::new(Method::Post, url).content("application/json", body);
                let answer = http.send(&request, None, WITHIN, || Time::ZERO).await;
                assert!(answer.expect("the server answers").is_success());
            }
        };
        bencher.iter_custom(|times| (0..times).map(|_| runtime.block_on(posted(post.clone()))).sum());
    });
    group.bench_function("bare", |bencher| {
        let (bare, url, body) = (bare.clone(), url.clone(), body.clone());
        let post = move || {
            let (client, url, body) = (bare.clone(), url.clone(), body.clone());
            async move {
                let request = client.post(url).header("content-type", "application/json").body(body);
                let answer = request.send().await.expect("the server answers");
                assert!(answer.status().is_success());
                drop(answer.bytes().await.expect("the server answers"));
            }
        };
        bencher.iter_custom(|times| (0..times).map(|_| runtime.block_on(posted(post.clone()))).sum());
    });
    group.finish();
}

/// The client must have TLS settings, and makes no TLS connection here.
fn no_tls() -> rustls::ClientConfig {
    rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

criterion_group!(benches, client);
criterion_main!(benches);
