"""Limits of services and keys, health and shedding: shared by all workers, told in full, over both fronts."""
import concurrent.futures
import contextlib
import http.client
import json
import socket
import threading
import time

import grpc
import openai
import pytest

from gateway import SECRETS, USER, Remora, two_providers
from test_grpc import channel, failure, pb, reason, request  # noqa: F401  (pb is a fixture)
from test_keys import BEARER, OTHER, hashes, with_keys  # noqa: F401  (hashes is a fixture)

MIB = 1 << 20


def limited(upstream, limits, first="ok", **kwargs):
    return Remora(two_providers(upstream, first, more=f"services: {{checkout: {{limits: {{{limits}}}}}}}\n"), environment=SECRETS,
                  **kwargs)


def quota_subjects(pb, error):  # noqa: F811
    status = pb.status.Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    quota = pb.details.QuotaFailure()
    assert any(detail.Unpack(quota) for detail in status.details)
    return [violation.subject for violation in quota.violations]


def together(count, call):
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: call(), range(count)))


@contextlib.contextmanager
def one_connection_per_worker(remora, workers=4):
    """Kept open, so that the least loaded worker is another one each time."""
    connections = [http.client.HTTPConnection("127.0.0.1", remora.http_port, timeout=30) for _ in range(workers)]
    for c in connections:
        c.request("GET", "/v1/models")
        c.getresponse().read()
    yield connections
    for c in connections:
        c.close()


