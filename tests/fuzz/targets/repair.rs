//! See `cowslip_fuzz::target::repair`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cowslip_fuzz::target::repair::run(input));
