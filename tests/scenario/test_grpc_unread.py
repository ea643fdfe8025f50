"""Clients that leave what they were answered unread: how long they are waited for, what they hold, what a drain makes of them."""
import signal
import threading
import time

import pytest

from gateway import SECRETS, Remora, two_providers
from h2wire import H2, message
from test_drain import stop_within
from test_grpc_hostile import CHAT, OK, STREAM, chat, stream_chat

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
