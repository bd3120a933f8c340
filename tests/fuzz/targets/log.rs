//! See `cowslip_fuzz::target::log`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cowslip_fuzz::target::log::run(input));
