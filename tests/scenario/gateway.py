"""The gateway as scenarios use it.

    with Remora(config_text) as remora:
        remora.http_port, remora.grpc_port, remora.probe_port
        remora.chat({"model": ..., "messages": [...]})      # (status, headers, JSON)
        remora.stream({...})                                # Stream: events, raw text

The program is looked for in $REMORA_BUILD (default: build/ of the repository). Everything it logs is kept in remora.log().
$REMORA_WORKERS: how many workers where a test does not say.
"""
import http.client
import json
import os
import pathlib
import resource
import signal
import subprocess
import tempfile
import time

from upstream import build_dir

USER = [{"role": "user", "content": "Hello"}]


class OwnTime:
    """How long something takes on a machine of its own: what has passed, less the time in which threads of the processes were ready
    and had to wait for a processor (the second number of /proc/PID/task/TID/schedstat). Who sleeps for a timer does not wait for one,
    so bounds on what is waited for hold on a busy machine, too, and for every time that is taken.

        own = OwnTime(remora.process.pid); ...; own.seconds()     # or own.seconds(until=the time.time() of the end)
    """

    def __init__(self, *pids):
        self.pids, self.latest = pids, {}
        self.sample()
        self.first = dict(self.latest)
        self.began = time.time()

    def sample(self):
        """Also before a thread may end: it is known as it was last seen."""
        for pid in self.pids:
            for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
                try:
                    self.latest[path] = int(path.read_text().split()[1]) / 1e9
                except (OSError, ValueError, IndexError):
                    pass  # it has ended, or this kernel does not say

    def waited(self):
        """For processors, by all threads together, so far."""
        self.sample()
        return sum(delay - self.first.get(path, 0) for path, delay in self.latest.items())

    def seconds(self, until=None):
        return (until or time.time()) - self.began - self.waited()

    def wait(self, process, seconds):
        """How long until it has ended, which it must within so many seconds of its own."""
        while process.poll() is None:
            assert self.seconds() < seconds, "it does not end"
            time.sleep(0.01)
        return self.seconds()


class Stream:
    """An SSE answer, read to its end."""

    def __init__(self, status, headers, text, is_clean):
        self.status = status
        self.headers = headers
        self.text = text
        self.is_clean = is_clean  # the chunked body was ended as it should
        self.comments = [line for line in text.split("\n") if line.startswith(":")]
        self.data = [line[6:] for line in text.split("\n") if line.startswith("data: ")]
        self.chunks = [json.loads(d) for d in self.data if d != "[DONE]"]
        self.is_done = bool(self.data) and self.data[-1] == "[DONE]"

    def content(self, index=0):
        return "".join(c["delta"].get("content") or "" for chunk in self.chunks for c in chunk.get("choices", [])
                       if c["index"] == index)

    def error(self):
        found = [chunk["error"] for chunk in self.chunks if "error" in chunk]
        assert len(found) <= 1
        return found[0] if found else None

    def finish(self):
        return [c["finish_reason"] for chunk in self.chunks for c in chunk.get("choices", []) if c.get("finish_reason")]

    def note(self):
        """The `remora` object, or None."""
        found = [chunk["remora"] for chunk in self.chunks if "remora" in chunk]
        return found[0] if found else None


# Both generations of cgroups: the root of either is above every group. The process keeps its id.
LIMITED = ("set -e; mount -t tmpfs none /sys/fs/cgroup; mkdir /sys/fs/cgroup/memory; echo {0} >/sys/fs/cgroup/memory.max; "
           "echo {0} >/sys/fs/cgroup/memory/memory.limit_in_bytes; exec \"$@\"")


