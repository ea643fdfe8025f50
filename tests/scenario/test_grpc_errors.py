"""The table of outcomes over both fronts, row by row: the gRPC status beside the HTTP one, the same words and the same lists; and the
typed details as Go, Node and Python decode them."""
import base64
import json
import re
import subprocess

import grpc
import pytest
from google.protobuf.json_format import MessageToDict

from clients import NODE, go_client, install
from gateway import SECRETS, Remora, two_providers
from test_errors import CODES, ELSEWHERE, REQUESTS, ROWS, UPSTREAM, configuration
from test_grpc import channel, pb, request, stream  # noqa: F401  (pb is a fixture)
from upstream import ROOT

GRPC = {name: int(code) for name, code in re.findall(r"REMORA_CODE\((\w+), \d+, (\d+),", CODES)}
FRONTS = [f"{front}-{kind}" for front in ("http", "grpc") for kind in ("unary", "stream")]
# What REQUESTS asks for, in gRPC's words.
ASKED = {
    "INVALID_REQUEST": lambda p: {"sampling": p.chat.SamplingOptions(temperature=9)}, "MODEL_NOT_FOUND": lambda p: {"model": "t/okk"},
    "UNIMPLEMENTED": lambda p: {"preset": "p"}, "MODEL_NOT_ALLOWED": lambda p: {"model": "t/denied"},
    "PRIVACY_RESTRICTED": lambda p: {"provider": p.routing.ProviderPreferences(data_collection=p.routing.DATA_COLLECTION_DENY)},
    "CONSTRAINT_FILTERED": lambda p: {"provider": p.routing.ProviderPreferences(only=["b"], ignore=["b"])},
    "NO_ENDPOINTS": lambda p: {"model": "anthropic/claude-opus-4.1"},
    "REGION_RESTRICTED": lambda p: {"provider": p.routing.ProviderPreferences(regions=["eu"])},
}


@pytest.fixture(scope="module")
def p(pb):  # noqa: F811
    from remora.v1 import routing_pb2  # noqa: PLC0415

    pb.routing = routing_pb2
    return pb


@pytest.fixture(scope="module")
def served(upstream):
    with Remora(configuration(upstream.base_url, FRONTS), environment=SECRETS) as remora, channel(remora) as c:
        yield remora, c


def failed(p, c, is_stream=False, timeout=20, **fields):
    """(status as a number, message, {type: [details]}, trailers) of a call that must fail."""
    with pytest.raises(grpc.RpcError) as e:
        if is_stream:
            stream(p, c, request(p, **fields), timeout=timeout)
        else:
            p.chat_grpc.ChatServiceStub(c).Chat(request(p, **fields), timeout=timeout)
    trailers = dict(e.value.trailing_metadata())
    status, details = p.status.Status.FromString(trailers["grpc-status-details-bin"]), {}
    assert (status.code, status.message) == (e.value.code().value[0], e.value.details())
    types = {"google.rpc": p.details, "remora.v1": p.routing}
    for detail in status.details:
        package, _, name = detail.type_url.removeprefix("type.googleapis.com/").rpartition(".")
        message = getattr(types[package], name)()
        assert detail.Unpack(message)
        details.setdefault(name, []).append(message)
    return status.code, status.message, details, trailers


def plain(message):
    """As the HTTP envelope writes it: field names of the proto, what is absent left out."""
    return MessageToDict(message, preserving_proto_field_name=True)


def reason_of(details):
    info, = details["ErrorInfo"]
    assert info.domain == "remora.dev"
    return info.reason


def as_http(text):
    """Models and providers of the two fronts differ in that alone."""
    return text.replace("grpc-", "http-")


def same_over_both(http_answer, told):
    """The HTTP envelope and the details of gRPC tell of the same failure."""
    code, message, details, trailers = told
    status, headers, answer = http_answer
    error = answer["error"]
    reason = error["metadata"]["reason"]
    assert reason_of(details) == reason and code == GRPC[reason] and status == ROWS[reason]["status"]
    assert as_http(message) == error["message"]
    assert details["ErrorInfo"][0].metadata["error_type"] == error["error_type"]
    attempts = [(as_http(a.provider), a.upstream_model, a.http_status, a.reason) for a in details.get("Attempt", [])]
    assert attempts == [(a["provider"], a["upstream_model"], a.get("http_status", 0), a["reason"])
                        for a in error["metadata"].get("attempts", [])]
    candidates = [(as_http(c.model), as_http(c.provider), c.excluded_by, plain(c).get("layer")) for c in details.get("Candidate", [])]
    assert candidates == [(c["model"], c["provider"], c.get("excluded_by", ""), c.get("layer")) for c in error["metadata"].get("candidates", [])]
    # A status that clients retry, which the one of HTTP is not, needs the word against it in gRPC alone.
    # And 501 is one that OpenAI's clients send again, UNIMPLEMENTED none of gRPC's.
    is_final = (headers.get("x-should-retry") == "false") != (reason in ("TOO_LARGE", "PAYMENT_REQUIRED", "UNIMPLEMENTED"))
    assert (trailers.get("grpc-retry-pushback-ms") == "-1") == is_final
    assert ("RetryInfo" in details) == ("retry-after" in headers) and ("RetryInfo" in details or reason != "CAPACITY_EXHAUSTED")
    return reason


