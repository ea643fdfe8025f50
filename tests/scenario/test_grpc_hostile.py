"""Callers of the gRPC port that break the rules: rows F49 to F52 and N96 to N113 of the plan, as frames over real sockets. Storms of
resets have a file of their own.

What the gRPC core itself has to do differs between its generations (docs/grpc.md has the table). `core()` decides: a core with the
known holes must live and serve others; a later one must do all that the row says.
"""
import base64
import functools
import gzip
import re
import select
import signal
import socket
import subprocess
import threading
import time
import zlib

import pytest
from hyperframe.frame import PingFrame, SettingsFrame, WindowUpdateFrame

from gateway import SECRETS, Remora, two_providers
from h2wire import H2, Answer, message, raw_frame
from upstream import build_dir

LIST = "/remora.v1.ModelService/ListModels"
CHAT = "/remora.v1.ChatService/Chat"
STREAM = "/remora.v1.ChatService/StreamChat"
COUNT = "/remora.v1.ChatService/CountTokens"
OK, CANCELLED, UNKNOWN, INVALID, DEADLINE, EXHAUSTED, UNIMPLEMENTED, INTERNAL = 0, 1, 2, 3, 4, 8, 12, 13
FIXED_CORE = 40  # of src/front/grpc/handoff.h
MIB = 1024  # KiB


@functools.cache
def core():
    text = subprocess.run([build_dir() / "remora", "version"], capture_output=True, text=True, check=True).stdout
    return int(re.search(r"gRPC core (\d+)", text).group(1))


@functools.cache
def is_sanitized():
    """Memory of a sanitizer's build says nothing: what is freed is kept for a while."""
    cache = build_dir() / "CMakeCache.txt"
    return any(line.startswith("REMORA_SANITIZE:") and line.rstrip()[-1] != "=" for line in cache.read_text().splitlines())


def field(number, data):
    """A length-delimited protobuf field."""
    out, length = [number << 3 & 127 | 2 | 128, number >> 4] if number > 15 else [number << 3 | 2], len(data)
    while length > 127:
        out.append(length & 127 | 128)
        length >>= 7
    return bytes(out + [length]) + data


def chat(model=b"t/m", text=b"Hello", more=b""):
    """A ChatRequest, and bytes behind it."""
    from remora.v1 import chat_pb2  # noqa: PLC0415

    part = chat_pb2.ContentPart(text=text.decode())
    return chat_pb2.ChatRequest(model=model.decode(), messages=[chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=[part])]
                                ).SerializeToString() + more


def chat_to_count():
    from remora.v1 import chat_pb2  # noqa: PLC0415

    return chat_pb2.CountTokensRequest(chat=chat_pb2.ChatRequest.FromString(chat())).SerializeToString()


def stream_chat():
    from remora.v1 import chat_pb2  # noqa: PLC0415

    return chat_pb2.StreamChatRequest(chat=chat_pb2.ChatRequest.FromString(chat())).SerializeToString()


@pytest.fixture(scope="module")
def remora(upstream, stubs):
    with Remora(two_providers(upstream, "ok"), environment=SECRETS, workers=1) as r:
        yield r


@pytest.fixture(autouse=True)
def lives(remora):
    """After each row the process serves others."""
    yield
    end = time.monotonic() + 30
    while served(remora)[0] != OK:
        assert time.monotonic() < end and remora.process.poll() is None
        time.sleep(0.2)


def served(remora, seconds=20):
    """(status, seconds) of a well-behaved client on a connection of its own."""
    began = time.monotonic()
    with H2(remora.grpc_port) as c:
        return c.call(LIST, seconds=seconds).status, time.monotonic() - began


def run(upstream, first, **kwargs):
    return Remora(two_providers(upstream, first), environment=SECRETS, **kwargs)


# ---- F49: leaving ----

@pytest.mark.parametrize("workers", [1, 4])
def test_f49_reset_before_and_after_the_first_message_ends_the_upstream(upstream, stubs, workers):
    for behaviour, wait in (("hold", lambda c, s: upstream.wait_open("hold", 1)),
                            ("stall-after-2", lambda c, s: c.until(lambda: c.answers[s].messages))):
        with run(upstream, behaviour, workers=workers) as r, H2(r.grpc_port) as c:
            upstream.reset()
            stream = c.open(STREAM)
            c.data(stream, message(stream_chat()), end=True)
            wait(c, stream)
            began = time.monotonic()
            c.reset(stream)
            upstream.wait_aborted(behaviour, 1)
            assert time.monotonic() - began < 1
            assert r.wait_log("request")[0]["code"] == "CLIENT_GONE"
            assert c.call(LIST).status == OK, "the connection goes on"


