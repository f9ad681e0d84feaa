//! Small servers on loopback for tests: each does one wrong or right thing with every request, and remembers it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;
use url::Url;

/// What a server does with each request it has read.
#[derive(Clone, Copy)]
pub(crate) enum Reply {
    Say(&'static str),
    Bytes(&'static [u8]),
    Close,
    Silence,
    Head,
    Endless,
    ManyHeaders,
}

/// A server on loopback that remembers what it was sent.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<u32>>,
    pub(crate) tasks: TaskTracker,
}

impl Server {
    pub(crate) async fn start(reply: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, connections, tasks) = (Arc::default(), Arc::default(), TaskTracker::new());
        let server = Server { address, seen, connections, tasks };
        let (seen, connections) = (Arc::clone(&server.seen), Arc::clone(&server.connections));
        let conversations = server.tasks.clone();
        drop(TaskTracker::new().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut count = connections.lock().unwrap();
                *count = count.saturating_add(1);
                drop(count);
                conversations.spawn(talk(stream, Arc::clone(&seen), reply));
            }
        }));
        server
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}{path}", self.address)).unwrap()
    }

    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> u32 {
        *self.connections.lock().unwrap()
    }
}

async fn talk(mut stream: TcpStream, seen: Arc<Mutex<Vec<String>>>, reply: Reply) {
    while let Some(request) = read_request(&mut stream).await {
        seen.lock().unwrap().push(request);
        match reply {
            Reply::Say(text) => stream.write_all(text.as_bytes()).await.unwrap(),
            Reply::Bytes(bytes) => stream.write_all(bytes).await.unwrap(),
            Reply::Close => return,
            Reply::Silence => {}
            Reply::Head => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await.unwrap(),
            Reply::Endless => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n").await.unwrap();
                while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
                return;
            }
            Reply::ManyHeaders => {
                let many = "x-many: y\r\n".repeat(1000);
                let answer = format!("HTTP/1.1 200 OK\r\n{many}content-length: 0\r\n\r\n");
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        let count = stream.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
        if body.len() >= length.parse::<usize>().unwrap() {
            return Some(text);
        }
    }
}
