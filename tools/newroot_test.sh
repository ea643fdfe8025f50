#!/usr/bin/env bash
# make test-newroot: the same source against the newer libraries. Builds with warnings as errors in the root of
# tools/newroot.sh, runs unit, corpora and integration tests in it, and the scenarios, with one worker and with four, against
# the program that was built there. The clients of the scenarios are this machine's; the program and everything it loads come
# from the root. Arguments go to pytest: `newroot_test.sh -k grpc`. The last line counts all.
set -u
cd "$(dirname "$0")/.."
build=build-newroot
root=$(tools/newroot.sh path) || exit 1
mkdir -p "$build"
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
passed=0 failed=0 skipped=0

inside() { tools/newroot.sh run "$build" "$@"; }

# stage NAME COMMAND...: its log counts itself; a log without a count is one check.
stage() {
    local name=$1 p f s status=0
    shift
    "$@" >"$logs/log" 2>&1 || status=$?
    read -r p f s < <(python3 tools/count_tests.py "$logs/log")
    if [ $((p + f + s)) = 0 ]; then p=$((status == 0)); fi
    if [ "$status" != 0 ] && [ "$f" = 0 ]; then f=1; fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    printf '%-44s %s passed, %s failed, %s skipped (%ss)\n' "$name" "$p" "$f" "$s" "$SECONDS"
    if [ "$f" != 0 ]; then tail -n 150 "$logs/log"; fi
}

compile() {
    inside cmake -S /src -B /build/release -G Ninja -DCMAKE_BUILD_TYPE=Release -DREMORA_TESTS=ON &&
        inside ninja -C /build/release -j "${JOBS:-$(nproc)}" --quiet
}

# A program of the root as this machine starts it: with the root's loader and the root's libraries.
loader=$(readlink -f "$(ls "$root"/usr/lib64/ld-linux-*.so.* "$root"/usr/lib/ld-linux-*.so.* 2>/dev/null | head -n 1)")
here() {
    mkdir -p "$(dirname "$build/run/$1")"
    cp "$build/release/$1" "$build/run/$1"
    patchelf --set-interpreter "$loader" --force-rpath --set-rpath "$(dirname "$loader")" "$build/run/$1"
}

scenarios() { REMORA_WORKERS=$1 tools/scenarios.sh "$build/run" "${@:2}"; }

stage "build: gcc of the root, warnings are errors" compile
[ "$failed" = 0 ] || exit 1
for program in remora tests/support/fault_server examples/chat_stream; do here "$program"; done
cp "$build/release/CMakeCache.txt" "$build/run/"
stage "unit, corpora, integration" inside ctest --test-dir /build/release -L 'unit|fuzz-replay|integration' \
    -j "${JOBS:-$(nproc)}" --timeout 300 --output-on-failure -V
stage "scenarios, one worker" scenarios 1 "$@"
if [ $# = 0 ]; then set -- -k "test_http or test_grpc or test_keys or test_process or test_drain"; fi # what has state to share
stage "scenarios, four workers" scenarios 4 "$@"
echo
"$build/run/remora" version
for package in gcc libgrpc-dev libcurl4-openssl-dev libssl-dev libuv1-dev libllhttp-dev libprotobuf-c-dev libc6; do
    dpkg-query --admindir "$root/var/lib/dpkg" -W -f '${Package} ${Version}, ' "$package"
done
echo
echo "new root: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
