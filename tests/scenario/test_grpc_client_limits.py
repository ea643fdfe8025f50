"""What docs/grpc.md says of clients in general, held to grpcio: the largest answer that it takes, and who sends a call again."""
import json

import grpc
import pytest

from test_grpc import pb, request, run  # noqa: F401  (pb is a fixture)

RETRIES = {"maxAttempts": 3, "initialBackoff": "0.05s", "maxBackoff": "0.1s", "backoffMultiplier": 1,
           "retryableStatusCodes": ["UNAVAILABLE", "FAILED_PRECONDITION", "RESOURCE_EXHAUSTED"]}
POLICY = ("grpc.service_config", json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": RETRIES}]}))


def channel(remora, *options):
    return grpc.insecure_channel(f"127.0.0.1:{remora.grpc_port}", (("grpc.use_local_subchannel_pool", 1), *options))


def failed(pb, c, chat=None):  # noqa: F811
    with pytest.raises(grpc.RpcError) as e:
        pb.chat_grpc.ChatServiceStub(c).Chat(chat or request(pb), timeout=60)
    return e.value


def test_an_answer_beyond_4_mib_needs_an_option_of_the_client(upstream, pb):  # noqa: F811
    with run(upstream, "giant-event-5m") as remora:
        with channel(remora) as c:
            error = failed(pb, c)
            assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and "4194304" in error.details(), "the client's own word"
        with channel(remora, ("grpc.max_receive_message_length", 32 << 20)) as c:
            answer = pb.chat_grpc.ChatServiceStub(c).Chat(request(pb), timeout=60)
            assert answer.ByteSize() > 5 << 20


@pytest.mark.parametrize("behaviour, options, calls", [
    ("503", (), 1), ("503", (POLICY,), 3), ("503", (POLICY, ("grpc.enable_retries", 0)), 1),
    ("401", (POLICY,), 1),  # a lasting cause: pushback -1
], ids=["default", "policy", "policy-off", "lasting"])
def test_a_client_sends_again_only_where_it_is_told_to(upstream, pb, behaviour, options, calls):  # noqa: F811
    """Both endpoints are asked once; a further call finds them resting or asks again, but each is in the log."""
    with run(upstream, behaviour, behaviour) as remora, channel(remora, *options) as c:
        failed(pb, c)
        assert len(remora.wait_log("request", calls)) == calls


def test_a_client_learns_of_a_limit_that_outlasts_its_deadline(upstream, pb):  # noqa: F811
    """The client obeys a hint by waiting, even where its call is over before: then it would be told of a deadline only."""
    with run(upstream, "ok", more="services: {checkout: {limits: {requests_per_minute: 1}}}\n") as remora, channel(remora, POLICY) as c:
        stub = pb.chat_grpc.ChatServiceStub(c)
        stub.Chat(request(pb), timeout=60)
        with pytest.raises(grpc.RpcError) as e:
            stub.Chat(request(pb), timeout=8)
        trailers = dict(e.value.trailing_metadata())
        assert e.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and trailers["grpc-retry-pushback-ms"] == "-1"
        assert b"google.rpc.RetryInfo" in trailers["grpc-status-details-bin"] and b"QuotaFailure" in trailers["grpc-status-details-bin"]


def test_a_client_does_not_send_again_what_is_too_large(upstream, pb):  # noqa: F811
    """The status says "try again" to clients that look at nothing else; the trailer says not to."""
    with run(upstream, "ok") as remora, channel(remora, POLICY) as c:
        chat = request(pb)
        chat.messages.extend(list(chat.messages) * 10000)
        error = failed(pb, c, chat)
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and dict(error.trailing_metadata())["grpc-retry-pushback-ms"] == "-1"
        assert sum(n for name, n in remora.metrics().items() if 'code="TOO_LARGE"' in name and "requests_total" in name) == 1
