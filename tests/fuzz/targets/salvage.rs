//! See `cowslip_fuzz::target::salvage`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cowslip_fuzz::target::salvage::run(input));
