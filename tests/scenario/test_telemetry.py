"""What operators see: metrics that a real parser reads, one log line a request, trace context, exact costs, log level, the
effective configuration."""
import http.client
import json
import os
import re
import signal
import subprocess
import threading
import time

import grpc
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway import SECRETS, USER, Remora, two_providers
from test_grpc import channel, pb, request  # noqa: F401  (pb is a fixture)
from upstream import ROOT, build_dir

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
UNITS = ("_seconds", "_bytes", "_info", "_usd")


def exposition(remora):
    status, headers, text = remora.request("GET", "/metrics", port=remora.probe_port)
    assert status == 200 and headers["content-type"].startswith("text/plain; version=0.0.4")
    return text.decode()


def families(remora):
    return {f.name: f for f in text_string_to_metric_families(exposition(remora))}


def value(found, family, name=None, **labels):
    """The one sample of that name and those labels."""
    samples = [s for s in found[family].samples if s.name == (name or s.name) and all(s.labels.get(k) == v for k, v in labels.items())]
    assert len(samples) == 1, (family, labels, found[family].samples)
    return samples[0].value


def request_line(remora, count=1):
    """The newest access line."""
    return remora.wait_log("request", count)[-1]


def test_a_real_parser_reads_the_metrics_and_they_keep_the_rules_of_naming(upstream):
    with Remora(two_providers(upstream, "503"), environment=SECRETS) as remora:
        remora.chat({"model": "t/m"})
        remora.stream({"model": "t/m"})
        remora.chat({"model": "no/such-model"})
        remora.request("POST", "/v1/chat/completions", b"{")
        remora.request("GET", "/v1/models")
        text = exposition(remora)
    seen = set()
    for line in text.splitlines():
        name = line if line.startswith("#") else line.rpartition(" ")[0]
        assert name not in seen, f"twice: {name}"
        seen.add(name)
    found = list(text_string_to_metric_families(text))
    assert len(found) > 25
    for family in found:
        assert family.documentation and family.type in ("counter", "gauge", "histogram"), family
        assert f"# TYPE {family.name}{'_total' if family.type == 'counter' else ''} {family.type}" in text
        assert re.fullmatch(r"(remora|process)_[a-z0-9_]+", family.name)
        assert family.samples, "a family without samples"
        for sample in family.samples:
            assert not sample.name.endswith(("_ms", "_us", "_milliseconds", "_kb")), "base units"
            assert all(re.fullmatch(r"[a-z][a-z0-9_]*", label) for label in sample.labels)
        if family.type == "histogram":
            assert family.name.endswith("_seconds")
            check_histogram(family)


def check_histogram(family):
    series = {}
    for sample in family.samples:
        key = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
        series.setdefault(key, {"buckets": []})
        if sample.name.endswith("_bucket"):
            series[key]["buckets"].append((float(sample.labels["le"]), sample.value))
        else:
            series[key][sample.name[len(family.name):]] = sample.value
    for one in series.values():
        bounds = [b for b, _ in one["buckets"]]
        counts = [c for _, c in one["buckets"]]
        assert bounds == sorted(bounds) and bounds[-1] == float("inf")
        assert counts == sorted(counts), "cumulative"
        assert one["_count"] == counts[-1]


