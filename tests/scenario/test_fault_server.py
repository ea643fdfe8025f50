"""The fault server itself, by raw sockets, so that scenarios can trust what it says and does."""
import gzip
import json
import re
import socket
import ssl
import struct
import subprocess
import time

import pytest

from upstream import ROOT, FaultServer, build_dir, make_ca


@pytest.fixture(scope="module")
def server():
    with FaultServer() as server:
        yield server


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_ca(tmp_path_factory.mktemp("ca"))


def body_of(model, stream, text="hi", **more):
    return json.dumps({"model": model, "stream": stream, "stream_options": {"include_usage": True},
                       "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": text}],
                       **more}).encode()


def post(body, path="/v1/chat/completions", headers=""):
    return f"POST {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


def connect(server):
    return socket.create_connection(("127.0.0.1", server.port), timeout=5)


def is_complete(data):
    head, found, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return bool(found) and (data.endswith(b"\r\n0\r\n\r\n") or (length and len(body) >= int(length[1])))


def read_all(link):
    """Everything until the end, and how it ended: 'fin', 'rst' or 'open' (nothing more came in 300 ms, or in 30 ms
    behind a complete answer)."""
    data = bytearray()
    try:
        while True:
            link.settimeout(0.03 if is_complete(bytes(data)) else 0.3)
            piece = link.recv(1 << 20)
            if not piece:
                break
            data += piece
        return bytes(data), "fin"
    except ConnectionResetError:
        return bytes(data), "rst"
    except TimeoutError:
        return bytes(data), "open"


def ask(server, model, stream=True, **more):
    with connect(server) as link:
        link.sendall(post(body_of(model, stream, **more)))
        return read_all(link)


def dechunk(data):
    """(head, body, whether the last chunk came)"""
    head, rest = data.split(b"\r\n\r\n", 1)
    body = b""
    while True:
        match = re.match(rb"([0-9a-f]+)\r\n", rest)
        if not match:
            return head, body, False
        size = int(match[1], 16)
        rest = rest[match.end():]
        if size == 0:
            return head, body, rest == b"\r\n"
        assert rest[size:size + 2] == b"\r\n"
        body += rest[:size]
        rest = rest[size + 2:]


def events(body):
    return [event[6:] for event in body.decode().split("\n\n") if event.startswith("data: ")]


def text_of(payloads):
    chunks = [json.loads(each) for each in payloads if each != "[DONE]"]
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


def unary(data):
    head, body = data.split(b"\r\n\r\n", 1)
    length = re.search(rb"(?i)content-length: (\d+)", head)
    assert length and int(length[1]) == len(body)
    return head, json.loads(body)


