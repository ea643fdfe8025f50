#!/usr/bin/env python3
"""`make bench`: Remora beside nginx's proxy_pass, in the same run, on the same machine.

The gateway under test has CPU 0, the mock upstream and the load have CPU 1. Each measurement is taken of every gateway, one
right after the other, in several rounds and rotated order. A table of medians is printed; targets are judged by the median of
the comparisons of single rounds, which need not be the quotient of two medians.
CPU per request: first field of /proc/PID/task/*/schedstat over the process tree, divided by completed requests; the
coarser /proc/PID/stat instead when threads ended meanwhile, whose time schedstat forgets.

Steps: start mock, both nginx and Remora; one checked answer through each (a benchmark of errors is worthless);
rounds; then start-to-ready and memory, each with processes of its own; table; JSON with --json.
Fails (exit 1) when a gateway answers wrongly or a program is missing; a missed target only with --strict.
What is measured and why is told in docs/benchmarks.md.
"""
import argparse
import collections
import functools
import http.client
import json
import operator
import os
import pathlib
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import grpcwire

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/scenario"))
from upstream import FaultServer, make_ca  # noqa: E402

GATEWAY_CPU, LOAD_CPU = "0", "1"
PRIORITY = []  # what every program that is measured or measures begins with (--realtime)
STREAMS_PACED, STREAMS_BURST, STREAMS_OPEN = 100, 32, 1000

NGINX = """
worker_processes 1; daemon off; pid {dir}/nginx.pid; error_log {dir}/error.log warn;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_buffer_size 16k;
  client_body_temp_path {dir}/a; proxy_temp_path {dir}/b; fastcgi_temp_path {dir}/c; uwsgi_temp_path {dir}/d;
  scgi_temp_path {dir}/e;
  upstream mock {{ server 127.0.0.1:{mock}; keepalive 1024; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering {buffering};
    }}
  }}
}}
"""

REMORA = """
version: 1
service: bench
providers:
{providers}
models:
{models}
"""

LUA = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local file = io.open("{body}", "rb")
wrk.body = file:read("*a")
file:close()
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_port(port, process, seconds=5):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"{process.args[3:5]} ended with {process.returncode} before it listened")
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.01)
    raise SystemExit(f"nothing listens on {port}")


def pinned(cpu, command, **options):
    return subprocess.Popen([*PRIORITY, "taskset", "-c", cpu, *map(str, command)], **options)


def read_gone(path):
    """What a file of /proc says; nothing when its thread has ended meanwhile."""
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def tree(pid):
    pids = [pid]
    for each in pids:
        for children in pathlib.Path(f"/proc/{each}/task").glob("*/children"):
            pids += map(int, read_gone(children).split())
    return pids


def cpu_ns(pid):
    """(by schedstat of the threads that live, by stat, which counts ended threads too but in steps of 10 ms)"""
    exact, coarse = 0, 0
    for each in tree(pid):
        for stat in pathlib.Path(f"/proc/{each}/task").glob("*/schedstat"):
            exact += int((read_gone(stat) or "0").split()[0])
        fields = read_gone(pathlib.Path(f"/proc/{each}/stat")).rpartition(")")[2].split()
        coarse += (int(fields[11]) + int(fields[12])) * 10**9 // os.sysconf("SC_CLK_TCK") if fields else 0
    return exact, coarse


def cpu_between(before, after):
    """The larger of both counts: with threads that end the exact one misses their time."""
    exact, coarse = (late - early for early, late in zip(before, after))
    return exact if coarse - exact < 20_000_000 else coarse


def chat_body(model, stream, size=2048):
    body = {"model": model, "messages": [{"role": "system", "content": "You are a helpful assistant."},
                                         {"role": "user", "content": ""}], "temperature": 0.7, "max_tokens": 256}
    if stream:
        body.update(stream=True, stream_options={"include_usage": True})
    short = len(json.dumps(body))
    body["messages"][1]["content"] = ("lorem ipsum dolor sit amet " * 100)[:size - short]
    return json.dumps(body).encode()


