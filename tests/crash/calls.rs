use crate::report::Outcome; pub(crate) fn a_store_call_that_fails_or_kills_loses_nothing() -> Outcome { Outcome::skipped("x") }
