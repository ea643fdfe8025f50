"""The HTTP front over real sockets: raw clients, the official openai client, the fault server as the providers."""
import json
import os
import re
import socket
import struct
import threading
import time

import openai
import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from gateway import SECRETS, USER, OwnTime, Remora, two_providers
from test_policy_files import wait_for


@pytest.fixture(scope="module")
def good(upstream):
    with Remora(two_providers(upstream, "ok"), environment=SECRETS) as remora:
        yield remora


def run(upstream, first, second="ok", more="", **kwargs):
    return Remora(two_providers(upstream, first, second, more), environment=SECRETS, **kwargs)


def client(remora, **kwargs):
    return openai.OpenAI(base_url=remora.base_url, api_key="unused", max_retries=0, **kwargs)


# ---- answers ----

def test_unary_answer_has_openrouter_s_fields(good):
    status, headers, body = good.chat({"model": "t/m"})
    assert status == 200
    assert body["object"] == "chat.completion"
    assert body["id"] == headers["x-generation-id"] and body["id"].startswith("gen-")
    assert body["model"] == "t/m" and body["provider"] == "a"
    choice = body["choices"][0]
    assert choice["message"] == {"role": "assistant", "content": "w0 w1 w2 "} | {
        k: v for k, v in choice["message"].items() if v is None}
    assert choice["finish_reason"] == "stop" and choice["native_finish_reason"] == "stop"
    assert body["usage"]["prompt_tokens"] == 11 and body["usage"]["completion_tokens"] == 3
    assert body["usage"]["total_tokens"] == 14
    assert body["usage"]["cost"] == pytest.approx(11e-6 + 3 * 2e-6, abs=1e-12)
    assert "remora" not in body, "nothing notable happened"


def test_stream_ends_with_done_and_openai_gets_usage_only_when_asked(good):
    stream = good.stream({"model": "t/m"})
    assert stream.status == 200 and stream.is_done and stream.is_clean
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert stream.content() == "w0 w1 w2 " and stream.finish() == ["stop"]
    assert all(chunk["choices"] for chunk in stream.chunks), "an OpenAI client may index choices[0]"
    asked = good.stream({"model": "t/m", "stream_options": {"include_usage": True}})
    assert asked.chunks[-1]["choices"] == [] and asked.chunks[-1]["usage"]["total_tokens"] == 14


def test_openrouter_base_url_always_gets_usage(good):
    stream = good.stream({"model": "t/m"}, path="/api/v1/chat/completions")
    assert stream.chunks[-1]["usage"]["completion_tokens"] == 3 and stream.is_done


def test_fallback_is_invisible_but_for_the_remora_object(upstream):
    with run(upstream, "503") as remora:
        status, _, body = remora.chat({"model": "t/m"})
        assert status == 200 and body["provider"] == "b"
        attempts = body["remora"]["attempts"]
        assert [(a["provider"], a.get("reason") or "") for a in attempts] == [("a", "UPSTREAM_OVERLOADED"), ("b", "")]
        assert attempts[0]["http_status"] == 503
        assert body["usage"]["cost"] == pytest.approx(11 * 3e-6 + 3 * 4e-6, abs=1e-12)
        stream = remora.stream({"model": "t/m"})
        assert stream.content() == "w0 w1 w2 " and stream.is_done
        assert [a["provider"] for a in stream.note()["attempts"]] == ["a", "b"]
        assert remora.metrics()['remora_fallbacks_total{from="a",to="b",reason="UPSTREAM_OVERLOADED"}'] == 2


@pytest.mark.parametrize("behaviour", ["tools", "tools-parallel", "tools-whole"])
def test_tool_calls_reach_the_official_client(upstream, behaviour):
    with run(upstream, behaviour) as remora:
        tools = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]
        unary = client(remora).chat.completions.create(model="t/m", messages=USER, tools=tools)
        calls = unary.choices[0].message.tool_calls
        assert unary.choices[0].finish_reason == "tool_calls" and calls
        found = {}
        for chunk in client(remora).chat.completions.create(model="t/m", messages=USER, tools=tools, stream=True):
            for call in chunk.choices[0].delta.tool_calls or []:
                slot = found.setdefault(call.index, {"id": "", "name": "", "arguments": ""})
                slot["id"] += call.id or ""
                slot["name"] += call.function.name or ""
                slot["arguments"] += call.function.arguments or ""
        assert sorted(found) == list(range(len(calls)))
        assert [(c.function.name, c.function.arguments) for c in calls] == [
            (found[i]["name"], found[i]["arguments"]) for i in sorted(found)]
        for call in calls:
            json.loads(call.function.arguments)


