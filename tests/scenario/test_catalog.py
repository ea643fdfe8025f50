"""GET models, endpoints, providers: OpenRouter's fields, and only what the service may use now.

Against OpenRouter's own OpenAPI document (beside the repository; CI=true fails without it), its SDK and openai's clients.
"""
import json

import jsonschema
import openai
import pytest
import yaml

from clients import NODE, install, missing, run_node
from gateway import SECRETS, Remora
from upstream import ROOT

CONFIG = """
version: 1
service: checkout
providers:
  a: {{kind: openai, base_url: "{url}", api_key: {{env: A_SECRET}}, data_policy: {{training: false, retains_prompts: false, zdr: true}}}}
  b: {{kind: openai, base_url: "{url}", api_key: {{env: B_SECRET}}}}
  nokey: {{kind: openai, base_url: "{url}", api_key: {{env: NOT_SET}}}}
  openai: {{api_key: {{env: A_SECRET}}}}
models:
  t/m:
    name: "T M"
    context_length: 1000
    modalities: {{input: [text], output: [text]}}
    endpoints:
      - {{provider: a, model_id: ok, pricing: {{prompt: "0.000001", completion: "0.000002"}}, max_completion_tokens: 100,
         pricing_tiers: [{{min_prompt_tokens: 500, prompt: "0.000003"}}]}}
      - {{provider: b, model_id: "429-retry-60", pricing: {{prompt: "0.000003", completion: "0.000004"}}, supported_parameters: [tools, max_tokens]}}
  t/unpriced: {{context_length: 5000, modalities: {{input: [text, image], output: [text]}}, endpoints: [{{provider: b, model_id: ok}}]}}
  t/nobody: {{endpoints: [{{provider: nokey, model_id: ok}}]}}
  t/denied: {{endpoints: [{{provider: a, model_id: ok}}]}}
aliases: {{gpt: t/m}}
services:
  checkout:
    models: {{deny: [t/denied]}}
"""


@pytest.fixture(scope="module")
def served(upstream):
    with Remora(CONFIG.format(url=upstream.base_url), environment=SECRETS) as remora:
        yield remora


def get(remora, path, expect=200):
    status, _, body = remora.request("GET", path)
    assert status == expect, (path, body)
    return json.loads(body)


