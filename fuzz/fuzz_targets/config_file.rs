#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wallex_fuzz::config_file(data));
