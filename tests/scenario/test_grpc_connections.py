"""Connections of the gRPC port: who may open one, how many, how old they become, how they end."""
import datetime
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from hyperframe.frame import DataFrame, PingFrame

from clients import go_client, missing
from gateway import SECRETS, OwnTime, Remora, two_providers
from h2wire import H2, message
from test_grpc import channel, pb, request  # noqa: F401  (pb is a fixture)
from test_grpc_hostile import LIST, OK, STREAM, core, is_sanitized, stream_chat

DEADLINE, UNAVAILABLE = 4, 14
REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"


def run(upstream, first="ok", more="", **kwargs):
    return Remora(two_providers(upstream, first, more=more), environment=SECRETS, **kwargs)


KEPT_S = 35  # Go's smallest interval is 10 s, whatever it is told: a server that counts strikes says GOAWAY at the third ping


class PythonClient:
    """As clients/go/keepalive: one channel with an open stream, one without a call."""

    def __init__(self, remora, modules):
        options = (("grpc.keepalive_time_ms", 10000), ("grpc.keepalive_permit_without_calls", 1),
                   ("grpc.http2.max_pings_without_data", 0), ("grpc.use_local_subchannel_pool", 1))
        self.idle, self.busy = (grpc.insecure_channel(f"127.0.0.1:{remora.grpc_port}", options) for _ in range(2))
        self.states = []
        self.idle.unary_unary(LIST)(b"", timeout=20)
        self.idle.subscribe(self._on_state)
        self.call = modules.chat_grpc.ChatServiceStub(self.busy).StreamChat(modules.chat.StreamChatRequest(chat=request(modules)))
        next(self.call)

    def _on_state(self, state):
        self.states.append(state.name)

    def close(self):
        self.call.cancel()
        self.idle.close()
        self.busy.close()


@pytest.fixture(scope="module")
def keeping(upstream, pb):  # noqa: F811
    """Real clients with keepalive, begun with the first test of this file and looked at by the last."""
    with run(upstream, "stall-after-2", "deadlines: {idle_ms: 300000}\n") as remora:
        python, begun = PythonClient(remora, pb), time.monotonic()
        go = subprocess.Popen([go_client("keepalive"), f"127.0.0.1:{remora.grpc_port}", str(KEPT_S)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) if shutil.which("go") else None
        if go:
            go.stdin.write(stream_chat())
            go.stdin.close()
        yield go, python, begun
        python.close()
        if go:
            go.kill()
            go.wait()


@pytest.fixture(scope="module")
def patient(upstream, keeping):
    """A client without calls that pings every 5.3 s, begun with the first test of this file and looked at by the last."""
    with run(upstream) as remora:
        connections = [H2(remora.grpc_port) for _ in range(2)]
        begun, is_over = time.monotonic(), threading.Event()

        def ping():
            while not is_over.wait(5.3):
                for c in connections:
                    c.send(PingFrame(opaque_data=b"keepaliv"))

        thread = threading.Thread(target=ping)
        thread.start()
        yield connections, begun
        is_over.set()
        thread.join()
        for c in connections:
            c.socket.close()


@pytest.mark.parametrize("workers", [1, 4])
def test_a_unix_socket_serves_those_whom_it_is_meant_for(upstream, tmp_path, patient, pb, workers):  # noqa: F811
    sockets = f"--http unix:{tmp_path}/http --grpc unix:{tmp_path}/grpc".split()
    with run(upstream, arguments=sockets, workers=workers) as remora, grpc.insecure_channel(f"unix:{tmp_path}/grpc") as c:
        assert pb.chat_grpc.ChatServiceStub(c).Chat(request(pb), timeout=10).choices
        listen = "listen: {unix_uids: [%d]}\n"
        remora.config_path.write_text(two_providers(upstream, "ok", more=listen % (os.getuid() + 1)))
        remora.process.send_signal(signal.SIGHUP)
        remora.wait_log("configuration loaded")
        assert pb.chat_grpc.ChatServiceStub(c).Chat(request(pb), timeout=10).choices, "who is connected stays"
        for name in ("grpc", "http"):
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(10)
                s.connect(f"{tmp_path}/{name}")
                assert s.recv(1) == b"", f"{name}: another user's socket is closed"
        remora.config_path.write_text(two_providers(upstream, "ok", more=listen % os.getuid()))
        remora.process.send_signal(signal.SIGHUP)
        remora.wait_log("configuration loaded", 2)
        with H2(0, path=f"{tmp_path}/grpc") as again:
            assert again.call(LIST).status == OK


def test_connections_are_capped_and_places_come_back(upstream):
    """Each is known to be open, and stays so: who says nothing at all may be closed before a busy machine has let the last one in."""
    most, (soft, hard) = 1024, resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 4 * most), hard), hard))
    opened, is_open = [], 'remora_connections{listener="grpc"}'
    try:
        with run(upstream, workers=1) as remora:
            for _ in range(most):
                opened.append(H2(remora.grpc_port))
            begun = time.monotonic()
            while remora.metrics()[is_open] < most:
                assert time.monotonic() < begun + 60
                time.sleep(0.02)
            with H2(remora.grpc_port) as one_more:
                assert one_more.ends(10), "closed at once"
            assert remora.metrics()[is_open] >= most - 1
            for c in opened[:10]:
                c.socket.close()
            end = time.monotonic() + 10
            while True:
                with H2(remora.grpc_port) as c:
                    if c.call(LIST, seconds=5).status == OK:
                        break
                assert time.monotonic() < end
    finally:
        for c in opened:
            c.socket.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("workers", [1, 4])
