#!/usr/bin/env bash
# Everything that proves Remora, in stages; each prints one line, the last line counts all. `test.sh unit` and
# `test.sh scenario` run a part. Logs of failed stages are printed whole.
set -u
cd "$(dirname "$0")/.."
part=${1:-all}
jobs=$(nproc)
passed=0
failed=0
skipped=0
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

say() { printf '%-44s %s\n' "$1" "$2"; }

# count NAME LOG STATUS: adds what the log of a stage says, whatever ran it.
count() {
    local p f s
    read -r p f s < <(python3 tools/count_tests.py "$2")
    if [ "$3" != 0 ] && [ "$f" = 0 ]; then f=1; fi
    passed=$((passed + p)); failed=$((failed + f)); skipped=$((skipped + s))
    say "$1" "$p passed, $f failed, $s skipped (${SECONDS}s)"
    grep -h " skipped: " "$2" || true
    if [ "$f" != 0 ] || [ "$3" != 0 ]; then
        echo "---- $1 ----"
        tail -n 150 "$2"
        echo "----"
    fi
}

# stage NAME COMMAND...: a command whose log counts itself
stage() {
    local name=$1
    shift
    "$@" >"$logs/log" 2>&1
    count "$name" "$logs/log" $?
}

# must NAME COMMAND...: one check, passed or failed
must() {
    local name=$1
    shift
    if "$@" >"$logs/log" 2>&1; then echo "1 passed, 0 failed" >>"$logs/log"; else echo "0 passed, 1 failed" >>"$logs/log"; fi
    count "$name" "$logs/log" 0
}

build() { # build DIR CMAKE_ARGS...
    local dir=$1
    shift
    cmake -S . -B "$dir" -G Ninja "$@" && ninja -C "$dir" -j "$jobs" --quiet
}

unit() { # unit NAME DIR
    stage "$1" ctest --test-dir "$2" -L 'unit|fuzz-replay|integration' -j "$jobs" --timeout 300 --output-on-failure -V
}

scenarios() { # scenarios NAME BUILD_DIR
    stage "$1" tools/scenarios.sh "$2"
}

# What has state to share, again with four workers; the files that are left out choose the number of theirs themselves.
four_workers() {
    local own="test_grpc_hostile or test_grpc_connections or test_grpc_interop or test_grpc_errors or test_grpc_tools"
    REMORA_WORKERS=4 tools/scenarios.sh "$1" -k "(test_http or test_grpc or test_keys or test_process) and not ($own)"
}

case $part in
all)
    must "lint: layering can fail" python3 tests/lint/layering.py --self-test
    must "lint: layering" python3 tests/lint/layering.py
    must "lint: style can fail" python3 tests/lint/style.py --self-test
    must "lint: style" python3 tests/lint/style.py
    must "lint: format" tests/lint/format.sh
    must "lint: fuzz targets can be missing" python3 tests/lint/fuzzed.py --self-test
    must "lint: a fuzz target for every parser" python3 tests/lint/fuzzed.py
    must "lint: named tests can fail" python3 tests/lint/named_tests.py --self-test
    must "lint: named tests" python3 tests/lint/named_tests.py
    stage "lint: buf can fail" tests/lint/buf.sh --self-test
    stage "lint: buf, and what breaks users" tests/lint/buf.sh
    must "lint: docs can fail" python3 tools/docs.py --self-test
    must "lint: docs are current" python3 tools/docs.py --check
    must "image: assembly" python3 tests/image/test_assembly.py
    must "build: gcc, release" build build -DCMAKE_BUILD_TYPE=Release -DREMORA_TESTS=ON
    unit "unit and corpora: gcc, release" build
    must "build: gcc, ASan + UBSan" build build-asan -DCMAKE_BUILD_TYPE=Debug -DREMORA_SANITIZE=address,undefined
    unit "unit and corpora: ASan + UBSan" build-asan
    must "coverage: a low room is seen" python3 tools/coverage.py --self-test
    must "coverage: 90 % of lines, pure rooms" python3 tools/coverage.py
    must "build: clang, warnings are errors" build build-clang -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=clang
    stage "unit and corpora: clang" ctest --test-dir build-clang -L 'unit|fuzz-replay' -E policy_property -j "$jobs" \
        --timeout 300 --output-on-failure -V
    must "fuzz targets link with libFuzzer" tools/fuzz.sh --smoke
    scenarios "scenarios: release" build
    scenarios "scenarios: ASan + UBSan" build-asan
    stage "scenarios: release, four workers" four_workers build
    stage "four workers under TSan" tools/tsan.sh build-tsan
    ;;
unit)
    must "build: gcc, release" build build -DCMAKE_BUILD_TYPE=Release -DREMORA_TESTS=ON
    unit "unit and corpora: gcc, release" build
    ;;
scenario)
    must "build: gcc, release" build build -DCMAKE_BUILD_TYPE=Release -DREMORA_TESTS=ON
    scenarios "scenarios: release" build
    ;;
*)
    echo "usage: test.sh [all|unit|scenario]" >&2
    exit 2
    ;;
esac
echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
