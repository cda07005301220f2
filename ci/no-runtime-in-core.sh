#!/usr/bin/env bash
# The core is a value: fails when an async runtime, an HTTP client or a web framework is among the
# dependencies of logto-core.
set -euo pipefail
cd "$(dirname "$0")/.."

forbidden='tokio|async-std|smol|futures-executor|hyper|reqwest|ureq|curl|isahc|mio|axum|actix-web|cookie'
tree=$(cargo tree --locked --edges normal --package logto-core --all-features --prefix none --format '{p}')
if grep -E "^($forbidden)(-[a-z-]+)? v" <<<"$tree"; then
    echo 'error: logto-core must not depend on these' >&2
    exit 1
fi
echo "logto-core: $(sort --unique <<<"$tree" | wc -l) packages, no runtime, no HTTP client"
