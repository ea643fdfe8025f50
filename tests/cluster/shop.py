"""A namespace in which a service lives: a provider, its key, the chart installed, and pods with the pasted sidecar."""
import json
import os

import yaml

from kube import CHART, until

PODAPP, PROVIDER_PORT = "test.local/podapp:1", 9000
SECURE = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True, "runAsUser": 65532,
          "readOnlyRootFilesystem": True, "seccompProfile": {"type": "RuntimeDefault"}}
IMAGE_VALUES = {"registry": "test.local", "repository": "remora", "tag": "1"}


def container(name, *args, **more):
    return {"name": name, "image": PODAPP, "args": list(args), "securityContext": SECURE} | more


def client(name, *args, **more):
    return container(name, "client", *args, **more)


def secret(name, **values):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}


def document(provider_host, model_id="one"):
    """A configuration with one provider in the cluster; what the model's answers say is its model_id."""
    endpoint = {"provider": "test", "pricing": {"prompt": "0.000001", "completion": "0.000002"}}
    return {
        "version": 1,
        "providers": {"test": {"kind": "openai", "base_url": "http://%s:%d/v1" % (provider_host, PROVIDER_PORT),
                               "insecure": True, "api_key": {"file": "/etc/remora/credentials/key"}}},
        "models": {"test/echo": {"context_length": 8192, "endpoints": [endpoint | {"model_id": model_id}]},
                   "test/slow": {"context_length": 8192, "endpoints": [endpoint | {"model_id": "stream-30-200"}]}}}


def values(provider_host, **more):
    return {"mode": "sidecar", "image": IMAGE_VALUES, "config": document(provider_host),
            "credentials": {"existingSecret": "provider"}} | more


class Shop:
    def __init__(self, cluster, stem, helm=3):
        self.cluster, self.helm = cluster, helm
        self.namespace = cluster.namespace(stem)
        self.provider_host = "provider.%s.svc.cluster.local" % self.namespace
        labels = {"app": "provider"}
        self.apply(secret("provider", key="key-1"),
                   {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "provider", "labels": labels},
                    "spec": {"containers": [container("provider", "provider", startupProbe={
                        "httpGet": {"path": "/healthz", "port": PROVIDER_PORT}, "periodSeconds": 1, "failureThreshold": 100})],
                        "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 1}},
                   {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "provider"},
                    "spec": {"selector": labels, "ports": [{"port": PROVIDER_PORT}]}})
        cluster.wait_ready(self.namespace, "provider")

    def explain(self):
        return self.cluster.describe(self.namespace)

    def apply(self, *objects):
        return self.cluster.apply(self.namespace, *objects)

    def install(self, chart_values, *words, release="shop", verb="install"):
        path = os.path.join(self.cluster.folder, "values-%s-%s.json" % (self.namespace, release))
        with open(path, "w") as out:
            json.dump(chart_values, out)
        return self.cluster.helm(self.helm, verb, release, CHART, "-n", self.namespace, "-f", path, *words)

    def sidecar(self, release="shop"):
        """The block that NOTES.txt tells people to paste: {metadata, spec} of a pod."""
        printed = self.cluster.get("-n", self.namespace, "configmap", "%s-remora-sidecar" % release)
        return yaml.safe_load(printed["data"]["pod.yaml"])

    def pod_spec(self, *containers, init=(), grace=30, **more):
        """A pod template with the sidecar before all others."""
        pasted = self.sidecar()
        spec = {"terminationGracePeriodSeconds": grace, "automountServiceAccountToken": False,
                "containers": list(containers), "volumes": pasted["spec"]["volumes"],
                "initContainers": pasted["spec"]["initContainers"] + list(init)} | more
        return {"metadata": pasted["metadata"], "spec": spec}

    def run(self, name, *containers, ready=True, **how):
        """Creates a pod with the sidecar and, unless told otherwise, waits until it is ready."""
        pod = {"apiVersion": "v1", "kind": "Pod"} | self.pod_spec(*containers, **how)
        pod["metadata"] = pod["metadata"] | {"name": name}
        self.cluster.apply(self.namespace, pod, verb="create")
        if ready:
            self.cluster.wait_ready(self.namespace, name)
        return name

    def events(self, pod, container, event=None):
        return self.cluster.events(self.namespace, pod, container, event)

    def delete(self, *words):
        self.cluster.kubectl("-n", self.namespace, "delete", *words, timeout=120)

    def provider(self, path, body=None):
        url = "http://127.0.0.1:%d%s" % (PROVIDER_PORT, path)
        words = ["get", url] if body is None else ["post", url, body]
        return self.cluster.exec(self.namespace, "provider", "provider", "/podapp", *words)

    def replace_in_configmap(self, name, key, change):
        """change: text -> text"""
        map_ = self.cluster.get("-n", self.namespace, "configmap", name)
        self.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
                    "data": map_["data"] | {key: change(map_["data"][key])}})

    def wait_event(self, pod, container, event, where=lambda _: True, what=None):
        return until(what or "%s of %s" % (event, pod),
                     lambda: next((e for e in self.events(pod, container, event) if where(e)), None))

    def restarts(self, pod, container):
        return self.cluster.status(self.namespace, pod, container)["restartCount"]
