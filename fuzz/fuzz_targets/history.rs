#![no_main]
#[path = "../bodies.rs"]
#[allow(dead_code)] // one of them is called
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::history(bytes));
