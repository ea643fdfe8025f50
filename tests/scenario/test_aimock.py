"""aimock as the provider: an OpenAI server that somebody else wrote, with its cuts, malformed bodies and 429s."""
import re
import json

import openai
import pytest

from aimock import Aimock
from gateway import Remora

LONG = "This answer is long enough to be cut somewhere in the middle of it."
CALLS = [{"name": "weather", "arguments": '{"city":"Paris"}'}, {"name": "time", "arguments": '{"zone":"CET"}'}]
# A cut needs latency: without it the mock destroys the socket before anything has left (oracles.md section 1).
CUT = {"latency": 30, "chunkSize": 5}
FIXTURES = [
    {"match": {"model": "spare"}, "response": {"content": "the spare"}},
    {"match": {"userMessage": "plain"},
     "response": {"content": "Hello from a mock.", "usage": {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}}},
    {"match": {"userMessage": "think"}, "response": {"content": "4", "reasoning": "2 and 2 are 4"}},
    {"match": {"userMessage": "tools"}, "response": {"toolCalls": CALLS}},
    {"match": {"userMessage": "long"}, "response": {"content": "x", "finishReason": "length"}},
    {"match": {"userMessage": "cut late"}, "response": {"content": LONG}, "truncateAfterChunks": 5, **CUT},
    {"match": {"userMessage": "cut early"}, "response": {"content": LONG}, "truncateAfterChunks": 1, **CUT},
    {"match": {"userMessage": "gone late"}, "response": {"content": LONG}, "disconnectAfterMs": 150, **CUT},
    {"match": {"userMessage": "gone early"}, "response": {"content": LONG}, "disconnectAfterMs": 1, **CUT},
    {"match": {"userMessage": "limited"},
     "response": {"error": {"message": "slow down", "type": "rate_limit_error", "code": "rate_limit_exceeded"}, "status": 429,
                  "retryAfter": 7}},
    {"match": {"userMessage": "refused"},
     "response": {"error": {"message": "max_tokens is too large", "type": "invalid_request_error", "param": "max_tokens"},
                  "status": 400}},
    {"match": {"userMessage": "mapped"}, "response": {"content": "as asked"}},
]
# Providers of one mock; the mock's chaos is asked for by a header, which the operator's `headers` send.
PROVIDERS = {"mock": "", "malformed": ', headers: {x-aimock-chaos-malformed: "1"}', "dropped": ', headers: {x-aimock-chaos-drop: "1"}',
             "hung-up": ', headers: {x-aimock-chaos-disconnect: "1"}', "flooded": ', headers: {x-aimock-chaos-ratelimit: "1"}',
             "mistral-like": ", dialect: mistral", "groq-like": ", dialect: groq"}
CHAOS = ["malformed", "dropped", "hung-up", "flooded"]


@pytest.fixture(scope="module")
def mock():
    with Aimock(FIXTURES) as each:
        yield each


@pytest.fixture(autouse=True)
def forget(mock):
    mock.forget()


def configuration(mock):
    text = "version: 1\nservice: checkout\nproviders:\n"
    for slug, more in PROVIDERS.items():
        text += f'  {slug}: {{kind: openai, base_url: "{mock.base_url}", api_key: {{env: MOCK_SECRET}}{more}}}\n'
    text += "models:\n"
    endpoint = '      - {{provider: {}, tag: "{}", model_id: {}, pricing: {{prompt: "0.000001", completion: "0.000002"}}}}\n'
    for slug in PROVIDERS:
        text += f"  {slug}/m:\n    endpoints:\n" + endpoint.format(slug, slug, "echo-1")
        text += f"  {slug}/with-spare:\n    endpoints:\n" + endpoint.format(slug, slug, "echo-1")
        text += endpoint.format("mock", "mock/spare", "spare")
    return text


SECRET = {"MOCK_SECRET": "sk-canary-mock-3333333333333333333333"}


@pytest.fixture(scope="module")
def calm(mock):
    """For what leaves no endpoint resting."""
    with Remora(configuration(mock), environment=SECRET) as each:
        yield each


@pytest.fixture
def remora(mock):
    with Remora(configuration(mock), environment=SECRET) as each:
        yield each


def user(text):
    return [{"role": "user", "content": text}]


def chat(remora, words, model="mock/m", **more):
    return remora.chat({"model": model, "messages": user(words), **more})


def stream(remora, words, model="mock/m", **more):
    return remora.stream({"model": model, "messages": user(words), **more})


