#!/usr/bin/env bash
# Compiles what a reader of the quick starts has: for each page, a new package with the program and the dependencies of
# the page, at their newest versions. WebAssembly is left to `ci/wasm.sh`.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$PWD
package=target/quick-starts/package
for page in docs/start/{actix-web,axum,hyper,leptos,rocket}.md; do
    echo "$page"
    rm -rf "$package"
    mkdir -p "$package/src"
    program=$(sed --quiet 's|^{{#include ../../\(.*/shortest.rs\)}}$|\1|p' "$page")
    cp "$program" "$package/src/main.rs"
    {
        printf '[workspace]\n\n[package]\nname = "quick-start"\nversion = "0.1.0"\nedition = "2024"\n\n'
        sed --quiet '/^```toml$/,/^```$/{/^```/!p}' "$page" |
            sed "/^logto-leptos/s|git = \"[^\"]*\"|path = \"$root/adapters/leptos\"|; s|git = \"[^\"]*\"|path = \"$root/logto\"|"
    } >"$package/Cargo.toml"
    CARGO_TARGET_DIR=target/quick-starts/target cargo check --quiet --manifest-path "$package/Cargo.toml"
done
