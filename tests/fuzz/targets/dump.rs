//! See `cowslip_fuzz::target::dump`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cowslip_fuzz::target::dump::run(input));
