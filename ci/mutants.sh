#!/usr/bin/env bash
# Changes the code of a crate in one place after the other, and lists the changes that none of its tests notices.
# `.cargo/mutants.toml` says what is left alone.
#
#   ci/mutants.sh --package logto-core --shard 3/40                  one part of forty
#   ci/mutants.sh --package logto-core --file 'logto-core/src/jwt/**'
#   git diff main >changes && ci/mutants.sh --in-diff changes        what a change touches
#
# With MUTANTS_MINUTES it stops after that time, with the status 124. What it installs does not count.
set -euo pipefail
cd "$(dirname "$0")/.."

ci/cargo-install.sh cargo-mutants --version 27.1.0
export PATH=$PATH:$PWD/target/ci/tools/bin

# In a copy of the last commit, with what was compiled for the mutants before.
copy=$PWD/target/mutants
mkdir -p "$copy"
find "$copy" -mindepth 1 -maxdepth 1 ! -name target ! -name mutants.out ! -name mutants.out.old -exec rm -rf {} +
git archive HEAD | tar --extract --directory "$copy"

# Each mutant compiles one crate again, in which most has not changed.
limit=()
[ -z "${MUTANTS_MINUTES:-}" ] || limit=(timeout --signal INT "${MUTANTS_MINUTES}m")
CARGO_TARGET_DIR=$copy/target CARGO_INCREMENTAL=1 "${limit[@]}" cargo mutants --in-place --dir "$copy" --no-shuffle --colors never "$@"
