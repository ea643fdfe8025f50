"""Explain on the admin listener, over gRPC and on the command line say the same, and what they say is what then happens."""
import hashlib
import json
import os
import random
import subprocess

import pytest

from gateway import SECRETS, USER, Remora
from upstream import build_dir

KEYS = {"a": "rk-" + "a" * 40, "b": "rk-" + "b" * 40}
ENVIRONMENT = {**SECRETS, **{f"HASH_{name}": hashlib.sha256(key.encode()).hexdigest() for name, key in KEYS.items()}}
PROVIDERS = ["p0", "p1", "p2", "p3", "p4"]
MODELS = {"t/m": ["p0", "p1", "p1/fast", "p2", "p3"], "t/n": ["p3", "p4", "p0/eu", "p2"], "u/m": ["p4/flex", "p2", "p1", "p0"],
          "u/one": ["p4"]}
TAGS = sorted({tag for tags in MODELS.values() for tag in tags} | set(PROVIDERS))
POLICIES = """
aliases: {best: t/n}
policy: {provider: {ignore: [p3/slow]}}
namespaces:
  shop: {models: {deny: [u/one]}}
services:
  checkout: {provider: {max_price: {completion: 60}}, models: {default: t/m}}
  strict: {provider: {order: [p2, p1], allow_fallbacks: false}}
  shut: {models: {allow: []}}
"""
GATEWAY_KEYS = """
keys:
  a: {service: checkout, hash: {env: HASH_a}, provider: {ignore: [p2]}}
  b: {service: strict, hash: {env: HASH_b}, models: {allow: [t/*]}}
"""


def world(upstream, behaviour, more=""):
    providers = "\n".join(f'  {p}: {{kind: openai, base_url: "{upstream.base_url}", api_key: {{env: A_SECRET}}, '
                          f'data_policy: {{training: {"true" if p in ("p1", "p4") else "false"}}}}}' for p in PROVIDERS)
    models = "\n".join(f"  {model}:\n    endpoints:\n" + "\n".join(
        f'    - {{provider: {tag.split("/")[0]}, tag: {tag}, model_id: "{behaviour}", quantization: {"fp8" if at % 2 else "bf16"}, '
        f'pricing: {{prompt: "0.00000{at + 1}", completion: "0.0000{at + 1}"}}}}' for at, tag in enumerate(tags))
        for model, tags in MODELS.items())
    return f"version: 1\nservice: checkout\nnamespace: shop\nproviders:\n{providers}\nmodels:\n{models}\n{POLICIES}{more}"


def draw(dice):
    """A request with preferences; some leave nothing."""
    body = {"messages": USER}
    names = dice.sample([*MODELS, "best", "one", "t/m:free", "t/mm"], dice.choice([1, 1, 2, 3]))
    if dice.random() < 0.9:
        body["model"] = names[0]
    if len(names) > 1 or "model" not in body:
        body["models"] = names[1:] or names
    if dice.random() < 0.1:
        body = {"messages": USER}
    provider = {}
    for key in ("order", "only", "ignore"):
        if dice.random() < (0.35 if key == "order" else 0.2):
            provider[key] = dice.sample(TAGS, dice.randint(1, 3))
    if dice.random() < 0.25:
        provider["allow_fallbacks"] = dice.random() < 0.4
    if dice.random() < 0.2:
        provider["data_collection"] = dice.choice(["allow", "deny"])
    if dice.random() < 0.15:
        provider["max_price"] = {dice.choice(["prompt", "completion"]): dice.choice([2, "3.5", 30])}
    if dice.random() < 0.15:
        provider["quantizations"] = dice.sample(["fp8", "bf16", "fp4"], dice.randint(1, 2))
    if dice.random() < 0.1:
        provider["zdr"] = dice.random() < 0.5
    if provider:
        body["provider"] = provider
    return body


def admin(remora, body, query="", headers=None):
    status, _, payload = remora.request("POST", "/v1/route/explain" + query, body, headers, port=remora.admin_port)
    return status, json.loads(payload)


def explain(remora, body, query="", headers=None):
    status, answer = admin(remora, body, query, headers)
    assert status == 200, answer
    return answer


