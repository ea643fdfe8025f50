"""Canaries: keys of providers (from files and the environment), secret headers, gateway keys and prompts are put in, and looked for
in every answer, log (at debug), metric, admin page, command's output and, but for prompts, in a core of the running process.
"""
import errno
import hashlib
import http.server
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import grpc
import pytest

from gateway import Remora
from peers import ChatUpstream
from upstream import FaultServer, build_dir

KEYS = {
    "A_SECRET": "sk-canary-environment-0123456789abcdef",
    "H_SECRET": "canary-header-0123456789abcdef",
    "MISTRAL_API_KEY": "sk-canary-conventional-0123456789abcdef",
    "UNUSED_API_KEY": "sk-canary-unused-0123456789abcdef",
}
FILE_KEY = "sk-canary-file-0123456789abcdef"
GATEWAY_KEY = "rk-canary-gateway-0123456789abcdef0123456789"
PROMPT = "canary-prompt-0123456789abcdef"
ANSWER = "canary-answer-0123456789abcdef"
CANARIES = [*KEYS.values(), FILE_KEY, GATEWAY_KEY, PROMPT]
BEARER = {"Authorization": f"Bearer {GATEWAY_KEY}"}


def document(server, folder, more=""):
    (folder / "key").write_text(FILE_KEY + "\n")
    (folder / "hash").write_text(hashlib.sha256(GATEWAY_KEY.encode()).hexdigest())
    names = ["ok", "401-quotes-key", "400-quotes-key", "503", "bad-json", "cut-after-3", "hold-after-2"]
    models = "\n".join(f'  t/{n}: {{endpoints: [{{provider: {p}, model_id: "{n}"}}]}}' for n, p in
                       zip(names, ["a", "f", "a", "f", "a", "f", "a"]))
    return f"""
version: 1
log: {{level: debug}}
providers:
  a: {{kind: openai, base_url: "{server.base_url}", api_key: {{env: A_SECRET}}, headers: {{X-Team-Token: {{env: H_SECRET}}}}}}
  f: {{kind: openai, base_url: "{server.base_url}", api_key: {{file: "{folder}/key"}}}}
models:
{models}
keys:
  ci: {{service: build, hash: {{file: "{folder}/hash"}}}}
{more}"""


def messages():
    return [{"role": "user", "content": PROMPT}]


def talk(remora):
    """Every kind of answer there is; returns all that was said."""
    said = []
    for model in ("ok", "401-quotes-key", "400-quotes-key", "503", "bad-json", "cut-after-3"):
        said.append(remora.chat({"model": f"t/{model}", "messages": messages()}, BEARER))
        said.append(remora.stream({"model": f"t/{model}", "messages": messages()}, BEARER).text)
    said.append(remora.chat({"model": "t/ok", "messages": messages()}, {**BEARER, "X-OpenRouter-Metadata": "enabled"}))
    said.append(remora.request("POST", "/v1/chat/completions", {"model": "t/ok", "messages": [{"role": "wizard", "content": PROMPT}]}, BEARER))
    said.append(remora.request("POST", "/v1/chat/completions", {"model": "t/ok", "messages": messages(), "temperature": 9}, BEARER))
    said.append(remora.request("POST", "/v1/chat/completions", b'{"model": "t/ok", "' + PROMPT.encode() + b'": 1}', BEARER))
    said.append(remora.request("POST", "/v1/chat/completions", {"model": "t/ok", "messages": messages()}))
    said.append(remora.request("GET", "/v1/models", headers={"Authorization": f"Bearer {GATEWAY_KEY[:-1]}x"}))
    said.append(remora.request("GET", "/v1/models", headers=BEARER))
    return said


def talk_grpc(remora, stubs):
    from remora.v1 import chat_pb2, chat_pb2_grpc  # noqa: PLC0415

    said = []
    with grpc.insecure_channel(f"127.0.0.1:{remora.grpc_port}") as channel:
        stub = chat_pb2_grpc.ChatServiceStub(channel)
        for model in ("ok", "401-quotes-key", "400-quotes-key", "no-such-model"):
            message = chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=[chat_pb2.ContentPart(text=PROMPT)])
            request = chat_pb2.ChatRequest(model=f"t/{model}", messages=[message])
            try:
                said.append(stub.Chat(request, metadata=(("authorization", f"Bearer {GATEWAY_KEY}"),)))
            except grpc.RpcError as e:
                said.append((e.details(), e.trailing_metadata()))
    return said


@pytest.fixture(scope="module")
def server():
    with FaultServer(text=ANSWER) as s:
        yield s


