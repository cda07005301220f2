#!/usr/bin/env bash
# Explores refreshes further than every change does: more than twenty million states, in some minutes and eight
# gigabytes of memory. `tests/explorer` says what is explored.
set -euo pipefail
cd "$(dirname "$0")/.."

LOGTO_EXPLORATION=long cargo test --locked --package logto-explorer
