#!/usr/bin/env bash
# The scenarios (pytest, real clients, real sockets) against the programs of a build folder.
set -eu
cd "$(dirname "$0")/.."
REMORA_BUILD=$(cd "${1:-build}" && pwd)
export REMORA_BUILD
shift || true
if [ ! -x .venv/bin/pytest ] || ! cmp -s tests/requirements.txt .venv/requirements.txt; then
    python3 -m venv .venv
    .venv/bin/pip install --quiet --disable-pip-version-check -r tests/requirements.txt
    cp tests/requirements.txt .venv/requirements.txt
fi
exec .venv/bin/pytest --maxfail=20 -p no:cacheprovider tests/scenario "$@"
