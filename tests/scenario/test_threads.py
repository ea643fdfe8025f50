"""Four workers at once, with everything that crosses between threads: hand-over of connections, completions of the gRPC core,
snapshots, limits and the line for them, health, metrics, cancelling, the drain. tools/tsan.sh runs these under ThreadSanitizer.
"""
import contextlib
import http.client
import json
import signal
import socket
import threading
import time

import grpc

from gateway import SECRETS, USER, Remora, two_providers
from test_grpc import channel, pb, request  # noqa: F401  (pb is a fixture)
from test_keys import BEARER, hashes, with_keys  # noqa: F401  (hashes is a fixture)
from test_tls import swap_under_load

WORKERS = 4


def at_once(*jobs):
    """Runs the jobs, each on a thread of its own, and raises what the first of them raised."""
    failures = []

    def guarded(job):
        try:
            job()
        except BaseException as e:  # noqa: BLE001
            failures.append(e)

    threads = [threading.Thread(target=guarded, args=(job,)) for job in jobs]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failures:
        raise failures[0]


def times(count, job):
    return lambda: [job() for _ in range(count)]


def run(upstream, first="ok", second="ok", more="", **kwargs):
    return Remora(two_providers(upstream, first, second, more), environment=SECRETS, workers=WORKERS, **kwargs)


def test_both_fronts_unary_and_stream(upstream, pb):  # noqa: F811
    with run(upstream, "503") as remora, contextlib.ExitStack() as stack:
        channels = [stack.enter_context(channel(remora)) for _ in range(4)]

        def unary():
            assert remora.chat({"model": "t/m"})[0] == 200

        def stream():
            assert remora.stream({"model": "t/m"}).is_done

        def grpc_unary(c):
            assert pb.chat_grpc.ChatServiceStub(c).Chat(request(pb)).choices

        def grpc_stream(c):
            events = list(pb.chat_grpc.ChatServiceStub(c).StreamChat(pb.chat.StreamChatRequest(chat=request(pb))))
            assert events[-1].WhichOneof("event") == "completed"

        at_once(*[times(8, job) for job in (unary, unary, stream, stream)],
                *[times(8, lambda c=c: grpc_unary(c)) for c in channels[:2]],
                *[times(8, lambda c=c: grpc_stream(c)) for c in channels[2:]])
        assert sum(v for k, v in remora.metrics().items() if k.startswith("remora_requests_total")) == 64


def test_keep_alive_connections_of_every_worker(upstream):
    with run(upstream) as remora:
        def talk():
            connection = http.client.HTTPConnection("127.0.0.1", remora.http_port, timeout=30)
            for _ in range(10):
                connection.request("POST", "/v1/chat/completions", json.dumps({"model": "t/m", "messages": USER}),
                                   {"Content-Type": "application/json"})
                answer = connection.getresponse()
                assert answer.status == 200 and answer.read()
            connection.close()

        at_once(*[talk] * 8)


def test_reload_while_requests_run(upstream, pb):  # noqa: F811
    with run(upstream) as remora, channel(remora) as c:
        stop = threading.Event()
        statuses = []

        def load():
            while not stop.is_set():
                statuses.append(remora.chat({"model": "t/m"})[0])
                assert pb.chat_grpc.ChatServiceStub(c).Chat(request(pb)).choices

        def reload():
            try:
                for i in range(15):
                    remora.config_path.write_text(two_providers(upstream, "503" if i % 2 else "ok"))
                    remora.process.send_signal(signal.SIGHUP)
                    assert remora.request("GET", "/config/status", port=remora.admin_port)[0] == 200
                    assert remora.metrics()
                    time.sleep(0.05)
            finally:
                stop.set()

        at_once(load, load, load, reload)
        assert statuses and set(statuses) == {200}


def test_watches_come_and_go_while_the_configuration_changes(upstream, pb):  # noqa: F811
    from wire_health.v1 import health_pb2, health_pb2_grpc  # noqa: PLC0415

    remora = run(upstream)
    stop, has_stopped, ended = threading.Event(), threading.Semaphore(0), []

    def watch(c):
        health = health_pb2_grpc.HealthStub(c)
        for _ in range(40):  # two of these share a connection, on which more than 100 in 10 s are a storm of resets
            if stop.is_set():
                break
            call = health.Watch(health_pb2.HealthCheckRequest())
            assert next(call).status == health_pb2.HealthCheckResponse.SERVING
            call.cancel()
        has_stopped.release()

    def stay(c):
        try:
            for _ in health_pb2_grpc.HealthStub(c).Watch(health_pb2.HealthCheckRequest()):
                pass
        except grpc.RpcError as e:
            ended.append(e.code())

    def reload():
        try:
            for _ in range(10):
                remora.process.send_signal(signal.SIGHUP)
                time.sleep(0.05)
        finally:
            stop.set()
            for _ in range(2):
                has_stopped.acquire(timeout=20)
            remora.process.send_signal(signal.SIGTERM)

    with contextlib.ExitStack() as stack:
        channels = [stack.enter_context(channel(remora)) for _ in range(4)]
        at_once(*[lambda c=c: watch(c) for c in channels[:2]], *[lambda c=c: stay(c) for c in channels * 2], reload)
    remora.stop()
    assert ended == [grpc.StatusCode.UNAVAILABLE] * 8


