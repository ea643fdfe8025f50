"""gRPC's interop cases (grpc/grpc doc/interop-test-descriptions.md) with grpcio, each on the method of ours that has its shape.

Not here because nothing of ours has the shape: client_streaming (no method takes one), server_compressed_* (answers are not
compressed), the authentication cases of Google's clouds.
"""
import concurrent.futures
import threading
import time

import grpc
import pytest

from gateway import SECRETS, Remora, two_providers
from test_grpc import channel, pb, request, run  # noqa: F401  (pb is a fixture)


@pytest.fixture(scope="module", params=[1, 4])
def remora(request, upstream):  # noqa: F811
    with Remora(two_providers(upstream, "ok"), environment=SECRETS, workers=request.param) as r:
        yield r


@pytest.fixture
def c(remora):
    with channel(remora) as c:
        yield c


def chat(pb, c, **kwargs):
    return pb.chat_grpc.ChatServiceStub(c).Chat(request(pb, text="x" * 271828), **kwargs)


def test_empty_unary(pb, c):
    raw = c.unary_unary("/remora.v1.ModelService/ListModels")(b"", timeout=10)
    assert raw
    assert pb.gateway_grpc.GatewayServiceStub(c).GetConfigStatus(pb.gateway.GetConfigStatusRequest(), timeout=10).revision


def test_large_unary_both_ways(upstream, pb):
    with run(upstream, "echo") as remora, channel(remora) as c:
        text = "x" * 314159
        answer = pb.chat_grpc.ChatServiceStub(c).Chat(request(pb, text=text), timeout=30)
        assert answer.choices[0].message.parts[0].text == text


def test_the_exit_does_not_wait_for_the_core(upstream, pb):
    """After an answer that filled the socket an old core joins a thread of its own for up to 10 s: one exit of three."""
    for _ in range(6):
        with run(upstream, "echo") as remora, channel(remora) as c:
            assert pb.chat_grpc.ChatServiceStub(c).Chat(request(pb, text="x" * 314159), timeout=30).choices
            began = time.monotonic()
            remora.process.terminate()
            remora.process.wait(20)
            assert time.monotonic() - began < 3


@pytest.mark.parametrize("how", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_client_compressed_unary(pb, c, how):
    for compression in (how, grpc.Compression.NoCompression):  # the second on the same channel: each call says for itself
        assert chat(pb, c, compression=compression, timeout=30).choices


def test_client_compressed_streaming(pb, remora):
    """Each message of a stream says for itself whether it is compressed: reflection, whose requests are a stream."""
    from wire_reflection.v1 import reflection_pb2 as reflection  # noqa: PLC0415

    with grpc.insecure_channel(f"127.0.0.1:{remora.grpc_port}", compression=grpc.Compression.Gzip) as c:
        info = c.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                               request_serializer=lambda m: m.SerializeToString(),
                               response_deserializer=reflection.ServerReflectionResponse.FromString)
        asked = [reflection.ServerReflectionRequest(file_containing_symbol="remora.v1.ChatService" + "x" * 3000),
                 reflection.ServerReflectionRequest(list_services="*")]
        answers = list(info(iter(asked), timeout=10))
        assert answers[0].error_response.error_code == 5 and answers[1].list_services_response.service


def reflect(c):
    from wire_reflection.v1 import reflection_pb2 as reflection  # noqa: PLC0415

    return reflection, c.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                                       request_serializer=lambda m: m.SerializeToString(),
                                       response_deserializer=reflection.ServerReflectionResponse.FromString)


def test_server_streaming(pb, c):
    events = list(pb.chat_grpc.ChatServiceStub(c).StreamChat(pb.chat.StreamChatRequest(chat=request(pb)), timeout=10))
    assert events[-1].WhichOneof("event") == "completed"