def test_good_stream_is_chunked_and_complete(server):
    data, end = ask(server, "ok")
    head, body, complete = dechunk(data)
    payloads = events(body)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n") and b"text/event-stream" in head
    assert complete and end == "open"
    assert text_of(payloads) == "w0 w1 w2 "
    assert json.loads(payloads[0])["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert json.loads(payloads[-3])["choices"][0]["finish_reason"] == "stop"
    assert json.loads(payloads[-2])["usage"] == {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}
    assert payloads[-1] == "[DONE]"


def test_usage_comes_only_when_asked_for(server):
    data, _ = ask(server, "ok", stream_options={})
    assert b'"usage"' not in data


def test_good_unary_answer_has_its_length(server):
    head, answer = unary(ask(server, "ok-n5", stream=False)[0])
    assert b"application/json" in head
    assert answer["choices"][0]["message"]["content"] == "w0 w1 w2 w3 w4 "
    assert answer["usage"]["completion_tokens"] == 5


def test_text_option_is_one_chunk_per_word():
    with FaultServer(text="one two three") as server:
        payloads = events(dechunk(ask(server, "ok")[0])[1])
        assert text_of(payloads) == "one two three"
        assert len(payloads) == 1 + 3 + 3


def test_path_prefix_chooses_before_the_model(server):
    with connect(server) as link:
        link.sendall(post(body_of("ok", False), path="/503/v1/chat/completions"))
        assert read_all(link)[0].startswith(b"HTTP/1.1 503 ")


def test_model_with_slashes_and_tag_is_counted_under_its_own_name(server):
    server.reset()
    assert ask(server, "vendor/429@here", stream=False)[0].startswith(b"HTTP/1.1 429 ")
    assert server.stats("429@here")["complete"] == 1
    assert server.stats("429")["requests"] == 0


def test_unknown_name_is_a_loud_404(server):
    data, _ = ask(server, "no-such-behaviour", stream=False)
    assert data.startswith(b"HTTP/1.1 404 ") and b"fault_server" in data


def test_echo_answers_the_last_user_message(server):
    _, answer = unary(ask(server, "echo", stream=False, text='say "é" \n')[0])
    assert answer["choices"][0]["message"]["content"] == 'say "é" \n'


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("model", ["tools", "tools-parallel", "tools-whole"])
def test_tool_arguments_join_to_json(server, model, stream):
    data, _ = ask(server, model, stream)
    calls = {}
    if stream:
        for chunk in map(json.loads, events(dechunk(data)[1])[:-2]):
            for call in chunk["choices"][0]["delta"].get("tool_calls", []) if chunk["choices"] else []:
                index = call.get("index", 0)
                calls[index] = calls.get(index, "") + call["function"].get("arguments", "")
    else:
        message = unary(data)[1]["choices"][0]["message"]
        calls = {i: call["function"]["arguments"] for i, call in enumerate(message["tool_calls"])}
    assert [json.loads(each)["city"] for _, each in sorted(calls.items())] == (
        ["Oslo", "Rome"] if model == "tools-parallel" else ["Oslo"])


GOOD = ["ok", "echo", "tools", "reasoning", "reasoning-content", "reasoning-both", "refusal", "choices-3", "length",
        "content-filter", "finish-error", "finish-unknown", "utf8", "usage-details", "usage-zero", "usage-negative",
        "usage-float", "usage-string", "usage-null", "usage-huge", "usage-missing", "usage-repeated", "empty-finish",
        "empty-choices", "null-content", "two-done", "split-1", "split-7", "burst-100", "paced-3x1ms", "slow-10ms",
        "slow-token-10ms", "1xx-3", "giant-event-1m", "comments-2x1ms", "no-finish", "stop-reading-10ms"]


@pytest.mark.parametrize("model", GOOD)
def test_each_chunk_is_json_and_the_body_complete(server, model):
    data, end = ask(server, model)
    if model.startswith("1xx"):
        assert data.count(b"HTTP/1.1 103") == 3
        data = data[data.index(b"HTTP/1.1 200"):]
    _, body, complete = dechunk(data)
    payloads = events(body)
    assert complete and end == "open" and payloads[-1] == "[DONE]"
    assert all(json.loads(each) for each in payloads if each != "[DONE]")


@pytest.mark.parametrize("model", GOOD)
def test_each_unary_answer_is_json(server, model):
    data, _ = ask(server, model, stream=False)
    assert unary(data[data.index(b"HTTP/1.1 200"):])[1]["object"] == "chat.completion"


@pytest.mark.parametrize("number", [400, 401, 402, 403, 404, 413, 422, 429, 500, 502, 503, 529])
def test_statuses_carry_an_error_object(server, number):
    head, answer = unary(ask(server, str(number))[0])
    assert head.startswith(f"HTTP/1.1 {number} ".encode()) and answer["error"]["message"]
    assert b"Retry-After" not in head


def test_retry_after_in_its_three_spellings(server):
    assert b"Retry-After: 7\r\n" in ask(server, "429-retry-7")[0]
    assert b"retry-after-ms: 70\r\n" in ask(server, "429-retry-ms-70")[0]
    date = re.search(rb"Retry-After: (.*?)\r\n", ask(server, "429-date-60")[0])[1].decode()
    ahead = time.mktime(time.strptime(date, "%a, %d %b %Y %H:%M:%S GMT")) - time.mktime(time.gmtime())
    assert 55 <= ahead <= 61


def test_once_and_flap_count_per_name(server):
    server.reset()
    status = lambda name: ask(server, name, stream=False)[0][9:12]
    assert [status("500-once@t") for _ in range(3)] == [b"500", b"200", b"200"]
    assert [status("flap@t") for _ in range(4)] == [b"500", b"200", b"500", b"200"]
    assert [status("500-first-2@t") for _ in range(3)] == [b"500", b"500", b"200"]


@pytest.mark.parametrize("model, end, text", [
    ("reset", "rst", None), ("fin", "fin", None), ("reset-after-2", "rst", "w0 w1 "), ("cut-after-2", "fin", "w0 w1 "),
    ("reset-after-0", "rst", ""), ("reset-after-finish", "rst", "w0 w1 w2 "), ("stall-after-2", "open", "w0 w1 ")])
def test_breaks_end_as_they_say(server, model, end, text):
    server.reset()
    data, how = ask(server, model)
    assert how == end
    if text is None:
        assert data == b""
    else:
        _, body, complete = dechunk(data)
        assert not complete and b"[DONE]" not in body and text_of(events(body)) == text
    counted = server.wait(lambda stats: stats["behaviours"][model]["open"] == 0)["behaviours"][model]
    assert (counted["cut"], counted["aborted"]) == ((0, 1) if end == "open" else (1, 0))


@pytest.mark.parametrize("model, end", [("reset-after-1", "rst"), ("cut-after-1", "fin"), ("stall-after-1", "open")])
def test_unary_breaks_come_after_half_of_the_body(server, model, end):
    data, how = ask(server, model, stream=False)
    head, body = data.split(b"\r\n\r\n", 1)
    length = int(re.search(rb"Content-Length: (\d+)", head)[1])
    assert how == end and len(body) == length // 2


@pytest.mark.parametrize("kind", ["reset", "cut"])
def test_mid_event_breaks_leave_half_an_event(server, kind):
    _, body, complete = dechunk(ask(server, f"{kind}-mid-event")[0])
    assert not complete and not body.endswith(b"\n\n") and text_of(events(body)[:-1]) == "w0 "


@pytest.mark.parametrize("model, end", [("take-and-fin", "fin"), ("take-and-rst", "rst")])
def test_second_request_is_taken_whole_and_dies(server, model, end):
    server.reset()
    with connect(server) as link:
        link.sendall(post(body_of(model, False, text="same"), headers="X-Request-Id: one\r\n"))
        assert link.recv(65536).startswith(b"HTTP/1.1 200")
        link.sendall(post(body_of(model, False, text="same"), headers="X-Request-Id: two\r\n"))
        assert read_all(link) == (b"", end)
    with connect(server) as link:  # what a silent re-send looks like
        link.sendall(post(body_of(model, False, text="same"), headers="X-Request-Id: two\r\n"))
        assert link.recv(65536).startswith(b"HTTP/1.1 200")
    stats = server.stats(model)
    assert (stats["received"], stats["fresh"], stats["reused"], stats["cut"]) == (3, 2, 1, 1)
    assert [each["times"] for each in server.requests(model)] == [1, 1, 2]


def test_early_413_answers_before_the_body_is_there(server):
    for model, end in (("413-early", "fin"), ("413-early-rst", "rst")):
        with connect(server) as link:
            body = body_of(model, False, text="x" * 1000)
            link.sendall(post(body + b"x" * 1000000)[:500])
            data, how = read_all(link)
            assert data.startswith(b"HTTP/1.1 413 ") and how == end


def test_early_413_by_path_answers_at_the_head(server):
    with connect(server) as link:
        link.sendall(b"POST /413-early/v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n")
        assert link.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_stop_reading_fills_the_sender(server):
    server.reset()
    with connect(server) as link:
        link.settimeout(0.3)
        with pytest.raises(TimeoutError):
            link.sendall(post(body_of("stop-reading", False, text="x" * (16 << 20))))
        # A FIN would stand behind the bytes that nobody reads; only RST shows at the server.
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.wait_aborted("stop-reading", 1)
    assert server.stats("stop-reading")["received"] == 0


def test_stop_reading_for_a_while_takes_the_whole_body(server):
    server.reset()
    body = body_of("stop-reading-50ms", False, text="x" * (8 << 20))
    with connect(server) as link:
        link.sendall(post(body))
        link.settimeout(5)
        assert link.recv(65536).startswith(b"HTTP/1.1 200 ")
    record = server.last()
    assert record["body_bytes"] == len(body) and record["received_ms"] - record["arrived_ms"] >= 45


def test_abort_is_seen_with_its_time(server):
    server.reset()
    with connect(server) as link:
        link.sendall(post(body_of("stall-after-1@abort", True)))
        link.recv(65536)
        server.wait_open("stall-after-1@abort", 1)
        time.sleep(0.05)
        left_ms = server.now_ms()
    server.wait_aborted("stall-after-1@abort", 1)
    record = server.last()
    assert record["outcome"] == "aborted"
    assert 0 <= record["ended_ms"] - left_ms < 50
    assert 0 <= record["arrived_ms"] <= record["received_ms"] <= record["first_byte_ms"] < record["ended_ms"] - 45


@pytest.mark.parametrize("model", ["silent", "hold", "endless", "slow-5000ms", "drip-5ms", "stop-reading", "paced-1000"])
def test_abort_is_seen_in_every_phase(server, model):
    server.reset()
    with connect(server) as link:
        link.sendall(post(body_of(model, True)))
        server.wait_open(model, 1)
        time.sleep(0.02)
        left_ms = server.now_ms()
    server.wait_aborted(model, 1)
    assert -1 <= server.last()["ended_ms"] - left_ms < 50
    assert server.stats(model)["open"] == 0


def test_abort_in_the_middle_of_a_request_is_counted(server):
    server.reset()
    with connect(server) as link:
        link.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 999\r\n\r\n{")
        time.sleep(0.05)
    server.wait_aborted("(unclassified)", 1)


def test_held_answers_wait_for_release(server):
    server.reset()
    with connect(server) as link, connect(server) as other:
        link.sendall(post(body_of("hold", False)))
        other.sendall(post(body_of("hold-after-2", True)))
        server.wait_open("hold", 1)
        server.wait_open("hold-after-2", 1)
        assert read_all(link) == (b"", "open")
        server.release()
        assert unary(read_all(link)[0])[1]["choices"]
        assert text_of(events(dechunk(read_all(other)[0])[1])) == "w0 w1 w2 w3 w4 "
    assert server.stats("hold")["max_open"] == 1


def test_times_are_kept(server):
    started = time.monotonic()
    ask(server, "slow-80ms", stream=False)
    record = server.last()
    assert 79 <= record["first_byte_ms"] - record["received_ms"] < 160
    ask(server, "paced-5x20ms")
    record = server.last()
    assert 99 <= record["ended_ms"] - record["first_byte_ms"] < 220
    assert time.monotonic() - started > 0.18


def test_requests_are_kept_verbatim(server):
    server.reset()
    body = body_of("ok", False, text="\u00e4\x01")
    with connect(server) as link:
        link.sendall(post(body, path="/v1/chat/completions?a=b", headers="Authorization: Bearer sk-1 2\r\nX-A: 1\r\nX-A: 2\r\n"))
        read_all(link)
    record = server.last()
    assert record["method"] == "POST" and record["target"] == "/v1/chat/completions?a=b"
    assert record["header"]["authorization"] == "Bearer sk-1 2"
    assert [value for name, value in record["headers"] if name == "X-A"] == ["1", "2"]
    assert record["body"] == body and record["json"]["model"] == "ok"


def test_chunked_request_bodies_are_read(server):
    body = body_of("echo", False, text="in pieces")
    pieces = b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + 7]), body[i:i + 7]) for i in range(0, len(body), 7))
    request = b"POST /v1/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n"
    with connect(server) as link:
        for byte in request:
            link.sendall(bytes([byte]))
        assert b"in pieces" in read_all(link)[0]
    assert server.last()["body"] == body


