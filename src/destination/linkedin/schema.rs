//! The action of LinkedIn Conversions, and the fields that it takes.

use std::sync::LazyLock;

use serde_json::json;

use crate::route::Action;
use crate::route::fields::Field;

/// What a route brings along for this action: what an operation on rules reached.
pub(super) const SAVED: &str = "onMappingSave";

/// Streams track events to LinkedIn.
pub(super) static ACTIONS: LazyLock<[Action; 1]> = LazyLock::new(|| [stream_conversion()]);

fn stream_conversion() -> Action {
    Action::new("streamConversion", "Stream Conversion Event")
        .describe("Sends an event to LinkedIn as a conversion, and who converted.")
        .when("type = \"track\"")
        .saves(SAVED)
        .fields([
            happened(),
            value(),
            Field::text("eventId")
                .label("Event ID")
                .describe("What LinkedIn tells repeats by, also those of its browser tag. Without one it is the delivery's name.")
                .default(json!({"@path": "$.messageId"}))
                .remedy("give the event a `messageId` that is a text."),
            Field::text("email")
                .label("Email")
                .describe("The person's e-mail address, or its SHA-256 in hexadecimal. It is sent as its hash.")
                .default(json!({"@path": "$.traits.email"}))
                .remedy("give the event `traits.email` as a text, or map `linkedInUUID`, `acxiomID` or `oracleID`."),
            Field::text("linkedInUUID")
                .label("LinkedIn First Party Ads Tracking UUID")
                .describe("LinkedIn's click id (`li_fat_id`) or first-party cookie.")
                .remedy("map it to a text, such as the click id `li_fat_id`."),
            Field::text("acxiomID")
                .label("Acxiom ID")
                .describe("The person's id at Acxiom.")
                .remedy("map it to a text or leave it out."),
            Field::text("oracleID")
                .label("Oracle ID")
                .describe("The person's id at Oracle MOAT.")
                .remedy("map it to a text or leave it out."),
            user_info(),
            Field::text("externalIds")
                .label("External IDs")
                .describe("The person's ids elsewhere. LinkedIn takes one; the first is sent.")
                .multiple()
                .remedy("map it to a text or a list of texts; only the first is sent."),
            Field::boolean("enable_batching")
                .label("Enable Batching")
                .describe("Whether events share requests. It is not sent.")
                .default(true),
            Field::number("batch_size")
                .label("Batch Size")
                .describe("It is not sent, and the destination's setting holds.")
                .default(5000),
        ])
}

fn happened() -> Field {
    Field::text("conversionHappenedAt")
        .label("Timestamp")
        .describe("When it happened, at most 90 days ago: ISO 8601, or a number of milliseconds since 1970.")
        .required()
        .default(json!({"@path": "$.timestamp"}))
        .remedy("give the event a `timestamp`, in ISO 8601 or in milliseconds since 1970.")
}

fn value() -> Field {
    Field::object("conversionValue")
        .label("Conversion Value")
        .describe(
            "What it is worth. Where it is mapped, each event must have both members: leave it out of the mapping for \
             events that are worth nothing.",
        )
        .default(
            json!({"currencyCode": {"@path": "$.properties.currency"}, "amount": {"@path": "$.properties.revenue"}}),
        )
        .properties([
            Field::text("currencyCode")
                .label("Currency Code")
                .describe("Three letters (ISO 4217).")
                .required()
                .example("EUR")
                .remedy("give the event `properties.currency` as three letters, such as EUR."),
            Field::text("amount")
                .label("Amount")
                .describe("A number, or a decimal text.")
                .required()
                .example("49.5")
                .remedy("give the event `properties.revenue` as a number or a decimal text."),
        ])
        .remedy("map it to an object with `currencyCode` and `amount`, or leave it out.")
}

fn user_info() -> Field {
    const NAMES: &str = "LinkedIn wants first and last name together; map both or leave `userInfo` out.";
    const DETAIL: &str = "map it to a text or leave it out.";
    Field::object("userInfo")
        .label("User Info")
        .describe("Who the person is. LinkedIn matches by it where identifiers do not.")
        .properties([
            Field::text("firstName").label("First Name").describe("Given name.").required().remedy(NAMES),
            Field::text("lastName").label("Last Name").describe("Family name.").required().remedy(NAMES),
            Field::text("companyName").label("Company Name").describe("Employer.").remedy(DETAIL),
            Field::text("title").label("Title").describe("Job title.").remedy(DETAIL),
            Field::text("countryCode")
                .label("Country Code")
                .describe("Two letters (ISO 3166).")
                .example("DE")
                .remedy("map it to a text of two letters, such as DE, or leave it out."),
        ])
        .remedy("map it to an object with `firstName` and `lastName`, or leave it out.")
}
