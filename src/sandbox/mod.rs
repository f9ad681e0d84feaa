//! A local provider that lies as real ones do: a fake LinkedIn on a loopback port.
//!
//! [`Provider`] is the whole behaviour without a socket: a request and the time in, an answer out. [`Sandbox`] puts it behind two
//! listeners, one for the API and the token endpoint, one for the control interface. Both are deterministic under a seed.
//!
//! | control interface | does |
//! |---|---|
//! | `GET /__ctl/summary` | counts, cheap enough to poll |
//! | `GET /__ctl/state` | what counted, and the refresh counters |
//! | `GET /__ctl/log?from=N` | the audit log from this number on, JSON lines |
//! | `GET`, `POST /__ctl/config` | the switches; a `POST` replaces those it names |
//! | `GET`, `POST /__ctl/faults` | the fault rules; a `POST {"rules": [...]}` replaces them |
//! | `GET`, `POST /__ctl/clock` | `{"set": ms}`, `{"advance": ms}`, `{"mode": "real"}`, `{"mode": "manual"}` |
//! | `POST /__ctl/token` | `{"action": "issue"}`, `"revoke"`, `"revoke_grant"`, `"expire"`, `"code"`, `"list"` |
//! | `POST /__ctl/reset` | back to how it started |
//!
//! The tokens in here open nothing, but they are kept out of the audit log all the same, so that a log can be shown to anyone.

mod audit;
mod control;
mod draw;
mod faults;
mod field;
mod nodes;
mod oauth;
mod options;
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

pub use faults::{Action, Delay, ElementStatus, Malformed, Matcher, OtherAnswer, RetryAfter, Rule, Sharer, Throttle};
pub use field::FieldError;
pub use options::{
    BatchMode, ClockMode, DeadRefreshError, GrantSeed, NodePolicy, NotVisible, Options, RotateRefresh, Secret, Span,
    Supersede, Switches, Visibility,
};
pub use provider::{Begun, Provider, Summary};
pub use server::{Sandbox, SandboxError, WallClock};
pub use steer::{Consent, Issued};
pub use tokens::RefreshCounters;
pub use wire::{Ending, Head, Incoming, Pace, Reply, Ticket};
