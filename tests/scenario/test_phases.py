"""A caller leaves, or time runs out, in each phase before the first byte: for a place, the name, TCP, TLS, the answer.

Each phase is held by a peer that says when a request has come there and when it has gone; see peers.py and upstream.py for others.
"""
import contextlib
import datetime
import json
import os
import pathlib
import socket
import subprocess
import threading
import time

import grpc
import pytest

from gateway import SECRETS, USER, OwnTime, Remora, two_providers
from peers import authority

def until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not reached"
        time.sleep(0.002)


class FullListener:
    """TCP: its queue is full, so that a connection to it is never made."""

    more = ""
    environment = {}

    def __init__(self, _):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(0)
        self.port = self.listener.getsockname()[1]
        self.fillers = []
        while True:
            filler = socket.socket()
            filler.settimeout(0.2)
            try:
                filler.connect(("127.0.0.1", self.port))
            except TimeoutError:
                filler.close()
                break
            self.fillers.append(filler)
        until(lambda: self.held() == 0)
        self.way = f'base_url: "http://127.0.0.1:{self.port}/v1"'

    def held(self):
        """Connections that are being made to it: SYN_SENT in proc_pid_net(5)."""
        rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return len([row for row in rows if row[2].endswith(f":{self.port:04X}") and row[3] == "02"])

    def begun(self, _):
        until(lambda: self.held() == 1)

    def over(self):
        until(lambda: self.held() == 0)

    def close(self):
        for each in [self.listener, *self.fillers]:
            each.close()


class SilentTls:
    """TLS: takes the client's hello and says nothing."""

    more = ""
    environment = {}

    def __init__(self, folder):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.hellos, self.ends = [], []
        own = authority(folder, f"tls-{self.listener.getsockname()[1]}")
        self.way = f'base_url: "https://localhost:{self.listener.getsockname()[1]}/v1", ca_file: "{own / "ca.pem"}"'
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        with peer, contextlib.suppress(OSError):
            peer.recv(65536)
            self.hellos.append(peer)
            while peer.recv(65536):
                pass
        self.ends.append(peer)

    def begun(self, _):
        until(lambda: len(self.hellos) == len(self.ends) + 1)

    def over(self):
        until(lambda: len(self.ends) == len(self.hellos))

    def close(self):
        self.listener.close()


class Unseen:
    """Nobody outside sees the request."""

    def begun(self, _):
        time.sleep(0.15)

    def over(self):
        pass

    def close(self):
        pass


class SilentResolver(Unseen):
    """The name: a getaddrinfo that is loaded before the others and does not answer for a minute."""

    more = ""
    way = 'base_url: "http://silent.test/v1", insecure: true'

    def __init__(self, folder):
        source, library = folder / "resolver.c", folder / "resolver.so"
        source.write_text("""#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>
typedef int resolve(const char *, const char *, const struct addrinfo *, struct addrinfo **);
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    if (node != NULL && strcmp(node, "silent.test") == 0) {
        sleep(60);
        return EAI_AGAIN;
    }
    return ((resolve *)dlsym(RTLD_NEXT, "getaddrinfo"))(node, service, hints, found);
}
""")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
        options = os.environ.get("ASAN_OPTIONS", "")
        self.environment = {"LD_PRELOAD": str(library), "ASAN_OPTIONS": f"{options}:verify_asan_link_order=0".lstrip(":")}


PHASES = {"name": SilentResolver, "connect": FullListener, "tls": SilentTls}


@pytest.fixture(params=PHASES)
def phase(request, tmp_path):
    peer = PHASES[request.param](tmp_path)
    yield peer
    peer.close()


def document(phase, more=""):
    return f"""
version: 1
service: checkout
providers:
  a: {{kind: openai, {phase.way}}}
models:
  t/m: {{endpoints: [{{provider: a, model_id: m}}]}}
{phase.more}
{more}
"""


def start(phase, more=""):
    return Remora(document(phase, more), environment=phase.environment, workers=1)


class HttpCaller:
    def __init__(self, remora, is_stream):
        body = json.dumps({"model": "t/m", "messages": USER, "stream": is_stream}).encode()
        self.socket = socket.create_connection(("127.0.0.1", remora.http_port))
        self.socket.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                            b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def leave(self):
        self.socket.close()


class GrpcCaller:
    def __init__(self, remora, is_stream):
        from remora.v1 import chat_pb2, chat_pb2_grpc  # noqa: PLC0415

        self.channel = grpc.insecure_channel(f"127.0.0.1:{remora.grpc_port}")
        message = chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=[chat_pb2.ContentPart(text="Hello")])
        chat = chat_pb2.ChatRequest(model="t/m", messages=[message])
        stub = chat_pb2_grpc.ChatServiceStub(self.channel)
        self.call = stub.StreamChat(chat_pb2.StreamChatRequest(chat=chat)) if is_stream else stub.Chat.future(chat)

    def leave(self):
        self.call.cancel()


CALLERS = {"http": HttpCaller, "grpc": GrpcCaller}


