"""The gRPC front: grpcio with stubs made at test time, raw channels, health, reflection."""
import json
import time

import grpc
import pytest

from gateway import SECRETS, Remora, two_providers


@pytest.fixture(scope="module")
def pb(stubs):
    from remora.v1 import chat_pb2, chat_pb2_grpc, gateway_pb2, gateway_pb2_grpc, usage_pb2  # noqa: PLC0415
    from google.rpc import error_details_pb2, status_pb2

    class Modules:
        chat, chat_grpc, gateway, gateway_grpc = chat_pb2, chat_pb2_grpc, gateway_pb2, gateway_pb2_grpc
        usage = usage_pb2
        details, status = error_details_pb2, status_pb2

    return Modules


def run(upstream, first, second="ok", more="", **kwargs):
    return Remora(two_providers(upstream, first, second, more), environment=SECRETS, **kwargs)


def channel(remora):
    return grpc.insecure_channel(f"127.0.0.1:{remora.grpc_port}")


def request(pb, model="t/m", text="Hello", **kwargs):
    message = pb.chat.Message(role=pb.chat.ROLE_USER, parts=[pb.chat.ContentPart(text=text)])
    return pb.chat.ChatRequest(model=model, messages=[message], **kwargs)


def stream(pb, c, chat, **kwargs):
    call = pb.chat_grpc.ChatServiceStub(c).StreamChat(pb.chat.StreamChatRequest(chat=chat), **kwargs)
    return list(call), call


def test_a_finish_reason_that_nobody_gave_is_told_and_half_a_tool_call_fails(upstream, pb):
    with run(upstream, "tools-whole-done") as remora, channel(remora) as c:
        reply = pb.chat_grpc.ChatServiceStub(c).Chat(request(pb))
        assert reply.route.finish_reason_missing and not reply.choices[0].native_finish_reason
        assert reply.choices[0].finish_reason == pb.chat.FINISH_REASON_TOOL_CALLS
        events, _ = stream(pb, c, request(pb))
        assert events[-1].completed.route.finish_reason_missing
    with run(upstream, "tools-done") as remora, channel(remora) as c:
        with pytest.raises(grpc.RpcError) as broken:
            stream(pb, c, request(pb))
        assert broken.value.code() == grpc.StatusCode.UNAVAILABLE
        reply = pb.chat_grpc.ChatServiceStub(c).Chat(request(pb))
        assert reply.route.provider == "b" and not reply.route.finish_reason_missing


def test_choices_that_do_not_come_are_told_and_a_cut_before_them_fails(upstream, pb):
    with run(upstream, "ok") as remora, channel(remora) as c:
        two = request(pb, sampling=pb.chat.SamplingOptions(choice_count=2))
        assert pb.chat_grpc.ChatServiceStub(c).Chat(two).route.choices_missing == 1
        events, _ = stream(pb, c, two)
        assert events[-1].completed.route.choices_missing == 1
    with run(upstream, "reset-after-finish") as remora, channel(remora) as c:
        with pytest.raises(grpc.RpcError) as broken:
            stream(pb, c, two)
        assert broken.value.code() == grpc.StatusCode.UNAVAILABLE


def test_unary_and_stream_say_the_same(upstream, pb):
    with run(upstream, "ok") as remora, channel(remora) as c:
        reply, call = pb.chat_grpc.ChatServiceStub(c).Chat.with_call(request(pb))
        assert reply.choices[0].message.parts[0].text == "w0 w1 w2 "
        assert reply.choices[0].finish_reason == pb.chat.FINISH_REASON_STOP
        assert reply.choices[0].native_finish_reason == "stop"
        assert reply.usage.input_tokens == 11 and reply.usage.output_tokens == 3
        assert reply.usage.cost.total_nano_usd == 17000
        assert reply.route.provider == "a" and len(reply.route.attempts) == 1
        trailers = dict(call.trailing_metadata())
        assert trailers["remora-generation-id"] == reply.id and trailers["remora-provider"] == "a"
        assert trailers["remora-attempts"] == "1"
        events, _ = stream(pb, c, request(pb))
        kinds = [e.WhichOneof("event") for e in events]
        assert kinds[0] == "started" and kinds[-1] == "completed" and kinds[-2] == "choice_finished"
        assert "".join(e.text.text for e in events) == "w0 w1 w2 "
        assert events[-1].completed.usage.cost.total_nano_usd == 17000


