"""`remora route explain` says who would be tried; a real request is then served by exactly that one."""
import json
import os
import subprocess

import pytest

from gateway import SECRETS, USER, Remora, two_providers
from upstream import build_dir

NO_KEYS = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY") and "proxy" not in k.lower()}


def tool(*arguments):
    return subprocess.run([str(build_dir() / "remora"), *arguments], capture_output=True, text=True, timeout=60,
                          env={**NO_KEYS, **SECRETS})


class Explained:
    def __init__(self, folder, config, body, *options):
        config_path, request_path = folder / "remora.yaml", folder / "request.json"
        config_path.write_text(config)
        request_path.write_text(body if isinstance(body, str) else json.dumps({"messages": USER, **body}))
        arguments = ["route", "explain", "--config", str(config_path), "-f", str(request_path), *options]
        json_result, text_result = tool(*arguments, "-o", "json"), tool(*arguments)
        assert json_result.returncode == text_result.returncode
        self.status, self.errors, self.text = json_result.returncode, json_result.stderr, text_result.stdout
        self.answer = json.loads(json_result.stdout) if json_result.stdout else None

    def tried(self):
        found = sorted((c["position"], c["endpoint_tag"]) for c in self.answer["candidates"] if c["position"])
        assert [position for position, _ in found] == list(range(1, len(found) + 1))
        return [tag for _, tag in found]

    def out(self):
        return {c["endpoint_tag"]: (c["excluded_by"], c["layer"]) for c in self.answer["candidates"] if not c["position"]}


LAYERS = """
policy: {provider: {ignore: [b]}}
services:
  shy: {provider: {ignore: [a, b]}}
"""


@pytest.mark.parametrize("provider, tried, out", [
    ({}, ["a", "b"], {}),
    ({"ignore": ["a"]}, ["b"], {"a": ("ignored_provider", "POLICY_LAYER_REQUEST")}),
    ({"only": ["b"]}, ["b"], {"a": ("allowed_providers", "POLICY_LAYER_REQUEST")}),
    ({"order": ["b"]}, ["b", "a"], {}),
    ({"order": ["b"], "allow_fallbacks": False}, ["b"], {"a": ("not_in_order", "POLICY_LAYER_REQUEST")}),
    ({"max_price": {"prompt": 2}}, ["a"], {"b": ("max_price:prompt", "POLICY_LAYER_REQUEST")}),
], ids=str)
def test_the_first_position_is_who_answers(upstream, tmp_path, provider, tried, out):
    config = two_providers(upstream, "ok")
    body = {"model": "t/m", **({"provider": provider} if provider else {})}
    explained = Explained(tmp_path, config, body)
    assert explained.status == 0, explained.errors
    assert explained.tried() == tried
    assert explained.out() == out
    assert explained.answer["resolved_models"] == ["t/m"]
    assert explained.answer["service"] == "checkout"
    assert explained.answer["effective_data_collection"] == "DATA_COLLECTION_ALLOW"
    with Remora(config, environment=SECRETS) as remora:
        status, _, answer = remora.chat(body)
        assert status == 200, answer
        assert answer["provider"] == tried[0]


def test_what_explain_says_of_an_empty_plan_the_request_is_refused_with(upstream, tmp_path):
    config = two_providers(upstream, "ok", more=LAYERS)
    body = {"model": "t/m", "provider": {"ignore": ["a"]}}
    explained = Explained(tmp_path, config, body)
    assert explained.status == 1
    assert "CONSTRAINT_FILTERED" in explained.errors
    with Remora(config, environment=SECRETS) as remora:
        status, _, answer = remora.chat(body)
    assert status == 404
    assert answer["error"]["metadata"]["candidates"] == explained.answer["candidates"]


def test_every_layer_is_named_and_the_outermost_wins(upstream, tmp_path):
    config = two_providers(upstream, "ok", more=LAYERS)
    assert Explained(tmp_path, config, {"model": "t/m"}).out() == {"b": ("ignored_provider", "POLICY_LAYER_MESH")}
    shy = Explained(tmp_path, config, {"model": "t/m"}, "--service", "shy")
    assert shy.status == 1
    assert shy.answer["service"] == "shy"
    assert shy.out() == {"a": ("ignored_provider", "POLICY_LAYER_SERVICE"), "b": ("ignored_provider", "POLICY_LAYER_MESH")}
    assert "ignored_provider (POLICY_LAYER_SERVICE)" in shy.text


def test_positions_are_continuous_over_models(upstream, tmp_path):
    more = "  t/n: {endpoints: [{provider: b, model_id: ok, tag: b/n}]}\n"
    explained = Explained(tmp_path, two_providers(upstream, "ok", more=more), {"models": ["t/m", "t/n"]})
    assert explained.answer["resolved_models"] == ["t/m", "t/n"]
    assert explained.tried() == ["a", "b", "b/n"]


