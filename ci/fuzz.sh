#!/usr/bin/env bash
# Fuzzes everything that a stranger can send, and says how far each target has come. What reaches new code is kept in
# `fuzz/corpus`, minimized: it is replayed by `cargo test --package logto-fuzz`.
#
#   ci/fuzz.sh 60            every target for sixty minutes
#   ci/fuzz.sh 1 jwt jwks    two of them for one minute
set -euo pipefail
cd "$(dirname "$0")/.."

minutes=${1:-10}
targets=("${@:2}")
if [ "${#targets[@]}" -eq 0 ]; then
    mapfile -t targets < <(basename --suffix .rs --multiple fuzz/fuzz_targets/*.rs)
fi

ci/cargo-install.sh cargo-fuzz --version 0.13.2
export PATH=$PATH:$PWD/target/ci/tools/bin

# The compiler is a stable one, which has no sanitizers. There is no `unsafe` that they would watch.
cargo fuzz build --sanitizer none
cargo run --quiet --locked --package logto-fuzz --bin seeds -- fuzz/seeds

binaries=$(echo fuzz/target/*-unknown-linux-gnu/release)
mkdir -p fuzz/artifacts

fuzz() {
    local target=$1
    local corpus=fuzz/corpus/$target log=fuzz/artifacts/$target.log minimized edges features runs seconds
    mkdir -p "$corpus"
    if ! "$binaries/$target" "$corpus" "fuzz/seeds/$target" -dict=fuzz/words.dict -max_len=4096 -timeout=10 \
        -max_total_time=$((minutes * 60)) -artifact_prefix="fuzz/artifacts/$target-" &>"$log"; then
        grep --after-context=4 -E 'panicked|ERROR|Test unit written' "$log" >&2
        return 1
    fi
    # The fewest inputs that reach every edge, whatever the number of times: what is committed stays small.
    minimized=$(mktemp --directory --tmpdir=fuzz/artifacts)
    "$binaries/$target" -set_cover_merge=1 -use_counters=0 -max_len=2048 "$minimized" "$corpus" "fuzz/seeds/$target" &>>"$log"
    rm -r "$corpus"
    mv "$minimized" "$corpus"
    chmod 755 "$corpus"
    read -r edges features < <(sed -nE 's/.*DONE +cov: ([0-9]+) ft: ([0-9]+).*/\1 \2/p' "$log")
    read -r runs seconds < <(sed -nE 's/^Done ([0-9]+) runs in ([0-9]+) second.*/\1 \2/p' "$log")
    printf '%-18s %12d %8d %8d %10d %8d %8d\n' "$target" "$runs" "$seconds" "$edges" "$features" \
        "$(find "$corpus" -type f | wc --lines)" "$(cat "$corpus"/* | wc --bytes)"
}
export -f fuzz
export binaries minutes

printf '%-18s %12s %8s %8s %10s %8s %8s\n' target runs seconds edges features inputs bytes
# One for each core. What fails leaves its input and its log in fuzz/artifacts.
printf '%s\n' "${targets[@]}" | xargs --max-procs "$(nproc)" -I{} bash -euo pipefail -c 'fuzz {}'
