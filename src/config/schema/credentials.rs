//! The tables `[credential.NAME]` and `[profile.NAME]`, for editors.

use serde_json::{Value, json};

use super::{put, spans, table};
use crate::oauth::{ClientAuth, GrantKind, Profile, Rotation};
use crate::route::fields::Field;

/// A length of time, or none.
const SPAN_OR_NONE: &str = r"^\s*([0-9]+(ms|s|m|h|d))+\s*$|^none$|\$\{";

pub(super) fn credential() -> Value {
    let fields = [
        Field::text("profile")
            .describe("The provider's rules: a profile that ships, a [profile.NAME] of this file, or a file in TOML beside it.")
            .required(),
        Field::text("client_id").describe("The client's id. Not for a configured token."),
        Field::text("client_secret").describe("The client's secret: \"${NAME}\". None for a public client.").secret(),
        Field::text("token_url").describe("Where tokens are asked for. Some profiles, such as `generic`, need it."),
        Field::text("authorize_url").describe("Where a human is sent to consent."),
        Field::text("redirect_uri")
            .describe("Where people come back to after their consent, to the letter as the provider has it."),
        Field::text("grant")
            .describe("How a token is come by, instead of the profile's way.")
            .choices(GrantKind::NAMES.map(|(name, _)| name)),
        Field::boolean("pkce").describe("Whether a consent is bound to who asked for it (RFC 7636)."),
        Field::text("scopes").describe("What is asked for, instead of the profile's.").multiple(),
        Field::text("token").describe("A configured token or API key: \"${NAME}\".").secret(),
        Field::text("token_file").describe("The file that holds the configured token alone."),
        Field::text("token_env").describe("The environment variable that holds the configured token."),
        Field::text("token_header").describe("The header that carries the token, instead of the profile's."),
        Field::text("token_prefix").describe("What stands before the token, with its blank."),
        Field::object("token_params").describe("What token requests say beside, such as an audience."),
        Field::object("assertion").describe("What is signed to get a token (RFC 7523).").properties([
            Field::text("issuer").describe("Who signs: often the client's id or a service account.").required(),
            Field::text("subject").describe("For whom; for the issuer itself where nothing is said."),
            Field::text("audience").describe("To whom: what the provider calls itself."),
            Field::text("key_id").describe("Which of the issuer's keys it is."),
            Field::text("private_key").describe("The private key in PEM, RSA or EC on P-256.").secret(),
            Field::text("private_key_file").describe("The file that holds the private key."),
            Field::text("private_key_env").describe("The environment variable that holds the private key."),
        ]),
        Field::text("settle").describe("For how long nodes that have not heard of a new token may refuse it."),
    ];
    let mut table = spans(table("One OAuth grant.", fields), &["settle"]);
    if let Some(place) = table.pointer_mut("/properties/profile") {
        // Any name may be one of the file's own: the list is what an editor offers.
        let shipped: Vec<&str> = Profile::shipped_names().collect();
        put(place, "anyOf", json!([{"enum": shipped}, {"minLength": 1}]));
    }
    let open: Vec<&str> = Profile::shipped_names()
        .filter(|name| {
            let lacking = |profile: Profile| profile.lacks_token_url() && profile.grant != GrantKind::Static;
            Profile::shipped(name).is_some_and(lacking)
        })
        .collect();
    put(&mut table, "if", json!({"properties": {"profile": {"enum": open}}, "required": ["profile"]}));
    put(&mut table, "then", json!({"required": ["token_url"]}));
    table
}

pub(super) fn profile() -> Value {
    let lengths = ["settle", "young", "scope_delay", "access_life", "quiet", "reuse_grace"];
    let limits = ["grant_life", "idle_life", "dedupe", "event_age"];
    let fields = endpoints().into_iter().chain(answers()).chain(times());
    let mut table = spans(table("One provider: what differs from the profile that it extends.", fields), &lengths);
    for key in limits {
        if let Some(place) = table.pointer_mut(&format!("/properties/{key}")) {
            put(place, "pattern", SPAN_OR_NONE.into());
        }
    }
    for key in ["refuses", "proves", "lacks_scope", "token/properties/ends_grant", "token/properties/misconfigured"] {
        if let Some(place) = table.pointer_mut(&format!("/properties/{key}/items/properties/status")) {
            put(place, "type", json!(["string", "integer"]));
        }
    }
    table
}

