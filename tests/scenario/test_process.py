"""The process: configuration, reload, drain, probes, metrics, secrets, command line."""
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

import grpc
import pytest

from gateway import SECRETS, USER, OwnTime, Remora, two_providers
from upstream import ROOT, build_dir


def tool(*arguments, environment=None):
    return subprocess.run([str(build_dir() / "remora"), *arguments], capture_output=True, text=True, timeout=60,
                          env={**os.environ, **(environment or {})})


def test_probes_metrics_and_healthcheck(upstream):
    with Remora(two_providers(upstream, "ok"), environment=SECRETS) as remora:
        for path in ("/startupz", "/livez", "/readyz"):
            assert remora.request("GET", path, port=remora.probe_port)[0] == 200
            assert remora.request("POST", path, b"", port=remora.probe_port)[0] == 405
        assert remora.request("GET", "/v1/models", port=remora.probe_port)[0] == 404
        assert remora.request("GET", "/metrics")[0] == 404, "not on the data port"
        remora.chat({"model": "t/m"})
        metrics = remora.metrics()
        name = ('remora_requests_total{api="chat_completions",operation="chat",service="checkout",model="t/m",provider="a",'
                'code="OK"}')
        assert metrics[name] == 1
        assert metrics['remora_tokens_total{provider="a",model="t/m",type="output",modality="text"}'] == 3
        assert metrics['remora_cost_usd_total{provider="a",model="t/m",service="checkout"}'] == pytest.approx(17e-6)
        assert metrics['remora_overhead_seconds_count{api="chat_completions"}'] == 1
        assert tool("healthcheck", "--probe", f"127.0.0.1:{remora.probe_port}").returncode == 0
        port = remora.probe_port
    assert tool("healthcheck", "--probe", f"127.0.0.1:{port}").returncode == 1


def test_check_says_what_is_wrong_and_where(tmp_path):
    good = tmp_path / "good.yaml"
    good.write_text("version: 1\nproviders:\n  p: {kind: openai, base_url: 'http://127.0.0.1:1/v1'}\n"
                    "models:\n  a/b: {endpoints: [{provider: p, model_id: x}]}\n")
    assert tool("check", str(good)).returncode == 0
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 1\nprovider: {}\n")
    result = tool("check", str(bad))
    assert result.returncode == 1 and "2:1" in result.stderr and "providers" in result.stderr
    keyless = tmp_path / "keyless.yaml"
    keyless.write_text("version: 1\nproviders:\n  openai: {api_key: {env: REMORA_TEST_UNSET}}\n")
    assert tool("check", str(keyless)).returncode == 0
    strict = tool("check", str(keyless), "--strict")
    assert strict.returncode == 1 and "REMORA_TEST_UNSET" in strict.stderr
    for result in (tool("check", str(keyless)), strict):  # told once, and in words for people
        assert (result.stdout + result.stderr).count("REMORA_TEST_UNSET is not set") == 1
        assert "{" not in result.stdout + result.stderr
    exposed = tmp_path / "exposed.yaml"
    key = tmp_path / "key"
    key.write_text("k\n")
    exposed.write_text(f"version: 1\nproviders:\n  openai: {{api_key: {{file: {key}}}}}\n")
    key.chmod(0o644)
    told = tool("check", str(exposed))
    assert told.returncode == 0 and "providers.openai.api_key" in told.stdout + told.stderr, told
    assert "may be read by everybody: chmod o-r it" in told.stdout + told.stderr, told
    assert tool("check", str(exposed), "--strict").returncode == 1
    key.chmod(0o640)
    assert tool("check", str(exposed), "--strict").returncode == 0
    assert tool("check", str(tmp_path / "absent.yaml")).returncode == 1
    assert tool("check").returncode == 2