def test_what_happened_is_counted_once_under_its_names(upstream):
    with Remora(two_providers(upstream, "503"), environment=SECRETS) as remora:
        remora.chat({"model": "t/m"})
        remora.stream({"model": "t/m"})
        found = families(remora)
    requests = dict(api="chat_completions", service="checkout", model="t/m", provider="b", code="OK")
    for operation in ("chat", "chat_stream"):
        assert value(found, "remora_requests", operation=operation, **requests) == 1
    assert value(found, "remora_upstream_attempts", provider="a", outcome="UPSTREAM_OVERLOADED", error_type="5xx") == 2
    assert value(found, "remora_upstream_attempts", provider="b", outcome="OK") == 2
    assert value(found, "remora_fallbacks", **{"from": "a", "to": "b", "reason": "UPSTREAM_OVERLOADED"}) == 2
    assert value(found, "remora_request_duration_seconds", "remora_request_duration_seconds_count", operation="chat") == 1
    assert value(found, "remora_overhead_seconds", "remora_overhead_seconds_count", api="chat_completions") == 2
    # only streams have chunks to tell the time of
    for name in ("remora_time_to_first_chunk_seconds", "remora_time_per_output_chunk_seconds"):
        assert value(found, name, name + "_count", provider="b") == 1
    bounds = [s.labels["le"] for s in found["remora_overhead_seconds"].samples if s.name.endswith("_bucket")]
    assert bounds[0] == "0.00005" and bounds[-2] == "0.05"
    assert value(found, "remora_tokens", provider="b", type="output", modality="text") == 6
    assert value(found, "remora_inflight_requests") == 0
    assert value(found, "remora_circuit_state", provider="a") == 0
    assert value(found, "remora_catalog_age_seconds") > 0
    assert value(found, "remora_catalog_info", version="2026-11-21") == 1
    assert value(found, "remora_catalog_rounded_prices") == 103
    assert value(found, "process_resident_memory_bytes") < value(found, "process_virtual_memory_bytes")


@pytest.mark.parametrize("how", ["client", "deadline", "stream"])
def test_what_a_caller_did_not_wait_for_is_estimated_and_counted(upstream, how):
    with Remora(two_providers(upstream, "silent"), environment=SECRETS) as remora:
        body = {"model": "t/m", "messages": [{"role": "user", "content": "x" * 4000}]}
        if how == "deadline":
            assert remora.chat(body, {"x-request-timeout-ms": "700"})[0] == 504
        else:
            with pytest.raises(TimeoutError):
                (remora.stream if how == "stream" else remora.chat)(body, timeout=0.7)
        line = request_line(remora)
        assert (line["code"], line["usage"]) == ("DEADLINE" if how == "deadline" else "CLIENT_GONE", "estimated"), line
        assert line["input_tokens"] == 1000 and line["cost_nano_usd"] == 1000 * 1000 and line["provider"] == "none", line
        failed = remora.wait_log("attempt failed")[-1]
        assert failed["input_tokens"] == 1000 and failed["cost_nano_usd"] == 1000 * 1000, failed
        found = families(remora)
        assert value(found, "remora_cost_usd", provider="a", model="t/m") == 0.001
        assert value(found, "remora_usage_estimated", provider="a") == 1
        assert value(found, "remora_tokens", provider="a", type="input") == 1000


def test_an_open_breaker_shows_until_its_provider_is_gone(upstream):
    with Remora(two_providers(upstream, "503"), environment=SECRETS) as remora:
        for _ in range(6):
            remora.chat({"model": "t/m"})
        found = families(remora)
        assert value(found, "remora_circuit_state", provider="a") == 2
        assert value(found, "remora_circuit_state", provider="b") == 0
        remora.config_path.write_text(two_providers(upstream, "503").replace("provider: a,", "provider: b, tag: b/x,").replace(
            "  a: {", "  c: {"))
        remora.process.send_signal(signal.SIGHUP)
        remora.wait_log("configuration loaded")
        assert {s.labels["provider"] for s in families(remora)["remora_circuit_state"].samples} == {"b", "c"}


def test_requests_in_flight_are_a_gauge(upstream):
    with Remora(two_providers(upstream, "hold"), environment=SECRETS) as remora:
        thread = threading.Thread(target=lambda: remora.chat({"model": "t/m"}))
        thread.start()
        deadline = time.monotonic() + 5
        while value(families(remora), "remora_inflight_requests") != 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert value(families(remora), "remora_inflight_requests") == 1
        upstream.release()
        thread.join()
        assert value(families(remora), "remora_inflight_requests") == 0


def series(remora):
    return {(s.name, *sorted(s.labels.items())) for f in families(remora).values() for s in f.samples}


