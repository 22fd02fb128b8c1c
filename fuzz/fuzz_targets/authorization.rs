#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wallex_http_actix::fuzz::authorization(data));
