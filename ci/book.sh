#!/usr/bin/env bash
# Builds the book in English and in Chinese: `target/book/index.html`. That its links and its code are right is for
# the tests `documents` and `logto-book` to say.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.5.4
tools=$PWD/target/ci/tools
if ! command -v mdbook >/dev/null && [ ! -x "$tools/bin/mdbook" ]; then
    # Unoptimized: it runs for a second and would compile for minutes.
    CARGO_TARGET_DIR=$tools/target cargo install mdbook --version "$version" --locked --debug --quiet \
        --config 'profile.dev.debug=false' --no-default-features --features search --root "$tools"
fi
export PATH=$PATH:$tools/bin

# English first: it empties the folder in which the other one is.
for book in docs docs/zh-TW; do
    log=$(mdbook build "$book" 2>&1)
    echo "$log"
    # mdBook reports what it cannot include, and goes on.
    if grep -qE 'ERROR|WARN' <<<"$log"; then
        echo "error: $book does not build without warnings" >&2
        exit 1
    fi
done
