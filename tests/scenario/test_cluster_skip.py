"""`make test-cluster` where it cannot run: one clear line, and a failure where CI must not miss it."""
import os
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def run(tmp_path, go=None, **more):
    """On a machine without Go or with one of some version, without tools in the cache (and, for most users, without root)."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "dirname", "id", "uname", "sed", "cat", "ls", "sha256sum", "cut", "mkdir", "sort", "head", "tail"):
        (tools / name).symlink_to(subprocess.check_output(["which", name], text=True).strip())
    if go:
        (tools / "go").write_text(f"#!/bin/sh\n[ \"$1 $2\" = 'env GOVERSION' ] && echo go{go}\n")
        (tools / "go").chmod(0o755)
    env = {"PATH": str(tools), "HOME": str(tmp_path), **more}
    return subprocess.run([os.path.join(ROOT, "tests/cluster/run.sh")], env=env, capture_output=True, text=True, timeout=60)


def test_it_skips_with_one_line(tmp_path):
    done = run(tmp_path)
    said = done.stdout.splitlines()
    assert done.returncode == 0 and len(said) == 2 and done.stderr == "", done
    assert said[0].startswith("cluster tests skipped: ") and said[1] == "0 passed, 0 failed, 1 skipped"


@pytest.mark.parametrize("ci,expected", [("true", 1), ("false", 0)])
def test_under_ci_that_is_a_failure(tmp_path, ci, expected):
    done = run(tmp_path, CI=ci)
    assert done.returncode == expected
    assert ("0 passed, 1 failed, 0 skipped" in done.stdout) == (expected == 1), done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="without root it is said that a node needs it")
@pytest.mark.parametrize("go, why", [(None, "no Go to build Kubernetes with"), ("1.9", "Go 1.9 is older than 1.2"), ("1.25.9", "Go 1.25.9 is older than 1.26"),
                                     ("1.26rc1", "Go 1.26rc1 is older than 1.26")])
@pytest.mark.parametrize("ci", ["true", "false"])
def test_a_go_that_is_too_old_is_named(tmp_path, go, why, ci):
    """Not left to the compiler, whose words come after minutes and name no cure."""
    done = run(tmp_path, go=go, CI=ci)
    said = done.stdout.splitlines()
    assert (done.returncode, len(said), done.stderr) == (int(ci == "true"), 2, ""), done
    assert said[0].startswith("cluster tests " + ("cannot run: " if ci == "true" else "skipped: ")) and why in said[0], said
