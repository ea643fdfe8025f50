"""Remoras in front of Remoras: chains work and count as one attempt, loops are refused at once (header remora-hop)."""
import contextlib
import json
import re
import signal

import grpc
import pytest

from gateway import SECRETS, USER, Remora, two_providers

ID = re.compile(r"[A-Za-z0-9_-]{11}")
HEADER = "remora-hop"


OF_B = '{prompt: "0.000003", completion: "0.000004"}'  # what two_providers pays where `a` fails


def document(base_url, more="", pricing=OF_B):
    """t/m is served by `next`, which stands behind base_url; `more`: further endpoints of it."""
    return f"""
version: 1
service: checkout
namespace: shop
providers:
  next: {{kind: openai, base_url: "{base_url}"}}
  spare: {{kind: openai, base_url: "{base_url}"}}
models:
  t/m:
    context_length: 100000
    endpoints:
      - {{provider: next, model_id: t/m, pricing: {pricing}}}
{more}
"""


def lead(remora, text):
    """Gives a running Remora another configuration: it knows its own port only now."""
    count = len([line for line in remora.log_lines() if line["message"] == "configuration loaded"])
    remora.config_path.write_text(text)
    remora.process.send_signal(signal.SIGHUP)
    remora.wait_log("configuration loaded", count + 1)


@contextlib.contextmanager
def chain(upstream, length, behaviour="ok"):
    """`length` Remoras, each in front of the next; the last one in front of the fault server. The first one first."""
    with contextlib.ExitStack() as stack:
        remoras = [stack.enter_context(Remora(two_providers(upstream, behaviour), environment=SECRETS))]
        for _ in range(length - 1):
            remoras.insert(0, stack.enter_context(Remora(document(remoras[0].base_url))))
        upstream.reset()
        yield remoras


def attempts(remora):
    """How many calls to providers a Remora has made: (all, those that met a loop)."""
    found = {k: v for k, v in remora.metrics().items() if k.startswith("remora_upstream_attempts_total")}
    return sum(found.values()), sum(v for k, v in found.items() if 'error_type="loop"' in k)


def assert_loop(error, words="base_url leads back"):
    assert error["code"] == 404 and error["metadata"]["reason"] == "MODEL_UNAVAILABLE_UPSTREAM"
    assert error["param"] == HEADER and HEADER in error["message"] and words in error["message"]


def test_a_chain_of_two_is_one_attempt_however_often_the_inner_one_tries(upstream):
    with chain(upstream, 2, "500") as (outer, inner):
        status, _, body = outer.chat({"model": "t/m"})
        assert status == 200 and body["choices"][0]["message"]["content"] == "w0 w1 w2 "
        assert body["provider"] == "next" and "remora" not in body, "nothing notable happened here"
        assert inner.wait_log("request")[0]["attempts"] == 2 and outer.wait_log("request")[0]["attempts"] == 1
        stream = outer.stream({"model": "t/m"})
        assert stream.is_done and stream.content() == "w0 w1 w2 " and stream.note() is None
        assert attempts(outer)[0] == 2 and attempts(inner)[0] == 4
        for request in upstream.requests():
            first, second = request["header"][HEADER].split(",")
            assert ID.fullmatch(first) and ID.fullmatch(second) and first != second
        assert len({request["header"][HEADER] for request in upstream.requests()}) == 1


@pytest.mark.parametrize("prompt, certainty", [("0.000001", "CERTAINTY_ESTIMATED"), (None, "CERTAINTY_UNKNOWN")])
def test_another_cost_than_the_inner_one_tells_is_told(upstream, prompt, certainty):
    with chain(upstream, 2, "500") as (outer, inner):
        theirs = inner.chat({"model": "t/m"})[2]["usage"]["cost"]
        lead(outer, document(inner.base_url, pricing=f'{{prompt: "{prompt}", completion: "0.000004"}}' if prompt else "{}"))
        _, _, body = outer.chat({"model": "t/m"})
        stream = outer.stream({"model": "t/m", "stream_options": {"include_usage": True}})
        for usage, told in ((body["usage"], body["remora"]), (stream.chunks[-1]["usage"], stream.note())):
            assert (told["cost_certainty"], told["provider_reported_cost"]) == (certainty, theirs)
            assert len(told["attempts"]) == 1 and ("cost" in usage) == bool(prompt) and usage.get("cost") != theirs


def test_what_the_inner_one_fails_with_is_one_attempt_of_the_outer_one(upstream):
    with chain(upstream, 2, "500") as (outer, inner):
        inner.config_path.write_text(two_providers(upstream, "500", "500@b"))
        lead(inner, inner.config_path.read_text())
        status, _, body = outer.chat({"model": "t/m"})
        assert status == 503 and len(body["error"]["metadata"]["attempts"]) == 1
        assert attempts(outer)[0] == 1 and attempts(inner)[0] == 2


