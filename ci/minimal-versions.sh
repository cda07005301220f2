#!/usr/bin/env bash
# Checks the library crates with the oldest release of each direct dependency that Cargo.toml allows: a requirement that
# is too wide breaks whoever has an old lock file. Works on a copy, so that the lock file here stays as it is.
set -euo pipefail
cd "$(dirname "$0")/.."

copy=$PWD/target/minimal-versions
mkdir -p "$copy"
find "$copy" -mindepth 1 -maxdepth 1 ! -name target -exec rm -rf {} +
git archive HEAD | tar --extract --directory "$copy"
cd "$copy"
export CARGO_TARGET_DIR=$copy/target

RUSTC_BOOTSTRAP=1 cargo update -Zdirect-minimal-versions --quiet
# Nothing is run, so nothing (aws-lc in C) has to be optimized.
check=(cargo check --locked --config 'profile.dev.package.aws-lc-sys.opt-level=0')
"${check[@]}" --package logto-core --package logto-client --package logto-storage --package logto-testkit --all-features
"${check[@]}" --package logto --all-features
