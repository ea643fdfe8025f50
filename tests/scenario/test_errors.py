"""Every row of the table of outcomes that can be brought about over HTTP: status, words and lists where codes.md has them."""
import json
import re

import pytest

from gateway import SECRETS, Remora
from upstream import ROOT

CODES = (ROOT / "include/remora/tbl/codes.h").read_text()
ROWS = {name: {"status": int(status), "error_type": error_type, "type": openai_type, "availability": availability.strip('"')}
        for name, status, error_type, openai_type, availability in re.findall(
            r'REMORA_CODE\((\w+), (\d+), \d+, "(\w+)", "(\w+)", ("\w+"|NULL)', CODES)}

# model -> behaviours of its two endpoints
UPSTREAM = {
    "CONTEXT_LENGTH": ("400-context", "400-context@b"), "UPSTREAM_REFUSED_REQUEST": ("400", "422"),
    "MODEL_UNAVAILABLE_UPSTREAM": ("404", "404@b"), "CONTENT_POLICY": ("400-filter", "400-filter@b"),
    "CAPACITY_EXHAUSTED": ("429-retry-7", "429-retry-9"), "UPSTREAM_UNAVAILABLE": ("reset", "fin"),
    "UPSTREAM_OVERLOADED": ("500", "503"), "UPSTREAM_TIMEOUT": ("silent", "silent@b"), "DEADLINE": ("hold", "hold@b"),
    "STREAM_BROKEN": ("cut-after-1", "ok"), "CREDENTIAL": ("401", "403"),
}
# What a request to t/ok asks for.
REQUESTS = {
    "INVALID_REQUEST": {"temperature": "hot"}, "MODEL_NOT_FOUND": {"model": "t/okk"}, "UNIMPLEMENTED": {"plugins": [{}]},
    "MODEL_NOT_ALLOWED": {"model": "t/denied"}, "PRIVACY_RESTRICTED": {"provider": {"data_collection": "deny"}},
    "CONSTRAINT_FILTERED": {"provider": {"only": ["b"], "ignore": ["b"]}}, "NO_ENDPOINTS": {"model": "anthropic/claude-opus-4.1"},
    "REGION_RESTRICTED": {"provider": {"regions": ["eu"]}},
}
ELSEWHERE = {
    "UNAUTHENTICATED": "test_keys.py", "RATE_LIMITED": "needs limits: tests of the callers' limits",
    "REQUEST_TIMEOUT": "takes ten seconds: front_http_head_test", "SHEDDING": "front_http_chat_test, engine_admission_test",
    "DRAINING": "test_process.py", "CLIENT_GONE": "never written: test_http.py", "INTERNAL": "our bugs: skin_chat_stream_test",
    "PERMISSION_DENIED": "nothing refuses with it yet",
    "WRONG_ENDPOINT": "comes with embeddings", "PAYMENT_REQUIRED": "comes with budgets", "CONFLICT": "comes with idempotency keys",
    "MODEL_DEPRECATED": "the catalog has no such fact",
}


def configuration(base_url, kinds):
    """A model of UPSTREAM for each row and kind of asking: endpoints that failed rest, and so do keys that were refused."""
    def model(kind, name, first, second):
        key = f"-key-{kind}" if name == "CREDENTIAL" else ""
        return (f"\n  {kind}/{name.lower().replace('_', '-')}:\n    endpoints: [{{provider: a{key}, model_id: {first}}}, "
                f"{{provider: b{key}, model_id: {second}}}]")

    models = "".join(model(kind, name, *both) for name, both in UPSTREAM.items() for kind in kinds)
    providers = "".join(f'  {name}: {{kind: openai, base_url: "{base_url}", api_key: {{env: A_SECRET}}}}\n'
                        for name in ("a", "b", *(f"{ab}-key-{kind}" for ab in "ab" for kind in kinds)))
    return f"""
version: 1
service: checkout
deadlines: {{first_byte_ms: 300, response_ms: 300}}
providers:
{providers}
models:
  t/ok: {{endpoints: [{{provider: a, model_id: ok}}, {{provider: b, model_id: ok}}]}}
  t/denied: {{endpoints: [{{provider: a, model_id: ok}}]}}{models}
services: {{checkout: {{models: {{deny: [t/denied]}}}}}}
"""