def client(base_url):
    return openai.OpenAI(base_url=base_url, api_key="unused", max_retries=0)


# ---- answers ----

def test_a_plain_answer_and_what_the_mock_received(mock, calm):
    status, _, body = chat(calm, "plain", temperature=0.5)
    assert status == 200 and body["choices"][0]["message"]["content"] == "Hello from a mock."
    assert body["choices"][0]["finish_reason"] == "stop" and body["usage"]["total_tokens"] == 14
    assert body["usage"]["cost"] == pytest.approx(9e-6 + 10e-6)
    [entry] = mock.journal()
    assert entry["path"] == "/v1/chat/completions"
    assert entry["body"] == {"model": "echo-1", "messages": user("plain"), "stream": False, "temperature": 0.5}
    assert entry["headers"]["content-type"] == "application/json" and entry["headers"]["accept"] == "*/*"
    assert entry["headers"]["x-request-id"].startswith(body["id"]) and "canary" not in json.dumps(entry)


def test_a_streamed_answer(mock, calm):
    answer = stream(calm, "plain", stream_options={"include_usage": True})
    assert answer.is_clean and answer.is_done and answer.content() == "Hello from a mock." and answer.finish() == ["stop"]
    assert [c["usage"]["total_tokens"] for c in answer.chunks if c.get("usage")] == [14]
    assert mock.journal()[0]["body"]["stream_options"] == {"include_usage": True}


