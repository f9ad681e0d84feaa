//! `outlast sandbox`

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::failure::Failure;
use super::print;
use super::signals::Signals;
use crate::clock;
use crate::config::text;
use crate::sandbox::{Options, Sandbox, Span, Visibility};

/// Run a local provider that behaves as badly as real ones do, until SIGINT or SIGTERM
#[derive(clap::Args)]
#[command(after_help = "Examples:
  outlast sandbox --propagation 2..8s --seed 7 --audit audit.jsonl
  outlast sandbox --profile hubspot
  outlast sandbox --listen 127.0.0.1:9000 --control-listen 127.0.0.1:9001 --options options.json

Then, with the control address:
  curl -d '{\"action\":\"issue\"}' http://127.0.0.1:9001/__ctl/token    a grant with tokens
  curl http://127.0.0.1:9001/__ctl/summary                          what was counted")]
pub(crate) struct Args {
    /// How many nodes answer, each of which learns of a new token in its own time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100))]
    nodes: Option<u16>,
    /// How long a node takes to learn of a new token, such as 2..8s
    #[arg(long, value_name = "FROM..TO", value_parser = propagation)]
    propagation: Option<Span>,
    /// How long a new audience segment takes no members, such as 30s
    #[arg(long, value_name = "TIME", value_parser = milliseconds)]
    segment_ready: Option<u64>,
    /// How long the finder takes to learn of a new audience segment, such as 5s
    #[arg(long, value_name = "TIME", value_parser = milliseconds)]
    segment_found: Option<u64>,
    /// Decides everything that looks like chance
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Where the API and the token endpoint listen [default: a free port of 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where the control interface listens [default: a free port of 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    control_listen: Option<SocketAddr>,
    /// Whose provider it is: a profile that ships, or a file in TOML [default: LinkedIn's]
    #[arg(long, value_name = "NAME", conflicts_with = "options")]
    profile: Option<String>,
    /// Know this application before it has a grant
    #[arg(long, value_name = "ID:SECRET", value_parser = client)]
    client: Vec<(String, String)>,
    /// Options, grants, switches and fault rules as JSON; arguments win over it
    #[arg(long, value_name = "FILE")]
    options: Option<PathBuf>,
    /// Append every request and its answer to this file, as JSON lines
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,
    /// The addresses as one line of JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Ready {
    api: String,
    control: String,
    pid: u32,
    /// Where tokens are asked for, where a profile says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_url: Option<String>,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let json = args.json;
    let options = options(args)?;
    let token_path = options.profile.as_ref().map(|profile| {
        if profile.lacks_token_url() { "/oauth/v2/accessToken".to_owned() } else { profile.token_url.path().to_owned() }
    });
    let wall = Arc::new(|| clock::wall().as_millis());
    let sandbox = Sandbox::start(options, wall).await.map_err(|why| Failure::usage(why.to_string()))?;
    let address = |address: SocketAddr| format!("http://{address}");
    let token_url = token_path.map(|path| format!("{}{path}", address(sandbox.api_addr())));
    let (api, control) = (address(sandbox.api_addr()), address(sandbox.control_addr()));
    let ready = Ready { api, control, pid: std::process::id(), token_url };
    let told = if json {
        print::line(&serde_json::to_string(&ready).map_err(|why| Failure::new(why.to_string()))?)
    } else {
        let tokens = ready.token_url.as_ref().map_or_else(String::new, |url| format!(", token_url {url}"));
        print::line(&format!("ready: api {}, control {}, pid {}{tokens}", ready.api, ready.control, ready.pid))
    };
    // It runs whether or not somebody reads this.
    drop(told);
    let name = signals.next().await;
    print::note(&format!("{name}: stopping"));
    signals.or_exit(sandbox.stop()).await;
    Ok(())
}

fn options(args: Args) -> Result<Options, Failure> {
    let mut options = match &args.profile {
        Some(name) => Options::playing(super::profile::found(name)?.1.map_err(Failure::usage)?),
        None => args.options.as_deref().map_or_else(|| Ok(Options::default()), read)?,
    };
    if let Some(nodes) = args.nodes {
        options.switches.nodes = (1..=nodes).map(|number| format!("n{number}")).collect();
    }
    if let Some(span) = args.propagation {
        options.switches.visibility = Visibility::Uniform(span);
    }
    let switches = &mut options.switches;
    switches.segment_ready_delay_ms = args.segment_ready.unwrap_or(switches.segment_ready_delay_ms);
    switches.finder_delay_ms = args.segment_found.unwrap_or(switches.finder_delay_ms);
    options.clients.extend(args.client.into_iter().map(|(id, secret)| (id, secret.into())));
    options.seed = args.seed.unwrap_or(options.seed);
    options.api_listen = args.listen.unwrap_or(options.api_listen);
    options.control_listen = args.control_listen.unwrap_or(options.control_listen);
    options.audit_log = args.audit.or(options.audit_log);
    Ok(options)
}

fn read(path: &Path) -> Result<Options, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|why| Failure::usage(format!("the options cannot be read from {}: {why}", path.display())))?;
    let wrong = |why: &dyn std::fmt::Display| {
        Failure::usage(format!("{}: {why}", path.display()))
            .help("the library's page of `sandbox::Options` lists the options")
    };
    let options: serde_json::Value = serde_json::from_str(&text).map_err(|why| wrong(&why))?;
    Options::from_json(&options).map_err(|why| wrong(&why))
}

