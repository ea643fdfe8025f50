"""Storms of resets (F49, N110) on every kind of gRPC listener: the connection is told to calm down and ended, everybody else is served,
and who gives up calls within reason, or lets them run out of time, keeps it."""
import time

import pytest
from hyperframe.frame import RstStreamFrame

from gateway import SECRETS, Remora, two_providers
from h2wire import H2, message, raw_frame
from peers import authority
from test_grpc_hostile import (COUNT, FIXED_CORE, FLOODED, INVALID, LIST, MIB, OK, STREAM, UPDATE, core, is_sanitized,
                               stream_chat)
from test_tls import ANYWHERE, client, tls

CALM = (11, b"too_many_resets")


class Listening:
    """One gRPC listener and clients of it. TLS: the core's own connections, into which nobody can put a GOAWAY."""

    def __init__(self, kind, folder):
        self.kind, self.socket, self.arguments, self.more = kind, None, (), ""
        if kind == "unix":
            self.socket = f"{folder}/grpc"
            self.arguments = ("--grpc", f"unix:{self.socket}")
        elif kind == "tls":
            self.ours, self.theirs = (authority(folder, name) for name in ("gateway", "clients"))
            self.arguments, self.more = ANYWHERE, tls(self.ours, self.theirs)

    def run(self, upstream, first="hold", **kwargs):
        return Remora(two_providers(upstream, first, more=self.more), arguments=self.arguments, environment=SECRETS, **kwargs)

    def connect(self, remora):
        context = client(self.ours, self.theirs, ["h2"]) if self.kind == "tls" else None
        return H2(remora.grpc_port, path=self.socket, tls=context)

    def ended(self, remora, c):
        """The storm's connection ends, with a word where there can be one; others go on."""
        assert c.ends(20) and (c.goaway == CALM or self.kind == "tls")
        remora.wait_log("grpc connection ended: a storm of resets")
        began = time.monotonic()
        with self.connect(remora) as other:
            assert other.call(LIST).status == OK and time.monotonic() - began < 15
        assert len(remora.wait_log("grpc connection ended: a storm of resets")) == 1, "told once, however long it goes on"


@pytest.fixture(params=["tcp", "unix", "tls"])
def listening(request, tmp_path):
    return Listening(request.param, tmp_path)


def test_n113_floods_on_tls(upstream, stubs, tmp_path):
    """Nobody can put a GOAWAY into it; a unix socket does not tell how much has come through it."""
    listening = Listening("tls", tmp_path)
    with listening.run(upstream, workers=1) as r, listening.connect(r) as c:
        assert c.call(LIST).status == OK
        c.ends(2.5)  # the connections of the core's own are looked for every two seconds
        assert not c.is_closed
        piece, end = UPDATE * 5000, time.monotonic() + 60
        while not c.is_closed and time.monotonic() < end:
            if not c.send(piece):
                c.ends(1)
                break
            c.drain()
        assert c.is_closed
        assert len(r.wait_log(FLOODED)) == 1
        with listening.connect(r) as other:
            assert other.call(LIST).status == OK


def test_uploads_on_tls_are_no_flood(upstream, stubs, tmp_path):
    listening = Listening("tls", tmp_path)
    with listening.run(upstream, workers=1) as r, listening.connect(r) as c:
        for _ in range(4):
            for _ in range(2):
                stream = c.open(COUNT)
                c.data(stream, message(bytes(20 << 20)), end=True)
                assert c.answer(stream, 60).status == INVALID  # zeros are no protobuf
            c.ends(1.2)
        assert not c.is_closed and c.call(LIST).status == OK


def begin(c):
    stream = c.open(STREAM)
    c.data(stream, message(stream_chat()), end=True)
    return stream


def test_f49_n110_heads_that_are_reset_at_once(upstream, stubs, listening):
    """An old core lets them through, so that we see them; a later one drops them, and is asked what it has counted."""
    with listening.run(upstream, workers=1) as r, listening.connect(r) as c:
        assert c.call(LIST).status == OK
        before = r.rss_kib()
        for _ in range(3000 if core() < FIXED_CORE else 10000):
            stream = c.next_stream
            c.next_stream += 2
            head = raw_frame("HEADERS", stream, c.encoder.encode(c.head(LIST)), 4)
            if not c.send(head + RstStreamFrame(stream, error_code=8).serialize()):
                break
            c.drain()
        listening.ended(r, c)
        assert is_sanitized() or r.rss_kib() - before < 96 * MIB


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("behaviour", ["hold", "stall-after-2"])
def test_f49_calls_that_are_given_up_before_or_within_their_answer(upstream, stubs, listening, behaviour, workers):
    with listening.run(upstream, behaviour, workers=workers) as r, listening.connect(r) as c:
        for _ in range(150):
            stream = begin(c)
            c.until(lambda: c.answers[stream].messages, 0.01 if behaviour == "hold" else 10)  # noqa: B023
            if c.is_closed or not c.reset(stream):
                break
        listening.ended(r, c)


def test_calls_that_are_given_up_after_a_while_are_no_storm(upstream, stubs, listening):
    """A page is closed, a person leaves: more than the limit in 10 s, each after more than a second."""
    with listening.run(upstream, "stall-after-2", workers=1) as r, listening.connect(r) as c:
        for _ in range(2):
            streams = [begin(c) for _ in range(80)]
            c.until(lambda: all(c.answers[s].messages for s in streams), 10)  # noqa: B023
            time.sleep(1.2)
            for stream in streams:
                c.reset(stream)
        assert not c.ends(4) and c.goaway is None
        assert c.call(LIST).status == OK


@pytest.mark.parametrize("workers", [1, 4])
def test_who_gives_up_some_calls_keeps_the_connection(upstream, stubs, listening, workers):
    with listening.run(upstream, workers=workers) as r, listening.connect(r) as c:
        for n in range(180):  # a deadline is nobody's fault
            if n % 2:
                stream = c.open(STREAM, {"grpc-timeout": "20m"})
                c.data(stream, message(stream_chat()), end=True)
                c.answer(stream)
            else:
                c.reset(begin(c))
        assert not c.ends(4), "two looks at what the core counts"
        assert c.call(LIST).status == OK and c.goaway is None


def test_resets_of_a_connection_that_has_gone_are_not_those_of_the_next(upstream, stubs):
    """A client dies with its calls open while others connect: one of them is given its descriptor's number, by which an old core names
    a connection. Each gives up fewer calls than the limit."""
    with Remora(two_providers(upstream, "hold"), environment=SECRETS, workers=1) as r:
        for _ in range(40):
            dying = H2(r.grpc_port)
            for _ in range(95):
                begin(dying)
            dying.until(lambda: False, 0.2)  # they have arrived
            dying.socket.close()
            others = [H2(r.grpc_port) for _ in range(3)]
            for c in others:
                for _ in range(50):
                    c.reset(begin(c))
            for c in others:
                assert c.call(LIST).status == OK and c.goaway is None
                c.socket.close()
        assert not [line for line in r.log_lines() if "storm" in str(line.get("message"))]