def ended(remora, nth):
    """When the nth request was over, its upstream cancelled before: the time of its line in the log."""
    line = remora.wait_log("request", nth)[nth - 1]
    assert line["code"] == "CLIENT_GONE"
    return datetime.datetime.fromisoformat(line["time"].replace("Z", "+00:00")).timestamp()


def leave_in(phase, remora, caller, is_stream):
    """Callers leave, one after another, and each is noticed in time."""
    took = []
    for nth in range(1, 6):
        one = CALLERS[caller](remora, is_stream)
        phase.begun(remora)
        own, ours = OwnTime(remora.process.pid), OwnTime(os.getpid())
        one.leave()
        phase.over()
        delay = ours.waited()
        took.append(own.seconds(until=ended(remora, nth)) - delay)
    assert max(took) < 0.1, took


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("caller", CALLERS)
def test_leaving_ends_the_request_within_100_ms_on_the_way_to_the_provider(phase, caller, is_stream, stubs):
    with start(phase) as remora:
        leave_in(phase, remora, caller, is_stream)


@pytest.mark.parametrize("caller", CALLERS)
def test_leaving_while_waiting_for_a_place_ends_the_request_within_100_ms(upstream, caller, stubs):
    upstream.reset()
    more = "services:\n  checkout:\n    limits: {concurrency: 1}\n"
    with Remora(two_providers(upstream, "hold", more=more), environment=SECRETS, workers=1) as remora:
        first = HttpCaller(remora, False)
        upstream.wait_open("hold", 1)
        leave_in(Unseen(), remora, caller, True)  # for the only place, which the first holds
        assert upstream.stats("hold")["requests"] == 1, "who waited went nowhere"
        first.leave()
        upstream.wait_aborted("hold", 1)


@pytest.mark.parametrize("behaviour, is_stream", [("hold", False), ("hold", True), ("stall-after-1", True)])
def test_cancelling_a_grpc_call_cancels_the_upstream_within_100_ms(upstream, behaviour, is_stream, stubs):
    class Answer:
        seen = 0

        def begun(self, _):
            upstream.wait_open(behaviour, 1)

        def over(self):
            self.seen += 1
            upstream.wait_aborted(behaviour, self.seen)

    upstream.wait_open(behaviour, 0)
    upstream.reset()
    with Remora(two_providers(upstream, behaviour), environment=SECRETS) as remora:
        leave_in(Answer(), remora, "grpc", is_stream)


# ---- time ----


def test_connect_ms_bounds_name_tcp_and_tls(phase):
    """Whose name nobody has told was not tried: that is no time-out of the provider's, and its breaker is told nothing."""
    was_tried = not isinstance(phase, SilentResolver)
    status_of, code, cause = (504, "UPSTREAM_TIMEOUT", "connect_timeout") if was_tried else (502, "UPSTREAM_UNAVAILABLE", "dns")
    with start(phase, "deadlines: {connect_ms: 300}") as remora:
        for _ in range(5):  # as many as open a breaker
            status, _, body = remora.chat({"model": "t/m"})
            assert status == status_of and body["error"]["metadata"]["reason"] == code
        lines = remora.wait_log("attempt failed", 5)
        for line in lines:
            assert (line["code"], line["cause"]) == (code, cause)
            assert 300_000 <= line["elapsed_us"] < 4_000_000, "not the 5 s that it is without"
        assert (remora.metrics()['remora_circuit_state{provider="a"}'] > 0) == was_tried


def test_total_ms_ends_a_request_on_its_way_to_the_provider(phase):
    with start(phase, "deadlines: {connect_ms: 60000, total_ms: 400}") as remora:
        status, _, body = remora.chat({"model": "t/m"})
        assert status == 504 and body["error"]["metadata"]["reason"] == "DEADLINE"
        line = remora.wait_log("request")[0]
        assert line["code"] == "DEADLINE" and line["attempts"] == 1 and line["total_us"] >= 400_000


def test_total_ms_ends_a_request_before_and_after_content(upstream):
    upstream.wait_open("hold", 0)
    upstream.reset()
    with Remora(two_providers(upstream, "hold", more="deadlines: {total_ms: 400}\n"), environment=SECRETS) as remora:
        for is_stream in (False, True):
            status, _, body = remora.chat({"model": "t/m", "stream": is_stream})
            assert status == 504 and body["error"]["metadata"]["reason"] == "DEADLINE", "no fallback: nothing is left for it"
        upstream.wait_aborted("hold", 2)
        assert upstream.stats("ok")["requests"] == 0
    deadline = "deadlines: {total_ms: 3000}\n"
    with Remora(two_providers(upstream, "paced-1000x10ms", more=deadline), environment=SECRETS) as remora:
        stream = remora.stream({"model": "t/m"})
        assert stream.status == 200 and stream.content().startswith("w0 ") and not stream.is_done
        assert stream.error()["metadata"]["reason"] == "DEADLINE" and stream.is_clean
        upstream.wait_aborted("paced-1000x10ms", 1)
        line = remora.wait_log("request")[0]
        assert line["code"] == "DEADLINE" and line["total_us"] >= 3_000_000
