"""The official clients against the gateway: each must add every transcript up to the same message."""
import itertools
import json

import openai
import pytest

from clients import NODE, install, run_node, run_python
from gateway import SECRETS, Remora
from transcripts import ANSWERS, ASKERS, FAILURES, MEDIA, TOOLS, Case, body_of, config, gateway

# What OpenRouter's SDK does not send: its own schema of requests has no reasoning.exclude and refuses a temperature that is text.
NOT_IN_THE_SDK = {"reasoning_excluded", "signed_tool_calls_reasoning_excluded", "error_unknown_field"}
KINDS = [(case, is_stream) for case in ANSWERS + FAILURES for is_stream in (False, True)]


CLIENTS = ("python", "openai", "openrouter")


@pytest.fixture(scope="module")
def heard(upstream):
    """What every client made of every case: {(case, is_stream): {client: result}}."""
    install(NODE)
    with gateway(upstream, ANSWERS + FAILURES, [f"{client}-{kind}" for client in CLIENTS for kind in ASKERS]) as remora:
        found, jobs, owners = {}, [], []
        for (case, is_stream), client in itertools.product(KINDS, CLIENTS):
            if client == "openrouter" and case.name in NOT_IN_THE_SDK:
                continue
            base_url = f"http://127.0.0.1:{remora.http_port}{case.surface}"
            body = body_of(case, is_stream, f"{client}-{ASKERS[not is_stream]}")
            body.pop("stream", None)
            results = found.setdefault((case.name, is_stream), {})
            if client == "python":
                results[client] = run_python(base_url, body, is_stream)
            else:
                jobs.append({"client": client, "baseURL": base_url, "do": "chat", "body": body, "stream": is_stream})
                owners.append((results, client))
        for (results, client), result in zip(owners, run_node(jobs), strict=True):
            results[client] = {key: value for key, value in result.items() if key != "metadata"}
        yield found


@pytest.mark.parametrize("case", ANSWERS, ids=lambda case: case.name)
def test_every_client_makes_the_same_message_of_an_answer(heard, case):
    whole = heard[case.name, False]["python"]
    assert whole["choices"] and whole["usage"]["total"] > 0
    for client, result in heard[case.name, False].items():
        assert result["choices"] == whole["choices"], client
    for client, result in heard[case.name, True].items():
        assert result["choices"] == whole["choices"], client
        assert (result["usage"] is not None) == (case.surface == "/api/v1" or "stream_options" in case.body), client
        if result["usage"] is not None and case.name != "usage_estimated":  # from bodies of different lengths
            assert result["usage"] == whole["usage"], client


@pytest.mark.parametrize("case", FAILURES, ids=lambda case: case.name)
@pytest.mark.parametrize("is_stream", [False, True], ids=["unary", "stream"])
def test_every_client_raises_the_same_error(heard, case, is_stream):
    results = heard[case.name, is_stream]
    is_late = case.name.startswith("error_after")
    if is_late and not is_stream:
        assert all("choices" in result for result in results.values()), "a unary answer falls back"
        return
    errors = {client: result["error"] for client, result in results.items()}
    assert {error["code"] for error in errors.values()} == {502 if is_late else errors["python"]["status"]}
    if not is_late:  # else the stream's status is spent
        assert {error["status"] for error in errors.values()} == {errors["python"]["code"]}
    said = errors["openai"]["message"].removeprefix(f"{errors['openai']['status']} ")
    for client, error in errors.items():
        assert said in error["message"].replace(f"{client}-", "openai-"), client


@pytest.mark.parametrize("is_stream", [False, True], ids=["unary", "stream"])
def test_who_sends_the_message_back_sends_gemini_its_signature(upstream, is_stream):
    """Nothing of a client's own: the message of the answer is the next one of the conversation."""
    case = next(case for case in ANSWERS if case.name == "signed_tool_calls")
    with gateway(upstream, [case]) as remora:
        client = openai.OpenAI(base_url=f"http://127.0.0.1:{remora.http_port}/v1", api_key="unused", max_retries=0)
        body = body_of(case, False)
        if is_stream:
            with client.chat.completions.stream(**body) as stream:
                answer = stream.get_final_completion()
        else:
            answer = client.chat.completions.create(**body)
        said = answer.choices[0].message
        results = [{"role": "tool", "tool_call_id": one.id, "content": "rain"} for one in said.tool_calls]
        calls_alone = {"role": "assistant", "content": None, "tool_calls": said.tool_calls}
        for message in (said, calls_alone):
            client.chat.completions.create(**body | {"messages": [*body["messages"], message, *results]})
            first, second = json.loads(upstream.last()["body"])["messages"][1]["tool_calls"]
            assert first["extra_content"] == {"google": {"thought_signature": "c2lnbmVk"}} and "extra_content" not in second
            assert b"reasoning_details" not in upstream.last()["body"]


