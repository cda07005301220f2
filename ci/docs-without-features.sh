#!/usr/bin/env bash
# A link to what a feature adds is broken without it. One crate after the other: together they would switch on one
# another's features.
set -euo pipefail
cd "$(dirname "$0")/.."

export RUSTDOCFLAGS='-D warnings'
for crate in logto-core logto-client logto-storage logto-testkit logto; do
    cargo doc --locked --quiet --package "$crate" --no-deps --no-default-features
done
