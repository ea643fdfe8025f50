"""openrouter_metadata: the full route on X-OpenRouter-Metadata: enabled. Its bytes stand in tests/golden/transcripts/route*."""
import http.client
import json

import jsonschema
import pytest
import yaml

from clients import NODE, install, missing, run_node
from gateway import SECRETS, USER, Remora, two_providers
from upstream import ROOT

ASKED = {"X-OpenRouter-Metadata": "enabled"}
MORE = """
  t/other:
    endpoints: [{provider: b, model_id: ok}]
aliases: {gpt: t/m}
"""


@pytest.fixture(scope="module")
def served(upstream):
    with Remora(two_providers(upstream, "ok", more=MORE), environment=SECRETS) as remora:
        yield remora


@pytest.fixture(scope="module")
def schema():
    path = ROOT.parent / "shared/reference/openrouter-openapi.yaml"
    if not path.exists():
        missing("OpenRouter's OpenAPI document is not here")
    document = yaml.load(path.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return jsonschema.Draft202012Validator({"$ref": "#/components/schemas/OpenRouterMetadata",
                                            "components": document["components"]}).validate


def explained(remora, body):
    status, _, text = remora.request("POST", "/v1/route/explain", {"messages": USER, **body}, port=remora.admin_port)
    assert status == 200
    return json.loads(text)["candidates"]


def said_twice(remora, value):
    connection = http.client.HTTPConnection("127.0.0.1", remora.http_port, timeout=30)
    body = json.dumps({"model": "t/m", "messages": USER}).encode()
    connection.putrequest("POST", "/v1/chat/completions")
    for name, text in (("Content-Type", "application/json"), ("Content-Length", str(len(body))), *[("X-OpenRouter-Metadata", value)] * 2):
        connection.putheader(name, text)
    connection.endheaders(body)
    answer = connection.getresponse().read()
    connection.close()
    return answer


def test_it_is_there_only_when_asked_for(served):
    for headers in ({}, {"X-OpenRouter-Metadata": "disabled"}, {"X-OpenRouter-Metadata": "true"}):
        assert "openrouter_metadata" not in served.chat({"model": "t/m"}, headers)[2]
        stream = served.stream({"model": "t/m"}, headers)
        assert all("openrouter_metadata" not in chunk and chunk["choices"] for chunk in stream.chunks)
    for name in ("X-OpenRouter-Metadata", "X-OpenRouter-Experimental-Metadata"):
        assert "openrouter_metadata" in served.chat({"model": "t/m"}, {name: "ENABLED"})[2]
    assert b"openrouter_metadata" in said_twice(served, "enabled")  # two headers are one list (RFC 9110 section 5.3)
    assert b"openrouter_metadata" not in said_twice(served, "disabled")


@pytest.mark.parametrize("body", [{"model": "t/m"}, {"model": "t/m", "provider": {"ignore": ["a"]}},
                                  {"model": "t/m", "models": ["t/other"], "provider": {"order": ["b"]}}])
def test_it_equals_what_explain_said_and_what_happened(served, schema, body):
    promised = explained(served, body)
    unary = served.chat(body, ASKED)[2]
    stream = served.stream(body, ASKED)
    last = stream.chunks[-1]
    assert stream.is_done and last["choices"][0]["finish_reason"] == "stop"
    for answer in (unary, last):
        route = answer["openrouter_metadata"]
        schema(route)
        assert route["candidates"] == promised
        tried = [c for c in promised if c["position"] > 0]
        assert [(e["provider"], e["model"]) for e in route["endpoints"]["available"]] == [
            (c["provider"], c["model"]) for c in sorted(tried, key=lambda c: c["position"])]
        assert route["endpoints"]["total"] == len(promised)
        assert [e["provider"] for e in route["endpoints"]["available"] if e["selected"]] == [answer["provider"]]
        assert route["attempt"] == 1 and route["requested"] == "t/m" and route["strategy"] == "direct"


def test_strategies(served, upstream):
    assert served.chat({"model": "gpt"}, ASKED)[2]["openrouter_metadata"]["strategy"] == "alias"
    with Remora(two_providers(upstream, "500", "503", MORE), environment=SECRETS) as remora:
        route = remora.chat({"model": "t/m", "models": ["t/other"]}, ASKED)[2]["openrouter_metadata"]
        assert route["strategy"] == "fallback" and route["attempt"] == 3
        assert [a["status"] for a in route["attempts"]] == [500, 503, 200]
    with Remora(two_providers(upstream, "500"), environment=SECRETS) as remora:
        route = remora.chat({"model": "t/m"}, ASKED)[2]["openrouter_metadata"]
        assert route["strategy"] == "fallback", "not the first choice"


UNKNOWN = {"model": "t/nobody", "reason": "MODEL_NOT_FOUND"}


def test_a_model_that_is_passed_over_is_told(served, schema):
    body = {"model": "t/nobody", "models": ["t/m"]}
    unary, stream = served.chat(body, ASKED)[2], served.stream(body, ASKED)
    for answer in (unary, stream.chunks[-1]):
        assert answer["remora"]["skipped"] == [UNKNOWN] and answer["remora"]["skipped_total"] == 1
        assert len(answer["remora"]["attempts"]) == 1
        route = answer["openrouter_metadata"]
        schema(route)
        assert route["strategy"] == "fallback" and route["skipped"] == [UNKNOWN]
    status, _, text = served.request("POST", "/v1/route/explain", {"messages": USER, **body}, port=served.admin_port)
    assert status == 200 and json.loads(text)["skipped"] == [UNKNOWN]
    assert served.metrics()['remora_skipped_total{provider="none",model="other",reason="MODEL_NOT_FOUND"}'] == 2


def test_an_endpoint_that_rests_is_passed_over_and_told(upstream, schema):
    with Remora(two_providers(upstream, "429-retry-60"), environment=SECRETS) as remora:
        first = remora.chat({"model": "t/m"}, ASKED)[2]
        assert "skipped" not in first["remora"] and len(first["remora"]["attempts"]) == 2
        assert first["openrouter_metadata"]["strategy"] == "fallback"
        rests = {"model": "t/m", "provider": "a", "endpoint_tag": "a", "reason": "CAPACITY_EXHAUSTED",
                 "excluded_by": "cooling", "layer": "POLICY_LAYER_HEALTH"}
        unary, stream = remora.chat({"model": "t/m"}, ASKED)[2], remora.stream({"model": "t/m"}, ASKED)
        for answer in (unary, stream.chunks[-1]):
            assert answer["remora"]["skipped"] == [rests] and len(answer["remora"]["attempts"]) == 1
            schema(answer["openrouter_metadata"])
            assert answer["openrouter_metadata"]["strategy"] == "fallback"
            assert answer["openrouter_metadata"]["skipped"] == [rests]
        assert remora.metrics()['remora_skipped_total{provider="a",model="t/m",reason="cooling"}'] == 2
        assert [line.get("skipped") for line in remora.wait_log("request", 3)] == [None, 1, 1]


def test_one_that_is_passed_over_when_its_turn_comes_leaves_no_hole(upstream):
    more = ('  t/three:\n    endpoints: [{provider: a, tag: a/one, model_id: "401"}, {provider: a, tag: a/two, model_id: ok}, '
            "{provider: b, model_id: ok}]\n")
    with Remora(two_providers(upstream, "ok", more=more), environment=SECRETS) as remora:
        body = {"model": "t/three"}
        assert [c["position"] for c in explained(remora, body)] == [1, 2, 3]
        answer = remora.chat(body, ASKED)[2]
        assert [s["endpoint_tag"] for s in answer["remora"]["skipped"]] == ["a/two"] and answer["provider"] == "b"
        assert [(c["endpoint_tag"], c["position"], c.get("excluded_by")) for c in answer["openrouter_metadata"]["candidates"]] == [
            ("a/one", 1, None), ("a/two", 0, "credential_benched"), ("b", 2, None)]


def test_labels_name_a_rule_without_its_colon(upstream):
    policy = "\npolicy: {provider: {max_price: {prompt: 0.0000001}}}\n"
    with Remora(two_providers(upstream, "ok", "ok", policy), environment=SECRETS) as remora:
        status, _, body = remora.chat({"model": "t/m"})
        assert status != 200 and "max_price:prompt" in json.dumps(body), "a cap below the grid is rounded down, to nothing"
        found = [name for name in remora.metrics() if name.startswith(("remora_policy_rejections_total", "remora_skipped_total"))]
        assert 'remora_policy_rejections_total{rule="max_price"}' in found
        assert not any(':"' in name for name in found), found


def test_failures_carry_it_beside_the_error(served, upstream, schema):
    status, _, body = served.chat({"model": "t/m", "provider": {"only": ["b"], "ignore": ["b"]}}, ASKED)
    assert status == 404 and body["openrouter_metadata"]["attempt"] == 0
    schema(body["openrouter_metadata"])
    assert body["openrouter_metadata"]["candidates"] == body["error"]["metadata"]["candidates"]
    assert "openrouter_metadata" not in served.chat({"model": "t/m", "temperature": "hot"}, ASKED)[2], "before routing"
    with Remora(two_providers(upstream, "reset", "cut-after-1"), environment=SECRETS) as remora:
        error = remora.stream({"model": "t/m"}, ASKED).chunks[-1]
        schema(error["openrouter_metadata"])
        assert error["error"]["code"] == 502 and [a["status"] for a in error["openrouter_metadata"]["attempts"]] == [502, 502]


def test_openrouter_s_sdk_reads_it(served):
    install(NODE)
    job = {"client": "openrouter", "baseURL": f"http://127.0.0.1:{served.http_port}/api/v1", "do": "chat", "metadata": True,
           "body": {"model": "t/m", "messages": USER}}
    for result in run_node([{**job, "stream": False}, {**job, "stream": True}]):
        assert result["metadata"]["requested"] == "t/m" and result["metadata"]["endpoints"]["total"] == 2