def test_a_fallback_is_an_event_before_started(upstream, pb):
    with run(upstream, "503") as remora, channel(remora) as c:
        events, _ = stream(pb, c, request(pb))
        assert [e.WhichOneof("event") for e in events][:2] == ["attempt_failed", "started"]
        assert events[0].attempt_failed.attempt.reason == "UPSTREAM_OVERLOADED"
        assert [a.provider for a in events[-1].completed.route.attempts] == ["a", "b"]


def test_what_is_passed_over_is_in_the_route(upstream, pb):
    with run(upstream, "429-retry-60") as remora, channel(remora) as c:
        stream(pb, c, request(pb))
        chat = request(pb, model="t/nobody", fallback_models=["t/m"])
        expected = [("t/nobody", "", "MODEL_NOT_FOUND", "", 0), ("t/m", "a", "CAPACITY_EXHAUSTED", "cooling", 7)]
        events, _ = stream(pb, c, chat)
        unary = pb.chat_grpc.ChatServiceStub(c).Chat(chat)
        explained = pb.gateway_grpc.GatewayServiceStub(c).ExplainRoute(pb.gateway.ExplainRouteRequest(chat=chat))
        for route in (events[-1].completed.route, unary.route, explained):
            assert [(s.model, s.provider, s.reason, s.excluded_by, s.layer) for s in route.skipped] == expected
            assert route.skipped_total == 2


def test_the_same_request_over_both_fronts_is_the_same_upstream(upstream, pb):
    with run(upstream, "ok") as remora, channel(remora) as c:
        upstream.reset()
        remora.chat({"model": "t/m", "temperature": 0.25, "max_tokens": 9, "stop": ["a", "b"],
                     "tools": [{"type": "function", "function": {"name": "f", "description": "d",
                                                                 "parameters": {"type": "object"}}}],
                     "tool_choice": "required"})
        over_http = json.loads(upstream.last()["body"])
        chat = request(pb, sampling=pb.chat.SamplingOptions(temperature=0.25, max_output_tokens=9, stop=["a", "b"]),
                       tools=[pb.chat.Tool(function=pb.chat.FunctionTool(name="f", description="d",
                                                                         parameters_json='{"type": "object"}'))],
                       tool_choice=pb.chat.ToolChoice(mode=pb.chat.ToolChoice.MODE_REQUIRED))
        pb.chat_grpc.ChatServiceStub(c).Chat(chat)
        over_grpc = json.loads(upstream.last()["body"])
        for body in (over_http, over_grpc):
            if isinstance(body["messages"][0]["content"], list):
                assert [p["text"] for p in body["messages"][0]["content"]] == ["Hello"]
                body["messages"][0]["content"] = "Hello"
        assert over_http == over_grpc


def test_tool_calls_and_reasoning_are_typed(upstream, pb):
    with run(upstream, "tools-parallel") as remora, channel(remora) as c:
        reply = pb.chat_grpc.ChatServiceStub(c).Chat(request(pb))
        calls = reply.choices[0].message.tool_calls
        assert len(calls) == 2 and [call.index for call in calls] == [0, 1]
        events, _ = stream(pb, c, request(pb))
        joined = {}
        for e in events:
            if e.WhichOneof("event") == "tool_call":
                joined[e.tool_call.tool_call_index] = joined.get(e.tool_call.tool_call_index, "") + e.tool_call.arguments_json_fragment
        assert joined == {call.index: call.arguments_json for call in calls}
    with run(upstream, "reasoning") as remora, channel(remora) as c:
        reply = pb.chat_grpc.ChatServiceStub(c).Chat(request(pb))
        assert reply.choices[0].message.reasoning[0].text


def failure(pb, c, chat, **kwargs):
    with pytest.raises(grpc.RpcError) as e:
        stream(pb, c, chat, **kwargs)
    found = {}
    for key, value in e.value.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = pb.status.Status.FromString(value)
            for detail in status.details:
                found.setdefault(detail.type_url.split("/")[-1], []).append(detail)
    return e.value, found


def reason(pb, details):
    info = pb.details.ErrorInfo()
    details["google.rpc.ErrorInfo"][0].Unpack(info)
    assert info.domain == "remora.dev"
    return info.reason


