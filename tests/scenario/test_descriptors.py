"""File descriptors that run out: who is refused, whom it is held against, and who still gets an answer."""
import ctypes
import http.client
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile

import grpc
import pytest

from gateway import SECRETS, Remora, two_providers
from test_grpc import pb  # noqa: F401  (a fixture)
from test_policy_files import wait_for
from test_tls import grpc_chat, ours, run, secure_channel, theirs  # noqa: F401  (ours and theirs are fixtures)
from upstream import build_dir


def limits_of(remora):
    return resource.prlimit(remora.process.pid, resource.RLIMIT_NOFILE)


def test_the_soft_limit_is_raised_to_what_the_limits_take(upstream):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, before[1]))  # of what is started meanwhile
    try:
        remora = Remora(two_providers(upstream, "ok"), environment=SECRETS)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    with remora:
        soft, hard = limits_of(remora)
        assert soft == min(hard, soft) and (soft >= 5120) == ("few file descriptors" not in remora.log()) and soft > 1024


def test_too_low_a_hard_limit_is_told(upstream):
    with Remora(two_providers(upstream, "ok"), environment=SECRETS, most_files=2048) as remora:
        told, = remora.wait_log("few file descriptors")
        assert (told["level"], told["limit"]) == ("warn", 2048) and "LimitNOFILE" in told["cure"] and limits_of(remora) == (2048, 2048)
        assert remora.chat({"model": "t/m"})[0] == 200
    for most, is_told in ((told["needed"], False), (told["needed"] - 1, True)):
        with Remora(two_providers(upstream, "ok"), environment=SECRETS, most_files=most) as remora:
            assert ("few file descriptors" in remora.log()) == is_told


def lower(remora, count):
    resource.prlimit(remora.process.pid, resource.RLIMIT_NOFILE, (count, limits_of(remora)[1]))


def highest(remora):

    return max(int(name) for name in os.listdir(f"/proc/{remora.process.pid}/fd"))


def count(remora):
    return len(os.listdir(f"/proc/{remora.process.pid}/fd"))


def refused(remora, listener, reason):
    return remora.metrics().get(f'remora_connections_refused_total{{listener="{listener}",reason="{reason}"}}', 0)


def is_closed(connection):
    connection.settimeout(10)
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def is_closed_by_now(connection):
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def is_served(remora):
    try:
        return remora.chat({"model": "t/m"})[0] == 200
    except (ConnectionError, http.client.HTTPException):
        return False


@pytest.mark.parametrize("listener", ["http", "grpc"])
def test_callers_leave_descriptors_to_probes(upstream, listener):
    with Remora(two_providers(upstream, "ok"), environment=SECRETS) as remora:
        before = highest(remora)
        lower(remora, before + 96 + 20)
        port = remora.http_port if listener == "http" else remora.grpc_port
        held = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
        assert is_closed(held[-1])
        wait_for(lambda: refused(remora, listener, "descriptors") >= 150)
        for path in ("/livez", "/readyz"):
            assert remora.request("GET", path, port=remora.probe_port)[0] == 200
        assert remora.request("GET", "/config/status", port=remora.admin_port)[0] == 200
        remora.process.send_signal(signal.SIGHUP)
        remora.wait_log("configuration loaded")
        for connection in held:
            connection.close()
        wait_for(lambda: is_served(remora))


def serves_tls(remora, ours, theirs, pb):  # noqa: F811
    with secure_channel(remora, ours, theirs) as c:
        try:
            return len(grpc_chat(pb, c).choices) == 1
        except grpc.RpcError:
            return False


def is_asleep(remora):
    """All that has woken a thread has been seen to."""
    stats = [stat.read_text() for stat in pathlib.Path(f"/proc/{remora.process.pid}/task").glob("*/stat")]
    return all(stat.rpartition(")")[2].split()[0] == "S" for stat in stats)


def connect(port, count):
    return [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]


def test_callers_of_grpc_over_tls_leave_descriptors_to_probes(upstream, ours, theirs, pb):  # noqa: F811
    """The library accepts them by itself, and the old one never again once it has found no descriptor."""
    with run(upstream, ours, theirs, arguments=("--grpc", "0.0.0.0:0")) as remora:
        lower(remora, highest(remora) + 96 + 20)
        held = connect(remora.grpc_port, 200)
        assert is_closed(held[-1])
        wait_for(lambda: refused(remora, "grpc", "descriptors") >= 150)
        assert remora.request("GET", "/livez", port=remora.probe_port)[0] == 200
        assert remora.request("GET", "/config/status", port=remora.admin_port)[0] == 200
        for connection in held:
            connection.close()
        wait_for(lambda: serves_tls(remora, ours, theirs, pb))


