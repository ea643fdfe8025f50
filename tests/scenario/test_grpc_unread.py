"""Clients that leave what they were answered unread: how long they are waited for, what they hold, what a drain makes of them."""
import contextlib
import http.server
import json
import signal
import threading
import time

import pytest

from gateway import SECRETS, Remora, two_providers
from h2wire import H2, message
from test_drain import stop_within
from test_grpc_hostile import CHAT, OK, STREAM, chat, is_sanitized, stream_chat

UNAVAILABLE = 14
SHORT = "deadlines: {total_ms: 2000, idle_ms: 2000, first_byte_ms: 2000, response_ms: 2000}\n"
WRITE_IDLE_S = 60  # REMORA_LIMIT_WRITE_IDLE_MS, which HTTP has as well


def run(upstream, first, more="", **kwargs):
    return Remora(two_providers(upstream, first, more=more), environment=SECRETS, **kwargs)


def begin(c, path):
    stream = c.open(path)
    c.data(stream, message(stream_chat() if path == STREAM else chat()), end=True)
    return stream


def settle(remora, seconds=20):
    """Until no exchange runs."""
    end = time.monotonic() + seconds
    while remora.metrics()["remora_inflight_requests"] > 0:
        assert time.monotonic() < end
        time.sleep(0.05)


# How a client leaves it unread: by its own window, or without taking bytes from its socket at all.
UNREAD = {"window": {"window": 1000}, "socket": {"kernel_bytes": 4096}}


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("how", UNREAD)
@pytest.mark.parametrize("path, behaviour", [(STREAM, "endless"), (CHAT, "ok-n200000")], ids=["stream", "unary"])
def test_an_answer_that_is_not_read_holds_no_drain(upstream, stubs, how, path, behaviour, workers):
    remora = run(upstream, behaviour, SHORT + "drain: {delay_ms: 0, grace_ms: 20000}\n", workers=workers)
    clients = [H2(remora.grpc_port, **UNREAD[how]) for _ in range(2)]
    for c in clients:
        begin(c, path)
    time.sleep(0.3)
    settle(remora)
    stop_within(remora, 3)  # half a second, and the core's own end
    for c in clients:
        c.socket.close()


@pytest.mark.parametrize("workers", [1, 4])
def test_an_exchange_that_ends_in_a_drain_and_is_not_read_holds_it_no_longer(upstream, stubs, workers):
    remora = run(upstream, "endless", SHORT + "drain: {delay_ms: 0, grace_ms: 20000}\n", workers=workers)
    c = H2(remora.grpc_port, window=1000)
    stream = begin(c, STREAM)
    assert c.until(lambda: len(c.answers[stream].body) == 1000)
    stop_within(remora, 2 + 3)  # what is left of the exchange's two, and half a second
    c.socket.close()


def test_a_drain_waits_for_a_large_answer_that_is_taken(upstream, stubs):
    """1.3 MiB: half a second, and a second for each MiB."""
    with run(upstream, "ok-n200000", "drain: {delay_ms: 0, grace_ms: 20000}\n") as remora, H2(remora.grpc_port, window=1000) as c:
        stream = begin(c, CHAT)
        assert c.until(lambda: len(c.answers[stream].body) == 1000)
        c.grant(0, 1 << 30)
        remora.process.send_signal(signal.SIGTERM)
        c.until(lambda: False, 0.8)
        assert not c.answers[stream].is_ended
        c.grant(stream, 1 << 30)
        assert c.answer(stream).status == OK


def test_an_answer_that_is_not_read_is_waited_for_as_long_as_over_http(upstream, stubs):
    """Its call ends, and with it its connection, which is past its age. A large one has longer, and may be taken meanwhile."""
    more = SHORT + "grpc: {max_connection_age_ms: 3000}\n"
    with run(upstream, "endless", more) as endless, run(upstream, "ok-n200000", more) as whole:
        stream, stuck = H2(endless.grpc_port, window=1000), H2(endless.grpc_port, kernel_bytes=4096)
        unary, late = (H2(whole.grpc_port, window=1000) for _ in range(2))
        begun, ended = time.monotonic(), {}

        def wait(name, c, call):
            assert c.ends(2 * WRITE_IDLE_S), name
            ended[name] = time.monotonic() - begun - (2 if call == STREAM else 0)  # of total_ms

        threads = []
        for name, c, call in (("stream", stream, STREAM), ("unary", unary, CHAT)):
            begin(c, call)
            threads.append(threading.Thread(target=wait, args=(name, c, call)))
            threads[-1].start()
        taken = begin(late, CHAT)
        begin(stuck, STREAM)
        assert not late.until(lambda: late.answers[taken].is_ended, WRITE_IDLE_S + 3)
        late.grant(0, 1 << 30)
        late.grant(taken, 1 << 30)
        assert late.answer(taken).status == OK, "21 s for what is not small"
        for thread in threads:
            thread.join()
        assert WRITE_IDLE_S - 1 < ended["stream"] < WRITE_IDLE_S + 10 and WRITE_IDLE_S + 15 < ended["unary"] < WRITE_IDLE_S + 35, ended
        end = time.monotonic() + 10
        while endless.metrics()['remora_connections{listener="grpc"}'] > 0:  # nor is one kept whose socket is full
            assert time.monotonic() < end
            time.sleep(0.5)
        for c in (stream, unary, stuck, late):
            c.socket.close()


