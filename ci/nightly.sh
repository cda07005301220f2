#!/usr/bin/env bash
# What takes too long for every change: explores refreshes further, some twenty-six million states in some minutes
# and five gigabytes of memory (`tests/explorer` says what is explored), and lints the adapters with their frameworks and
# builds their documentation. Every combination of features, and the oldest dependencies, compile.
# The suite of the examples walks the one in WebAssembly in workerd. The quickstart is under load for ten minutes.
# The quick starts compile as a reader has them. The tests run at least 95 % of the lines of each crate that counts. What
# strangers can send is fuzzed, for FUZZ_MINUTES each, and one part of forty of the core is changed to see whether its
# tests notice.
set -euo pipefail
cd "$(dirname "$0")/.."

LOGTO_EXPLORATION=long cargo test --locked --package logto-explorer
ci/install.sh
services=$(mktemp --directory)
trap 'ci/services.sh stop "$services"' EXIT
exports=$(ci/services.sh start "$services")
eval "$exports"
LOGTO_SOAK_SECONDS=600 cargo test --locked --release --package quickstart --all-features --test soak -- --nocapture
cargo clippy --locked --package logto --package logto-actix-web --package logto-rocket --all-targets --all-features -- -D warnings
cargo clippy --locked --manifest-path adapters/Cargo.toml --workspace --all-targets --all-features -- -D warnings
(cd examples/worker && npm ci --no-audit --no-fund)
ci/wasm.sh workerd

export RUSTDOCFLAGS='-D warnings'
cargo doc --locked --workspace --no-deps --all-features
cargo doc --locked --manifest-path adapters/Cargo.toml --package logto-leptos --no-deps

ci/features.sh --powerset
ci/minimal-versions.sh
ci/quick-starts.sh
# Fails if a crate is below its limit.
ci/coverage.sh

# Ten hours on two cores.
ci/fuzz.sh "${FUZZ_MINUTES:-60}"
# Fails if a mutant survives.
ci/mutants.sh --package logto-core --shard "$(($(date +%-j) % 40))/40"
