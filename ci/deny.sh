#!/usr/bin/env bash
# Licences, sources and duplicate versions of all dependencies, and known vulnerabilities: `deny.toml`.
set -euo pipefail
cd "$(dirname "$0")/.."

ci/cargo-install.sh cargo-deny
export PATH=$PATH:$PWD/target/ci/tools/bin

cargo deny check --hide-inclusion-graph bans licenses sources

# The advisories are a git repository, which not every machine that can build this can reach.
database=https://github.com/RustSec/advisory-db
if GIT_TERMINAL_PROMPT=0 timeout 30 git ls-remote --exit-code "$database" HEAD >/dev/null 2>&1; then
    cargo deny check --hide-inclusion-graph advisories
else
    echo "NOT CHECKED: known vulnerabilities, because $database cannot be reached" >&2
fi