def test_a_drain_is_ordered(upstream, stubs, workers):
    """GOAWAY at once, what runs ends whole, nothing new is let in, and the process goes when the last one has."""
    from remora.v1 import chat_pb2  # noqa: PLC0415

    with run(upstream, "paced-20x50ms", workers=workers) as remora:
        upstream.reset()
        clients = [H2(remora.grpc_port) for _ in range(3)]
        idle = H2(remora.grpc_port)
        streams = [c.open(STREAM) for c in clients]
        for c, stream in zip(clients, streams):
            c.data(stream, message(stream_chat()), end=True)
            assert c.until(lambda c=c, stream=stream: c.answers[stream].messages)
        assert idle.call(LIST).status == OK
        remora.process.send_signal(signal.SIGTERM)
        for c in (*clients, idle):
            assert c.until(lambda c=c: c.goaway is not None, 5) and c.goaway[0] == 0
        assert idle.ends(5)
        with pytest.raises(OSError):
            H2(remora.grpc_port)
        assert clients[0].until(lambda: clients[0].last_stream == streams[0], 5), "the core's GOAWAY follows ours"
        late = clients[0].open(LIST)
        clients[0].data(late, message(b""), end=True)
        for c, stream in zip(clients, streams):
            answer = c.answer(stream)
            events = [chat_pb2.StreamChatResponse.FromString(m) for m in answer.messages]
            assert answer.status == OK and events[-1].HasField("completed")
            # Whole, in however many deltas: those that wait for a send to come back are merged.
            assert "".join(e.text.text for e in events) == "".join(f"w{n} " for n in range(20))
        assert clients[0].answers[late].status is None
        took = OwnTime(remora.process.pid).wait(remora.process, 1.5)  # of a grace of 25 s, and no thread of the core is waited for
        print(f"took {took:.2f} s")
        for c in (*clients, idle):
            c.socket.close()


@pytest.mark.parametrize("workers", [1, 4])
def test_as_many_calls_as_a_connection_may_carry_are_all_served(upstream, pb, workers):  # noqa: F811
    """Bites on the newer core only, whose overload protection counted ended streams; the old one has none."""
    with run(upstream, workers=workers) as remora, channel(remora) as c:
        chat = pb.chat_grpc.ChatServiceStub(c).Chat

        def one(_):
            try:
                return None if chat(request(pb), timeout=60).choices else "empty"
            except grpc.RpcError as error:
                return f"{error.code()}: {error.details()}"

        with ThreadPoolExecutor(90) as pool:
            assert [bad for bad in pool.map(one, range(600)) if bad] == []


