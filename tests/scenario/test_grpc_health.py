"""grpc.health.v1 whole: Check, Watch and List say what the HTTP probes say, and a watch is told of each change."""
import json
import queue
import signal
import threading
import time

import grpc
import pytest

from gateway import SECRETS, Remora, two_providers

SERVICES = {"remora.v1.ChatService", "remora.v1.EmbeddingService", "remora.v1.GatewayService", "remora.v1.ModelService",
            "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"}
READY = SERVICES | {"", "readiness"}


@pytest.fixture(scope="module")
def pb(stubs):
    from wire_health.v1 import health_pb2, health_pb2_grpc  # noqa: PLC0415

    class Modules:
        health, health_grpc = health_pb2, health_pb2_grpc

    return Modules


def channel(remora, *options):
    return grpc.insecure_channel(f"127.0.0.1:{remora.grpc_port}", options=(("grpc.use_local_subchannel_pool", 1), *options))


def name(status):
    from wire_health.v1 import health_pb2  # noqa: PLC0415
    return health_pb2.HealthCheckResponse.ServingStatus.Name(status)


class Watch:
    """One Watch, read by a thread; `ended` is its status code."""

    def __init__(self, pb, c, service):
        self.call = pb.health_grpc.HealthStub(c).Watch(pb.health.HealthCheckRequest(service=service))
        self.told = queue.Queue()
        self.ended = None
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        try:
            for answer in self.call:
                self.told.put(name(answer.status))
        except grpc.RpcError as e:
            self.ended = e.code()

    def next(self, seconds=10):
        return self.told.get(timeout=seconds)

    def is_quiet(self, seconds=0.3):
        time.sleep(seconds)
        return self.told.empty() and self.ended is None


def check(pb, c, service):
    return name(pb.health_grpc.HealthStub(c).Check(pb.health.HealthCheckRequest(service=service), timeout=10).status)


def listed(pb, c):
    answer = pb.health_grpc.HealthStub(c).List(pb.health.HealthListRequest(), timeout=10)
    return {service: name(response.status) for service, response in answer.statuses.items()}


def test_check_and_list_know_the_same_names(upstream, pb):
    with Remora(two_providers(upstream, "ok"), environment=SECRETS) as remora, channel(remora) as c:
        statuses = listed(pb, c)
        assert set(statuses) == READY | {"liveness"}
        assert set(statuses.values()) == {"SERVING"}
        assert {service: check(pb, c, service) for service in statuses} == statuses
        with pytest.raises(grpc.RpcError) as e:
            check(pb, c, "remora.v1.ChatServices")
        assert e.value.code() == grpc.StatusCode.NOT_FOUND and "Health/List" in e.value.details()


def test_a_watch_is_told_at_once_and_once(upstream, pb):
    with Remora(two_providers(upstream, "ok"), environment=SECRETS) as remora, channel(remora) as c:
        watches = [Watch(pb, c, service) for service in sorted(READY | {"liveness"})]
        assert [w.next() for w in watches] == ["SERVING"] * len(watches)
        unknown = Watch(pb, c, "nobody")
        assert unknown.next() == "SERVICE_UNKNOWN"
        remora.process.send_signal(signal.SIGHUP)  # a new snapshot that changes nothing of it
        remora.wait_log("configuration loaded")
        assert all(w.is_quiet(0.05) for w in [*watches, unknown])


@pytest.mark.parametrize("workers", [1, 4])
def test_a_policy_file_that_comes_makes_every_watch_serve(upstream, tmp_path, pb, workers):
    path = tmp_path / "mesh.yaml"
    config = two_providers(upstream, "ok", more=f"policy_files: {{mesh: {path}}}\n")
    with Remora(config, environment=SECRETS, workers=workers) as remora, channel(remora) as c:
        assert remora.request("GET", "/readyz", port=remora.probe_port)[0] == 503
        statuses = listed(pb, c)
        assert {s for s, status in statuses.items() if status == "NOT_SERVING"} == READY
        assert statuses["liveness"] == "SERVING"
        watches = [Watch(pb, c, service) for service in ("", "readiness", "remora.v1.ChatService") * 4]  # on all workers
        live = Watch(pb, c, "liveness")
        assert [w.next() for w in watches] == ["NOT_SERVING"] * len(watches) and live.next() == "SERVING"
        path.write_text("{}\n")
        assert [w.next() for w in watches] == ["SERVING"] * len(watches)
        assert live.is_quiet()
        assert remora.request("GET", "/readyz", port=remora.probe_port)[0] == 200


def test_a_drain_tells_watches_and_then_ends_them(upstream, pb):
    more = "drain: {delay_ms: 800, grace_ms: 20000}\n"
    with Remora(two_providers(upstream, "ok", more=more), environment=SECRETS, workers=2) as remora, channel(remora) as c:
        watches = [Watch(pb, c, "remora.v1.ChatService") for _ in range(6)]
        live = Watch(pb, c, "liveness")
        assert [w.next() for w in [*watches, live]] == ["SERVING"] * 7
        begun = time.monotonic()
        remora.process.send_signal(signal.SIGTERM)
        assert [w.next() for w in watches] == ["NOT_SERVING"] * 6
        assert time.monotonic() - begun < 0.7, "told before the delay is over"
        assert remora.request("GET", "/readyz", port=remora.probe_port)[::2] == (503, b"not ready: draining\n")
        assert check(pb, c, "liveness") == "SERVING" and check(pb, c, "") == "NOT_SERVING"
        for watch in [*watches, live]:
            watch.thread.join(10)
            assert watch.ended == grpc.StatusCode.UNAVAILABLE and watch.told.empty()
        remora.process.wait(10)
        assert time.monotonic() - begun < 5, "a watch does not hold the drain"


HEALTH_CHECKS = (("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}],
                                                     "healthCheckConfig": {"serviceName": ""}})),)


def test_who_finds_no_place_for_a_watch_makes_its_calls(upstream, pb):
    """A client that checks health by itself watches before its first call."""
    with Remora(two_providers(upstream, "ok"), environment=SECRETS, workers=1) as remora:
        channels = [channel(remora) for _ in range(4)]
        watches = [Watch(pb, channels[i % 4], "") for i in range(256)]
        assert {w.next() for w in watches} == {"SERVING"}
        with channel(remora, *HEALTH_CHECKS) as late:
            assert check(pb, late, "") == "SERVING"
        for c in channels:
            c.close()


def test_watches_are_bounded_and_their_places_come_back(upstream, pb):
    most = 256
    with Remora(two_providers(upstream, "ok"), environment=SECRETS, workers=1) as remora:
        channels = [channel(remora) for _ in range(4)]  # 100 streams on one connection
        watches = [Watch(pb, channels[i % 4], "") for i in range(most)]
        assert {w.next() for w in watches} == {"SERVING"}
        refused = Watch(pb, channels[0], "")
        refused.thread.join(10)
        assert refused.ended == grpc.StatusCode.UNIMPLEMENTED
        for watch in watches[:8]:
            watch.call.cancel()
            watch.thread.join(10)
        end = time.monotonic() + 10
        while True:
            again = Watch(pb, channels[0], "")
            try:
                assert again.next(1) == "SERVING"
                break
            except queue.Empty:
                assert time.monotonic() < end
        for c in channels:
            c.close()