def test_pipelined_requests_are_answered_in_order(server):
    with connect(server) as link:
        link.sendall(post(body_of("echo", False, text="first")) + post(body_of("echo", False, text="second")))
        data, _ = read_all(link)
    assert data.count(b"HTTP/1.1 200") == 2 and data.index(b"first") < data.index(b"second")


def test_only_the_last_100_requests_are_kept(server):
    server.reset()
    with connect(server) as link:
        for i in range(105):
            link.sendall(post(body_of("echo", False, text=f"n{i}")))
            link.recv(65536)
    records = server.requests()
    assert len(records) == 100 and records[0]["json"]["messages"][1]["content"] == "n5"
    assert server.stats("echo")["received"] == 105 and server.stats()["accepted"] == 1


def test_idle_connections_can_be_closed(server):
    with connect(server) as link:
        link.sendall(post(body_of("ok", False)))
        assert read_all(link)[1] == "open"
        server.close_idle()
        assert read_all(link) == (b"", "fin")


def test_framing_faults_are_on_the_wire(server):
    data, end = ask(server, "short-length", stream=False)
    head, body = data.split(b"\r\n\r\n", 1)
    assert int(re.search(rb"Content-Length: (\d+)", head)[1]) == len(body) + 10 and end == "fin"
    assert len(set(re.findall(rb"Content-Length: (\d+)", ask(server, "two-lengths")[0]))) == 2
    assert len(re.findall(rb"Content-Length: (\d+)", ask(server, "two-lengths-equal")[0])) == 2
    assert b"Transfer-Encoding: chunked" in ask(server, "length-and-chunked")[0]
    assert b"Content-Length: -5\r\n" in ask(server, "negative-length")[0]
    assert ask(server, "bytes-after")[0].endswith(b"XX")
    assert not dechunk(ask(server, "chunk-garbage")[0])[2]
    assert ask(server, "chunk-overrun")[0].endswith(b"XX\r\n")
    _, body, complete = dechunk(ask(server, "chunk-no-end")[0])
    assert body.endswith(b"data: [DONE]\n\n") and not complete
    for model in ("head-cut", "head-cut-bare"):
        data, end = ask(server, model)
        assert b"\r\n\r\n" not in data and end == "fin"
    assert b"Content-Length" in ask(server, "head-cut")[0] and b"Content-Length" not in ask(server, "head-cut-bare")[0]
    assert ask(server, "garbage-status")[0].startswith(b"HTP/")
    assert ask(server, "http09")[0].startswith(b"data: ")
    assert b"\r\n\r\n" not in ask(server, "lf-head", stream=False)[0]
    assert b"X-Bad: a\0b\r\n" in ask(server, "nul-header")[0]
    assert len(ask(server, "big-header")[0].split(b"\r\n\r\n")[0]) > 65536
    assert ask(server, "many-headers-200")[0].count(b"X-Many-") == 200
    data, end = ask(server, "eof-body")
    assert end == "fin" and b"chunked" not in data and data.endswith(b"data: [DONE]\n\n")
    data, end = ask(server, "eof-cut-after-1")
    assert end == "fin" and text_of(events(data.split(b"\r\n\r\n", 1)[1])) == "w0 "


