"""Trial features of Anthropic's models: x-anthropic-beta comes in over both fronts, goes on where it is taken, and is told elsewhere."""
import http.client
import json

import grpc
import pytest

from gateway import SECRETS, Remora, two_providers

NAMES = "interleaved-thinking-2025-05-14,structured-outputs-2025-11-13"
LOST = {"field": "x-anthropic-beta", "why": "the provider does not take it"}


@pytest.fixture(scope="module")
def pb(stubs):
    from remora.v1 import chat_pb2, chat_pb2_grpc  # noqa: PLC0415

    class Modules:
        chat, chat_grpc = chat_pb2, chat_pb2_grpc

    return Modules


def run(upstream, first, dialect):
    return Remora(two_providers(upstream, first, first_provider=f", dialect: {dialect}"), environment=SECRETS)


def calls(remora, pb):
    """Each way to ask: (metadata) -> what was dropped, as pairs of field and why."""
    channel = grpc.insecure_channel(f"127.0.0.1:{remora.grpc_port}")
    message = pb.chat.Message(role=pb.chat.ROLE_USER, parts=[pb.chat.ContentPart(text="Hello")])
    chat = pb.chat.ChatRequest(model="t/m", messages=[message])
    stub = pb.chat_grpc.ChatServiceStub(channel)

    def unary(headers):
        status, _, body = remora.chat({"model": "t/m"}, headers)
        assert status == 200
        return body.get("remora", {}).get("dropped", [])

    def streamed(headers):
        return next((c["remora"] for c in remora.stream({"model": "t/m"}, headers).chunks if "remora" in c), {}).get("dropped", [])

    def fields(route):
        return [{"field": d.field, "why": d.why} for d in route.dropped]

    yield unary
    yield streamed
    yield lambda headers: fields(stub.Chat(chat, metadata=headers.items()).route)
    yield lambda headers: fields(list(stub.StreamChat(pb.chat.StreamChatRequest(chat=chat),
                                                      metadata=headers.items()))[-1].completed.route)
    channel.close()


@pytest.mark.parametrize("dialect", ["openrouter", "generic"])
def test_the_names_go_to_who_takes_them(upstream, pb, dialect):
    with run(upstream, "ok", dialect) as remora:
        for call in calls(remora, pb):
            assert call({"x-anthropic-beta": NAMES.replace(",", " , ")}) == []
            assert upstream.last()["header"]["x-anthropic-beta"] == NAMES
            assert call({"anthropic-beta": "a-1"}) == []
            assert upstream.last()["header"]["x-anthropic-beta"] == "a-1"
            assert call({}) == []
            assert "x-anthropic-beta" not in upstream.last()["header"]


def test_where_they_are_not_taken_that_is_told(upstream, pb):
    with run(upstream, "ok", "vllm") as remora:
        for call in calls(remora, pb):
            assert call({"x-anthropic-beta": NAMES}) == [LOST]
            assert not {"x-anthropic-beta", "anthropic-beta"} & set(upstream.last()["header"])


def test_each_attempt_gets_what_its_endpoint_takes(upstream, pb):
    with run(upstream, "500", "vllm") as remora:  # `b` is a server without a dialect
        for call in calls(remora, pb):
            assert call({"x-anthropic-beta": NAMES}) == []
            assert "x-anthropic-beta" not in upstream.requests("500")[-1]["header"]
            assert upstream.requests("ok")[-1]["header"]["x-anthropic-beta"] == NAMES
    with run(upstream, "ok", "vllm") as remora:
        status, _, body = remora.chat({"model": "t/m", "provider": {"require_parameters": True}}, {"x-anthropic-beta": NAMES})
        assert (status, body["provider"]) == (200, "b")


def test_what_is_no_list_of_names_is_refused_over_both_fronts(upstream, pb):
    with run(upstream, "ok", "openrouter") as remora:
        for bad in ("a b", '"a"', ",".join(f"n{i}" for i in range(33))):
            status, _, body = remora.chat({"model": "t/m"}, {"x-anthropic-beta": bad})
            assert (status, body["error"]["param"]) == (400, "x-anthropic-beta")
            with grpc.insecure_channel(f"127.0.0.1:{remora.grpc_port}") as channel:
                message = pb.chat.Message(role=pb.chat.ROLE_USER, parts=[pb.chat.ContentPart(text="Hello")])
                with pytest.raises(grpc.RpcError) as refused:
                    pb.chat_grpc.ChatServiceStub(channel).Chat(pb.chat.ChatRequest(model="t/m", messages=[message]),
                                                               metadata=[("x-anthropic-beta", bad)])
            assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
            assert refused.value.details() == body["error"]["message"]
        assert remora.chat({"model": "t/m"}, {"x-anthropic-beta": ",".join(f"n{i}" for i in range(32))})[0] == 200


@pytest.mark.parametrize("dialect, name, others", [("generic", "anthropic-beta", []), ("generic", "X-Anthropic-Beta", []),
                                                   ("openrouter", "x-anthropic-beta", []), ("openrouter", "anthropic-beta", ["x-anthropic-beta"])])
def test_an_operators_names_and_a_callers_are_one_list(upstream, pb, dialect, name, others):
    """Under the operator's name of the header; OpenRouter hears its own alone."""
    with run(upstream, "ok", f'{dialect}, headers: {{{name}: "own-1, both-2"}}') as remora:
        for call in calls(remora, pb):
            assert call({"x-anthropic-beta": "both-2,mine-3"}) == []
            heard = {header: text for header, text in upstream.last()["header"].items() if header.endswith("anthropic-beta")}
            assert heard == {name.lower(): "own-1, both-2,mine-3", **{other: "both-2,mine-3" for other in others}}
            assert call({}) == [] and upstream.last()["header"][name.lower()] == "own-1, both-2"