def test_certificates_are_swapped_under_load(upstream, tmp_path):
    """HTTP alone: the TLS of gRPC is the core's, with a libssl whose ordering is not seen here (test_tls.py has both)."""
    swap_under_load(upstream, tmp_path, ("--http", "0.0.0.0:0"))


def test_callers_that_leave(upstream, pb):  # noqa: F811
    with run(upstream, "stall-after-2") as remora, contextlib.ExitStack() as stack:
        channels = [stack.enter_context(channel(remora)) for _ in range(2)]
        upstream.reset()

        def leave():
            s = socket.create_connection(("127.0.0.1", remora.http_port), timeout=10)
            body = json.dumps({"model": "t/m", "messages": USER, "stream": True}).encode()
            s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                      b"Content-Length: %d\r\n\r\n" % len(body) + body)
            assert s.recv(100).startswith(b"HTTP/1.1 200")
            s.close()

        def cancel(c):
            call = pb.chat_grpc.ChatServiceStub(c).StreamChat(pb.chat.StreamChatRequest(chat=request(pb)))
            next(call)
            call.cancel()

        at_once(times(6, leave), times(6, leave), *[times(6, lambda c=c: cancel(c)) for c in channels])
        upstream.wait_aborted("stall-after-2", 24, timeout=20)


def test_the_line_for_a_place_across_workers(upstream, hashes, pb):  # noqa: F811
    limits = ", limits: {concurrency: 2, requests_per_minute: 1000, tokens_per_minute: 100000}"
    with Remora(with_keys(upstream, hashes, "paced-5x10ms", policy=limits), environment=SECRETS, workers=WORKERS) as remora, \
            channel(remora) as c:
        upstream.reset()
        metadata = (("authorization", BEARER["Authorization"]),)

        def over_http():
            assert remora.stream({"model": "t/m"}, headers=BEARER).is_done

        def over_grpc():
            events = list(pb.chat_grpc.ChatServiceStub(c).StreamChat(pb.chat.StreamChatRequest(chat=request(pb)), metadata=metadata))
            assert events[-1].WhichOneof("event") == "completed"

        def impatient():
            try:
                remora.stream({"model": "t/m"}, headers=BEARER, timeout=0.05)
            except (TimeoutError, OSError):
                pass

        at_once(*[times(4, over_http)] * 4, *[times(4, over_grpc)] * 2, times(6, impatient))
        assert upstream.stats("paced-5x10ms")["max_open"] <= 3  # one that was cancelled may still be seen open


def test_drain_with_streams_under_way(upstream, pb):  # noqa: F811
    remora = run(upstream, "paced-30x20ms")
    ended = []

    def over_http():
        ended.append(remora.stream({"model": "t/m"}).is_done)

    def over_grpc():
        with channel(remora) as c:
            events = list(pb.chat_grpc.ChatServiceStub(c).StreamChat(pb.chat.StreamChatRequest(chat=request(pb))))
            ended.append(events[-1].WhichOneof("event") == "completed")

    def stop():
        upstream.wait_open("paced-30x20ms", 8, timeout=20)
        remora.process.send_signal(signal.SIGTERM)

    upstream.reset()
    at_once(*[over_http] * 4, *[over_grpc] * 4, stop)
    remora.stop()
    assert ended == [True] * 8


def test_the_end_of_grace_while_streams_hang(upstream, pb):  # noqa: F811
    remora = run(upstream, "stall-after-2", more="drain: {grace_ms: 300}\n")
    reasons = []

    def over_http():
        reasons.append(remora.stream({"model": "t/m"}).error()["metadata"]["reason"])

    def over_grpc():
        with channel(remora) as c:
            try:
                list(pb.chat_grpc.ChatServiceStub(c).StreamChat(pb.chat.StreamChatRequest(chat=request(pb))))
            except grpc.RpcError as e:
                reasons.append(e.code())

    def stop():
        upstream.wait_open("stall-after-2", 6, timeout=20)
        time.sleep(0.2)
        remora.process.send_signal(signal.SIGTERM)

    upstream.reset()
    at_once(*[over_http] * 3, *[over_grpc] * 3, stop)
    remora.stop()
    assert reasons.count("DRAINING") == 3 and reasons.count(grpc.StatusCode.UNAVAILABLE) == 3
