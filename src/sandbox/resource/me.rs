//! `/rest/me`: who consented. The usual probe of a credential.

use super::super::wire::Answer;
use super::Call;
use serde_json::json;

pub(super) fn read(call: &Call<'_>) -> Answer {
    Answer::json(200, json!({"id": call.member, "localizedFirstName": "Ada", "localizedLastName": "Miller"}))
}
