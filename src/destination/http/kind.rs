//! Declared destinations as a kind: their settings.

use std::sync::Arc;

use serde_json::{Map, Value};
use url::Url;

use super::{Batch, Body, Declared, Dedupe, Description, Means, Place, Resolve, Results, Row, Unresolved};
use crate::destination::SettingError;
use crate::destination::kinds::{Built, Kind, Needed, Unfit, header_fields, plain_headers, secret_headers, unfit};
use crate::exchange::{Method, Rule};
use crate::route::fields::{Field, Schema, Settings};
use crate::route::mapping::Mapping;
use crate::route::{Action, mapping_code};

/// The kind `http`.
pub(in crate::destination) const HTTP: Kind = Kind::new(
    [
        "http",
        "HTTP",
        "Any API that takes JSON: method, address, headers and body are templates, and a table says what its answers mean.",
    ],
    Needed::Perhaps,
    settings,
    || vec![action()],
    build,
);

const METHODS: [(&str, Method); 5] = [
    ("GET", Method::Get),
    ("POST", Method::Post),
    ("PUT", Method::Put),
    ("PATCH", Method::Patch),
    ("DELETE", Method::Delete),
];

/// The one thing that it does.
pub(super) fn action() -> Action {
    Action::new("send", "Send").describe(
        "Makes the request that is declared. Its templates see what the route's mapping gives, or, without a mapping, the event.",
    )
}

fn settings() -> Schema {
    let [headers, secret_headers] = header_fields();
    Schema::new([
        Field::text("method")
            .label("Method")
            .describe("How it is asked.")
            .choices(METHODS.map(|(name, _)| name))
            .default("POST"),
        Field::text("url")
            .label("Address")
            .describe(
                "Where. `{{path}}` in its path or query stands for a value of the event, percent-encoded; the host is fixed.",
            )
            .example("https://api.example.com/v1/people/{{userId}}/events")
            .remedy("Write the address of the API.")
            .required(),
        headers,
        secret_headers,
        Field::object("body")
            .label("Body")
            .describe("The body of one item, as a mapping. Without it, the event itself; no body for GET and DELETE.")
            .open(),
        Field::boolean("bodiless").label("No body").describe("Whether requests have no body.").default(false),
        Field::boolean("bearer")
            .label("Bearer")
            .describe("Whether requests carry the credential's token. Without a credential, they do not.")
            .default(true),
        dedupe(),
        batch(),
        answers("answers", "What answers mean: the first row that fits. Where none does, the status does."),
        pointer("retry_after").label("Retry After").describe(
            "Where in an answer's body stands how long to wait: seconds, or a date. `Retry-After` counts, too.",
        ),
        pointer("message").label("Message").describe("Where in an answer's body stands what to tell people."),
    ])
}

fn pointer(key: &str) -> Field {
    Field::text(key).example("/error/code").unit("JSON pointer")
}

fn dedupe() -> Field {
    Field::object("dedupe")
        .label("Dedupe")
        .describe("By what the provider tells repeats: a header, or a member of the body.")
        .properties([
            Field::text("header").label("Header").describe("The header that it stands in.").example("idempotency-key"),
            pointer("body").label("Body").describe("Where in the body it stands."),
            Field::object("value")
                .label("Value")
                .describe(
                    "What stands there, as a mapping. Without it, the delivery's name, the same for every attempt.",
                )
                .open(),
        ])
}

fn batch() -> Field {
    Field::object("batch")
        .label("Batch")
        .describe("How items share a request. Without it each has one of its own.")
        .properties([
            Field::integer("items").label("Items").describe("So many at most.").minimum(1).maximum(5000).required(),
            Field::integer("bytes").label("Bytes").describe("So many bytes of events at most.").minimum(1),
            Field::text("linger").label("Linger").describe("The first waits so long for others.").example("500ms"),
            pointer("at").label("At").describe("Where in the body the list stands. Without it, the list is the body."),
            Field::object("around").label("Around").describe("What stands around the list.").open(),
            Field::object("results")
                .label("Results")
                .describe("Where the answer says what became of each item.")
                .properties([
                    pointer("list").label("List").describe("Where the list stands. Without it, the body is the list."),
                    pointer("status").label("Status").describe("Where in an element its status stands."),
                    pointer("message").label("Message").describe("Where in an element stands what to tell people."),
                    answers("answers", "What elements mean, their pointers beginning at the element."),
                ]),
        ])
}

fn answers(key: &str, about: &str) -> Field {
    Field::object(key).label("Answers").describe(about).multiple().properties([
        Field::text("status")
            .label("Status")
            .describe("The statuses that the row is about.")
            .example("400-499")
            .default("100-599"),
        pointer("pointer").label("Pointer").describe("Where in the body the values are looked for."),
        Field::text("values").label("Values").describe("One of these must stand there.").multiple(),
        Field::text("means")
            .label("Means")
            .describe("What such an answer means.")
            .choices(Means::NAMES.map(|(name, _)| name))
            .required(),
    ])
}

