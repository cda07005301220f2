#!/usr/bin/env bash
# Explores refreshes further than every change does: more than ten million states, in some minutes and three
# gigabytes of memory. `tests/explorer` says what is explored.
set -euo pipefail
cd "$(dirname "$0")/.."

LOGTO_EXPLORATION=long cargo test --locked --package logto-explorer