@pytest.mark.parametrize("behaviour", ["reasoning-content", "reasoning", "reasoning-both"])
def test_reasoning_arrives_once_under_openrouter_s_name(upstream, behaviour):
    with run(upstream, behaviour) as remora:
        _, _, body = remora.chat({"model": "t/m"})
        stream = remora.stream({"model": "t/m"})
        reasoning = "".join(c["delta"].get("reasoning") or "" for chunk in stream.chunks for c in chunk["choices"])
        assert reasoning and reasoning == body["choices"][0]["message"]["reasoning"]
        assert stream.content() == body["choices"][0]["message"]["content"]


def test_refusal_choices_length_and_utf8(upstream):
    with run(upstream, "refusal") as remora:
        answer = client(remora).chat.completions.create(model="t/m", messages=USER)
        assert answer.choices[0].message.refusal
    with run(upstream, "choices-3") as remora:
        stream = remora.stream({"model": "t/m"})
        assert all(stream.content(i) for i in range(3)) and len(stream.finish()) == 3
        assert [c["index"] for c in remora.chat({"model": "t/m"})[2]["choices"]] == [0, 1, 2]
    with run(upstream, "length") as remora:
        assert remora.stream({"model": "t/m"}).finish() == ["length"]
    with run(upstream, "utf8") as remora:
        assert remora.stream({"model": "t/m"}).content() == remora.chat({"model": "t/m"})[2]["choices"][0]["message"]["content"]


def test_the_official_client_streams_and_reads_errors(upstream):
    with run(upstream, "ok") as remora:
        chunks = list(client(remora).chat.completions.create(model="t/m", messages=USER, stream=True,
                                                             stream_options={"include_usage": True}))
        assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "w0 w1 w2 "
        assert chunks[-1].usage.total_tokens == 14
        with pytest.raises(openai.BadRequestError) as e:
            client(remora).chat.completions.create(model="t/mm", messages=USER)
        assert "t/m" in e.value.message and e.value.body["metadata"]["reason"] == "MODEL_NOT_FOUND"
        assert [m.id for m in client(remora).models.list()] == ["t/m"]


def test_the_official_client_asks_once_for_what_is_not_built(upstream):
    with run(upstream, "ok") as remora:
        own = client(remora).with_options(max_retries=2)
        with pytest.raises(openai.InternalServerError) as e:
            own.chat.completions.create(model="t/m", messages=USER, extra_body={"preset": "p"})
        assert e.value.status_code == 501 and e.value.body["metadata"]["reason"] == "UNIMPLEMENTED"
        with pytest.raises(openai.InternalServerError) as e:
            own.responses.create(model="t/m", input="hi")
        assert e.value.status_code == 501

        def asked():
            return [row for row in remora.log_lines() if row.get("status") == 501]
        wait_for(lambda: len(asked()) >= 2)
        assert len(asked()) == 2, asked()


def test_what_is_sent_upstream(upstream, good):
    upstream.reset()
    good.chat({"model": "t/m", "temperature": 0.5, "max_tokens": 7, "stop": ["x"], "user": "u",
               "tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": [1, 2.50]}}}],
               "tool_choice": "auto"}, headers={"Authorization": "Bearer caller-key", "X-Evil": "1"})
    seen = upstream.last()
    body = json.loads(seen["body"])
    headers = seen["header"]
    assert headers["authorization"] == "Bearer " + SECRETS["A_SECRET"]
    assert "x-evil" not in headers and "accept-encoding" not in headers and "expect" not in headers
    assert body["model"] == "ok" and body["temperature"] == 0.5 and body["stop"] == ["x"]
    assert body["messages"] == USER and "provider" not in body
    assert body["tools"][0]["function"]["parameters"] == {"a": [1, 2.5]}
    assert 7 in (body.get("max_tokens"), body.get("max_completion_tokens"))
    good.stream({"model": "t/m"})
    assert json.loads(upstream.last()["body"])["stream_options"] == {"include_usage": True}