@pytest.mark.parametrize("workers", [1, 4])
def test_an_old_connection_is_sent_away_and_its_calls_end(upstream, pb, workers):  # noqa: F811
    with run(upstream, "paced-50x50ms", "grpc: {max_connection_age_ms: 1000}\n", workers=workers) as remora:
        with H2(remora.grpc_port) as c:
            begun = time.monotonic()
            stream = c.open(STREAM)
            c.data(stream, message(stream_chat()), end=True)
            assert c.until(lambda: c.goaway is not None, 5) and c.goaway[0] == 0
            assert 0.8 < time.monotonic() - begun < 2
            assert c.answer(stream).status == OK, "2.5 s of stream, whole"
            assert c.ends(5)
        with channel(remora) as c:  # a client of gRPC does not notice
            end = time.monotonic() + 2.5
            while time.monotonic() < end:
                c.unary_unary(LIST)(b"", timeout=5)


@pytest.mark.parametrize("workers", [1, 4])
def test_an_old_connection_that_watches_ends_too(upstream, workers):
    with run(upstream, more="grpc: {max_connection_age_ms: 1000}\n", workers=workers) as remora, H2(remora.grpc_port) as c:
        stream = c.open("/grpc.health.v1.Health/Watch")
        c.data(stream, message(b""), end=True)
        assert c.answer(stream, 5).status == UNAVAILABLE and c.answers[stream].messages
        assert c.ends(5)


def test_a_watch_begun_late_does_not_double_the_age_of_its_connection(upstream):
    """A client that watches again, as those of gRPC do, until GOAWAY tells it not to on this connection."""
    age = 4
    with run(upstream, more=f"grpc: {{max_connection_age_ms: {age * 1000}}}\n") as remora, H2(remora.grpc_port) as c:
        begun = time.monotonic()
        assert not c.ends(0.85 * age) and c.goaway is None
        while c.goaway is None and not c.is_closed:
            stream = c.open("/grpc.health.v1.Health/Watch")
            c.data(stream, message(b""), end=True)
            assert c.answer(stream, age).is_ended or c.is_closed
        assert c.ends(age), "no call is left"
        assert time.monotonic() - begun < 1.5 * age, "1.1 of it, and a watch"


@pytest.mark.parametrize("workers", [1, 4])
def test_a_call_whose_message_never_comes_holds_no_drain(upstream, stubs, workers):
    with run(upstream, more="drain: {delay_ms: 0, grace_ms: 20000}\n", workers=workers) as remora:
        clients = [H2(remora.grpc_port) for _ in range(3)]
        streams = [c.open(path) for c, path in zip(clients, (LIST, STREAM, REFLECTION))]
        clients[1].data(streams[1], message(stream_chat())[:-2])
        clients[2].data(streams[2], message(b"\x3a\x01*"))
        assert clients[2].until(lambda: clients[2].answers[streams[2]].messages)
        begun = time.monotonic()
        remora.process.send_signal(signal.SIGTERM)
        for c, stream in zip(clients, streams):
            assert c.answer(stream, 5).status == UNAVAILABLE
        remora.process.wait(25)
        assert time.monotonic() - begun < 5
        for c in clients:
            c.socket.close()


def test_a_message_that_never_comes_is_waited_for_no_longer_than_a_request(upstream, stubs):
    with run(upstream, more="deadlines: {total_ms: 1000}\n") as remora, H2(remora.grpc_port) as c:
        streams = [c.open(path) for path in (LIST, STREAM, REFLECTION)]
        c.data(streams[1], message(stream_chat())[:-2])
        assert [c.answer(s, 5).status for s in streams] == [DEADLINE] * 3
        assert c.call(LIST).status == OK


def test_a_sidecar_keeps_old_connections(upstream):
    with run(upstream) as remora, H2(remora.grpc_port) as c:
        assert not c.ends(2) and c.goaway is None and c.call(LIST).status == OK