def test_calls_that_shared_an_id_can_be_answered_in_every_turn(upstream):
    """xorbitsai/inference issue 4237. What is made is another one in the next turn, though the provider says the same again."""
    case = Case("one_id", "tools-one-id", tools=TOOLS)
    with gateway(upstream, [case]) as remora:
        client = openai.OpenAI(base_url=f"http://127.0.0.1:{remora.http_port}/v1", api_key="unused", max_retries=0)
        body, ids = body_of(case, False), []
        messages = list(body["messages"])
        for is_stream in (False, True, False):
            if is_stream:
                with client.chat.completions.stream(**body | {"messages": messages}) as stream:
                    said = stream.get_final_completion().choices[0].message
            else:
                said = client.chat.completions.create(**body | {"messages": messages}).choices[0].message
            assert [json.loads(one.function.arguments)["city"] for one in said.tool_calls] == ["Oslo", "Rome"]
            ids += [one.id for one in said.tool_calls]
            messages += [said, *({"role": "tool", "tool_call_id": one.id, "content": "rain"} for one in said.tool_calls)]
        assert ids[::2] == ["call_1"] * 3, "the provider's own stays"
        assert len({*ids[1::2], "call_1"}) == 4
        heard = json.loads(upstream.last()["body"])["messages"]
        assert [one["id"] for message in heard for one in message.get("tool_calls", [])] == ids[:4]


BLOCKS = [{"type": "reasoning.summary", "summary": "Let me think.", "format": "openai-responses-v1", "index": 0},
          {"type": "reasoning.encrypted", "data": "AAEC", "id": "rs_1", "format": "openai-responses-v1", "index": 1},
          {"type": "reasoning.summary", "summary": " More.", "format": "openai-responses-v1", "index": 2},
          {"type": "reasoning.encrypted", "data": "AwQF", "id": "rs_2", "format": "openai-responses-v1", "index": 3}]


@pytest.mark.parametrize("is_stream", [False, True], ids=["unary", "stream"])
@pytest.mark.parametrize("client", ["python", "openrouter"])
def test_blocks_of_reasoning_that_shared_an_index_go_back_as_they_were(upstream, client, is_stream):
    """OpenRouterTeam/ai-sdk-provider issue 519: one index in a stream, places in a whole answer. The provider hears the latter."""
    case = next(case for case in ANSWERS if case.name == "reasoning_one_index")
    text = config(upstream, [case], ASKERS).replace("a: {kind: openai,", "a: {kind: openai, dialect: openrouter,")
    with Remora(text, environment=SECRETS) as remora:
        base_url = f"http://127.0.0.1:{remora.http_port}{case.surface}"
        body = body_of(case, False)
        if client == "openrouter":
            install(NODE)
            again, = run_node([{"client": client, "baseURL": base_url, "do": "again", "body": body, "stream": is_stream}])
            assert "error" not in again
        else:
            python = openai.OpenAI(base_url=base_url, api_key="unused", max_retries=0)
            if is_stream:
                with python.chat.completions.stream(**body) as stream:
                    answer = stream.get_final_completion()
            else:
                answer = python.chat.completions.create(**body)
            said = answer.choices[0].message
            assert said.reasoning == "Let me think. More."
            python.chat.completions.create(**body | {"messages": [*body["messages"], said, *body["messages"]]})
        assert json.loads(upstream.last()["body"])["messages"][1]["reasoning_details"] == BLOCKS


def test_sound_of_a_stream_adds_up_to_the_whole_answer_s(upstream):
    """OpenAI tells it in pieces of delta.audio, one member at a time; its Python client joins texts and adds numbers."""
    case = next(case for case in MEDIA if case.name == "audio")
    with gateway(upstream, [case]) as remora:
        client = openai.OpenAI(base_url=f"http://127.0.0.1:{remora.http_port}/v1", api_key="unused", max_retries=0)
        whole = client.chat.completions.create(**body_of(case, False)).choices[0].message
        with client.chat.completions.stream(**body_of(case, False)) as stream:
            deltas = [event.chunk.choices[0].delta.model_dump(exclude_unset=True) for event in stream
                      if event.type == "chunk" and event.chunk.choices]
            said = stream.get_final_completion().choices[0].message
        assert said.audio.model_dump() == whole.audio.model_dump() and whole.audio.transcript and whole.audio.data
        assert said.content is None and whole.content is None
        spoken = [delta["audio"] for delta in deltas if "audio" in delta]
        assert "".join(piece.get("transcript", "") for piece in spoken) == whole.audio.transcript
        assert all(len(piece) == 1 for piece in spoken) and sum("id" in piece for piece in spoken) == 1
