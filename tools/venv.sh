#!/usr/bin/env bash
# The Python environment of the tests, .venv: made when it is not there or tests/requirements.txt has changed.
set -eu
cd "$(dirname "$0")/.."
exec 9>.venv.lock
flock 9 # one of those that run beside one another makes it
if [ ! -x .venv/bin/pytest ] || ! cmp -s tests/requirements.txt .venv/requirements.txt; then
    python3 -m venv .venv
    .venv/bin/pip install --quiet --disable-pip-version-check -r tests/requirements.txt
    cp tests/requirements.txt .venv/requirements.txt
fi