def model_of(front, reason, is_stream):
    return f"{front}-{'stream' if is_stream else 'unary'}/{reason.lower().replace('_', '-')}"


@pytest.mark.parametrize("is_stream", [False, True], ids=["unary", "stream"])
@pytest.mark.parametrize("reason", [name for name in UPSTREAM if name not in ("STREAM_BROKEN", "DEADLINE")])
def test_what_providers_did(served, p, reason, is_stream):
    remora, c = served
    answer = remora.chat({"model": model_of("http", reason, is_stream), "stream": is_stream})
    told = failed(p, c, is_stream, model=model_of("grpc", reason, is_stream))
    assert same_over_both(answer, told) == ("UPSTREAM_CREDENTIAL" if reason == "CREDENTIAL" else reason)
    if reason == "CAPACITY_EXHAUSTED":
        retry, = told[2]["RetryInfo"]
        assert retry.retry_delay.seconds == 7 and told[3]["grpc-retry-pushback-ms"] == "7000"


@pytest.mark.parametrize("reason", REQUESTS)
def test_what_the_request_or_the_policy_asked_for(served, p, reason):
    remora, c = served
    code, message, details, trailers = told = failed(p, c, **{"model": "t/ok", **ASKED[reason](p)})
    assert reason_of(details) == reason and code == GRPC[reason]
    if reason in ("INVALID_REQUEST", "UNIMPLEMENTED"):  # each front names the field as it is spelt there
        assert details["BadRequest"][0].field_violations[0].field.split(".")[-1] in ("temperature", "preset")
    else:
        same_over_both(remora.chat({"model": "t/ok", **REQUESTS[reason]}), told)


@pytest.mark.parametrize("is_stream", [False, True], ids=["unary", "stream"])
def test_what_is_refused_has_its_ids_and_its_place_in_the_message(served, p, is_stream):
    _, c = served
    inside = "chat." if is_stream else ""
    asked = {"sampling.temperature": {"sampling": p.chat.SamplingOptions(temperature=9)}, "model": {"model": "t/okk"},
             "provider.order[0]": {"provider": p.routing.ProviderPreferences(order=["nobody"])}}
    for place, fields in asked.items():
        _, _, details, trailers = failed(p, c, is_stream, **{"model": "t/ok", **fields})
        assert details["BadRequest"][0].field_violations[0].field == inside + place
        generation = trailers["remora-generation-id"]
        assert generation.startswith("gen-") and details["ErrorInfo"][0].metadata["generation_id"] == generation
        assert trailers["remora-attempts"] == "0"


def test_what_cannot_be_explained_has_its_place_in_the_message(served, p):
    chat = request(p, model="t/ok", provider=p.routing.ProviderPreferences(order=["nobody"]))
    with pytest.raises(grpc.RpcError) as e:
        p.gateway_grpc.GatewayServiceStub(served[1]).ExplainRoute(p.gateway.ExplainRouteRequest(chat=chat), timeout=20)
    status = p.status.Status.FromString(dict(e.value.trailing_metadata())["grpc-status-details-bin"])
    bad = p.details.BadRequest()
    assert any(detail.Unpack(bad) for detail in status.details)
    assert bad.field_violations[0].field == "chat.provider.order[0]"


