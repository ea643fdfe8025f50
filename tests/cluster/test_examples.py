"""examples/kubernetes on the node: each is applied as it is written but for what no cluster of tests can have, which is the images'
registry, the namespaces' names and the provider's address."""
import hashlib
import os

import pytest
import shop as shops
import yaml
from kube import ROOT, until

FOLDER = os.path.join(ROOT, "examples", "kubernetes")
MODEL = "openai/gpt-4o-mini"
CALLER_KEY = "rk-cluster-test-0123456789abcdef"


def read(*names):
    with open(os.path.join(FOLDER, *names)) as text:
        return text.read()


def example(name, namespace, **hosts):
    """The one object of a file, here."""
    text = read(name).replace("localhost/remora:0.1.0", "test.local/remora:1")
    for written, here in hosts.items():
        assert written + "." in text
        text = text.replace(written + ".llm.svc", here)
    one, = yaml.safe_load_all(text)
    one["metadata"]["namespace"] = namespace
    return one


def install(shop, release, **more):
    """The values of the examples; their provider is the one of the namespace, which looks at keys."""
    given = yaml.safe_load(read("values", {"remora": "sidecar.yaml", "llm": "gateway.yaml"}[release]))
    given["config"]["providers"]["openai"] |= {"base_url": "http://%s:%d/v1" % (shop.provider_host, shops.PROVIDER_PORT), "insecure": True}
    given["config"] |= more
    shop.apply(shops.secret("llm-keys", openai="key-1"))
    shop.install(given | {"image": shops.IMAGE_VALUES}, "--wait", "--timeout", "180s", release=release)
    shop.provider("/__keys", "key-1")


@pytest.fixture(scope="module")
def shop(node):
    place = shops.Shop(node, "examples")
    install(place, "remora")
    return place


def test_the_deployment_runs_and_its_application_is_answered(shop):
    deployment = example("deployment-sidecar.yaml", shop.namespace)
    app, = deployment["spec"]["template"]["spec"]["containers"]
    app |= {"image": shops.PODAPP, "args": ["client", "-rate", "2", "-model", MODEL]}
    shop.apply(deployment)
    until("both pods are there", lambda: shop.cluster.get("-n", shop.namespace, "deployment", "checkout")["status"].get("availableReplicas") == 2)
    pods = shop.cluster.get("-n", shop.namespace, "pods", "-l", "app=checkout")["items"]
    for name in (pod["metadata"]["name"] for pod in pods):
        assert shop.wait_event(name, "checkout", "first")["ok"]
        request = shop.wait_event(name, "remora", "request")
        assert (request["service"], request["namespace"], request["provider"]) == ("checkout", shop.namespace, "openai"), request
        assert shop.restarts(name, "remora") == 0
    shop.delete("deployment", "checkout")


def test_the_job_asks_and_completes(shop):
    job = example("job-sidecar.yaml", shop.namespace)
    shop.apply(job)
    until("the job is complete", lambda: shop.cluster.get("-n", shop.namespace, "job", "ask-once")["status"].get("succeeded") == 1)
    said = shop.cluster.kubectl("-n", shop.namespace, "logs", "-l", "job-name=ask-once", "-c", "ask")
    assert said.startswith(MODEL + ": answered by OpenAI after 1 attempt: "), said
    shop.delete("job", "ask-once")


def test_the_caller_in_another_namespace_is_answered_by_the_gateway(node, shop):
    gateway = shops.Shop(node, "llm", helm=4)
    digest = hashlib.sha256(CALLER_KEY.encode()).hexdigest()
    gateway.apply(shops.secret("llm-callers", checkout=digest, search=digest.replace(digest[:8], "0" * 8)))
    install(gateway, "llm", grpc={"accept_old_core": True})  # where the image was made from Debian 12's packages
    shop.apply(shops.secret("remora-key", key=CALLER_KEY))
    caller = example("gateway-client.yaml", shop.namespace, **{"llm-gateway": "llm-gateway.%s.svc" % gateway.namespace})
    shop.cluster.apply(shop.namespace, caller, verb="create")
    until("the caller has ended", lambda: phase(shop, "ask-the-gateway") in ("Succeeded", "Failed"))
    said = shop.cluster.logs(shop.namespace, "ask-the-gateway", "ask")
    assert phase(shop, "ask-the-gateway") == "Succeeded" and said.startswith(MODEL + ": answered by OpenAI after 1 attempt: "), said
    shop.delete("pod", "ask-the-gateway")
    gateway.cluster.helm(4, "uninstall", "llm", "-n", gateway.namespace)


def phase(shop, pod):
    return shop.cluster.pod(shop.namespace, pod)["status"].get("phase")
