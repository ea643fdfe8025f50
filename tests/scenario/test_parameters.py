"""What an application's request becomes: the official openai client in front, the fault server's view behind."""
import base64
import hashlib
import json

import openai
import pytest

from gateway import SECRETS, USER, Remora, two_providers

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40).decode()
WAV = base64.b64encode(b"RIFF" + bytes(3000)).decode()
PDF = base64.b64encode(b"%PDF-1.7\n" + bytes(6000)).decode()


@pytest.fixture(scope="module")
def gateway(upstream):
    with Remora(two_providers(upstream, "ok"), environment=SECRETS) as remora:
        yield remora


def ask(gateway, upstream, messages=USER, **kwargs):
    """The body that the provider saw."""
    upstream.reset()
    client = openai.OpenAI(base_url=gateway.base_url, api_key="unused", max_retries=0)
    reply = client.chat.completions.create(model="t/m", messages=messages, **kwargs)
    return upstream.last()["json"], reply


def test_media_reach_the_provider_byte_for_byte(gateway, upstream):
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "high"}},
        {"type": "image_url", "image_url": {"url": "https://images.example/cat.jpg?size=1"}},
        {"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "video_url", "video_url": {"url": "https://films.example/a.mp4"}},
    ]
    body, _ = ask(gateway, upstream, [{"role": "user", "content": parts}])
    assert body["messages"] == [{"role": "user", "content": parts}]


def test_a_provider_is_never_asked_to_look_inside(gateway, upstream):
    upstream.reset()
    for url in ("http://169.254.169.254/latest/meta-data/", "http://localhost:1/", "http://metadata.google.internal/",
                "http://Metadata.Google.Internal.:80/computeMetadata/v1/", "http://instance-data.ec2.internal/", "file:///etc/passwd",
                "data:text/html;base64,AAAA", "data:image/png;base64,not base64"):
        with pytest.raises(openai.BadRequestError) as e:
            ask(gateway, upstream, [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}])
        assert e.value.param == "messages[0].content[0].image_url.url"
    assert upstream.last() is None


def test_structured_output_reasoning_and_options(gateway, upstream):
    schema = {"type": "object", "properties": {"z": {"type": "number"}, "a": {"const": 1.50}}, "required": ["z"]}
    body, _ = ask(
        gateway, upstream, response_format={"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": schema}},
        reasoning_effort="low", seed=7, n=2, logprobs=True, top_logprobs=3, logit_bias={"50256": -100}, service_tier="flex",
        verbosity="low", prediction={"type": "content", "content": "x"}, parallel_tool_calls=False, prompt_cache_key="k",
        user="ann@a.example", safety_identifier="ann", metadata={"team": "pay"}, store=False, web_search_options={},
        extra_body={"session_id": "s", "trace": {"trace_id": "t"}, "top_k": 40, "min_p": 0.1, "guided_regex": "[a-z]+"})
    assert body["response_format"]["json_schema"]["schema"] == schema
    assert list(body["response_format"]["json_schema"]["schema"]["properties"]) == ["z", "a"]
    for name, value in {"reasoning_effort": "low", "seed": 7, "n": 2, "logprobs": True, "top_logprobs": 3,
                        "logit_bias": {"50256": -100}, "service_tier": "flex", "verbosity": "low",
                        "prediction": {"type": "content", "content": "x"}, "parallel_tool_calls": False,
                        "prompt_cache_key": "k", "store": False, "web_search_options": {}, "top_k": 40, "min_p": 0.1,
                        "guided_regex": "[a-z]+"}.items():
        assert body[name] == value, name
    pseudonym = "user-" + hashlib.sha256(b"\0default\0ann@a.example\0").hexdigest()[:32]
    assert body["user"].startswith("user-") and len(body["user"]) == len(pseudonym)
    assert body["safety_identifier"] != body["user"] and "ann" not in json.dumps(body)
    assert not {"session_id", "trace", "metadata"} & set(body), "kept here"


