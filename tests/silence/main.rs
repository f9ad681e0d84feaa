//! Silence (S16), in a process of its own: a place that logs remembers whether anybody listened when it was first met, so
//! the one who listens must be there before anything else, and for all threads.
#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]
#![allow(clippy::disallowed_methods, reason = "a test awaits the tasks that it starts")]

#[cfg(test)]
#[path = "../it/bench.rs"]
#[allow(dead_code, reason = "most of the bench is for the attacks on the engine")]
mod bench;
#[cfg(test)]
mod printed;
#[cfg(feature = "cli")]
#[cfg(test)]
mod program;
#[cfg(test)]
mod scan;
#[cfg(test)]
mod silence;
#[cfg(feature = "cli")]
#[cfg(test)]
#[path = "../it/site.rs"]
#[allow(dead_code, reason = "only its receiver is needed")]
mod site;