def test_four_in_a_row_work_and_the_fifth_refuses(upstream):
    with chain(upstream, 5) as remoras:
        status, _, body = remoras[1].chat({"model": "t/m"})
        assert status == 200 and body["choices"][0]["message"]["content"] == "w0 w1 w2 "
        ids = upstream.last()["header"][HEADER].split(",")
        assert len(ids) == len(set(ids)) == 4
        upstream.reset()
        status, headers, body = remoras[0].chat({"model": "t/m"})
        assert status == 404 and headers["x-should-retry"] == "false"
        assert_loop(body["error"], "through too many Remoras")
        assert len(body["error"]["metadata"]["attempts"]) == 1
        assert upstream.requests() == []
        assert [attempts(remora)[1] for remora in remoras] == [1, 1, 1, 1, 0], "each knows why"


def test_a_remora_in_front_of_itself_refuses_at_once(upstream):
    with Remora(two_providers(upstream, "ok"), environment=SECRETS) as remora:
        lead(remora, document(remora.base_url))
        for turn in range(1, 9):  # more than a breaker takes, and the answer stays the same
            status, headers, body = remora.chat({"model": "t/m"})
            assert status == 404 and headers["x-should-retry"] == "false"
            assert_loop(body["error"])
            assert [a["reason"] for a in body["error"]["metadata"]["attempts"]] == ["MODEL_UNAVAILABLE_UPSTREAM"]
            assert attempts(remora) == (turn, turn)
        metrics = remora.metrics()
        assert metrics['remora_circuit_state{provider="next"}'] == 0
        refused = [v for k, v in metrics.items() if k.startswith("remora_http_responses_total") and 'status="400"' in k]
        assert refused == [8], "the inner side of each"
        line = remora.wait_log("attempt failed")[0]
        assert line["cause"] == "loop" and line["provider"] == "next"
        stream = remora.stream({"model": "t/m"})
        assert stream.status == 404
        assert_loop(json.loads(stream.text)["error"])
        # mended, it serves at once: nothing rests
        lead(remora, two_providers(upstream, "ok"))
        assert remora.chat({"model": "t/m"})[0] == 200


def test_a_loop_falls_back_to_the_next_endpoint(upstream):
    with Remora(two_providers(upstream, "ok"), environment=SECRETS) as remora:
        own = remora.base_url
        text = two_providers(upstream, "t/m").replace(f'a: {{kind: openai, base_url: "{upstream.base_url}"', f'a: {{kind: openai, base_url: "{own}"')
        assert own in text
        lead(remora, text)
        for _ in range(3):
            status, _, body = remora.chat({"model": "t/m"})
            assert status == 200 and body["provider"] == "b"
            assert [a.get("reason") for a in body["remora"]["attempts"]] == ["MODEL_UNAVAILABLE_UPSTREAM", None]
            assert "skipped" not in body["remora"]


def test_a_ring_of_two_ends_where_it_began(upstream):
    with chain(upstream, 2) as (outer, inner):
        lead(inner, document(outer.base_url))
        for first, second in ((outer, inner), (inner, outer)):
            status, _, body = first.chat({"model": "t/m"})
            assert status == 404
            assert_loop(body["error"])
            assert len(body["error"]["metadata"]["attempts"]) == 1
        assert attempts(outer) == (2, 2) and attempts(inner) == (2, 2)


def test_what_a_vendor_sees_of_it_is_a_random_id_and_nothing_else(upstream):
    seen = set()
    for _ in range(2):
        with Remora(two_providers(upstream, "ok"), environment=SECRETS) as remora:
            remora.chat({"model": "t/m"})
            headers = dict(upstream.last()["header"])
            assert ID.fullmatch(headers[HEADER])
            seen.add(headers.pop(HEADER))
            text = json.dumps(headers).lower()
            assert not any(word in text for word in ("remora", "checkout", "shop"))
    assert len(seen) == 2, "another one for each process"


@pytest.mark.parametrize("value", ["a b", "x;q=1", '"quoted"', "ü".encode().decode("latin-1"), "a" * 33])
def test_a_header_that_no_remora_writes_is_a_400(upstream, value):
    with Remora(two_providers(upstream, "ok"), environment=SECRETS) as remora:
        upstream.reset()
        status, _, body = remora.chat({"model": "t/m"}, {HEADER: value})
        assert status == 400 and body["error"]["metadata"]["reason"] == "INVALID_REQUEST"
        assert body["error"]["param"] == HEADER and "leave it out" in body["error"]["message"]
        assert upstream.requests() == []


