#!/usr/bin/env bash
# Builds the book in English and in Chinese: `target/book/index.html`. That its links and its code are right is for
# the tests `documents` and `logto-book` to say.
set -euo pipefail
cd "$(dirname "$0")/.."

ci/cargo-install.sh mdbook --version 0.5.4 --no-default-features --features search
tools=$PWD/target/ci/tools
export PATH=$PATH:$tools/bin

# Draws the diagrams. A package of one file: nothing has to be installed.
mermaid=11.17.2
drawing=$tools/mermaid-$mermaid
if [ ! -d "$drawing" ]; then
    mkdir -p "$drawing.new"
    npm pack --silent --pack-destination "$drawing.new" "@mermaid-js/tiny@$mermaid" >/dev/null
    tar --extract --file "$drawing.new"/*.tgz --directory "$drawing.new"
    mv "$drawing.new" "$drawing"
fi

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
cp "$drawing/package/dist/mermaid.tiny.js" target/book/mermaid.js

# Mermaid says only in the browser that it cannot read a diagram.
browser=$(command -v chromium || true)
for page in $(grep --files-with-matches --recursive --include='*.html' --exclude=print.html 'language-mermaid' target/book); do
    [ -n "$browser" ] || { echo "no Chromium: the diagrams of $page are not checked"; continue; }
    drawn=$("$browser" --headless --no-sandbox --disable-gpu --virtual-time-budget=10000 --dump-dom "file://$PWD/$page" 2>/dev/null)
    expected=$(grep --count 'language-mermaid' "$page")
    found=$(grep --only-matching '<figure><svg id="diagram-' <<<"$drawn" | wc --lines)
    if [ "$found" -ne "$expected" ]; then
        echo "error: $found of the $expected diagrams of $page are drawn" >&2
        exit 1
    fi
done
