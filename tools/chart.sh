#!/usr/bin/env bash
# The tests of the chart (tests/chart) with the program of a build folder: `tools/chart.sh build -k golden`. helm is looked for
# in $REMORA_HELM3 and $REMORA_HELM4, else where tests/cluster/build.sh puts it; so is promtool.
set -eu
cd "$(dirname "$0")/.."
REMORA_BUILD=$(cd "${1:-build}" && pwd)
export REMORA_BUILD
shift || true
# Once: what is built is kept between runs. Without it the tests say so and skip.
if [ -x tests/cluster/build.sh ] && command -v go >/dev/null; then
    tests/cluster/build.sh helm3 helm4 promtool || true
fi
venv=build-tools/chart-venv
if [ ! -x $venv/bin/pytest ] || ! cmp -s tests/chart/requirements.txt $venv/requirements.txt; then
    python3 -m venv $venv
    $venv/bin/pip install --quiet --disable-pip-version-check -r tests/chart/requirements.txt
    cp tests/chart/requirements.txt $venv/requirements.txt
fi
exec $venv/bin/pytest -n "$(nproc)" --maxfail=20 -p no:cacheprovider tests/chart "$@"
