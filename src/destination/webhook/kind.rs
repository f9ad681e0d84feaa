//! Webhooks as a kind of destination: their settings.

use std::sync::Arc;

use serde_json::Value;
use url::Url;

use super::Webhook;
use crate::destination::kinds::{Built, Kind, Needed, Unfit, header_fields, plain_headers, secret_headers, unfit};
use crate::route::Action;
use crate::route::fields::{Field, Format, Schema, Settings};

/// The kind `webhook`.
pub(in crate::destination) const WEBHOOK: Kind = Kind::new(
    [
        "webhook",
        "Webhook",
        "Posts each event to an address, signed as Standard Webhooks says (https://www.standardwebhooks.com).",
    ],
    Needed::Never,
    settings,
    || vec![action()],
    build,
);

/// The one thing that it does.
pub(super) fn action() -> Action {
    Action::new("send", "Send").describe(
        "Posts the event as it came, or what the route's mapping makes of it: members that a mapping names are the body.",
    )
}

fn settings() -> Schema {
    let [headers, secret_headers] = header_fields();
    Schema::new([
        Field::text("url")
            .label("Address")
            .describe("Where events are posted to.")
            .format(Format::Uri)
            .example("https://example.com/hooks/42")
            .remedy("Write the address that events are posted to.")
            .required(),
        Field::text("secrets")
            .label("Secrets")
            .describe(
                "The secrets that requests are signed with, newest first: `whsec_` and the base64 of 24 to 64 bytes. While they \
                 rotate, two of them sign each request.",
            )
            .multiple()
            .secret()
            .remedy("Write secrets = [\"${NAME}\"] and set NAME in the environment.")
            .required(),
        headers,
        secret_headers,
    ])
}

fn build(settings: &Settings) -> Result<Built, Unfit> {
    let url = settings.text("url").unwrap_or_default();
    let mut builder = super::to(url).secrets(settings.secrets("secrets").iter().cloned());
    for (name, value) in plain_headers(settings) {
        let Value::String(text) = value else {
            return Err(Unfit { setting: "headers".into(), message: format!("{name} is no text; put it in quotes") });
        };
        builder = builder.header(name, text);
    }
    for (name, value) in secret_headers(settings) {
        builder = builder.secret_header(name, value);
    }
    let destination: Webhook = builder.build().map_err(|why| unfit(&why))?;
    let addresses = Url::parse(url.trim()).ok().map(|url| ("url", url)).into_iter().collect();
    Ok(Built { destination: Arc::new(destination), addresses })
}