def order_of(answer):
    found = sorted((c["position"], c["model"], c["endpoint_tag"]) for c in answer["candidates"] if c["position"])
    assert [position for position, _, _ in found] == list(range(1, len(found) + 1))
    return [(model, tag) for _, model, tag in found]


def expected_attempts(order):
    """At most 3 a model and 6 a request, one of them kept for each model still to come."""
    made = []
    for at, (model, tag) in enumerate(order):
        to_come = {later for later, _ in order[at + 1:]} - {model}
        if sum(m == model for m, _ in made) < 3 and len(made) + len(to_come) < 6:
            made.append((model, tag))
    return made


def test_what_explain_says_is_what_then_happens(upstream):
    """Every upstream fails, so every attempt that the plan allows is made, in its order, until health takes endpoints out."""
    seed = int(os.environ.get("REMORA_SEED", "20261129"))
    print(f"seed {seed}")
    dice = random.Random(seed)
    tried = emptied = 0
    with Remora(world(upstream, "500"), environment=ENVIRONMENT) as remora:
        for _ in range(120):
            body = draw(dice)
            answer = explain(remora, body)
            status, _, refused = remora.chat(body)
            error = refused["error"]
            attempts = [(a["model"], a["endpoint_tag"]) for a in error["metadata"].get("attempts", [])]
            order = order_of(answer)
            assert attempts == expected_attempts(order), (body, answer)
            tried += bool(attempts)
            if not order:
                emptied += 1
                assert error["metadata"]["reason"] == answer["reason"] and error["message"] == answer["message"]
                assert error["metadata"].get("candidates", []) == answer["candidates"]
            else:
                assert "reason" not in answer and status >= 500
        excluded = {c["excluded_by"] for c in explain(remora, {"model": "t/m", "messages": USER})["candidates"] if not c["position"]}
    assert tried >= 20 and emptied >= 20, (tried, emptied)
    assert "breaker_open" in excluded, "live health is a part of it"


def test_the_three_ways_say_the_same(upstream, stubs, tmp_path):
    import grpc
    from google.protobuf import json_format
    from remora.v1 import chat_pb2, gateway_pb2, gateway_pb2_grpc, routing_pb2
    dice = random.Random(7)
    config = tmp_path / "remora.yaml"
    config.write_text(world(upstream, "ok"))
    refused = 0
    with Remora(world(upstream, "ok"), environment=ENVIRONMENT) as remora:
        with grpc.insecure_channel(f"127.0.0.1:{remora.grpc_port}") as channel:
            stub = gateway_pb2_grpc.GatewayServiceStub(channel)
            for round_ in range(40):
                body = draw(dice)
                answer = explain(remora, body)
                reply = stub.ExplainRoute(gateway_pb2.ExplainRouteRequest(chat=chat_of(body, chat_pb2, routing_pb2)), timeout=20)
                as_json = json_format.MessageToDict(reply, preserving_proto_field_name=True)
                for candidate in as_json.setdefault("candidates", []):
                    candidate.setdefault("position", 0)  # proto3's JSON leaves zeros out, ours never does
                as_json.setdefault("resolved_models", [])
                assert as_json == answer, body
                refused += "reason" in answer
                if round_ % 5 == 0:
                    path = tmp_path / "request.json"
                    path.write_text(json.dumps(body))
                    offline = subprocess.run([str(build_dir() / "remora"), "route", "explain", "--config", str(config), "-f",
                                              str(path), "-o", "json"], capture_output=True, text=True, timeout=60,
                                             env={**os.environ, **ENVIRONMENT})
                    assert json.loads(offline.stdout) == answer
                    assert offline.returncode == (1 if "reason" in answer else 0)
    assert refused >= 3


def chat_of(body, chat_pb2, routing_pb2):
    """The proto's form of the same request."""
    given = body.get("provider", {})
    provider = routing_pb2.ProviderPreferences(**{k: given[k] for k in ("order", "only", "ignore", "quantizations",
                                                                        "allow_fallbacks") if k in given})
    if "zdr" in given:
        provider.zero_data_retention = given["zdr"]
    if "data_collection" in given:
        provider.data_collection = routing_pb2.DataCollection.Value("DATA_COLLECTION_" + given["data_collection"].upper())
    for key, value in given.get("max_price", {}).items():
        setattr(provider.max_price, key, str(value))
    message = chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=[chat_pb2.ContentPart(text="Hello")])
    chat = chat_pb2.ChatRequest(model=body.get("model", ""), messages=[message], provider=provider)
    chat.fallback_models.extend(body.get("models", []))
    return chat


