#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| outlast::verify::fuzz::routes(bytes));
