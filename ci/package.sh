#!/usr/bin/env bash
# Packs every crate as `cargo publish` would, without compiling it again. Fails unless each published one holds its
# licences, its README and its sources, and nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=$PWD/target/package
rm -rf "$packages"
# Nobody depends on the fuzz targets; they depend on the recordings, which have no version.
cargo package --workspace --exclude logto-fuzz --no-verify --allow-dirty --quiet

# Leptos is in a workspace of its own. What it depends on is packed above, but not published yet.
patches=()
for crate in logto-client logto-core adapters/common adapters/tower; do
    name=$(sed --quiet '0,/^name = /s/^name = "\(.*\)"$/\1/p' "$crate/Cargo.toml")
    patches+=(--config "patch.crates-io.$name.path='$crate'")
done
cargo package --manifest-path adapters/Cargo.toml --package logto-leptos --no-verify --allow-dirty --quiet \
    --target-dir target "${patches[@]}"

required=(Cargo.toml LICENSE-APACHE LICENSE-MIT README.md src/lib.rs)
expected='^(Cargo\.(toml|toml\.orig|lock)|\.cargo_vcs_info\.json|LICENSE-(APACHE|MIT)|README\.md|src/.*\.(rs|sql|html))$'
failed=0
for manifest in $(git ls-files '*Cargo.toml' | xargs grep --files-with-matches '^documentation = '); do
    folder=$(dirname "$manifest")
    name=$(sed --quiet '0,/^name = /s/^name = "\(.*\)"$/\1/p' "$manifest")
    archive=("$packages/$name"-*.crate)
    files=$(tar --list --file "${archive[0]}" | cut --delimiter=/ --fields=2-)
    for file in "${required[@]}"; do
        grep --quiet --line-regexp --fixed-strings "$file" <<<"$files" || { echo "error: $name lacks $file" >&2; failed=1; }
    done
    if unexpected=$(grep --extended-regexp --invert-match "$expected" <<<"$files"); then
        echo "error: $name holds what nobody needs:" $unexpected >&2
        failed=1
    fi
    # A link that is relative leads nowhere outside of this repository.
    if grep --line-number --extended-regexp '\]\((\.|[a-zA-Z_-]+[./)])[^:]*\)' "$folder/README.md" >&2; then
        echo "error: $folder/README.md has these relative links" >&2
        failed=1
    fi
    echo "$name: $(wc --lines <<<"$files") files, $(stat --format %s "${archive[0]}") bytes"
done
exit "$failed"
