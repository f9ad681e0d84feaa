//! A local provider that lies as real ones do: a fake LinkedIn on a loopback port.
//!
//! [`Provider`] is the whole behaviour without a socket: a request and the time in, an answer out. [`Sandbox`] puts it behind two
//! listeners, one for the API and the token endpoint, one for the control interface. Both are deterministic under a seed.
//!
//! | control interface | does |
//! |---|---|
//! | `GET /__ctl/summary` | counts, cheap enough to poll |
//! | `GET /__ctl/state` | conversions that counted, segments with their members, conversion rules, contacts, and the refresh counters |
//! | `GET /__ctl/log?from=N` | the audit log from this number on, JSON lines |
//! | `GET`, `POST /__ctl/config` | the switches; a `POST` replaces those it names |
//! | `GET`, `POST /__ctl/faults` | the fault rules; a `POST {"rules": [...]}` replaces them |
//! | `GET`, `POST /__ctl/clock` | `{"set": ms}`, `{"advance": ms}`, `{"mode": "real"}`, `{"mode": "manual"}` |
//! | `POST /__ctl/token` | `{"action": "issue"}`, `"revoke"`, `"revoke_grant"`, `"expire"`, `"code"`, `"list"` |
//! | `POST /__ctl/reset` | back to how it started |
//!
//! | API | is |
//! |---|---|
//! | `/rest/conversionEvents` | conversions, one or a batch, each counted once |
//! | `/rest/conversions` | conversion rules: create, read, change, list |
//! | `/rest/campaignConversions` | campaigns that a rule counts for: one or several |
//! | `/rest/dmpSegments` | audiences: find, create |
//! | `/rest/dmpSegments/{id}/users`, `/companies` | members that join or leave, in batches |
//! | `/rest/adAccounts`, `/rest/adAccounts/{id}/adCampaigns` | what there is to choose from |
//! | `/rest/adAccountUsers` | a member's role in an account |
//! | `/rest/me` | who consented |
//! | `/oauth/v2/authorization` | the consent page: everybody consents at once, unless a switch says otherwise |
//! | `/oauth/v2/accessToken` | tokens: by refresh token, code, client credentials, or signed assertion |
//! | `/oauth/v2/introspectToken`, `/oauth/v2/revoke` | what a token is worth; the end of its grant |
//! | `/crm/v1/contacts`, `/crm/v1/contacts/batch` | a made-up CRM: contacts, one or a batch, with `Idempotency-Key` |
//!
//! The tokens in here open nothing, but they are kept out of the audit log all the same, so that a log can be shown to anyone.

mod accounts;
mod audit;
mod choices;
mod consent;
mod control;
mod draw;
mod faults;
mod field;
mod manner;
mod nodes;
mod oauth;
mod options;
mod own;
mod pacing;
mod provider;
mod reshape;
mod resource;
mod server;
mod socket;
mod steer;
mod throttle;
mod timekeeper;
mod tokens;
mod wire;

#[cfg(test)]
mod tests;

pub use accounts::{AccountRole, AdAccount, Campaign, CampaignStatus};
pub use choices::{
    BatchMode, DeadRefreshError, IdHeader, NodePolicy, NotVisible, Pkce, RotateRefresh, Span, Supersede, Visibility,
};
pub use faults::{Action, Delay, ElementStatus, Malformed, Matcher, OtherAnswer, RetryAfter, Rule, Sharer, Throttle};
pub use field::FieldError;
pub use options::{ClockMode, GrantSeed, Options, Secret, Switches};
pub use own::Signer;
pub use provider::{Begun, Provider, Summary};
pub use server::{Sandbox, SandboxError, WallClock};
pub use steer::{Consent, Issued};
pub use tokens::RefreshCounters;
pub use wire::{Ending, Head, Incoming, Pace, Reply, Ticket};
