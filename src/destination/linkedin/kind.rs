//! LinkedIn's destinations as kinds: their settings.

use std::sync::Arc;

use url::Url;

use super::settings::{Builder, SettingError};
use crate::destination::kinds::{Built, Kind, Needed, Unfit};
use crate::route::fields::{Field, Format, Schema, Settings};

/// LinkedIn's API, where nothing else is set.
const API: &str = "https://api.linkedin.com/rest";

/// The kind `linkedin-conversions`.
pub(in crate::destination) const CONVERSIONS: Kind = Kind::new(
    [
        "linkedin-conversions",
        "LinkedIn Conversions",
        "Streams conversions to LinkedIn's Conversions API, where they count for a conversion rule of an ad account.",
    ],
    Needed::Always,
    conversions,
    Vec::new,
    build_conversions,
);

fn conversions() -> Schema {
    Schema::new([
        Field::text("conversion_rule")
            .label("Conversion Rule")
            .describe("The number of the conversion rule that events count for.")
            .example("789123")
            .remedy("Write the number of the conversion rule that events count for.")
            .required(),
        api_base(),
        version("202603"),
        batch_size(5000),
        compat(),
    ])
}

fn api_base() -> Field {
    Field::text("api_base").label("API").describe("Where the API is.").format(Format::Uri).default(API)
}

fn version(default: &str) -> Field {
    Field::text("version")
        .label("Version")
        .describe("The `LinkedIn-Version`: a year and a month. LinkedIn keeps a version for about a year.")
        .default(default)
}

fn batch_size(most: u32) -> Field {
    Field::integer("batch_size")
        .label("Batch Size")
        .describe("The most events in one request.")
        .default(most)
        .minimum(1)
        .maximum(most)
}

fn compat() -> Field {
    Field::boolean("compat")
        .label("Compatible")
        .describe("Sends what the reference implementation would, its mistakes included. For comparing.")
        .default(false)
}

fn build_conversions(settings: &Settings) -> Result<Built, Unfit> {
    let base = settings.text("api_base").unwrap_or(API);
    let mut builder: Builder = super::conversions()
        .rule(settings.text("conversion_rule").unwrap_or_default())
        .api(base)
        .compat(settings.flag("compat"));
    if let Some(version) = settings.text("version") {
        builder = builder.version(version);
    }
    if let Some(size) = settings.integer("batch_size").and_then(|size| u32::try_from(size).ok()) {
        builder = builder.batch_size(size);
    }
    let destination = Arc::new(builder.build().map_err(|why| unfit(&why))?);
    Ok(Built { destination, addresses: addresses(base) })
}

fn addresses(base: &str) -> Vec<(&'static str, Url)> {
    Url::parse(base.trim()).ok().map(|url| ("api_base", url)).into_iter().collect()
}

fn unfit(why: &SettingError) -> Unfit {
    let setting = match why.setting() {
        "rule" => "conversion_rule",
        "api" => "api_base",
        same => same,
    };
    Unfit { setting: setting.to_owned(), message: format!("{} {}", why.problem(), why.remedy()) }
}
