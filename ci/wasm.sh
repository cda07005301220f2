#!/usr/bin/env bash
# Checks that the SDK compiles for WebAssembly with the verifier in pure Rust. The standard library for
# wasm32 is built from source, so that nothing but Debian's packages is needed.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$(ci/debian-rust.sh '' rust-web-src)
export RUSTC=$root/usr/bin/rustc LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu CARGO_TARGET_DIR=$PWD/target/wasm

"$RUSTC" --version
RUSTC_BOOTSTRAP=1 cargo check --locked -Zbuild-std=std,panic_abort --target wasm32-unknown-unknown \
    --package logto --no-default-features --features rust-crypto
