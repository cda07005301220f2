#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    logto_fuzz::targets::introspection::run(data);
});
