//! The actions of LinkedIn Audiences, and the fields that they take.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::{COMPANIES, USERS};
use crate::route::Action;
use crate::route::fields::{Condition, Field};

pub(super) static ACTIONS: LazyLock<[Action; 2]> = LazyLock::new(|| [users(), companies()]);

fn users() -> Action {
    Action::new(USERS, "Update LinkedIn Audience")
        .describe(
            "Adds a person to a LinkedIn audience, or removes them. The audience is made when it is first needed.",
        )
        .when("event = \"Audience Entered\" or event = \"Audience Exited\"")
        .fields([
            Field::text("dmp_segment_name")
                .label("DMP Segment Display Name")
                .describe("What the audience is called at LinkedIn when it is made. It is not renamed later.")
                .default(key()),
            batching(),
            Field::text("email")
                .label("User Email")
                .describe("The person's e-mail address, or its SHA-256 in hexadecimal. It is sent as its hash.")
                .default(either("$.context.traits.email", "$.traits.email")),
            profile("first_name", "User First Name", "Given name.", "$.traits.firstName"),
            profile("last_name", "User Last Name", "Family name.", "$.traits.lastName"),
            profile("title", "User Title", "Job title.", "$.traits.title"),
            profile("company", "User Company", "Employer.", "$.traits.company"),
            profile("country", "User Country", "Two letters (ISO 3166).", "$.traits.country").example("DE"),
            Field::text("google_advertising_id")
                .label("User Google Advertising ID")
                .describe("The id of the person's device.")
                .default(json!({"@path": "$.context.device.advertisingId"})),
            Field::text("source_segment_id")
                .label("LinkedIn Source Segment ID")
                .describe("The audience that the event is about. Under `AUTO` it must be the audience's key.")
                .default(key()),
            Field::text("personas_audience_key")
                .label("Segment Engage Audience Key")
                .describe("The audience's key. LinkedIn's segment is found by it.")
                .required()
                .default(key())
                .remedy("give the event `properties.audience_key`, or map the field to the audience's key."),
            Field::text("event_name")
                .label("Event Name")
                .describe("Under `AUTO` it says what happens: `Audience Exited` removes, all others add.")
                .default(json!({"@path": "$.event"})),
            Field::text("dmp_user_action")
                .label("DMP User Action")
                .describe("Whether the person is added or removed, or the event's name says so.")
                .choices([("AUTO", "Auto Detect"), ("ADD", "Add"), ("REMOVE", "Remove")])
                .default("AUTO"),
        ])
}

fn companies() -> Action {
    Action::new(COMPANIES, "Update LinkedIn Company Audience")
        .describe("Adds a company to a LinkedIn audience, or removes it. The audience is made when it is first needed.")
        .when("type = \"track\"")
        .fields([
            identifiers(),
            Field::text("dmp_company_action")
                .label("Company Segment Action")
                .describe("Whether the company is added or removed.")
                .required()
                .choices([("ADD", "Add"), ("REMOVE", "Remove")])
                .remedy("set it to ADD or REMOVE, or map it to a field that is one of both."),
            Field::text("audience_source")
                .label("Audience Source")
                .describe("Where the audience comes from, which decides what it is found by.")
                .required()
                .choices(["ENGAGE_RETL", "CONNECTIONS"])
                .default("ENGAGE_RETL"),
            Field::text("segment_name")
                .label("Segment Name")
                .describe("The name of the audience at LinkedIn, where it is chosen by hand.")
                .required_when(Condition::is("audience_source", "CONNECTIONS"))
                .remedy("map it to the name of the segment, or set `audience_source` to ENGAGE_RETL."),
            Field::text("computation_key")
                .label("Computation Key")
                .describe("The audience's key.")
                .required_when(Condition::is("audience_source", "ENGAGE_RETL"))
                .default(json!({"@path": "$.context.personas.computation_key"}))
                .remedy("give the event `context.personas.computation_key`, or map the field to the audience's key."),
            batching(),
            Field::number("batch_size")
                .label("Batch Size")
                .describe("It is not sent, and the destination's setting holds.")
                .default(5000),
            Field::text("batch_keys")
                .label("Batch Keys")
                .describe("What events of one request agree on, beside the audience.")
                .multiple()
                .default(json!(["dmp_company_action", "audience_source", "segment_name", "computation_key"])),
        ])
}

fn identifiers() -> Field {
    Field::object("identifiers")
        .label("Identifiers")
        .describe("Which company: one of both is enough.")
        .required()
        .default(json!({
            "companyDomain": either("$.traits.company_domain", "$.properties.company_domain"),
            "linkedInCompanyId": either("$.traits.linkedin_company_id", "$.properties.linkedin_company_id"),
        }))
        .properties([
            Field::text("companyDomain")
                .label("Company Domain")
                .describe("Its domain on the web.")
                .example("example.org"),
            Field::text("linkedInCompanyId")
                .label("LinkedIn Company ID")
                .describe("Its number at LinkedIn, or its URN.")
                .example("1035"),
        ])
}

fn profile(key: &str, label: &str, description: &str, path: &str) -> Field {
    Field::text(key).label(label).describe(description).default(json!({"@path": path}))
}

fn batching() -> Field {
    Field::boolean("enable_batching")
        .label("Enable Batching")
        .describe("Whether events share requests. It is not sent.")
        .default(true)
}

/// The audience's key, of an audience or of a step of a journey.
fn key() -> Value {
    either("$.properties.audience_key", "$.context.personas.computation_key")
}

/// What stands at the first path, if anything does, else at the second.
fn either(first: &str, second: &str) -> Value {
    json!({"@if": {"exists": {"@path": first}, "then": {"@path": first}, "else": {"@path": second}}})
}
