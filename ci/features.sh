#!/usr/bin/env bash
# Lints the library crates with their features: none, each alone, and all. With `--powerset` also every other combination,
# but for the facade, whose features only switch on those of the others. With `--few` only without any, and with an HTTP
# client of one's own.
set -euo pipefail
cd "$(dirname "$0")/.."

features_of() {
    sed --quiet '/^\[features\]/,/^\[dependencies\]/s/^\([a-z0-9-]*\) = \[.*/\1/p' "$1/Cargo.toml" | grep --invert-match '^default$'
}

# Every subset of the arguments, one a line, separated by commas.
subsets() {
    if [ "$#" -eq 0 ]; then
        echo
        return
    fi
    local first=$1 rest
    shift
    while read -r rest; do
        echo "$rest"
        echo "$first${rest:+,$rest}"
    done < <(subsets "$@")
}

check() {
    local crate=$1 features=$2
    printf '%s: %s\n' "$crate" "${features:-none}"
    cargo clippy --locked --quiet --package "$crate" --lib --no-default-features --features "$features" -- -D warnings
}

if [ "${1:-}" = --few ]; then
    for crate in logto-core logto-client logto-storage logto; do check "$crate" ''; done
    check logto aws-lc,tokio
    exit
fi

for crate in logto-core logto-client logto-storage; do
    mapfile -t features < <(features_of "$crate")
    if [ "${1:-}" = --powerset ]; then
        while read -r some; do
            check "$crate" "$some"
        done < <(subsets "${features[@]}")
    else
        check "$crate" ''
        for feature in "${features[@]}"; do check "$crate" "$feature"; done
        check "$crate" "$(IFS=,; echo "${features[*]}")"
    fi
done

# The frameworks are compiled with the adapters.
mapfile -t features < <(features_of logto | grep --invert-match --extended-regexp '^(actix-web-4|rocket-0-5)$')
check logto ''
for feature in "${features[@]}"; do check logto "$feature"; done
# An HTTP client of one's own, on Tokio.
check logto aws-lc,tokio
check logto "$(IFS=,; echo "${features[*]}")"
