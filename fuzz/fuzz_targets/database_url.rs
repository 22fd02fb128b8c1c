#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wallex_database::fuzz::database_url(data));
