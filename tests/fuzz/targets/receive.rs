//! See `cowslip_fuzz::target::receive`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cowslip_fuzz::target::receive::run(input));