def test_endings_of_streams(server):
    payloads = lambda model: events(dechunk(ask(server, model)[0])[1])
    assert "[DONE]" not in payloads("no-done") and '"finish_reason":"stop"' in "".join(payloads("no-done"))
    assert '"finish_reason":"stop"' not in "".join(payloads("no-finish"))
    assert payloads("two-done").count("[DONE]") == 2
    assert payloads("after-done")[-2] == "[DONE]"
    _, body, complete = dechunk(ask(server, "clean-cut-after-1")[0])
    assert complete and text_of(events(body)) == "w0 " and b"[DONE]" not in body
    assert text_of(payloads("empty")) == "" and '"finish_reason":"' not in "".join(payloads("empty"))
    _, end = ask(server, "close-after", stream=False)
    assert end == "fin"
    data, end = ask(server, "connection-close", stream=False)
    assert end == "fin" and b"Connection: close\r\n" in data


def test_event_framing(server):
    body = lambda model: dechunk(ask(server, model)[0])[1]
    assert body("crlf").count(b"\r\n\r\n") == 7 and b"\n\n" not in body("crlf")
    assert body("cr").count(b"\r\r") == 7 and b"\n" not in body("cr")
    assert body("bom").startswith(b"\xef\xbb\xbfdata: ")
    assert b'\ndata:{"id"' in body("no-space")
    assert b"event: chunk\nid: 7\nretry: 1000\n" in body("event-names")
    assert b',\ndata: "model"' in body("multi-line")
    assert body("comments-3x1ms").startswith(b": keep-alive\n\n" * 3)
    sizes = re.findall(rb"\r\n([0-9a-f]+)\r\n", ask(server, "split-5")[0])
    assert {int(size, 16) for size in sizes} <= {0, 1, 2, 3, 4, 5}
    with pytest.raises(UnicodeDecodeError):
        body("bad-utf8").decode()


