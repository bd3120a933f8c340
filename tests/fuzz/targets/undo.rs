//! See `cowslip_fuzz::target::undo`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cowslip_fuzz::target::undo::run(input));
