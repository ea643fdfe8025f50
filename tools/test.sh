#!/usr/bin/env bash
# Everything that proves Remora, in stages; each prints one line when it ends, the last line counts all. `test.sh unit` and
# `test.sh scenario` run a part. Logs of failed stages are printed whole.
#
# Scenarios wait more than they work, so rows of stages run beside one another, and compilers take what the rows leave (nice).
set -u
cd "$(dirname "$0")/.."
part=${1:-all}
jobs=$(nproc)
logs=$(mktemp -d)
rows=()

# row each STEP...: runs the steps one after the other, beside what follows, in a process group of its own; join: until all rows have ended.
row() {
    set -m
    "$@" </dev/null &
    set +m
    rows+=($!)
}
each() { for step; do "$step"; done; }

join() {
    local row
    for row in "${rows[@]}"; do
        wait "$row" || { echo "a row of stages was ended: $?"; echo 0 1 0 >>"$logs/counts"; }
    done
    rows=()
}

# Whatever ends this program, the rows end, too: their shells at once, what they run as by Ctrl-C, by force in the end.
end() {
    local signal tries
    kill "${rows[@]}" 2>/dev/null
    for signal in INT TERM KILL; do
        kill "-$signal" -- "${rows[@]/#/-}" 2>/dev/null
        for ((tries = 0; tries < 50; tries++)); do kill -0 -- "${rows[@]/#/-}" 2>/dev/null || break 2; sleep 0.1; done
    done
    rm -rf "$logs"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# count NAME LOG STATUS SECONDS: the line of a stage, and all that it said if it failed. One at a time.
count() {
    local p f s
    read -r p f s < <(python3 tools/count_tests.py "$2") || { p=0 f=1 s=0; }
    if [ "$f" = 0 ] && [ "$3" != 0 -o "$p$s" = 00 ]; then f=1; fi # one that found nothing to do has failed, too
    {
        flock 9
        echo "$p $f $s" >>"$logs/counts"
        printf '%-44s %s\n' "$1" "$p passed, $f failed, $s skipped ($4s, at ${SECONDS}s)"
        grep -h " skipped: " "$2"
        if [ "$f" != 0 ]; then
            echo "---- $1 ----"
            cat "$2"
            echo "----"
        fi
    } 9>"$logs/lock"
    rm "$2"
}

# stage NAME COMMAND...: a command whose log counts itself
stage() {
    local name=$1 began=$SECONDS log
    log=$(mktemp -p "$logs")
    shift
    "$@" >"$log" 2>&1
    count "$name" "$log" $? $((SECONDS - began))
}

# must NAME COMMAND...: one check, passed or failed
must() {
    local name=$1
    shift
    stage "$name" checked "$@"
}
checked() { if "$@"; then echo "1 passed, 0 failed"; else echo "0 passed, 1 failed"; fi; }

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

# ---- the rows ----

lints() {
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
}

release_build() {
    must "build: gcc, release" build build -DCMAKE_BUILD_TYPE=Release -DREMORA_TESTS=ON
}

sanitized_build() {
    must "build: gcc, ASan + UBSan" build build-asan -DCMAKE_BUILD_TYPE=Debug -DREMORA_SANITIZE=address,undefined
}

release_units() {
    unit "unit and corpora: gcc, release" build
}

sanitized_units() {
    unit "unit and corpora: ASan + UBSan" build-asan
}

release_scenarios() {
    scenarios "scenarios: release" build
}

sanitized_scenarios() {
    scenarios "scenarios: ASan + UBSan" build-asan
}

more_workers() {
    stage "scenarios: release, four workers" four_workers build
}

sanitized_threads() {
    stage "four workers under TSan" tools/tsan.sh build-tsan
}

# What all scenarios take from registries, before they need it.
environment() {
    must "Python environment" tools/venv.sh
}

clients() {
    must "clients, stubs, examples" nice -n 5 .venv/bin/python tests/scenario/prepare.py
}

# What only works, in what the scenarios leave of the machine.
compilers() (
    POSIXLY_CORRECT=1 renice -n 10 "$BASHPID" >/dev/null
    must "coverage: a low room is seen" python3 tools/coverage.py --self-test
    must "coverage: 90 % of lines, pure rooms" python3 tools/coverage.py
    must "build: clang, warnings are errors" build build-clang -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=clang
    stage "unit and corpora: clang" ctest --test-dir build-clang -L 'unit|fuzz-replay' -E policy_property -j "$jobs" \
        --timeout 300 --output-on-failure -V
    must "fuzz targets link with libFuzzer" tools/fuzz.sh --smoke
)

case $part in
all)
    row each release_build
    row each sanitized_build
    row each environment lints
    join
    row each release_scenarios
    row each sanitized_scenarios
    row each clients release_units sanitized_units compilers sanitized_threads more_workers
    ;;
unit) row each release_build release_units ;;
scenario) row each release_build release_scenarios ;;
*)
    echo "usage: test.sh [all|unit|scenario]" >&2
    exit 2
    ;;
esac
join
echo
awk '{ passed += $1; failed += $2; skipped += $3 }
    END { print passed + 0 " passed, " failed + 0 " failed, " skipped + 0 " skipped"; exit failed > 0 }' "$logs/counts"
