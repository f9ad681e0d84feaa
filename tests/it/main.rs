//! The integration tests: one binary, a module for each subject. They are marked as tests so that the lints which allow
//! `unwrap` in tests reach their functions.
#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]
#![allow(clippy::disallowed_methods, reason = "a test awaits the tasks that it starts")]

#[cfg(test)]
mod admission;
#[cfg(all(test, feature = "cli"))]
#[cfg(test)]
mod alerts;
#[cfg(test)]
mod batches;
#[cfg(test)]
mod bench;
#[cfg(all(test, feature = "cli"))]
#[cfg(test)]
mod bench_command;
#[cfg(test)]
mod calendar;
#[cfg(test)]
mod calls;
#[cfg(all(test, feature = "cli"))]
#[cfg(test)]
mod circuits;
#[cfg(all(test, feature = "cli"))]
#[cfg(test)]
mod cli;
#[cfg(all(test, feature = "cli"))]
#[cfg(test)]
mod cli_routes;
#[cfg(all(test, feature = "cli"))]
#[cfg(test)]
mod cli_vault;
#[cfg(test)]
mod credentials;
#[cfg(all(test, feature = "cli"))]
#[cfg(test)]
mod declared;
#[cfg(all(test, feature = "cli"))]
#[cfg(test)]
mod demo;
#[cfg(test)]
mod engine;
#[cfg(test)]
mod examples;
#[cfg(all(test, feature = "cli"))]
#[cfg(test)]
mod grants;
#[cfg(all(test, feature = "cli"))]
#[cfg(test)]
mod guide_credentials;
#[cfg(test)]
mod guides;
#[cfg(test)]
mod linkedin_refresh;
#[cfg(test)]
mod linkedin_vectors;
#[cfg(all(test, feature = "cli"))]
#[cfg(test)]
mod login;
#[cfg(test)]
mod order;
#[cfg(all(test, feature = "cli"))]
#[cfg(test)]
mod profiles;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod release;
#[cfg(test)]
mod retention;
#[cfg(all(test, feature = "cli"))]
#[cfg(test)]
mod routes;
#[cfg(all(test, feature = "cli"))]
#[cfg(test)]
mod site;
#[cfg(all(test, feature = "cli"))]
#[cfg(test)]
mod storm;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod vault;
#[cfg(test)]
mod vectors;
#[cfg(test)]
mod vectors_mapping;
#[cfg(test)]
mod vectors_subscriptions;
#[cfg(all(test, feature = "cli"))]
#[cfg(test)]
mod webhook;