@pytest.fixture(scope="module")
def served(upstream):
    with Remora(configuration(upstream.base_url, ("unary", "stream")), environment=SECRETS) as remora:
        yield remora


def assert_row(reason, status, error):
    row = ROWS[reason]
    assert error["metadata"]["reason"] == reason, error
    assert status == row["status"] and error["code"] == (502 if reason == "STREAM_BROKEN" else status)
    assert error["http_status"] == error["code"]
    assert error["type"] == row["type"] and error["message"] and "param" in error
    assert error["error_type"] == error["metadata"]["error_type"] == row["error_type"]
    assert row["availability"] == "NULL" or error["availability"]["code"] == row["availability"]
    assert "canary" not in json.dumps(error)
    if "availability" in error:
        page, anchor = error["availability"]["docs_url"].split("#")
        assert f'<a id="{anchor}"></a>`{reason}`' in (ROOT / page).read_text()


@pytest.mark.parametrize("is_stream", [False, True], ids=["unary", "stream"])
@pytest.mark.parametrize("reason", [name for name in UPSTREAM if name not in ("STREAM_BROKEN", "CREDENTIAL", "DEADLINE")])
def test_what_providers_did_with_every_attempt(served, reason, is_stream):
    body = {"model": f"{'stream' if is_stream else 'unary'}/{reason.lower().replace('_', '-')}", "stream": is_stream}
    status, headers, answer = served.chat(body)
    error = answer["error"]
    assert_row(reason, status, error)
    attempts = error["metadata"]["attempts"]
    assert {a["provider"] for a in attempts} <= {"a", "b"} and all(a["reason"] in ROWS for a in attempts)
    if "availability" in error:
        assert error["availability"]["affected_providers"] == list(dict.fromkeys(a["provider"] for a in attempts))
    assert len(attempts) == (1 if reason in ("CONTENT_POLICY", "CONTEXT_LENGTH") else 2)
    if reason == "CAPACITY_EXHAUSTED":
        assert headers["retry-after"] == "7" and error["availability"]["retry_after"] == 7 and error["availability"]["retryable"]
        status, headers, answer = served.chat(body)  # they rest: no attempt is made
        assert status == 429 and answer["error"]["availability"]["excluded_by"] == ["cooling"] and headers["retry-after"] in "67"
        assert {c["layer"] for c in answer["error"]["metadata"]["candidates"]} == {"POLICY_LAYER_HEALTH"}
    if reason == "MODEL_UNAVAILABLE_UPSTREAM":
        status, headers, answer = served.chat(body)  # they rest, and say why: nothing that waiting would cure
        assert_row(reason, status, answer["error"])
        assert answer["error"]["availability"]["excluded_by"] == ["model_gone"] and "retry-after" not in headers
    if reason == "UPSTREAM_REFUSED_REQUEST":
        assert error["message"].startswith("The provider refused the request: ")


def test_our_own_credential_is_never_shown_as_the_caller_s(served):
    status, headers, answer = served.chat({"model": "unary/credential"})
    assert_row("UPSTREAM_CREDENTIAL", status, answer["error"])
    assert headers["x-should-retry"] == "false" and len(answer["error"]["metadata"]["attempts"]) == 2