fn endpoints() -> Vec<Field> {
    vec![
        Field::text("extends").describe("What it starts from.").choices(Profile::shipped_names()).default("generic"),
        Field::text("grant").describe("How a token is come by.").choices(GrantKind::NAMES.map(|(name, _)| name)),
        Field::text("token_url").describe("Where tokens are asked for."),
        Field::text("authorize_url").describe("Where a human is sent to consent, or none."),
        Field::boolean("pkce").describe("Whether a consent is bound to who asked for it (RFC 7636)."),
        Field::text("introspect_url").describe("Where tokens are inspected (RFC 7662), or none."),
        Field::text("revoke_url").describe("Where tokens are revoked (RFC 7009), or none."),
        Field::text("client_auth")
            .describe("How the client proves who it is.")
            .choices(ClientAuth::NAMES.map(|(name, _)| name)),
        Field::text("scopes").describe("What is asked for, and what a token must permit.").multiple(),
        Field::text("scope_separator").describe("What stands between scopes: one character."),
        Field::text("audience").describe("The origins that may see a token.").multiple(),
        Field::text("token_header").describe("The header that carries the token.").default("authorization"),
        Field::text("token_prefix").describe("What stands before the token, with its blank."),
        Field::object("token").describe("How the token endpoint differs from RFC 6749.").properties([
            Field::text("assertion").describe("Where a signed assertion stands.").choices(["form", "bearer"]),
            pointer("access_token").describe("Where in an answer the access token stands."),
            pointer("expires_in").describe("Where its life in seconds stands."),
            pointer("expires_at").describe("Where the moment of its end stands."),
            rows("ends_grant").describe("Answers that end the grant, beside those that say invalid_grant."),
            rows("misconfigured").describe("Answers that blame the client or the request."),
        ]),
    ]
}

fn answers() -> Vec<Field> {
    vec![
        rows("refuses").describe("Answers that refuse the token."),
        rows("lacks_scope").describe("Answers that say that the token lacks a scope."),
        rows("proves").describe("Answers that prove the token, whatever they mean for the delivery."),
        Field::text("node_header").describe("The header that names the node that answered, or none."),
    ]
}

fn times() -> Vec<Field> {
    vec![
        Field::text("settle").describe("For how long nodes that have not heard of a new token may refuse it."),
        Field::text("young").describe("For how long a new token is tried by one request at a time."),
        Field::integer("renew_at")
            .describe("When a token is renewed before it ends, in percent of its life.")
            .minimum(1)
            .maximum(100),
        Field::text("scope_delay").describe("How long after a missing scope another token may be asked for."),
        Field::text("access_life").describe("The life of an access token whose answer does not say it."),
        Field::text("grant_life").describe("The life of a grant from the consent on, or none."),
        Field::text("idle_life").describe("A refresh token that is not used for so long dies; or none."),
        Field::text("quiet").describe("How long a lane waits after an answer that did not come."),
        Field::text("dedupe").describe("How long the API remembers the keys of deliveries, or none."),
        Field::text("event_age").describe("How old an event may be, or none."),
        Field::text("rotation")
            .describe("What a refresh does to the refresh token.")
            .choices(Rotation::NAMES.map(|(name, _)| name)),
        Field::text("reuse_grace").describe("For how long a rotated refresh token may be used again."),
    ]
}

fn pointer(key: &str) -> Field {
    Field::text(key).example("/data/token").unit("JSON pointer")
}

fn rows(key: &str) -> Field {
    Field::object(key).multiple().properties([
        Field::text("status").describe("The statuses that the row is about.").example("400-499").required(),
        pointer("pointer").describe("Where in the body the values are looked for."),
        Field::text("values").describe("One of these must stand there.").multiple(),
    ])
}