class Gateway:
    """name; http port; path of each kind of answer; model of each kind; pid while it runs."""

    def __init__(self, name, directory):
        self.name, self.port, self.process = name, free_port(), None
        self.directory = pathlib.Path(directory) / name
        self.directory.mkdir()

    def path(self, kind):
        return f"/{kind}/v1/chat/completions"

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Nginx(Gateway):
    def __init__(self, name, directory, mock_port, buffering):
        super().__init__(name, directory)
        config = self.directory / "nginx.conf"
        config.write_text(NGINX.format(dir=self.directory, mock=mock_port, port=self.port, buffering=buffering))
        self.command = ["nginx", "-p", self.directory, "-c", config]

    def start(self):
        self.process = pinned(GATEWAY_CPU, self.command, stderr=subprocess.DEVNULL)
        wait_port(self.port, self.process)


def refuse_failures(before, after, load):
    """Ends the run when calls of a load failed: wrk looks at statuses only, h2load not even at grpc-status."""
    failed = after - before
    answered = failed.pop("OK", 0)
    failed.pop("CLIENT_GONE", None)  # what the load leaves open when its time is over
    if failed:
        raise SystemExit(f"{load}: {answered} answers and {dict(failed)}")


class Remora(Gateway):
    def metrics(self):
        link = http.client.HTTPConnection("127.0.0.1", self.ports["probe"], timeout=10)
        link.request("GET", "/metrics")
        text = link.getresponse().read().decode()
        link.close()
        return text

    def codes(self):
        """How many requests have ended with each code, on both fronts."""
        found = collections.Counter()
        for line in self.metrics().splitlines():
            if line.startswith("remora_requests_total{"):
                labels, count = line.rsplit(" ", 1)
                found[re.search(r'code="(\w+)"', labels)[1]] += int(float(count))
        return found

    def __init__(self, name, directory, binary, urls, ca_file=None):
        super().__init__(name, directory)
        self.binary = binary
        self.ports = {part: free_port() for part in ("grpc", "probe", "admin")}
        self.is_grpc_on = True
        (self.directory / "state").mkdir()
        key = self.directory / "key"
        key.write_text("sk-bench\n")
        key.chmod(0o600)
        extra = f", ca_file: {ca_file}" if ca_file else ""
        providers = "\n".join(f"  p-{kind}: {{kind: openai, base_url: '{url}', api_key: {{file: {key}}}{extra}}}"
                              for kind, url in urls.items())
        models = "\n".join(
            f"  bench/{kind}:\n    context_length: 128000\n    endpoints: [{{provider: p-{kind}, model_id: {model}, "
            "pricing: {prompt: \"0.000001\", completion: \"0.000002\"}}]"
            for kind, model in ((kind, "ok" if ca_file else "bench-1") for kind in urls))
        self.config = self.directory / "remora.yaml"
        self.config.write_text(REMORA.format(providers=providers, models=models))

    def path(self, kind):
        return "/v1/chat/completions"

    def command(self):
        at = "127.0.0.1:{}".format
        command = [self.binary, "serve", "--config", self.config, "--http", at(self.port)]
        for part, port in self.ports.items():
            command += [f"--{part}", at(port) if part != "grpc" or self.is_grpc_on else "off"]
        return command

    def start(self):
        """Returns the milliseconds until /readyz says 200."""
        self.log = open(self.directory / "log", "ab")
        environment = {"PATH": os.environ["PATH"], "STATE_DIRECTORY": str(self.directory / "state")}
        begun = time.monotonic()
        self.process = pinned(GATEWAY_CPU, self.command(), stdout=self.log, stderr=self.log, env=environment)
        while time.monotonic() - begun < 10:
            if self.is_ready():
                return (time.monotonic() - begun) * 1000
            if self.process.poll() is not None:
                break
        log = (self.directory / "log").read_text(errors="replace")[-2000:]
        raise SystemExit(f"remora did not become ready:\n{log}")

    def is_ready(self):
        try:
            with socket.create_connection(("127.0.0.1", self.ports["probe"]), 0.5) as link:
                link.sendall(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                return link.recv(64).startswith(b"HTTP/1.1 200")
        except OSError:
            return False


class Echo(Gateway):
    """grpc_echo_bench.c: the same core and hand-off without a front behind them."""

    def __init__(self, directory, build):
        super().__init__("echo", directory)
        self.binary = build / "tests/bench/grpc_echo_bench"

    def start(self):
        self.process = pinned(GATEWAY_CPU, [self.binary], stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split()[1])


class Bench:
    def __init__(self, options, directory):
        self.options, self.directory = options, pathlib.Path(directory)
        self.support = options.build / "tests/support"
        self.results = {}  # measurement -> gateway -> list of figures, one per round
        self.details = {}
        self.mock = pinned(LOAD_CPU, [self.support / "bench_upstream"], stdout=subprocess.PIPE, text=True)
        self.mock_port = int(self.mock.stdout.readline().split()[1])
        self.gateways = [Nginx("nginx", directory, self.mock_port, "on"),
                         Nginx("nginx-unbuffered", directory, self.mock_port, "off")]
        self.remora = None
        if options.remora.exists():
            urls = {kind: f"http://127.0.0.1:{self.mock_port}/{kind}/v1" for kind in ("json", "paced", "burst")}
            self.remora = Remora("remora", directory, options.remora, urls)
            self.gateways.append(self.remora)
        self.echo = None
        self.ghz_program = find_ghz()
        if self.remora and not options.no_grpc:
            self.echo = Echo(directory, options.build)
            self.file("grpc-status").write_bytes(grpcwire.frame(b""))
            # An echo has no reflection, and ghz does not parse proto3's `optional`.
            subprocess.run(["protoc", f"-I{ROOT / 'proto'}", f"-I{ROOT / 'proto/third_party'}", "--include_imports",
                            f"--descriptor_set_out={self.file('protoset')}", "remora/v1/gateway.proto"], check=True)
        for kind in ("json", "paced", "burst"):
            self.file(kind).write_bytes(chat_body(f"bench/{kind}", kind != "json"))
            message = grpcwire.chat_request(f"bench/{kind}", "lorem ipsum dolor sit amet " * 70)
            self.file(f"grpc-{kind}").write_bytes(
                grpcwire.frame(message if kind == "json" else grpcwire.stream_request(message)))
        (self.directory / "post.lua").write_text(LUA.format(body=self.file("json")))

    def file(self, name):
        return self.directory / f"body-{name}"

    def note(self, measurement, gateway, value, **details):
        self.results.setdefault(measurement, {}).setdefault(gateway, []).append(value)
        self.details.setdefault(measurement, {}).setdefault(gateway, []).append(details)

    # One checked answer of each kind

    def check(self):
        for gateway in self.gateways:
            for kind in ("json", "paced", "burst"):
                link = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
                link.request("POST", gateway.path(kind), self.file(kind).read_bytes(),
                             {"Content-Type": "application/json"})
                answer = link.getresponse()
                data = answer.read()
                good = answer.status == 200 and (
                    json.loads(data)["choices"][0]["message"]["content"] if kind == "json"
                    else data.count(b'"content":" word') == 100 and b"data: [DONE]" in data)
                if not good:
                    raise SystemExit(f"{gateway.name} {kind}: {answer.status} {data[:500]!r}")
                link.close()
        if self.remora and not self.options.no_grpc:
            for kind, method in (("json", "Chat"), ("burst", "StreamChat")):
                status, messages = self.call_grpc(kind, method)
                if status != "0" or not messages:
                    raise SystemExit(f"gRPC {method}: status {status}, {len(messages)} messages")
                self.details[f"grpc_{kind}_messages_of_one_call"] = len(messages)

    def call_grpc(self, kind, method):
        """One call by nghttp: its grpc-status and the messages that came."""
        command = ["nghttp", *self.grpc_options(kind), "-v", self.grpc_url(method)]
        output = subprocess.run(command, capture_output=True, timeout=30).stdout
        status = re.search(rb"grpc-status: (\d+)", output)
        body = subprocess.run([each for each in command if each != "-v"], capture_output=True, timeout=30).stdout
        return status[1].decode() if status else "none", grpcwire.unframe(body)

    def grpc_options(self, kind):
        return ["-d", str(self.file(f"grpc-{kind}")), "-H", "content-type: application/grpc", "-H", "te: trailers"]

    def grpc_url(self, method, gateway=None):
        port = self.echo.port if gateway is not None and gateway is self.echo else self.remora.ports["grpc"]
        service = "GatewayService" if method == "GetConfigStatus" else "ChatService"
        return f"http://127.0.0.1:{port}/remora.v1.{service}/{method}"

    # Measurements; each notes one figure

    def spent(self, gateway, command):
        """Runs the load; its output and the gateway's CPU in ns. What a load does not look at, Remora's own counters tell."""
        answered = gateway.codes() if isinstance(gateway, Remora) else None
        before = cpu_ns(gateway.process.pid)
        process = pinned(LOAD_CPU, command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        output, _ = process.communicate(timeout=self.options.seconds + 60)
        if process.returncode != 0:
            raise SystemExit(f"{command[0]}: {output[-1000:]}")
        cpu = cpu_between(before, cpu_ns(gateway.process.pid))
        if answered is not None:
            refuse_failures(answered, gateway.codes(), command[0])
        return output, cpu

    def unary(self, gateway, connections):
        output, cpu = self.spent(gateway, [
            "wrk", "-t1", f"-c{connections}", f"-d{self.options.seconds}s", "--latency", "-s",
            self.directory / "post.lua", f"http://127.0.0.1:{gateway.port}{gateway.path('json')}"])
        requests = int(re.search(r"(\d+) requests in", output)[1])
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
        broken = re.search(r"Socket errors: (.*)", output)
        if bad or broken or requests == 0:
            raise SystemExit(f"{gateway.name} c={connections}: {(bad or broken or ['no answers'])[0]}")
        latency = {share: microseconds(value) for share, value in re.findall(r"^ +(50|99)% +(\S+)", output, re.M)}
        self.note(f"unary_c{connections}_cpu_us", gateway.name, cpu / requests / 1e3, requests=requests)
        self.note(f"unary_c{connections}_p50_us", gateway.name, latency["50"], p99_us=latency["99"])
        self.note(f"unary_c{connections}_rps", gateway.name, requests / self.options.seconds)

    def stream(self, gateway, kind, connections):
        output, cpu = self.spent(gateway, [
            self.support / "bench_load", gateway.port, gateway.path(kind), self.file(kind), connections,
            self.options.seconds])
        load = json.loads(output)
        if load["errors"] or not load["answers"]:
            raise SystemExit(f"{gateway.name} {kind}: {load['errors']} errors, {load['answers']} answers")
        if kind == "paced":
            # finish and usage are not counted as chunks: 100 of the 102 events of a stream
            self.note("paced_cpu_us_per_chunk", gateway.name, cpu / (load["events"] * 100 / 102) / 1e3, **load)
        else:
            self.note("burst_cpu_us_per_stream", gateway.name, cpu / load["answers"] / 1e3, **load)
        self.note(f"{kind}_first_p50_us", gateway.name, load["first_p50_us"])

    def grpc(self, kind, method, clients, parallel, label, gateway=None, least=500):
        """`least`: bytes of data that an answer has at least."""
        gateway = gateway or self.remora
        log = self.directory / "h2load.log"
        log.unlink(missing_ok=True)
        each = [f"--log-file={log}"] if clients == 1 else []  # what every call took: too much to write down of many
        output, cpu = self.spent(gateway, [
            "h2load", "-t1", f"-c{clients}", f"-m{parallel}", f"-D{self.options.seconds}", *each, *self.grpc_options(kind),
            self.grpc_url(method, gateway)])
        done = re.search(r"requests: \d+ total, \d+ started, \d+ done, (\d+) succeeded, (\d+) failed, (\d+) errored",
                         output)
        calls = int(done[1])
        if calls == 0 or int(done[2]) or int(done[3]):
            raise SystemExit(f"gRPC {method}: {done[0]}")
        # Nor can an answer be smaller than this (refuse_failures has counted them).
        data = int(re.search(r"\((\d+)\) data", output)[1])
        if data / calls < least:
            raise SystemExit(f"gRPC {method}: {data / calls:.0f} bytes of data per call, answers are missing")
        self.note(f"{label}_cpu_us", gateway.name, cpu / calls / 1e3, calls=calls, data_bytes=data)
        mean = re.search(r"time for request:\s+\S+\s+\S+\s+(\S+)", output)
        if mean and clients == 1:
            self.note(f"{label}_mean_us", gateway.name, microseconds(mean[1]))
            self.note(f"{label}_p50_us", gateway.name,
                      statistics.median(int(line.split()[2]) for line in log.read_text().splitlines()))

    def grpc_burst(self):
        """With how many of its text deltas were merged into a message that waited."""
        before = self.counters("remora_grpc_merged_deltas_total", "remora_grpc_stream_messages_total")
        self.grpc("burst", "StreamChat", 8, 4, "grpc_burst")
        merged, sent = (b - a for a, b in zip(before, self.counters("remora_grpc_merged_deltas_total",
                                                                    "remora_grpc_stream_messages_total")))
        self.note("grpc_burst_merged_percent", "remora", 100 * merged / (merged + sent), merged=merged, messages=sent)

    def counters(self, *names):
        text = self.remora.metrics()
        return [float(re.search(rf"^{name} (\S+)$", text, re.M)[1]) for name in names]

    def ghz(self, gateway):
        """The same question by a client of another gRPC, in Go: where tests/scenario/test_grpc_tools.py has installed it."""
        port = gateway.port if gateway is self.echo else gateway.ports["grpc"]
        output, cpu = self.spent(gateway, [
            self.ghz_program, "--insecure", "--protoset", self.file("protoset"), "--call",
            "remora.v1.GatewayService.GetConfigStatus", "-d", "{}", "-c", 32, "--connections", 8, "-z", f"{self.options.seconds}s", "-O", "json", f"127.0.0.1:{port}"])
        report = json.loads(output)
        answered = report["statusCodeDistribution"].get("OK", 0)
        # Those that were under way when time was up are counted as UNAVAILABLE or CANCELED.
        if answered < 0.9 * report["count"]:
            raise SystemExit(f"ghz {gateway.name}: {report['statusCodeDistribution']}")
        self.note("grpc_ghz_in_process_cpu_us", gateway.name, cpu / answered / 1e3, calls=answered)

    def groups(self):
        """What a round measures: groups of steps (name, call). Those that are compared stand in one group and are measured one
        right after another, so that whatever the machine does meanwhile falls on all of them."""
        def each(measure, *arguments):
            return [(gateway.name, functools.partial(measure, gateway, *arguments)) for gateway in self.gateways]

        groups = {"unary c=32": each(self.unary, 32), "unary c=1": each(self.unary, 1),
                  "paced": each(self.stream, "paced", STREAMS_PACED), "burst": each(self.stream, "burst", STREAMS_BURST)}
        if self.echo:
            for name, *call in (("unary c=32", self.grpc, "json", "Chat", 8, 4, "grpc_unary_c32"),
                                ("unary c=1", self.grpc, "json", "Chat", 1, 1, "grpc_unary_c1"), ("burst", self.grpc_burst)):
                groups[name].append(("remora by gRPC", functools.partial(*call)))
            groups["unary c=32"].append(("echo", functools.partial(self.grpc, "json", "Chat", 8, 4, "grpc_unary_c32", self.echo)))
            groups["in process"] = [
                (gateway.name, functools.partial(self.grpc, "status", "GetConfigStatus", 8, 4, "grpc_in_process", gateway, least))
                for gateway, least in ((self.remora, 20), (self.echo, 5))]
            if self.ghz_program:
                groups["in process, ghz"] = [(gateway.name, functools.partial(self.ghz, gateway))
                                             for gateway in (self.remora, self.echo)]
        return groups

    def rounds(self):
        groups = self.groups()
        for number in range(self.options.rounds):
            for group, steps in groups.items():
                for name, measure in rotated(steps, number):
                    print(f"round {number + 1}/{self.options.rounds}: {group}: {name}", file=sys.stderr)
                    measure()

    # With processes of their own

    def start_times(self):
        for number in range(self.options.starts):
            self.remora.stop()
            self.note("start_to_ready_ms", "remora", self.remora.start())

    def memory(self):
        """Resident memory before and after one HTTPS request, with both fronts up and without gRPC."""
        certificates = make_ca(self.directory)
        with FaultServerOf(self.options.build, certificates) as server:
            for name, is_grpc_on in (("both", True), ("http", False)):
                remora = Remora(f"remora-{name}", self.directory, self.options.remora,
                                {"json": server.base_url}, certificates / "ca.pem")
                remora.is_grpc_on = is_grpc_on
                remora.start()
                try:
                    self.note(f"rss_ready_{name}_mb", "remora", resident_mb(remora.process.pid))
                    self.ask_once(remora)
                    self.note(f"rss_after_https_{name}_mb", "remora", resident_mb(remora.process.pid))
                finally:
                    remora.stop()

    def memory_of_streams(self):
        """How far STREAMS_OPEN open streams raise the peak, over each front, a process for each."""
        loads = {"http": lambda remora: [self.support / "bench_load", remora.port, remora.path("paced"),
                                         self.file("paced"), STREAMS_OPEN, 2],
                 "grpc": lambda remora: ["h2load", "-t1", "-c10", f"-m{STREAMS_OPEN // 10}", "-D2",
                                         *self.grpc_options("paced"),
                                         f"http://127.0.0.1:{remora.ports['grpc']}/remora.v1.ChatService/StreamChat"]}
        for name, load in loads.items():
            if name == "grpc" and self.options.no_grpc:
                continue
            remora = Remora(f"remora-streams-{name}", self.directory, self.options.remora,
                            {"paced": f"http://127.0.0.1:{self.mock_port}/paced/v1"})
            remora.start()
            try:
                before = peak_mb(remora.process.pid)
                self.spent(remora, load(remora))
                grown = peak_mb(remora.process.pid) - before
                self.note(f"kib_per_open_stream_{name}", "remora", grown * 1024 / STREAMS_OPEN)
            finally:
                remora.stop()

    @staticmethod
    def ask_once(remora):
        link = http.client.HTTPConnection("127.0.0.1", remora.port, timeout=10)
        link.request("POST", "/v1/chat/completions", chat_body("bench/json", False),
                     {"Content-Type": "application/json"})
        answer = link.getresponse()
        data = answer.read()
        link.close()
        if answer.status != 200:
            raise SystemExit(f"HTTPS request: {answer.status} {data[:500]!r}")

    def run(self):
        for gateway in self.gateways + ([self.echo] if self.echo else []):
            gateway.start()
        self.check()
        self.rounds()
        if self.remora:
            self.start_times()
            self.memory()
            self.memory_of_streams()

    def stop(self):
        for gateway in self.gateways + ([self.echo] if self.echo else []):
            gateway.stop()
        self.mock.terminate()
        self.mock.wait()

    # Results

    def figure(self, measurement, gateway):
        values = self.results.get(measurement, {}).get(gateway)
        return statistics.median(values) if values else None

    def rounds_of(self, compare, measurement, gateway, to_measurement, to_gateway):
        """`compare` of each round: the two were measured one after the other, so that a slow time of the machine cancels out."""
        return compared(compare, self.results.get(measurement, {}).get(gateway, []),
                        self.results.get(to_measurement, {}).get(to_gateway, []))

    def targets(self):
        """(what, target, one figure a round, limit, unit)"""
        nginx, plain, remora = "nginx", "nginx-unbuffered", "remora"

        def ratio(measurement, to_measurement, to_gateway):
            return self.rounds_of(operator.truediv, measurement, remora, to_measurement, to_gateway)

        def single(measurement):
            return self.results.get(measurement, {}).get(remora, [])

        return [
            ("HTTP unary c=32, CPU against nginx", "<= 1.8x (aim 1.5x)",
             ratio("unary_c32_cpu_us", "unary_c32_cpu_us", nginx), 1.8, "x"),
            ("HTTP unary c=1, p50 above nginx", "<= 40 us",
             self.rounds_of(operator.sub, "unary_c1_p50_us", remora, "unary_c1_p50_us", nginx), 40, "us"),
            ("SSE paced, CPU per chunk against nginx unbuffered", "<= 1.2x",
             ratio("paced_cpu_us_per_chunk", "paced_cpu_us_per_chunk", plain), 1.2, "x"),
            ("SSE burst, CPU per stream against nginx unbuffered", "<= 2x",
             ratio("burst_cpu_us_per_stream", "burst_cpu_us_per_stream", plain), 2.0, "x"),
            ("gRPC unary, CPU against our HTTP", "<= 1.5x",
             ratio("grpc_unary_c32_cpu_us", "unary_c32_cpu_us", remora), 1.5, "x"),
            ("gRPC burst, CPU against our SSE burst", "<= 2x",
             ratio("grpc_burst_cpu_us", "burst_cpu_us_per_stream", remora), 2.0, "x"),
            ("gRPC front, in-process answer, CPU against an echo", "<= 1.5x",
             ratio("grpc_in_process_cpu_us", "grpc_in_process_cpu_us", "echo"), 1.5, "x"),
            ("the same, asked by ghz", "<= 1.5x",
             ratio("grpc_ghz_in_process_cpu_us", "grpc_ghz_in_process_cpu_us", "echo"), 1.5, "x"),
            ("RSS after one HTTPS request", "<= 24 MB", single("rss_after_https_both_mb"), 24, "MB"),
            ("start to ready", "<= 50 ms", single("start_to_ready_ms"), 50, "ms"),
        ]


def rotated(steps, number):
    turn = number % len(steps)
    return steps[turn:] + steps[:turn]


def compared(compare, values, to_values):
    return [compare(value, to) for value, to in zip(values, to_values)]


class FaultServerOf(FaultServer):
    def __init__(self, build, certificates):
        os.environ["REMORA_BUILD"] = str(build)
        super().__init__(tls=certificates)


def find_ghz():
    """None where nobody has it: then what it measures is not measured."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    found = [str(path) for path in sorted(cache.glob("remora/go-tools/ghz-*/ghz"))]
    return found[-1] if found else shutil.which("ghz")


def microseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]


def resident_mb(pid):
    """taskset has become the program, so the pid is its own."""
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def peak_mb(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def figure_of(rounds):
    """The median of the rounds: no single one of them decides."""
    return statistics.median(rounds) if rounds else None


def verdict(rounds, limit):
    figure = figure_of(rounds)
    return "not measured" if figure is None else "within" if figure <= limit else "missed"


def print_tables(bench):
    names = [gateway.name for gateway in bench.gateways] + (["echo"] if bench.echo else [])
    print(f"\n{'median of ' + str(bench.options.rounds) + ' rounds':<28}" + "".join(f"{name:>20}" for name in names))
    for measurement in sorted(bench.results):
        cells = [bench.figure(measurement, name) for name in names]
        print(f"{measurement:<28}" + "".join(f"{'' if cell is None else format(cell, '.2f'):>20}" for cell in cells))
    if "grpc_burst_messages_of_one_call" in bench.details:
        print(f"messages of one gRPC burst of 100 chunks: {bench.details['grpc_burst_messages_of_one_call']}")
    print(f"\n{'target':<52}{'limit':<20}{'figure':>12}{'of the rounds':>20}  verdict")
    for what, target, rounds, limit, unit in bench.targets():
        shown = f"{figure_of(rounds):.2f} {unit}" if rounds else "-"
        spread = f"{min(rounds):.2f} to {max(rounds):.2f}" if rounds else "-"
        print(f"{what:<52}{target:<20}{shown:>12}{spread:>20}  {verdict(rounds, limit)}")


def environment():
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    nginx = subprocess.run(["nginx", "-v"], capture_output=True, text=True).stderr.strip()
    return {"cpu": model[1] if model else platform.machine(), "cpus": os.cpu_count(), "kernel": platform.release(),
            "nginx": nginx, "load_average_before": os.getloadavg()[0]}


def read_options():
    parser = argparse.ArgumentParser(description="Remora beside nginx; see docs/benchmarks.md")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help="CMake build directory")
    parser.add_argument("--remora", type=pathlib.Path, help="default: BUILD/remora")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement")
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--no-grpc", action="store_true")
    parser.add_argument("--realtime", action="store_true",
                        help="everything measured runs under SCHED_RR, so that other work on the machine does not get between "
                             "(root; that other work stands nearly still meanwhile)")
    parser.add_argument("--json", type=pathlib.Path, help="writes everything measured")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a target is missed")
    options = parser.parse_args()
    options.build = options.build.resolve()
    options.remora = (options.remora or options.build / "remora").resolve()
    if options.realtime:
        PRIORITY.extend(["chrt", "--rr", "10"])
    missing = [each for each in ("nginx", "wrk", "h2load", "nghttp", "taskset", "openssl") if not shutil.which(each)]
    if missing:
        raise SystemExit("not installed: " + " ".join(missing))
    if os.cpu_count() < 2:
        raise SystemExit("two CPUs are needed, one for the gateway and one for mock and load")
    return options


def print_micro_benchmarks(build):
    """What they print of themselves: the plan of 45 endpoints, the catalog at start. False where one that is there misses its bound or fails."""
    print()
    is_within = True
    for command in (["plan_bench", "21"], ["catalog_bench"]):
        program = build / "tests/bench" / command[0]
        if program.exists():
            run = subprocess.run([*PRIORITY, program, *command[1:]], capture_output=True, text=True)
            print("\n".join(f"{command[0]:<14}{line}" for line in (run.stdout + run.stderr).splitlines()))
            if run.returncode != 0:
                print(f"{command[0]:<14}MISSED: exit status {run.returncode}")
                is_within = False
    return is_within


def main():
    options = read_options()
    machine = environment()
    with tempfile.TemporaryDirectory(prefix="remora-bench-") as directory:
        os.chmod(directory, 0o755)
        bench = Bench(options, directory)
        try:
            bench.run()
        finally:
            bench.stop()
    if not bench.remora:
        print(f"{options.remora} is not there: nginx only")
    print_tables(bench)
    is_within = print_micro_benchmarks(options.build)
    if options.json:
        targets = [{"what": what, "target": target, "figure": figure_of(rounds), "rounds": rounds, "unit": unit,
                    "verdict": verdict(rounds, limit)} for what, target, rounds, limit, unit in bench.targets()]
        options.json.write_text(json.dumps({"environment": machine, "rounds": options.rounds,
                                            "seconds": options.seconds, "targets": targets,
                                            "results": bench.results, "details": bench.details}, indent=1) + "\n")
    is_within &= all(verdict(rounds, limit) == "within" for _, _, rounds, limit, _ in bench.targets())
    if options.strict and not is_within:
        sys.exit(1)


if __name__ == "__main__":
    main()