def test_every_subcommand_has_help_and_every_option_takes_its_value_both_ways():
    listed = tool("--help")
    names = [line.split()[0] for line in listed.stdout.splitlines() if line.startswith("  ") and not line.lstrip().startswith(("-", "remora"))]
    assert listed.returncode == 0 and {"serve", "demo", "check", "route", "policy", "keys"} <= set(names)
    for name in names:
        for arguments in ([name, "--help"], [name, "-h"], [name, "anything", "--help"]):
            result = tool(*arguments)
            assert (result.returncode, result.stderr) == (0, "") and result.stdout.startswith(f"usage: remora {name}"), arguments
        assert tool(name, "--version").stdout == tool("version").stdout
    assert tool("--version").stdout == tool("version").stdout
    assert "--workers" in tool("serve", "--help").stdout
    with Remora(arguments=["--workers=2"]) as remora:
        ready = [line for line in remora.log_lines() if line["message"] == "ready"][0]
        assert ready["workers"] == 2
    for wrong in (["--workers=0"], ["--workers=x"], ["--workers="], ["--workers"], ["--workerss=2"]):
        result = tool("serve", *wrong)
        assert result.returncode == 2 and wrong[0].partition("=")[0] in result.stderr, wrong


def test_what_cannot_be_listened_on_is_told_once_and_where(tmp_path):
    off = {name: f"--{name}=off" for name in ("http", "grpc", "probe", "admin")}

    def said(*arguments):
        result = tool("serve", *arguments)
        assert result.returncode == 1 and result.stdout == "", result
        return result.stderr.splitlines()[-1]

    for name in ("http", "admin", "grpc"):
        option = {**off, name: f"--{name}=0.0.0.0:0"}
        assert said(*option.values()).startswith(f"remora: --{name}: 0.0.0.0:0 is beyond loopback, ")
    for name in off:
        assert said(*{**off, name: f"--{name}=here"}.values()) == f"remora: --{name}: expected HOST:PORT, [IPV6]:PORT, unix:/PATH or off"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        for name in off:
            assert said(*{**off, name: f"--{name}={place}"}.values()).startswith(f"remora: --{name}: ")
            (tmp_path / "remora.yaml").write_text("version: 1\nlisten: {%s}\n" % ", ".join(
                f"{each}: {place if each == name else 'off'}" for each in off))
            told = said("--config", str(tmp_path / "remora.yaml"))
            assert told.startswith(f"remora: listen.{name}: ") and told.count("listen.") == 1 and place in told


def test_the_examples_are_valid():
    found = sorted((ROOT / "examples").rglob("*.yaml"))
    assert found
    for path in found:
        if not {"kubernetes", "policy"}.intersection(path.parts):  # tables of `remora policy test` are no configurations
            result = tool("check", str(path))
            assert result.returncode == 0, result.stderr


def test_a_key_in_the_environment_is_enough():
    environment = {"OPENAI_API_KEY": SECRETS["A_SECRET"]}
    with Remora(environment=environment) as remora:
        status, _, body = remora.request("GET", "/v1/models")
        ids = [m["id"] for m in json.loads(body)["data"]]
        assert status == 200 and "openai/gpt-4o" in ids


def test_a_data_port_beyond_loopback_is_refused():
    result = tool("serve", "--http", "0.0.0.0:0", "--grpc", "off", "--probe", "off", "--admin", "off")
    assert result.returncode == 1 and "loopback" in result.stderr


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="no ::1 here")
def test_localhost_is_both_families_for_all_four_listeners(upstream):
    names = ("http", "grpc", "probe", "admin")
    with Remora(two_providers(upstream, "ok"), [f"--{name}=localhost:0" for name in names], environment=SECRETS) as remora:
        for host in ("127.0.0.1", "::1"):
            shown = f"[{host}]" if ":" in host else host
            for port, path in ((remora.http_port, "/v1/models"), (remora.probe_port, "/readyz"), (remora.admin_port, "/config/status")):
                connection = http.client.HTTPConnection(host, port, timeout=10)
                connection.request("GET", path)
                assert connection.getresponse().status == 200, (host, path)
                connection.close()
            with grpc.insecure_channel(f"{shown}:{remora.grpc_port}") as channel:
                check = channel.unary_unary("/grpc.health.v1.Health/Check")
                assert check(b"", timeout=10) == b"\x08\x01", "SERVING"


