#!/usr/bin/env bash
# What signing in weighs, with the SDK and with its peers: crates, CPU seconds of a release build from nothing, and how
# much larger than an empty program the result is, stripped. The table of docs/performance.md.
#
#   benches/weight.sh [DIRECTORY FOR THE BUILDS]
set -euo pipefail
cd "$(dirname "$0")/weight"
builds=${1:-$(mktemp --directory)}
export CARGO_INCREMENTAL=0
TIMEFORMAT='%U %S'

# Builds a program and says how many CPU seconds that took.
build() {
    local times
    times=$({ time CARGO_TARGET_DIR=$builds/$1 cargo build --quiet --locked --release --timings --bin "$1" "${@:2}" >&3 2>&3; } 2>&1)
    awk '{ printf "%.0f", $1 + $2 }' <<<"$times"
}

size() {
    stat --format=%s "$builds/$1/release/$1"
}

exec 3>&2
cargo fetch --locked
build empty >/dev/null
echo '| | crates | CPU s | KiB more than an empty program |'
echo '|---|--:|--:|--:|'
for program in logto openidconnect oauth2; do
    seconds=$(build "$program" --features "$program")
    crates=$(cargo tree --locked --features "$program" --edges normal,build --prefix none | sed 's/ (.*//' | sort --unique | wc --lines)
    echo "| $program | $((crates - 1)) | $seconds | $((($(size "$program") - $(size empty)) / 1024)) |"
done
