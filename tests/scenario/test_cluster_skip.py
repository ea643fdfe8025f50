"""`make test-cluster` where it cannot run: one clear line, and a failure where CI must not miss it."""
import os
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def run(tmp_path, **more):
    """On a machine without Go and without tools in the cache (and, for most users, without root)."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "dirname", "id", "uname", "sed", "cat", "ls", "sha256sum", "cut", "mkdir"):
        (tools / name).symlink_to(subprocess.check_output(["which", name], text=True).strip())
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
