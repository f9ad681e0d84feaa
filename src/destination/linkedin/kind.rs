//! LinkedIn's destinations as kinds: their settings.

use std::sync::Arc;

use url::Url;

use super::settings::{BATCH_MOST, Builder};
use super::{SettingError, schema};
use crate::destination::kinds::{Built, Kind, Needed, Unfit, batching, batching_fields};
use crate::route::Action;
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
    conversions_actions,
    build_conversions,
);

/// The kind `linkedin-audiences`.
pub(in crate::destination) const AUDIENCES: Kind = Kind::new(
    [
        "linkedin-audiences",
        "LinkedIn Audiences",
        "Keeps LinkedIn's audiences of people and companies as the events say. An audience is made when it is first needed.",
    ],
    Needed::Always,
    audiences,
    audiences_actions,
    build_audiences,
);

fn conversions_actions() -> Vec<Action> {
    schema::ACTIONS.to_vec()
}

fn audiences_actions() -> Vec<Action> {
    super::audiences::actions().to_vec()
}

fn conversions() -> Schema {
    let [size, bytes, linger] = batching_fields(BATCH_MOST);
    Schema::new([
        Field::text("conversion_rule")
            .label("Conversion Rule")
            .describe("The number of the conversion rule that events count for, where their route has none of its own.")
            .example("789123")
            .remedy("Write the number of the conversion rule that events count for."),
        api_base(),
        version("202603"),
        size,
        bytes,
        linger,
        compat(),
    ])
}

fn audiences() -> Schema {
    let [size, bytes, linger] = batching_fields(BATCH_MOST);
    Schema::new([
        Field::text("ad_account_id")
            .label("LinkedIn Ad Account Id")
            .describe("The number of the ad account that the audiences belong to.")
            .example("501")
            .remedy("Write the number of the ad account that the audiences belong to.")
            .required(),
        Field::boolean("send_email")
            .label("Send Email")
            .describe("Whether people are named by their e-mail address, as its hash.")
            .default(true),
        Field::boolean("send_google_advertising_id")
            .label("Send Google Advertising ID")
            .describe("Whether people are named by their Google advertising id.")
            .default(true),
        api_base(),
        version("202604"),
        size,
        bytes,
        linger,
        compat(),
    ])
}

fn build_audiences(settings: &Settings) -> Result<Built, Unfit> {
    let base = settings.text("api_base").unwrap_or(API);
    let mut builder = super::audiences()
        .ad_account_id(settings.text("ad_account_id").unwrap_or_default())
        .send_email(settings.flag("send_email"))
        .send_google_advertising_id(settings.flag("send_google_advertising_id"))
        .api(base)
        .compat(settings.flag("compat"));
    if let Some(version) = settings.text("version") {
        builder = builder.version(version);
    }
    builder = builder.batching(batching(settings)?);
    let destination = Arc::new(builder.build().map_err(|why| unfit(&why))?);
    Ok(Built { destination, addresses: addresses(base) })
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

fn compat() -> Field {
    Field::boolean("compat")
        .label("Compatible")
        .describe("Sends what the reference implementation would, its mistakes included. For comparing.")
        .default(false)
}

fn build_conversions(settings: &Settings) -> Result<Built, Unfit> {
    let base = settings.text("api_base").unwrap_or(API);
    let mut builder: Builder = super::conversions().api(base).compat(settings.flag("compat"));
    if let Some(rule) = settings.text("conversion_rule") {
        builder = builder.rule(rule);
    }
    if let Some(version) = settings.text("version") {
        builder = builder.version(version);
    }
    builder = builder.batching(batching(settings)?);
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
