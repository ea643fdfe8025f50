"""tools/test.sh: what it counts, that nothing of it may fail, and that what it started ends with it. Everything it runs is one program
here that writes down how it was called."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FAKE = """#!/bin/bash
call="${0##*/} $*"
echo "$call" >>"$CALLS"
case "$call" in
*"$EMPTY"*) exit 0 ;;
*"$FAILS"*) echo "it is broken: $call"; exit 3 ;;
*"$HANGS"*) [ -z "$DEAF" ] || trap '' INT TERM; echo >>"$CALLS.hanging"; while :; do sleep 1000; done ;;
scenarios.sh* | tsan.sh*) echo "==== 5 passed, 1 skipped in 3.0s ====" ;;
ctest*) echo "[  PASSED  ] 7 test(s)" ;;
buf.sh*) echo "1 passed, 0 failed" ;;
esac
"""
FAKES = ["tools/scenarios.sh", "tools/tsan.sh", "tools/venv.sh", "tools/fuzz.sh", "tests/lint/buf.sh", "tests/lint/format.sh", "bin/cmake", "bin/ninja",
         "bin/ctest", "bin/fake", ".venv/bin/python"]


@pytest.fixture
def begin(tmp_path):
    for name in FAKES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(FAKE)
        (tmp_path / name).chmod(0o755)
    for name in ("tools/test.sh", "tools/count_tests.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "bin/python3").write_text(f'#!/bin/sh\n[ "$1" = tools/count_tests.py ] && exec {sys.executable} "$@"\nexec fake "$@"\n')
    (tmp_path / "bin/python3").chmod(0o755)

    def begin(fails="nothing", hangs="nothing", deaf="", empty="nothing"):
        env = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "CALLS": str(tmp_path / "calls"), "TMPDIR": str(tmp_path), "FAILS": fails,
               "HANGS": hangs, "DEAF": deaf, "EMPTY": empty}
        return subprocess.Popen([tmp_path / "tools/test.sh"], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))

    return begin


def test_every_stage_is_counted(begin, tmp_path):
    out, _ = begin().communicate(timeout=120)
    stages = [line for line in out.splitlines() if " passed, " in line][:-1]
    assert len({line.split("  ")[0] for line in stages}) == len(stages) == 29, out
    # 4 of pytest, 3 of ctest, 2 of buf, the rest one check each
    assert out.endswith(f"\n{4 * 5 + 3 * 7 + 2 + 29 - 9} passed, 0 failed, 4 skipped\n"), out
    calls = (tmp_path / "calls").read_text().splitlines()
    first = min(i for i, call in enumerate(calls) if call.startswith("scenarios.sh"))
    built = [call for call in calls[:first] if call.startswith("ninja")]
    assert {call.split()[2] for call in built} == {"build", "build-asan"}, "nothing is run before it is built"


@pytest.mark.parametrize("stage", ["ninja -C build-asan", "ctest --test-dir build-clang", "scenarios.sh build-asan", "tsan.sh"])
def test_a_stage_that_fails_fails_the_run_and_says_all_that_it_said(begin, stage):
    run = begin(fails=stage)
    out, _ = run.communicate(timeout=120)
    assert run.returncode == 1 and " passed, 1 failed, " in out.splitlines()[-1] and out.count("it is broken: ") == 1, out


@pytest.mark.parametrize("stage", ["ctest --test-dir build ", "scenarios.sh build-asan", "buf.sh --self-test"])
def test_a_stage_that_finds_no_test_fails_the_run(begin, stage):
    run = begin(empty=stage)
    out, _ = run.communicate(timeout=120)
    assert run.returncode == 1 and " passed, 1 failed, " in out.splitlines()[-1], out


@pytest.mark.parametrize("how, deaf", [(signal.SIGINT, ""), (signal.SIGTERM, ""), (signal.SIGTERM, "deaf")])
def test_what_ends_it_ends_all_that_it_started(begin, tmp_path, how, deaf):
    run = begin(hangs="scenarios.sh build", deaf=deaf)
    hanging = tmp_path / "calls.hanging"
    end = time.monotonic() + 120
    while not hanging.exists() or hanging.read_text().count("\n") < 2:  # both rows of them
        assert time.monotonic() < end
        time.sleep(0.02)
    run.send_signal(how)
    out, _ = run.communicate(timeout=60)  # nobody else holds its output
    assert run.returncode == 128 + how and not list(tmp_path.glob("tmp.*")), out
    here = [path for path in pathlib.Path("/proc").glob("[0-9]*/environ") if str(tmp_path).encode() in environment(path)]
    assert not here, "a child goes on"


def environment(path):
    try:
        return path.read_bytes()
    except OSError:  # it has ended, or is another user's
        return b""
