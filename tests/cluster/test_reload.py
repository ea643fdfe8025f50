"""Configuration, policy and keys change while a pod serves: the kubelet swaps `..data`, and no call notices."""
import json
import time

import pytest
import shop as shops
from kube import until
from shop import client, document, secret, values


@pytest.fixture(scope="module")
def shop(node):
    place = shops.Shop(node, "reload")
    place.install(values(place.provider_host))
    place.run("app", client("app", "-rate", "20"), grace=5)
    yield place
    place.delete("pod", "app", "--wait=false")


def metric(shop, name, pod="app"):
    return shop.cluster.metrics(shop.namespace, pod)[name]


def nothing_failed(shop):
    failed = shop.events("app", "app", "fail")
    assert failed == [] and shop.restarts("app", "remora") == 0
    assert all(e["code"] == "OK" for e in shop.events("app", "remora", "request"))


def test_a_new_configuration_is_seen_by_the_next_request(shop, figures):
    shop.wait_event("app", "app", "answer", lambda e: e["text"] == "one")
    began_ms = time.time() * 1000
    shop.install(values(shop.provider_host) | {"config": document(shop.provider_host, model_id="two")}, verb="upgrade")
    changed_ms = time.time() * 1000
    seen = shop.wait_event("app", "app", "answer", lambda e: e["text"] == "two")
    # The kubelet looks at each pod every 5 s here, in most clusters about once a minute.
    figures["ConfigMap changed to seen by a request, ms"] = round(seen["at_ms"] - changed_ms)
    reload = [e for e in shop.events("app", "remora") if "reload" in e["message"] or "configuration" in e["message"]]
    assert seen["at_ms"] > began_ms and reload
    nothing_failed(shop)


def test_an_invalid_policy_changes_nothing_and_shows(shop):
    good = shop.cluster.get("-n", shop.namespace, "configmap", "shop-remora-policy-service")["data"]["policy.yaml"]
    revision = status_of(shop)["revision"]
    shop.replace_in_configmap("shop-remora-policy-service", "policy.yaml", lambda _: "provider: {data_colection: deny}\n")
    until("the failed load shows in the metrics", lambda: metric(shop, "remora_config_last_reload_successful") == 0)
    status = status_of(shop)
    assert status["revision"] == revision and "data_colection" in json.dumps(status), status
    said = [e for e in shop.events("app", "remora") if "data_colection" in json.dumps(e)]
    assert said and said[0]["level"] in ("error", "warn"), "the log says which key is wrong"
    nothing_failed(shop)
    shop.replace_in_configmap("shop-remora-policy-service", "policy.yaml", lambda _: good)
    until("the load succeeds again", lambda: metric(shop, "remora_config_last_reload_successful") == 1)


def status_of(shop):
    """What the admin listener says; it is on loopback, so it is asked from within the pod."""
    return json.loads(shop.cluster.exec(shop.namespace, "app", "app", "/podapp", "get", "http://127.0.0.1:7363/config/status"))


def test_a_key_is_rotated_under_traffic_without_a_failed_request(shop, figures):
    """The provider takes both keys; the Secret changes; when only the new one is used, the old one is revoked."""
    shop.provider("/__keys", "key-1 key-2")
    before = len(shop.events("app", "remora", "request"))
    changed = time.monotonic()
    shop.apply(secret("provider", key="key-2"))
    until("the new key is used", lambda: by_key(shop).get("key-2", 0) > 0)
    figures["Secret changed to used for a call, s"] = round(time.monotonic() - changed, 1)
    old = by_key(shop)["key-1"]
    until("100 calls with the new key", lambda: by_key(shop)["key-2"] >= 100)
    assert by_key(shop)["key-1"] == old, "calls went on with the old key"
    shop.provider("/__keys", "key-2")
    until("200 calls with the new key", lambda: by_key(shop)["key-2"] >= 200)
    assert json.loads(shop.provider("/__stats"))["refused"] == 0
    calls = len(shop.events("app", "remora", "request")) - before
    nothing_failed(shop)
    figures["calls during the rotation of a key, failed ones"] = [calls, len(shop.events("app", "app", "fail"))]


def by_key(shop):
    return json.loads(shop.provider("/__stats"))["by_key"]


def test_a_policy_layer_narrows_at_the_next_request(shop):
    shop.run("narrow", client("app", "-rate", "5"), grace=5)
    shop.wait_event("narrow", "app", "answer")
    shop.replace_in_configmap("shop-remora-policy-mesh", "policy.yaml", lambda _: "models: {deny: ['test/*']}\n")
    refused = shop.wait_event("narrow", "app", "fail", what="a request is refused by the mesh's layer")
    assert "status 403" in refused["error"] or "status 404" in refused["error"], refused
    assert shop.restarts("narrow", "remora") == 0
    shop.replace_in_configmap("shop-remora-policy-mesh", "policy.yaml", lambda _: "{}\n")
    count = len(shop.events("narrow", "remora", "request"))
    until("calls succeed again", lambda: any(e["code"] == "OK" for e in shop.events("narrow", "remora", "request")[count:]))
    shop.delete("pod", "narrow")


def test_without_its_mesh_policy_a_pod_is_not_ready_until_it_comes(node):
    shop = shops.Shop(node, "mesh")
    given = values(shop.provider_host)
    given["policy"] = {"mesh": {"create": False, "name": "mesh-policy"}}
    shop.install(given)
    shop.run("app", client("app", "-rate", "5"), grace=5, ready=False)
    said = until("/readyz says what is missing", lambda: not_ready(shop))
    assert "mesh" in said, said
    pod = shop.cluster.pod(shop.namespace, "app")
    assert not any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"]["conditions"])
    assert "ok" not in [e.get("code", "").lower() for e in shop.events("app", "remora", "request")]
    shop.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mesh-policy"},
                "data": {"policy.yaml": "provider: {allow_fallbacks: true}\n"}})
    shop.cluster.wait_ready(shop.namespace, "app")
    shop.wait_event("app", "app", "answer", lambda e: e["text"] == "one")
    assert shop.restarts("app", "remora") == 0
    shop.delete("pod", "app", "--wait=false")


def not_ready(shop):
    address = shop.cluster.pod(shop.namespace, "app")["status"]["podIP"]
    text = shop.cluster.run(["curl", "-sS", "-m", "5", "-w", " %{http_code}", "http://%s:7362/readyz" % address])
    return text if text.endswith(" 503") else None


