//! The real store and the real program under attack: killed, refused by the system, cut from power, out of space. One
//! binary with a main of its own, because it is also its own child processes.
//!
//! Sizes are small by default. `OUTLAST_CRASH_LONG=SECONDS` takes the large ones, and begins no more work after so many
//! seconds. Names on the command line choose parts by their beginning; `OUTLAST_CRASH_SEED` changes every draw.
#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]
#![allow(clippy::cast_possible_truncation, reason = "sizes of tests fit everywhere")]
#![allow(clippy::disallowed_methods, reason = "a test awaits the tasks that it starts")]

#[cfg(test)]
#[path = "../it/bench.rs"]
#[allow(dead_code, reason = "it is made for many tests, and these need a part of it")]
mod bench;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod child;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod draw;
#[cfg(test)]
mod full;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod power;
#[cfg(test)]
mod report;
#[cfg(test)]
mod serve;
#[cfg(test)]
mod syscalls;
#[cfg(test)]
mod trace;
#[cfg(test)]
mod workload;

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = child::run() {
        return code;
    }
    report::run(&[
        ("power", power::a_power_cut_loses_nothing_that_was_acknowledged),
        ("kill_store", kill::a_killed_store_loses_nothing_that_was_acknowledged),
        ("kill_serve", kill::a_killed_program_loses_nothing_that_was_acknowledged),
        ("syscalls", syscalls::a_system_call_that_fails_or_kills_loses_nothing),
        ("calls", calls::a_store_call_that_fails_or_kills_loses_nothing),
        ("full_store", full::a_store_without_space_says_so_and_goes_on_when_there_is_some),
        ("full_serve", full::a_program_without_space_says_so_and_goes_on_when_there_is_some),
    ])
}
