"""Remora as a Deployment: installed, upgraded and rolled back under traffic, by both majors of Helm, on a node that runs it."""
import hashlib
import json
import subprocess

import pytest
import shop as shops
from kube import until
from shop import container, document, secret

CALLER_KEY = "rk-cluster-test-0123456789abcdef"


def gateway_values(shop, **more):
    config = document(shop.provider_host) | {
        "keys": {"shop": {"service": "shop", "hash": {"file": "/etc/remora/keys/shop"}}},
        "grpc": {"accept_old_core": True}}  # where the image was made from Debian 12's packages
    gateway = {"keysSecret": "caller-hashes", "replicas": 2, "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}}}
    return {"mode": "gateway", "image": shops.IMAGE_VALUES, "config": config, "credentials": {"existingSecret": "provider"},
            "gateway": gateway, "tests": {"gateway": {"keySecret": "caller", "model": "test/echo"}}} | more


def with_caller(node, stem, major):
    """A namespace with a caller's key, and its hash for the gateway."""
    shop = shops.Shop(node, stem, helm=major)
    shop.apply(secret("caller", key=CALLER_KEY), secret("caller-hashes", shop=hashlib.sha256(CALLER_KEY.encode()).hexdigest()))
    return shop


def traffic(shop, name, url, *flags):
    """A pod that calls the Service until it is stopped."""
    spec = {"containers": [container("app", "client", "-url", url, "-key-file", "/caller/key", *flags,
                                     volumeMounts=[{"name": "caller", "mountPath": "/caller"}])],
            "volumes": [{"name": "caller", "secret": {"secretName": "caller"}}], "restartPolicy": "Never",
            "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 20}
    shop.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
    shop.wait_event(name, "app", "first", what="the first call of %s" % name)


def images(shop):
    """Of the gateway's pods, those that are on their way out included."""
    pods = shop.cluster.get("-n", shop.namespace, "pods", "-l", "app.kubernetes.io/component=gateway")["items"]
    return sorted(p["spec"]["containers"][0]["image"] for p in pods)


def stop(shop, name):
    """Ends a traffic pod and returns what it counted: {ok, failed}."""
    shop.cluster.exec(shop.namespace, name, "app", "/podapp", "stop", check=False)  # it may be killed with its container
    return shop.wait_event(name, "app", "exit")


@pytest.mark.parametrize("major", [3, 4])
def test_upgrade_and_rollback_under_traffic_fail_no_request(node, figures, major):
    shop = with_caller(node, "gateway%d" % major, major)
    wait = ["--wait", "--timeout", "180s"]
    shop.install(gateway_values(shop), *wait)
    url = "http://shop-remora-gateway.%s.svc.cluster.local:7360" % shop.namespace
    traffic(shop, "reusing", url, "-rate", "20")
    traffic(shop, "fresh", url, "-rate", "10", "-reuse=false")
    assert images(shop) == ["test.local/remora:1"] * 2

    # Each on one connection, which its pod's end meets busy.
    grpc = url.replace(":7360", ":7361")
    traffic(shop, "grpc", grpc, "-grpc", "-rate", "200")
    traffic(shop, "grpc-streaming", grpc, "-grpc", "-rate", "4", "-stream", "-model", "test/slow")

    # Streams of 6 s: at any time some are under way in a pod that is told to stop, and reach their end there.
    traffic(shop, "streaming", url, "-rate", "4", "-stream", "-model", "test/slow")
    shop.install(gateway_values(shop, image=shops.IMAGE_VALUES | {"tag": "2"}), *wait, verb="upgrade")
    assert images(shop).count("test.local/remora:2") == 2
    shop.cluster.helm(major, "rollback", "shop", "1", "-n", shop.namespace, *wait)
    until("only pods of the old image, after everybody's drain", lambda: images(shop) == ["test.local/remora:1"] * 2)
    counted = {name: stop(shop, name) for name in ("reusing", "fresh", "streaming", "grpc", "grpc-streaming")}
    failed = [e for name in counted for e in shop.events(name, "app", "fail")]
    assert failed == [], "%s, among them:\n%s" % (counted, "\n".join(json.dumps(e) for e in failed[:4]))
    assert {e["text"] for e in shop.events("streaming", "app", "answer")} == {"30 chunks"}
    assert counted["streaming"]["ok"] > 40 and counted["reusing"]["ok"] > 100 and counted["fresh"]["ok"] > 50, counted
    assert counted["grpc"]["ok"] > 2000 and counted["grpc-streaming"]["ok"] > 40, counted
    figures["calls during upgrade and rollback with Helm %d, failed ones" % major] = [sum(c["ok"] for c in counted.values()), len(failed)]

    shop.cluster.helm(major, "uninstall", "shop", "-n", shop.namespace, "--wait", "--timeout", "120s")
    left = json.loads(shop.cluster.kubectl("-n", shop.namespace, "get", "deployment,service,configmap,pdb,serviceaccount", "-o",
                                           "json", "-l", "app.kubernetes.io/instance=shop"))
    kept = [o for o in left["items"] if o["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == "keep"]
    assert left["items"] == kept, left  # the layers of policy, whose owners may be others
    assert {o["kind"] for o in kept} == {"ConfigMap"} and all("policy" in o["metadata"]["name"] for o in kept), kept


def helm_test(shop):
    """With the logs of every test pod, as the documentation and NOTES.txt have it."""
    told = shop.cluster.helm(shop.helm, "test", "shop", "-n", shop.namespace, "--logs", "--timeout", "180s", whole=True)
    assert "Succeeded" in told and "Failed" not in told, told
    assert "POD LOGS: shop-remora-test-completion" in told and "demo/echo-1: answered by steady after 2 attempts" in told, told


@pytest.mark.parametrize("major", [3, 4])
def test_helm_test_asks_the_sidecar_a_completion(node, major):
    shop = shops.Shop(node, "helmtest%d" % major, helm=major)
    shop.install(shops.values(shop.provider_host), "--wait", "--timeout", "120s")
    helm_test(shop)
    shop.cluster.helm(major, "uninstall", "shop", "-n", shop.namespace, "--wait", "--timeout", "120s")
    of_release = ["pod,configmap", "-l", "app.kubernetes.io/instance=shop"]
    names = lambda: {one["metadata"]["name"] for one in shop.cluster.get("-n", shop.namespace, *of_release)["items"]}
    layers = {"shop-remora-policy-%s" % layer for layer in ("mesh", "namespace", "service")}
    assert names() == layers | {"shop-remora-test-completion", "shop-remora-test-sidecar-config"}, "as docs/kubernetes.md says"
    shop.delete("pod", "-l", "app.kubernetes.io/instance=shop,app.kubernetes.io/component=test")
    assert names() == layers


def test_helm_test_asks_the_gateway_a_completion(node):
    shop = with_caller(node, "helmtest", 4)
    shop.install(gateway_values(shop, mode="both"), "--wait", "--timeout", "180s")
    helm_test(shop)


def certificate(shop, folder):
    """A Secret as cert-manager writes it, for the gateway's name in the cluster."""
    name = "shop-remora-gateway.%s.svc" % shop.namespace
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=gateway",
                    "-addext", "subjectAltName=DNS:" + name, "-keyout", "tls.key", "-out", "tls.crt"], cwd=folder, check=True, capture_output=True,
                   timeout=60)
    text = {name: (folder / name).read_text() for name in ("tls.crt", "tls.key")}
    return secret("gateway-tls", **text, **{"ca.crt": text["tls.crt"]}) | {"type": "kubernetes.io/tls"}


def test_helm_test_asks_the_gateway_over_tls(node, tmp_path):
    shop = with_caller(node, "helmtesttls", 3)
    shop.apply(certificate(shop, tmp_path))
    given = gateway_values(shop)
    given["gateway"] |= {"tlsSecret": "gateway-tls", "replicas": 1}
    given["tests"]["gateway"] |= {"caSecret": "gateway-tls"}
    shop.install(given, "--wait", "--timeout", "180s")
    helm_test(shop)
    said = shop.cluster.logs(shop.namespace, "shop-remora-test-gateway", "completion")
    assert said.startswith("test/echo: answered by test after 1 attempt: one"), said
