//! The table of reasons.

use super::{Code, Fate, Who};

/// The name of a row of [`CODES`].
pub const EVENT_NOT_UTF8: &str = "EVENT_NOT_UTF8";
/// The name of a row of [`CODES`].
pub const EVENT_NOT_JSON: &str = "EVENT_NOT_JSON";
/// The name of a row of [`CODES`].
pub const EVENT_NOT_AN_OBJECT: &str = "EVENT_NOT_AN_OBJECT";
/// The name of a row of [`CODES`].
pub const EVENT_TOO_LARGE: &str = "EVENT_TOO_LARGE";
/// The name of a row of [`CODES`].
pub const EVENT_TOO_DEEP: &str = "EVENT_TOO_DEEP";
/// The name of a row of [`CODES`].
pub const PARCEL_INVALID: &str = "PARCEL_INVALID";
/// The name of a row of [`CODES`].
pub const KEY_CONFLICT: &str = "KEY_CONFLICT";
/// The name of a row of [`CODES`].
pub const DESTINATION_UNKNOWN: &str = "DESTINATION_UNKNOWN";
/// The name of a row of [`CODES`].
pub const ENGINE_BUSY: &str = "ENGINE_BUSY";
/// The name of a row of [`CODES`].
pub const NOT_SUBSCRIBED: &str = "NOT_SUBSCRIBED";
/// The name of a row of [`CODES`].
pub const ROUTE_UNKNOWN: &str = "ROUTE_UNKNOWN";
/// The name of a row of [`CODES`].
pub const MAPPING_INVALID: &str = "MAPPING_INVALID";
/// The name of a row of [`CODES`].
pub const MAPPING_FAILED: &str = "MAPPING_FAILED";
/// The name of a row of [`CODES`].
pub const LIQUID_FAILED: &str = "LIQUID_FAILED";
/// The name of a row of [`CODES`].
pub const PAYLOAD_VALIDATION_FAILED: &str = "PAYLOAD_VALIDATION_FAILED";
/// The name of a row of [`CODES`].
pub const IDENTIFIER_MISSING: &str = "IDENTIFIER_MISSING";
/// The name of a row of [`CODES`].
pub const INVALID_AUDIENCE_MEMBERSHIP: &str = "INVALID_AUDIENCE_MEMBERSHIP";
/// The name of a row of [`CODES`].
pub const EVENT_TOO_OLD: &str = "EVENT_TOO_OLD";
/// The name of a row of [`CODES`].
pub const INVALID_SETTINGS: &str = "INVALID_SETTINGS";
/// The name of a row of [`CODES`].
pub const REJECTED: &str = "REJECTED";
/// The name of a row of [`CODES`].
pub const UNKNOWN_ERROR: &str = "UNKNOWN_ERROR";
/// The name of a row of [`CODES`].
pub const BUDGET_EXHAUSTED: &str = "BUDGET_EXHAUSTED";
/// The name of a row of [`CODES`].
pub const DELIVERY_EXPIRED: &str = "DELIVERY_EXPIRED";
/// The name of a row of [`CODES`].
pub const DELIVERY_CANCELLED: &str = "DELIVERY_CANCELLED";
/// The name of a row of [`CODES`].
pub const CREDENTIAL_DEAD: &str = "CREDENTIAL_DEAD";
/// The name of a row of [`CODES`].
pub const IN_DOUBT: &str = "IN_DOUBT";
/// The name of a row of [`CODES`].
pub const DESTINATION_FAILING: &str = "DESTINATION_FAILING";
/// The name of a row of [`CODES`].
pub const REQUEST_NOT_SENT: &str = "REQUEST_NOT_SENT";
/// The name of a row of [`CODES`].
pub const OUTCOME_UNKNOWN: &str = "OUTCOME_UNKNOWN";
/// The name of a row of [`CODES`].
pub const RESULT_MISSING: &str = "RESULT_MISSING";
/// The name of a row of [`CODES`].
pub const ENGINE_BUG: &str = "ENGINE_BUG";
/// The name of a row of [`CODES`].
pub const DESTINATION_BUG: &str = "DESTINATION_BUG";
/// The name of a row of [`CODES`].
pub const DESTINATION_THROTTLED: &str = "DESTINATION_THROTTLED";
/// The name of a row of [`CODES`].
pub const RESOURCE_NOT_READY: &str = "RESOURCE_NOT_READY";
/// The name of a row of [`CODES`].
pub const TOKEN_REFUSED: &str = "TOKEN_REFUSED";
/// The name of a row of [`CODES`].
pub const OAUTH_REFRESH_FAILED: &str = "OAUTH_REFRESH_FAILED";
/// The name of a row of [`CODES`].
pub const TOKEN_SEALED: &str = "TOKEN_SEALED";
/// The name of a row of [`CODES`].
pub const REQUEST_FORBIDDEN: &str = "REQUEST_FORBIDDEN";
/// The name of a row of [`CODES`].
pub const RECORD_DAMAGED: &str = "RECORD_DAMAGED";
/// The name of a row of [`CODES`].
pub const BATCH_SPLIT: &str = "BATCH_SPLIT";

