#!/usr/bin/env bash
# The scenarios (pytest, real clients, real sockets) against the programs of a build folder.
set -eu
cd "$(dirname "$0")/.."
REMORA_BUILD=$(cd "${1:-build}" && pwd)
export REMORA_BUILD
shift || true
tools/venv.sh
exec .venv/bin/pytest --maxfail=20 -p no:cacheprovider tests/scenario "$@"
