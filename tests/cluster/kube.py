"""kubectl, helm and waiting, against a cluster that cluster.py brought up. Everything here has a time limit."""
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CHART = os.environ.get("REMORA_CLUSTER_CHART") or os.path.join(ROOT, "helm", "remora")
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "remora", "cluster")
BIN = os.path.join(CACHE, "bin")
KUBECTL = os.path.join(BIN, "kubectl")
# Bounds for what takes seconds on an idle machine: a loaded one with two cores has needed ten times that.
WAIT_SECONDS = 120


class CommandFailed(Exception):
    def __init__(self, argv, status, output):
        super().__init__("%s: status %s\n%s" % (" ".join(argv), status, output[-6000:]))
        self.status, self.output = status, output


def until(what, question, seconds=WAIT_SECONDS):
    """Polls `question` until it returns something true, and returns that. A question that cannot be asked yet is a no."""
    end = time.monotonic() + seconds
    why = None
    while time.monotonic() < end:
        try:
            answer = question()
            if answer:
                return answer
            why = "last answer: %r" % (answer,)
        except (CommandFailed, KeyError, IndexError, subprocess.TimeoutExpired) as failed:
            why = str(failed)
        time.sleep(0.2)
    raise AssertionError("%s: not within %d s; %s" % (what, seconds, why))


class Cluster:
    """A running cluster. `with Cluster("node", images) as cluster:`; leaving it takes the cluster down."""

    def __init__(self, level, images=()):
        self.level = level
        self.folder = tempfile.mkdtemp(prefix="remora-cluster-")
        self.keeper = subprocess.Popen([sys.executable, os.path.join(HERE, "cluster.py"), level, self.folder, *images],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.count = itertools.count(1)
        self.newest = "default"  # the namespace that was made last: what a failure shows
        line = self.keeper.stdout.readline()  # bounded by the keeper, whose every step is
        if not line:
            raise AssertionError("cluster.py %s did not come up" % level)
        self.about = json.loads(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.keeper.stdin.close()
        self.keeper.wait(timeout=60)

    def run(self, argv, timeout=60, stdin=None, check=True, whole=False, env=None):
        """Runs a command in the cluster's network and returns its standard output (`whole`: and error)."""
        argv = self.about["enter"] + argv
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout, env=env)
        if check and done.returncode != 0:
            raise CommandFailed(argv, done.returncode, done.stdout[-3000:] + done.stderr)
        return done.stdout + done.stderr if whole else done.stdout

    def kubectl(self, *words, **how):
        return self.run([KUBECTL, "--kubeconfig", self.about["kubeconfig"], *words], **how)

    def get(self, *words):
        return json.loads(self.kubectl("get", *words, "-o", "json"))

    def apply(self, namespace, *objects, verb="apply"):
        return self.kubectl("-n", namespace, verb, "-f", "-", stdin=as_list(objects))

    def namespace(self, stem, restricted=True):
        """A new one, with Pod Security "restricted" enforced; never a name that is used before, since deletion takes its time."""
        name = self.newest = "%s-%d" % (stem, next(self.count))
        labels = {"pod-security.kubernetes.io/enforce": "restricted"} if restricted else {}
        self.apply(name, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}},
                   verb="create")
        if self.level == "node":
            until("the account of " + name, lambda: self.kubectl("-n", name, "get", "serviceaccount", "default"))
        return name

    def helm(self, major, *words, timeout=300, check=True, whole=False):
        folder = os.path.join(self.folder, "helm%d" % major)
        env = dict(os.environ, KUBECONFIG=self.about["kubeconfig"], HELM_CACHE_HOME=folder + "/cache",
                   HELM_CONFIG_HOME=folder + "/config", HELM_DATA_HOME=folder + "/data")
        return self.run([os.path.join(BIN, "helm%d" % major), *words], timeout=timeout, check=check, whole=whole, env=env)

    def ctr(self, *words, timeout=60):
        argv = [*self.about["enter_all"], *self.about["ctr"], *words]
        return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=timeout).stdout

    # Pods.

    def pod(self, namespace, name):
        return self.get("-n", namespace, "pod", name)

    def status(self, namespace, pod, container):
        return status_of(self.pod(namespace, pod), container)

    def logs(self, namespace, pod, container, *more, **how):
        return self.kubectl("-n", namespace, "logs", pod, "-c", container, *more, **how)

    def events(self, namespace, pod, container, event=None):
        """The JSON lines that a container printed, those of podapp or of Remora's log."""
        return parse(self.logs(namespace, pod, container), event)

    def exec(self, namespace, pod, container, *argv, timeout=30, check=True):
        return self.kubectl("-n", namespace, "exec", pod, "-c", container, "--", *argv, timeout=timeout, check=check)

    def wait_ready(self, namespace, pod, seconds=WAIT_SECONDS):
        return until("pod %s is ready" % pod, lambda: is_ready(self.pod(namespace, pod)) and self.pod(namespace, pod), seconds)

    def metrics(self, namespace, pod, port=7362):
        """The samples of a pod's /metrics: {name{labels}: value}."""
        address = self.pod(namespace, pod)["status"]["podIP"]
        text = self.run(["curl", "-fsS", "-m", "10", "http://%s:%d/metrics" % (address, port)])
        pairs = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def explain(self):
        return self.describe(self.newest)

    def describe(self, namespace):
        """What somebody wants to see of a namespace in which a test failed."""
        parts = [self.kubectl("-n", namespace, "get", "all,configmap,secret", "-o", "wide", check=False, whole=True),
                 self.kubectl("-n", namespace, "get", "events", "--sort-by=.lastTimestamp", check=False, whole=True)]
        for pod in self.get("-n", namespace, "pods")["items"]:
            name = pod["metadata"]["name"]
            keep = ("name", "ready", "restartCount", "state", "lastState")
            statuses = pod["status"].get("initContainerStatuses", []) + pod["status"].get("containerStatuses", [])
            parts.append("---- %s %s" % (name, json.dumps([{k: s[k] for k in keep if s.get(k)} for s in statuses])))
            parts.append(self.kubectl("-n", namespace, "logs", name, "--all-containers", "--prefix", "--tail=12", check=False,
                                      whole=True))
        return "\n".join(parts)


