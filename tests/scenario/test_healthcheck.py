"""`remora healthcheck`: is it ready, and does it answer; against the demo's fake providers behind a gateway of its own."""
import contextlib
import hashlib
import os
import re
import socket
import subprocess

import pytest

from clients import missing
from gateway import Remora
from peers import authority
from upstream import build_dir

KEY = "rk-" + "k" * 40


def healthcheck(*arguments):
    return subprocess.run([str(build_dir() / "remora"), "healthcheck", *arguments], capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def providers():
    """Address of the fake providers, the only thing of this demo that is used."""
    with Remora(subcommand="demo", arguments=["--providers", "127.0.0.1:0", "--http", "off", "--grpc", "off"]) as demo:
        yield re.search(r"http://(127\.0\.0\.1:\d+)/flaky/v1 and http://\1/steady/v1", demo.log()).group(1)


def beside(providers, more=""):
    return f"""\
version: 1
providers:
  flaky: {{kind: openai, base_url: 'http://{providers}/flaky/v1'}}
  steady: {{kind: openai, base_url: 'http://{providers}/steady/v1'}}
models:
  demo/echo-1: {{endpoints: [{{provider: flaky, model_id: echo-1}}, {{provider: steady, model_id: echo-1}}]}}
  demo/flaky-1: {{endpoints: [{{provider: flaky, model_id: echo-1}}]}}
{more}"""


def test_a_completion_says_who_answered_and_after_how_many(providers):
    with Remora(beside(providers)) as remora:
        hosts = ["127.0.0.1", "localhost"]
        with contextlib.suppress(OSError), socket.create_connection(("::1", remora.http_port)):
            hosts.append("[::1]")  # where there is IPv6, the port has a twin there
        for host in hosts:
            result = healthcheck("--http", f"{host}:{remora.http_port}", "--model", "demo/echo-1")
            assert result.returncode == 0, result
            assert result.stdout.startswith("demo/echo-1: answered by steady after 2 attempts: Hello from the demo provider")


def test_a_socket_is_no_host(tmp_path):
    """Nobody is asked, so nobody is said not to answer."""
    for option in ("--probe", "--http"):
        result = healthcheck(option, f"unix:{tmp_path}/s", *(["--model", "a/b"] if option == "--http" else []))
        assert (result.returncode, result.stdout) == (2, "") and "HOST:PORT" in result.stderr, result


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_of_a_name_every_address_is_tried(providers, tmp_path, host):
    """localhost is ::1 in most pods, too, and comes first there, where a listener at 127.0.0.1 does not answer."""
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n::1 localhost\n")

    def ask(*arguments):
        inside = f"mount --bind {hosts} /etc/hosts && exec {build_dir() / 'remora'} healthcheck {' '.join(arguments)}"
        return subprocess.run(["unshare", "-m", "sh", "-c", inside], capture_output=True, text=True, timeout=60)

    try:
        socket.create_server((host.strip("[]"), 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError:
        pytest.skip(f"this machine has no {host}")
    if os.geteuid() != 0:
        missing("/etc/hosts of a process's own needs root")
    with Remora(beside(providers), arguments=["--http", f"{host}:0", "--probe", f"{host}:0"]) as remora:
        assert ask("--probe", f"localhost:{remora.probe_port}").stdout == "ready\n"
        completion = ask("--http", f"localhost:{remora.http_port}", "--model", "demo/echo-1")
        assert "answered by steady" in completion.stdout, completion


def test_no_completion_says_why(providers):
    with Remora(beside(providers)) as remora:
        failed = healthcheck("--http", f"127.0.0.1:{remora.http_port}", "--model", "demo/flaky-1")
        assert failed.returncode == 1 and failed.stdout.startswith("demo/flaky-1: no completion: "), failed
        unknown = healthcheck(f"--http=127.0.0.1:{remora.http_port}", "--model=demo/echo-2")
        assert unknown.returncode == 1 and "demo/echo-2" in unknown.stdout, unknown
        elsewhere = healthcheck("--http", f"127.0.0.1:{remora.probe_port}", "--model", "demo/echo-1")
        assert elsewhere.returncode == 1, elsewhere
        port = remora.http_port
    gone = healthcheck("--http", f"127.0.0.1:{port}", "--model", "demo/echo-1")
    assert (gone.returncode, gone.stdout) == (1, f"demo/echo-1: nobody answers at 127.0.0.1:{port}\n")


def test_a_key_comes_from_a_file_and_is_never_shown(providers, tmp_path):
    (tmp_path / "hash").write_text(hashlib.sha256(KEY.encode()).hexdigest())
    (tmp_path / "key").write_text(KEY + "\n")
    (tmp_path / "other").write_text("rk-" + "o" * 40)
    with Remora(beside(providers, f"keys: {{ci: {{service: s, hash: {{file: {tmp_path}/hash}}}}}}\n")) as remora:
        ask = ["--http", f"127.0.0.1:{remora.http_port}", "--model", "demo/echo-1"]
        assert healthcheck(*ask, "--key-file", f"{tmp_path}/key").returncode == 0
        for arguments in (ask, [*ask, "--key-file", f"{tmp_path}/other"]):
            refused = healthcheck(*arguments)
            assert refused.returncode == 1 and "key" in refused.stdout and "rk-" not in refused.stdout, refused
    absent = healthcheck(*ask, "--key-file", f"{tmp_path}/absent")
    assert absent.returncode == 2 and f"{tmp_path}/absent" in absent.stderr


def test_over_tls_the_server_has_to_be_the_one_that_is_meant(providers, tmp_path):
    own, other = authority(tmp_path, "own"), authority(tmp_path, "other")
    (tmp_path / "hash").write_text(hashlib.sha256(KEY.encode()).hexdigest())
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "empty").touch()
    more = f"keys: {{ci: {{service: s, hash: {{file: {tmp_path}/hash}}}}}}\ntls: {{cert_file: {own}/cert.pem, key_file: {own}/key.pem}}\n"
    with Remora(beside(providers, more), arguments=["--http", "0.0.0.0:0"]) as remora:
        def ask(host, ca):
            return healthcheck("--http", f"{host}:{remora.http_port}", "--model", "demo/echo-1", "--key-file", f"{tmp_path}/key", "--ca-file", ca)

        for host in ("localhost", "127.0.0.1"):
            answered = ask(host, own / "ca.pem")
            assert answered.returncode == 0 and "answered by steady" in answered.stdout, answered
        stranger, nobody = ask("localhost", other / "ca.pem"), ask("127.0.0.2", own / "ca.pem")
        assert (stranger.returncode, nobody.returncode) == (1, 1)
        assert re.fullmatch(r"demo/echo-1: no TLS with localhost: .*certificate.*\n", stranger.stdout), stranger
        assert nobody.stdout == "demo/echo-1: no TLS with 127.0.0.2: IP address mismatch\n", nobody
        empty = ask("localhost", tmp_path / "empty")
        assert empty.returncode == 1 and "holds no certificate in PEM" in empty.stdout, empty
    with Remora(beside(providers)) as plain:
        told = healthcheck("--http", f"127.0.0.1:{plain.http_port}", "--model", "demo/echo-1", "--ca-file", own / "ca.pem")
        assert told.returncode == 1 and "no TLS with 127.0.0.1: " in told.stdout, told


@pytest.mark.parametrize("arguments", [["--model", "m"], ["--ca-file", "x"], ["--http", "127.0.0.1:1"], ["--http", "x", "--model", "m"], ["--probe"],
                                       ["--http", "[::1", "--model", "m"], ["--http", ":1", "--model", "m"], ["now"], ["--probe", "x"], ["--probe", "off"], ["--probe", "unix:/tmp/x"],
                                       ["--probe", "127.0.0.1:1", "--http", "127.0.0.1:1", "--model", "m"]], ids=" ".join)
def test_wrong_usage_is_2(arguments):
    result = healthcheck(*arguments)
    assert result.returncode == 2 and result.stderr.strip(), result


def test_fake_providers_stay_on_loopback_and_belong_to_the_demo():
    for command, expected in ((["demo", "--providers", "0.0.0.0:0"], 1), (["demo", "--providers", "unix:/tmp/x"], 1),
                              (["serve", "--providers", "127.0.0.1:0"], 2)):
        result = subprocess.run([str(build_dir() / "remora"), *command], capture_output=True, text=True, timeout=60)
        assert result.returncode == expected and "--providers" in result.stderr, result