# ---- how much of it there may be ----

MODELS, CHECK, EXPLAIN = "/remora.v1.ModelService/ListModels", "/grpc.health.v1.Health/Check", "/remora.v1.GatewayService/ExplainRoute"


@pytest.mark.parametrize("workers", [1, 4])
def test_unread_answers_take_of_the_bytes_that_the_process_carries(upstream, stubs, workers):
    """One of 13 MiB is beyond a budget of 8: nothing more is begun until it is cut off, after half a second and 13 more."""
    with run(upstream, "ok-n2000000", "admission: {bytes: 8388608}\n", workers=workers) as remora, \
            H2(remora.grpc_port, window=1000) as unread, H2(remora.grpc_port) as c:
        before, begun = remora.rss_kib(), time.monotonic()
        stream = begin(unread, CHAT)
        assert unread.until(lambda: len(unread.answers[stream].body) == 1000, 60)
        size = remora.metrics()["remora_answer_bytes_unread"]
        assert 12 << 20 < size < 20 << 20
        if not is_sanitized():  # packed, and not beside it what it was packed from
            assert (remora.rss_kib() - before) * 1024 < 1.8 * size
        asked = [c.call(CHAT, chat()), c.call(STREAM, stream_chat()), c.call(MODELS), c.call(EXPLAIN, stream_chat())]
        assert [a.status for a in asked] == [UNAVAILABLE] * 4, "within 13 s, else this machine is too slow for this"
        assert all("grpc-retry-pushback-ms" in a.headers for a in asked)
        assert c.call(CHECK).status == OK
        assert unread.until(lambda: unread.answers[stream].is_ended, 40) and time.monotonic() - begun < WRITE_IDLE_S
        all_is_given_back(remora)
        assert c.call(MODELS).status == OK


def all_is_given_back(remora):
    end = time.monotonic() + 10  # the client may know of the end before the call has let go
    while remora.metrics()["remora_answer_bytes_unread"] != 0:
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("workers", [1, 4])
def test_a_crowd_of_unread_answers_is_let_go_soon(upstream, stubs, workers):
    """24 of 1.4 MiB: those that find no room are refused, the others hurried, so that no more is held than the budget and one answer."""
    peak, most = 0, 4 << 20
    with run(upstream, "ok-n200000", f"admission: {{bytes: {most}}}\n", workers=workers) as remora, \
            H2(remora.grpc_port, window=1000) as c:
        streams = [begin(c, CHAT) for _ in range(24)]
        end = time.monotonic() + 180  # of work, on a loaded machine
        while not c.until(lambda: all(c.answers[s].is_ended for s in streams), 0.05) and time.monotonic() < end:
            peak = max(peak, remora.metrics()["remora_answer_bytes_unread"])
        assert time.monotonic() < end
        assert 1 << 20 < peak < most + workers * (3 << 19), peak
        assert {c.answers[s].status for s in streams} == {UNAVAILABLE}
        all_is_given_back(remora)


def test_an_answer_that_is_taken_by_drops_ends(stubs):
    """A minute is for all that waits, not for each message of it."""
    events = endlessly(call_of(0, "1", id="c", type="function", function={"name": "f"}))
    with served_by(events, SHORT) as remora, H2(remora.grpc_port, window=1000) as c:
        stream, begun = begin_choices(c, 1), time.monotonic()
        c.grant(0, 1 << 30)
        while not c.until(lambda: c.answers[stream].is_ended, 10) and time.monotonic() - begun < WRITE_IDLE_S + 30:
            c.grant(stream, 20)
        assert WRITE_IDLE_S < time.monotonic() - begun < WRITE_IDLE_S + 20
        assert len(c.answers[stream].body) > 1050, "it was taken, by drops"


# ---- what a queue holds ----

