#!/usr/bin/env bash
# make test-image: the image as a container under runc, and the same image built twice from folders of different names.
# Needs root and Debian's runc, umoci and skopeo; without them it says so and skips, under CI=true it fails.
set -eu
cd "$(dirname "$0")/../.."

skip() {
    echo "image: $1"
    if [ "${CI:-}" = true ]; then echo "0 passed, 1 failed"; exit 1; fi
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}
[ "$(id -u)" = 0 ] || skip "needs root: runc, chroot"
for program in runc umoci skopeo nsenter curl; do
    command -v "$program" >/dev/null || skip "needs $program: tools/packages.sh test-image"
done
unshare --mount --pid --fork true 2>/dev/null || skip "this machine makes no namespaces"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
check() { # check NAME COMMAND...
    local name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1))
        echo "ok    $name"
    else
        failed=$((failed + 1))
        echo "FAIL  $name"
        tail -n 60 "$work/log"
    fi
}

# A copy of the sources elsewhere has no history: what the image takes from it is said.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
IMAGE_REVISION=${IMAGE_REVISION:-$(git rev-parse HEAD)}
export SOURCE_DATE_EPOCH IMAGE_REVISION
copy=$work/another/folder
mkdir -p "$copy"
git ls-files -z | xargs -0 tar c | tar x -C "$copy"

check "builds" timeout 1200 tools/image/build.sh
tail -n 4 "$work/log"
[ "$failed" = 0 ] || { echo "$passed passed, $failed failed"; exit 1; }
check "builds in another folder" env IMAGE_OUT="$work/again" timeout 1200 "$copy/tools/image/build.sh"
for first in build-image/remora-*.oci.tar build-image/remora-*.spdx.json; do
    check "the same bytes twice: ${first##*/}" cmp "$first" "$work/again/${first##*/}"
done
image=$(echo build-image/remora-*.oci.tar)
check "container: $(basename "$image")" env REMORA_IMAGE="$PWD/$image" timeout 600 python3 -B tests/image/test_container.py
grep -E '^Ran|ok$|FAIL|ERROR' "$work/log" || true
echo "image: $passed passed, $failed failed"
[ "$failed" = 0 ]