# ---- F50: deadlines ----

def test_f50_a_deadline_of_a_millisecond(remora):
    with H2(remora.grpc_port) as c:
        for value in ("1n", "1u", "1m"):
            answer = c.call(CHAT, chat(), {"grpc-timeout": value})
            # Expired on arrival: an old core may call that cancelled.
            assert answer.is_ended and answer.status in (OK, DEADLINE, *((CANCELLED, None) if core() < FIXED_CORE else ())), value
        assert c.call(LIST).status == OK


def test_f50_a_deadline_in_the_middle_of_a_stream(upstream, stubs):
    with run(upstream, "stall-after-2") as r, H2(r.grpc_port) as c:
        upstream.reset()
        began = time.monotonic()
        stream = c.open(STREAM, {"grpc-timeout": "800m"})
        c.data(stream, message(stream_chat()), end=True)
        answer = c.answer(stream)
        late = time.monotonic() - began - 0.8
        assert answer.status == DEADLINE and answer.messages
        assert -0.06 < late < (0.4 if is_sanitized() else 0.2)
        upstream.wait_aborted("stall-after-2", 1)


def test_f50_every_attempt_has_the_callers_deadline(upstream, stubs):
    with Remora(two_providers(upstream, "hold", "hold"), environment=SECRETS) as r, H2(r.grpc_port) as c:
        upstream.reset()
        answer = c.call(CHAT, chat(), {"grpc-timeout": "500m"})
        assert answer.status == DEADLINE
        upstream.wait_aborted("hold", upstream.stats("hold")["received"])


# ---- F51 and N99 to N107: messages ----

def of_size(size):
    """A CountTokensRequest of exactly so many bytes, nearly all of them text."""
    from remora.v1 import chat_pb2  # noqa: PLC0415

    part = chat_pb2.ContentPart(text="x" * (size - 100))
    request = chat_pb2.CountTokensRequest(chat=chat_pb2.ChatRequest(messages=[chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=[part])]))
    request.chat.model = "m" * (size - request.ByteSize() - 2)
    assert request.ByteSize() == size
    return request.SerializeToString()


def test_f51_a_message_beyond_the_limit(remora):
    """The core looks at the length once the message is whole."""
    with H2(remora.grpc_port) as c:
        most = 5 << 20 if is_sanitized() else 32 << 20  # which takes 10 s under ASan; more than gRPC's own 4 MiB in any case
        for size, expected in (((32 << 20) + 1, EXHAUSTED), (most, OK)):
            stream = c.open("/remora.v1.ChatService/CountTokens")
            c.data(stream, message(of_size(size)), end=True)
            assert c.answer(stream, 60).status == expected, (size, c.answers[stream].headers)
    with H2(remora.grpc_port) as c:
        stream = c.open(LIST)
        c.data(stream, message(b"", length=0xFFFFFFFF))
        assert not c.until(lambda: c.answers[stream].is_ended, 0.5), "waits for the rest, under the quota and the deadline"
        c.reset(stream)


def test_f51_a_message_cut_by_the_half_close(remora):
    for data in (message(b"abc", length=100), b"\0\0", b"", message(b"", length=0xFFFFFFFF)):
        with H2(remora.grpc_port) as c:
            stream = c.open(LIST)
            c.data(stream, data, end=True)
            assert c.answer(stream).status in (INTERNAL, EXHAUSTED), data
            assert c.call(LIST).status == OK


def test_a_call_without_a_message_is_refused_as_one_that_was_cut(remora):
    """gRPC's table of codes has UNIMPLEMENTED for none and INTERNAL for half of one; the cores tell both alike (docs/grpc.md)."""
    def count():
        return sum(n for name, n in remora.metrics().items() if name.startswith("remora_requests_total") and 'code="INVALID_REQUEST"' in name)

    before = count()
    with H2(remora.grpc_port) as c:
        for path in (CHAT, "/remora.v1.ChatService/StreamChat", LIST):
            for pieces in (None, b"", b"\0\0"):
                stream = c.open(path, end=pieces is None)
                if pieces is not None:
                    c.data(stream, pieces, end=True)
                answer = c.answer(stream)
                assert answer.status == INTERNAL and answer.reset is None and answer.body == b"", (path, pieces)
                assert "no whole message" in answer.headers["grpc-message"]
                assert b"INVALID_REQUEST" in base64.b64decode(answer.headers["grpc-status-details-bin"] + "=="), "the caller's"
        assert c.call(LIST).status == OK, "the connection goes on"
    assert count() == before + 9, "the caller's fault, not ours"


