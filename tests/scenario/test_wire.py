"""What odd servers of openai's wire answer with, as callers of both fronts get it."""
import contextlib
import http.server
import json
import threading

import grpc
import openai
import pydantic
import pytest

from gateway import Remora


def chunk(delta, finish=None, **more):
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1700000000, "model": "m",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def message(body, finish):
    return {"id": "c1", "object": "chat.completion", "created": 1700000000, "model": "m",
            "choices": [{"index": 0, "message": {"role": "assistant", **body}, "finish_reason": finish}]}


def call(arguments, **more):
    return {"tool_calls": [{"index": 0, "type": "function", "function": {"name": "f", "arguments": arguments}, **more}]}


GOOD = ([chunk({"content": "good"}), chunk({}, "stop")], message({"content": "good"}, "stop"))
# model -> the chunks of its stream, and its whole answer
ANSWERS = {
    "good": GOOD,
    "abort": ([chunk({"role": "assistant", "content": "The total is 1"}), chunk({}, "abort")],
              message({"content": "The total is 1"}, "abort")),
    "abort-first": ([chunk({"role": "assistant", "content": ""}), chunk({}, "abort")], message({"content": ""}, "abort")),
    "bare": ([chunk(call("", id="c1")), chunk({}, "tool_calls")], message(call("", id="c1"), "tool_calls")),
    "parallel": ([chunk(call('{"city":"A"}', id="")), chunk(call('{"city":"B"}', id="")), chunk({}, "tool_calls")], GOOD[1]),
    "not-json": ([chunk(call('{"city":', id="c1")), chunk({}, "tool_calls")], message(call('{"city":', id="c1"), "tool_calls")),
    "early": ([chunk({"content": " Der", "reasoning": "clearly. "}, "stop"), chunk({"content": "evnya"}), chunk({}, "stop")], GOOD[1]),
    "each": ([chunk({"content": text}, "stop") for text in "abc"], GOOD[1]),
    "unknown": ([chunk({"content": "x"}), chunk({}, "something_new")], message({"content": "x"}, "something_new")),
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        chunks, whole = ANSWERS[body["model"]]
        text = json.dumps(whole)
        if body.get("stream"):
            text = "".join(f"data: {json.dumps(each)}\n\n" for each in chunks) + "data: [DONE]\n\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if body.get("stream") else "application/json")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def gateway(*more):
    """One provider, a, whose every model has b behind it; each case by its name."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    provider = f"{{kind: openai, base_url: 'http://127.0.0.1:{server.server_port}/v1'}}"
    text = f"version: 1\nservice: checkout\nproviders:\n  a: {provider}\n  b: {provider}\nmodels:\n"
    for name in ANSWERS:
        text += f"  t/{name}: {{endpoints: [{{provider: a, model_id: {name}}}, {{provider: b, model_id: good}}]}}\n"
    with Remora(text) as remora:
        yield remora
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def remora():
    with gateway() as each:
        yield each


def chat_of(model):
    from remora.v1 import chat_pb2, chat_pb2_grpc  # noqa: PLC0415
    parts = [chat_pb2.ContentPart(text="Hello")]
    request = chat_pb2.ChatRequest(model=f"t/{model}", messages=[chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=parts)])
    return chat_pb2, chat_pb2_grpc, request


def over_grpc(remora, model):
    """The whole answer, and the events of a stream."""
    chat, services, request = chat_of(model)
    with grpc.insecure_channel(f"127.0.0.1:{remora.grpc_port}") as channel:
        service = services.ChatServiceStub(channel)
        return service.Chat(request), list(service.StreamChat(chat.StreamChatRequest(chat=request)))


def test_an_answer_that_the_server_gave_up_is_no_success(stubs):
    with gateway() as remora:
        stream = remora.stream({"model": "t/abort"})
        assert not stream.is_done and stream.finish() == ["error"] and stream.content() == "The total is 1"
        assert stream.error()["metadata"]["reason"] == "STREAM_BROKEN"
        for name in ("abort", "abort-first"):
            status, _, body = remora.chat({"model": f"t/{name}"})
            assert status == 200 and body["provider"] == "b"
            assert [a.get("reason") for a in body["remora"]["attempts"]] == ["UPSTREAM_UNAVAILABLE", None]
        stream = remora.stream({"model": "t/abort-first"})
        assert stream.is_done and stream.content() == "good" and stream.finish() == ["stop"]
        assert {line["cause"] for line in remora.wait_log("attempt failed", 4)} == {"in_band"}


def test_a_finish_reason_that_nobody_knows_is_told(stubs):
    with gateway() as remora:
        stream = remora.stream({"model": "t/unknown"})
        assert stream.is_done and stream.finish() == ["stop"] and stream.note()["finish_reason_unknown"] is True
        status, _, body = remora.chat({"model": "t/unknown"})
        assert status == 200 and body["remora"]["finish_reason_unknown"] is True
        assert body["choices"][0]["native_finish_reason"] == "something_new"
        assert [line["finish_reason"] for line in remora.wait_log("request", 2)] == ["unknown", "unknown"]
        assert remora.metrics()['remora_finish_reason_unknown_total{provider="a"}'] == 2
        whole, events = over_grpc(remora, "unknown")
        assert whole.route.finish_reason_unknown and events[-1].completed.route.finish_reason_unknown
        assert whole.choices[0].native_finish_reason == "something_new"
        whole, events = over_grpc(remora, "good")
        assert not whole.route.finish_reason_unknown and not events[-1].completed.route.finish_reason_unknown


def test_a_tool_without_parameters_is_called_with_an_object(remora, stubs):
    class Nothing(pydantic.BaseModel):
        pass

    tools = [openai.pydantic_function_tool(Nothing, name="f")]
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{remora.http_port}/v1", api_key="none", max_retries=0)
    asked = {"model": "t/bare", "messages": [{"role": "user", "content": "Hello"}], "tools": tools}
    whole = client.chat.completions.parse(**asked)
    with client.chat.completions.stream(**asked) as stream:
        list(stream)
        streamed = stream.get_final_completion()
    for each in (whole, streamed):
        found = each.choices[0].message.tool_calls[0].function
        assert found.arguments == "{}" and isinstance(found.parsed_arguments, Nothing)
    whole, events = over_grpc(remora, "bare")
    assert whole.choices[0].message.tool_calls[0].arguments_json == "{}"
    assert "".join(e.tool_call.arguments_json_fragment for e in events if e.WhichOneof("event") == "tool_call") == "{}"


def test_parallel_calls_without_ids_are_told_apart(remora, stubs):
    stream = remora.stream({"model": "t/parallel"})
    calls = [each for c in stream.chunks for choice in c["choices"] for each in choice["delta"].get("tool_calls", [])]
    assert [(each["index"], each["function"]["arguments"]) for each in calls] == [(0, '{"city":"A"}'), (1, '{"city":"B"}')]
    assert len({each["id"] for each in calls} - {""}) == 2 and stream.is_done
    _, events = over_grpc(remora, "parallel")
    assert [e.tool_call.tool_call_index for e in events if e.WhichOneof("event") == "tool_call"] == [0, 1]


def test_arguments_that_are_no_json_are_told(stubs):
    with gateway() as remora:
        stream = remora.stream({"model": "t/not-json"})
        assert stream.is_done and stream.finish() == ["tool_calls"] and stream.note()["tool_arguments_invalid"] is True
        _, _, body = remora.chat({"model": "t/not-json"})
        assert body["remora"]["tool_arguments_invalid"] is True
        assert body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == '{"city":'
        assert [line["tool_arguments"] for line in remora.wait_log("request", 2)] == ["invalid", "invalid"]
        assert remora.metrics()['remora_tool_arguments_invalid_total{provider="a"}'] == 2


def test_content_behind_a_finish_reason_is_handed_on(remora, stubs):
    for name, said in (("early", " Derevnya"), ("each", "abc")):
        for _ in range(6):  # five broken streams opened the breaker
            stream = remora.stream({"model": f"t/{name}"})
            assert stream.is_done and stream.content() == said and stream.finish() == ["stop"], stream.text
            assert "finish_reason_missing" not in stream.note()  # usage is an estimate here
        _, events = over_grpc(remora, name)
        kinds = [event.WhichOneof("event") for event in events]
        assert kinds.count("choice_finished") == 1 and kinds[-2:] == ["choice_finished", "completed"]
        assert "".join(event.text.text for event in events if event.WhichOneof("event") == "text") == said
