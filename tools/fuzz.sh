#!/usr/bin/env bash
# Each fuzz target with libFuzzer, ASan and UBSan: FUZZ_SECONDS each (default 60), or with --smoke a few hundred runs.
set -eu
cd "$(dirname "$0")/.."
cmake -S . -B build-fuzz -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER=clang -DREMORA_FUZZ=ON \
    -DREMORA_SANITIZE=address,undefined >/dev/null
targets=$(cd tests/fuzz && ls -- *_fuzz.c | sed 's/\.c$//')
ninja -C build-fuzz -j "$(nproc)" --quiet $targets
limit="-max_total_time=${FUZZ_SECONDS:-60}"
[ "${1:-}" != --smoke ] || limit="-runs=300"
for target in $targets; do
    scratch=$(mktemp -d)
    echo "== $target $limit"
    "build-fuzz/tests/$target" -rss_limit_mb=2048 -timeout=10 -artifact_prefix="$scratch/" $limit "$scratch" \
        "tests/fuzz/corpus/${target%_fuzz}" >"$scratch.log" 2>&1 || { tail -n 40 "$scratch.log"; exit 1; }
    tail -n 1 "$scratch.log"
    rm -rf "$scratch" "$scratch.log"
done