def test_several_lines_are_one_list(upstream):
    with Remora(two_providers(upstream, "ok"), environment=SECRETS) as remora:

        def ask(lines):
            body = json.dumps({"model": "t/m", "messages": USER}).encode()
            import http.client  # noqa: PLC0415

            connection = http.client.HTTPConnection("127.0.0.1", remora.http_port, timeout=10)
            connection.putrequest("POST", "/v1/chat/completions")
            for name, value in [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *lines]:
                connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            answer = response.status, json.loads(response.read())
            connection.close()
            return answer

        assert ask([(HEADER, "one"), ("Remora-Hop", " two ,, three")])[0] == 200
        sent = upstream.last()["header"][HEADER]
        assert sent.startswith("one,two,three,") and ID.fullmatch(sent.split(",")[3])
        own = sent.split(",")[3]
        for lines in ([(HEADER, own)], [(HEADER, "one"), (HEADER, f"two,{own}")]):
            status, body = ask(lines)
            assert status == 400 and body["error"]["metadata"]["reason"] == "WRONG_ENDPOINT"
            assert body["error"]["param"] == HEADER and "leads back to this Remora" in body["error"]["message"]
        status, body = ask([(HEADER, "one,two"), (HEADER, "three,four")])
        assert status == 400 and "passed through 4 Remoras" in body["error"]["message"]


def test_a_loop_over_grpc_names_the_header_as_http_does(upstream, stubs):
    from google.rpc import error_details_pb2, status_pb2  # noqa: PLC0415
    from remora.v1 import chat_pb2, chat_pb2_grpc  # noqa: PLC0415

    with Remora(two_providers(upstream, "ok"), environment=SECRETS) as remora:
        lead(remora, document(remora.base_url))
        _, _, body = remora.chat({"model": "t/m"})
        assert_loop(body["error"])
        with grpc.insecure_channel(f"127.0.0.1:{remora.grpc_port}") as channel:
            stub = chat_pb2_grpc.ChatServiceStub(channel)
            message = chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=[chat_pb2.ContentPart(text="Hello")])
            request = chat_pb2.ChatRequest(model="t/m", messages=[message])
            for call in (lambda: stub.Chat(request), lambda: list(stub.StreamChat(chat_pb2.StreamChatRequest(chat=request)))):
                with pytest.raises(grpc.RpcError) as refused:
                    call()
                details = status_pb2.Status.FromString(dict(refused.value.trailing_metadata())["grpc-status-details-bin"]).details
                found = [error_details_pb2.BadRequest.FromString(d.value) for d in details if d.type_url.endswith(".BadRequest")]
                assert [v.field for bad in found for v in bad.field_violations] == [body["error"]["param"]] == [HEADER]
                assert found[0].field_violations[0].description == body["error"]["message"] == refused.value.details()
                assert refused.value.code() == grpc.StatusCode.NOT_FOUND


def test_grpc_metadata_says_the_same(upstream, stubs):
    from remora.v1 import chat_pb2, chat_pb2_grpc  # noqa: PLC0415

    with Remora(two_providers(upstream, "ok"), environment=SECRETS) as remora:
        with grpc.insecure_channel(f"127.0.0.1:{remora.grpc_port}") as channel:
            stub = chat_pb2_grpc.ChatServiceStub(channel)
            message = chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=[chat_pb2.ContentPart(text="Hello")])
            request = chat_pb2.ChatRequest(model="t/m", messages=[message])
            stub.Chat(request)
            own = upstream.last()["header"][HEADER]
            assert ID.fullmatch(own)
            stub.Chat(request, metadata=((HEADER, "one"), (HEADER, "two, three")))
            assert upstream.last()["header"][HEADER] == f"one,two,three,{own}"
            upstream.reset()
            for value, status, words in ((own, grpc.StatusCode.FAILED_PRECONDITION, "leads back to this Remora"),
                                         ("one,two,three,four", grpc.StatusCode.FAILED_PRECONDITION, "passed through 4"),
                                         ("a b", grpc.StatusCode.INVALID_ARGUMENT, "leave it out")):
                for call in (lambda m: stub.Chat(request, metadata=m),
                             lambda m: list(stub.StreamChat(chat_pb2.StreamChatRequest(chat=request), metadata=m))):
                    with pytest.raises(grpc.RpcError) as refused:
                        call(((HEADER, value),))
                    assert refused.value.code() == status and words in refused.value.details()
            assert upstream.requests() == []