def test_no_canary_is_said_logged_counted_or_shown(server, stubs, tmp_path):
    remora = Remora(document(server, tmp_path), environment=KEYS)
    said = talk(remora) + talk_grpc(remora, stubs)
    for path in ("/metrics", "/readyz", "/startupz"):
        said.append(remora.request("GET", path, port=remora.probe_port))
    for path in ("/config/status", "/v1/config", "/v1/log-level"):
        said.append(remora.request("GET", path, port=remora.admin_port))
    said.append(remora.request("POST", "/v1/route/explain", {"model": "t/ok", "messages": messages()}, port=remora.admin_port))
    for arguments in (("check",), ("models", "--config"), ("providers", "--config")):
        run = subprocess.run([str(build_dir() / "remora"), *arguments, str(remora.config_path)], env=KEYS, capture_output=True, timeout=60)
        said.append(run.stdout + run.stderr)
    process = pathlib.Path(f"/proc/{remora.process.pid}")
    said.append(process.joinpath("cmdline").read_bytes())
    if os.access(process / "environ", os.R_OK):
        said.append(process.joinpath("environ").read_bytes())
    log = remora.log()
    # positive controls: the canaries were there to be found
    assert any(r["header"].get("authorization") == f"Bearer {KEYS['A_SECRET']}" and r["header"]["x-team-token"] == KEYS["H_SECRET"]
               and PROMPT.encode() in r["body"] for r in server.requests("ok"))
    assert any(r["header"]["authorization"] == f"Bearer {FILE_KEY}" for r in server.requests())
    assert ANSWER in str(said)
    remora.stop()
    for canary in CANARIES:
        assert canary not in log, "log"
        for text in said:
            assert canary not in str(text), text
    assert ANSWER not in log
    assert '"level":"debug"' in log


# ---- what a provider quotes ----

PLAIN_KEY, PLAIN_HEADER, SECOND_KEY, SHORT = "acme-canary-55", "header.canary", "other-canary", "q7"


class Quoting(http.server.BaseHTTPRequestHandler):
    """Tells the caller's headers back: as a 400, as a 200 that is an error, or as a stream's first event."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        quoted = f"before {self.headers['Authorization'].removeprefix('Bearer ')}, key='{SECOND_KEY}' {self.headers['x-sec']} {SHORT}; q7x after"
        error = json.dumps({"error": {"message": quoted, "code": 400, "param": self.headers["x-sec"]}})
        is_event = request.get("stream", False)
        body = f"data: {error}\n\n".encode() if is_event else error.encode()
        self.server.quoted.append(quoted)
        self.send_response(400 if request["model"] == "status" else 200)
        self.send_header("Content-Type", "text/event-stream" if is_event and request["model"] != "status" else "application/json")
        body = error.encode() if request["model"] == "status" else body
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def quoting():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quoting)
    server.quoted = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_no_secret_that_a_provider_quotes_is_told_whatever_it_looks_like(quoting, stubs):
    from remora.v1 import chat_pb2, chat_pb2_grpc  # noqa: PLC0415

    config = f"""
version: 1
service: checkout
log: {{level: debug}}
providers:
  a:
    kind: openai
    base_url: "http://127.0.0.1:{quoting.server_port}/v1"
    api_key: [{{env: ACME_KEY}}, {{env: ACME_SECOND}}]
    headers: {{x-sec: {{env: HDR}}, x-short: {{env: SHORT}}}}
models:
  t/status: {{endpoints: [{{provider: a, model_id: status}}]}}
  t/in-band: {{endpoints: [{{provider: a, model_id: in-band}}]}}
