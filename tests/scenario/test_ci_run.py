""".ci/run: what it calls, in which order, and that nothing of it may fail. `make` is one that writes down how it was called."""
import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAKE = """#!/bin/sh
echo "$1 $REMORA_CLUSTER_IMAGE" >>"$CALLS"
[ "$1" = test-image ] && [ -z "$NO_IMAGE" ] && mkdir -p build-image && : >build-image/remora-1-amd64.oci.tar
[ "$1" != "$FAILS" ] || { [ -n "$ONCE" ] && [ "$(grep -c "^$1 " "$CALLS")" = 2 ]; }
"""
EARLIER = ["test", "test-chart", "test-image"]


def run(folder, **how):
    """(exit status, calls, image that the last of them was given)"""
    (folder / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", folder / ".ci/run")
    (folder / "build-image").mkdir()
    (folder / "build-image/remora-0-amd64.oci.tar").touch()
    tools = folder / "bin"
    tools.mkdir()
    (tools / "make").write_text(MAKE)
    (tools / "make").chmod(0o755)
    calls = folder / "calls"
    done = subprocess.run([folder / ".ci/run"], env={"PATH": f"{tools}:{os.environ['PATH']}", "CALLS": str(calls), **how}, timeout=60)
    said = [line.partition(" ") for line in calls.read_text().splitlines()]
    return done.returncode, [name for name, _, _ in said], said[-1][2]


def test_everything_is_called_and_the_cluster_gets_the_image_that_was_proven(tmp_path):
    assert run(tmp_path) == (0, [*EARLIER, "test-cluster"], f"{tmp_path}/build-image/remora-1-amd64.oci.tar")


def test_an_image_of_an_earlier_run_is_not_taken_for_this_ones(tmp_path):
    assert run(tmp_path, NO_IMAGE="1") == (0, [*EARLIER, "test-cluster"], "")


@pytest.mark.parametrize("fails", EARLIER)
def test_nothing_of_it_may_fail(tmp_path, fails):
    status, calls, _ = run(tmp_path, FAILS=fails)
    assert status != 0 and calls == EARLIER[:EARLIER.index(fails) + 1]


@pytest.mark.parametrize("once", ["", "1"])
def test_the_cluster_has_a_second_try_and_no_third(tmp_path, once):
    status, calls, _ = run(tmp_path, FAILS="test-cluster", ONCE=once)
    assert (status == 0) == bool(once) and calls == [*EARLIER, "test-cluster", "test-cluster"]
