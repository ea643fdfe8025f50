"""Helm as the tests use it, and what they ask of rendered objects.

    helm.render(["gateway.yaml"], ["mode=both"])     # list of objects; values files are of tests/chart/values
    helm.refusal([...], [...])                       # why it is not rendered
"""
import copy
import functools
import json
import os
import pathlib
import subprocess

import yaml

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CHART = ROOT / "helm/remora"
PRESETS = CHART / "presets"
VALUES = HERE / "values"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "remora/cluster/bin"
HELMS = {name: pathlib.Path(os.environ.get(f"REMORA_{name.upper()}") or CACHE / name) for name in ("helm3", "helm4")}
PROGRAM = pathlib.Path(os.environ.get("REMORA_BUILD", ROOT / "build")).resolve() / "remora"
KUBE_VERSION = "1.36.3"

# Every way in which the chart is meant to be used: name -> values files, in their order.
MATRIX = {
    "default": [],
    "sidecar": ["sidecar.yaml"],
    "gateway": ["gateway.yaml"],
    "gateway-full": ["gateway.yaml", "gateway-full.yaml"],
    "both": ["both.yaml"],
    "both under a ceiling": ["both.yaml", "mesh.yaml"],
    "monitoring": ["both.yaml", "monitoring.yaml"],
    "ha": ["presets/values-ha.yaml", "gateway.yaml"],
    "ha on openshift": ["presets/values-ha.yaml", "presets/values-openshift.yaml", "gateway.yaml"],
    "gitops": ["presets/values-gitops.yaml", "both.yaml"],
    "openshift": ["presets/values-openshift.yaml", "both.yaml"],
}


def values_path(name):
    return CHART / name if name.startswith("presets/") else VALUES / name


def merged(under, over):
    """As Helm lays values over values, but for null."""
    both = isinstance(under, dict) and isinstance(over, dict)
    return {**under, **{name: merged(under.get(name), value) for name, value in over.items()}} if both else over


def over_defaults(values):
    """What the schema is asked about: it never sees values without the chart's own."""
    return merged(yaml.safe_load((CHART / "values.yaml").read_text()), values)


class Helm:
    def __init__(self, path):
        self.path = path
        self.name = path.name

    def run(self, *arguments, stdin=None):
        """Nothing of this machine's Helm: no plugins, no repositories, no cluster."""
        clean = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "HELM_NO_PLUGINS": "1", "KUBECONFIG": "/nonexistent"}
        return subprocess.run([str(self.path), *arguments], capture_output=True, text=True, timeout=120, env=clean, input=stdin)

    def arguments(self, files, sets, chart=CHART):
        return [str(chart), "--kube-version", KUBE_VERSION, *[a for f in files for a in ("--values", str(values_path(f)))],
                *[a for s in sets for a in ("--set", s)]]

    def template(self, files=(), sets=(), values=None, namespace="shop", release="shop", chart=CHART):
        arguments = ["template", release, *self.arguments(files, sets, chart), "--namespace", namespace]
        if values is not None:
            return self.run(*arguments, "--values", "-", stdin=json.dumps(values))
        return self.run(*arguments)

    @functools.lru_cache(maxsize=None)
    def text(self, files=(), sets=()):
        result = self.template(files, sets)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def render(self, files=(), sets=()):
        return objects_of(self.text(tuple(files), tuple(sets)))

    def refusal(self, files=(), sets=(), values=None):
        result = self.template(files, sets, values)
        assert result.returncode != 0, result.stdout
        return result.stderr


class OnceLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """As kustomize and Flux read: a key that stands twice is refused. PyYAML, like Helm, takes the last."""

    def construct_mapping(self, node, deep=False):
        names = [self.construct_object(name, deep=True) for name, _ in node.value]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise yaml.constructor.ConstructorError("a mapping", node.start_mark, f"stands twice: {twice}", node.start_mark)
        return super().construct_mapping(node, deep)


def objects_of(text):
    """What is YAML inside of them (documents, policies, the sidecar's block) is read once, too, so that it holds no key twice."""
    objects = [each for each in yaml.load_all(text, OnceLoader) if each]
    for each in objects:
        for name, inner in (each.get("data") or {}).items() if each.get("kind") == "ConfigMap" else ():
            if name.endswith(".yaml"):
                yaml.load(inner, OnceLoader)
    return objects


def one(objects, kind, suffix=""):
    found = [each for each in objects if each["kind"] == kind and each["metadata"]["name"].endswith(suffix)]
    assert len(found) == 1, (kind, suffix, [each["metadata"]["name"] for each in objects if each["kind"] == kind])
    return found[0]


def application():
    """A pod as somebody else wrote it, for Pod Security restricted, which the sidecar is pasted into."""
    return {
        "metadata": {"name": "application", "labels": {"app": "checkout"}},
        "spec": {"containers": [{"name": "app", "image": "example.invalid/app:1", "securityContext": {
            "allowPrivilegeEscalation": False, "runAsNonRoot": True, "runAsUser": 1000, "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"}}}]},
    }


def pasted(sidecar, pod=None):
    """The pod with the fragment of the ConfigMap NAME-sidecar."""
    pod = copy.deepcopy(pod or application())
    fragment = yaml.safe_load(sidecar["data"]["pod.yaml"])
    for key in ("labels", "annotations"):
        pod["metadata"].setdefault(key, {}).update(fragment["metadata"][key])
    for key in ("initContainers", "volumes"):
        pod["spec"][key] = fragment["spec"][key] + pod["spec"].get(key, [])
    return pod


def pods(objects):
    """(name, pod template) of everything that becomes a pod, the pasted sidecar among them."""
    for each in objects:
        name = f"{each['kind']}/{each['metadata']['name']}"
        if each["kind"] == "Pod":
            yield name, each
        elif each["kind"] == "CronJob":
            yield name, each["spec"]["jobTemplate"]["spec"]["template"]
        elif "template" in each.get("spec", {}):
            yield name, each["spec"]["template"]
        elif each["kind"] == "ConfigMap" and "pod.yaml" in each.get("data", {}):
            yield name, pasted(each)


def documents(objects):
    """(name of the ConfigMap, configuration document) of every role."""
    return [(each["metadata"]["name"], each["data"]["remora.yaml"]) for each in objects
            if each["kind"] == "ConfigMap" and "remora.yaml" in each.get("data", {})]