@pytest.mark.parametrize("reason", REQUESTS)
def test_what_the_request_or_the_policy_asked_for(served, reason):
    status, headers, answer = served.chat({"model": "t/ok", **REQUESTS[reason]})
    error = answer["error"]
    assert_row(reason, status, error)
    assert "attempts" not in error["metadata"], "nothing went upstream"
    if reason in ("MODEL_NOT_ALLOWED", "REGION_RESTRICTED", "PRIVACY_RESTRICTED", "CONSTRAINT_FILTERED"):
        candidates = error["metadata"]["candidates"]
        assert len(candidates) == (1 if reason == "MODEL_NOT_ALLOWED" else 2)
        assert error["availability"]["requested_models"] == [REQUESTS[reason].get("model", "t/ok")]
        assert all(c["excluded_by"] and c["layer"].startswith("POLICY_LAYER_") and c["position"] == 0 for c in candidates)
        assert error["availability"]["excluded_by"] == list(dict.fromkeys(c["excluded_by"] for c in candidates))
        assert headers["x-should-retry"] == "false"
    else:
        expected = {"INVALID_REQUEST": "temperature", "UNIMPLEMENTED": "plugins"}.get(reason, "model")
        assert error["param"] == expected


def test_deadline_broken_stream_paths_and_sizes(served):
    status, _, answer = served.chat({"model": "unary/deadline"}, {"x-request-timeout-ms": "100"})
    assert_row("DEADLINE", status, answer["error"])
    stream = served.stream({"model": "stream/stream-broken"})
    assert_row("STREAM_BROKEN", stream.status, stream.error())
    for method, path, reason in (("GET", "/v1/nothing", "NOT_FOUND"), ("POST", "/v1/audio/speech", "NOT_FOUND"),
                                 ("GET", "/v1/chat/completions", "METHOD_NOT_ALLOWED")):
        status, headers, body = served.request(method, path)
        assert_row(reason, status, json.loads(body)["error"])
        assert (headers.get("allow") == "POST") == (reason == "METHOD_NOT_ALLOWED")
    for name in ("completions", "responses", "messages", "embeddings", "key", "keys", "credits", "generation", "responses/resp_1"):
        for prefix in ("/v1/", "/api/v1/"):
            status, _, body = served.request("POST", prefix + name)
            assert_row("UNIMPLEMENTED", status, json.loads(body)["error"])
            assert f"{prefix}{name} is not built yet" in json.loads(body)["error"]["message"]
    for name in ("keyring", "generations", "message"):
        assert served.request("GET", f"/v1/{name}")[0] == 404
    huge = {"Content-Type": "application/json", "Content-Length": str(40 << 20)}
    status, _, body = served.request("POST", "/v1/chat/completions", b"", huge)
    assert_row("TOO_LARGE", status, json.loads(body)["error"])


def test_every_row_of_the_table_is_asked_for_here_or_named(served):
    here = (set(UPSTREAM) | set(REQUESTS) | {"UPSTREAM_CREDENTIAL", "NOT_FOUND", "METHOD_NOT_ALLOWED", "TOO_LARGE"}) - {"CREDENTIAL"}
    assert not here & set(ELSEWHERE) and here | set(ELSEWHERE) == set(ROWS)


@pytest.mark.parametrize(("body", "constraint", "affected"), [
    ({"provider": {"only": ["a"], "ignore": ["a"]}}, {"field": "provider.ignore", "detail":
        "ignored_provider of POLICY_LAYER_REQUEST removed 1 of 2 endpoints"}, ["a", "b"]),
    ({"provider": {"max_price": {"prompt": 1}}}, {"field": "provider.max_price.prompt", "detail":
        "max_price:prompt of POLICY_LAYER_REQUEST removed 2 of 2 endpoints"}, ["a", "b"]),
    ({"model": "t/denied"}, {"field": "models", "detail":
        "model_allow_list of POLICY_LAYER_SERVICE removed 1 of 1 endpoints"}, ["a"]),
])
def test_availability_names_what_would_have_to_change(served, body, constraint, affected):
    availability = served.chat({"model": "t/ok", **body})[2]["error"]["availability"]
    assert availability["constraint"] == constraint and availability["affected_providers"] == affected
    assert "fallback_models" not in availability


def test_availability_names_the_further_models(served):
    availability = served.chat({"model": "t/okk", "models": ["t/denied", "t/none"]})[2]["error"]["availability"]
    assert availability["requested_models"] == ["t/okk", "t/denied", "t/none"]
    assert availability["fallback_models"] == ["t/denied", "t/none"]