const fn code(name: &'static str, who: Who, fate: Fate, meaning: &'static str, remedy: &'static str) -> Code {
    Code { name, meaning, who, fate, remedy }
}

/// Every reason that is the engine's to tell: at the door, in the making of a request, in what came back. A rejection has the
/// name of its status beside these, and destinations have some of their own.
pub const CODES: &[Code] = &[
    code(EVENT_NOT_UTF8, Who::Caller, Fate::Refused, "The event is not text in UTF-8.", "Send it in UTF-8."),
    code(
        EVENT_NOT_JSON,
        Who::Caller,
        Fate::Refused,
        "The event is not JSON; the message says from where on.",
        "Send one JSON object.",
    ),
    code(
        EVENT_NOT_AN_OBJECT,
        Who::Caller,
        Fate::Refused,
        "The event is JSON, and no object.",
        "Send one JSON object, several as one per line.",
    ),
    code(
        EVENT_TOO_LARGE,
        Who::Caller,
        Fate::Refused,
        "The event has more bytes than `limits.body_bytes`.",
        "Send less, or let the operator raise the limit, at most to 256 KiB.",
    ),
    code(
        EVENT_TOO_DEEP,
        Who::Caller,
        Fate::Refused,
        "Objects and lists of the event are nested more than 127 deep.",
        "Send it flatter.",
    ),
    code(
        PARCEL_INVALID,
        Who::Caller,
        Fate::Refused,
        "A lane, a key or a time to live cannot be one; the message names the field.",
        "Correct the field.",
    ),
    code(
        KEY_CONFLICT,
        Who::Caller,
        Fate::Refused,
        "The idempotency key came before with another body.",
        "Give each event a key of its own.",
    ),
    code(
        DESTINATION_UNKNOWN,
        Who::Caller,
        Fate::Refused,
        "The configuration has no destination of this name.",
        "Correct the name, or let the operator configure it.",
    ),
    code(
        ENGINE_BUSY,
        Who::Caller,
        Fate::Refused,
        "The engine holds as many calls or live deliveries as its limits allow.",
        "Send it again later; if it lasts, the operator looks at what is not delivered.",
    ),
    code(
        NOT_SUBSCRIBED,
        Who::Caller,
        Fate::Failed,
        "The event was submitted to a destination whose first action does not want it; by routes, it makes no delivery.",
        "Send it by routes; `outlast try` names the term of a subscription that does not hold.",
    ),
    code(
        ROUTE_UNKNOWN,
        Who::Operator,
        Fate::Waits,
        "The configuration has no route of the name that the delivery came by.",
        "Put the route back, or cancel the delivery.",
    ),
    code(
        MAPPING_INVALID,
        Who::Operator,
        Fate::Refused,
        "A mapping can work for no event: an unknown directive, a missing argument. The engine does not start with it.",
        "Correct the mapping at the place that the message names; `outlast check` says whether it is right.",
    ),
    code(
        MAPPING_FAILED,
        Who::Operator,
        Fate::Failed,
        "A directive of the mapping cannot do what it says with this event.",
        "Correct the mapping at the place that the message names, or the event; then redrive, or send the event again.",
    ),
    code(
        LIQUID_FAILED,
        Who::Operator,
        Fate::Failed,
        "A Liquid template of the mapping is malformed, or cannot be rendered with this event.",
        "Correct the template at the place that the message names, then redrive.",
    ),
    code(
        PAYLOAD_VALIDATION_FAILED,
        Who::Caller,
        Fate::Failed,
        "A field is missing, or of a type or form that the destination does not take. Nothing was sent.",
        "Correct the event, or the mapping of the field that the message names.",
    ),
    code(
        IDENTIFIER_MISSING,
        Who::Caller,
        Fate::Failed,
        "The event names nobody in a way that the destination knows.",
        "Send one of the identifiers that the message names, or map one.",
    ),
    code(
        INVALID_AUDIENCE_MEMBERSHIP,
        Who::Caller,
        Fate::Failed,
        "The event does not say whether its user joins or leaves the audience.",
        "Send the membership, or set the action to add or to remove.",
    ),
    code(
        EVENT_TOO_OLD,
        Who::Caller,
        Fate::Failed,
        "The event is older than its provider takes: it was when it came, or it waited for too long. No request was made.",
        "Nothing can be done for this one; send events sooner, and authorise a dead credential before the provider's limit.",
    ),
    code(
        INVALID_SETTINGS,
        Who::Operator,
        Fate::Failed,
        "The settings of the destination do not fit each other, or the event.",
        "Correct the setting that the message names, then redrive.",
    ),
    code(
        REJECTED,
        Who::Operator,
        Fate::Failed,
        "The provider rejected it in the body of its answer, whose status says nothing of it.",
        "Look at the message; redrive when its cause is mended.",
    ),
    code(
        UNKNOWN_ERROR,
        Who::Operator,
        Fate::Failed,
        "The provider rejected it with a status that has no name of its own.",
        "Look at the message; redrive when its cause is mended.",
    ),
    code(
        BUDGET_EXHAUSTED,
        Who::Operator,
        Fate::Failed,
        "As many attempts failed as the budget allows.",
        "Look at the destination, then redrive.",
    ),
    code(
        DELIVERY_EXPIRED,
        Who::Operator,
        Fate::Failed,
        "Its time to live was over.",
        "Redrive it, if it is still worth sending.",
    ),
    code(DELIVERY_CANCELLED, Who::Operator, Fate::Failed, "Somebody cancelled it.", "Nothing; or redrive it."),
    code(
        CREDENTIAL_DEAD,
        Who::Operator,
        Fate::Failed,
        "Its credential is dead, and the policy does not wait for another.",
        "Authorise the credential, then redrive.",
    ),
    code(
        IN_DOUBT,
        Who::Operator,
        Fate::Failed,
        "An attempt may have arrived, and the policy does not repeat it.",
        "Look whether the destination has it; if not, redrive.",
    ),
    code(
        DESTINATION_FAILING,
        Who::Provider,
        Fate::Spends,
        "The provider did not answer, or said that it cannot now.",
        "Nothing, unless it lasts: then ask the provider.",
    ),
    code(
        REQUEST_NOT_SENT,
        Who::Provider,
        Fate::Spends,
        "No connection could be made, so nothing was sent.",
        "Nothing, unless it lasts: then look at the network and at the destination's address.",
    ),
    code(
        OUTCOME_UNKNOWN,
        Who::Provider,
        Fate::Spends,
        "The request may have arrived, and no answer to it did. It is sent again with the same key and bytes.",
        "Nothing, where the provider tells repeats; else look at its side.",
    ),
    code(
        RESULT_MISSING,
        Who::Provider,
        Fate::Spends,
        "The provider took the batch and did not say what became of this item. It is sent again with the same key.",
        "Nothing, unless it lasts: then look at where the destination's configuration finds results.",
    ),
    code(
        ENGINE_BUG,
        Who::Outlast,
        Fate::Spends,
        "The attempt broke off within the engine. The request may have arrived, and is sent again with the same key and bytes.",
        "Report it to the engine's authors, with the log.",
    ),
    code(
        DESTINATION_BUG,
        Who::Outlast,
        Fate::Spends,
        "The destination panicked, did not conclude on every item, or went round in circles.",
        "Report it to the destination's author, with the message.",
    ),
    code(
        DESTINATION_THROTTLED,
        Who::Provider,
        Fate::Waits,
        "The provider asks to be asked less. The whole credential slows down.",
        "Nothing; if it lasts, ask the provider for a higher limit.",
    ),
    code(
        RESOURCE_NOT_READY,
        Who::Provider,
        Fate::Waits,
        "Something that the request needs was made and cannot be used yet.",
        "Nothing.",
    ),
    code(
        TOKEN_REFUSED,
        Who::Operator,
        Fate::Waits,
        "The provider refused the token. What that means is decided by history: it is sent again with the same token, or with the next.",
        "Nothing, unless `outlast why` says that the credential is dead: then authorise it.",
    ),
    code(
        OAUTH_REFRESH_FAILED,
        Who::Operator,
        Fate::Waits,
        "A new token could not be had, so its deliveries wait.",
        "Authorise the credential, or mend its configuration, as `outlast why` says.",
    ),
    code(
        TOKEN_SEALED,
        Who::Operator,
        Fate::Waits,
        "The token cannot be opened: there is no key to the vault, or another one.",
        "Configure the key, or import the grant.",
    ),
    code(
        REQUEST_FORBIDDEN,
        Who::Operator,
        Fate::Waits,
        "The engine does not send this request: a reserved address, a header that HTTP forbids, a token over plain HTTP. It looks again every ten minutes.",
        "Correct what the message names.",
    ),
    code(
        RECORD_DAMAGED,
        Who::Operator,
        Fate::Waits,
        "What is stored of it does not verify, so it is not sent.",
        "Run `outlast doctor`.",
    ),
    code(
        BATCH_SPLIT,
        Who::Provider,
        Fate::Halved,
        "A batch was refused as a whole, and the answer does not say which item is at fault.",
        "Nothing: halves find out.",
    ),
];