@pytest.fixture(scope="module")
def keyed(upstream):
    with Remora(world(upstream, "ok", GATEWAY_KEYS), environment=ENVIRONMENT) as remora:
        yield remora


def rules(answer):
    return {c["endpoint_tag"]: (c["excluded_by"], c["layer"][len("POLICY_LAYER_"):]) for c in answer["candidates"]
            if not c["position"]}


BODY = {"model": "t/m", "messages": USER}


def test_whose_policy_is_named_by_query_or_header(keyed):
    assert explain(keyed, BODY)["service"] == "checkout"
    strict = explain(keyed, BODY, "?service=strict")
    assert strict["service"] == "strict" and order_of(strict) == [("t/m", "p2"), ("t/m", "p1"), ("t/m", "p1/fast")]
    assert rules(strict) == {"p0": ("not_in_order", "SERVICE"), "p3": ("not_in_order", "SERVICE")}
    assert explain(keyed, BODY, headers={"x-remora-service": "strict"}) == strict
    assert explain(keyed, BODY, "?service=%73trict", {"x-remora-service": "checkout"}) == strict
    assert explain(keyed, {"model": "u/one", "messages": USER}, "?namespace=shop")["reason"] == "MODEL_NOT_ALLOWED"
    assert explain(keyed, BODY, "?key=a")["service"] == "checkout"
    assert rules(explain(keyed, BODY, "?key=a")) == {"p2": ("ignored_provider", "KEY")}
    assert explain(keyed, {"model": "u/m", "messages": USER}, headers={"x-remora-key": "b"})["reason"] == "MODEL_NOT_ALLOWED"


def test_the_key_s_layer_is_what_its_caller_meets(keyed, stubs):
    import grpc
    from remora.v1 import chat_pb2, gateway_pb2, gateway_pb2_grpc, routing_pb2
    body = {**BODY, "provider": {"ignore": ["p0", "p1", "p3"]}}
    answer = explain(keyed, body, "?key=a")
    assert answer["reason"] == "CONSTRAINT_FILTERED" and rules(answer)["p2"] == ("ignored_provider", "KEY")
    status, _, refused = keyed.chat(body, {"Authorization": f"Bearer {KEYS['a']}"})
    assert status == 404 and refused["error"]["metadata"]["candidates"] == answer["candidates"]
    with grpc.insecure_channel(f"127.0.0.1:{keyed.grpc_port}") as channel:
        stub = gateway_pb2_grpc.GatewayServiceStub(channel)
        call = gateway_pb2.ExplainRouteRequest(chat=chat_of(body, chat_pb2, routing_pb2))
        reply = stub.ExplainRoute(call, metadata=[("authorization", f"Bearer {KEYS['a']}")], timeout=20)
        assert reply.reason == "CONSTRAINT_FILTERED" and len(reply.candidates) == len(answer["candidates"])
        with pytest.raises(grpc.RpcError) as refused:
            stub.ExplainRoute(call, timeout=20)
        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("query, text", [
    ("?service=strickt", "no service is called 'strickt'; did you mean 'strict'?"),
    ("?namespace=shopp", "no namespace is called 'shopp'; did you mean 'shop'?"),
    ("?key=c", "no key is called 'c'"),
    ("?key=a&service=strict", "the key is of another service"),
    ("?services=strict", "takes service=, namespace= and key= only"),
    ("?service", "takes service=, namespace= and key= only"),
])
def test_a_name_that_nobody_has_is_refused(keyed, query, text):
    status, answer = admin(keyed, BODY, query)
    assert status == 400 and text in answer["error"]["message"], answer


