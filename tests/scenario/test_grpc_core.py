"""What depends on the generation of the gRPC core: who may listen beyond loopback, and how completions reach a worker. `make test`
has the core of Debian 12, `make test-newroot` the one of Debian experimental; the number decides, here as in the program."""
import os
import pathlib
import re
import subprocess
import time

import pytest

from gateway import SECRETS, Remora
from test_keys import hashes, with_keys  # noqa: F401  (hashes is a fixture)
from upstream import build_dir

OLD_CORE_BELOW = 40  # REMORA_GRPC_OLD_CORE_BELOW


def core():
    text = subprocess.run([str(build_dir() / "remora"), "version"], capture_output=True, text=True, timeout=20).stdout
    return int(re.search(r"gRPC core (\d+)", text).group(1))


IS_OLD = core() < OLD_CORE_BELOW


def name_of(thread):
    try:
        return (thread / "comm").read_text().strip()
    except OSError:  # it has ended since it was listed
        return None


def threads(remora, name):
    return sum(name_of(thread) == name for thread in pathlib.Path(f"/proc/{remora.process.pid}/task").iterdir())


def settled_threads(remora, name, count):
    """A thread takes its name a moment after it was started."""
    end = time.monotonic() + 5
    while threads(remora, name) != count and time.monotonic() < end:
        time.sleep(0.02)
    return threads(remora, name)


@pytest.mark.parametrize("workers", [1, 4])
def test_the_core_s_number_chooses_the_hand_off(upstream, hashes, workers):  # noqa: F811
    with Remora(with_keys(upstream, hashes), environment=SECRETS, workers=workers) as remora:
        expected = {"grpc-poller": 1, "grpc-mover": 0} if IS_OLD else {"grpc-poller": 0, "grpc-mover": workers}
        assert {name: settled_threads(remora, name, count) for name, count in expected.items()} == expected


def test_an_old_core_stays_on_loopback_and_a_new_one_need_not(upstream, hashes):  # noqa: F811
    path = hashes / "remora.yaml"
    path.write_text(with_keys(upstream, hashes))
    if IS_OLD:
        others = [argument for name in ("--http", "--probe", "--admin") for argument in (name, "off")]
        result = subprocess.run([str(build_dir() / "remora"), "serve", "--config", str(path), "--grpc", "0.0.0.0:0", *others],
                                capture_output=True, text=True, timeout=30)
        assert result.returncode == 1 and "has known holes" in result.stderr and "accept_old_core" in result.stderr
    else:
        with Remora(path.read_text(), arguments=["--grpc", "0.0.0.0:0"], environment=SECRETS) as remora:
            assert remora.grpc_port > 0


def test_check_knows_what_this_core_may_not(upstream, hashes):  # noqa: F811
    path = hashes / "beyond.yaml"
    for more, warns in (("", IS_OLD), ("grpc: {accept_old_core: true}\n", False)):
        path.write_text(with_keys(upstream, hashes, more="listen: {grpc: 0.0.0.0:7361}\n" + more))
        result = subprocess.run([str(build_dir() / "remora"), "check", str(path)], capture_output=True, text=True, timeout=30,
                                env={**os.environ, **SECRETS})
        assert result.returncode == 0 and ("listen.grpc: here `serve` would refuse it: gRPC core" in result.stderr) == warns, result.stderr


def test_an_old_core_may_be_accepted(upstream, hashes):  # noqa: F811
    document = with_keys(upstream, hashes, more="grpc: {accept_old_core: true}")
    with Remora(document, arguments=["--grpc", "0.0.0.0:0"], environment=SECRETS) as remora:
        assert remora.grpc_port > 0
