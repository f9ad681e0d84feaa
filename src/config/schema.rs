//! The configuration file as a schema in JSON (draft 2020-12), with which editors complete and check it.
//!
//! The tables of destinations are made of the schemas that the reader checks them by. The other tables are written down
//! here, and a test holds their keys against those that the reader asks for.

mod credentials;

use serde_json::{Map, Value, json};

use super::alerts::EARLIEST;
use crate::alert::Alerts;
use crate::destination::{Kind, Needed, common};
use crate::parcel::LARGEST_BODY;
use crate::route::fields::{Field, Schema};
use crate::store::StoreKind;

/// A length of time, or one that the environment gives.
const SPAN: &str = r"^\s*([0-9]+(ms|s|m|h|d))+\s*$|\$\{";
/// A text that names the environment may become anything.
const ENVIRONMENT: &str = r"\$\{";

/// The schema of the whole file.
pub(crate) fn schema() -> Value {
    let named = |about: &str, of: &str| {
        json!({"type": "object", "description": about, "propertyNames": {"minLength": 1},
            "additionalProperties": {"$ref": format!("#/$defs/{of}")}})
    };
    let definition = |kind: &str| format!("destination.{kind}");
    let kinds: Vec<Value> =
        Kind::ALL.iter().map(|kind| json!({"$ref": format!("#/$defs/{}", definition(kind.name))})).collect();
    let mut definitions: Map<String, Value> =
        Kind::ALL.iter().map(|kind| (definition(kind.name), destination(*kind))).collect();
    definitions.insert("destination".into(), json!({"type": "object", "required": ["kind"], "oneOf": kinds}));
    definitions.insert("credential".into(), credentials::credential());
    definitions.insert("profile".into(), credentials::profile());
    definitions.insert("route".into(), route());
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "outlast.toml",
        "description": "In any text, ${NAME} stands for the environment variable NAME, and $${ for ${ itself.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "store": store(), "vault": vault(), "limits": limits(), "alerts": alerts(),
            "network": network(),
            "credential": named("OAuth grants, by their names.", "credential"),
            "profile": named("Providers of your own, by their names.", "profile"),
            "destination": named("APIs that events are delivered to, by their names.", "destination"),
            "route": {"type": "array", "description": "Which events go where, and as what.", "items": {"$ref": "#/$defs/route"}},
        },
        "$defs": definitions,
    })
}

fn destination(kind: Kind) -> Value {
    let mut fields = common().fields().to_vec();
    fields.retain(|field| field.key() != "credential" || kind.credential != Needed::Never);
    fields.extend(kind.settings().fields().iter().cloned());
    let mut table = table(kind.about, fields);
    if let Some(place) = table.pointer_mut("/properties/kind") {
        *place = json!({"const": kind.name, "title": kind.title, "description": kind.about});
    }
    if kind.credential == Needed::Always {
        demand(&mut table, "credential");
    }
    table
}

fn demand(table: &mut Value, key: &str) {
    match table.get_mut("required").and_then(Value::as_array_mut) {
        Some(required) => required.push(key.into()),
        None => put(table, "required", json!([key])),
    }
}

fn put(table: &mut Value, key: &str, value: Value) {
    if let Some(members) = table.as_object_mut() {
        members.insert(key.to_owned(), value);
    }
}

fn store() -> Value {
    let names: Vec<&str> = StoreKind::ALL.iter().map(|kind| kind.name()).collect();
    let about = "Where records are kept. Only one process can have a store open.";
    let fields = [
        Field::text("path").describe("The data directory, counted from the file's own.").default("outlast-data"),
        Field::text("kind").describe("Which embedded store keeps the records.").choices(names),
        Field::integer("cache_mib")
            .describe("About how much memory it may use as its cache.")
            .unit("MiB")
            .minimum(1)
            .maximum(65_536),
        Field::text("keep_done").describe("For how long delivered ones are kept, at least a minute.").default("7d"),
        Field::text("keep_failed")
            .describe("For how long those that were given up are kept, at least a minute.")
            .default("30d"),
        Field::integer("keep_count")
            .describe("So many that have ended are kept at most; the oldest go first.")
            .minimum(1000),
    ];
    spans(table(about, fields), &["keep_done", "keep_failed"])
}