class Follow:
    """Collects the log of a container while the pod goes away: `kubectl logs` of a pod that is gone has nothing to say."""

    def __init__(self, cluster, namespace, pod, containers):
        self.files = {c: tempfile.TemporaryFile("w+") for c in containers}
        argv = cluster.about["enter"] + [KUBECTL, "--kubeconfig", cluster.about["kubeconfig"], "-n", namespace, "logs", "-f", pod,
                                         "-c"]
        self.processes = [subprocess.Popen(argv + [c], stdout=f, stderr=subprocess.DEVNULL) for c, f in self.files.items()]

    def read(self, container):
        """What came up to now."""
        file = self.files[container]
        return parse(os.pread(file.fileno(), 1 << 24, 0).decode())

    def wait(self, seconds=WAIT_SECONDS):
        """Until all of them have ended; returns {container: events}."""
        for process in self.processes:
            process.wait(timeout=seconds)
        return {c: self.read(c) for c in self.files}

    def stop(self):
        for process in self.processes:
            process.kill()
            process.wait()


def as_list(objects):
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})


def parse(text, event=None):
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{") and line.endswith("}")]
    return [line for line in lines if event is None or event in (line.get("event"), line.get("message"))]


def find(events, name):
    """The one event of a name."""
    found = [e for e in events if name in (e.get("event"), e.get("message"))]
    assert len(found) == 1, "%d events %r in %s" % (len(found), name, events)
    return found[0]


def status_of(pod, container):
    statuses = pod["status"].get("initContainerStatuses", []) + pod["status"].get("containerStatuses", [])
    return next(s for s in statuses if s["name"] == container)


def is_ready(pod):
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))
