#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wallex_jwt::fuzz::claims(data));