def test_labels_are_names_of_the_configuration_whatever_callers_invent(upstream):
    with Remora(two_providers(upstream, "ok"), environment=SECRETS) as remora:
        before = None
        end = time.monotonic() + 20
        while "remora_tls_public_authorities" not in exposition(remora) and time.monotonic() < end:
            time.sleep(0.02)  # read in the background
        for i in range(300):
            remora.chat({"model": f"invented-{i}/model-{i}"})
            remora.request("GET", f"/v1/nowhere-{i}")
            if i == 4:
                exposition(remora)  # the second one counts the first
                before = series(remora)
        text = exposition(remora)
        assert "invented" not in text and "nowhere" not in text
        assert series(remora) == before
        found = families(remora)
        assert value(found, "remora_requests", model="other", provider="none", code="MODEL_NOT_FOUND") == 300
        assert value(found, "remora_http_responses", listener="http", route="other", status="404") == 300
        # the log tells what was asked for
        assert request_line(remora, 300)["requested_model"] == "invented-299/model-299"


def test_who_is_refused_before_there_is_a_plan_has_named_a_model_all_the_same(upstream):
    more = "aliases: {short: t/m}\nservices: {checkout: {limits: {requests_per_minute: 1}}}\n"
    with Remora(two_providers(upstream, "ok", more=more), environment=SECRETS) as remora:
        remora.chat({"model": "t/m"})
        asked = [({"model": "t/m"}, 429, "t/m"), ({"model": "short"}, 429, "t/m"), ({"model": "m"}, 429, "t/m"),
                 ({"models": ["t/m"]}, 429, "t/m"), ({"model": "t/none"}, 429, "other"), ({"model": "t/m", "temperature": 9}, 400, "t/m")]
        for count, (body, status, model) in enumerate(asked, 2):
            assert remora.chat(body)[0] == status
            assert request_line(remora, count)["model"] == model, body
        found = families(remora)
        assert value(found, "remora_requests", model="t/m", provider="none", code="RATE_LIMITED") == 4
        assert value(found, "remora_requests", model="other", provider="none", code="RATE_LIMITED") == 1


def test_one_line_a_request_with_ids_route_times_tokens_and_cost(upstream):
    with Remora(two_providers(upstream, "503"), environment=SECRETS) as remora:
        status, headers, body = remora.chat({"model": "t/m"}, {"x-request-id": "req-17"})
        line = request_line(remora)
        assert status == 200 and len(remora.wait_log("request")) == 1
        assert line["level"] == "info" and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
        assert line["generation_id"] == headers["x-generation-id"] == body["id"]
        expected = {"request_id": "req-17", "api": "chat_completions", "operation": "chat", "service": "checkout", "namespace": "shop",
                    "requested_model": "t/m", "model": "t/m", "provider": "b", "endpoint": "b", "tried": "a,b", "attempts": 2,
                    "code": "OK", "status": 200, "input_tokens": 11, "output_tokens": 3, "usage": "actual", "cost_nano_usd": 45000}
        usage = body["usage"]
        expected["input_tokens"], expected["output_tokens"] = usage["prompt_tokens"], usage["completion_tokens"]
        expected["cost_nano_usd"] = usage["prompt_tokens"] * 3000 + usage["completion_tokens"] * 4000
        assert {k: line.get(k) for k in expected} == expected
        assert line["total_us"] >= line["overhead_us"] > 0
        failed = remora.wait_log("attempt failed")[0]
        assert failed["generation_id"] == body["id"] and failed["provider"] == "a" and failed["http_status"] == 503
        assert "Hello" not in remora.log()


def test_every_field_of_a_request_s_lines_is_documented():
    names = re.findall(r'REMORA_LOG_\w+\(\s*"(\w+)"', (ROOT / "src/telemetry/observer.c").read_text())
    told = re.findall(r"`(\w+)`", (ROOT / "docs/telemetry.md").read_text())
    assert len(names) > 40 and not set(names) - set(told)


