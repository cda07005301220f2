#!/usr/bin/env bash
# Fails when a tracked file names a package registry's host or an absolute path of somebody's machine.
# A character class in every pattern keeps this file from matching itself.
set -euo pipefail
cd "$(dirname "$0")/.."

hosts='(crates[.]io|npmjs[.](com|org)|pypi[.]org|pythonhosted[.]org|debian[.]org)'
paths='(^|[^a-z.])/((wor[k]|roo[t])/|hom[e]/[a-z]|User[s]/[A-Z]|tmp/[a-z])'
# Cargo writes its registry's index into the lock files, and nothing else can stand there.
exempt=(':!Cargo.lock' ':!adapters/Cargo.lock' ':!benches/Cargo.lock' ':!benches/weight/Cargo.lock' ':!fuzz/Cargo.lock' ':!examples/worker/Cargo.lock')

found=0
for pattern in "$hosts" "$paths"; do
    if git grep --line-number -I -E "$pattern" -- . "${exempt[@]}"; then
        found=1
    fi
done
[ "$found" -eq 0 ] || echo 'error: these lines name a package registry or a machine' >&2
exit "$found"