def test_provider_preferences_of_the_request(upstream, good):
    assert good.chat({"model": "t/m", "provider": {"order": ["b"]}})[2]["provider"] == "b"
    assert good.chat({"model": "t/m", "provider": {"only": ["b"]}})[2]["provider"] == "b"
    assert good.chat({"model": "t/m", "provider": {"ignore": ["a"]}})[2]["provider"] == "b"
    status, _, body = good.chat({"model": "t/m", "provider": {"only": ["b"], "ignore": ["b"]}})
    assert status == 404 and body["error"]["metadata"]["reason"] == "CONSTRAINT_FILTERED"
    assert {c["excluded_by"] for c in body["error"]["metadata"]["candidates"]} == {"allowed_providers", "ignored_provider"}
    status, _, body = good.chat({"model": "t/m", "provider": {"data_collection": "deny"}})
    assert status == 404 and body["error"]["availability"]["code"] == "privacy_restricted"
    status, _, body = good.chat({"model": "t/m", "provider": {"order": ["bb"]}})
    assert status == 400 and body["error"]["param"].startswith("provider.order")
    with run(upstream, "500") as remora:
        status, _, body = remora.chat({"model": "t/m", "provider": {"allow_fallbacks": False}})
        assert status == 503 and len(body["error"]["metadata"]["attempts"]) == 1


def test_models_falls_back_to_the_next_model(upstream):
    more = '  t/other:\n    endpoints: [{provider: b, model_id: ok}]\n'
    with run(upstream, "500", "503", more) as remora:
        status, _, body = remora.chat({"model": "t/m", "models": ["t/other"]})
        assert status == 200 and body["model"] == "t/other" and len(body["remora"]["attempts"]) == 3


# ---- refusals ----

@pytest.mark.parametrize("field", ["plugins", "preset", "transforms", "prompt", "max_tool_calls", "functions"])
def test_documented_fields_that_are_not_built_are_named(good, field):
    status, _, body = good.chat({"model": "t/m", field: {"a": 1}})
    assert status == 501 and field in body["error"]["param"] and body["error"]["metadata"]["reason"] == "UNIMPLEMENTED"


@pytest.mark.parametrize("field", ["api_base", "base_url", "api_key", "organization"])
def test_fields_that_would_choose_a_host_or_a_credential_are_refused(upstream, good, field):
    upstream.reset()
    status, _, body = good.chat({"model": "t/m", field: "http://127.0.0.1:1"})
    assert status == 400 and body["error"]["param"] == field
    assert upstream.stats("ok")["requests"] == 0