def test_f51_a_compression_flag_that_does_not_exist(remora):
    with H2(remora.grpc_port) as c:
        stream = c.open(CHAT)
        c.data(stream, message(chat(), flag=2), end=True)
        answer = c.answer(stream)
        # Both cores may hand an empty message on, which no chat is.
        assert answer.status in (INVALID, INTERNAL)


def compressed(data, bits):
    z = zlib.compressobj(9, zlib.DEFLATED, bits)
    return z.compress(data) + z.flush()


def test_f51_compression_that_is_known_is_read(remora):
    for name, bits in (("gzip", 31), ("deflate", 15)):
        with H2(remora.grpc_port) as c:
            answer = c.answers[c.open(LIST, {"grpc-encoding": name})]
            c.data(1, message(compressed(b"", bits), flag=1), end=True)
            assert c.answer(1).status == OK, (name, answer.headers)
            stream = c.open(CHAT, {"grpc-encoding": name})
            c.data(stream, message(compressed(chat(text=b"Hello " * 5000), bits), flag=1), end=True)
            answer = c.answer(stream)
            assert answer.status == OK and b"w0 w1 w2 " in answer.body


def test_f51_compression_that_is_not_what_it_says(remora):
    good = compressed(chat(), 31)
    for bad in (b"no gzip at all", good[:-6], good + b"more", b""):
        with H2(remora.grpc_port) as c:
            stream = c.open(CHAT, {"grpc-encoding": "gzip"})
            c.data(stream, message(bad, flag=1), end=True)
            assert c.answer(stream).status == INTERNAL, bad


def test_f51_compression_that_nobody_knows(remora):
    """An old core drops a name that it does not know: what is left is a message that is no protobuf. A later one refuses itself."""
    with H2(remora.grpc_port) as c:
        stream = c.open(CHAT, {"grpc-encoding": "snappy"})
        c.data(stream, message(b"\xff\x06\x00\x00sNaPpY", flag=1), end=True)
        answer = c.answer(stream)
        assert answer.status in ((INVALID,) if core() < FIXED_CORE else (INTERNAL, UNIMPLEMENTED))


def test_n101_a_bomb_stops_at_the_limit(remora):
    z = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(z.compress(bytes(1 << 20)) for _ in range(256)) + z.flush()
    before = remora.rss_kib()
    with H2(remora.grpc_port) as c:
        stream = c.open(LIST, {"grpc-encoding": "gzip"})
        c.data(stream, message(bomb, flag=1), end=True)
        peak, end = 0, time.monotonic() + 60
        while not c.until(lambda: c.answers[stream].is_ended, 0.02) and time.monotonic() < end:
            peak = max(peak, remora.rss_kib() - before)
        assert c.answers[stream].status == EXHAUSTED
        if not is_sanitized():
            assert max(peak, remora.rss_kib() - before) < 80 * MIB


def test_n101_bombs_leave_others_their_turns(remora):
    """A dozen times 32 MiB out of 32 KB: the work is done in steps, between which whoever else has something to do is served."""
    bomb, waits, is_over = gzip.compress(bytes(32 << 20), 9), [], threading.Event()

    def probe():
        while not is_over.wait(0.02):
            began = time.monotonic()
            assert remora.request("GET", "/livez", port=remora.probe_port)[0] == 200
            waits.append(time.monotonic() - began)

    with H2(remora.grpc_port) as c:
        thread = threading.Thread(target=probe)
        thread.start()
        began = time.monotonic()
        streams = [c.open(COUNT, {"grpc-encoding": "gzip"}) for _ in range(12)]
        for stream in streams:
            c.data(stream, message(bomb, flag=1), end=True)
        assert {c.answer(stream, 60).status for stream in streams} == {INVALID}
        took = time.monotonic() - began
        is_over.set()
        thread.join()
    assert max(waits) < took / 3, (max(waits), took)


