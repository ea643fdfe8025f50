"""ModelService and CountTokens: what the HTTP lists and the account say, typed."""
import json
import urllib.parse

import grpc
import pytest

from gateway import SECRETS, Remora, two_providers
from test_grpc import channel, failure, pb, reason, request, run  # noqa: F401


MORE = """
  t/n:
    name: "N"
    context_length: 5000
    endpoints:
      - {provider: b, model_id: ok}
      - {provider: a, model_id: ok, tag: a/free, free: true, pricing: {prompt: "0", completion: "0"}}
  t/denied:
    endpoints:
      - {provider: a, model_id: ok}
policy: {models: {deny: [t/denied]}}
"""


def stub(pb, c):
    return pb.gateway_grpc.ModelServiceStub(c)


def pages(pb, c, size):
    found, token, count = [], "", 0
    while True:
        page = stub(pb, c).ListModels(pb.gateway.ListModelsRequest(page_size=size, page_token=token))
        found += page.models
        count += 1
        assert count < 1000, "pages go on for ever"
        token = page.next_page_token
        if not token:
            return found, count


def over_http(remora, path):
    status, _, body = remora.request("GET", path)
    assert status == 200, body
    return json.loads(body)["data"]


def price(text):
    return "" if text == "-1" else text


def same_model(model, seen):
    assert (model.id, model.name, model.context_length) == (seen["id"], seen["name"], seen["context_length"] or 0)
    assert list(model.input_modalities) == seen["architecture"]["input_modalities"]
    assert list(model.output_modalities) == seen["architecture"]["output_modalities"]
    assert list(model.supported_parameters) == seen["supported_parameters"]


def same_endpoints(model, seen):
    assert [e.endpoint_tag for e in model.endpoints] == [e["tag"] for e in seen]
    for endpoint, shown in zip(model.endpoints, seen):
        assert endpoint.prompt_price == price(shown["pricing"]["prompt"])
        assert endpoint.completion_price == price(shown["pricing"]["completion"])
        assert endpoint.context_length == shown["context_length"]
        assert endpoint.max_output_tokens == (shown["max_completion_tokens"] or 0)
        assert (endpoint.quantization or "unknown") == shown["quantization"]


def test_the_list_is_that_of_the_http_front(upstream, pb):
    with run(upstream, "ok", more=MORE) as remora, channel(remora) as c:
        seen = over_http(remora, "/api/v1/models")
        models, _ = pages(pb, c, 0)
        assert len(models) == len(seen) and {"t/m", "t/n"} <= {m.id for m in models}
        assert "t/denied" not in {m.id for m in models} and "t/n:free" in {m.id for m in models}
        for model, shown in zip(models, seen):
            same_model(model, shown)
            same_endpoints(model, over_http(remora, f"/api/v1/models/{urllib.parse.quote(shown['id'])}/endpoints")["endpoints"])