def test_errors_carry_typed_details(upstream, pb):
    cases = [("429-retry-7", "429", grpc.StatusCode.RESOURCE_EXHAUSTED, "CAPACITY_EXHAUSTED"),
             ("500", "500", grpc.StatusCode.UNAVAILABLE, "UPSTREAM_OVERLOADED"),
             ("401", "403", grpc.StatusCode.FAILED_PRECONDITION, "UPSTREAM_CREDENTIAL"),
             ("400", "400@x", grpc.StatusCode.INVALID_ARGUMENT, "UPSTREAM_REFUSED_REQUEST")]
    for first, second, code, expected in cases:
        with run(upstream, first, second) as remora, channel(remora) as c:
            error, details = failure(pb, c, request(pb))
            assert error.code() == code and reason(pb, details) == expected, (first, error)
            assert len(details["remora.v1.Attempt"]) == 2
            trailers = dict(error.trailing_metadata())
            if expected == "UPSTREAM_CREDENTIAL":
                assert trailers["grpc-retry-pushback-ms"] == "-1"
            if expected == "CAPACITY_EXHAUSTED":
                info = pb.details.RetryInfo()
                details["google.rpc.RetryInfo"][0].Unpack(info)
                assert info.retry_delay.seconds == 7


def test_bad_requests_name_the_field(upstream, pb):
    with run(upstream, "ok") as remora, channel(remora) as c:
        bad = request(pb, sampling=pb.chat.SamplingOptions(temperature=9))
        error, details = failure(pb, c, bad)
        info = pb.details.BadRequest()
        details["google.rpc.BadRequest"][0].Unpack(info)
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert "temperature" in info.field_violations[0].field
        error, details = failure(pb, c, request(pb, preset="p"))
        assert error.code() == grpc.StatusCode.UNIMPLEMENTED and "preset" in error.details()
        error, _ = failure(pb, c, request(pb, model="nobody/has-it"))
        assert error.code() == grpc.StatusCode.NOT_FOUND


def test_a_failure_after_content_ends_with_unavailable(upstream, pb):
    with run(upstream, "cut-after-2") as remora, channel(remora) as c:
        call = pb.chat_grpc.ChatServiceStub(c).StreamChat(pb.chat.StreamChatRequest(chat=request(pb)))
        text = ""
        with pytest.raises(grpc.RpcError) as e:
            for event in call:
                text += event.text.text
        assert text == "w0 w1 " and e.value.code() == grpc.StatusCode.UNAVAILABLE


def test_deadline_and_cancel_reach_the_upstream(upstream, pb):
    with run(upstream, "hold") as remora, channel(remora) as c:
        upstream.reset()
        began = time.monotonic()
        error, _ = failure(pb, c, request(pb), timeout=0.5)
        assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED and time.monotonic() - began < 1.5
        upstream.wait_aborted("hold", 1)
        call = pb.chat_grpc.ChatServiceStub(c).StreamChat(pb.chat.StreamChatRequest(chat=request(pb)))
        upstream.wait_open("hold", 1)
        time.sleep(0.1)
        call.cancel()  # how soon: test_phases.py
        upstream.wait_aborted("hold", 2)


def test_a_slow_reader_pauses_the_upstream(upstream, pb):
    # Its window would grow to megabytes while it seems to read well, which takes a loaded machine more than a minute to fill.
    options = [("grpc.http2.bdp_probe", 0)]
    with run(upstream, "endless") as remora, grpc.insecure_channel(f"127.0.0.1:{remora.grpc_port}", options) as c:
        upstream.reset()
        call = pb.chat_grpc.ChatServiceStub(c).StreamChat(pb.chat.StreamChatRequest(chat=request(pb)))
        next(call)
        # The client's own flow-control window fills first; small deltas travel merged.
        before, end = -1, time.monotonic() + 60
        while (now := upstream.stats("endless")["bytes_sent"]) != before and time.monotonic() < end:
            before = now
            time.sleep(1.0)
        assert now == before, "the provider is not read from any more"
        rss = remora.rss_kib()
        time.sleep(1.0)
        assert upstream.stats("endless")["bytes_sent"] == now and remora.rss_kib() - rss < 1024
        call.cancel()


