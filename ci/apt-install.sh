#!/usr/bin/env bash
# Installs the Debian packages of its arguments that are missing; without arguments it only sees to it that
# the package lists are of today.
set -euo pipefail
cd "$(dirname "$0")/.."

root=(env DEBIAN_FRONTEND=noninteractive)
[ "$(id --user)" -eq 0 ] || root=(sudo "${root[@]}")

updated=target/ci/apt-updated
if [ -z "$(find "$updated" -mtime -1 2>/dev/null)" ]; then
    "${root[@]}" apt-get --quiet --quiet update
    mkdir -p "$(dirname "$updated")"
    touch "$updated"
fi

missing=()
for package in "$@"; do
    dpkg --status "$package" &>/dev/null || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
    echo "installing ${missing[*]}"
    "${root[@]}" apt-get --quiet --quiet --yes install --no-install-recommends "${missing[@]}" </dev/null >/dev/null
fi