def test_n101_bombs_hold_up_no_small_compressed_message(remora):
    """It comes behind a dozen, and is answered before the second of them is whole; a large one is waited for by nobody but its like."""
    bomb, small, large = gzip.compress(bytes(32 << 20), 9), gzip.compress(chat_to_count()), gzip.compress(chat(text=b"x" * (1 << 20)))
    with H2(remora.grpc_port) as c:
        bombs = [c.open(COUNT, {"grpc-encoding": "gzip"}) for _ in range(12)]
        for stream in bombs:
            c.data(stream, message(bomb, flag=1), end=True)
        big = c.open(CHAT, {"grpc-encoding": "gzip"})
        c.data(big, message(large, flag=1), end=True)
        for _ in range(3):
            last = c.open(COUNT, {"grpc-encoding": "gzip"})
            c.data(last, message(small, flag=1), end=True)
            assert c.answer(last, 60).status == OK
        assert sum(c.answers[stream].is_ended for stream in bombs) < 6 and not c.answers[big].is_ended
        assert {c.answer(stream, 60).status for stream in bombs} == {INVALID}
        assert c.answer(big).status == OK


def test_a_compressed_message_that_waits_ends_with_its_call(remora):
    """Those behind it in line go on: one that its caller gives up, one whose deadline is over, and one that is fine."""
    bomb, fine = gzip.compress(bytes(32 << 20), 9), gzip.compress(chat_to_count())
    with H2(remora.grpc_port) as c:
        first = [c.open(COUNT, {"grpc-encoding": "gzip"}) for _ in range(3)]
        gone, late, last = (c.open(COUNT, {"grpc-encoding": "gzip", **more}) for more in ({}, {"grpc-timeout": "1m"}, {}))
        for stream in (*first, gone, late):
            c.data(stream, message(bomb, flag=1), end=True)
        c.data(last, message(fine, flag=1), end=True)
        c.reset(gone)
        assert c.answer(last, 60).status == OK
        # As above: core 29 itself says CANCELLED when its timer fires within the millisecond of the deadline (2 of 60).
        assert c.answer(late).status in (DEADLINE, *((CANCELLED, None) if core() < FIXED_CORE else ()))
        assert {c.answer(stream).status for stream in first} == {INVALID}


def refused_field(answer):
    """(reason, field) of the details: which field of the message is named as the wrong one; None: none is."""
    from google.rpc import error_details_pb2, status_pb2  # noqa: PLC0415

    text = answer.headers["grpc-status-details-bin"]
    found = {"ErrorInfo": error_details_pb2.ErrorInfo(), "BadRequest": error_details_pb2.BadRequest()}
    for detail in status_pb2.Status.FromString(base64.b64decode(text + "=" * (-len(text) % 4))).details:
        name = detail.type_url.rpartition(".")[2]
        assert name in found and detail.Unpack(found[name]), detail.type_url
    return found["ErrorInfo"].reason, next((v.field for v in found["BadRequest"].field_violations), None)


def test_f51_n102_to_n106_protobuf_that_is_none(remora):
    """Refused, and told where: the path of the field in the message that was sent."""
    deep = b""
    for _ in range(1000):
        deep = field(6, field(1, deep))
    said = chat()

    def message_of(content):
        return said + field(3, content)  # a second one

    rows = [("bad varint", b"\xff" * 11, None), ("bad varint within", message_of(b"\xff" * 11), "messages[1]"),
            ("varint of 11 bytes", message_of(b"\x08" + b"\x83" + b"\x80" * 9 + b"\x00"), "messages[1].role"),
            ("length in a bad varint", message_of(b"\x12" + b"\xff" * 6), "messages[1].parts[0]"),
            ("wrong wire type", b"\x08\x01", "model"), ("wrong wire type within", message_of(b"\x10\x01"), "messages[1].parts[0]"),
            ("truncated", said[:-1], "messages[0]"), ("truncated within", message_of(b"\x12\x05\x0a"), "messages[1].parts[0]"),
            ("group", b"\x0b\x0c", "model"), ("field 0", b"\x02\x00", None),
            ("field 0 within", message_of(b"\x02\x00"), "messages[1]"),
            ("nesting", said + field(30, field(1, field(1, b"k") + field(2, deep))), "extra_body.fields[0].value.list_value.values[0]"),
            ("unknown enum", message_of(b"\x08\x63" + field(2, field(1, b"Hello"))), "messages[1].role"),
            ("unset oneof", message_of(b"\x08\x03" + field(2, b"")), "messages[1].parts[0]"),
            ("bad UTF-8", said + field(1, b"\xff\xfe"), "model"),
            ("bad UTF-8 within", message_of(b"\x08\x03" + field(2, field(1, b"ok")) + field(2, field(1, b"\xc3("))), "messages[1].parts[1].text"),
            ("NUL", said + field(1, b"t/m\0x"), "model"),
            ("NUL within", message_of(b"\x08\x03" + field(2, field(1, b"a\0b"))), "messages[1].parts[0].text")]
    with H2(remora.grpc_port) as c:
        for name, data, path in rows:
            answer = c.call(CHAT, data)
            reason, told = refused_field(answer)
            assert (answer.status, reason) == (INVALID, "INVALID_REQUEST"), name
            assert told == path or (name == "nesting" and told.startswith(path)), (name, told)
        assert refused_field(c.call(STREAM, field(1, said + field(1, b"\xff")))) == ("INVALID_REQUEST", "chat.model")


