#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    logto_fuzz::targets::jwks::run(data);
    logto_fuzz_targets::jwks(data);
});