def test_an_unknown_model_leaves_nothing(upstream, tmp_path):
    explained = Explained(tmp_path, two_providers(upstream, "ok"), {"model": "t/mm"})
    assert explained.status == 1
    assert explained.answer["candidates"] == [] and explained.answer["resolved_models"] == []
    assert "MODEL_NOT_FOUND" in explained.errors


@pytest.mark.parametrize("body", ["{", '{"model": "t/m"}', '{"model": 1, "messages": []}',
                                  json.dumps({"model": "t/m", "messages": USER, "temperature": 9}),
                                  json.dumps({"model": "t/m", "messages": USER, "provider": {"only": ["nobody"]}})])
def test_a_bad_request_is_said(upstream, tmp_path, body):
    explained = Explained(tmp_path, two_providers(upstream, "ok"), body)
    assert explained.status == 2
    assert explained.answer is None
    assert explained.errors.startswith("remora: INVALID_REQUEST")


def test_bad_files_and_options_are_said(tmp_path):
    absent = str(tmp_path / "absent")
    broken = tmp_path / "broken.yaml"
    broken.write_text("provider: {}\n")
    for arguments in (["--config", absent, "-f", absent], ["--config", str(broken), "-f", absent], ["-f", absent], [],
                      ["-f"], ["-f", absent, "-o", "yaml"], ["--what", "x"]):
        result = tool("route", "explain", *arguments)
        assert result.returncode == 2 and result.stderr and not result.stdout, arguments
    assert tool("route").returncode == 2
    assert tool("route", "expel").returncode == 2


def test_the_lists_say_what_is_usable_and_why_the_rest_is_not(upstream, tmp_path):
    path = tmp_path / "remora.yaml"
    path.write_text(two_providers(upstream, "ok", more="  t/n: {endpoints: [{provider: c, model_id: ok}]}\n").replace(
        "models:\n", "  c: {kind: anthropic, base_url: 'http://127.0.0.1:1', api_key: {env: A_SECRET}}\n"
        "  d: {kind: openai, base_url: 'http://127.0.0.1:1', api_key: {env: REMORA_TEST_UNSET}}\nmodels:\n", 1))
    models = tool("models", "--config", str(path))
    assert models.returncode == 0
    lines = {line.split()[0]: line for line in models.stdout.splitlines()}
    assert "2/2" in lines["t/m"]
    assert "0/1" in lines["t/n"] and "unsupported_wire (POLICY_LAYER_CATALOG)" in lines["t/n"]
    providers = tool("providers", "--config", str(path))
    assert providers.returncode == 0
    lines = {line.split()[0]: line for line in providers.stdout.splitlines()}
    assert lines["a"].endswith("usable") and lines["b"].endswith("usable")
    assert "unsupported_wire" in lines["c"]
    assert "REMORA_TEST_UNSET is not set" in lines["d"]
    assert "groq" not in lines
    assert "groq" in tool("providers", "--config", str(path), "--all").stdout
    assert tool("models", "--config", str(tmp_path / "absent")).returncode == 2
    assert SECRETS["A_SECRET"] not in models.stdout + providers.stdout


def test_the_lists_leave_out_what_an_order_without_fallbacks_does(upstream, tmp_path):
    path = tmp_path / "remora.yaml"
    path.write_text(two_providers(upstream, "ok", more="  t/n: {endpoints: [{provider: b, model_id: ok}]}\n"
                                  "services: {checkout: {provider: {order: [a], allow_fallbacks: false}}}\n"))
    lines = {line.split()[0]: line for line in tool("models", "--config", str(path)).stdout.splitlines()}
    assert "1/2" in lines["t/m"]
    assert "0/1" in lines["t/n"] and "not_in_order (POLICY_LAYER_SERVICE)" in lines["t/n"]
    providers = tool("providers", "--config", str(path)).stdout
    lines = {line.split()[0]: line for line in providers.splitlines()}
    assert lines["a"].endswith("usable")
    assert "not_in_order (POLICY_LAYER_SERVICE): nothing of it is left for service checkout" in lines["b"]
    assert "1 of 2 configured providers are usable" in providers


CATALOG = "version: 1\nproviders:\n  openai: {api_key: {env: A_SECRET}}\n  helicone: {api_key: {env: A_SECRET}}\n"


@pytest.mark.parametrize("name, value", [
    ("user", "ann"), ("n", 2), ("service_tier", "flex"), ("prompt_cache_key", "k"), ("safety_identifier", "ann"),
    ("prediction", {"type": "content", "content": "x"}), ("parallel_tool_calls", False)])
def test_a_catalog_endpoint_that_would_drop_what_its_list_has_no_word_for_is_out_where_all_is_required(tmp_path, name, value):
    body = {"model": "openai/gpt-4o-mini", name: value}
    only = {"only": ["openai", "helicone"]}
    assert sorted(Explained(tmp_path, CATALOG, {**body, "provider": only}).tried()) == ["helicone", "openai"]
    required = Explained(tmp_path, CATALOG, {**body, "provider": {**only, "require_parameters": True}})
    assert required.tried() == ["openai"]
    assert required.out()["helicone"] == (f"require_parameters:{name}", "POLICY_LAYER_REQUEST")
