#!/usr/bin/env bash
# Changes what the last change has touched in the core, as `ci/mutants.sh` does, for three minutes at most, and fails if the
# core's own tests do not notice.
#
#   ci/mutants-of-change.sh [BASE]    a commit to compare with; without it, where the branch left origin/main, or on
#                                     that branch the commit before
set -euo pipefail
cd "$(dirname "$0")/.."

minutes=3

base() {
    local fork
    fork=$(git merge-base HEAD origin/main 2>/dev/null) || fork=$(git rev-parse HEAD)
    [ "$fork" != "$(git rev-parse HEAD)" ] || fork=$(git rev-parse --verify --quiet HEAD^) || return 1
    echo "$fork"
}

if ! base=${1:-$(base)}; then
    echo 'There is no commit to compare with: this clone has only one.'
    exit
fi
changes=$(mktemp)
trap 'rm -f "$changes"' EXIT
git diff "$base" HEAD -- logto-core/src >"$changes"
if [ ! -s "$changes" ]; then
    echo "Nothing has changed in logto-core/src since $base."
    exit
fi
status=0
MUTANTS_MINUTES=$minutes ci/mutants.sh --package logto-core --in-diff "$changes" || status=$?
# The time is over; what has been run until then was noticed, or is listed.
[ "$status" -eq 124 ] || exit "$status"
missed=target/mutants/mutants.out/missed.txt
[ ! -s "$missed" ] || { cat "$missed"; exit 1; }
echo "Not all in $minutes minutes: $(wc --lines <target/mutants/mutants.out/caught.txt) changes were noticed."