def test_a_tool_turn_makes_the_round_trip(gateway, upstream):
    details = [{"type": "reasoning.encrypted", "data": "Zm9v", "id": None, "format": "f", "index": 0, "later": [1.0]}]
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": None, "refusal": None, "annotations": [], "audio": None, "function_call": None,
         "reasoning_details": details,
         "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}]},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "warm"}]},
        {"role": "assistant", "content": "It is"},
    ]
    tools = [{"type": "function", "function": {"name": "f", "strict": True, "parameters": {"b": 1, "a": 2}}}]
    body, _ = ask(gateway, upstream, messages, tools=tools, tool_choice={"type": "function", "function": {"name": "f"}})
    assert body["tools"] == tools and body["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    assert [m["role"] for m in body["messages"]] == ["system", "user", "assistant", "tool", "assistant"]
    assert body["messages"][2]["tool_calls"] == messages[2]["tool_calls"]
    assert body["messages"][2]["reasoning_details"] == details
    assert json.dumps(details)[1:-1].encode() in upstream.last()["body"].replace(b'":', b'": ').replace(b',"', b', "')
    assert body["messages"][3]["content"] == "warm" and body["messages"][4]["content"] == "It is"


@pytest.mark.parametrize("places", ("block", "call", "both"))
def test_the_signature_of_a_gemini_call_makes_the_round_trip(gateway, upstream, places):
    extra = {"google": {"thought_signature": "SIGNATURE"}}
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    block = {"type": "reasoning.encrypted", "data": "SIGNATURE", "id": "c1", "format": "google-gemini-v1", "index": 0}
    said = {"tool_calls": [call if places == "block" else call | {"extra_content": extra}],
            **({} if places == "call" else {"reasoning_details": [block]})}
    body, _ = ask(gateway, upstream, [*USER, {"role": "assistant", "content": None} | said,
                                      {"role": "tool", "tool_call_id": "c1", "content": "warm"}])
    assert body["messages"][1] == {"role": "assistant", "content": None, "tool_calls": [call | {"extra_content": extra}]}


def test_bad_orders_are_told_before_anybody_is_asked(gateway, upstream):
    upstream.reset()
    call = {"role": "assistant", "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}
    for messages, param in (([], "messages"), ([{"role": "robot", "content": "x"}], "messages[0].role"),
                            ([{"role": "tool", "tool_call_id": "c1", "content": "x"}], "messages[0]"),
                            ([call, *USER], "messages[0]"), ([*USER, call], "messages[1]")):
        status, _, body = gateway.chat({"model": "t/m", "messages": messages})
        assert (status, body["error"]["param"]) == (400, param)
    status, _, payload = gateway.request("POST", "/v1/chat/completions", {"model": "t/m"})
    assert status == 400 and json.loads(payload)["error"]["param"] == "messages"
    assert upstream.last() is None


def test_what_comes_later_answers_501_by_name(gateway):
    for field, value in {"plugins": [{"id": "web"}], "preset": "p", "provider": {"sort": "price"}, "route": "sort",
                         "transforms": ["middle-out"], "tools": [{"type": "openrouter:web_search"}], "prompt": "x",
                         "debug": {"echo_upstream_body": True}}.items():
        status, _, body = gateway.chat({"model": "t/m", field: value})
        assert status == 501 and body["error"]["param"].split(".")[0].split("[")[0] == field, body
    for field in ("api_base", "Base_URL", "api_key"):
        status, _, body = gateway.chat({"model": "t/m", field: "http://evil.example"})
        assert status == 400 and body["error"]["param"] == field


CONFIG = """
providers:
  a: {{kind: openai, dialect: mistral, base_url: "{base}", api_key: {{env: A_SECRET}}}}
models:
  t/text: {{modalities: {{input: [text]}}, endpoints: [{{provider: a, model_id: ok}}]}}
  t/all: {{endpoints: [{{provider: a, model_id: ok}}]}}
"""


def test_dropped_fields_are_told_and_modalities_are_kept(upstream):
    with Remora("version: 1" + CONFIG.format(base=upstream.base_url), environment=SECRETS) as remora:
        upstream.reset()
        status, _, body = remora.chat({"model": "t/all", "safe_prompt": True, "no_such_thing": 1})
        assert status == 200 and upstream.last()["json"]["safe_prompt"] is True
        assert "no_such_thing" not in upstream.last()["json"]
        assert "no_such_thing" in [d["field"] for d in body["remora"]["dropped"]]
        assert remora.metrics()['remora_dropped_parameters_total{provider="a",parameter="other"}'] == 1
        image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a.example/i.png"}}]}]
        status, _, body = remora.chat({"model": "t/text", "messages": image})
        assert status == 404 and body["error"]["metadata"]["reason"] == "CONSTRAINT_FILTERED"
        assert [c["excluded_by"] for c in body["error"]["metadata"]["candidates"]] == ["modality"]
        assert remora.chat({"model": "t/all", "messages": image})[0] == 200


def test_an_effort_is_the_nearest_that_the_model_has_and_none_is_refused_where_it_always_reasons(upstream):
    more = """
  t/thinker:
    endpoints: [{provider: a, model_id: ok, reasoning_efforts: [low, high], pricing: {prompt: "0", completion: "0"}}]
"""
    with Remora(two_providers(upstream, "ok", more=more), environment=SECRETS) as remora:
        upstream.reset()
        answer = remora.chat({"model": "t/thinker", "reasoning": {"effort": "max"}})[2]
        assert upstream.last()["json"]["reasoning_effort"] == "high"
        assert answer["remora"]["dropped"] == [
            {"field": "reasoning", "why": "the endpoint has no such effort: high, the nearest, was sent"}]
        assert "remora" not in remora.chat({"model": "t/thinker", "reasoning": {"effort": "low"}})[2]
        for sent, param in (({"reasoning_effort": "none"}, "reasoning_effort"), ({"reasoning": {"effort": "none"}}, "reasoning.effort"),
                            ({"reasoning": {"enabled": False}}, "reasoning.enabled")):
            status, _, body = remora.chat({"model": "t/thinker", **sent})
            assert status == 400 and body["error"]["metadata"]["reason"] == "INVALID_REQUEST"
            assert body["error"]["param"] == param and "or ask for reasoning effort low or high" in body["error"]["message"]
        answer = remora.chat({"model": "t/thinker", "models": ["t/m"], "reasoning_effort": "none"})[2]
        assert answer["model"] == "t/m" and answer["remora"]["skipped"][0]["reason"] == "INVALID_REQUEST"


ROUTED = """
policy: {provider: {ignore: [deepseek]}}
services: {checkout: {provider: {ignore: [together], require_parameters: true, allow_fallbacks: false}}}
"""


@pytest.mark.parametrize("order", [{}, {"order": ["a"]}])
def test_a_router_behind_us_is_as_narrow_as_the_policy(upstream, order):
    """Whatever order the request has: the service's is the first and no other."""
    config = two_providers(upstream, "ok", first_provider=", dialect: openrouter") + ROUTED
    with Remora(config, environment=SECRETS) as remora:
        body, _ = ask(remora, upstream, extra_body={"provider": {"ignore": ["deepseek", "novita"], **order}})
    assert body["provider"] == {"ignore": ["deepseek", "together", "novita"], "allow_fallbacks": False,
                                "require_parameters": True}