def test_deadlines_broken_streams_methods_and_sizes(served, p):
    remora, c = served
    with pytest.raises(grpc.RpcError) as e:
        p.chat_grpc.ChatServiceStub(c).Chat(request(p, model="grpc-unary/deadline"), timeout=0.1)
    assert e.value.code().value[0] == GRPC["DEADLINE"]
    code, _, details, _ = failed(p, c, True, model="grpc-stream/stream-broken")
    assert (code, reason_of(details)) == (GRPC["STREAM_BROKEN"], "STREAM_BROKEN")
    for path, data, reason in (("/remora.v1.ModelService/GetModel", b"\n\x04nope", "MODEL_NOT_FOUND"),
                               ("/remora.v1.ChatService/Nothing", b"", "UNIMPLEMENTED"),
                               ("/grpc.health.v1.Health/Check", b"\n\x04nope", "NOT_FOUND")):
        with pytest.raises(grpc.RpcError) as e:
            c.unary_unary(path)(data, timeout=10)
        assert e.value.code().value[0] == GRPC[reason], path
    with pytest.raises(grpc.RpcError) as e:
        c.unary_unary("/remora.v1.ModelService/ListModels")(b"", metadata=[("x-a", "v" * 9000)], timeout=10)
    assert e.value.code().value[0] == GRPC["TOO_LARGE"]


def test_every_row_is_asked_for_here_or_elsewhere():
    here = (set(UPSTREAM) | set(REQUESTS) | {"UPSTREAM_CREDENTIAL", "NOT_FOUND", "TOO_LARGE"}) - {"CREDENTIAL"}
    assert here | set(ELSEWHERE) | {"METHOD_NOT_ALLOWED"} == set(ROWS) == set(GRPC)


# ---- as other languages decode them ----

def go_details():
    return [go_client("details")]


def node_details():
    install(NODE)
    return ["node", str(NODE / "details.mjs")]


@pytest.mark.parametrize("program", [go_details, node_details], ids=["go", "node"])
def test_details_are_typed_in_other_languages(upstream, p, program):
    command = program()
    more = "services: {checkout: {limits: {requests_per_minute: 1}}}\n"  # asked for a provider: of all these the third alone
    with Remora(two_providers(upstream, "429-retry-7", "429", more), environment=SECRETS) as remora, channel(remora) as c:
        chats = [request(p, sampling=p.chat.SamplingOptions(temperature=9)), request(p, model="t/☺"), request(p), request(p), request(p)]
        jobs = [{"method": "/remora.v1.ChatService/Chat", "message": base64.b64encode(chat.SerializeToString()).decode()} for chat in chats]
        result = subprocess.run([*command, f"127.0.0.1:{remora.grpc_port}", str(ROOT / "proto/third_party")], input=json.dumps(jobs),
                                capture_output=True, text=True, timeout=120)
        assert result.returncode == 0, result.stderr
        bad, unknown, exhausted, _, limited = json.loads(result.stdout)
        assert bad["code"] == 3 and bad["BadRequest"][0].endswith("temperature") and bad["ErrorInfo"]["reason"] == "INVALID_REQUEST"
        assert unknown["code"] == 5 and "☺" in unknown["message"] and unknown["ErrorInfo"]["domain"] == "remora.dev"
        assert exhausted["code"] == 8 and exhausted["ErrorInfo"]["reason"] == "CAPACITY_EXHAUSTED" and exhausted["RetryInfo"] == 7000
        assert exhausted["ErrorInfo"]["metadata"]["attempts"] == "2" and exhausted["ErrorInfo"]["metadata"]["error_type"]
        assert limited["code"] == 8 and limited["ErrorInfo"]["reason"] == "RATE_LIMITED"
        assert limited["QuotaFailure"] and limited["RetryInfo"] > 0
        code, message, details, _ = failed(p, c)  # and in Python the same
        assert code == 8 and reason_of(details) == "RATE_LIMITED" and details["QuotaFailure"][0].violations[0].description == message
        assert details["QuotaFailure"][0].violations[0].subject == "service:checkout"


def test_every_detail_is_in_the_table(upstream, p):
    """docs/errors.md, "in this order": one call passes a model over, the next finds the endpoints resting."""
    table = re.findall(r"^\| `((?:google\.rpc|remora\.v1)\.\w+)` \|", (ROOT / "docs/errors.md").read_text(), re.M)
    seen = set()
    with Remora(two_providers(upstream, "429-retry-60", "404"), environment=SECRETS) as remora, channel(remora) as c:
        for _ in range(2):
            with pytest.raises(grpc.RpcError) as e:
                stub = p.chat_grpc.ChatServiceStub(c)
                stub.Chat(p.chat.ChatRequest(model="t/nobody", fallback_models=["t/m"], messages=request(p).messages), timeout=20)
            status = p.status.Status.FromString(dict(e.value.trailing_metadata())["grpc-status-details-bin"])
            told = [d.type_url.split("/")[1] for d in status.details]
            assert sorted(told, key=table.index) == told
            seen.update(told)
    assert {"remora.v1.Skipped", "remora.v1.Candidate"} <= seen