def test_refused_cancelled_and_broken_requests_leave_a_line_too(upstream):
    with Remora(two_providers(upstream, "cut-after-3", "cut-after-3"), environment=SECRETS) as remora:
        remora.request("POST", "/v1/chat/completions", b'{"model": "t/m", "messages": []}')
        line = request_line(remora)
        assert (line["code"], line["status"], line["attempts"], line["provider"]) == ("INVALID_REQUEST", 400, 0, "none")
        assert "cost_nano_usd" not in line, "nothing was sent: nothing is known of a cost"
        remora.stream({"model": "t/m"})
        line = request_line(remora, 2)
        assert (line["code"], line["aborted_by"], line["usage"]) == ("STREAM_BROKEN", "upstream", "estimated")
        remora.request("GET", "/v1/models")
        answer = remora.wait_log("http answer")[-1]
        assert (answer["route"], answer["status"], answer["listener"]) == ("/v1/models", 200, "http")


def test_a_client_that_leaves_is_an_attempt_with_estimated_usage(upstream):
    import socket  # noqa: PLC0415

    with Remora(two_providers(upstream, "hold-after-2"), environment=SECRETS) as remora:
        body = json.dumps({"model": "t/m", "messages": USER, "stream": True}).encode()
        s = socket.create_connection(("127.0.0.1", remora.http_port))
        s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
                  + str(len(body)).encode() + b"\r\n\r\n" + body)
        got = b""
        while b"delta" not in got:
            got += s.recv(65536)
        s.close()
        line = request_line(remora)
        assert (line["code"], line["aborted_by"], line["usage"]) == ("CLIENT_GONE", "client", "estimated")
        assert line["cost_nano_usd"] > 0 and line["output_tokens"] > 0
        found = families(remora)
        assert value(found, "remora_upstream_attempts", provider="a", outcome="CLIENT_GONE", error_type="cancelled") == 1
        assert value(found, "remora_stream_aborts", side="client") == 1
        upstream.release()


def test_a_stream_that_was_given_but_its_comment_had_begun(upstream, pb):  # noqa: F811
    more = "services: {checkout: {limits: {concurrency: 1}}}\nadmission: {wait_ms: 10500}\n"
    with Remora(two_providers(upstream, "hold", more=more), environment=SECRETS) as remora, channel(remora) as c:
        upstream.reset()
        holder = threading.Thread(target=remora.stream, args=({"model": "t/m"},))
        holder.start()
        upstream.wait_open("hold", 1)
        over_grpc = pb.chat_grpc.ChatServiceStub(c).StreamChat(pb.chat.StreamChatRequest(chat=request(pb)))
        stream = remora.stream({"model": "t/m"})
        assert stream.comments == [": REMORA PROCESSING"] and stream.chunks[-1]["error"]["metadata"]["reason"] == "RATE_LIMITED"
        with pytest.raises(grpc.RpcError):
            next(over_grpc)
        told = {line["api"]: (line["code"], line.get("aborted_by")) for line in remora.wait_log("request", 2)}
        assert told == {"chat_completions": ("RATE_LIMITED", "gateway"), "grpc": ("RATE_LIMITED", None)}, "gRPC had a status to give"
        assert value(families(remora), "remora_stream_aborts", side="gateway") == 1
        upstream.release()
        holder.join()


TRACED = ", trace_context: true"


@pytest.mark.parametrize("is_traced", [False, True])
def test_trace_context_is_kept_and_goes_on_only_where_that_is_configured(upstream, is_traced):
    config = two_providers(upstream, "ok", first_provider=TRACED if is_traced else "")
    with Remora(config, environment=SECRETS) as remora:
        remora.chat({"model": "t/m"}, {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=opaque,other=1",
                                        "baggage": "tenant=a, tier=1"})
        line = request_line(remora)
        assert (line["trace_id"], line["parent_span_id"]) == (TRACE, PARENT)
        sent = upstream.last()["header"]
        if not is_traced:
            assert not {"traceparent", "tracestate", "baggage"} & set(sent)
            return
        assert sent["traceparent"] == f"00-{TRACE}-{line['span_id']}-01" and line["span_id"] != PARENT
        assert sent["tracestate"] == "vendor=opaque,other=1" and sent["baggage"] == "tenant=a, tier=1"
        # without one, and with one that breaks the rules, a trace begins here
        for count, headers in enumerate(({}, {"traceparent": f"00-{'0' * 32}-{PARENT}-01", "tracestate": "vendor=opaque"}), 2):
            remora.chat({"model": "t/m"}, headers)
            sent = upstream.last()["header"]
            line = request_line(remora, count)
            assert "parent_span_id" not in line and line["trace_id"] != TRACE
            assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", sent["traceparent"])
            assert "tracestate" not in sent