def test_unknown_methods_and_garbage_are_answered(upstream, pb):
    with run(upstream, "ok") as remora, channel(remora) as c:
        def raw(method, data, timeout=5):
            with pytest.raises(grpc.RpcError) as e:
                c.unary_unary(method)(data, timeout=timeout)
            return e.value.code()
        assert raw("/remora.v1.ChatService/Nothing", b"") == grpc.StatusCode.UNIMPLEMENTED
        assert raw("/no.such.Service/Method", b"") == grpc.StatusCode.UNIMPLEMENTED
        assert raw("/remora.v1.ChatService/Chat", b"\xff\xff\xff") == grpc.StatusCode.INVALID_ARGUMENT
        deep = b""
        for _ in range(8000):  # Value{list_value{values{...}}}: what killed protobuf-c
            def field(number, data):
                length = len(data)
                out = bytes([number << 3 | 2])
                while length > 127:
                    out += bytes([length & 127 | 128])
                    length >>= 7
                return out + bytes([length]) + data
            deep = field(6, field(1, deep))
            if len(deep) > 200000:
                break
        entry = field(1, b"k") + field(2, deep)
        assert raw("/remora.v1.ChatService/Chat", bytes([30 << 3 & 127 | 2 | 128, 1]) + field(1, field(1, entry))[1:]) in (
            grpc.StatusCode.INVALID_ARGUMENT,)
        assert pb.chat_grpc.ChatServiceStub(c).Chat(request(pb)).choices, "still alive"


def test_more_calls_at_once_than_four_workers_await(upstream, pb):
    alone = (("grpc.use_local_subchannel_pool", 1),)
    with run(upstream, "ok", workers=4) as remora:
        channels = [grpc.insecure_channel(f"127.0.0.1:{remora.grpc_port}", options=alone) for _ in range(4)]
        stubs = [pb.chat_grpc.ChatServiceStub(c) for c in channels]
        calls = [stub.Chat.future(request(pb), timeout=60) for _ in range(100) for stub in stubs]
        texts = {call.result().choices[0].message.parts[0].text for call in calls}
        assert texts == {"w0 w1 w2 "}
        for c in channels:
            c.close()


def test_config_status_health_and_reflection(upstream, pb):
    with run(upstream, "ok") as remora, channel(remora) as c:
        status = pb.gateway_grpc.GatewayServiceStub(c).GetConfigStatus(pb.gateway.GetConfigStatusRequest())
        assert len(status.revision) == 12 and status.catalog_version and not status.last_error
        assert status.catalog_age_seconds > 0
        from wire_health.v1 import health_pb2  # noqa: PLC0415

        check = c.unary_unary("/grpc.health.v1.Health/Check", request_serializer=lambda m: m.SerializeToString(),
                              response_deserializer=health_pb2.HealthCheckResponse.FromString)
        for name in ("", "remora.v1.ChatService"):
            assert check(health_pb2.HealthCheckRequest(service=name)).status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.RpcError) as e:
            check(health_pb2.HealthCheckRequest(service="nobody"))
        assert e.value.code() == grpc.StatusCode.NOT_FOUND
        from wire_reflection.v1 import reflection_pb2 as reflection  # noqa: PLC0415

        for version in ("v1", "v1alpha"):
            info = c.stream_stream(f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
                                   request_serializer=lambda m: m.SerializeToString(),
                                   response_deserializer=reflection.ServerReflectionResponse.FromString)
            asked = [reflection.ServerReflectionRequest(list_services="*"),
                     reflection.ServerReflectionRequest(file_containing_symbol="remora.v1.ChatService"),
                     reflection.ServerReflectionRequest(file_containing_symbol="grpc.health.v1.Health.List"),
                     reflection.ServerReflectionRequest(file_containing_symbol="no.such.Thing")]
            answers = list(info(iter(asked)))
            names = {s.name for s in answers[0].list_services_response.service}
            assert {"remora.v1.ChatService", "remora.v1.ModelService", "remora.v1.GatewayService", "grpc.health.v1.Health"} <= names
            assert answers[1].file_descriptor_response.file_descriptor_proto
            assert b"HealthListRequest" in answers[2].file_descriptor_response.file_descriptor_proto[0]
            assert answers[3].error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