fn vault() -> Value {
    let mut vault = keys("The key that tokens are sealed with: one of four places.");
    let old = keys("Where an old key is.");
    if let Some(members) = vault.pointer_mut("/properties").and_then(Value::as_object_mut) {
        let about = "Keys that tokens in the store may be sealed with, too, while the key is changed.";
        members.insert("old_keys".into(), json!({"type": "array", "description": about, "items": old}));
    }
    vault
}

/// A table that says where a key is.
fn keys(about: &str) -> Value {
    const KINDS: [&str; 4] = ["key_file", "key_env", "key_command", "key_keyring"];
    let fields = [
        Field::text("key_file").describe("The file with the key, which only its owner may read."),
        Field::text("key_env").describe("The environment variable with the key."),
        Field::text("key_command").describe("A program that writes the key, and its arguments.").multiple(),
        Field::text("key_keyring").describe("The entry of the system's keyring with the key: \"service/account\"."),
    ];
    let mut table = table(about, fields);
    let pairs = KINDS.iter().enumerate().flat_map(|(place, one)| {
        KINDS.iter().skip(place.saturating_add(1)).map(move |other| json!({"required": [one, other]}))
    });
    put(&mut table, "not", json!({"anyOf": pairs.collect::<Vec<_>>()}));
    table
}

fn limits() -> Value {
    let largest = u32::try_from(LARGEST_BODY).unwrap_or(u32::MAX);
    let fields = [
        Field::integer("calls")
            .describe("How many calls may wait for the engine.")
            .default(4096)
            .minimum(1)
            .maximum(1_000_000),
        Field::integer("live")
            .describe("How many deliveries may be live.")
            .default(5_000_000)
            .minimum(1)
            .maximum(1_000_000_000),
        Field::integer("body_bytes")
            .describe("The largest event.")
            .unit("bytes")
            .default(65_536)
            .minimum(1)
            .maximum(largest),
        Field::text("time_to_live").describe("How long a delivery is tried.").default("72h"),
        Field::integer("budget")
            .describe("How many failed attempts end a delivery. Waiting for a token counts as none.")
            .default(72)
            .minimum(1)
            .maximum(10_000),
        Field::text("request_timeout")
            .describe("After this long without an answer a request counts as lost.")
            .default("30s"),
    ];
    spans(table("What the engine takes, and for how long it tries.", fields), &["time_to_live", "request_timeout"])
}

fn alerts() -> Value {
    let fields = [
        Field::text("to").describe("The destination that alerts are delivered to: one of the kind webhook or http."),
        Field::boolean("failed").describe("Whether deliveries that are given up are told.").default(true),
    ];
    let mut table = table("What operators are told without asking. It is in the log in any case.", fields);
    let day = json!({"type": "integer", "minimum": 1, "maximum": EARLIEST});
    let about = "So many days before the end of a grant it is warned of.";
    let days = json!({"type": "array", "items": day, "description": about, "default": Alerts::DAYS});
    if let Some(properties) = table.pointer_mut("/properties") {
        put(properties, "days", days);
    }
    table
}

fn network() -> Value {
    let about = "Requests to this machine itself, also over plain http: for `outlast sandbox` and for tests.";
    table("Where requests may go.", [Field::boolean("allow_loopback").describe(about).default(false)])
}

fn route() -> Value {
    let fields = [
        Field::text("to").describe("The destination.").required(),
        Field::text("name").describe("The route's name; the action's, if it has none."),
        Field::text("action").describe("What the destination does. Needed where it can do several things."),
        Field::text("when").describe("Which events: a subscription. Without it, the action's own.").long(),
        Field::boolean("strict").describe("Whether the subscription must mean what it says.").default(false),
        Field::object("mapping").describe("Which field is what, laid over the action's own mapping.").open(),
        Field::text("omit").describe("Fields of the action's own mapping that are left out.").multiple(),
        Field::boolean("defaults").describe("Whether the action's own mapping counts.").default(true),
        Field::boolean("enabled").describe("Whether it takes events.").default(true),
    ];
    table("When an event is taken, what becomes of it, and for which action of a destination.", fields)
}

/// A table with these keys and no others.
fn table(about: &str, fields: impl IntoIterator<Item = Field>) -> Value {
    let mut table = Schema::new(fields).json_schema("");
    if let Some(members) = table.as_object_mut() {
        members.retain(|key, _| !matches!(key.as_str(), "$schema" | "title"));
        members.insert("description".into(), about.into());
    }
    with_environment(&mut table);
    table
}