def test_usage_is_asked_for_even_if_the_caller_does_not_want_it(mock, calm):
    answer = stream(calm, "plain")
    assert answer.is_done and not any(c.get("usage") for c in answer.chunks)
    assert mock.journal()[0]["body"]["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("streams", [False, True])
def test_parallel_tool_calls_reach_the_official_client(calm, streams):
    made = client(calm.base_url).chat.completions
    if streams:
        with made.stream(model="mock/m", messages=user("tools")) as events:
            for _ in events:
                pass
            choice = events.get_final_completion().choices[0]
    else:
        choice = made.create(model="mock/m", messages=user("tools")).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert [(c.function.name, json.loads(c.function.arguments)) for c in choice.message.tool_calls] == \
        [(c["name"], json.loads(c["arguments"])) for c in CALLS]
    assert len({c.id for c in choice.message.tool_calls}) == 2


def test_reasoning_and_length(calm):
    status, _, body = chat(calm, "think", model="groq-like/m")
    assert status == 200 and body["choices"][0]["message"]["content"] == "4"
    assert body["choices"][0]["message"]["reasoning"] == "2 and 2 are 4"
    answer = stream(calm, "think", model="groq-like/m")
    assert "".join(c["delta"].get("reasoning") or "" for chunk in answer.chunks for c in chunk["choices"]) == "2 and 2 are 4"
    assert chat(calm, "long")[2]["choices"][0]["finish_reason"] == "length"


# ---- what it was asked ----

REQUEST = {
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "mapped"}],
    "temperature": 0.25, "top_p": 0.5, "max_tokens": 64, "seed": 7, "stop": ["END"], "presence_penalty": 0.5,
    "frequency_penalty": -0.5, "user": "u1", "parallel_tool_calls": False, "tool_choice": "required",
    "tools": [{"type": "function", "function": {"name": "weather", "description": "of a city", "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}],
    "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}, "strict": True}},
}


@pytest.mark.parametrize("streams", [False, True])
def test_the_official_client_through_us_asks_the_mock_what_it_asks_without_us(mock, calm, streams):
    """An independent oracle of the mapping: the same call by the same client, with and without us, to the same recorder."""
    more = {"stream": True, "stream_options": {"include_usage": True}} if streams else {}
    for base_url, model in ((mock.base_url, "echo-1"), (calm.base_url, "mock/m")):
        made = client(base_url).chat.completions.create(model=model, **REQUEST, **more)
        assert (list(made) if streams else made.choices)
    direct, through = [entry["body"] for entry in mock.journal()]
    # The end user's id is the one thing that does not go on as it is.
    assert re.fullmatch("user-[0-9a-f]{32}", through["user"])
    assert through == {"stream": False, **direct, "user": through["user"]}


def test_a_dialect_asks_in_its_own_words(mock, calm):
    body = {**REQUEST, "tool_choice": {"type": "function", "function": {"name": "weather"}}}
    status, _, answer = calm.chat({"model": "mistral-like/m", **body})
    assert status == 200
    asked = mock.journal()[0]["body"]
    assert asked["random_seed"] == 7 and "seed" not in asked and "user" not in asked
    assert asked["tool_choice"] == "any" and [t["function"]["name"] for t in asked["tools"]] == ["weather"]
    assert [d["field"] for d in answer["remora"]["dropped"]] == ["user"]
    status, _, answer = calm.chat({"model": "groq-like/m", "messages": user("mapped"), "n": 1, "max_tokens": 5, "reasoning":
                                     {"effort": "low"}})
    assert mock.journal()[1]["body"] == {"model": "echo-1", "messages": user("mapped"), "stream": False, "max_completion_tokens": 5,
                                         "reasoning_effort": "low", "reasoning_format": "parsed"}


# ---- what goes wrong ----

@pytest.mark.parametrize("words", ["cut late", "gone late"])
def test_a_cut_after_content_is_told_in_band_and_nothing_falls_back(mock, remora, words):
    answer = stream(remora, words, model="mock/with-spare")
    assert answer.status == 200 and answer.is_clean and not answer.is_done
    assert answer.content() and LONG.startswith(answer.content()) and answer.content() != LONG
    assert answer.error()["metadata"]["reason"] == "STREAM_BROKEN"
    assert len(mock.journal()) == 1


@pytest.mark.parametrize("words", ["cut early", "gone early"])
def test_a_cut_before_content_falls_back_unseen(mock, remora, words):
    answer = stream(remora, words, model="mock/with-spare")
    assert answer.is_done and answer.content() == "the spare"
    assert [a.get("reason") for a in answer.note()["attempts"]] == ["UPSTREAM_UNAVAILABLE", None]
    alone = stream(remora, words)
    assert alone.status == 502 and len(mock.journal()) == 3


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("provider,reason,status", [
    ("malformed", "UPSTREAM_UNAVAILABLE", 502), ("dropped", "UPSTREAM_OVERLOADED", 503), ("hung-up", "UPSTREAM_UNAVAILABLE", 502),
    ("flooded", "CAPACITY_EXHAUSTED", 429)])
def test_chaos_falls_back_and_has_a_status_when_alone(remora, provider, reason, status, streams):
    if streams:
        answer = stream(remora, "plain", model=f"{provider}/with-spare")
        assert answer.is_done and answer.content() == "the spare"
        attempts = answer.note()["attempts"]
    else:
        got, _, body = chat(remora, "plain", model=f"{provider}/with-spare")
        assert got == 200 and body["choices"][0]["message"]["content"] == "the spare"
        attempts = body["remora"]["attempts"]
    assert [a.get("reason") for a in attempts] == [reason, None]
    got, _, body = chat(remora, "plain", model=f"{provider}/m")
    assert got == status and body["error"]["metadata"]["reason"] == reason
    assert "chaos" not in json.dumps(body).lower()


def test_a_429_with_retry_after_is_passed_on_and_rests_the_endpoint(mock, remora):
    status, headers, body = chat(remora, "limited")
    assert status == 429 and headers["retry-after"] == "7"
    assert body["error"]["metadata"]["reason"] == "CAPACITY_EXHAUSTED" and "slow down" not in body["error"]["message"]
    status, headers, _ = chat(remora, "plain")  # it rests: nobody is asked, and the rest of the time is told
    assert status == 429 and 1 <= int(headers["retry-after"]) <= 7
    assert len(mock.journal()) == 1
    with pytest.raises(openai.RateLimitError) as e:
        client(remora.base_url).chat.completions.create(model="mock/m", messages=user("limited"))
    assert e.value.response.headers["retry-after"]


def test_a_refusal_names_the_provider_s_words_and_field(remora):
    status, _, body = chat(remora, "refused")
    assert status == 400 and body["error"]["metadata"]["reason"] == "UPSTREAM_REFUSED_REQUEST"
    assert "max_tokens is too large" in body["error"]["message"] and body["error"]["param"] == "max_tokens"


def test_a_404_that_is_not_about_the_model(remora):
    """aimock's for a request that it has no answer to, code `no_fixture_match`: nothing says that the model is gone, so it stays."""
    status, _, body = chat(remora, "nobody answers this")
    assert status == 404 and body["error"]["metadata"]["reason"] == "MODEL_UNAVAILABLE_UPSTREAM"
    assert chat(remora, "plain")[0] == 200