"""
    environment = {"ACME_KEY": PLAIN_KEY, "ACME_SECOND": SECOND_KEY, "HDR": PLAIN_HEADER, "SHORT": SHORT}
    said = []
    with Remora(config, environment=environment) as remora:
        for model in ("t/status", "t/in-band"):
            said.append(str(remora.chat({"model": model, "messages": messages()}, {"X-OpenRouter-Metadata": "enabled"})))
            said.append(remora.stream({"model": model, "messages": messages()}).text)
            with grpc.insecure_channel(f"127.0.0.1:{remora.grpc_port}") as channel:
                message = chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=[chat_pb2.ContentPart(text=PROMPT)])
                with pytest.raises(grpc.RpcError) as refused:
                    chat_pb2_grpc.ChatServiceStub(channel).Chat(chat_pb2.ChatRequest(model=model, messages=[message]))
                said.append(str((refused.value.details(), refused.value.trailing_metadata())))
        log = remora.log()
    assert len(quoting.quoted) == 6, said
    assert all(PLAIN_KEY in q and PLAIN_HEADER in q for q in quoting.quoted), "the positive control"
    for text in [*said, log]:
        for canary in (PLAIN_KEY, SECOND_KEY, PLAIN_HEADER, "canary"):
            assert canary not in text.replace(PROMPT, ""), text
    told = [text for text in said if "before [removed]" in text]
    assert len(told) >= 3, said
    assert all("[removed] q7x after" in text and "q7;" not in text for text in told), told


# ---- the core ----

def is_sanitized():
    cache = (build_dir() / "CMakeCache.txt").read_text()
    return any(line.startswith("REMORA_SANITIZE:") and not line.endswith("=") for line in cache.splitlines())


def mapped(memory, at, end):
    """The bytes of a mapping but for guard pages, which a core leaves out, too (glibc 2.42 has them inside a thread's stack)."""
    while at < end:
        try:
            piece = os.pread(memory.fileno(), min(end - at, 1 << 20), at)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            piece = b""
        yield piece
        at += len(piece) or 4096


def dumped_memory(pid):
    """What a core would hold of the process: every private writable mapping that is not marked to be left out (core(5), "dd")."""
    mappings = pathlib.Path(f"/proc/{pid}/smaps").read_text()
    blocks = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", mappings, flags=re.M)
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for block in blocks:
            m = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", block)
            flags = re.search(r"VmFlags:(.*)", block)
            if not m or "r" not in m.group(3) or "dd" in flags.group(1).split() or "[v" in block.split("\n", 1)[0]:
                continue
            yield from mapped(memory, int(m.group(1), 16), int(m.group(2), 16))


def load(remora):
    """Connections that were used, keys that were refused, a reload that left the old ones behind."""
    talk(remora)
    remora.process.send_signal(signal.SIGHUP)
    remora.wait_log("configuration loaded")
    remora.chat({"model": "t/ok", "messages": messages()}, BEARER)
    time.sleep(0.5)


@pytest.mark.skipif(is_sanitized(), reason="a sanitizer keeps memory that was given back")
def test_no_key_of_a_provider_is_in_the_memory_of_an_idle_process(server, tmp_path):
    """Beside the mappings of secrets, which cores leave out. Keys that are on their way lie in libcurl's buffers for that long."""
    with Remora(document(server, tmp_path), environment=KEYS) as remora:
        load(remora)
        try:
            dump = b"".join(dumped_memory(remora.process.pid))
        except PermissionError:
            pytest.skip("only root may read the memory of a process that is not dumpable")
    assert b"t/hold-after-2" in dump and len(dump) > 1 << 20, "the positive control"
    found = {canary: dump.count(canary.encode()) for canary in [*KEYS.values(), FILE_KEY]}
    assert not any(found.values()), found


@pytest.mark.parametrize("is_asked_for", [False, True])
def test_there_is_no_core(server, tmp_path, is_asked_for):
    if pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip() not in ("core", "core.%p"):
        pytest.skip("this machine's cores go elsewhere (kernel.core_pattern)")
    if is_asked_for and is_sanitized():
        pytest.skip("a sanitizer's core is terabytes")
    more = {"REMORA_DUMPABLE": "1"} if is_asked_for else {}
    remora = Remora(document(server, tmp_path), environment={**KEYS, **more}, cwd=tmp_path, core_bytes=1 << 30)
    remora.chat({"model": "t/ok", "messages": messages()}, BEARER)
    thread = threading.Thread(target=lambda: remora.stream({"model": "t/hold-after-2", "messages": messages()}, BEARER))
    thread.start()
    time.sleep(0.5)
    remora.process.send_signal(signal.SIGABRT)
    remora.process.wait(30)
    thread.join()
    cores = sorted(tmp_path.glob("core*"))
    assert len(cores) == (1 if is_asked_for else 0)
    if is_asked_for:  # the positive control; and even then what was not in use is not there
        core = cores[0].read_bytes()
        assert b"t/hold-after-2" in core
        unused = [FILE_KEY, KEYS["UNUSED_API_KEY"], KEYS["MISTRAL_API_KEY"]]
        assert {c: core.count(c.encode()) for c in unused} == dict.fromkeys(unused, 0)


def test_a_key_that_is_rotated_under_traffic_arrives_without_a_signal(tmp_path):
    """A Secret mounted as the kubelet mounts it: `..data` is swapped while requests run; none fails, the new key is used."""
    folder = tmp_path / "secret"
    folder.mkdir()
    for name in ("old", "new"):
        (folder / f"..{name}").mkdir()
        (folder / f"..{name}" / "key").write_text(f"sk-canary-{name}\n")
        (folder / f"..{name}" / "key").chmod(0o600)
    os.symlink("..old", folder / "..data")
    os.symlink("..data/key", folder / "key")
    with ChatUpstream() as server:
        config = (f"version: 1\nservice: checkout\nproviders:\n  p: {{kind: openai, base_url: '{server.base_url}', "
                  f"api_key: {{file: {folder / 'key'}}}}}\nmodels:\n  t/m: {{endpoints: [{{provider: p, model_id: m}}]}}\n")
        with Remora(config, workers=2) as remora:
            statuses, stop = [], threading.Event()

            def load():
                while not stop.is_set():
                    statuses.append(remora.chat({"model": "t/m"})[0])

            threads = [threading.Thread(target=load) for _ in range(3)]
            for t in threads:
                t.start()
            while len(statuses) < 20:
                time.sleep(0.01)
            os.symlink("..new", folder / "..data_tmp")
            os.rename(folder / "..data_tmp", folder / "..data")
            remora.wait_log("configuration loaded", seconds=10)
            at_reload = len(statuses)
            while len(statuses) < at_reload + 20:
                time.sleep(0.01)
            stop.set()
            for t in threads:
                t.join()
            used = [r["headers"]["authorization"] for r in server.requests]
            assert set(statuses) == {200}
            assert used[0] == "Bearer sk-canary-old" and used[-1] == "Bearer sk-canary-new"
            assert set(used) == {"Bearer sk-canary-old", "Bearer sk-canary-new"}
            assert "sk-canary" not in remora.log()
