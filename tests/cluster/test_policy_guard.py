"""examples/kubernetes/policy-guard.yaml on a real API server: who may write which policy layer, asked by users who may edit all
ConfigMaps of the namespace."""
import json
import os

import pytest
import yaml
from kube import CHART, ROOT, CommandFailed, until

GROUP = "rbac.authorization.k8s.io"


def role_binding(role, user):
    return {"apiVersion": GROUP + "/v1", "kind": "RoleBinding", "metadata": {"name": role + "-" + user},
            "roleRef": {"apiGroup": GROUP, "kind": "Role", "name": role}, "subjects": [{"apiGroup": GROUP, "kind": "User", "name": user}]}


def layer(name, label=None):
    label = name if label is None else label
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "policy-" + name, "labels": {"remora.dev/policy-layer": label}},
            "data": {"policy.yaml": "{}\n"}}


@pytest.fixture(scope="module")
def guarded(api):
    namespace = api.namespace("guard")
    with open(os.path.join(ROOT, "examples/kubernetes/policy-guard.yaml")) as text:
        given = list(yaml.safe_load_all(text.read()))
    for one in given:
        one["metadata"].pop("namespace", None)
    editor = {"apiVersion": GROUP + "/v1", "kind": "Role", "metadata": {"name": "editor"},
              "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]}]}
    api.apply(namespace, *given, editor, role_binding("editor", "app"), role_binding("remora-layer-service", "app"),
              role_binding("editor", "owner"), role_binding("remora-layer-namespace", "owner"))
    api.kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(layer("mesh")))  # an administrator may

    def is_in_force():
        try:
            api.kubectl("-n", namespace, "--as", "app", "delete", "--dry-run=server", "configmap", "policy-mesh")
        except CommandFailed as refused:
            return "policylayers.remora.dev/" in refused.output
        return False

    until("the guard is in force", is_in_force)
    return api, namespace


def may(guarded, user, *words, stdin=None):
    api, namespace = guarded
    try:
        api.kubectl("-n", namespace, "--as", user, *words, stdin=None if stdin is None else json.dumps(stdin))
        return True
    except CommandFailed as refused:
        assert "only who may update policylayers.remora.dev/" in refused.output, refused.output
        return False


@pytest.mark.parametrize("user, name, allowed", [
    ("app", "mesh", False), ("app", "namespace", False), ("app", "service", True),
    ("owner", "mesh", False), ("owner", "namespace", True), ("owner", "service", True)])
def test_who_writes_which_layer(guarded, user, name, allowed):
    changed = layer(name)
    changed["data"]["policy.yaml"] = "limits: {concurrency: 7}\n# by %s\n" % user
    assert may(guarded, user, "apply", "-f", "-", stdin=changed) is allowed


@pytest.mark.parametrize("words", [["label", "configmap", "policy-mesh", "remora.dev/policy-layer-"],
                                   ["label", "--overwrite", "configmap", "policy-mesh", "remora.dev/policy-layer=service"],
                                   ["delete", "configmap", "policy-mesh"]], ids=lambda words: words[-1])
def test_there_is_no_way_around(guarded, words):
    assert not may(guarded, "app", *words)


def test_other_config_maps_are_nobodys_business(guarded):
    assert may(guarded, "app", "create", "configmap", "plain")


@pytest.mark.parametrize("major", [3, 4])
def test_who_writes_one_layer_upgrades_a_release_that_writes_no_other(guarded, major):
    """As docs/kubernetes.md has it, from a release that wrote all three: what he must not delete is left to him as it is."""
    api, namespace = guarded
    release = "guarded%d" % major
    as_app = ["-n", namespace, "--kube-as-user", "app", "--set", "policy.mesh.create=false,policy.namespace.create=false"]
    secrets = {"apiVersion": GROUP + "/v1", "kind": "Role", "metadata": {"name": "releases"},
               "rules": [{"apiGroups": ["", "apps", "policy"], "resources": ["*"], "verbs": ["*"]}]}
    api.apply(namespace, secrets, role_binding("releases", "app"))
    api.helm(major, "install", release, CHART, "-n", namespace)
    api.helm(major, "upgrade", release, CHART, *as_app)
    api.helm(major, "upgrade", release, CHART, *as_app, "--set", "policy.service.content.limits.concurrency=4")
    policies = {m["metadata"]["labels"]["remora.dev/policy-layer"]: m["data"]["policy.yaml"]
                for m in api.get("-n", namespace, "configmap", "-l", "app.kubernetes.io/instance=" + release + ",remora.dev/policy-layer")["items"]}
    assert policies == {"mesh": "{}\n", "namespace": "{}\n", "service": "limits:\n  concurrency: 4\n"}
    api.helm(major, "rollback", release, "2", "-n", namespace, "--kube-as-user", "app")


def test_a_document_with_a_label_is_guarded_as_layers_are(guarded):
    """As docs/kubernetes.md and the example say: without one whoever edits ConfigMaps writes it."""
    api, namespace = guarded
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "remora-config"}, "data": {"remora.yaml": "version: 1\n"}}
    assert may(guarded, "app", "apply", "-f", "-", stdin=document)
    api.kubectl("-n", namespace, "label", "configmap", "remora-config", "remora.dev/policy-layer=document")
    document["data"]["remora.yaml"] = "version: 1\nservices: {}\n"
    assert not may(guarded, "app", "apply", "-f", "-", stdin=document)
    assert not may(guarded, "app", "label", "configmap", "remora-config", "remora.dev/policy-layer-")
    assert not may(guarded, "app", "delete", "configmap", "remora-config")