@pytest.mark.parametrize("body, param", [
    ({"model": "t/m", "messages": []}, "messages"),
    ({"model": "t/m", "messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
    ({"model": "t/m", "temperature": "hot"}, "temperature"),
    ({"model": "t/m", "temperature": 3}, "temperature"),
    ({"model": "t/m", "max_tokens": 0}, "max_tokens"),
    ({"model": "t/m", "max_tokens": "10"}, "max_tokens"),
    ({"model": "t/m", "stream": "true"}, "stream"),
    ({"model": 5}, "model"),
    ({"model": "t/m", "models": ["a", "b", "c", "d"]}, "models"),
    ({"model": "t/m", "stop": ["1", "2", "3", "4", "5"]}, "stop"),
])
def test_bad_input_names_the_field_and_costs_nothing_upstream(upstream, good, body, param):
    upstream.reset()
    status, _, answer = good.chat(body)
    assert status == 400, answer
    assert answer["error"]["param"] == param and answer["error"]["code"] == 400
    assert answer["error"]["type"] == "invalid_request_error"
    assert upstream.stats("ok")["requests"] == 0


def test_errors_have_a_status_only_the_last_candidate_decides(upstream):
    cases = [("429-retry-7", "429", 429, "CAPACITY_EXHAUSTED"), ("500", "503", 503, "UPSTREAM_OVERLOADED"),
             ("reset", "reset", 502, "UPSTREAM_UNAVAILABLE"), ("401", "402", 502, "UPSTREAM_CREDENTIAL"),
             ("400", "422", 400, "UPSTREAM_REFUSED_REQUEST"), ("404", "404@x", 404, "MODEL_UNAVAILABLE_UPSTREAM")]
    for first, second, expected, reason in cases:
        with run(upstream, first, second) as remora:
            for answer in (remora.chat({"model": "t/m"}), None):
                if answer is None:
                    break
                status, headers, body = answer
                assert status == expected, (first, second, body)
                assert body["error"]["metadata"]["reason"] == reason
                assert len(body["error"]["metadata"]["attempts"]) == 2
                assert "canary" not in json.dumps(body)
                if expected == 429:
                    assert headers["retry-after"] == "7"
        with run(upstream, first, second) as remora:
            stream = remora.stream({"model": "t/m"})
            assert stream.status == expected, "before content a stream's failure is a status"


def test_error_after_content_is_one_event_without_done(upstream):
    for behaviour in ("cut-after-2", "reset-after-2", "bad-json-after-2", "error-after-2", "clean-cut-after-2"):
        with run(upstream, behaviour) as remora:
            stream = remora.stream({"model": "t/m"})
            assert stream.status == 200 and not stream.is_done and stream.is_clean, behaviour
            assert stream.content() == "w0 w1 " and stream.error()["code"] == 502
            assert stream.error()["metadata"]["reason"] == "STREAM_BROKEN"
            assert stream.chunks[-1]["choices"][0]["finish_reason"] == "error"


def test_cut_before_content_falls_back(upstream):
    for behaviour in ("reset", "fin", "reset-after-head", "fin-after-head", "cut-after-0", "error-first", "error-role", "bad-json",
                      "html", "empty", "error-200", "gzip", "redirect"):
        with run(upstream, behaviour) as remora:
            stream = remora.stream({"model": "t/m"})
            assert stream.is_done and stream.content() == "w0 w1 w2 ", (behaviour, stream.text)
            assert [a["provider"] for a in stream.note()["attempts"]] == ["a", "b"]
            status, _, body = remora.chat({"model": "t/m"})
            assert status == 200 and body["provider"] == "b", behaviour


def test_an_answer_survives_every_framing(upstream):
    for behaviour in ("crlf", "cr", "bom", "split-1", "split-7", "no-space", "event-names", "multi-line", "two-done", "after-done",
                      "no-done", "comments-3x10ms", "reset-after-finish", "cut-after-finish", "json-for-stream"):
        with run(upstream, behaviour) as remora:
            stream = remora.stream({"model": "t/m"})
            expected = "w0 " if behaviour in ("no-space", "event-names", "multi-line") else "w0 w1 w2 "
            assert stream.is_done and stream.content() == expected, (behaviour, stream.text)


# ---- finish reasons that nobody gave ----


def finish_missing(remora):
    """What the log and the metric say of it."""
    found = remora.metrics().get('remora_finish_reason_missing_total{provider="a"}', 0)
    return [line.get("finish_reason") for line in remora.wait_log("request")], found


def test_an_end_without_a_finish_reason_is_told(upstream):
    with run(upstream, "no-finish") as remora:  # content came, and [DONE] ends it
        stream = remora.stream({"model": "t/m"})
        assert stream.is_done and stream.error() is None and stream.content() == "w0 w1 w2 "
        assert stream.finish() == ["stop"] and stream.note()["finish_reason_missing"] is True
        last = [c for chunk in stream.chunks for c in chunk["choices"] if c.get("finish_reason")][0]
        assert last["native_finish_reason"] is None
        assert finish_missing(remora) == (["missing"], 1)
    with run(upstream, "tools-whole-done") as remora:
        stream = remora.stream({"model": "t/m"})
        assert stream.is_done and stream.finish() == ["tool_calls"] and stream.note()["finish_reason_missing"] is True
        status, _, body = remora.chat({"model": "t/m"})
        assert status == 200 and body["choices"][0]["finish_reason"] == "tool_calls"
        assert body["choices"][0]["native_finish_reason"] is None and body["remora"]["finish_reason_missing"] is True
        assert finish_missing(remora) == (["missing", "missing"], 2)
    with run(upstream, "ok") as remora:  # and of no other
        assert remora.stream({"model": "t/m"}).note() is None
        assert finish_missing(remora) == ([None], 0)


def test_a_slash_too_many_is_told(good):
    for method, path, port in (("POST", "/v1/chat/completions/", good.http_port), ("GET", "/api/v1/models/", good.http_port),
                               ("GET", "/v1/models/t/m/", good.http_port), ("GET", "/readyz/", good.probe_port)):
        status, _, body = good.request(method, path, port=port)
        assert status == 404 and b"without the slash at its end" in body, (path, body)
    status, _, body = good.request("GET", "/v1/files/", port=good.http_port)
    assert status == 404 and b"part of OpenAI" in body


# ---- fewer choices than were asked for ----


def test_a_stream_that_breaks_off_before_every_choice_is_broken(upstream):
    for behaviour in ("reset-after-finish", "cut-after-finish"):  # the first of two is whole then
        with run(upstream, behaviour) as remora:
            stream = remora.stream({"model": "t/m", "n": 2})
            assert not stream.is_done and stream.finish() == ["stop", "error"], (behaviour, stream.text)
            assert stream.error()["metadata"]["reason"] == "STREAM_BROKEN"
            assert remora.wait_log("request")[0]["code"] == "STREAM_BROKEN"


def added_up(chunks):
    """By OpenAI's own accumulator, the chunk with the error, too, at which its stream raises: others add it up."""
    state = ChatCompletionStreamState()
    for chunk in chunks:
        state.handle_chunk(ChatCompletionChunk.construct(**chunk))
    return {choice.index: choice.finish_reason for choice in state.current_completion_snapshot.choices}


def test_an_error_takes_no_finish_reason_back(upstream):
    with run(upstream, "reset-after-finish") as remora:
        assert added_up(remora.stream({"model": "t/m", "n": 3}).chunks) == {0: "stop", 1: "error", 2: "error"}
        with client(remora).chat.completions.stream(model="t/m", messages=USER, n=2) as stream:
            with pytest.raises(openai.APIError):
                stream.until_done()
            assert stream.current_completion_snapshot.choices[0].finish_reason == "stop"
    with run(upstream, "cut-after-1") as remora:
        assert added_up(remora.stream({"model": "t/m"}).chunks) == {0: "error"}


def test_choices_that_the_provider_does_not_give_are_told(upstream):
    for behaviour in ("ok", "no-done"):
        with run(upstream, behaviour) as remora:
            stream = remora.stream({"model": "t/m", "n": 3})
            assert stream.is_done and stream.content() == "w0 w1 w2 " and stream.note()["choices_missing"] == 2
            status, _, body = remora.chat({"model": "t/m", "n": 2})
            assert status == 200 and len(body["choices"]) == 1 and body["remora"]["choices_missing"] == 1
            assert [line["choices_missing"] for line in remora.wait_log("request", 2)] == [2, 1]
            assert remora.metrics()['remora_choices_missing_total{provider="a"}'] == 3
    with run(upstream, "choices-2") as remora:  # and only where some are
        assert remora.stream({"model": "t/m", "n": 2}).note() is None
        assert "remora" not in remora.chat({"model": "t/m", "n": 2})[2]
        assert remora.metrics().get('remora_choices_missing_total{provider="a"}', 0) == 0


def test_half_a_tool_call_is_never_finished_well(upstream):
    with run(upstream, "tools-done") as remora:
        stream = remora.stream({"model": "t/m"})
        assert not stream.is_done and stream.finish() == ["error"]
        assert stream.error()["metadata"]["reason"] == "STREAM_BROKEN" and "truncated" in stream.error()["message"]
        status, _, body = remora.chat({"model": "t/m"})  # nothing was shown yet: the next one answers
        assert status == 200 and body["provider"] == "b"
        assert [a.get("reason") for a in body["remora"]["attempts"]] == ["UPSTREAM_UNAVAILABLE", None]
        assert "finish_reason_missing" not in body["remora"]
        assert [line["cause"] for line in remora.wait_log("attempt failed", 2)] == ["truncated", "truncated"]
        assert finish_missing(remora)[1] == 0
    with run(upstream, "tools-length") as remora:  # the provider says why it is half
        stream = remora.stream({"model": "t/m"})
        assert stream.is_done and stream.finish() == ["length"] and stream.note() is None
        status, _, body = remora.chat({"model": "t/m"})
        assert status == 200 and body["choices"][0]["finish_reason"] == "length" and "remora" not in body


# ---- time ----

def test_a_slow_provider_is_told_with_comments_after_ten_seconds(upstream):
    with run(upstream, "slow-11000ms") as remora:
        began = time.monotonic()
        stream = remora.stream({"model": "t/m"})
        assert time.monotonic() - began > 10
        assert stream.comments and stream.comments[0] == ": REMORA PROCESSING" and stream.is_done


def test_deadlines_of_the_caller_and_the_configuration(upstream):
    with run(upstream, "silent", "ok", "deadlines: {first_byte_ms: 300, response_ms: 300}") as remora:
        began = time.monotonic()
        assert remora.chat({"model": "t/m"})[2]["provider"] == "b"
        assert remora.stream({"model": "t/m"}).note()["attempts"][0]["reason"] == "UPSTREAM_TIMEOUT"
        assert time.monotonic() - began < 3
    with run(upstream, "silent") as remora:
        began = time.monotonic()
        status, _, body = remora.chat({"model": "t/m"}, headers={"x-request-timeout-ms": "400"})
        assert status == 504 and body["error"]["metadata"]["reason"] == "DEADLINE"
        assert 0.35 < time.monotonic() - began < 2


def answers_of(port, requests, count):
    """Every byte that comes back for these requests on one connection, whose last one asks for the close."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        s.sendall(requests)
        got = b"".join(iter(lambda: s.recv(65536), b""))
    assert got.count(b"HTTP/1.1 ") == count, got
    return got


@pytest.mark.parametrize("listener", ["http", "probe", "admin"])
@pytest.mark.parametrize("head", ["HEAD {path} HTTP/1.1\r\nHost: localhost\r\n\r\n", "HEAD /none HTTP/1.1\r\nHost: localhost\r\n\r\n"])
def test_head_has_no_content_and_the_connection_goes_on(good, listener, head):
    """RFC 9110 section 9.3.2: what a client does not read as content it would read as the next answer."""
    path = {"http": "/v1/models", "probe": "/livez", "admin": "/config/status"}[listener]
    more = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    got = answers_of(getattr(good, f"{listener}_port"), (head.format(path=path) + more).encode(), 2)
    first, second = got.split(b"\r\n\r\n", 1)
    assert first.startswith(b"HTTP/1.1 404 " if "/none" in head else b"HTTP/1.1 200 ") and b"\r\nContent-Length: " in first
    assert second.startswith(b"HTTP/1.1 200 "), "the next answer follows the head at once"
    assert second.split(b"\r\n\r\n", 1)[1], "and GET has content"


REFUSED_AT_THE_HEAD = {
    413: ("/v1/chat/completions", "application/json", 40 << 20),
    404: ("/v1/none", "application/json", 24 << 20),
    415: ("/v1/chat/completions", "text/plain", 24 << 20),
}


@pytest.mark.parametrize("status", REFUSED_AT_THE_HEAD)
def test_who_sends_a_large_body_that_was_refused_finds_the_answer_behind_it(good, status):
    """It sends for longer than a closing connection waits in silence, and reads only then; nothing of the body is kept."""
    path, kind, size = REFUSED_AT_THE_HEAD[status]
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n\r\n".encode()

    def send(pause_s):
        with socket.create_connection(("127.0.0.1", good.http_port), timeout=20) as s:
            s.sendall(head)
            for _ in range(20):
                s.sendall(b"x" * (size // 20))
                time.sleep(pause_s)
            return b"".join(iter(lambda: s.recv(65536), b""))

    send(0)  # what a young process takes (authorities, its first refusal) is no part of it
    before = good.rss_kib()
    got = send(0.25)
    assert got.startswith(f"HTTP/1.1 {status} ".encode()) and b"\r\nConnection: close\r\n" in got and got.endswith(b"}}")
    assert good.rss_kib() - before < size // 1024 // 2, "nothing of it is kept"
    assert good.chat({"model": "t/m"})[0] == 200


def test_a_large_answer_that_closes_is_not_cut_for_a_slow_reader(upstream):
    with run(upstream, "echo") as remora, socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        s.settimeout(20)
        s.connect(("127.0.0.1", remora.http_port))
        payload = json.dumps({"model": "t/m", "messages": [{"role": "user", "content": "x" * 390_000}]}).encode()
        s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
                  b"Content-Length: " + str(len(payload)).encode() + b"\r\n\r\n" + payload)
        got = b""
        while piece := s.recv(8192):
            got += piece
            time.sleep(0.06)  # three seconds and more for all of it
        head, body = got.split(b"\r\n\r\n", 1)
        assert len(body) == int(re.search(rb"Content-Length: (\d+)", head).group(1)) > 390_000


def test_a_head_that_is_refused_unread_has_no_content(good):
    got = answers_of(good.http_port, b"HEAD /v1/models HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 1)
    assert got.startswith(b"HTTP/1.1 400 ") and got.endswith(b"\r\n\r\n")


def send_chat(s, body):
    payload = json.dumps({"messages": USER, **body}).encode()
    s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
              + str(len(payload)).encode() + b"\r\n\r\n" + payload)


def leave(s, how):
    if how == "half-close":
        s.shutdown(socket.SHUT_WR)
        return
    if how == "reset":
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def hang_up(remora, body, wait, behind=0, how="close"):
    """Sends a request, waits with `wait`, pipelines so many bytes of another one behind it, hangs up; the moment of the hang-up."""
    s = socket.create_connection(("127.0.0.1", remora.http_port))
    send_chat(s, body)
    wait(s)
    if behind:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
                  + str(behind).encode() + b"\r\n\r\n" + b"x" * behind)
    gone = time.monotonic_ns()
    leave(s, how)
    return gone


@pytest.mark.parametrize("behaviour, is_stream", [("hold", False), ("hold", True), ("stall-after-1", True),
                                                  ("comments-forever-50ms", True), ("paced-1000x10ms", True)])
def test_hanging_up_cancels_the_upstream_within_100_ms(upstream, behaviour, is_stream):
    """By the clock of the provider's side, each of five."""
    with run(upstream, behaviour) as remora:
        upstream.reset()
        def wait(_):
            upstream.wait_open(behaviour, 1)
            time.sleep(0.15)
            own.append(OwnTime(remora.process.pid, upstream.process.pid, os.getpid()))
        took_ms, own = [], []
        for _ in range(5):
            upstream.wait(lambda stats: stats["behaviours"].get(behaviour, {"open": 0})["open"] == 0)
            gone_ns = hang_up(remora, {"model": "t/m", "stream": is_stream}, wait)
            upstream.wait_aborted(behaviour, len(took_ms) + 1)
            delayed_ms = own[-1].waited() * 1000
            stats = upstream.stats()
            gone_ms = (gone_ns - stats["start_monotonic_ns"]) / 1e6
            took_ms.append(stats["behaviours"][behaviour]["last_aborted_ms"] - gone_ms - delayed_ms)
        assert max(took_ms) < 100, took_ms
        line = [x for x in remora.wait_log("request") if x["code"] == "CLIENT_GONE"]
        assert line


@pytest.mark.parametrize("how", ["close", "half-close", "reset"])
@pytest.mark.parametrize("behind", [200_000, 3_000_000])
@pytest.mark.parametrize("behaviour, is_stream", [("hold", False), ("stall-after-1", True)])
def test_hanging_up_behind_much_that_was_pipelined_is_noticed(upstream, behaviour, is_stream, behind, how):
    """The FIN stands behind all of it, in the client's kernel, where nobody else sees it."""
    with run(upstream, behaviour) as remora:
        upstream.reset()
        def wait(_):
            upstream.wait_open(behaviour, 1)
            own.append(OwnTime(remora.process.pid, upstream.process.pid, os.getpid()))
        took_ms, own = [], []
        for _ in range(3):
            upstream.wait(lambda stats: stats["behaviours"].get(behaviour, {"open": 0})["open"] == 0)
            gone_ns = hang_up(remora, {"model": "t/m", "stream": is_stream}, wait, behind, how)
            upstream.wait_aborted(behaviour, len(took_ms) + 1)
            delayed_ms = own[-1].waited() * 1000
            stats = upstream.stats()
            gone_ms = (gone_ns - stats["start_monotonic_ns"]) / 1e6
            took_ms.append(stats["behaviours"][behaviour]["last_aborted_ms"] - gone_ms - delayed_ms)
        assert max(took_ms) < 100, took_ms


@pytest.mark.parametrize("is_stream", [False, True])
def test_who_pipelines_more_than_is_kept_gets_its_answer_and_the_close(upstream, is_stream):
    """The answer that is under way is whole; what stood behind it is not answered, which the close says."""
    with run(upstream, "hold") as remora:
        upstream.reset()
        with socket.create_connection(("127.0.0.1", remora.http_port), timeout=10) as s:
            send_chat(s, {"model": "t/m", "stream": is_stream})
            upstream.wait_open("hold", 1)
            s.sendall(b"GET /v1/none HTTP/1.1\r\nHost: localhost\r\n\r\n" * 400_000)  # no kernel holds it: somebody has read
            upstream.release()
            got = b"".join(iter(lambda: s.recv(65536), b""))
        assert got.count(b"HTTP/1.1 ") == 1 and got.startswith(b"HTTP/1.1 200 ")
        assert got.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n") if is_stream else b"Connection: close\r\n" in got


def test_what_is_pipelined_behind_quick_answers_is_all_answered(good):
    """As much as one likes: nobody waits long enough to be thrown away."""
    requests = b"GET /v1/none HTTP/1.1\r\nHost: localhost\r\n\r\n" * 10_000
    last = b"GET /v1/none HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", good.http_port), timeout=60) as s:
        threading.Thread(target=s.sendall, args=(requests + last,), daemon=True).start()
        got = b"".join(iter(lambda: s.recv(1 << 20), b""))
    assert got.count(b"HTTP/1.1 404 ") == 10_001