@pytest.mark.parametrize("body, param", [
    (b"{", None), ({"model": "t/m"}, "messages"), ({**BODY, "temperature": 9}, "temperature"),
    ({**BODY, "provider": {"only": ["P1x"]}}, "provider.only[0]"), ({**BODY, "api_base": "http://x"}, "api_base"),
])
def test_a_request_that_would_be_refused_is_refused_the_same(keyed, body, param):
    status, answer = admin(keyed, body)
    data_status, _, data = keyed.request("POST", "/v1/chat/completions", body, {"Authorization": f"Bearer {KEYS['a']}"})
    assert (status, answer) == (data_status, json.loads(data))
    assert status == 400 and answer["error"]["param"] == param


def test_only_the_admin_listener_explains(keyed):
    assert keyed.request("POST", "/v1/route/explain", BODY, {"Authorization": f"Bearer {KEYS['a']}"})[0] == 404
    assert keyed.request("GET", "/v1/route/explain", port=keyed.admin_port)[0] == 405
    status, _, _ = keyed.request("POST", "/v1/route/explain", BODY, {"Host": "evil.example"}, port=keyed.admin_port)
    assert status == 403


def test_nothing_goes_upstream(upstream, keyed):
    before = len(upstream.requests())
    explain(keyed, BODY)
    assert len(upstream.requests()) == before


def test_a_router_is_told_the_lowest_cap_of_all_layers(upstream):
    config = f"""
version: 1
providers:
  a: {{kind: openai, dialect: openrouter, base_url: "{upstream.base_url_of('ok')}", api_key: {{env: A_SECRET}}}}
models:
  t/m: {{endpoints: [{{provider: a, model_id: m, pricing: {{prompt: "0.000001", completion: "0.000002"}}}}]}}
policy: {{provider: {{max_price: {{prompt: 5}}}}}}
"""
    with Remora(config, environment=SECRETS) as remora:
        both = {"prompt": 2.5, "completion": 20}
        for asked, told in ((None, {"prompt": 5}), ({"prompt": 8}, {"prompt": 5}), (both, both)):
            answer = remora.chat({"model": "t/m", "messages": USER, **({"provider": {"max_price": asked}} if asked else {})})
            assert answer[0] == 200, answer
            assert upstream.last()["json"]["provider"]["max_price"] == told


def test_what_a_router_hears_not_is_told(upstream):
    config = f"""
version: 1
providers:
  a: {{kind: openai, dialect: openrouter, headquarters: FR, base_url: "{upstream.base_url_of('ok')}", api_key: {{env: A_SECRET}}}}
  requesty: {{base_url: "{upstream.base_url_of('ok')}", api_key: {{env: A_SECRET}}}}
  b: {{kind: openai, base_url: "{upstream.base_url_of('ok')}", api_key: {{env: A_SECRET}}}}
models:
  t/m: {{endpoints: [{{provider: a, model_id: m, pricing: {{prompt: "0", completion: "0"}}}}]}}
  t/r: {{endpoints: [{{provider: requesty, model_id: m, pricing: {{prompt: "0", completion: "0"}}}}]}}
"""
    narrow = {"only": ["a", "requesty", "b"], "ignore": ["b"], "order": ["a", "requesty", "b"], "allow_fallbacks": False,
              "quantizations": ["unknown"]}
    with Remora(config, environment=SECRETS) as remora:
        said = {}
        for model in ("t/m", "t/r"):
            status, _, answer = remora.chat({"model": model, "messages": USER, "provider": narrow})
            assert status == 200, answer
            said[model] = {one["field"] for one in answer["remora"]["dropped"]}, upstream.last()["json"].get("provider")
            alone = remora.chat({"model": model, "messages": USER, "provider": {"only": [{"t/m": "a", "t/r": "requesty"}[model]]}})
            assert "remora" not in alone[2], alone
        assert said["t/m"] == ({"provider.only", "provider.order"}, {"ignore": ["b"], "quantizations": ["unknown"]})
        assert said["t/r"] == ({"provider.only", "provider.order", "provider.ignore"}, None)
        for model, asked, rule in (("t/m", {"regions": ["FR"]}, "data_region"), ("t/r", {"regions": ["FR"]}, "data_region"),
                                   ("t/r", {"data_collection": "deny"}, "data_policy:training"), ("t/r", {"zdr": True}, "data_policy:zdr")):
            status, _, answer = remora.chat({"model": model, "messages": USER, "provider": asked})
            assert [one["excluded_by"] for one in answer["error"]["metadata"]["candidates"]] == [rule], answer
