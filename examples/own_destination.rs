//! A destination of your own: a board that takes lists of notes. It is a few lines of TCP in this process, takes no shouting, and
//! does not say whose, so the list is halved until who shouts is alone. `docs/DESTINATIONS.md` is the guide.

use std::io::{self, BufRead, BufReader, Write};
use std::{error::Error, net::TcpListener, sync::Arc};

use outlast::destination::{Batching, Conclusion, Conversation, Destination, Turn};
use outlast::exchange::{Method, Request};
use outlast::taxonomy::{self, Sent};
use outlast::{Endpoint, Engine, Outcome, Parcel, Scope, store::memory::MemoryStore};

struct Board(url::Url);

impl Destination for Board {
    fn converse(&self, conversation: &Conversation<'_>) -> Turn {
        let items = conversation.items;
        let Some(exchange) = conversation.so_far.last() else {
            let notes = items.iter().map(|item| item.body).chain([&b".\n"[..]]).collect::<Vec<_>>().join(&b'\n');
            return Turn::Ask(Request::new(Method::Post, self.0.clone()).content("text/plain", notes));
        };
        let said = taxonomy::read(&exchange.answer, Sent { items: items.len(), token: false });
        Turn::Conclude(vec![Conclusion::new(said.verdict, said.advice).code(said.code); items.len()])
    }
    fn batching(&self) -> Batching {
        Batching::up_to(50)
    }
}

/// The board: it refuses a list with a note in capitals. A list ends with a full stop.
fn serve(listener: &TcpListener) -> io::Result<()> {
    loop {
        let mut stream = listener.accept()?.0;
        let lines = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| line != ".");
        let loud = lines.skip_while(|line| !line.is_empty()).any(|note| note.contains(char::is_uppercase));
        let status = if loud { "422 No Shouting" } else { "201 Created" };
        write!(stream, "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")?;
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/notes", listener.local_addr()?).parse()?;
    std::thread::spawn(move || serve(&listener));
    let engine = Engine::builder("in memory").store(Arc::new(MemoryStore::new())).allow_loopback(true);
    let engine = engine.destination("board", Endpoint::new(Board(url))).open().await?;
    engine.pause(Scope::Destination("board".into())).await?;
    let (first, second) = ("hello", "BUY NOW");
    let first = (first, engine.submit(Parcel::to("board").bytes(first)).await?);
    let second = (second, engine.submit(Parcel::to("board").bytes(second)).await?);
    engine.resume(Scope::Destination("board".into())).await?;
    for (note, id) in [first, second] {
        match engine.outcome(id).await? {
            Outcome::Done(done) => println!("{note:<12} delivered, attempts {}", done.attempts),
            Outcome::Failed(failed) => println!("{note:<12} {}: {}", failed.code, failed.reason),
        }
    }
    Ok(engine.stop().await?)
}
