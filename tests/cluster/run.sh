#!/usr/bin/env bash
# make test-cluster: the chart and the image in a real Kubernetes, from nothing but Go modules and Debian packages.
#
# usage: run.sh [PYTEST ARGUMENT...]        e.g. run.sh -k rotated
#
#   CI=true                        what would be skipped is a failure
#   REMORA_CLUSTER_IMAGE=F.tar     test this image of Remora in place of the one that `make image` writes
#   REMORA_CLUSTER_CHART=FOLDER    test this chart in place of helm/remora
#   REMORA_CLUSTER_SECONDS         time limit of everything together, default 2700
#   REMORA_CLUSTER_FIGURES=F.json  write what was measured
#
# Ends with one line that tools/count_tests.py reads. Nothing is left behind but the tools in the cache.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
bin=${XDG_CACHE_HOME:-$HOME/.cache}/remora/cluster/bin

left() { # how many seconds are left
    local seconds=$((${REMORA_CLUSTER_SECONDS:-2700} - SECONDS))
    echo $((seconds > 1 ? seconds : 1))
}

skip() { # REASON
    if [ "${CI:-}" = true ]; then
        echo "cluster tests cannot run: $1"
        echo "0 passed, 1 failed, 0 skipped"
        exit 1
    fi
    echo "cluster tests skipped: $1"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}

must() { # WHAT COMMAND...: a step before the tests
    local what=$1
    shift
    "$@" && return 0
    echo "cluster tests: $what failed"
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
}

main() {
    local status why
    [ "$(id -u)" = 0 ] || skip "a node needs root"
    [ "$(uname -s)" = Linux ] || skip "a node needs Linux"
    "$here/build.sh" --complete || why=$("$here/build.sh" --able) || skip "$why"
    must "installing packages" timeout -k 10 "$(left)" "$root/tools/packages.sh" cluster
    must "building the tools" timeout -k 10 "$(left)" "$here/build.sh"

    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    must "making the images of the tests" timeout -k 10 "$(left)" python3 "$here/images.py" "$bin/podapp" "$work"
    if [ -z "${REMORA_CLUSTER_IMAGE:-}" ]; then
        must "make image" timeout -k 10 "$(left)" make -C "$root" --no-print-directory image
        REMORA_CLUSTER_IMAGE=$(ls -t "$root"/build-image/remora-*.oci.tar | head -n 1)
    fi
    export REMORA_CLUSTER_IMAGES=$work/pause.tar:$work/podapp.tar:$REMORA_CLUSTER_IMAGE
    REMORA_CLUSTER_REMORA=$(python3 "$here/images.py" --name "$REMORA_CLUSTER_IMAGE") || return 1
    export REMORA_CLUSTER_REMORA

    must "making the Python environment" timeout -k 10 "$(left)" "$root/tools/venv.sh"
    cd "$here" || return 1
    PYTHONDONTWRITEBYTECODE=1 timeout -k 60 "$(left)" \
        "$root/.venv/bin/pytest" -p no:cacheprovider --rootdir "$here" --maxfail=8 --durations=8 -rs "$@" .
    status=$?
    [ $status != 124 ] || echo "0 passed, 1 failed: the tests did not end in time"
    return $status
}

main "$@"
exit $?