def test_trace_context_over_grpc(upstream, stubs):
    import grpc  # noqa: PLC0415
    from remora.v1 import chat_pb2, chat_pb2_grpc  # noqa: PLC0415

    with Remora(two_providers(upstream, "ok", first_provider=TRACED), environment=SECRETS) as remora:
        with grpc.insecure_channel(f"127.0.0.1:{remora.grpc_port}") as channel:
            message = chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=[chat_pb2.ContentPart(text="Hello")])
            request = chat_pb2.ChatRequest(model="t/m", messages=[message])
            metadata = (("traceparent", f"00-{TRACE}-{PARENT}-01"), ("tracestate", "a=b"), ("baggage", "c=d"),
                        ("x-request-id", "from-grpc"))
            chat_pb2_grpc.ChatServiceStub(channel).Chat(request, metadata=metadata)
        line = request_line(remora)
        assert (line["api"], line["trace_id"], line["parent_span_id"], line["request_id"]) == ("grpc", TRACE, PARENT, "from-grpc")
        sent = upstream.last()["header"]
        assert sent["traceparent"] == f"00-{TRACE}-{line['span_id']}-01" and sent["tracestate"] == "a=b"
        assert sent["baggage"] == "c=d"


def test_what_stands_in_several_lines_is_one_list_over_both_fronts(upstream, stubs):
    """RFC 9110 section 5.3; W3C Trace Context section 3.3.1. And an id of the caller's may have blanks."""
    import grpc  # noqa: PLC0415
    from remora.v1 import chat_pb2, chat_pb2_grpc  # noqa: PLC0415

    lines = (("traceparent", f"00-{TRACE}-{PARENT}-01"), ("tracestate", "a=b"), ("tracestate", "c=d,e=f"), ("baggage", "g=h"),
             ("baggage", "i=j"), ("x-request-id", "order 17"))

    def over_grpc(remora):
        with grpc.insecure_channel(f"127.0.0.1:{remora.grpc_port}") as channel:
            message = chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=[chat_pb2.ContentPart(text="Hello")])
            chat_pb2_grpc.ChatServiceStub(channel).Chat(chat_pb2.ChatRequest(model="t/m", messages=[message]), metadata=lines)

    def over_http(remora):
        connection = http.client.HTTPConnection("127.0.0.1", remora.http_port, timeout=30)
        body = json.dumps({"model": "t/m", "messages": [{"role": "user", "content": "Hello"}]}).encode()
        connection.putrequest("POST", "/v1/chat/completions")
        for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(body))), *lines):
            connection.putheader(name, value)
        connection.endheaders(body)
        assert connection.getresponse().status == 200
        connection.close()

    with Remora(two_providers(upstream, "ok", first_provider=TRACED), environment=SECRETS) as remora:
        for count, call in enumerate((over_http, over_grpc)):
            call(remora)
            sent = upstream.last()["header"]
            assert (sent["tracestate"], sent["baggage"]) == ("a=b,c=d,e=f", "g=h,i=j")
            assert request_line(remora, count)["request_id"] == "order 17"


