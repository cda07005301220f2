#!/usr/bin/env bash
# What takes too long for every change: explores refreshes further, more than twenty million states in some minutes
# and eight gigabytes of memory (`tests/explorer` says what is explored), and lints the adapters with their frameworks.
set -euo pipefail
cd "$(dirname "$0")/.."

LOGTO_EXPLORATION=long cargo test --locked --package logto-explorer
cargo clippy --locked --manifest-path adapters/Cargo.toml --workspace --all-targets -- -D warnings