/// Says of these keys that they are lengths of time.
fn spans(mut table: Value, keys: &[&str]) -> Value {
    for key in keys {
        if let Some(place) = table.pointer_mut(&format!("/properties/{key}")) {
            put(place, "pattern", SPAN.into());
        }
    }
    table
}

/// What a text must be holds only where it is written out: `${NAME}` is none of the choices, and may become one. As deep as the
/// schemas of destinations go.
fn with_environment(schema: &mut Value) {
    const LIMITS: [&str; 4] = ["enum", "format", "minLength", "maxLength"];
    match schema {
        Value::Object(members) => {
            if members.get("type") == Some(&json!("string")) {
                let limits: Map<String, Value> =
                    LIMITS.iter().filter_map(|key| Some(((*key).to_owned(), members.shift_remove(*key)?))).collect();
                if !limits.is_empty() {
                    members.insert("anyOf".into(), json!([limits, {"pattern": ENVIRONMENT}]));
                }
            }
            members.values_mut().for_each(with_environment);
        }
        Value::Array(items) => items.iter_mut().for_each(with_environment),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Write as _;
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    /// What is wrong with this file, for an editor.
    fn wrong(text: &str) -> Option<String> {
        let file: toml::Table = text.parse().unwrap_or_else(|why| panic!("{why}: {text}"));
        let file = serde_json::to_value(file).unwrap();
        let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
        compiler.add_resource("outlast.json", schema()).unwrap();
        let whole = compiler.compile("outlast.json", &mut schemas).unwrap();
        schemas.validate(&file, whole).err().map(|why| why.to_string())
    }

    /// The keys that the reader asks for in the table that holds the unknown key `zzzzzzzz`.
    fn known(text: &str) -> BTreeSet<String> {
        let read = Config::read(Path::new("outlast.toml"), text, &|_| Some("x".to_owned()));
        let error = read.err().expect("there is a key that nobody knows").to_string();
        let line = error.lines().find(|line| line.contains("zzzzzzzz")).unwrap_or_else(|| panic!("{error}"));
        let (_, list) = line.split_once("known are ").unwrap_or_else(|| panic!("{line}"));
        list.split(", ").map(str::to_owned).collect()
    }

    fn properties(pointer: &str) -> BTreeSet<String> {
        let schema = schema();
        let table = schema.pointer(pointer).unwrap_or_else(|| panic!("{pointer}"));
        assert_eq!(table.get("additionalProperties"), Some(&json!(false)), "{pointer}");
        table.get("properties").unwrap().as_object().unwrap().keys().cloned().collect()
    }

    #[test]
    fn every_key_that_the_reader_knows_is_in_the_schema_and_no_other() {
        assert_eq!(properties(""), known("zzzzzzzz = 1"));
        for name in ["store", "vault", "limits", "alerts", "network"] {
            assert_eq!(properties(&format!("/properties/{name}")), known(&format!("[{name}]\nzzzzzzzz = 1")), "{name}");
        }
        assert_eq!(properties("/$defs/credential"), known("[credential.a]\nzzzzzzzz = 1"));
        assert_eq!(properties("/$defs/profile"), known("[profile.a]\nzzzzzzzz = 1"));
        let token = "/$defs/profile/properties/token";
        assert_eq!(properties(token), known("[profile.a.token]\nzzzzzzzz = 1"));
        let row = "[[profile.a.refuses]]\nstatus = \"401\"\nzzzzzzzz = 1";
        assert_eq!(properties("/$defs/profile/properties/refuses/items"), known(row));
        let hook =
            "[destination.b]\nkind = \"http\"\nurl = \"https://example.com\"\n[[route]]\nto = \"b\"\nzzzzzzzz = 1";
        assert_eq!(properties("/$defs/route"), known(hook));
    }

    #[test]
    fn every_setting_of_every_kind_is_in_the_schema_and_no_other() {
        for kind in Kind::ALL {
            let mut asked = known(&format!("[destination.a]\nkind = \"{}\"\nzzzzzzzz = 1", kind.name));
            if kind.credential == Needed::Never {
                assert!(asked.remove("credential"), "{}", kind.name);
            }
            assert_eq!(properties(&format!("/$defs/destination.{}", kind.name)), asked, "{}", kind.name);
        }
    }

    #[test]
    fn the_file_that_init_writes_fits_also_with_all_that_is_commented_out() {
        let written = include_str!("../cli/init/outlast.toml");
        assert_eq!(wrong(written), None);
        let mut all = String::new();
        for line in written.lines() {
            // A key that is commented out begins with a lower-case word and an equals sign, a table with a bracket.
            let is_code =
                |rest: &&str| rest.starts_with('[') || rest.split_once(" = ").is_some_and(|(key, _)| is_key(key));
            let key = line.strip_prefix("# ").filter(is_code);
            let another = key.is_some_and(|key| key.starts_with("key_"));
            writeln!(all, "{}", key.filter(|_| !another).unwrap_or(line)).unwrap();
        }
        assert!(all.contains("\nkeep_count = ") && all.contains("\n[[route]]"), "{all}");
        assert_eq!(wrong(&all), None);
    }

    fn is_key(text: &str) -> bool {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    }

    #[test]
    fn what_the_documents_show_fits() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let pages = root.join("docs/destinations").read_dir().unwrap().map(|entry| entry.unwrap().path());
        let files = pages.chain(["README.md", "docs/ROUTES.md", "docs/PROFILES.md"].map(|file| root.join(file)));
        let mut shown = vec![include_str!("../../examples/crm/outlast.toml").to_owned()];
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let blocks = text.split("```toml\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0.to_owned()));
            // A mapping by itself shows no file.
            shown.extend(blocks.filter(|block| !block.starts_with("[route.mapping]")));
        }
        assert!(shown.len() > 5, "{shown:?}");
        for text in shown {
            assert_eq!(wrong(&text), None, "{text}");
        }
    }

    const SOUND: &str = r#"
        [vault]
        key_env = "KEY"
        [limits]
        time_to_live = "1h30m"
        [alerts]
        days = [30, 7]
        [credential.acme]
        profile = "generic"
        client_id = "${ID}"
        client_secret = "${SECRET}"
        token_url = "https://example.com/token"
        [profile.mine]
        extends = "hubspot"
        settle = "5s"
        renew_at = 70
        rotation = "rotates"
        idle_life = "none"
        refuses = [{ status = "401" }, { status = 403, pointer = "/code", values = ["dead"] }]
        token = { access_token = "/key" }
        [destination.ads]
        kind = "linkedin-conversions"
        credential = "acme"
        api_base = "${API}"
        presets = true
        [destination.crm]
        kind = "http"
        url = "https://api.example.com/people/{{userId}}"
        method = "PUT"
        body = { email = { "@path" = "$.traits.email" } }
        batch = { items = 10, linger = "500ms" }
        answers = [{ status = "409", means = "accepted" }]
        [[route]]
        to = "crm"
        when = 'type = "track"'
        mapping = { email = { "@path" = "$.traits.email" } }
        omit = ["a"]
    "#;

    #[test]
    fn what_is_wrong_is_seen() {
        assert_eq!(wrong(SOUND), None);
        assert_eq!(wrong(""), None);
        for (from, to) in [
            ("key_env = \"KEY\"", "key_env = \"KEY\"\nkey_file = \"k\""),
            ("\"1h30m\"", "\"1 h\""),
            ("time_to_live", "time_to_life"),
            ("settle = \"5s\"", "settle = 5"),
            ("\"rotates\"", "\"rotats\""),
            ("renew_at = 70", "renew_at = 0"),
            ("status = \"401\"", "state = \"401\""),
            ("idle_life = \"none\"", "idle_life = \"never\""),
            ("token_url = \"https://example.com/token\"", ""),
            ("\"linkedin-conversions\"", "\"linkedin\""),
            ("credential = \"acme\"", ""),
            ("presets = true", "presets = \"yes\""),
            ("\"PUT\"", "\"PUTT\""),
            ("items = 10", "items = 0"),
            ("items = 10", "itmes = 10"),
            ("means = \"accepted\"", "means = \"fine\""),
            ("to = \"crm\"", ""),
            ("omit = [\"a\"]", "omit = [1]"),
            ("days = [30, 7]", "days = [0]"),
            ("days = [30, 7]", "dyas = [30]"),
        ] {
            assert!(SOUND.contains(from), "{from}");
            assert!(wrong(&SOUND.replacen(from, to, 1)).is_some(), "{from} -> {to}");
        }
    }
}