fn client(written: &str) -> Result<(String, String), String> {
    let (id, secret) = written.split_once(':').filter(|(id, _)| !id.is_empty()).ok_or("write it as ID:SECRET")?;
    Ok((id.to_owned(), secret.to_owned()))
}

fn milliseconds(written: &str) -> Result<u64, String> {
    text::span(written).map(outlast_state::Span::as_millis).map_err(|why| why.to_string())
}

/// Reads `2..8s`, `500ms..2s` or `3s`; a number without a unit takes the unit of the second.
fn propagation(written: &str) -> Result<Span, String> {
    let (from, to) = written.split_once("..").unwrap_or((written, written));
    let unit = to.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let from = if from.bytes().all(|byte| byte.is_ascii_digit()) { format!("{from}{unit}") } else { from.to_owned() };
    let span = Span { min_ms: milliseconds(&from)?, max_ms: milliseconds(to)? };
    if span.min_ms > span.max_ms {
        return Err(format!("`{written}` ends before it begins"));
    }
    Ok(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn read(arguments: &[&str]) -> Options {
        let line = ["outlast"].iter().chain(arguments);
        let line = <Line as clap::Parser>::try_parse_from(line).expect("the arguments fit");
        options(line.args).unwrap_or_else(|_| panic!("{arguments:?} gives options"))
    }

    #[test]
    fn arguments_win_over_what_is_usual() {
        let switches = read(&["--segment-ready", "30s", "--segment-found", "1500ms", "--nodes", "2"]).switches;
        assert_eq!(
            (switches.segment_ready_delay_ms, switches.finder_delay_ms, switches.nodes.len()),
            (30_000, 1500, 2)
        );
        let clients = read(&["--client", "app:hush:1", "--client", "public:"]).clients;
        let clients: Vec<(&str, &str)> = clients.iter().map(|(id, secret)| (id.as_str(), secret.expose())).collect();
        assert_eq!(clients, [("app", "hush:1"), ("public", "")]);
        assert_eq!(read(&[]).switches, crate::sandbox::Switches::default());
        let wrong = <Line as clap::Parser>::try_parse_from(["outlast", "--segment-ready", "soon"]);
        assert!(wrong.err().is_some_and(|why| why.to_string().contains("soon")));
    }

    #[test]
    fn an_options_file_is_overruled_where_an_argument_speaks() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("options.json");
        let text = r#"{"switches": {"segment_ready_delay_ms": 7, "finder_delay_ms": 8, "ad_accounts": [{"id": 9}]}}"#;
        std::fs::write(&file, text).expect("a file");
        let switches = read(&["--segment-found", "1s", "--options", file.to_str().expect("a path")]).switches;
        assert_eq!((switches.segment_ready_delay_ms, switches.finder_delay_ms), (7, 1000));
        assert_eq!(switches.ad_accounts.first().map(|account| account.id), Some(9));
    }

    #[test]
    fn a_profile_sets_how_tokens_live_and_rotate() {
        let options = read(&["--profile", "generic-rotating", "--nodes", "2"]);
        assert_eq!(options.switches.access_token_life_s, 3600);
        assert_eq!(options.switches.rotate_refresh, crate::sandbox::RotateRefresh::NewOldDeadAfter(30_000));
        assert_eq!(options.profile.map(|profile| profile.name).as_deref(), Some("generic-rotating"));
        let twice = ["outlast", "--profile", "google", "--options", "o.json"];
        assert!(<Line as clap::Parser>::try_parse_from(twice).is_err());
    }

    #[test]
    fn propagation_is_a_range_of_time() {
        for (written, min_ms, max_ms) in
            [("2..8s", 2000, 8000), ("500ms..2s", 500, 2000), ("3s", 3000, 3000), ("0..1m", 0, 60_000)]
        {
            assert_eq!(propagation(written), Ok(Span { min_ms, max_ms }), "{written}");
        }
        for written in ["", "..", "8..2s", "2..8", "x..8s", "2.."] {
            assert!(propagation(written).is_err(), "{written}");
        }
    }
}