@pytest.mark.skipif(not has_ipv6(), reason="no ::1 here")
def test_whoever_holds_one_address_of_localhost_stops_the_start():
    """They would read what callers of `localhost` send."""
    names = ("http", "grpc", "probe", "admin")
    for family, host, shown in ((socket.AF_INET6, "::1", "[::1]"), (socket.AF_INET, "127.0.0.1", "127.0.0.1")):
        with socket.socket(family) as stranger:
            stranger.bind((host, 0))
            stranger.listen()
            port = stranger.getsockname()[1]
            for name in names:
                others = [f"--{other}=off" for other in names if other != name]
                result = tool("serve", f"--{name}=localhost:{port}", *others)
                assert result.returncode == 1 and f"cannot listen on {shown}:{port}: the address is in use" in result.stderr, result


def test_reload_on_sighup_swaps_the_snapshot_and_keeps_the_old_one_when_invalid(upstream):
    with Remora(two_providers(upstream, "ok"), environment=SECRETS) as remora:
        assert remora.chat({"model": "t/m"})[2]["provider"] == "a"
        remora.config_path.write_text(two_providers(upstream, "500"))
        remora.process.send_signal(signal.SIGHUP)
        remora.wait_log("configuration loaded")
        assert remora.chat({"model": "t/m"})[2]["provider"] == "b"
        remora.config_path.write_text("version: 1\nproviders: [oops]\n")
        remora.process.send_signal(signal.SIGHUP)
        remora.wait_log("configuration refused")
        assert remora.chat({"model": "t/m"})[2]["provider"] == "b"
        metrics = remora.metrics()
        assert metrics["remora_config_last_reload_successful"] == 0
        assert metrics['remora_config_reloads_total{result="failed"}'] >= 1
        assert remora.request("GET", "/readyz", port=remora.probe_port)[0] == 200


@pytest.mark.parametrize("wrong", ["model", "address"])
def test_a_mended_document_serves_at_once(upstream, wrong):
    """Whatever was learnt of the endpoint and of the key belongs to what stood there before."""
    right = two_providers(upstream, "ok", more="policy: {provider: {only: [a]}}\n")
    refused = {"model": ('model_id: "ok"', 'model_id: "404"'), "address": (upstream.base_url, "http://127.0.0.1:1/v1")}[wrong]
    with Remora(right.replace(*refused), environment=SECRETS) as remora:
        for _ in range(6):
            assert remora.chat({"model": "t/m"})[0] in (404, 502, 503)
        remora.config_path.write_text(right)
        remora.process.send_signal(signal.SIGHUP)
        remora.wait_log("configuration loaded")
        assert remora.chat({"model": "t/m"})[0] == 200


def test_an_emptied_file_takes_no_key_and_no_policy_away(upstream):
    """A full disk or a failed template leaves valid YAML behind, and every default is wider."""
    config = two_providers(upstream, "ok", more="services: {checkout: {provider: {only: [b]}}}")
    with Remora(config, environment={**SECRETS, "OPENAI_API_KEY": "sk-unused"}) as remora:
        refused = remora.chat({"model": "openai/gpt-4o"})[0]
        assert 400 <= refused < 500
        for nth, text in enumerate(("", "# to be written\n", "{}\n", "---\n", "service: checkout\n")):
            remora.config_path.write_text(text)
            remora.process.send_signal(signal.SIGHUP)
            assert "`version: 1` is missing" in remora.wait_log("configuration refused", nth + 1)[nth]["error"]
            assert remora.chat({"model": "t/m"})[2]["provider"] == "b"
            assert remora.chat({"model": "openai/gpt-4o"})[0] == refused
        assert remora.metrics()["remora_config_last_reload_successful"] == 0


def test_reload_on_the_kubelet_s_data_swap(upstream, tmp_path):
    for name, behaviour in (("one", "ok"), ("two", "500")):
        folder = tmp_path / f"..{name}"
        folder.mkdir()
        (folder / "remora.yaml").write_text(two_providers(upstream, behaviour))
    os.symlink("..one", tmp_path / "..data")
    os.symlink("..data/remora.yaml", tmp_path / "remora.yaml")
    with Remora(arguments=["--config", str(tmp_path / "remora.yaml")], environment=SECRETS) as remora:
        assert remora.chat({"model": "t/m"})[2]["provider"] == "a"
        os.symlink("..two", tmp_path / "..data_tmp")
        os.rename(tmp_path / "..data_tmp", tmp_path / "..data")
        remora.wait_log("configuration loaded", seconds=5)
        assert remora.chat({"model": "t/m"})[2]["provider"] == "b"


