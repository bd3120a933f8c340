//! See `cowslip_fuzz::target::check`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cowslip_fuzz::target::check::run(input));
