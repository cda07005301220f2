#!/usr/bin/env bash
# Checks the library crates with the oldest compiler they promise to work with: `rust-version` in Cargo.toml.
set -euo pipefail
cd "$(dirname "$0")/.."

msrv=$(sed --quiet 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
root=$(ci/debian-rust.sh "$msrv")
export RUSTC=$root/usr/bin/rustc LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu CARGO_TARGET_DIR=$PWD/target/msrv

"$RUSTC" --version
# Nothing is run, so nothing (aws-lc in C) has to be optimized.
check=(cargo check --locked --config 'profile.dev.package.aws-lc-sys.opt-level=0')
"${check[@]}" --package logto-core --package logto-client --package logto-storage --package logto-testkit --all-features
# An adapter works with the oldest compiler of its framework.
"${check[@]}" --package logto --features redis,postgres,sqlite,tls,tracing,rust-crypto,test
