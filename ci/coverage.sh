#!/usr/bin/env bash
# Which lines of the core, the client and the storages the tests run: the table of `docs/tested.md`, then the lines that
# none runs. Fails if a crate is below the limit.
#
#   ci/coverage.sh            everything is compiled anew, in a target directory of its own
#   ci/coverage.sh report     of the last run, with the tests left alone
set -euo pipefail
cd "$(dirname "$0")/.."

limit=95
crates=(logto-core logto-client logto-storage)

ci/cargo-install.sh cargo-llvm-cov --version 0.9.1
export PATH=$PATH:$PWD/target/ci/tools/bin
# What reads the profiles has to be as new as the compiler that writes them.
llvm=$(rustc --version --verbose | sed -nE 's/^LLVM version: ([0-9]+).*/\1/p')
ci/apt-install.sh "llvm-$llvm"
export LLVM_COV=llvm-cov-$llvm LLVM_PROFDATA=llvm-profdata-$llvm

# One build for all, so that nothing is compiled with two sets of features. Left out are the tests of documents, and those of
# programs that are killed before they have written what they ran.
run_tests() {
    ci/install.sh
    local services exports
    services=$(mktemp --directory)
    trap "ci/services.sh stop '$services'" EXIT
    exports=$(ci/services.sh start "$services")
    eval "$exports"
    export CARGO_INCREMENTAL=0
    cargo llvm-cov clean --workspace
    cargo llvm-cov --no-report --locked \
        --package logto-core --package logto-client --package logto-storage \
        --package logto-testkit --package logto-tests --package logto-explorer \
        --features logto-client/tracing,logto-storage/redis,logto-storage/postgres,logto-storage/sqlite \
        --features logto-storage/tls,logto-storage/tracing,logto-storage/conformance \
        --lib --test config --test protocol --test session --test sign_in --test tokens \
        --test kit --test storages --test allocations --test apis --test faults --test resource_server --test sessions --test web
}

[ "${1:-}" = report ] || run_tests
lines=target/coverage.lcov
cargo llvm-cov report --lcov --output-path "$lines"

# Unit tests stand in a module at the end of a file, or in `tests.rs`, and are not counted. A line that several binaries have is covered if one runs it.
awk -v limit="$limit" -v crates="${crates[*]}" '
    function line_of_tests(path,    number, text, attribute, tests) {
        while (!tests && (getline text <path) > 0) {
            number++
            if (text == "#[cfg(test)]") attribute = number
            else if (attribute && text ~ /^(pub(\([a-z: ]+\))? )?mod [a-z_]+ \{$/) tests = attribute
            else if (text !~ /^#\[/) attribute = 0
        }
        close(path)
        return tests ? tests : number + 1
    }
    function end_range() {
        if (first) ranges = ranges (ranges ? ", " : "") (first == last ? first : first "-" last)
        first = 0
    }
    /^SF:/ {
        match($0, /logto-[a-z]+\/src\/.*/)
        file = substr($0, RSTART)
        crate = substr(file, 1, index(file, "/") - 1)
        counted = index(" " crates " ", " " crate " ") && file !~ /\/tests\.rs$/
        if (counted) tests = line_of_tests(file)
    }
    /^DA:/ && counted {
        split(substr($0, 4), entry, ",")
        if (entry[1] >= tests) next
        lines[crate]++
        if (entry[2] > 0) { covered[crate]++; end_range(); next }
        if (!first) first = entry[1]
        last = entry[1]
    }
    /^end_of_record/ && counted {
        end_range()
        if (ranges) missing = missing "\n" file ": " ranges
        ranges = ""
    }
    END {
        print "| crate | lines | run | % |\n|---|--:|--:|--:|"
        count = split(crates, names, " ")
        for (i = 1; i <= count; i++) {
            share = 100 * covered[names[i]] / lines[names[i]]
            printf "| `%s` | %d | %d | %.1f |\n", names[i], lines[names[i]], covered[names[i]], share
            if (share < limit) low = low " " names[i]
        }
        print missing
        if (low) { print "error: below " limit " %:" low >"/dev/stderr"; exit 1 }
    }
' "$lines"