def test_no_request_fails_while_the_configuration_is_reloaded(upstream):
    with Remora(two_providers(upstream, "ok"), environment=SECRETS, workers=2) as remora:
        statuses = []
        stop = threading.Event()

        def load():
            while not stop.is_set():
                statuses.append(remora.chat({"model": "t/m"})[0])

        threads = [threading.Thread(target=load) for _ in range(4)]
        for t in threads:
            t.start()
        for _ in range(20):
            remora.process.send_signal(signal.SIGHUP)
            time.sleep(0.05)
        stop.set()
        for t in threads:
            t.join()
        assert len(statuses) > 50 and set(statuses) == {200}


def test_an_idle_process_stops_within_a_second(upstream):
    remora = Remora(two_providers(upstream, "ok"), environment=SECRETS)
    remora.chat({"model": "t/m"})
    own = OwnTime(remora.process.pid)
    remora.process.send_signal(signal.SIGTERM)
    own.wait(remora.process, 1)
    remora.stop()


def test_streams_finish_within_the_grace_period(upstream):
    remora = Remora(two_providers(upstream, "paced-100x10ms"), environment=SECRETS)
    results = []
    threads = [threading.Thread(target=lambda: results.append(remora.stream({"model": "t/m"}))) for _ in range(20)]
    for t in threads:
        t.start()
    time.sleep(0.4)
    remora.process.send_signal(signal.SIGTERM)
    for t in threads:
        t.join()
    assert len(results) == 20 and all(s.is_done and s.is_clean for s in results)
    remora.stop()


def test_the_end_of_grace_is_told_in_band(upstream):
    remora = Remora(two_providers(upstream, "stall-after-2", more="drain: {grace_ms: 300}\n"), environment=SECRETS)
    results = []
    t = threading.Thread(target=lambda: results.append(remora.stream({"model": "t/m"})))
    t.start()
    time.sleep(0.3)
    began = time.monotonic()
    remora.process.send_signal(signal.SIGTERM)
    t.join()
    error = results[0].error()
    assert error["metadata"]["reason"] == "DRAINING" and not results[0].is_done
    assert error["code"] == 502 and error["http_status"] == 503, "inside a stream (codes.md)"
    remora.stop()
    assert time.monotonic() - began < 2


def test_a_total_that_is_spent_inside_a_stream_is_told_in_band(upstream):
    with Remora(two_providers(upstream, "stall-after-2"), environment=SECRETS) as remora:
        stream = remora.stream({"model": "t/m"}, headers={"x-request-timeout-ms": "400"})
        error = stream.error()
        assert stream.status == 200 and error["metadata"]["reason"] == "DEADLINE" and not stream.is_done
        assert error["code"] == 502 and error["http_status"] == 504, "inside a stream (codes.md)"


def test_no_secret_is_anywhere(upstream, tmp_path):
    key = tmp_path / "key"
    key.write_text(SECRETS["B_SECRET"] + "\n")
    config = two_providers(upstream, "401", "403").replace("{env: B_SECRET}", f'{{file: "{key}"}}')
    remora = Remora(config, environment=SECRETS)
    prompt = "prompt-canary-cccccccccccccccccccccccccc"
    seen = [remora.chat({"model": "t/m", "messages": [{"role": "user", "content": prompt}]})]
    seen.append(remora.request("GET", "/metrics", port=remora.probe_port))
    seen.append(remora.request("GET", "/config/status", port=remora.admin_port))
    upstream_saw = upstream.requests("403")[-1]["header"]["authorization"]
    assert upstream_saw == "Bearer " + SECRETS["B_SECRET"], "the positive control"
    command = pathlib.Path(f"/proc/{remora.process.pid}/cmdline").read_text()
    log = remora.log()
    remora.stop()
    for text in (str(seen), command, log):
        assert "canary" not in text


