//! `outlast try`

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::failure::Failure;
use super::print;
use crate::clock;
use crate::config::Config;
use crate::error::Error;
use crate::parcel::{LARGEST_BODY, Parcel};
use crate::route::Event;
use crate::routing::{Fate, Outgoing, Trial};
use crate::taxonomy;

/// Show what would become of events on each route, without storing or sending anything
#[derive(clap::Args)]
#[command(after_help = "Examples:
  outlast try events.jsonl
  outlast try - --route purchases < event.json
  outlast try --event event.json --json

For each route: matched, or the term that failed; the fields as its action takes them; the exact request, with the token masked.
A file holds one event, also over several lines, or one event a line.

Exit code 1 if something is no event, or would fail without a request.")]
pub(crate) struct Args {
    /// The events, - for stdin
    #[arg(required_unless_present = "event", conflicts_with = "event")]
    file: Option<PathBuf>,
    /// The same
    #[arg(long, value_name = "FILE")]
    event: Option<PathBuf>,
    /// Only this route
    #[arg(long, value_name = "ROUTE")]
    route: Option<String>,
    /// One JSON object an event
    #[arg(long)]
    json: bool,
}

/// What would become of one event.
#[derive(Serialize)]
struct Tried {
    number: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<Refused>,
    routes: Vec<Trial>,
}

/// Why something is no event.
#[derive(Serialize)]
struct Refused {
    code: &'static str,
    message: String,
}

pub(crate) fn run(config: &Path, args: Args) -> Result<(), Failure> {
    let config = Config::load(config)?;
    let builder = config.description();
    let path = args.file.or(args.event).unwrap_or_else(|| "-".into());
    let text = read(&path)?;
    let now = clock::wall();
    let mut sound = true;
    for (number, event) in events(&text).into_iter().enumerate() {
        let number = number.saturating_add(1);
        let read = Event::read(event).map_err(|why| Refused { code: why.code, message: why.message });
        let tried = match read.and_then(|event| fits(event, &config)) {
            Ok(event) => {
                let mut routes = builder.try_event(&event, now)?;
                routes.retain(|trial| args.route.as_ref().is_none_or(|route| *route == trial.route));
                Tried { number, refused: None, routes }
            }
            Err(refused) => Tried { number, refused: Some(refused), routes: Vec::new() },
        };
        let fails = |trial: &Trial| matches!(trial.fate, Fate::Refused { .. });
        sound &= tried.refused.is_none() && !tried.routes.iter().any(fails);
        if args.json { print::json(&tried)? } else { tell(&tried)? }
    }
    if sound { Ok(()) } else { Err(Failure::told()) }
}

/// The engine's limits hold at its door, too.
fn fits(event: Event, config: &Config) -> Result<Event, Refused> {
    let unfit = |why: Error| Refused { code: why.code().unwrap_or(taxonomy::PARCEL_INVALID), message: why.to_string() };
    let mut parcel = Parcel::to("any").bytes(event.body());
    parcel.once = event.key().map(str::to_owned);
    parcel.check(config.limits.body).map_err(unfit).map(|()| event)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |why: io::Error| Failure::new(format!("{} cannot be read: {why}", path.display()));
    let mut text = Vec::new();
    if path == Path::new("-") {
        io::stdin().lock().read_to_end(&mut text).map_err(failed)?;
    } else {
        File::open(path).and_then(|mut file| file.read_to_end(&mut text)).map_err(failed)?;
    }
    Ok(text)
}

/// The events of a file: all of it, if that is JSON, else its lines.
fn events(text: &[u8]) -> Vec<&[u8]> {
    let whole = text.trim_ascii();
    let lines = || whole.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let one = whole.len() <= LARGEST_BODY && serde_json::from_slice::<serde::de::IgnoredAny>(whole).is_ok();
    if one || lines().count() == 1 { vec![whole] } else { lines().collect() }
}

fn tell(tried: &Tried) -> Result<(), Failure> {
    let mut out = Vec::new();
    // Writing to memory does not fail.
    let _ = write(&mut out, tried);
    print::line(String::from_utf8_lossy(&out).trim_end())
}

fn write(out: &mut Vec<u8>, tried: &Tried) -> io::Result<()> {
    writeln!(out, "event {}", tried.number)?;
    if let Some(Refused { code, message }) = &tried.refused {
        return writeln!(out, "  refused at the door, nothing would be stored ({code})\n    {message}");
    }
    if tried.routes.is_empty() {
        return writeln!(out, "  there is no such route; add [[route]], or presets = true to a destination");
    }
    for Trial { route, destination, action, fate } in &tried.routes {
        writeln!(out, "  {route} -> {destination} ({action})")?;
        match fate {
            Fate::Disabled => writeln!(out, "    switched off")?,
            Fate::NotSubscribed { because } => writeln!(out, "    {because}")?,
            Fate::Refused { code, detail } => {
                writeln!(out, "    matched; would fail without a request ({code})\n      {detail}")?;
            }
            Fate::Sent { payload, undeclared, lane, batch_key, request } => {
                writeln!(out, "    matched")?;
                if payload.is_null() {
                    writeln!(out, "    fields   none: the event goes as it came")?;
                } else {
                    writeln!(out, "    fields   {payload}")?;
                }
                if !undeclared.is_empty() {
                    writeln!(out, "    unknown  {} (taken away)", undeclared.join(", "))?;
                }
                if let Some(lane) = lane {
                    writeln!(out, "    lane     {lane}")?;
                }
                match batch_key.as_deref() {
                    None => writeln!(out, "    batch    alone")?,
                    Some("") => {}
                    Some(key) => writeln!(out, "    batch    {key}")?,
                }
                request.as_ref().map_or(Ok(()), |request| write_request(out, request))?;
            }
        }
    }
    Ok(())
}

fn write_request(out: &mut Vec<u8>, request: &Outgoing) -> io::Result<()> {
    writeln!(out, "    request  {} {}", request.method, request.url)?;
    for (name, value) in &request.headers {
        writeln!(out, "             {name}: {value}")?;
    }
    if request.body.is_null() { Ok(()) } else { writeln!(out, "             {}", request.body) }
}