def test_the_log_level_changes_at_run_time_and_with_a_reload(upstream):
    with Remora(two_providers(upstream, "ok"), environment=SECRETS) as remora:
        ask = lambda method, body=None: remora.request(method, "/v1/log-level", body, port=remora.admin_port)  # noqa: E731
        assert json.loads(ask("GET")[2]) == {"level": "info"}
        status, _, body = ask("PUT", {"level": "error"})
        assert status == 200 and json.loads(body) == {"level": "error"}
        remora.chat({"model": "t/m"})
        assert not [line for line in remora.log_lines() if line["message"] == "request"]
        for wrong in ({"level": "loud"}, {}, b"[", b"x" * 300):
            status, _, body = ask("PUT", wrong)
            assert status in (400, 413) and "error" in json.loads(body)
        assert json.loads(ask("GET")[2]) == {"level": "error"}
        status, headers, _ = remora.request("DELETE", "/v1/log-level", port=remora.admin_port)
        assert status == 405 and headers["allow"] == "GET, HEAD, PUT"
        remora.config_path.write_text(two_providers(upstream, "ok", more="log: {level: debug}\n"))
        remora.process.send_signal(signal.SIGHUP)
        remora.wait_log("configuration loaded")
        assert json.loads(ask("GET")[2]) == {"level": "debug"}
        assert remora.request("PUT", "/v1/log-level", {"level": "debug"})[0] == 404, "not on the data port"


def test_the_effective_configuration_is_shown_without_secrets(upstream, tmp_path):
    key = tmp_path / "key"
    key.write_text(SECRETS["B_SECRET"])
    more = "services:\n  checkout: {models: {allow: ['t/*']}, provider: {data_collection: allow}}\n"
    mesh = tmp_path / "mesh.yaml"
    mesh.write_text("provider: {zdr: false}\n")
    more += f'policy_files: {{mesh: "{mesh}"}}\n'
    first = ", headers: {X-Team: literal-canary-value, X-Token: {env: X_SECRET}}"
    config = two_providers(upstream, "ok", more=more, first_provider=first).replace(
        "api_key: {env: B_SECRET}", f'api_key: [{{file: "{key}"}}, {{env: UNSET_VARIABLE}}]')
    environment = {**SECRETS, "X_SECRET": "header-canary-value", "REMORA_SERVICE": "from-environment", "MISTRAL_API_KEY": "env-canary-v"}
    with Remora(config, environment=environment) as remora:
        status, _, body = remora.request("GET", "/v1/config", port=remora.admin_port)
        shown = json.loads(body)
        assert status == 200 and b"canary" not in body
        document = shown["document"]
        assert document["service"] == "from-environment" and document["namespace"] == "shop"
        assert document["deadlines"]["connect_ms"] == 5000 and document["drain"]["grace_ms"] == 25000
        assert document["listen"]["http"] == "localhost:7360" and document["attempts"] == {"per_model": 3, "per_request": 6}
        assert document["services"] == {"checkout": {"models": {"allow": ["t/*"]}, "provider": {"data_collection": "allow"}}}
        a, b = document["providers"]["a"], document["providers"]["b"]
        assert a["api_key"] == {"env": "A_SECRET", "present": True}
        assert a["headers"] == {"X-Team": {"literal": True}, "X-Token": {"env": "X_SECRET", "present": True}}
        assert b["api_key"] == [{"file": str(key), "present": True}, {"env": "UNSET_VARIABLE", "present": False}]
        assert document["models"]["t/m"]["endpoints"][0]["pricing"]["prompt"] == "0.000001"
        assert shown["policies_from_files"] == {"mesh": {"provider": {"zdr": False}}}
        providers = {p["slug"]: p for p in shown["providers"]}
        assert providers["a"]["enabled"] and providers["a"]["keys"] == ["A_SECRET"]
        assert providers["mistral"]["keys"] == ["MISTRAL_API_KEY"], "switched on by the environment"
        assert shown["revision"] and shown["model_count"] > 1
        assert [w["path"] for w in shown["warnings"] if "UNSET_VARIABLE" in w["text"]] == ["providers.b.api_key[1]"]
        status = json.loads(remora.request("GET", "/config/status", port=remora.admin_port)[2])
        assert status["catalog_version"] == shown["catalog_version"] == "2026-11-21" and status["catalog_age_seconds"] > 0
        for path in ("/config", "/config/update", "/debug", "/.env"):
            assert remora.request("GET", path, port=remora.admin_port)[0] == 404


# ---- money ----