def test_demo_shows_a_fallback_without_key_or_network():
    with Remora(subcommand="demo") as remora:
        stream = remora.stream({"model": "demo/echo-1"})
        assert stream.is_done and stream.content()
        assert [a["provider"] for a in stream.note()["attempts"]] == ["flaky", "steady"]
        for _ in range(6):  # then the breaker has taken 'flaky' out, and nobody was asked before
            stream = remora.stream({"model": "demo/echo-1"})
        assert [a["provider"] for a in stream.note()["attempts"]] == ["steady"]
        assert "the first one is busy, so Remora asked this one instead." in stream.content(), "true either way"


def help_of(demo):
    """What it prints when it is ready."""
    end = time.monotonic() + 10
    while "Ctrl-C stops it" not in demo.log():
        assert time.monotonic() < end, demo.log()
        time.sleep(0.02)
    return demo.log().partition("Remora is up")[2]


def test_the_demo_ends_with_its_terminal():
    remora = Remora(subcommand="demo")
    remora.process.send_signal(signal.SIGHUP)
    remora.process.wait(20)
    remora.stop()


def test_what_make_run_starts_ends_when_nobody_reads_it():
    run = subprocess.Popen([str(ROOT / "tools/run.sh"), str(build_dir())], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                           cwd=ROOT, start_new_session=True)
    assert run.stdout.readline()
    run.stdout.close()
    run.wait(60)
    end = time.monotonic() + 20
    while [path for path in pathlib.Path("/proc").glob("[0-9]*/stat") if session_of(path) == run.pid]:
        assert time.monotonic() < end, "a process of it goes on"
        time.sleep(0.05)


def session_of(stat):
    try:
        return int(stat.read_text().rpartition(")")[2].split()[3])
    except (OSError, IndexError):  # it has ended
        return 0


def test_a_process_without_standard_streams_ends_well(tmp_path):
    """A socket of ours with a number below three would be taken for one of them: libuv does not close such a one, it aborts."""
    others = [argument for name in ("http", "grpc", "probe", "admin") for argument in (f"--{name}", f"unix:{tmp_path}/{name}")]
    process = subprocess.Popen(["sh", "-c", 'exec "$0" serve "$@" 0<&- 1>&- 2>&-', str(build_dir() / "remora"), *others])
    end = time.monotonic() + 20
    while not (tmp_path / "admin").exists():  # the last to listen
        assert time.monotonic() < end
        time.sleep(0.02)
    assert [os.readlink(f"/proc/{process.pid}/fd/{fd}") for fd in (1, 2)] == ["/dev/null"] * 2
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def test_demo_says_how_to_call_what_is_there(tmp_path):
    for off, there, absent in (("grpc", ("curl -N", "OPENAI_BASE_URL"), "grpcurl"), ("http", ("grpcurl",), "OPENAI_BASE_URL")):
        with Remora(subcommand="demo", arguments=[f"--{off}=off"]) as remora:
            said = help_of(remora)
            assert absent not in said and all(word in said for word in there) and ":0" not in said
    with Remora(subcommand="demo", arguments=[f"--grpc=unix:{tmp_path}/grpc"]) as remora:
        assert "grpcurl" not in help_of(remora)
    with Remora(subcommand="demo", arguments=["--http=127.0.0.2:0", "--grpc=127.0.0.3:0"]) as remora:
        said = help_of(remora)
        assert said.count(f"http://127.0.0.2:{remora.http_port}/v1") == 2 and f" 127.0.0.3:{remora.grpc_port} " in said


def test_four_workers_serve_alike(upstream):
    with Remora(two_providers(upstream, "503"), environment=SECRETS, workers=4) as remora:
        results = []

        def load():
            for _ in range(25):
                results.append(remora.stream({"model": "t/m"}).is_done)

        threads = [threading.Thread(target=load) for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert results == [True] * 200
        total = sum(v for k, v in remora.metrics().items() if k.startswith("remora_requests_total"))
        assert total == 200
