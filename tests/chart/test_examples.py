"""examples/kubernetes: what is pasted in them is what the chart prints, and it is restricted, valid and complete. A real API server
is given them by tests/cluster/test_chart_api.py, the kinds of others included."""
import pytest
import yaml

from chart import ROOT, objects_of, one
from test_pod_security import containers_of, wrong
from test_render import schema_errors

EXAMPLES = ROOT / "examples/kubernetes"
CORE = ["deployment-sidecar.yaml", "job-sidecar.yaml", "gateway-client.yaml"]


def example(name):
    return list(yaml.safe_load_all((EXAMPLES / name).read_text()))


def rendered(helm, of, release, namespace):
    values = yaml.safe_load((EXAMPLES / "values" / f"{of}.yaml").read_text())
    result = helm.template(values=values, release=release, namespace=namespace)
    assert result.returncode == 0, result.stderr
    return objects_of(result.stdout)


def template_of(workload):
    return workload if workload["kind"] == "Pod" else workload["spec"]["template"]


@pytest.mark.parametrize("name", ["deployment-sidecar.yaml", "job-sidecar.yaml"])
def test_the_pasted_block_is_the_charts(name, helm):
    block = yaml.safe_load(one(rendered(helm, "sidecar", "remora", "shop"), "ConfigMap", "remora-sidecar")["data"]["pod.yaml"])
    pod = template_of(example(name)[0])
    assert pod["spec"]["initContainers"] == block["spec"]["initContainers"]
    assert pod["spec"]["volumes"] == block["spec"]["volumes"]
    assert block["metadata"]["labels"].items() <= pod["metadata"]["labels"].items()
    assert block["metadata"]["annotations"] == pod["metadata"]["annotations"]


def test_the_application_finds_the_sidecar(helm):
    environment = yaml.safe_load(one(rendered(helm, "sidecar", "remora", "shop"), "ConfigMap", "remora-sidecar")["data"]["app-env.yaml"])["env"]
    assert template_of(example("deployment-sidecar.yaml")[0])["spec"]["containers"][0]["env"] == environment


def test_the_client_finds_the_gateway(helm):
    service = one(rendered(helm, "gateway", "llm", "llm"), "Service", "-gateway")
    where = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc:{service['spec']['ports'][0]['port']}"
    assert f"--http={where}" in example("gateway-client.yaml")[0]["spec"]["containers"][0]["args"]


def test_the_client_is_let_in_where_the_network_is_closed(helm):
    """The preset's NetworkPolicy with the example's values: by the label that every namespace has."""
    values = yaml.safe_load((EXAMPLES / "values/gateway.yaml").read_text())
    result = helm.template(["presets/values-ha.yaml"], values=values, release="llm", namespace="llm")
    assert result.returncode == 0, result.stderr
    clients = one(objects_of(result.stdout), "NetworkPolicy")["spec"]["ingress"][0]["from"]
    callers = example("gateway-client.yaml")[0]["metadata"]["namespace"]
    assert {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": callers}}} in clients
    assert {"podSelector": {}} in clients, "helm test and whoever is beside the gateway"


def test_linkerds_namespace_is_the_examples_and_skips_the_blocks_port(helm):
    namespace, = example("linkerd.yaml")
    assert [schema_errors(namespace, version) for version in ("1.29", "1.37")] == [None, None]
    assert namespace["metadata"]["name"] == example("deployment-sidecar.yaml")[0]["metadata"]["namespace"]
    block = yaml.safe_load(one(rendered(helm, "sidecar", "remora", "shop"), "ConfigMap", "remora-sidecar")["data"]["pod.yaml"])
    skips = "config.linkerd.io/skip-inbound-ports"
    assert namespace["metadata"]["annotations"][skips] == block["metadata"]["annotations"][skips]


@pytest.mark.parametrize("name", CORE)
def test_core_kinds_are_valid_and_restricted(name):
    for each in example(name):
        assert [schema_errors(each, version) for version in ("1.29", "1.37")] == [None, None]
        assert not wrong(template_of(each))
        assert all(container["resources"]["limits"]["memory"] for container in containers_of(template_of(each)))


def test_argo_cds_values_render(helm):
    application = example("argocd-application.yaml")[0]["spec"]
    files = [f"presets/{name.split('/')[-1]}" for name in application["source"]["helm"]["valueFiles"]]
    result = helm.template(files, values=application["source"]["helm"]["valuesObject"], namespace=application["destination"]["namespace"],
                           release=application["source"]["helm"]["releaseName"])
    assert result.returncode == 0, result.stderr
    objects = objects_of(result.stdout)
    assert not [each for each in objects if "helm.sh/hook" in each["metadata"].get("annotations", {})]
    assert not [each for each in objects if each["metadata"]["name"].endswith("-policy-mesh")], "the platform team's"