def test_to_a_secret_nothing_is_added(upstream, pb):
    with run(upstream, "ok", "generic, headers: {anthropic-beta: {env: A_SECRET}}") as remora:
        for call in calls(remora, pb):
            assert call({"x-anthropic-beta": "mine-3"}) == [{"field": "x-anthropic-beta", "why": "the configuration sets this header"}]
            assert "x-anthropic-beta" not in upstream.last()["header"] and "mine-3" not in upstream.last()["header"]["anthropic-beta"]
        assert remora.chat({"model": "t/m", "provider": {"require_parameters": True}}, {"x-anthropic-beta": "mine-3"})[2]["provider"] == "b"


UNBUILT = {"X-OpenRouter-Cache": "true", "X-OpenRouter-Cache-TTL": "60", "X-OpenRouter-Cache-Clear": "true",
           "X-Provider-API-Keys": '{"a": "sk-canary-9"}'}
NO_CACHE = "the gateway keeps no answers"


def test_headers_that_ask_for_what_is_not_built_are_told(upstream, pb):
    """Over both fronts, and they remove nobody: no endpoint is at fault."""
    config = two_providers(upstream, "ok", first_provider=", dialect: groq") + "policy: {provider: {require_parameters: true}}\n"
    with Remora(config, environment=SECRETS) as remora:
        for call, names in zip(calls(remora, pb), (UNBUILT, UNBUILT, *2 * [{k.lower(): v for k, v in UNBUILT.items()}]), strict=True):
            dropped = call(names)
            assert {d["field"]: d["why"] for d in dropped} == {
                "X-OpenRouter-Cache": NO_CACHE, "X-OpenRouter-Cache-TTL": NO_CACHE, "X-OpenRouter-Cache-Clear": NO_CACHE,
                "X-Provider-API-Keys": "credentials are the configuration's"}
            last = upstream.last()
            assert not set(last["header"]) & {name.lower() for name in UNBUILT}
            assert "sk-canary-9" not in str(last) + str(dropped)
            assert call({"x-openrouter-cache": "false", "x-openrouter-cache-clear": "False"}) == []


def test_one_that_stands_there_twice_is_told_too(upstream, pb):
    with run(upstream, "ok", "groq") as remora, grpc.insecure_channel(f"127.0.0.1:{remora.grpc_port}") as channel:
        message = pb.chat.Message(role=pb.chat.ROLE_USER, parts=[pb.chat.ContentPart(text="Hello")])
        answer = pb.chat_grpc.ChatServiceStub(channel).Chat(pb.chat.ChatRequest(model="t/m", messages=[message]),
                                                            metadata=[("x-openrouter-cache", "false"), ("x-openrouter-cache", "true")])
        assert [d.field for d in answer.route.dropped] == ["X-OpenRouter-Cache"]
        connection = http.client.HTTPConnection("127.0.0.1", remora.http_port, timeout=30)
        connection.putrequest("POST", "/v1/chat/completions")
        body = json.dumps({"model": "t/m", "messages": [{"role": "user", "content": "Hello"}]}).encode()
        for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(body))),
                            ("X-OpenRouter-Cache", "false"), ("X-OpenRouter-Cache", "true")):
            connection.putheader(name, value)
        connection.endheaders(body)
        assert [d["field"] for d in json.load(connection.getresponse())["remora"]["dropped"]] == ["X-OpenRouter-Cache"]
        connection.close()


def test_explain_counts_the_names_as_a_request_does(upstream, pb):
    """`a` does not take them: under require_parameters it is out, for a request and for who asks before."""
    from remora.v1 import gateway_pb2, gateway_pb2_grpc  # noqa: PLC0415

    out = "require_parameters:x-anthropic-beta"
    body = {"model": "t/m", "provider": {"require_parameters": True}, "messages": [{"role": "user", "content": "Hello"}]}
    with run(upstream, "ok", "vllm") as remora, grpc.insecure_channel(f"127.0.0.1:{remora.grpc_port}") as channel:
        message = pb.chat.Message(role=pb.chat.ROLE_USER, parts=[pb.chat.ContentPart(text="Hello")])
        chat = pb.chat.ChatRequest(model="t/m", messages=[message], provider={"require_parameters": True})
        explain = gateway_pb2_grpc.GatewayServiceStub(channel).ExplainRoute
        for name in ("x-anthropic-beta", "anthropic-beta"):
            status, _, text = remora.request("POST", "/v1/route/explain", body, {name: NAMES}, port=remora.admin_port)
            assert status == 200
            first = json.loads(text)["candidates"][0]
            answer = explain(gateway_pb2.ExplainRouteRequest(chat=chat), metadata=[(name, NAMES)])
            assert (first["provider"], first["excluded_by"]) == ("a", out)
            assert (answer.candidates[0].provider, answer.candidates[0].excluded_by) == ("a", out)
        assert explain(gateway_pb2.ExplainRouteRequest(chat=chat)).candidates[0].excluded_by == ""
        status, _, text = remora.request("POST", "/v1/route/explain", body, {"x-anthropic-beta": "a b"}, port=remora.admin_port)
        assert (status, json.loads(text)["error"]["param"]) == (400, "x-anthropic-beta")
        with pytest.raises(grpc.RpcError) as refused:
            explain(gateway_pb2.ExplainRouteRequest(chat=chat), metadata=[("x-anthropic-beta", "a b")])
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