def test_comments_for_ever_come_in_their_pace(server):
    with connect(server) as link:
        link.sendall(post(body_of("comments-forever-20ms", True)))
        time.sleep(0.21)
        link.setblocking(False)
        assert 8 <= link.recv(65536).count(b": keep-alive\n\n") <= 12


def test_errors_inside_a_200(server):
    payloads = lambda model: events(dechunk(ask(server, model)[0])[1])
    assert "error" in json.loads(payloads("error-first")[0])
    assert ["error" in json.loads(each) for each in payloads("error-role")] == [False, True]
    assert ["error" in json.loads(each) for each in payloads("error-after-2")] == [False, False, False, True]
    assert json.loads(payloads("error-string")[0])["error"] == "overloaded"
    for stream in (True, False):
        assert unary(ask(server, "error-200", stream)[0])[1]["error"]["code"] == 502
    with pytest.raises(json.JSONDecodeError):
        json.loads(payloads("bad-json")[0])
    with pytest.raises(json.JSONDecodeError):
        json.loads(payloads("bad-json-after-1")[2])


def test_wrong_types(server):
    assert b"text/html" in ask(server, "html")[0]
    assert unary(ask(server, "json-for-stream")[0])[1]["object"] == "chat.completion"
    assert events(dechunk(ask(server, "sse-for-unary", stream=False)[0])[1])[-1] == "[DONE]"
    head, body = ask(server, "gzip", stream=False)[0].split(b"\r\n\r\n", 1)
    assert b"Content-Encoding: gzip" in head and json.loads(gzip.decompress(body))["choices"]
    assert b"Location: /ok/v1/chat/completions" in ask(server, "redirect")[0]


