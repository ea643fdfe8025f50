"""What is rendered really starts: pods run from their specs, in a network and a file tree of their own, without a cluster.

Needs root for the namespaces; without it this is skipped with a word, under CI=true it fails. A real kubelet runs them in
tests/cluster.
"""
import json
import os
import pathlib
import subprocess
import sys

import pytest
import yaml

from chart import PROGRAM, objects_of

RUNNER = pathlib.Path(__file__).resolve().parent / "pod.py"
KEY = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "llm-keys"}, "data": {"openai": "sk-test"}}
HASHES = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "remora-callers"}, "data": {"checkout": "0" * 64}}


@pytest.fixture(scope="module", autouse=True)
def namespaces():
    tried = subprocess.run(["unshare", "--net", "--mount", "--", "ip", "link", "set", "lo", "up"], capture_output=True, text=True)
    if tried.returncode != 0:
        why = f"no namespaces of one's own (root, util-linux, iproute2): {tried.stderr.strip()}"
        pytest.fail(why) if os.environ.get("CI") == "true" else pytest.skip(why)


def run(objects, name, folder):
    (folder / "objects.yaml").write_text(yaml.safe_dump_all(objects))
    result = subprocess.run(["unshare", "--net", "--mount", "--", sys.executable, str(RUNNER), str(folder / "objects.yaml"), name, str(PROGRAM)],
                            capture_output=True, text=True, timeout=200)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_the_test_of_helm_answers_a_completion(helm3, tmp_path):
    said = run(helm3.render(["sidecar.yaml"]), "shop-remora-test-completion", tmp_path)
    assert said["status"] == {"completion": 0, "remora": 0, "providers": 0}, said["logs"]
    assert said["logs"]["completion"].startswith("demo/echo-1: answered by steady after 2 attempts: ")


@pytest.mark.parametrize("files, name", [("gateway.yaml", "shop-remora-test-gateway-config"), ("both.yaml", "shop-remora-test-gateway-config")])
def test_the_test_of_helm_reads_what_is_mounted(helm3, files, name, tmp_path):
    said = run(helm3.render([files]) + [KEY, HASHES], name, tmp_path)
    assert said["status"] == {"check": 0} and "1 providers" in said["logs"]["check"] and " 0 warnings" in said["logs"]["check"], said


def with_sidecar(helm, values):
    """Objects with a pod that only asks its sidecar whether it is ready."""
    result = helm.template(values=values)
    assert result.returncode == 0, result.stderr
    objects = objects_of(result.stdout)
    block = next(each for each in objects if each["metadata"]["name"].endswith("-sidecar"))["data"]["pod.yaml"]
    spec = yaml.safe_load(block)["spec"] | {"containers": [{"name": "app", "args": ["healthcheck"]}]}
    return objects + [{"kind": "Pod", "metadata": {"name": "app"}, "spec": spec}, KEY]


VALUES = {"credentials": {"existingSecret": "llm-keys"}, "sidecar": {"service": "checkout"},
          "config": {"providers": {"openai": {"api_key": {"file": "/etc/remora/credentials/openai"}}}}}


def test_a_sidecar_as_it_is_pasted_is_ready(helm3, tmp_path):
    said = run(with_sidecar(helm3, VALUES), "app", tmp_path)
    assert said["ready"]["remora"] == [200, "ok\n"] and said["status"] == {"app": 0, "remora": 0}, said
    ready = next(json.loads(line) for line in said["logs"]["remora"].splitlines() if '"ready"' in line)
    assert ready["service"] == "checkout" and ready["probe_port"] == 7362 and ready["providers"] == 1


@pytest.mark.parametrize("layer, words", [("mesh", "the mesh policy is absent"), ("namespace", "the namespace's policy is absent"),
                                          ("service", "the service's policy is absent")])
def test_without_a_layer_it_starts_and_is_not_ready(helm3, layer, words, tmp_path):
    said = run(with_sidecar(helm3, {**VALUES, "policy": {layer: {"create": False}}}), "app", tmp_path)
    assert said["ready"]["remora"] == [503, f"not ready: {words}\n"] and said["status"] == {"app": 1, "remora": 0}, said


def test_a_layer_that_is_wrong_is_told_at_the_start(helm3, tmp_path):
    """Past the schema: what takes two keys is known to the program alone."""
    objects = with_sidecar(helm3, VALUES)
    layer = next(each for each in objects if each["metadata"]["name"] == "shop-remora-policy-mesh")
    layer["data"]["policy.yaml"] = "provider: {data_colection: deny}\n"
    with pytest.raises(AssertionError, match='policy.yaml:1:12: unknown key .*data_colection.*: did you mean'):
        run(objects, "app", tmp_path)