def test_ping_pong(pb, c):
    reflection, info = reflect(c)
    more = threading.Semaphore(0)

    def questions():
        for size in (271, 8, 1828, 4590):
            more.acquire()
            yield reflection.ServerReflectionRequest(file_containing_symbol="x" * size)

    call = info(questions(), timeout=10)
    for size in (271, 8, 1828, 4590):
        more.release()
        assert next(call).original_request.file_containing_symbol == "x" * size
    with pytest.raises(StopIteration):
        next(call)


def test_empty_stream(pb, c):
    _, info = reflect(c)
    call = info(iter(()), timeout=10)
    assert list(call) == [] and call.code() == grpc.StatusCode.OK


def test_custom_metadata(pb, c):
    """Text and bytes go in, text and bytes come back: details of a failure are binary trailers."""
    metadata = (("x-request-id", "interop-1"), ("x-anything-bin", b"\xab\xab\xab"), ("x-anything", "test_initial_metadata_value"))
    answer, call = pb.chat_grpc.ChatServiceStub(c).Chat.with_call(request(pb), metadata=metadata, timeout=10)
    assert dict(call.trailing_metadata())["remora-generation-id"] == answer.id
    with pytest.raises(grpc.RpcError) as e:
        pb.chat_grpc.ChatServiceStub(c).Chat(request(pb, model="t/none"), metadata=metadata, timeout=10)
    assert isinstance(dict(e.value.trailing_metadata())["grpc-status-details-bin"], bytes)


def test_status_code_and_message_with_special_characters(pb, c):
    """What a caller wrote is told back in the message: blanks, Unicode of any plane, percent signs."""
    with pytest.raises(grpc.RpcError) as e:
        pb.chat_grpc.ChatServiceStub(c).Chat(request(pb, model="t/ ☺ und 😈 100%25"), timeout=10)
    assert e.value.code() == grpc.StatusCode.NOT_FOUND and "☺ und 😈 100%25" in e.value.details()
    details = pb.status.Status.FromString(dict(e.value.trailing_metadata())["grpc-status-details-bin"])
    assert (details.code, details.message) == (5, e.value.details())


def test_unimplemented_method_and_service(pb, c):
    for path in ("/remora.v1.ChatService/UnimplementedCall", "/grpc.testing.UnimplementedService/UnimplementedCall"):
        with pytest.raises(grpc.RpcError) as e:
            c.unary_unary(path)(b"", timeout=10)
        assert e.value.code() == grpc.StatusCode.UNIMPLEMENTED and path in e.value.details()
    with pytest.raises(grpc.RpcError) as e:  # a stream of requests to a method that nobody knows is answered, not waited for
        next(c.stream_stream("/remora.v1.ChatService/Unknown")(iter(lambda: time.sleep(5), 1), timeout=10))
    assert e.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_cancel_after_begin(pb, c):
    reflection, info = reflect(c)
    never = threading.Event()
    call = info(iter(lambda: never.wait(10), 1))
    call.cancel()
    assert call.code() == grpc.StatusCode.CANCELLED
    never.set()


def test_cancel_after_first_response(upstream, pb):
    with run(upstream, "stall-after-2") as remora, channel(remora) as c:
        upstream.reset()
        call = pb.chat_grpc.ChatServiceStub(c).StreamChat(pb.chat.StreamChatRequest(chat=request(pb)))
        next(call)
        call.cancel()
        assert call.code() == grpc.StatusCode.CANCELLED
        upstream.wait_aborted("stall-after-2", 1)


def test_timeout_on_sleeping_server(upstream, pb):
    with run(upstream, "hold") as remora, channel(remora) as c:
        upstream.reset()
        with pytest.raises(grpc.RpcError) as e:
            list(pb.chat_grpc.ChatServiceStub(c).StreamChat(pb.chat.StreamChatRequest(chat=request(pb)), timeout=0.05))
        assert e.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        if upstream.stats("hold")["requests"]:
            upstream.wait_aborted("hold", upstream.stats("hold")["requests"])


def test_concurrent_large_unary(pb, c):
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: chat(pb, c, timeout=60), range(100)))
    assert all(a.choices for a in answers)