def test_a_session_that_is_too_long_is_refused_as_over_http(upstream, pb):
    with run(upstream, "ok") as remora, channel(remora) as c:
        stub = pb.chat_grpc.ChatServiceStub(c)
        calls = (lambda chat, m: stub.Chat(chat, metadata=m),
                 lambda chat, m: list(stub.StreamChat(pb.chat.StreamChatRequest(chat=chat), metadata=m)))
        long = "s" * 257
        for call in calls:
            assert remora.chat({"model": "t/m"}, headers={"x-session-id": long[1:]})[0] == 200
            assert call(request(pb), [("x-session-id", long[1:])])
            status, _, body = remora.chat({"model": "t/m"}, headers={"x-session-id": long})
            assert (status, body["error"]["param"]) == (400, "x-session-id")
            with pytest.raises(grpc.RpcError) as refused:
                call(request(pb), [("x-session-id", long)])
            assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
            assert refused.value.details() == body["error"]["message"].replace("header", "metadata")
            details = pb.status.Status.FromString(dict(refused.value.trailing_metadata())["grpc-status-details-bin"]).details
            found = [pb.details.BadRequest.FromString(d.value) for d in details if d.type_url.endswith(".BadRequest")]
            assert [v.field for bad in found for v in bad.field_violations] == ["x-session-id"]
            # the message's own beats it, over both fronts
            assert remora.chat({"model": "t/m", "session_id": "s"}, headers={"x-session-id": long})[0] == 200
            assert call(request(pb, session_id="s"), [("x-session-id", long)])


def symbols_of(file):
    """The full name of everything that the file declares (descriptor.proto: an enum's values are its siblings)."""
    def enum(scope, each):
        return [f"{scope}.{each.name}", *(f"{scope}.{value.name}" for value in each.value)]

    def message(scope, each):
        name = f"{scope}.{each.name}"
        members = [f"{name}.{one.name}" for one in (*each.field, *each.oneof_decl)]
        inner = [n for one in each.nested_type for n in message(name, one)] + [n for one in each.enum_type for n in enum(name, one)]
        return [name, *members, *inner]

    found = [n for each in file.message_type for n in message(file.package, each)]
    found += [n for each in file.enum_type for n in enum(file.package, each)]
    for service in file.service:
        found += [f"{file.package}.{service.name}", *(f"{file.package}.{service.name}.{one.name}" for one in service.method)]
    return found


def test_reflection_finds_the_file_of_every_symbol(upstream, pb):
    from google.protobuf import descriptor_pb2  # noqa: PLC0415
    from wire_reflection.v1 import reflection_pb2 as reflection  # noqa: PLC0415

    with run(upstream, "ok") as remora, channel(remora) as c:
        info = c.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                               request_serializer=lambda m: m.SerializeToString(),
                               response_deserializer=reflection.ServerReflectionResponse.FromString)

        def ask(**questions):
            ((kind, names),) = questions.items()
            return list(info(iter([reflection.ServerReflectionRequest(**{kind: name}) for name in names])))

        whole = ask(file_containing_symbol=["remora.v1.ChatService", "remora.v1.GatewayService", "grpc.health.v1.Health"])
        files = {}
        for answer in whole:
            for data in answer.file_descriptor_response.file_descriptor_proto:
                file = descriptor_pb2.FileDescriptorProto.FromString(data)
                files[file.name] = file
        names = [(name, file.name) for file in files.values() for name in symbols_of(file)]
        assert len(names) > 500 and ("remora.v1.ROLE_USER", "remora/v1/chat.proto") in names
        assert ("remora.v1.ContentPart.kind", "remora/v1/chat.proto") in names
        for (name, file), answer in zip(names, ask(file_containing_symbol=[name for name, _ in names]), strict=True):
            assert answer.WhichOneof("message_response") == "file_descriptor_response", name
            first = answer.file_descriptor_response.file_descriptor_proto[0]
            assert descriptor_pb2.FileDescriptorProto.FromString(first).name == file, name
        nowhere = ["", "remora", "remora.v1", "remora.v1.Role.ROLE_USER", "remora.v1.Message.rol", "remora.v1.Message.roles", "zzz"]
        for name, answer in zip(nowhere, ask(file_containing_symbol=nowhere), strict=True):
            assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0], name


def test_a_unary_call_to_an_endpoint_that_only_streams_is_collected(upstream, pb):
    config = two_providers(upstream, "cut-after-3", "ok").replace("model_id:", "stream_only: true, model_id:")
    with Remora(config, environment=SECRETS) as remora, channel(remora) as c:
        answer = pb.chat_grpc.ChatServiceStub(c).Chat(request(pb))
        assert upstream.last()["json"]["stream"] is True
        assert answer.choices[0].message.parts[0].text == "w0 w1 w2 ", "of the second attempt alone"