def test_giant_event_is_one_event(server):
    with connect(server) as link:
        link.sendall(post(body_of("giant-event", True)))
        data, _ = read_all(link)
    _, body, complete = dechunk(data)
    assert complete and max(map(len, events(body))) > 17 << 20


def test_endless_counts_what_the_kernel_took(server):
    server.reset()
    with connect(server) as link:
        link.sendall(post(body_of("endless", True)))
        time.sleep(0.2)
        first = server.stats("endless")["bytes_sent"]
        time.sleep(0.1)
        assert server.stats("endless")["bytes_sent"] == first > 65536  # nobody reads: it stands still
        link.recv(1 << 20)
    server.wait_aborted("endless", 1)


def test_burst_arrives_whole(server):
    with connect(server) as link:
        link.sendall(post(body_of("burst-20", True)))
        time.sleep(0.1)
        assert link.recv(65536).endswith(b"0\r\n\r\n")


def test_many_connections_at_once(server):
    server.reset()
    links = [connect(server) for _ in range(300)]
    for link in links:
        link.sendall(post(body_of("hold", True)))
    server.wait_open("hold", 300)
    server.release()
    assert all(dechunk(read_all(link)[0])[2] for link in links)
    for link in links:
        link.close()
    stats = server.stats("hold")
    assert (stats["complete"], stats["max_open"], stats["open"]) == (300, 300, 0)


