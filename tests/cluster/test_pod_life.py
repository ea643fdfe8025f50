"""The life of a pod with the pasted sidecar: who starts when, who stops when, and what the application sees of it.

Every namespace enforces Pod Security "restricted"; the sidecar's block is the one that the chart prints.
"""
import json
import os
import subprocess
import time

import pytest
import shop as shops
from kube import Follow, find, status_of, until
from shop import client, values


@pytest.fixture(scope="module")
def shop(node):
    place = shops.Shop(node, "life")
    place.install(values(place.provider_host))
    return place


def ready_ms(shop, pod, container="remora"):
    """When Remora said that it is ready, unix ms; the kubelet lets the next container start after its next probe."""
    from datetime import datetime
    line = find(shop.events(pod, container), "ready")
    return datetime.fromisoformat(line["time"]).timestamp() * 1000


def test_ready_before_anything_else_of_the_pod_starts(shop, figures):
    shop.run("order", client("app", "-rate", "20"), init=[client("init", "-count", "3", "-rate", "20")], grace=5)
    init, app = shop.events("order", "init"), shop.events("order", "app")
    remora = ready_ms(shop, "order")
    assert remora <= find(init, "start")["at_ms"] <= find(init, "exit")["at_ms"] <= find(app, "start")["at_ms"]
    # The very first call of each succeeds: nobody has to wait for the sidecar.
    assert find(init, "first")["ok"] and find(app, "first")["ok"]
    assert find(init, "exit")["failed"] == 0
    figures["ready to start of the next container, ms"] = round(find(init, "start")["at_ms"] - remora)
    shop.delete("pod", "order")


def test_nothing_starts_while_the_startup_probe_fails(shop):
    """A sidecar whose probes listen where the kubelet cannot ask: the gate stays shut."""
    pod = {"apiVersion": "v1", "kind": "Pod"} | shop.pod_spec(client("app"), init=[client("init", "-count", "1")], grace=1)
    pod["metadata"] = pod["metadata"] | {"name": "shut"}
    sidecar = pod["spec"]["initContainers"][0]
    sidecar["args"] = ["--probe=127.0.0.1:7362" if a.startswith("--probe=") else a for a in sidecar["args"]]
    shop.cluster.apply(shop.namespace, pod, verb="create")
    until("the startup probe fails", lambda: "Startup probe failed" in shop.cluster.kubectl(
        "-n", shop.namespace, "get", "events", "--field-selector", "involvedObject.name=shut", "-o", "json"))
    assert find(shop.events("shut", "remora"), "ready")
    now = shop.cluster.pod(shop.namespace, "shut")
    assert all("waiting" in status_of(now, name)["state"] for name in ("init", "app")), now["status"]
    shop.delete("pod", "shut")


def test_serves_until_the_last_container_is_gone_and_streams_end_whole(shop, figures):
    """The application goes on calling 3 s after its SIGTERM and reads a stream of 6 s to its end; then Remora is told to stop."""
    shop.run("stop", client("app", "-rate", "10", "-linger-ms", "3000", "-stream-at-term", "test/slow"), grace=60)
    follow = Follow(shop.cluster, shop.namespace, "stop", ["app", "remora"])
    try:
        until("the stream has begun", lambda: any(e["event"] == "stream begun" for e in follow.read("app")))
        shop.delete("pod", "stop", "--wait=true")
        seen = follow.wait()
    finally:
        follow.stop()
    app, remora = seen["app"], seen["remora"]
    streamed, left = find(app, "stream"), find(app, "exit")
    assert streamed["ok"] and streamed["chunks"] == 30, streamed
    assert find(app, "sigterm")["at_ms"] < streamed["at_ms"], "the stream had ended before SIGTERM: nothing is shown"
    assert left["failed"] == 0 and left["ok"] > 20, app
    from datetime import datetime
    told = datetime.fromisoformat(find(remora, "draining")["time"]).timestamp() * 1000
    gone = datetime.fromisoformat(find(remora, "drained")["time"]).timestamp() * 1000
    assert told >= left["at_ms"] - 50, "Remora was told to stop before the application had left"  # the clock of one log line
    assert gone - told < 1000, "an idle sidecar leaves within a second"
    figures["termination, ms after the application's SIGTERM"] = {
        "stream ended": streamed["at_ms"] - find(app, "sigterm")["at_ms"],
        "application left": left["at_ms"] - find(app, "sigterm")["at_ms"],
        "sidecar was told": round(told - find(app, "sigterm")["at_ms"]),
        "sidecar left": round(gone - find(app, "sigterm")["at_ms"])}


