//! See `cowslip_fuzz::target::open`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cowslip_fuzz::target::open::run(input));
