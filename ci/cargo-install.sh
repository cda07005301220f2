#!/usr/bin/env bash
# Installs a program from its crate of the same name, below `target/ci/tools`, unless it is there.
#
#   ci/cargo-install.sh cargo-fuzz --version 0.13.2
set -euo pipefail
cd "$(dirname "$0")/.."

program=$1
tools=$PWD/target/ci/tools
if ! command -v "$program" >/dev/null && [ ! -x "$tools/bin/$program" ]; then
    # Unoptimized: what is installed here runs for seconds, or waits for compilers, and would compile for minutes.
    CARGO_TARGET_DIR=$tools/target cargo install "$@" --locked --debug --quiet \
        --config 'profile.dev.debug=false' --root "$tools"
fi