@pytest.mark.parametrize("spare", [0, 20], ids=["none", "by-others"])
def test_grpc_over_tls_outlives_descriptors_that_are_used_up(upstream, ours, theirs, pb, spare):  # noqa: F811
    with run(upstream, ours, theirs, arguments=("--grpc", "0.0.0.0:0")) as remora:
        soft, hard = limits_of(remora)
        limit = highest(remora) + spare if spare else 4  # below all: not even the one held in reserve is of use
        resource.prlimit(remora.process.pid, resource.RLIMIT_NOFILE, (limit, hard))
        others = connect(remora.probe_port, 2 * spare)  # whoever probes is let use them all
        wait_for(lambda: not spare or others.extend(connect(remora.probe_port, 1)) or count(remora) == limit)
        callers = connect(remora.grpc_port, 10)
        if spare:
            assert all(is_closed(caller) for caller in callers)
            wait_for(lambda: any(is_closed_by_now(other) for other in others))  # the last may have taken the last one
        wait_for(lambda: is_asleep(remora))  # nor does anybody ask on and on
        resource.prlimit(remora.process.pid, resource.RLIMIT_NOFILE, (soft, hard))
        assert serves_tls(remora, ours, theirs, pb)
        for connection in others + callers:
            connection.close()
        assert (refused(remora, "grpc", "descriptors") >= 10) == bool(spare)


def test_no_descriptor_for_a_provider_is_shed_and_not_held_against_it(upstream):
    with Remora(two_providers(upstream, "ok"), environment=SECRETS) as remora:
        with socket.create_connection(("127.0.0.1", remora.http_port)) as caller:
            caller.settimeout(20)
            wait_for(lambda: remora.metrics()['remora_connections{listener="http"}'] >= 1)
            soft = limits_of(remora)[0]
            body = b'{"model":"t/m","messages":[{"role":"user","content":"Hello"}]}'
            ask = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            for _ in range(8):  # more than open a breaker
                lower(remora, 24)
                caller.sendall(ask)
                answer = caller.recv(65536)
                assert answer.startswith(b"HTTP/1.1 503") and b"descriptor" in answer and b"SHEDDING" in answer, answer
                assert re.search(rb"(?i)retry-after: \d", answer), answer
                lower(remora, soft)
            assert remora.metrics()['remora_circuit_state{provider="a"}'] == 0
        assert remora.chat({"model": "t/m"})[2]["provider"] == "a"


def test_who_comes_beyond_the_limit_of_a_listener_is_counted(upstream):
    with Remora(two_providers(upstream, "ok"), environment=SECRETS) as remora:
        held = [socket.create_connection(("127.0.0.1", remora.http_port)) for _ in range(1024 + 5)]
        wait_for(lambda: refused(remora, "http", "full") == 5)
        assert is_closed(held[-1])
        for connection in held:
            connection.close()


def test_who_comes_beyond_the_limit_of_grpc_over_tls_is_counted(upstream, ours, theirs, pb):  # noqa: F811
    """Of which the library of Debian 12 knows nothing."""
    with run(upstream, ours, theirs, arguments=("--grpc", "0.0.0.0:0")) as remora:
        held = connect(remora.grpc_port, 1024 + 5)
        wait_for(lambda: refused(remora, "grpc", "full") == 5)
        assert is_closed(held[-1])
        for connection in held:
            connection.close()
        wait_for(lambda: serves_tls(remora, ours, theirs, pb))
        assert refused(remora, "grpc", "descriptors") == 0


SOMEBODY = 40000 + os.getpid() % 20000  # of no other run that goes on beside this one: the kernel counts by user


class InotifyUsedUp:
    """By a process of SOMEBODY's, as often as the kernel lets that user."""

    def __enter__(self):
        libc = ctypes.CDLL(None)
        taken, taking = os.pipe()
        self.process = os.fork()
        if self.process == 0:
            os.setuid(SOMEBODY)
            while libc.inotify_init1(0) >= 0:
                pass
            os.write(taking, b"all")
            signal.pause()
        os.close(taking)
        assert os.read(taken, 3) == b"all"
        os.close(taken)
        return self

    def end(self):
        if self.process:
            os.kill(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)
        self.process = None

    def __exit__(self, *_):
        self.end()


@pytest.mark.skipif(os.getuid() != 0, reason="takes another user")
def test_without_inotify_changes_are_seen_all_the_same_and_it_is_told(upstream):
    try:
        subprocess.run([build_dir() / "remora", "version"], user=SOMEBODY, cwd="/", check=True, capture_output=True, timeout=60)
    except PermissionError:
        pytest.skip("another user cannot run this program: it, or the loader that it names, lies in a folder of root's")
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o755)
    path = pathlib.Path(folder) / "remora.yaml"
    key = pathlib.Path(folder) / "key"
    key.write_text("sk-one")
    text = two_providers(upstream, "ok").replace("{env: A_SECRET}", f"{{file: {key}}}")
    path.write_text(text)
    with InotifyUsedUp() as used_up:
        with Remora(arguments=("--config", str(path)), environment=SECRETS, user=SOMEBODY, cwd="/") as remora:
            assert len(remora.wait_log("the kernel watches no more files for this user")) == 1
            assert remora.metrics()["remora_config_files_watched"] == 0
            (path.parent / "next").write_text(text.replace("t/m", "t/n"))
            os.rename(path.parent / "next", path)
            remora.wait_log("configuration loaded", seconds=10)
            assert remora.chat({"model": "t/n"})[0] == 200
            key.unlink()  # the absence of a file is a change, too
            remora.wait_log("configuration loaded", count=2, seconds=10)
            assert remora.chat({"model": "t/n"})[2]["provider"] == "b"
            used_up.end()
            key.write_text("sk-two")
            remora.wait_log("configuration loaded", count=3, seconds=10)
            assert remora.metrics()["remora_config_files_watched"] == 1
    shutil.rmtree(folder)
