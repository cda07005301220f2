#!/usr/bin/env bash
# Unpacks a Rust compiler of Debian below target/, next to whatever Rust this machine has, and prints where.
#
#   ci/debian-rust.sh 1.85               the newest 1.85
#   ci/debian-rust.sh '' rust-web-src    the newest of all, with the source of the standard library
set -euo pipefail
cd "$(dirname "$0")/.."

ci/apt-install.sh >&2
version=$(apt-cache madison rustc-web | awk '{ print $3 }' | grep "^${1//./\\.}" | sort --version-sort | tail --lines=1)
release=$(cut --delimiter=. --fields=1,2 <<<"$version")
libraries=libstd-rust-web-$release
llvm=$(apt-cache show "$libraries=$version" | grep --only-matching 'libllvm[0-9]*' | head --lines=1)

root=$PWD/target/debian-rust/$version
if [ ! -e "$root/complete" ]; then
    ci/apt-install.sh "$llvm" >&2
    rm -rf "$root"
    mkdir -p "$root/packages"
    packages=("$libraries=$version")
    for package in rustc-web libstd-rust-web-dev "${@:2}"; do
        packages+=("$package=$version")
    done
    (cd "$root/packages" && apt-get --quiet --quiet download "${packages[@]}" >&2)
    for package in "$root"/packages/*.deb; do
        dpkg --extract "$package" "$root"
    done
    rm -r "$root/packages"
    touch "$root/complete"
fi
echo "$root"