def tls_ask(server, certificates, model):
    """What a stream request gives over TLS, and whether it ended with close_notify ('open': once it was whole it did not end)."""
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    with context.wrap_socket(connect(server), server_hostname="localhost", suppress_ragged_eofs=False) as link:
        link.sendall(post(body_of(model, True)))
        link.settimeout(30)
        data = bytearray()
        try:
            while piece := link.recv(65536):
                data += piece
                if data.endswith(b"\r\n0\r\n\r\n"):
                    link.settimeout(0.3)
            return bytes(data), "close_notify"
        except ssl.SSLEOFError:
            return bytes(data), "fin"
        except TimeoutError:
            return bytes(data), "open"


def test_tls(certificates):
    with FaultServer(tls=certificates) as server:
        data, end = tls_ask(server, certificates, "ok")
        assert dechunk(data)[2] and end == "open"
        data, end = tls_ask(server, certificates, "giant-event-1m")
        assert dechunk(data)[2] and len(data) > 1 << 20
        data, end = tls_ask(server, certificates, "cut-after-1")
        assert text_of(events(dechunk(data)[1])) == "w0 " and end == "fin"
        data, end = tls_ask(server, certificates, "eof-body")
        assert data.endswith(b"[DONE]\n\n") and end == "close_notify"
        assert server.stats("cut-after-1")["cut"] == 1


def test_tls_client_certificate(certificates):
    with FaultServer(tls=certificates, client_ca=certificates / "ca.pem") as server:
        assert server.stats()["accepted"] == 0
        context = ssl.create_default_context(cafile=certificates / "ca.pem")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            with context.wrap_socket(connect(server), server_hostname="localhost") as link:
                link.sendall(post(body_of("ok", False)))
                assert not link.recv(100)
                raise ConnectionError


def test_unix_socket(tmp_path):
    with FaultServer(unix=tmp_path / "s") as server:
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(tmp_path / "s"))
            link.sendall(post(body_of("ok", False)))
            assert unary(read_all(link)[0])[1]["choices"]
        assert server.stats("ok")["complete"] == 1


def test_every_listed_behaviour_answers_or_ends(server):
    """No row of the table is a slip: each one is found under its own name and is counted."""
    listed = subprocess.run([build_dir() / "tests/support/fault_server", "--list"], capture_output=True, text=True).stdout
    patterns = [line.split()[0] for line in listed.splitlines()]
    assert len(patterns) > 100
    server.reset()
    for pattern in patterns:
        name = pattern.replace("#", "1") + "@row"
        for stream in (True, False):
            with connect(server) as link:
                link.settimeout(0.05)
                try:
                    link.sendall(post(body_of(name, stream)))
                    link.recv(65536)
                except (TimeoutError, ConnectionError):
                    pass
        assert server.stats(name)["requests"] == 2, pattern
        assert b"no behaviour" not in (server.last() or {}).get("body", b"")
    server.wait(lambda stats: all(each["open"] == 0 for each in stats["behaviours"].values()))
    assert server.process.poll() is None


def test_readme_lists_every_behaviour():
    listed = subprocess.run([build_dir() / "tests/support/fault_server", "--list"], capture_output=True, text=True).stdout
    readme = (ROOT / "tests/support/README.md").read_text()
    assert [line.split()[0] for line in listed.splitlines()] == re.findall(r"^\| `([^` ]+)` \|", readme, re.M)