def test_n98_the_content_type_is_hidden_by_the_core(remora):
    """Any is taken, by both cores, and none is told to us: docs/grpc.md says so, and this holds it to that. The message decides."""
    for value in ("application/grpc+proto", "application/json", "text/plain", ""):
        with H2(remora.grpc_port) as c:
            stream = c.open(LIST, content_type=value)
            c.data(stream, message(b""), end=True)
            assert c.answer(stream).status == OK, value
            stream = c.open(CHAT, content_type=value)
            c.data(stream, message(b'{"model": "t/m"}'), end=True)
            assert c.answer(stream).status == INVALID, value


def test_unknown_fields_are_taken(remora):
    """A newer client's message: fields that we do not know are no reason to refuse it."""
    unknown = b"\xfa\x7d\x03new"  # field 2015, length-delimited
    with H2(remora.grpc_port) as c:
        assert c.call(CHAT, chat(more=unknown)).status == OK
        assert c.call(LIST, unknown).status == OK


def test_n107_time_outs_that_are_none_leave_the_gateways_own(upstream, stubs):
    """The core hides them and gives the call no deadline; a later one may refuse. What a time-out says is kept."""
    odd = ("-1S", "+1S", "1x", "1s", "123456789S", "99999999H", "1.5S", "0x1S", "S", "")
    config = two_providers(upstream, "hold").replace("version: 1", "version: 1\ndeadlines: {total_ms: 2000}")
    with Remora(config, environment=SECRETS) as r:
        for value, least in (*((value, 2.0) for value in odd), ("500m", 0.4), ("0S", 0)):
            with H2(r.grpc_port) as c:
                began = time.monotonic()
                answer = c.call(CHAT, chat(), {"grpc-timeout": value})
                seconds = time.monotonic() - began
                is_refused = core() >= FIXED_CORE and value in odd and answer.status in (INVALID, INTERNAL)
                assert is_refused or answer.status == DEADLINE, (value, answer.headers)
                assert is_refused or least - 0.05 < seconds < least + (1.5 if is_sanitized() else 0.4), (value, seconds)


def test_a_second_message_is_refused_before_anything_is_done(upstream, remora):
    """Methods take one: UNIMPLEMENTED, as grpc/grpc has it (doc/statuscodes.md, "Request cardinality violation")."""
    upstream.reset()
    health = "/grpc.health.v1.Health/"
    for path, data in ((LIST, b""), (CHAT, chat()), (STREAM, stream_chat()), (health + "Check", b""), (health + "Watch", b"")):
        for times in (2, 3):
            with H2(remora.grpc_port) as c:
                stream = c.open(path)
                c.data(stream, message(data) * times, end=True)
                answer = c.answer(stream)
                assert answer.status == UNIMPLEMENTED and not answer.messages, (path, times, answer.headers)
                assert refused_field(answer) == ("INVALID_REQUEST", None)
                stream = c.open(path)  # the second one later, the end of the caller's side after it
                c.data(stream, message(data))
                assert not c.until(lambda s=stream: c.answers[s].is_ended, 0.1)
                c.data(stream, message(data))
                assert c.answer(stream).status == UNIMPLEMENTED, path
    assert upstream.requests() == []


def test_a_half_close_that_comes_late_begins_the_call(upstream, remora):
    with H2(remora.grpc_port) as c:
        stream = c.open(CHAT)
        c.data(stream, message(chat()))
        assert not c.until(lambda: c.answers[stream].is_ended, 0.2)
        c.data(stream, b"", end=True)
        answer = c.answer(stream)
        assert answer.status == OK and b"w0 w1 w2 " in answer.body


# ---- F52 and N108 to N113: the connection ----

def test_n108_metadata_that_is_wrong_hurts_one_call(remora):
    for head, te in (([("X-Upper", "a")], "trailers"), ([("x-key-bin", "!no base64!")], "trailers"), ((), "gzip"), ((), "")):
        with H2(remora.grpc_port) as c:
            stream = c.open(LIST, head, te=te)
            c.data(stream, message(b""), end=True)
            answer = c.answer(stream)
            assert answer.is_ended and answer.status != OK, (head, te, answer.headers)
            # After a value that is no base64 an old core may close the connection.
            assert c.call(LIST).status == OK or (core() < FIXED_CORE and head and head[0][0].endswith("-bin")), (head, te)