fn build(settings: &Settings) -> Result<Built, Unfit> {
    let method = settings.text("method").unwrap_or("POST");
    let method = METHODS.iter().find(|(name, _)| *name == method).map_or(Method::Post, |(_, method)| *method);
    let url = settings.text("url").unwrap_or_default();
    let mut description = Description::new(method, url);
    description.headers = plain_headers(settings).map(|(name, value)| (name.clone(), value.clone())).collect();
    description.secret_headers = secret_headers(settings).collect();
    match settings.value("body") {
        Some(body) if settings.flag("bodiless") => {
            let message = format!(
                "stands beside bodiless = true ({} members); leave one out",
                body.as_object().map_or(0, Map::len)
            );
            return Err(Unfit { setting: "body".into(), message });
        }
        Some(body) => description.body = Body::Mapped(body.clone()),
        None if settings.flag("bodiless") => description.body = Body::Nothing,
        None => {}
    }
    description.bearer = settings.flag("bearer");
    description.dedupe = settings.value("dedupe").map(read_dedupe).transpose()?;
    description.batch = settings.value("batch").map(read_batch).transpose()?;
    description.answers = rows("answers", settings.list("answers"))?;
    description.retry_after = settings.text("retry_after").map(str::to_owned);
    description.message = settings.text("message").map(str::to_owned);
    let declared = Declared::mapped(description).map_err(|why| unfit(&why))?;
    let addresses = declared.origin().map(|url| ("url", url)).into_iter().collect();
    Ok(Built { destination: Arc::new(declared), addresses })
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn read_dedupe(value: &Value) -> Result<Dedupe, Unfit> {
    let place = match (text(value, "header"), text(value, "body")) {
        (Some(header), None) => Place::Header(header),
        (None, Some(body)) => Place::Body(body),
        _ => {
            let message = "needs a header or a place in the body; write one of `header` and `body`".to_owned();
            return Err(Unfit { setting: "dedupe".into(), message });
        }
    };
    Ok(Dedupe { place, value: value.get("value").cloned() })
}

fn read_batch(value: &Value) -> Result<Batch, Unfit> {
    let whole = |key: &str| value.get(key).and_then(Value::as_u64);
    let items = whole("items").and_then(|items| u32::try_from(items).ok()).unwrap_or(1);
    let mut batch = Batch::up_to(items);
    batch.bytes = whole("bytes").unwrap_or(u64::MAX);
    if let Some(linger) = text(value, "linger") {
        let unfit =
            |why: crate::span::NotReadable| Unfit { setting: "batch".into(), message: format!("linger: {why}") };
        batch.linger = crate::span::span(&linger).map_err(unfit)?;
    }
    batch.at = text(value, "at").unwrap_or_default();
    batch.around = value.get("around").cloned().unwrap_or(Value::Null);
    batch.results = value.get("results").map(read_results).transpose()?;
    Ok(batch)
}

fn read_results(value: &Value) -> Result<Results, Unfit> {
    let list = value.get("answers").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    Ok(Results {
        list: text(value, "list").unwrap_or_default(),
        status: text(value, "status"),
        answers: rows("batch", list)?,
        message: text(value, "message"),
    })
}

fn rows(setting: &str, list: &[Value]) -> Result<Vec<Row>, Unfit> {
    list.iter().map(|row| read_row(setting, row)).collect()
}

fn read_row(setting: &str, row: &Value) -> Result<Row, Unfit> {
    let fault = |message: String| Unfit { setting: setting.to_owned(), message };
    let written = text(row, "status").unwrap_or_else(|| "100-599".to_owned());
    let values = row.get("values").and_then(Value::as_array).into_iter().flatten();
    let values: Vec<String> = values.filter_map(Value::as_str).map(str::to_owned).collect();
    let rule = Rule::written(&written, text(row, "pointer"), values).map_err(fault)?;
    let means = text(row, "means").unwrap_or_default();
    let known = Means::NAMES.iter().find(|(name, _)| *name == means);
    let means = known.map(|(_, means)| *means).ok_or_else(|| fault(format!("means `{means}` is not known")))?;
    Ok(Row { rule, means })
}

impl Declared {
    /// The destination of this description, whose templates are [mappings](crate::route::mapping).
    ///
    /// # Errors
    /// A part of it cannot be used; the error names it and says what to write.
    pub fn mapped(description: Description) -> Result<Declared, SettingError> {
        Declared::new(description, &compile)
    }

    /// Where its requests go: scheme, host and port, which no template changes.
    #[must_use]
    pub fn origin(&self) -> Option<Url> {
        self.address.origin()
    }
}

/// The member that a list stands in: by itself a mapping makes an object of it.
const LIST: &str = "list";

/// Reads a template: objects and lists are mappings, text with placeholders is a `@template`, and anything else stands for
/// itself.
fn compile(template: &Value) -> Result<Resolve, String> {
    let mapping = match template {
        Value::Object(_) => template.clone(),
        Value::Array(_) => serde_json::json!({ LIST: template }),
        Value::String(text) if text.contains("{{") => serde_json::json!({ "@template": text }),
        fixed => {
            let fixed = fixed.clone();
            return Ok(Arc::new(move |_| Ok(Some(fixed.clone()))));
        }
    };
    let is_list = template.is_array();
    let mapping = Mapping::new(&mapping).map_err(|why| why.to_string())?;
    Ok(Arc::new(move |event| {
        let unresolved = |why| Unresolved { code: mapping_code(&why), message: why.to_string() };
        let found = mapping.resolve(event).map_err(unresolved)?;
        Ok(if is_list { found.and_then(|mut found| found.get_mut(LIST).map(Value::take)) } else { found })
    }))
}