def test_pages_hold_everything_once(upstream, pb):
    with run(upstream, "ok", more=MORE) as remora, channel(remora) as c:
        whole, count = pages(pb, c, 0)
        assert count == 1
        for size in (1, 2, len(whole) - 1, len(whole), len(whole) + 1, 2**31 - 1):
            paged, count = pages(pb, c, size)
            assert [m.id for m in paged] == [m.id for m in whole]
            assert count == -(-len(whole) // size)
        for bad, field in ((dict(page_size=-1), "page_size"), (dict(page_token="2"), "page_token")):
            with pytest.raises(grpc.RpcError) as e:
                stub(pb, c).ListModels(pb.gateway.ListModelsRequest(**bad))
            assert e.value.code() == grpc.StatusCode.INVALID_ARGUMENT and field in e.value.details()
        page = stub(pb, c).ListModels(pb.gateway.ListModelsRequest(page_token="after=zzz"))
        assert not page.models and not page.next_page_token, "behind the end"


def test_the_whole_catalog_fits_the_default_message(upstream, pb):
    keys = {"OPENROUTER_API_KEY": "sk-x", "OPENAI_API_KEY": "sk-y", "GROQ_API_KEY": "sk-z", "DEEPSEEK_API_KEY": "sk-d"}
    with Remora(environment=keys) as remora, channel(remora) as c:
        seen = over_http(remora, "/v1/models")
        models, count = pages(pb, c, 0)
        assert [m.id for m in models] == [m["id"] for m in seen] and len(models) > 20
        assert count == -(-len(seen) // 500)


def test_one_model_or_what_was_meant(upstream, pb):
    with run(upstream, "ok", more=MORE) as remora, channel(remora) as c:
        def get(name):
            return stub(pb, c).GetModel(pb.gateway.GetModelRequest(id=name)).model

        def refused(name):
            with pytest.raises(grpc.RpcError) as e:
                get(name)
            found = {}
            status = pb.status.Status.FromString(dict(e.value.trailing_metadata())["grpc-status-details-bin"])
            for detail in status.details:
                found.setdefault(detail.type_url.split("/")[-1], []).append(detail)
            return e.value, found

        listed = {m.id: m for m in pages(pb, c, 0)[0]}
        for name in ("t/m", "t/n", "t/n:free"):
            assert get(name) == listed[name]
        assert get("m") == listed["t/m"], "a bare id"
        error, details = refused("t/mm")
        assert error.code() == grpc.StatusCode.NOT_FOUND and "t/m" in error.details() and "mean" in error.details()
        assert reason(pb, details) == "MODEL_NOT_FOUND"
        bad = pb.details.BadRequest()
        details["google.rpc.BadRequest"][0].Unpack(bad)
        assert bad.field_violations[0].field == "id"
        error, details = refused("t/denied")
        assert error.code() == grpc.StatusCode.PERMISSION_DENIED and reason(pb, details) == "MODEL_NOT_ALLOWED"
        error, _ = refused("")
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and "id is missing" in error.details()


def test_what_may_collect_data_is_what_deny_leaves_out(upstream, pb):
    config = two_providers(upstream, "ok", first_provider=", data_policy: {training: false}")
    with Remora(config, environment=SECRETS) as remora, channel(remora) as c:
        model = stub(pb, c).GetModel(pb.gateway.GetModelRequest(id="t/m")).model
        assert [(e.provider, e.may_collect_data) for e in model.endpoints] == [("a", False), ("b", True)]
    with Remora(config + "policy: {provider: {data_collection: deny}}\n", environment=SECRETS) as remora, \
            channel(remora) as c:
        model = stub(pb, c).GetModel(pb.gateway.GetModelRequest(id="t/m")).model
        assert [e.provider for e in model.endpoints] == ["a"]


def test_a_count_is_the_estimate_of_the_account(upstream, pb):
    with run(upstream, "usage-missing") as remora, channel(remora) as c:
        for text in ("", "Hello", "x" * 1001, "Grüße " * 300):
            chat = request(pb, text=text, session_id="s" if text else "")
            count = pb.chat_grpc.ChatServiceStub(c).CountTokens(pb.chat.CountTokensRequest(chat=chat))
            usage = pb.chat_grpc.ChatServiceStub(c).Chat(chat).usage
            assert usage.certainty == pb.usage.CERTAINTY_ESTIMATED
            assert count.estimated and count.input_tokens == usage.input_tokens == -(-len(text.encode()) // 4)


def test_a_count_sends_nothing_and_refuses_what_chat_refuses(upstream, pb):
    with run(upstream, "ok") as remora, channel(remora) as c:
        upstream.reset()
        count = pb.chat_grpc.ChatServiceStub(c).CountTokens
        assert count(pb.chat.CountTokensRequest(chat=request(pb, model="no/such"))).input_tokens > 0
        for bad, field in ((pb.chat.CountTokensRequest(), "chat"),
                           (pb.chat.CountTokensRequest(chat=pb.chat.ChatRequest(model="t/m")), "chat.messages")):
            with pytest.raises(grpc.RpcError) as e:
                count(bad)
            assert e.value.code() == grpc.StatusCode.INVALID_ARGUMENT and field in e.value.details()
        assert upstream.stats("ok")["requests"] == 0


def test_what_is_not_built_says_so(upstream, stubs):
    with run(upstream, "ok") as remora, channel(remora) as c:
        for method in ("EmbeddingService/Embed", "GatewayService/GetUsage"):
            with pytest.raises(grpc.RpcError) as e:
                c.unary_unary(f"/remora.v1.{method}")(b"", timeout=10)
            assert e.value.code() == grpc.StatusCode.UNIMPLEMENTED and method in e.value.details()