def test_baggage_that_is_no_ascii_goes_no_further(upstream, stubs):
    """Neither core judges it. What is taken from metadata stands in a header of ours."""
    config = two_providers(upstream, "ok", first_provider=", trace_context: true")
    with Remora(config, environment=SECRETS) as r, H2(r.grpc_port) as c:
        for value, told in (("k=v", "k=v"), ("k=\u00e9", None), ("k=\t", None)):
            upstream.reset()
            trace = {"traceparent": f"00-{'1' * 32}-{'2' * 16}-01", "tracestate": value, "baggage": value}
            answer = c.call(CHAT, chat(), trace)
            sent = upstream.last()["header"] if answer.status == OK else {}
            assert (sent.get("baggage"), sent.get("tracestate")) == (told, told), (value, answer.headers)


def test_f52_metadata_beyond_8_kib_hurts_one_call(remora):
    def entries(count):
        return [(f"x-{i}", "v" * 100) for i in range(count)]

    with H2(remora.grpc_port) as c:
        for head, expected in ((entries(40), OK), (entries(100), EXHAUSTED), ({"x-a": "v" * 9000}, EXHAUSTED)):
            stream = c.open(LIST, head)
            c.data(stream, message(b""), end=True)
            assert c.answer(stream).status == expected, len(head)
        assert c.call(LIST).status == OK
    with H2(remora.grpc_port) as c:  # beyond 16 KiB the core refuses, an old one by another name
        stream = c.open(LIST, entries(300))
        c.data(stream, message(b""), end=True)
        assert c.answer(stream).status in ((EXHAUSTED,) if core() >= FIXED_CORE else (EXHAUSTED, UNKNOWN))


def test_f52_n109_a_flood_of_pings(remora):
    with H2(remora.grpc_port) as c:
        for _ in range(100):
            if not c.send(PingFrame(opaque_data=b"12345678").serialize() * 20):
                break
        assert c.ends() and c.goaway is not None and c.goaway == (11, b"too_many_pings")


class Growth:
    """How far a process's memory grows meanwhile, and what of it stays. A first connection costs 1.2 MB, whoever opens it."""

    def __init__(self, remora):
        self.remora, self.peak, self.is_over = remora, 0, threading.Event()
        assert [served(remora)[0] for _ in range(2)] == [OK, OK]
        self.before = remora.rss_kib()
        self.thread = threading.Thread(target=self._watch)

    def _watch(self):
        while not self.is_over.wait(0.005):
            self.peak = max(self.peak, self.now())

    def now(self):
        return self.remora.rss_kib() - self.before

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()

    def stays_below(self, kib, seconds=10):
        """Once what has gone is given back, which is looked at every two seconds."""
        end = time.monotonic() + seconds
        while not is_sanitized() and self.now() >= kib and time.monotonic() < end:
            time.sleep(0.1)
        return is_sanitized() or self.now() < kib


@pytest.mark.parametrize("acknowledges", [False, True])
def test_f52_n111_headers_that_never_end(upstream, stubs, acknowledges):
    """A later core counts what it throws away, once its SETTINGS are acknowledged. Before that its limit is 16 MiB, 32 bytes counted
    for each entry: half a million entries of two bytes."""
    with run(upstream, "ok", workers=1) as r, Growth(r) as growth:
        with H2(r.grpc_port) as c:
            if acknowledges:
                assert c.call(LIST).status == OK
            c.send(raw_frame("HEADERS", c.next_stream, c.encoder.encode(c.head(LIST))))
            for _ in range(2000):
                if not c.send(raw_frame("CONTINUATION", c.next_stream, b"\x00\x01a\x01b" * 200)):
                    break
            status, seconds = served(r)
            assert status == OK and seconds < 5
        if core() >= FIXED_CORE and not is_sanitized():
            assert growth.stays_below(MIB) and growth.peak < (2 if acknowledges else 96) * MIB, growth.peak


def test_n111_headers_that_go_on_are_a_flood(upstream, stubs):
    if core() < FIXED_CORE:
        pytest.skip("an old core takes them all, and has no time for others meanwhile (docs/grpc.md)")
    with run(upstream, "ok", workers=1) as r, H2(r.grpc_port) as c:
        assert c.call(LIST).status == OK
        c.send(raw_frame("HEADERS", c.next_stream, c.encoder.encode(c.head(LIST))))
        flood(c, raw_frame("CONTINUATION", c.next_stream, b"\x00\x01a\x01b" * 200))
        assert c.is_closed and served(r)[0] == OK