@pytest.fixture(scope="module")
def schema():
    path = ROOT.parent / "shared/reference/openrouter-openapi.yaml"
    if not path.exists():
        missing("OpenRouter's OpenAPI document is not here")
    document = yaml.load(path.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    del document["components"]["schemas"]["ProviderName"]["enum"]  # OpenRouter's own providers: an operator has others

    validators = {}

    def check(body, path):
        if path in validators:
            validators[path].validate(body)
            return
        answer = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        validators[path] = jsonschema.Draft202012Validator({**answer, "components": document["components"]})
        validators[path].validate(body)
    return check


@pytest.mark.parametrize("base", ["/v1", "/api/v1"])
def test_answers_satisfy_openrouter_s_own_schemas(served, schema, base):
    """With openai's catalog models among them."""
    listed = get(served, base + "/models")
    schema(listed, "/models")
    assert len(listed["data"]) > 20 and listed["total_count"] == len(listed["data"]) and listed["links"]["next"] is None
    schema(get(served, base + "/models?output_modalities=all"), "/models")
    schema(get(served, base + "/models/user"), "/models/user")
    schema(get(served, base + "/models/count"), "/models/count")
    schema(get(served, base + "/providers"), "/providers")
    schema(get(served, base + "/endpoints/zdr"), "/endpoints/zdr")
    for model in listed["data"][::1 if base == "/api/v1" else 10]:
        schema(get(served, f"{base}/model/{model['id']}"), "/model/{author}/{slug}")
        schema(get(served, f"{base}/models/{model['id']}/endpoints"), "/models/{author}/{slug}/endpoints")


def test_only_what_the_service_may_use_is_listed(served):
    own = [m["id"] for m in get(served, "/v1/models?model_authors=t")["data"]]
    assert own == ["t/m", "t/unpriced"]
    assert {p["slug"] for p in get(served, "/v1/providers")["data"]} == {"a", "b", "openai"}
    assert [e["tag"] for e in get(served, "/v1/endpoints/zdr")["data"]] == ["a"]
    denied = get(served, "/v1/models/t/denied", 403)["error"]
    assert denied["metadata"]["reason"] == "MODEL_NOT_ALLOWED" and "POLICY_LAYER_SERVICE" in denied["message"]
    nobody = get(served, "/v1/models/t/nobody/endpoints", 404)["error"]
    assert nobody["metadata"]["reason"] == "NO_ENDPOINTS" and "no_credential" in nobody["message"]
    elsewhere = get(served, "/v1/model/anthropic/claude-opus-4.1", 404)["error"]
    assert elsewhere["metadata"]["reason"] == "NO_ENDPOINTS"


def test_what_is_listed_is_what_a_request_may_use(served):
    for model in get(served, "/v1/models?model_authors=t")["data"]:
        assert served.chat({"model": model["id"]})[0] == 200
    assert served.chat({"model": "t/denied"})[0] == 403 and served.chat({"model": "t/nobody"})[0] == 404


def test_fields_of_a_model(served):
    model = get(served, "/v1/models/t/m")
    assert model["object"] == "model" and model["owned_by"] == "t" and model["name"] == "T M"
    assert model["pricing"] == {"prompt": "0.000001", "completion": "0.000002",
                                "overrides": [{"min_prompt_tokens": 500, "prompt": "0.000003"}]}
    assert model["top_provider"] == {"context_length": 1000, "max_completion_tokens": 100, "is_moderated": False}
    assert model["architecture"]["modality"] == "text->text" and "temperature" in model["supported_parameters"]
    assert model["links"] == {"details": "/v1/models/t/m/endpoints"}
    assert get(served, "/api/v1/model/t/m")["data"]["links"] == {"details": "/api/v1/models/t/m/endpoints"}
    unpriced = get(served, "/v1/models/t/unpriced")["pricing"]
    assert unpriced == {"prompt": "-1", "completion": "-1"}, "not known is not 0"


def test_ids_in_every_spelling(served):
    for spelling in ("t/m", "t%2Fm", "gpt", "m"):
        assert get(served, f"/v1/models/{spelling}")["id"] == "t/m"
        assert get(served, f"/api/v1/model/{spelling}")["data"]["id"] == "t/m"
        assert get(served, f"/api/v1/models/{spelling}/endpoints")["data"]["id"] == "t/m"
    for wrong in ("/v1/models/t%2fm", "/v1/models/t%6D", "/v1/models/t/m/", "/v1/models/", "/v1/models//m", "/v1/model"):
        get(served, wrong, 404)
    error = get(served, "/v1/models/t/mm", 404)["error"]
    assert error["metadata"]["reason"] == "NOT_FOUND" and "did you mean 't/m'" in error["message"]
    assert served.request("DELETE", "/v1/models/t/m")[0] == 405
    get(served, "/v1/models/t/m:nitro", 501)


def test_endpoints_come_in_the_order_in_which_they_are_tried_and_say_when_they_rest(served):
    endpoints = get(served, "/v1/models/t/m/endpoints")["data"]["endpoints"]
    assert [(e["tag"], e["status"]) for e in endpoints] == [("a", 0), ("b", 0)]
    assert endpoints[1]["supported_parameters"] == ["max_tokens", "tools"]
    assert served.chat({"model": "t/m", "provider": {"only": ["b"]}})[0] == 429
    endpoints = get(served, "/v1/models/t/m/endpoints")["data"]["endpoints"]
    assert [(e["tag"], e["status"]) for e in endpoints] == [("a", 0), ("b", -1)]


def test_filters_order_and_pages(served):
    def ids(query):
        return [m["id"] for m in get(served, "/v1/models?model_authors=t&" + query)["data"]]
    assert ids("context=2000") == ["t/unpriced"]
    assert ids("max_price=2") == ["t/m"] and ids("min_price=1.5") == []
    assert ids("max_output_price=1.99") == [] and ids("min_output_price=2") == ["t/m"]
    assert ids("supported_parameters=temperature,tools") == ["t/m", "t/unpriced"]
    assert ids("q=T%20m") == ["t/m"] and ids("q=unpr") == ["t/unpriced"]
    assert ids("providers=A") == ["t/m"] and ids("zdr=true") == ["t/m"]
    assert ids("input_modalities=text,image") == ["t/unpriced"] and ids("output_modalities=image") == []
    assert ids("sort=context-high-to-low") == ["t/unpriced", "t/m"]
    assert ids("sort=pricing-high-to-low") == ["t/m", "t/unpriced"], "what has no price comes last"
    assert ids("max_price=&unknown=1") == ["t/m", "t/unpriced"]
    assert get(served, "/v1/models/count?model_authors=t&context=2000")["data"]["count"] == 1
    cheap = [float(m["pricing"]["prompt"]) + float(m["pricing"]["completion"])
             for m in get(served, "/v1/models?sort=pricing-low-to-high")["data"] if m["pricing"]["prompt"] != "-1"]
    assert cheap == sorted(cheap) and len(cheap) > 20
    seen, path = [], "/api/v1/models?limit=7&output_modalities=all"
    while path:
        page = get(served, path)
        assert len(page["data"]) <= 7
        seen += [m["id"] for m in page["data"]]
        path = page["links"]["next"]
    assert seen == [m["id"] for m in get(served, "/v1/models?output_modalities=all")["data"]]


@pytest.mark.parametrize("query, status, param", [
    ("limit=0", 400, "limit"), ("limit=1001", 400, "limit"), ("offset=-1", 400, "offset"), ("context=many", 400, "context"),
    ("output_modalities=smell", 400, "output_modalities"), ("supported_parameters=warp", 400, "supported_parameters"),
    ("max_price=1e999", 400, "max_price"), ("zdr=no", 400, "zdr"), ("sort=size", 400, "sort"),
    ("sort=most-popular", 501, "sort"), ("category=legal", 501, "category"), ("use_rss=true", 501, "use_rss"),
    ("min_coding_index=5", 501, "min_coding_index"),
])
def test_a_query_that_cannot_be_answered_is_refused_by_name(served, query, status, param):
    error = get(served, "/v1/models?" + query, status)["error"]
    assert error["param"] == param and error["code"] == status


def test_the_official_clients_read_the_catalog(served):
    install(NODE)
    v1, api = (f"http://127.0.0.1:{served.http_port}{base}" for base in ("/v1", "/api/v1"))
    python = openai.OpenAI(base_url=v1, api_key="unused", max_retries=0)
    listed = [m.id for m in python.models.list()]
    assert "t/m" in listed and python.models.retrieve("t/m").owned_by == "t"
    with pytest.raises(openai.NotFoundError, match="did you mean"):
        python.models.retrieve("t/mm")
    jobs = [{"client": "openai", "baseURL": v1, "do": "models"}, {"client": "openai", "baseURL": v1, "do": "model", "id": "t/m"}]
    jobs += [{"client": "openrouter", "baseURL": api, "do": do, "id": "t/m"}
             for do in ("models", "user_models", "model", "count", "endpoints", "zdr", "providers")]
    jobs += [{"client": "openrouter", "baseURL": api, "do": "models", "query": {"limit": 7, "sort": "newest"}}]
    results = run_node(jobs)
    assert [r for r in results if "error" in r] == []
    models, model, listing, user, one, count, endpoints, zdr, providers, paged = results
    assert models["ids"] == listed == listing["ids"] == user["ids"] and sorted(paged["ids"]) == sorted(listed)
    assert model == {"id": "t/m", "owned_by": "t"} and one == {"id": "t/m"} and count["count"] == len(listed)
    assert endpoints == {"id": "t/m", "tags": ["a", "b"]} and zdr["tags"] == ["a"] and providers["slugs"] == ["a", "b", "openai"]