def test_keepalive_of_a_patient_client_is_tolerated(patient):
    """Go's smallest interval is 10 s, C core's and Java's default 20 s and more: 5.3 s leaves room."""
    connections, begun = patient
    while time.monotonic() - begun < 17:
        time.sleep(0.2)
    for c in connections:
        assert c.call(LIST).status == OK and c.goaway is None and c.pongs >= 3


def test_keepalive_of_clients_of_grpc_is_tolerated(keeping):
    """grpc-go at its smallest interval and Python at the same, with a stream and without a call: more pings than a server that
    counts strikes takes."""
    go, python, begun = keeping
    time.sleep(max(0, begun + KEPT_S - time.monotonic()))
    assert python.states == ["READY"] and python.call.is_active()
    if go is None:
        missing("go is not installed")
    assert json.loads(go.stdout.read()) == {"idle": "READY", "stream": ""}


def test_a_watch_that_is_not_read_gets_the_newest_state_and_holds_no_drain(upstream, tmp_path, stubs):
    from wire_health.v1 import health_pb2  # noqa: PLC0415

    path = tmp_path / "mesh.yaml"
    with run(upstream, more=f"policy_files: {{mesh: {path}}}\ndrain: {{delay_ms: 0, grace_ms: 20000}}\n") as remora:
        def watch(window):
            c = H2(remora.grpc_port, window=window)
            stream = c.open("/grpc.health.v1.Health/Watch")
            c.data(stream, message(b""), end=True)
            return c, stream

        def told(c, stream):
            return [health_pb2.HealthCheckResponse.FromString(m).status for m in c.answers[stream].messages]

        slow, blocked = watch(0), watch(0)  # not even one message fits
        quick = watch(65535)
        assert quick[0].until(lambda: told(*quick) == [health_pb2.HealthCheckResponse.NOT_SERVING])
        path.write_text("{}\n")
        assert quick[0].until(lambda: told(*quick)[1:] == [health_pb2.HealthCheckResponse.SERVING])
        for _ in range(3):
            remora.process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        assert told(*slow) == []
        slow[0].grant(slow[1], 1000)
        assert slow[0].until(lambda: told(*slow)[-1:] == [health_pb2.HealthCheckResponse.SERVING])
        assert len(told(*slow)) == 2, "what was on its way, and the newest"
        begun = time.monotonic()
        remora.process.send_signal(signal.SIGTERM)
        assert quick[0].until(lambda: quick[0].answers[quick[1]].is_ended) and quick[0].answers[quick[1]].status == UNAVAILABLE
        remora.process.wait(25)
        assert time.monotonic() - begun < 5, "nobody waits for the one that does not read"
        for c, _ in (slow, blocked, quick):
            c.socket.close()


def test_memory_of_watches_that_are_not_read(upstream, stubs):
    with run(upstream, workers=1) as remora:
        clients = []
        for _ in range(4):
            c = H2(remora.grpc_port, window=0)
            for _ in range(60):
                stream = c.open("/grpc.health.v1.Health/Watch")
                c.data(stream, message(b""), end=True)
            assert c.call(LIST, seconds=1).status is None, "no window for the answer either"
            clients.append(c)
        before = remora.rss_kib()
        for n in range(10):
            remora.process.send_signal(signal.SIGHUP)
            remora.wait_log("configuration loaded", n + 1)
        assert is_sanitized() or remora.rss_kib() - before < 4096
        for c in clients:
            c.socket.close()
        assert core() > 0


@pytest.mark.parametrize("workers", [1, 4])
def test_a_farewell_is_heard_before_calls_are_refused(upstream, workers):
    """During the delay: GOAWAY, and what is still sent on this connection is answered."""
    with run(upstream, more="drain: {delay_ms: 2000}\n", workers=workers) as remora:
        with H2(remora.grpc_port) as c:
            assert c.call(LIST).status == OK
            began = time.monotonic()
            remora.process.send_signal(signal.SIGTERM)
            assert c.until(lambda: c.goaway is not None, 5) and c.goaway == (0, b"") and c.last_stream == 0x7FFFFFFF
            assert time.monotonic() - began < 1.5, "at the beginning of the delay"
            assert c.call(LIST).status == OK
            with H2(remora.grpc_port) as late:  # a Service that has not heard of it yet
                assert late.call(LIST).status == OK and late.goaway is None
                assert late.until(lambda: late.goaway is not None, 5)
                stream = late.open(LIST)
                late.data(stream, message(b""), end=True)
                assert late.answer(stream).status == OK, "sent before it could be read"
        remora.process.wait(10)