@pytest.mark.parametrize("workers", [1, 4])
def test_f52_n112_a_bomb_of_header_compression(upstream, stubs, workers):
    """In a process of its own: what an earlier connection did is still being thrown away while the next one is measured."""
    with run(upstream, "ok", workers=workers) as r, Growth(r) as growth:
        with H2(r.grpc_port) as c:
            head = c.encoder.encode(c.head(LIST))
            entry = b"\x40\x03x-a\x7f\xa1\x1e" + b"v" * 4000  # literal with incremental indexing, a value of 4,000 bytes
            c.answers[1] = Answer()
            c.send(raw_frame("HEADERS", 1, head + entry + b"\xbe" * 12000, 5))
            assert c.answer(1).status != OK
        with H2(r.grpc_port) as c:  # an integer that goes on for ever
            c.send(raw_frame("HEADERS", 1, c.encoder.encode(c.head(LIST)) + b"\x7f" + b"\x80" * 15000))
            for _ in range(3 if core() < FIXED_CORE else 500):
                if not c.send(raw_frame("CONTINUATION", 1, b"\x80" * 16000)):
                    break
            assert core() < FIXED_CORE or c.ends()
        if not is_sanitized():
            assert growth.stays_below(MIB) and growth.peak < (32 if core() < FIXED_CORE else 6) * MIB, growth.peak


FLOODED = "grpc connection ended: a flood of frames"
CALM = (11, b"too_many_frames")