def test_a_job_with_the_sidecar_completes(shop, figures):
    template = shop.pod_spec(client("work", "-count", "5", "-rate", "10"), restartPolicy="Never")
    begun = time.monotonic()
    shop.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "job"},
                "spec": {"backoffLimit": 0, "template": template}})
    until("the job is complete", lambda: shop.cluster.get("-n", shop.namespace, "job", "job")["status"].get("succeeded") == 1)
    figures["Job, created to complete, s"] = round(time.monotonic() - begun, 1)
    pod = shop.cluster.get("-n", shop.namespace, "pods", "-l", "job-name=job")["items"][0]
    assert status_of(pod, "remora")["state"]["terminated"]["exitCode"] == 0
    work = shop.events(pod["metadata"]["name"], "work")
    assert find(work, "exit") | {"at_ms": 0} == {"event": "exit", "ok": 6, "failed": 0, "at_ms": 0}
    shop.delete("job", "job")


def memory_cgroup(container_id):
    """The folder of a container's memory cgroup, as the machine sees it."""
    root = "/sys/fs/cgroup/memory" if os.path.isdir("/sys/fs/cgroup/memory") else "/sys/fs/cgroup"
    found = [path for path, folders, _ in os.walk(root) if path.endswith("/" + container_id)]
    assert len(found) == 1, found
    return found[0]


def test_out_of_memory_restarts_the_sidecar_alone(shop):
    """Another process eats the memory of the sidecar's cgroup; the kernel kills Remora, the kubelet starts it again."""
    shop.run("oom", client("app", "-rate", "5"), grace=5)
    before = shop.cluster.status(shop.namespace, "oom", "remora")
    group = memory_cgroup(before["containerID"].rpartition("/")[2])
    with open(os.path.join(group, "cgroup.procs")) as procs:
        remora = procs.read().split()[0]
    with open("/proc/%s/oom_score_adj" % remora, "w") as out:
        out.write("1000")  # so that the kernel takes Remora and not the eater
    eater = subprocess.Popen(["python3", "-c", "import os,sys,time\n"
                              "open(sys.argv[1], 'w').write(str(os.getpid()))\n"
                              "b = bytearray(300 << 20)\ntime.sleep(600)", os.path.join(group, "cgroup.procs")],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        after = until("the sidecar was killed", lambda: dead_of_memory(shop))
    finally:
        eater.kill()
        eater.wait()
    assert after["lastState"]["terminated"]["reason"] == "OOMKilled", after
    shop.cluster.wait_ready(shop.namespace, "oom")
    assert shop.restarts("oom", "remora") >= 1 and shop.restarts("oom", "app") == 0
    now = shop.cluster.status(shop.namespace, "oom", "remora")["state"]["running"]["startedAt"]
    assert now
    # Calls succeed again, in the same application.
    count = len(shop.events("oom", "remora", "request"))
    until("calls succeed again", lambda: len([e for e in shop.events("oom", "remora", "request") if e["code"] == "OK"]) > count)
    shop.delete("pod", "oom")


def dead_of_memory(shop):
    status = shop.cluster.status(shop.namespace, "oom", "remora")
    return status if "terminated" in status.get("lastState", {}) else None


def test_the_sidecar_has_no_privilege_and_no_token(shop):
    shop.run("plain", client("app", "-rate", "1"), grace=5)
    pod = shop.cluster.pod(shop.namespace, "plain")
    group = memory_cgroup(status_of(pod, "remora")["containerID"].rpartition("/")[2])
    with open(os.path.join(group, "cgroup.procs")) as procs:
        pid = procs.read().split()[0]
    with open("/proc/%s/status" % pid) as text:
        status = dict(line.split(":\t", 1) for line in text.read().splitlines() if ":\t" in line)
    assert status["Uid"].split()[0] == "65532" and int(status["CapEff"], 16) == 0
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    assert os.listdir("/proc/%s/root/var/run/secrets/kubernetes.io/serviceaccount" % pid) == []
    with pytest.raises(OSError):
        open("/proc/%s/root/etc/written" % pid, "w").close()
    assert json.dumps(pod)  # keeps the pod in the failure's text
    shop.delete("pod", "plain")
