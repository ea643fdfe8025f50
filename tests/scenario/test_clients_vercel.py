"""OpenRouter's provider for Vercel's AI SDK against the gateway. Its schemas are stricter than those of OpenRouter's own SDK: it refuses
a whole answer for a breakdown of usage without its first member, or for a cost that is null."""
import pytest

from clients import NODE, install, run_node
from gateway import USER, Remora
from transcripts import TOOLS

# (behaviour of the upstream, tools): with what a provider reports in its usage, from nothing to all
ASKED = [("ok", None), ("usage-missing", None), ("usage-details", None), ("reasoning-content", None), ("tools", TOOLS),
         ("tools-parallel", TOOLS), ("annotations", None), ("length", None)]
PRICES = {"priced": ', pricing: {prompt: "0.000001", completion: "0.000002"}', "unpriced": ""}
KINDS = [(behaviour, price, is_stream) for behaviour, _ in ASKED for price in PRICES for is_stream in (False, True)]


def config(server):
    models = "".join(f"\n  {price}/{behaviour}:\n    endpoints: [{{provider: acme, model_id: {behaviour}{text}}}]"
                     for behaviour, _ in ASKED for price, text in PRICES.items())
    return f"version: 1\nservice: checkout\nproviders:\n  acme: {{kind: openai, base_url: \"{server.base_url}\"}}\nmodels:{models}\n"


@pytest.fixture(scope="module")
def heard(upstream):
    install(NODE)
    tools = dict(ASKED)
    with Remora(config(upstream)) as remora:
        jobs = [{"client": "vercel", "baseURL": f"http://127.0.0.1:{remora.http_port}/api/v1", "stream": is_stream,
                 "body": {"model": f"{price}/{behaviour}", "messages": USER, **({"tools": tools[behaviour]} if tools[behaviour] else {})}}
                for behaviour, price, is_stream in KINDS]
        yield dict(zip(KINDS, run_node(jobs), strict=True))


@pytest.mark.parametrize("behaviour, tools", ASKED, ids=[behaviour for behaviour, _ in ASKED])
def test_it_takes_every_answer(heard, behaviour, tools):
    first = heard[behaviour, "priced", False]
    assert "error" not in first, first
    assert first["content"] or first["tool_calls"] or first["reasoning"]
    assert bool(tools) == bool(first["tool_calls"])
    assert first["prompt"] > 0 and first["completion"] > 0
    for price in PRICES:
        for is_stream in (False, True):
            other = heard[behaviour, price, is_stream]
            keys = first.keys() - ({"prompt", "completion"} if behaviour == "usage-missing" else set())  # estimated from other bodies
            assert {key: other.get(key) for key in keys} == {key: first[key] for key in keys}, (price, is_stream, other)


def test_what_was_cached_is_told(heard):
    assert heard["usage-details", "unpriced", True]["cached"] > 0


def test_a_cost_that_nobody_knows_is_said_so_and_is_no_nought(upstream):
    with Remora(config(upstream)) as remora:
        status, _, answer = remora.chat({"model": "unpriced/ok", "messages": USER})
        assert status == 200 and "cost" not in answer["usage"] and "cost_details" not in answer["usage"]
        assert answer["remora"]["cost"] is None and answer["remora"]["cost_certainty"] == "CERTAINTY_UNKNOWN"
        stream = remora.stream({"model": "unpriced/ok", "messages": USER})
        assert stream.note()["cost"] is None and stream.note()["cost_certainty"] == "CERTAINTY_UNKNOWN"
        status, _, answer = remora.chat({"model": "priced/ok", "messages": USER})
        assert answer["usage"]["cost"] > 0 and "remora" not in answer
