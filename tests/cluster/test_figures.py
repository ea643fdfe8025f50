"""What docs/kubernetes.md says in figures. They are measured and printed; only what would be a defect fails."""
import gzip
import json
import os
import statistics
import tarfile
import time
from datetime import datetime

import pytest
import shop as shops
from kube import find, until
from shop import client, values

MIB = 1 << 20
STARTS = 5


@pytest.fixture(scope="module")
def shop(node):
    place = shops.Shop(node, "figures")
    place.install(values(place.provider_host))
    return place


def test_size_of_the_image(figures):
    path = os.environ["REMORA_CLUSTER_IMAGES"].rpartition(":")[2]
    with tarfile.open(path) as archive:
        blob = lambda digest: archive.extractfile("blobs/sha256/" + digest[7:]).read()
        index = json.load(archive.extractfile("index.json"))
        manifest = json.loads(blob(index["manifests"][0]["digest"]))
        packed = [blob(layer["digest"]) for layer in manifest["layers"]]
    unpacked = sum(len(gzip.decompress(b)) if b[:2] == b"\x1f\x8b" else len(b) for b in packed)
    figures["image, MiB packed and unpacked"] = [round(sum(map(len, packed)) / MIB, 1), round(unpacked / MIB, 1)]
    assert unpacked < 60 * 1000 * 1000


def memory(shop, pod):
    """Resident memory as Remora counts it, and the working set that the kubelet holds against the limit; MiB."""
    resident = shop.cluster.metrics(shop.namespace, pod)["process_resident_memory_bytes"]
    return {"resident": round(resident / MIB, 1), "working set": round(working_set(shop, pod) / MIB, 1)}


def working_set(shop, pod):
    summary = json.loads(shop.cluster.kubectl("get", "--raw", "/api/v1/nodes/node1/proxy/stats/summary"))
    one = next(p for p in summary["pods"] if p["podRef"] == {"name": pod, "namespace": shop.namespace,
                                                             "uid": p["podRef"]["uid"]})
    return next(c for c in one["containers"] if c["name"] == "remora")["memory"]["workingSetBytes"]


def served(shop, pod):
    found = shop.cluster.metrics(shop.namespace, pod)
    return sum(v for name, v in found.items() if name.startswith("remora_requests_total{"))


def cpu(shop, pod):
    return shop.cluster.metrics(shop.namespace, pod)["process_cpu_seconds_total"], time.monotonic()


def busy(shop, figures, api, *flags):
    """A pod that makes 50 calls a second: its memory behind 2,000 of them, and what the later 1,500 cost."""
    shop.run("busy", client("app", "-rate", "50", *flags), grace=1)
    until("the first 500 calls", lambda: served(shop, "busy") >= 500)
    used, at = cpu(shop, "busy")
    until("2000 calls", lambda: served(shop, "busy") >= 2000)
    used_later, later = cpu(shop, "busy")
    found = memory(shop, "busy")
    figures["memory at 50 %s calls/s, MiB" % api] = found
    figures["CPU at 50 %s calls/s, percent of one" % api] = round(100 * (used_later - used) / (later - at), 1)
    assert found["working set"] < 128, "beyond the chart's limit"
    assert shop.events("busy", "app", "fail") == []
    shop.delete("pod", "busy")
    return found


def test_memory_idle_and_at_50_calls_a_second(shop, figures):
    shop.run("idle", client("app", "-rate", "0.001"), grace=1)
    shop.wait_event("idle", "app", "first")
    idle = until("the kubelet has counted the idle pod", lambda: memory(shop, "idle"))
    figures["memory idle, MiB"] = idle
    shop.delete("pod", "idle")
    found = [idle, busy(shop, figures, "HTTP"), busy(shop, figures, "gRPC", "-grpc", "-url", "http://127.0.0.1:7361")]
    for kind in ("resident", "working set"):  # the first counts the program and its libraries in every pod, the second once
        figures["%s memory of 1,000 pods, GiB" % kind] = [round(m[kind] * 1000 / 1024, 1) for m in found]


def created_to_start(shop, name, with_sidecar):
    """From the call that creates the pod to the first instruction of its application, ms; and the sidecar's own start."""
    spec = shop.pod_spec(client("app", "-count", "1"), restartPolicy="Never")["spec"]
    if not with_sidecar:  # it calls the provider itself
        url = "http://%s:9000" % shop.provider_host
        spec = spec | {"initContainers": [], "volumes": [], "containers": [client("app", "-count", "1", "-url", url)]}
    begun_ms = time.time() * 1000
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
    shop.cluster.apply(shop.namespace, pod, verb="create")
    start = shop.wait_event(name, "app", "start")["at_ms"]
    if with_sidecar:
        ready = find(shop.events(name, "remora"), "ready")["time"]
        shop.sidecar_ms.append(datetime.fromisoformat(ready).timestamp() * 1000 - begun_ms)
    shop.wait_event(name, "app", "exit")
    shop.delete("pod", name)
    return start - begun_ms


def test_start_that_the_sidecar_adds_to_a_pod(shop, figures):
    shop.sidecar_ms = []
    without, with_ = [], []
    for n in range(STARTS):
        without.append(created_to_start(shop, "bare-%d" % n, False))
        with_.append(created_to_start(shop, "with-%d" % n, True))
    figures["pod created to application started, ms, median of %d" % STARTS] = {
        "without": round(statistics.median(without)), "with": round(statistics.median(with_)),
        "created to sidecar ready": round(statistics.median(shop.sidecar_ms))}
    figures["start that the sidecar adds, ms"] = round(statistics.median(with_) - statistics.median(without))
    assert statistics.median(with_) - statistics.median(without) < 30000