def priced(server, pricing, tiers=""):
    return f"""
version: 1
service: checkout
providers:
  a: {{kind: openai, base_url: "{server.base_url}", api_key: {{env: A_SECRET}}}}
models:
  t/m:
    context_length: 100000
    endpoints: [{{provider: a, model_id: "ok", pricing: {pricing}{tiers}}}]
"""


@pytest.mark.parametrize("prompt, completion, cost", [
    ("0.000001", "0.000002", None),
    ("0.000000123456", "0.000000000001", None),
    ("0.0000001234567891", "0", None),  # more than twelve places: rounded half up
    ("0", "0", 0),
])
def test_the_cost_is_exact_to_the_last_digit(upstream, prompt, completion, cost):
    from decimal import ROUND_HALF_UP, Decimal  # noqa: PLC0415

    with Remora(priced(upstream, f'{{prompt: "{prompt}", completion: "{completion}"}}'), environment=SECRETS) as remora:
        _, _, payload = remora.request("POST", "/v1/chat/completions", {"model": "t/m", "messages": USER})
        body = json.loads(payload, parse_float=Decimal)
        usage = body["usage"]
        twelve = [Decimal(p).quantize(Decimal("1e-12"), ROUND_HALF_UP) for p in (prompt, completion)]
        exact = usage["prompt_tokens"] * twelve[0] + usage["completion_tokens"] * twelve[1]
        nano = int((exact * 10 ** 9).to_integral_value(ROUND_HALF_UP))
        line = request_line(remora)
        assert line["cost_nano_usd"] == nano
        assert Decimal(usage["cost"]) == exact
        stream = remora.request("POST", "/v1/chat/completions", {"model": "t/m", "messages": USER, "stream": True,
                                                                 "stream_options": {"include_usage": True}})[2].decode()
        chunks = [json.loads(d[6:], parse_float=Decimal) for d in stream.split("\n") if d.startswith("data: {")]
        assert [Decimal(c["usage"]["cost"]) for c in chunks if c.get("usage")] == [Decimal(usage["cost"])]
        assert value(families(remora), "remora_cost_usd", provider="a", model="t/m", service="checkout") == pytest.approx(2 * nano / 1e9)
        if cost is not None:
            assert usage["cost"] == cost


def test_an_unknown_price_is_null_and_counted(upstream):
    with Remora(priced(upstream, '{prompt: "0.000001"}'), environment=SECRETS) as remora:
        body = remora.chat({"model": "t/m"})[2]
        assert not {"cost", "cost_details"} & set(body["usage"])
        assert body["remora"]["cost"] is None and body["remora"]["cost_certainty"] == "CERTAINTY_UNKNOWN"
        assert "cost_nano_usd" not in request_line(remora)
        found = families(remora)
        assert value(found, "remora_cost_unknown", provider="a", model="t/m") == 1
        assert "remora_cost_usd" not in found


def test_a_log_that_nobody_reads_loses_lines_and_nothing_else(upstream, tmp_path):
    config = tmp_path / "remora.yaml"
    config.write_text(two_providers(upstream, "ok"))
    command = [str(build_dir() / "remora"), "serve", "--config", str(config), "--grpc", "off", "--admin", "off", "--http", "127.0.0.1:0",
               "--probe", "127.0.0.1:0"]
    process = subprocess.Popen(command, env={**os.environ, **SECRETS}, stderr=subprocess.PIPE)
    try:
        ready = next(line for line in map(json.loads, process.stderr) if line["message"] == "ready")
        # from here on nobody reads, and a pipe holds 64 KiB
        def ask(port, method, path, body=None):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request(method, path, body, {"Content-Type": "application/json", "x-request-id": "x" * 250})
            response = connection.getresponse()
            return response.status, response.read().decode()

        for _ in range(150):
            assert ask(ready["http_port"], "POST", "/v1/chat/completions", json.dumps({"model": "t/m", "messages": USER}))[0] == 200
        text = ask(ready["probe_port"], "GET", "/metrics")[1]
        dropped = [f for f in text_string_to_metric_families(text) if f.name == "remora_log_lines_dropped"][0].samples[0].value
        assert dropped > 0
    finally:
        process.kill()
        process.wait()