@pytest.mark.parametrize("workers", [1, 4])
def test_who_reads_late_is_not_refused(upstream, workers):
    """A client that the scheduler has left for a second: what it sends until it reads GOAWAY is answered, in a sidecar too."""
    with run(upstream, more="drain: {delay_ms: 0, grace_ms: 20000}\n", workers=workers) as remora, H2(remora.grpc_port) as c:
        assert c.call(LIST).status == OK
        remora.process.send_signal(signal.SIGTERM)
        remora.wait_log("draining")
        streams = []
        for _ in range(12):
            streams.append(c.open(LIST))
            c.send(DataFrame(streams[-1], message(b""), flags=["END_STREAM"]))
            time.sleep(0.1)
        assert [c.answer(stream).status for stream in streams] == [OK] * 12 and c.goaway[0] == 0
        c.socket.close()
        remora.process.wait(10)


def parting_s(upstream, answers):
    """How long a drain takes with an idle connection that stays, whether it answers to PING or not."""
    with run(upstream, more="drain: {delay_ms: 0, grace_ms: 20000}\n") as remora, H2(remora.grpc_port) as c:
        assert c.call(LIST).status == OK
        remora.process.send_signal(signal.SIGTERM)
        while answers and not c.is_closed:
            c.until(lambda: False, 1)
        began, drained = (datetime.datetime.fromisoformat(remora.wait_log(word)[0]["time"]) for word in ("draining", "drained"))
        remora.process.wait(10)
    return (drained - began).total_seconds()


def test_only_silent_clients_are_waited_for(upstream):
    """Who has answered to the PING behind GOAWAY has read it. The quickest of some, on a machine that does other things."""
    assert min(parting_s(upstream, True) for _ in range(5)) < 0.4
    assert 0.5 <= parting_s(upstream, False) < 5


@pytest.mark.parametrize("workers", [1, 4])
def test_no_call_fails_when_one_of_two_gateways_ends(upstream, pb, workers):  # noqa: F811
    """As a rollout does it: a channel that knows two addresses, no retry policy, unary and streaming calls throughout."""
    failed, calls, is_over = [], [0], threading.Event()

    def ask(stub, is_streaming):
        while not is_over.is_set():
            try:
                if is_streaming:
                    assert list(stub.StreamChat(pb.chat.StreamChatRequest(chat=request(pb)), timeout=30))[-1].HasField("completed")
                else:
                    assert stub.Chat(request(pb), timeout=30).choices
                calls[0] += 1
            except grpc.RpcError as error:
                failed.append(f"{error.code()}: {error.details()}")

    more = "drain: {delay_ms: 300}\n"
    for _ in range(3):
        with run(upstream, more=more, workers=workers) as first, run(upstream, more=more, workers=workers) as second:
            address = f"ipv4:127.0.0.1:{first.grpc_port},127.0.0.1:{second.grpc_port}"
            with grpc.insecure_channel(address) as c:
                stub = pb.chat_grpc.ChatServiceStub(c)
                threads = [threading.Thread(target=ask, args=(stub, n % 2 == 1)) for n in range(6)]
                for thread in threads:
                    thread.start()
                time.sleep(0.5)
                first.process.send_signal(signal.SIGTERM)
                first.process.wait(30)
                before = calls[0]
                time.sleep(0.3)
                is_over.set()
                for thread in threads:
                    thread.join()
            assert calls[0] > before, "the other one serves"
        is_over.clear()
    assert calls[0] > 50 and failed == []