def ask(connection, model="t/m"):
    connection.request("POST", "/v1/chat/completions", json.dumps({"model": model, "messages": USER}),
                       {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


@pytest.mark.parametrize("workers", [1, 4])
def test_requests_wait_for_their_turn_and_never_more_are_upstream(upstream, workers):
    with limited(upstream, "concurrency: 2", first="paced-10x20ms", workers=workers) as remora:
        upstream.reset()
        answers = together(12, lambda: remora.stream({"model": "t/m"}))
        assert all(s.is_done for s in answers)
        stats = upstream.stats("paced-10x20ms")
        assert stats["received"] == 12 and stats["max_open"] == 2
        metrics = remora.metrics()
        assert metrics['remora_limit_wait_seconds_count{service="checkout"}'] == 10
        assert metrics['remora_limit_wait_seconds_sum{service="checkout"}'] > 0.2


def test_waiting_in_vain_is_429_with_everything_a_client_needs(upstream, pb):  # noqa: F811
    with limited(upstream, "concurrency: 1", first="hold") as remora, channel(remora) as c:
        upstream.reset()
        holder = threading.Thread(target=remora.stream, args=({"model": "t/m"},))
        holder.start()
        upstream.wait_open("hold", 1)
        began = time.monotonic()
        status, head, body = remora.chat({"model": "t/m"})
        assert status == 429 and 4.5 < time.monotonic() - began < 8
        assert int(head["retry-after"]) >= 1 and head["x-ratelimit-limit"] == "1" and head["x-ratelimit-remaining"] == "0"
        assert abs(int(head["x-ratelimit-reset"]) / 1000 - time.time()) < 5
        error = body["error"]
        assert error["metadata"]["reason"] == "RATE_LIMITED" and error["type"] == "rate_limit_error"
        assert "Service 'checkout' has reached its limit of 1 requests in flight" in error["message"]
        told, details = failure(pb, c, request(pb))
        assert told.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and reason(pb, details) == "RATE_LIMITED"
        retry = pb.details.RetryInfo()
        details["google.rpc.RetryInfo"][0].Unpack(retry)
        assert retry.retry_delay.ToTimedelta().total_seconds() >= 1 and "google.rpc.QuotaFailure" in details
        name = 'remora_limit_rejections_total{service="checkout",key="",scope="service",limit="concurrency"}'
        assert remora.metrics()[name] == 2
        upstream.release()
        holder.join()


def test_a_caller_that_leaves_the_line_frees_it(upstream):
    with limited(upstream, "concurrency: 1", first="hold", workers=4) as remora:
        upstream.reset()
        holder = threading.Thread(target=remora.stream, args=({"model": "t/m"},))
        holder.start()
        upstream.wait_open("hold", 1)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                remora.chat({"model": "t/m"}, timeout=0.3)
        upstream.release()
        holder.join()
        gone = remora.wait_log("request", 4)
        assert sorted(line["code"] for line in gone)[:3] == ["CLIENT_GONE"] * 3
        assert upstream.stats("hold")["received"] == 1, "nothing of them went upstream"


@pytest.mark.parametrize("workers", [1, 4])
def test_requests_per_minute_are_counted_over_all_workers(upstream, workers):
    with limited(upstream, "requests_per_minute: 20", workers=workers) as remora:
        statuses = together(40, lambda: remora.chat({"model": "t/m"})[0])
        # 20 at once, and what flows in while they run: one each 3 s.
        assert set(statuses) == {200, 429} and 20 <= statuses.count(200) <= 24
        status, head, body = remora.chat({"model": "t/m"})
        assert status == 429 and 1 <= int(head["retry-after"]) <= 3 and head["x-ratelimit-limit"] == "20"
        assert "20 requests per minute" in body["error"]["message"]


def rejections(remora):
    return sum(v for k, v in remora.metrics().items() if k.startswith("remora_limit_rejections_total"))


def test_the_official_client_comes_back_when_it_is_told_to(upstream):
    with limited(upstream, "requests_per_minute: 12") as remora:
        # However slow this machine is: until there is none left of what flows in at one in five seconds.
        assert any(429 in together(20, lambda: remora.chat({"model": "t/m"})[0]) for _ in range(50))
        patient = openai.OpenAI(base_url=remora.base_url, api_key="none", max_retries=2)
        began, refused = time.monotonic(), rejections(remora)
        patient.chat.completions.create(model="t/m", messages=USER)
        assert time.monotonic() - began < 20
        assert rejections(remora) > refused, "it was refused, and came back"


def test_tokens_are_charged_by_what_was_used(upstream):
    with limited(upstream, "tokens_per_minute: 1000", first="ok-n200") as remora:
        # 211 tokens each (11 + 200): the estimate of some 500, of which two fit, stands only while the request runs. Less than that is
        # left after the third, unless it takes nine seconds, in which so much flows in.
        assert [remora.chat({"model": "t/m"})[0] for _ in range(3)] == [200] * 3
        refused = [body for status, _, body in (remora.chat({"model": "t/m"}) for _ in range(3)) if status == 429]
        assert refused
        body = refused[0]
        assert "1000 tokens per minute" in body["error"]["message"]


def test_a_key_has_limits_of_its_own(upstream, hashes, pb):  # noqa: F811
    config = with_keys(upstream, hashes, policy=", limits: {requests_per_minute: 2}")
    with Remora(config, environment=SECRETS, workers=4) as remora, channel(remora) as c:
        assert remora.chat({"model": "t/m"}, headers=BEARER)[0] == 200
        stub = pb.chat_grpc.ChatServiceStub(c)
        metadata = (("authorization", BEARER["Authorization"]),)
        assert stub.Chat(request(pb), metadata=metadata).choices, "both fronts count alike"
        status, head, body = remora.chat({"model": "t/m"}, headers=BEARER)
        assert status == 429 and head["x-ratelimit-limit"] == "2" and "Key 'ci'" in body["error"]["message"]
        with pytest.raises(grpc.RpcError) as e:
            stub.Chat(request(pb), metadata=metadata)
        assert e.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert quota_subjects(pb, e.value) == ["key:ci"], "as the message says, not the service"
        assert [remora.chat({"model": "t/m"}, headers={"x-api-key": OTHER})[0] for _ in range(5)] == [200] * 5
        name = 'remora_limit_rejections_total{service="build",key="ci",scope="key",limit="requests"}'
        assert remora.metrics()[name] == 2
        lines = [line for line in remora.log_lines() if line.get("message") == "request"]
        assert {line["key_id"] for line in lines} == {"ci", "app"}


# ---- health, shared ----

def test_every_worker_sees_an_endpoint_cool(upstream):
    with Remora(two_providers(upstream, "429"), environment=SECRETS, workers=4) as remora:
        upstream.reset()
        with one_connection_per_worker(remora) as connections:
            answers = [ask(c) for _ in range(3) for c in connections]
        assert all(status == 200 and body["provider"] == "b" for status, body in answers)
        assert upstream.stats("429")["received"] == 1, "one worker asked, all know"


def test_every_worker_sees_a_breaker_open(upstream):
    with Remora(two_providers(upstream, "500"), environment=SECRETS, workers=4) as remora:
        upstream.reset()
        with one_connection_per_worker(remora) as connections:
            answers = [ask(c) for _ in range(5) for c in connections]
        assert all(status == 200 and body["provider"] == "b" for status, body in answers)
        assert upstream.stats("500")["received"] == 5, "five failures in a row, whoever saw them"


# ---- shedding ----

def head_of(length):
    return (f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n").encode()


@contextlib.contextmanager
def bodies_under_way(remora, count, length):
    """Connections that have announced a body, were told to go on and send none of it."""
    sockets = [socket.create_connection(("127.0.0.1", remora.http_port), timeout=10) for _ in range(count)]
    for s in sockets:
        s.sendall(head_of(length))
    for s in sockets:
        assert s.recv(100).startswith(b"HTTP/1.1 100 ")
    yield
    for s in sockets:
        s.close()


def served_again(remora):
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if remora.chat({"model": "t/m"})[0] == 200:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("workers", [1, 4])
def test_a_full_process_sheds_and_recovers(upstream, pb, workers):  # noqa: F811
    """By bytes; that requests are bounded alike: tests/unit/engine_admission_test.c."""
    with Remora(two_providers(upstream, "ok"), environment=SECRETS, workers=workers) as remora, channel(remora) as c:
        before = remora.rss_kib()
        with bodies_under_way(remora, 16, 32 * MIB):
            status, head, body = remora.chat({"model": "t/m"})
            assert status == 503 and head["retry-after"] == "1"
            assert body["error"]["metadata"]["reason"] == "SHEDDING"
            told, details = failure(pb, c, request(pb))
            assert told.code() == grpc.StatusCode.UNAVAILABLE and reason(pb, details) == "SHEDDING"
            assert "google.rpc.RetryInfo" in details
            assert remora.request("GET", "/livez", port=remora.probe_port)[0] == 200
            assert remora.rss_kib() - before < 200 * 1024, "what is only announced costs little"
        assert served_again(remora)


def chunked(pieces):
    yield (b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
           b"Transfer-Encoding: chunked\r\n\r\n")
    for piece in pieces:
        yield b"%x\r\n%s\r\n" % (len(piece), piece)


def test_the_budget_of_bodies_is_configurable_and_counts_bodies_of_unknown_size_as_they_grow(upstream):
    """A chunked body is let in as 1 MiB; without counting on, thirty-two times the budget would be held."""
    config = two_providers(upstream, "ok", more=f"admission: {{bytes: {4 * MIB}}}\n")
    with Remora(config, environment=SECRETS) as remora:
        assert remora.metrics()["remora_request_bytes_limit"] == 4 * MIB
        with socket.create_connection(("127.0.0.1", remora.http_port), timeout=20) as s:
            for part in chunked([b" " * 65536] * 24):  # 1.5 MiB: room for 2
                s.sendall(part)
            end = time.monotonic() + 10
            while remora.metrics()["remora_request_bytes_inflight"] != 2 * MIB:
                assert time.monotonic() < end
                time.sleep(0.02)
            assert remora.chat({"model": "t/m"})[0] == 200
            with bodies_under_way(remora, 1, 2 * MIB):
                assert remora.chat({"model": "t/m"})[2]["error"]["metadata"]["reason"] == "SHEDDING"
                for part in list(chunked([b" " * 65536] * 24))[1:]:  # the first one grows: no room for 4
                    s.sendall(part)
                answer = s.recv(65536)
                assert answer.startswith(b"HTTP/1.1 503 ") and b"SHEDDING" in answer
        assert served_again(remora)
        assert remora.metrics()["remora_request_bytes_inflight"] == 0
        status, _, body = remora.request("POST", "/v1/chat/completions", b" " * (4 * MIB + 1))
        body = json.loads(body)
        assert status == 413 and body["error"]["metadata"]["reason"] == "TOO_LARGE", body
        assert "admission.bytes" in body["error"]["message"]


class HalfAnAnswer:
    """An upstream that says 4 MiB will come, sends two and no more."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.base_url = "http://127.0.0.1:%d/v1" % self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        peer, _ = self.listener.accept()
        peer.recv(65536)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (4 * MIB) + b" " * (2 * MIB))
        peer.recv(1)  # until it is left


def test_large_answers_that_are_still_coming_leave_less_to_new_requests():
    config = two_providers(HalfAnAnswer(), "x", more=f"admission: {{bytes: {2 * MIB}}}\n")
    with Remora(config, environment=SECRETS) as remora:
        body = json.dumps({"model": "t/m", "messages": USER}).encode()
        with socket.create_connection(("127.0.0.1", remora.http_port), timeout=20) as s:
            s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                      b"Content-Length: %d\r\n\r\n" % len(body) + body)
            arriving_becomes(remora, 2 * MIB)
            assert remora.chat({"model": "t/m"})[2]["error"]["metadata"]["reason"] == "SHEDDING"
        arriving_becomes(remora, 0)  # its caller has left


def arriving_becomes(remora, size):
    end = time.monotonic() + 10
    while remora.metrics()["remora_answer_bytes_arriving"] != size:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_line_is_configurable(upstream):
    more = "admission: {waiting: 1, wait_ms: 300}\nservices: {checkout: {limits: {concurrency: 1}}}\n"
    with Remora(two_providers(upstream, "hold", more=more), environment=SECRETS) as remora:
        upstream.reset()
        holder = threading.Thread(target=remora.stream, args=({"model": "t/m"},))
        holder.start()
        upstream.wait_open("hold", 1)
        began = time.monotonic()
        answers = together(3, lambda: (remora.chat({"model": "t/m"})[0], time.monotonic() - began))
        assert [status for status, _ in answers] == [429] * 3
        quick = [took for _, took in answers if took < 0.25]
        slow = [took for _, took in answers if took >= 0.28]
        assert len(quick) == 2 and len(slow) == 1 and slow[0] < 3, answers
        upstream.release()
        holder.join()