def test_a_slow_reader_pauses_the_upstream(upstream):
    with run(upstream, "endless") as remora:
        upstream.reset()
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        s.connect(("127.0.0.1", remora.http_port))
        payload = json.dumps({"model": "t/m", "messages": USER, "stream": True}).encode()
        s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
                  + str(len(payload)).encode() + b"\r\n\r\n" + payload)
        s.recv(1000)
        time.sleep(1.5)
        before = remora.rss_kib()
        first = upstream.stats("endless")["bytes_sent"]
        time.sleep(1.0)
        assert upstream.stats("endless")["bytes_sent"] == first, "the provider is not read from any more"
        assert remora.rss_kib() - before < 1024
        for _ in range(2000):  # reading again sets it going again
            s.recv(65536)
        end = time.monotonic() + 5
        while upstream.stats("endless")["bytes_sent"] == first and time.monotonic() < end:
            s.recv(65536)
        assert upstream.stats("endless")["bytes_sent"] > first
        s.close()


def test_deadlines_while_connecting_do_not_hurt_the_process(upstream):
    """libcurl closes a socket that never connected without a word: it must not stay with the poller."""
    config = two_providers(upstream, "connection-close").replace(upstream.base_url, "http://127.0.0.1:%d/v1" % upstream.port)
    with Remora(config, environment=SECRETS) as remora:
        sockets = []
        for i in range(400):
            s = socket.create_connection(("127.0.0.1", remora.http_port))
            payload = json.dumps({"model": "t/m", "messages": USER, "stream": True}).encode()
            s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                      b"x-request-timeout-ms: 1\r\nContent-Length: " + str(len(payload)).encode() + b"\r\n\r\n" + payload)
            sockets.append(s)
            if i % 3 == 0:
                s.close()
        time.sleep(0.3)
        for s in sockets:
            s.close()
        assert remora.chat({"model": "t/m"})[0] == 200