class Remora:
    def __init__(self, config=None, arguments=(), environment=None, workers=None, subcommand="serve", cwd=None, core_bytes=None,
                 memory_bytes=None, user=None, most_files=None):
        """`memory_bytes`: what the process reads as the memory limit of its cgroup (nothing enforces it); needs root. `most_files`: its
        hard limit of file descriptors."""
        self.folder = tempfile.TemporaryDirectory()
        self.config_path = pathlib.Path(self.folder.name) / "remora.yaml"
        command = [str(build_dir() / "remora"), subcommand, "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--probe",
                   "127.0.0.1:0", "--admin", "127.0.0.1:0"]
        if config is not None:
            self.config_path.write_text(config)
            command += ["--config", str(self.config_path)]
        workers = workers or os.environ.get("REMORA_WORKERS")
        if workers:
            command += ["--workers", str(workers)]
        if memory_bytes is not None:
            command = ["unshare", "-m", "sh", "-c", LIMITED.format(memory_bytes), "sh", *command]
        clean = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY") and "proxy" not in k.lower()}
        self.log_file = open(pathlib.Path(self.folder.name) / "log", "w+b")
        limits = ((resource.RLIMIT_CORE, core_bytes), (resource.RLIMIT_NOFILE, most_files))
        self.process = subprocess.Popen(command + list(arguments), env={**clean, **(environment or {})}, stderr=self.log_file,
                                        stdout=self.log_file, cwd=cwd, user=user,
                                        preexec_fn=lambda: [resource.setrlimit(what, (most, most)) for what, most in limits if most is not None])
        ready = self._wait_ready()
        self.http_port, self.grpc_port = ready["http_port"], ready["grpc_port"]
        self.probe_port, self.admin_port = ready["probe_port"], ready["admin_port"]
        self.base_url = f"http://127.0.0.1:{self.http_port}/v1"

    def _wait_ready(self):
        for _ in range(1200):
            for line in self.log_lines():
                if line.get("message") == "ready":
                    return line
            if self.process.poll() is not None:
                break
            time.sleep(0.025)
        raise RuntimeError("remora did not become ready:\n" + self.log())

    def log(self):
        self.log_file.flush()
        return pathlib.Path(self.log_file.name).read_text(errors="replace")

    def log_lines(self):
        for line in self.log().splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue

    def wait_log(self, message, count=1, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = [line for line in self.log_lines() if line.get("message") == message]
            if len(found) >= count:
                return found
            time.sleep(0.02)
        raise AssertionError(f"no {count} log lines '{message}':\n{self.log()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """SIGTERM; the exit status must be 0 and no sanitizer may have spoken."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise AssertionError("remora did not stop:\n" + self.log()[-4000:])
        text = self.log()
        status = self.process.returncode
        self.log_file.close()
        self.folder.cleanup()
        assert not any(word in text for word in ("ERROR: ", "runtime error", "WARNING: ThreadSanitizer")), text[-8000:]
        assert status == 0, f"exit status {status}:\n{text[-4000:]}"

    def rss_kib(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        return 0

    def request(self, method, path, body=None, headers=None, port=None, timeout=30):
        connection = http.client.HTTPConnection("127.0.0.1", port or self.http_port, timeout=timeout)
        data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
        sent = {"Content-Type": "application/json"} if data is not None else {}
        connection.request(method, path, data, {**sent, **(headers or {})})
        response = connection.getresponse()
        payload = response.read()
        result = response.status, {k.lower(): v for k, v in response.getheaders()}, payload
        connection.close()
        return result

    def chat(self, body, headers=None, path="/v1/chat/completions", timeout=30):
        status, head, payload = self.request("POST", path, {"messages": USER, **body}, headers, timeout=timeout)
        return status, head, json.loads(payload)

    def stream(self, body, headers=None, path="/v1/chat/completions", timeout=30):
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=timeout)
        connection.request("POST", path, json.dumps({"messages": USER, **body, "stream": True}),
                           {"Content-Type": "application/json", **(headers or {})})
        response = connection.getresponse()
        is_clean = True
        try:
            payload = response.read()
        except http.client.IncompleteRead as e:
            payload, is_clean = e.partial, False
        connection.close()
        return Stream(response.status, {k.lower(): v for k, v in response.getheaders()}, payload.decode(), is_clean)

    def metrics(self):
        status, _, text = self.request("GET", "/metrics", port=self.probe_port)
        assert status == 200
        found = {}
        for line in text.decode().splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                found[name] = float(value)
        return found


def two_providers(server, first, second="ok", more="", first_provider=""):
    """t/m is served by `a` (behaviour `first`), then by `b` (behaviour `second`)."""
    return f"""
version: 1
service: checkout
namespace: shop
providers:
  a: {{kind: openai, base_url: "{server.base_url}", api_key: {{env: A_SECRET}}{first_provider}}}
  b: {{kind: openai, base_url: "{server.base_url}", api_key: {{env: B_SECRET}}}}
models:
  t/m:
    context_length: 100000
    endpoints:
      - {{provider: a, model_id: "{first}", pricing: {{prompt: "0.000001", completion: "0.000002"}}}}
      - {{provider: b, model_id: "{second}", pricing: {{prompt: "0.000003", completion: "0.000004"}}}}
{more}
"""


SECRETS = {"A_SECRET": "sk-canary-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "B_SECRET": "sk-canary-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"}
