//! The pages `docs/destinations/<kind>.md`: made of each kind's own schemas, and held against them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{Kind, Needed, common};
use crate::route::Action;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

#[test]
fn each_page_is_what_its_kind_says() {
    for kind in Kind::ALL {
        let path = folder().join("destinations").join(format!("{}.md", kind.name));
        let page = page(kind);
        if std::env::var_os("OUTLAST_BLESS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &page).unwrap();
        }
        let written = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == page,
            "{} is not what the schemas say. If they are right, run\n    \
             OUTLAST_BLESS=1 cargo test --lib destination::pages\nand commit the page",
            path.display()
        );
    }
}

#[test]
fn there_is_a_page_for_each_kind_and_no_other_and_the_guide_names_them() {
    let files = fs::read_dir(folder().join("destinations")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut files: Vec<String> = files.map(|name| name.into_string().unwrap()).collect();
    let mut expected = Kind::ALL.map(|kind| format!("{}.md", kind.name)).to_vec();
    files.sort();
    expected.sort();
    assert_eq!(files, expected);
    let guide = fs::read_to_string(folder().join("DESTINATIONS.md")).unwrap();
    for kind in Kind::ALL {
        let row = format!("| [`{0}`](destinations/{0}.md) | {1} |", kind.name, kind.about);
        assert!(guide.contains(&row), "docs/DESTINATIONS.md lacks the row\n{row}");
    }
}

#[test]
fn a_mapping_is_written_as_toml_that_means_the_same() {
    let actions = Kind::ALL.into_iter().flat_map(|kind| kind.actions());
    for action in actions {
        let text = format!("[route.mapping]\n{}", mapping(&action.mapping()));
        let read: toml::Table = text.parse().unwrap_or_else(|why| panic!("{why}\n{text}"));
        let read = serde_json::to_value(read).unwrap();
        let read = read.pointer("/route/mapping").cloned().unwrap_or_default();
        assert_eq!(read, Value::Object(action.mapping()), "{}", action.slug());
    }
}

fn page(kind: Kind) -> String {
    let mut page = format!("# {}\n\n{}\n\n", kind.title, kind.about);
    let about = "This page is made of the schemas that the program checks configurations and events by. Do not edit it: change \
                 them, then run\n`OUTLAST_BLESS=1 cargo test --lib destination::pages`. What routes, subscriptions and mappings \
                 are is told in [Routes](../ROUTES.md).";
    writeln!(page, "{about}\n\n```toml\n{}```\n", example(kind)).unwrap();
    let credential = match kind.credential {
        Needed::Always => "Its requests carry a credential's token: `credential` must name one.",
        Needed::Perhaps => "Its requests may carry a credential's token: `credential` names it.",
        Needed::Never => "Its requests carry no token: it takes no `credential`.",
    };
    writeln!(page, "{credential}\n\n## Settings\n\n{}", kind.settings().reference()).unwrap();
    writeln!(page, "Settings of every destination:\n\n{}", common().reference()).unwrap();
    for action in kind.actions() {
        describe(&mut page, &action);
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

/// The least that has to be written, with the examples of the schema.
fn example(kind: Kind) -> String {
    let mut lines = format!("[destination.example]\nkind = \"{}\"\n", kind.name);
    if kind.credential == Needed::Always {
        lines.push_str("credential = \"acme\"\n");
    }
    let schema = kind.settings().json_schema("");
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    for key in required.filter_map(Value::as_str) {
        let example = schema.pointer(&format!("/properties/{key}/examples/0")).map(inline);
        let list = schema.pointer(&format!("/properties/{key}/type")) == Some(&"array".into());
        let secret = if list { "[\"${NAME}\"]" } else { "\"${NAME}\"" };
        writeln!(lines, "{key} = {}", example.unwrap_or_else(|| secret.to_owned())).unwrap();
    }
    lines
}

fn describe(page: &mut String, action: &Action) {
    writeln!(page, "## Action `{}`: {}\n\n{}\n", action.slug(), action.title(), action.description()).unwrap();
    match action.subscription() {
        Some(text) => {
            writeln!(page, "It takes events that match, if its route says nothing else:\n\n```text\n{text}\n```\n")
                .unwrap();
        }
        None => writeln!(page, "It takes every event, if its route says nothing else.\n").unwrap(),
    }
    if action.schema().fields().is_empty() {
        writeln!(page, "It has no fields of its own: a route's mapping may name any.\n").unwrap();
    } else {
        writeln!(page, "### Fields\n\n{}", action.schema().reference()).unwrap();
        writeln!(page, "### Default mapping\n\nA route's own mapping is laid over it, field by field.\n").unwrap();
        writeln!(page, "```toml\n[route.mapping]\n{}```\n", mapping(&action.mapping())).unwrap();
    }
    if let [first, rest @ ..] = action.saved() {
        let names = rest.iter().fold(format!("`{first}`"), |names, name| format!("{names}, `{name}`"));
        writeln!(page, "A mapping may also hold {names}: what was made for the route, passed on as it stands.\n")
            .unwrap();
    }
}

/// A line for each field.
fn mapping(members: &Map<String, Value>) -> String {
    let lines: Vec<String> = members.iter().map(|(key, value)| format!("{} = {}", name(key), inline(value))).collect();
    if lines.is_empty() { String::new() } else { format!("{}\n", lines.join("\n")) }
}

fn name(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if bare { key.to_owned() } else { Value::from(key).to_string() }
}

/// A value as TOML on one line. TOML has no null; no default is one.
fn inline(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let members = members.iter().map(|(key, value)| format!("{} = {}", name(key), inline(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        scalar => scalar.to_string(),
    }
}
