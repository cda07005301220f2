#!/usr/bin/env bash
# Compiles the example for WebAssembly, with the verifier in pure Rust. With the argument `node` or `workerd`, lets the
# suite of the examples walk it there. The standard library for wasm32 is built from source, so that nothing but
# Debian's packages is needed.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$(ci/debian-rust.sh '' rust-web-src)
example=(--locked --manifest-path examples/worker/Cargo.toml)
(
    export RUSTC=$root/usr/bin/rustc LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu CARGO_TARGET_DIR=$PWD/target/wasm
    "$RUSTC" --version
    # The linker of the LLVM that the compiler is made with.
    llvm=$("$RUSTC" --version --verbose | sed --quiet 's/^LLVM version: \([0-9]*\).*/\1/p')
    ci/apt-install.sh "lld-$llvm"
    export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-$llvm

    RUSTC_BOOTSTRAP=1 RUSTFLAGS='-D warnings' cargo build "${example[@]}" --package logto-example-worker --lib --examples \
        -Zbuild-std=std,panic_abort --target wasm32-unknown-unknown
    cargo run "${example[@]}" --package bindgen -- \
        target/wasm/wasm32-unknown-unknown/debug/logto_example_worker.wasm examples/worker/pkg
)

suite=(cargo test --locked --manifest-path adapters/Cargo.toml --package logto-suite --features worker --test suite -- worker::)
case ${1:-} in
    node) "${suite[@]}" ;;
    workerd) LOGTO_SUITE_WORKERD=1 "${suite[@]}" ;;
esac
