use clap::CommandFactory as _;

use super::control::{Fault, Grant, Hello, Kind, Offer, Request, Response};
use super::*;
use crate::secret::Secret;
use crate::view::{Filter, Redrive, Scope};
use outlast_state::{Span, Time};

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn each_command_that_takes_more_than_a_name_shows_an_example() {
    for command in Cli::command().get_subcommands().filter(|command| !command.has_subcommands()) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(help.contains("Example"), "{} has no example", command.get_name());
        assert!(help.contains("outlast "), "{} has no example", command.get_name());
    }
}

/// What a question looks like after it went over the wire and back.
fn again(request: &Request) -> (String, String) {
    let first = serde_json::to_string(request).unwrap();
    let read: Request = serde_json::from_str(&first).unwrap();
    (first, serde_json::to_string(&read).unwrap())
}

#[test]
fn questions_survive_the_wire() {
    let id = select::delivery("01K8ZQ4C2R7N3D5F6G8H9JKMNP").unwrap();
    let offer = Offer { destination: "d".into(), body: "{\"a\":\"ü\\n\"}".into(), once: Some("k".into()), lane: None };
    let filter = Filter { states: vec!["Failed".into()], older_than: Some(Span::from_secs(3)), ..Filter::default() };
    let grant = Grant {
        access: Secret::new("a"),
        refresh: Some(Secret::new("r")),
        issued: Some(Time::from_millis(7)),
        expires: None,
        refresh_expires: None,
        scope: None,
    };
    let lane = Scope::Lane { destination: "d".into(), lane: "l".into() };
    let requests = [
        Request::Hello,
        Request::Submit { offers: vec![offer] },
        Request::Outcomes { ids: vec![id], patience_ms: 5 },
        Request::List { filter },
        Request::Show { id },
        Request::Why { id },
        Request::Counts,
        Request::Credentials,
        Request::Cancel { ids: vec![id, id] },
        Request::Redrive {
            ids: vec![id],
            redrive: Redrive { time_to_live: Some(Span::from_secs(1)), may_duplicate: true },
        },
        Request::Pause { scope: lane },
        Request::Resume { scope: Scope::Credential("c".into()) },
        Request::Pauses,
        Request::Authorise { credential: "acme".into(), grant },
    ];
    for request in requests {
        let (first, second) = again(&request);
        assert_eq!(first, second);
        assert!(!first.contains('\n'), "one line each: {first}");
    }
}

#[test]
fn answers_survive_the_wire() {
    let fault = Fault { kind: Kind::Busy, code: Some("ENGINE_BUSY".into()), message: "full".into() };
    let id = select::delivery("01K8ZQ4C2R7N3D5F6G8H9JKMNP").unwrap();
    let answers: [Result<Response, Fault>; 6] = [
        Ok(Hello { pid: 1, protocol: 1, version: "0".into() }.into()),
        Ok(Response::Submitted(vec![Ok(id), Err(fault.clone())])),
        Ok(Response::Outcomes(vec![None])),
        Ok(Response::Pauses(vec![Scope::Destination("d".into())])),
        Ok(Response::Held(3)),
        Err(fault),
    ];
    for answer in answers {
        let line = serde_json::to_string(&answer).unwrap();
        assert_eq!(serde_json::from_str::<Result<Response, Fault>>(&line).unwrap(), answer);
    }
}

#[test]
fn a_question_of_another_release_is_not_guessed_at() {
    for line in ["{}", "{\"ask\":\"dance\"}", "{\"ask\":\"show\"}", "{\"ask\":\"list\",\"filter\":{\"colour\":1}}"] {
        assert!(serde_json::from_str::<Request>(line).is_err(), "{line}");
    }
}

#[test]
fn what_init_writes_is_sound() {
    let environment = |name: &str| name.starts_with("LINKEDIN_CLIENT_").then(|| "value".to_owned());
    let config = crate::config::Config::read(Path::new("outlast.toml"), init::TEMPLATE, &environment);
    let config = config.unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(config.warnings(), Vec::<String>::new());
}

#[test]
fn every_key_that_init_comments_out_is_known_and_shows_its_default() {
    let environment = |name: &str| match name {
        "WEBHOOK_SECRET" => Some("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD".to_owned()),
        client => client.starts_with("LINKEDIN_CLIENT_").then(|| "value".to_owned()),
    };
    let uncommented: Vec<String> = init::TEMPLATE.lines().map(uncommented).collect();
    // There is one key.
    let another = ["\nkey_env = ", "\nkey_command = ", "\nkey_keyring = "];
    let text =
        another.iter().fold(uncommented.join("\n"), |text, key| text.replace(key, &format!("\n# {}", &key[1..])));
    let config = crate::config::Config::read(Path::new("outlast.toml"), &text, &environment);
    let config = config.unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(config.limits, crate::Limits::default());
}

/// A line of the form `# key = value` or `# [table]` without its mark.
fn uncommented(line: &str) -> String {
    let is_key = |rest: &str| rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
    let key = line.strip_prefix("# ").filter(|rest| is_key(rest) || rest.starts_with('['));
    key.unwrap_or(line).to_owned()
}
