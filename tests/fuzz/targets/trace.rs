//! See `cowslip_fuzz::target::trace`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cowslip_fuzz::target::trace::run(input));