def flood(c, frame, seconds=60):
    """Sends until the peer has ended the connection. Of its answers, too many to be parsed, only the last one is looked at. How
    many bytes it took."""
    piece, sent, last, end = frame * (65536 // len(frame)), 0, b"", time.monotonic() + seconds
    while not c.is_closed and time.monotonic() < end:
        readable, writable, _ = select.select([c.socket], [c.socket], [], 1)
        try:
            if readable:
                got = c.socket.recv(1 << 20)
                last, c.is_closed = (last + got)[-1000:], got == b""
            elif writable:
                sent += c.socket.send(piece[sent % len(piece):], socket.MSG_DONTWAIT)
        except (BrokenPipeError, ConnectionResetError):
            c.is_closed = True
    if CALM[1] in last:
        c.goaway = CALM
    return sent


def others_are_served(remora):
    """Within 5 s; a core under a sanitizer needs longer for what it had read of a flood."""
    end = time.monotonic() + 60
    while True:
        status, seconds = served(remora)
        if status == OK and seconds < 5:
            return True
        if not is_sanitized() or time.monotonic() > end:
            return False


SETTINGS = SettingsFrame(settings={SettingsFrame.HEADER_TABLE_SIZE: 4096}).serialize()
UPDATE = WindowUpdateFrame(0, window_increment=1).serialize()


@pytest.mark.parametrize("frame,call", [
    (SETTINGS, None), (raw_frame("SETTINGS", 0), None), (UPDATE, None), (SETTINGS, "open"),
    (raw_frame("DATA", 1), "open"), (raw_frame("DATA", 1), "message")],
    ids=["settings", "empty-settings", "window", "settings-beside-a-call", "data", "data-behind-a-message"])
def test_n113_floods_of_frames_that_mean_nothing(upstream, stubs, frame, call):
    """What a connection brings beside its calls is counted here. Beside a call whose message has not come it may be that message, up
    to what this process has of memory. A later core ends empty DATA by itself."""
    with run(upstream, "ok", workers=1) as r, Growth(r) as growth:
        with H2(r.grpc_port) as c:
            if call:
                c.open(LIST)
            if call == "message":
                c.data(1, message(b""))
            sent = flood(c, frame)
            assert c.is_closed, (c.goaway, sent)
            assert core() >= FIXED_CORE and frame[3] == 0 or len(r.wait_log(FLOODED)) == 1 and sent > 16 << 20
            assert others_are_served(r)
        assert growth.stays_below((2 if core() >= FIXED_CORE else 16) * MIB), growth.now()


def test_n113_a_flood_does_not_hold_up_the_end(upstream, stubs):
    """The newer core ends no connection that it is reading."""
    with run(upstream, "ok", workers=1) as r, H2(r.grpc_port) as c:
        flooding = threading.Thread(target=flood, args=(c, UPDATE))
        flooding.start()
        time.sleep(0.5)
        r.process.send_signal(signal.SIGTERM)
        assert r.process.wait(40) == 0
        flooding.join()
        assert c.is_closed


def test_n113_who_floods_is_told(remora):
    """GOAWAY finds room where the core does not answer each frame."""
    with H2(remora.grpc_port) as c:
        flood(c, UPDATE)
        assert c.is_closed and c.goaway == CALM


def upload(c, stream, size, piece=1 << 20, pause=0.0):
    for at in range(0, size, piece):
        c.data(stream, bytes(min(piece, size - at)))
        c.until(lambda: False, pause)


def test_uploads_are_no_flood(upstream, stubs):
    """Three at once, slow, of which none is whole for longer than a look or two: 75 MiB that no call has brought yet."""
    with run(upstream, "ok", workers=1) as r, H2(r.grpc_port) as c:
        streams = [c.open(COUNT) for _ in range(3)]
        for stream in streams:
            c.data(stream, message(b"", length=25 << 20))
        for _ in range(25):
            for stream in streams:
                upload(c, stream, 1 << 20, pause=0.1)
        for stream in streams:
            c.data(stream, b"", end=True)
        assert [c.answer(s).status for s in streams] == [INVALID] * 3  # zeros are no protobuf
        assert not c.ends(4.5) and c.goaway is None and c.call(LIST).status == OK


def test_messages_that_are_given_up_or_too_large_are_no_flood(upstream, stubs):
    """What had come of them belongs to no call any more."""
    with run(upstream, "ok", workers=1) as r, H2(r.grpc_port) as c:
        for _ in range(6):
            stream = c.open(COUNT)
            c.data(stream, message(b"", length=20 << 20))
            upload(c, stream, 10 << 20)
            c.reset(stream)
        stream = c.open(COUNT)
        c.data(stream, message(bytes(48 << 20)), end=True)
        assert c.answer(stream, 60).status == EXHAUSTED
        assert not c.ends(4.5) and c.goaway is None and c.call(LIST).status == OK


def test_n113_a_window_that_overflows(remora):
    with H2(remora.grpc_port) as c:
        stream = c.open(LIST)
        for _ in range(3):
            c.send(WindowUpdateFrame(0, window_increment=(1 << 31) - 1))
            c.send(WindowUpdateFrame(stream, window_increment=(1 << 31) - 1))
        c.data(stream, message(b""), end=True)
        c.until(lambda: c.answers[stream].is_ended, 5)  # neither core says anything; what counts is that it lives


# ---- memory ----

def test_a_length_of_1_gib_holds_no_more_than_its_budget(remora):
    """400 MiB of a message whose length says 1 GiB, each byte within the windows that the core grants. The budget is 256 MiB."""
    before, peak, clients = remora.rss_kib(), [0], [H2(remora.grpc_port) for _ in range(2)]
    is_done = threading.Event()

    def watch():
        while not is_done.wait(0.02):
            peak[0] = max(peak[0], remora.rss_kib() - before)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        for c in clients:  # the second adds to the first, which goes on holding what it has
            stream = c.open(LIST)
            c.data(stream, message(b"", length=1 << 30))  # counted: more than the window would be a reset for that
            c.data(stream, bytes(400 << 20), is_over=lambda c=c, stream=stream: c.answers[stream].is_ended, seconds=120)
            assert c.answers[stream].status == 14, "shed with a word, not reset"
    finally:
        is_done.set()
        watching.join()
        for c in clients:
            c.socket.close()
    assert is_sanitized() or peak[0] < (256 + 64) * MIB, peak


def test_a_reader_with_a_window_of_64_kib_pauses_the_upstream(upstream, stubs):
    """Exactly its window and one message more leave us; the provider is read until the kernel's buffers are full and no further."""
    with run(upstream, "endless") as r, H2(r.grpc_port, window=65535) as c:
        upstream.reset()
        stream = c.open(STREAM)
        c.data(stream, message(stream_chat()), end=True)
        assert c.until(lambda: len(c.answers[stream].body) == 65535, 30)
        before, end = -1, time.monotonic() + 60
        while (now := upstream.stats("endless")["bytes_sent"]) != before and time.monotonic() < end:
            before = now
            c.until(lambda: False, 1)
        assert now == before and len(c.answers[stream].body) == 65535
        rss = r.rss_kib()
        c.grant(0, 100000)
        c.grant(stream, 100000)  # and it goes on where it stopped
        assert c.until(lambda: len(c.answers[stream].body) == 165535, 30)
        assert is_sanitized() or r.rss_kib() - rss < MIB
        c.reset(stream)
        upstream.wait_aborted("endless", 1)