class Provider(http.server.BaseHTTPRequestHandler):
    """Sends the chunks of its server: a list and `[DONE]`, or what a generator gives for ever."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        with contextlib.suppress(OSError):
            for chunk in self.server.chunks():
                self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
            self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served_by(chunks, more=""):
    """A gateway whose t/m says them."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    server.daemon_threads, server.chunks = True, chunks
    server.base_url = f"http://127.0.0.1:{server.server_port}/v1"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with Remora(two_providers(server, "m", more=more), environment=SECRETS, workers=1) as remora:
        yield remora
    server.shutdown()


def delta(choice, finish=None, **members):
    return {"choices": [{"index": choice, "delta": members, "finish_reason": finish}]}


def call_of(choice, arguments, **members):
    return delta(choice, tool_calls=[{"index": 0, "function": {"arguments": arguments, **members.pop("function", {})}, **members}])


def begin_choices(c, count):
    from remora.v1 import chat_pb2  # noqa: PLC0415

    asked = chat_pb2.StreamChatRequest.FromString(stream_chat())
    asked.chat.sampling.choice_count = count
    stream = c.open(STREAM)
    c.data(stream, message(asked.SerializeToString()), end=True)
    return stream


def still(remora, name, seconds=60):
    """The metric, once it has not changed for a second."""
    last, end = -1, time.monotonic() + seconds
    while (now := remora.metrics().get(name, 0)) != last or now == 0:
        assert time.monotonic() < end
        last = now
        time.sleep(1)
    return now


def endlessly(*chunks):
    def repeat():
        while True:
            yield from chunks
    return repeat


@pytest.mark.parametrize("chunks, most, merges", [
    (endlessly(delta(0, content="a"), delta(1, content="b")), 100, True),
    (endlessly(delta(0, content="a"), call_of(1, "1", id="c", type="function", function={"name": "f"})), 1000, True),
    (endlessly(call_of(0, "1", id="c", type="function", function={"name": "f"})), 1000, False),
    (endlessly(delta(0, reasoning="a")), 1000, False),
], ids=["choices", "text-beside-a-tool", "tool", "reasoning"])
def test_a_queue_holds_64_kib_of_memory_whatever_it_is_made_of(stubs, chunks, most, merges):
    """An entry is 130 bytes and more beside what it says, so few of them fit; text is one entry for each choice.

    On a quick machine each delta goes by itself until the window of 1,000 bytes is full: 10 and 12 bytes each, so 91 of them.
    """
    with served_by(chunks) as remora, H2(remora.grpc_port, window=1000) as c:
        begin_choices(c, 2)
        assert still(remora, "remora_grpc_stream_messages_total") < most
        merged = remora.metrics().get("remora_grpc_merged_deltas_total", 0)
        assert (merged > 10000) if merges and most < 1000 else (merged > 0) == merges


def test_what_waits_keeps_its_order_within_a_choice(stubs):
    """Text that another choice's has to let pass never passes a tool call, a refusal or the end of its own."""
    first = [delta(0, content="x" * 2000), delta(1, content="y")]  # beyond the window: all that follows waits
    mixed = [delta(0, content="a"), delta(1, content="b"), call_of(0, "{", id="c", type="function", function={"name": "f"}),
             delta(1, content="b"), delta(0, content="A"), delta(1, refusal="no"), delta(0, content="A"), delta(1, content="B"),
             call_of(0, "}"), delta(1, content="B"), delta(0, content="z")]
    ends = [delta(0, "tool_calls"), delta(1, "stop")]
    with served_by(lambda: first + mixed + ends) as remora, H2(remora.grpc_port, window=1000) as c:
        from remora.v1 import chat_pb2  # noqa: PLC0415

        stream = begin_choices(c, 2)
        assert c.until(lambda: len(c.answers[stream].body) == 1000)
        settle(remora)
        c.grant(0, 1 << 30)
        c.grant(stream, 1 << 30)
        assert c.answer(stream).status == OK
        told = {0: [("", "")], 1: [("", "")]}  # where text is cut plays no part
        for event in (chat_pb2.StreamChatResponse.FromString(m) for m in c.answers[stream].messages):
            kind = event.WhichOneof("event")
            said = getattr(event, kind)
            if kind not in ("text", "refusal", "tool_call", "choice_finished"):
                continue
            words = said.arguments_json_fragment if kind == "tool_call" else "" if kind == "choice_finished" else said.text
            of_choice = told[said.choice_index]
            if kind == "text" == of_choice[-1][0]:
                words = of_choice.pop()[1] + words
            of_choice.append((kind, words))
        assert told[0][1:] == [("text", "x" * 2000 + "a"), ("tool_call", "{"), ("text", "AA"), ("tool_call", "}"), ("text", "z"),
                               ("choice_finished", "")]
        assert told[1][1:] == [("text", "ybb"), ("refusal", "no"), ("text", "BB"), ("choice_finished", "")]
