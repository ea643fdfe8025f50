#!/usr/bin/env bash
# Four workers under ThreadSanitizer: the unit tests that use threads, then the scenarios of tests/scenario/test_threads.py.
# A report ends the gateway with status 66, which fails its scenario.
#
# usage: tsan.sh [BUILD_DIR] [pytest arguments]
set -eu
cd "$(dirname "$0")/.."
build=${1:-build-tsan}
shift || true
export TSAN_OPTIONS="suppressions=$PWD/tests/tsan/suppressions.txt:exitcode=66:history_size=4"
tests=(engine_admission_test engine_bucket_test engine_counter_test engine_health_test loop_loop_test)

cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DREMORA_SANITIZE=thread >"$build.log" || { cat "$build.log"; exit 1; }
rm -f "$build.log"
nice ninja -C "$build" -j "${JOBS:-$(nproc)}" --quiet remora fault_server "${tests[@]}"

# The control: the same options and suppressions see a race.
cc -g -O1 -fsanitize=thread -o "$build/race" tests/tsan/race.c
status=0
"$build/race" 2>/dev/null || status=$?
[ "$status" = 66 ] || { echo "tsan: a race was not reported"; exit 1; }
echo "1 passed, 0 failed"

for each in "${tests[@]}"; do
    "$build/tests/$each"
done
tools/scenarios.sh "$build" -k test_threads "$@"
