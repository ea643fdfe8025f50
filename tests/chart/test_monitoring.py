"""Alerts and dashboard ask for metrics that exist, by labels that they have."""
import json
import re

import promql_parser
import pytest
import yaml

from chart import CHART, ROOT, objects_of, one

# Given by the PodMonitor (Prometheus Operator, "PodMonitor" relabelling) and by Prometheus itself.
TARGET_LABELS = {"namespace", "pod", "container", "job", "instance", "endpoint"}
DASHBOARD = json.loads((CHART / "files/dashboard.json").read_text())
ALERTS = yaml.safe_load((CHART / "files/alerts.yaml").read_text())


def metrics_of_the_docs():
    """{name: (type, labels)} of the table in docs/telemetry.md; a histogram's three series beside it."""
    found = {}
    for name, kind, labels in re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \|", (ROOT / "docs/telemetry.md").read_text(), re.M):
        labels = set(re.findall(r"`(\w+)`", labels))
        if kind == "histogram":
            found.update({f"{name}_{end}": (kind, labels | ({"le"} if end == "bucket" else set())) for end in ("bucket", "sum", "count")})
        else:
            found[name] = (kind, labels)
    return found


METRICS = metrics_of_the_docs()


def expressions():
    for alert in ALERTS:
        yield f"alert {alert['alert']}", alert["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield f"panel {panel['title']}", target["expr"].replace("$__rate_interval", "5m").replace("$namespace", "n").replace("$service", "s")


EXPRESSIONS = list(expressions())


def wrong(expression):
    """Parsed by PromQL's grammar; then every selector and grouping against the table."""
    promql_parser.parse(expression)
    bare = re.sub(r'"[^"]*"', '""', expression)
    used = set(re.findall(r"\b(?:remora|process)_\w+", bare))
    for name in used:
        if name not in METRICS:
            yield f"no metric {name}"
    labels = TARGET_LABELS.union(*(METRICS[name][1] for name in used if name in METRICS))
    for name, matchers in re.findall(r"(\w+)\{(.*?)\}", bare):
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers):
            if name in METRICS and label not in METRICS[name][1] | TARGET_LABELS:
                yield f"{name} has no label {label}"
    for group in re.findall(r"\b(?:by|on)\s*\((.*?)\)", bare):
        for label in re.findall(r"\w+", group):
            if label not in labels:
                yield f"nothing in it has the label {label}"
    for name in re.findall(r"(?:rate|increase)\((\w+)", bare):
        if name in METRICS and METRICS[name][0] == "gauge" and name != "process_cpu_seconds_total":
            yield f"a rate of the gauge {name}"


def test_the_table_of_metrics_is_read():
    assert len(METRICS) > 40 and METRICS["remora_requests_total"] == ("counter", {"api", "operation", "service", "model", "provider", "code"})
    assert METRICS["remora_overhead_seconds_bucket"] == ("histogram", {"api", "le"})


@pytest.mark.parametrize("where, expression", EXPRESSIONS, ids=[where for where, _ in EXPRESSIONS])
def test_an_expression_asks_for_what_there_is(where, expression):
    assert not list(wrong(expression))


@pytest.mark.parametrize("expression", ["remora_request_total", 'remora_requests_total{status="OK"}', "sum by (kind) (remora_requests_total)",
                                        "rate(remora_inflight_requests[5m])", "remora_overhead_seconds > 1"])
def test_the_check_sees(expression):
    assert list(wrong(expression))


def test_words_of_alerts_use_labels_that_their_expression_keeps():
    for alert in ALERTS:
        outermost = re.search(r"\bby\s*\((.*?)\)", alert["expr"]) or re.search(r"\bon\s*\((.*?)\)", alert["expr"])
        kept = set(re.findall(r"\w+", outermost.group(1)))
        used = set(re.findall(r"\$labels\.(\w+)", json.dumps(alert["annotations"])))
        assert used <= kept, alert["alert"]
        assert alert["labels"]["severity"] in ("critical", "warning", "info") and alert["annotations"]["summary"], alert["alert"]


def test_codes_in_alerts_exist():
    codes = set(re.findall(r"^REMORA_CODE\((\w+)", (ROOT / "include/remora/tbl/codes.h").read_text(), re.M))
    for _, expression in EXPRESSIONS:
        for alternatives in re.findall(r'code=~?"([^"]*)"', expression):
            assert set(alternatives.split("|")) <= codes | {"OK"}, expression


def test_rules_in_alerts_exist():
    rules = set(re.findall(r'^REMORA_RULE\(\w+, "(\w+)', (ROOT / "include/remora/tbl/rules.h").read_text(), re.M))
    named = [name for _, expression in EXPRESSIONS for name in re.findall(r'rule!?=~?"(\w+)"', expression)]
    assert "no_credential" in named and set(named) <= rules


def test_what_says_trouble_is_looked_at():
    """By an alert or a panel. A new metric that says trouble belongs here."""
    looked_at = " ".join(expression for _, expression in EXPRESSIONS)
    trouble = ["requests", "stream_aborts", "upstream_keys_refused", "fallbacks", "cost_unknown", "usage_estimated", "dropped_parameters",
               "policy_rejections", "circuit_state", "config_last_reload_successful", "limit_rejections", "limit_wait", "unauthenticated",
               "log_lines_dropped", "overhead", "time_to_first_chunk", "request_bytes_inflight", "request_bytes_limit", "credential_reloads",
               "tls_certificate_expiry"]
    assert not [name for name in trouble if f"remora_{name}" not in looked_at]


def test_the_dashboard_is_whole():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
    known = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert set(re.findall(r"\$\{?([a-z]\w*)", json.dumps(DASHBOARD))) <= known


def test_rules_and_dashboard_arrive_whole(helm):
    objects = helm.render(["both.yaml", "monitoring.yaml"])
    rules = one(objects, "PrometheusRule")["spec"]["groups"][0]["rules"]
    assert rules == [alert for alert in ALERTS if alert["alert"] != "RemoraCostUnknown"]
    assert json.loads(one(objects, "ConfigMap", "-dashboard")["data"]["remora.json"]) == DASHBOARD


def test_pods_of_two_releases_in_a_namespace_are_scraped_once(helm):
    monitor, other = (one(objects_of(helm.template(["sidecar.yaml"], ["monitoring.podMonitor.enabled=true", "monitoring.podMonitor.namespaces={cart}"],
                                                   release=release).stdout), "PodMonitor")["spec"]["selector"]["matchLabels"] for release in ("checkout", "search"))
    sidecar = one(objects_of(helm.template(["sidecar.yaml"], release="checkout").stdout), "ConfigMap", "-sidecar")
    labels = yaml.safe_load(sidecar["data"]["pod.yaml"])["metadata"]["labels"]
    assert monitor.items() <= labels.items() and not other.items() <= labels.items()


def monitors_and_pods(text):
    """Selectors of sidecars, and the labels of each block, by the names of their objects."""
    objects = objects_of(text)
    selectors = {each["metadata"]["name"]: each["spec"]["selector"]["matchLabels"] for each in objects if each["kind"] == "PodMonitor"}
    blocks = {each["metadata"]["name"]: yaml.safe_load(each["data"]["pod.yaml"])["metadata"]["labels"] for each in objects
              if each["kind"] == "ConfigMap" and "pod.yaml" in each["data"]}
    return selectors, blocks


def test_two_uses_of_the_chart_in_a_release_are_scraped_once(helm, tmp_path):
    """A parent chart with two aliases: one release, and two installations."""
    aliases = "".join(f"  - {{name: remora, alias: {alias}, version: '*', repository: 'file://{CHART}'}}\n" for alias in ("checkout", "search"))
    (tmp_path / "Chart.yaml").write_text(f"apiVersion: v2\nname: parent\nversion: 0.0.1\ndependencies:\n{aliases}")
    (tmp_path / "values.yaml").write_text("".join(f"{alias}: {{monitoring: {{podMonitor: {{enabled: true}}}}}}\n" for alias in ("checkout", "search")))
    (tmp_path / "charts").mkdir()
    (tmp_path / "charts/remora").symlink_to(CHART)
    result = helm.template(chart=tmp_path)
    assert result.returncode == 0, result.stderr
    selectors, blocks = monitors_and_pods(result.stdout)
    assert set(selectors) == set(blocks) == {"shop-checkout-sidecar", "shop-search-sidecar"}
    for name, selector in selectors.items():
        assert [of for of, labels in blocks.items() if selector.items() <= labels.items()] == [name]


def test_releases_of_one_name_in_two_namespaces_are_scraped_once(helm):
    sets = ["monitoring.podMonitor.enabled=true", "monitoring.podMonitor.namespaces={*}"]
    shop, billing = (monitors_and_pods(helm.template([], sets, namespace=namespace, release="remora").stdout) for namespace in ("shop", "billing"))
    for (selectors, blocks), (_, others) in ((shop, billing), (billing, shop)):
        selector = selectors["remora-sidecar"]
        assert selector.items() <= blocks["remora-sidecar"].items() and not selector.items() <= others["remora-sidecar"].items()


def test_pod_monitors_find_their_pods_and_the_port(helm):
    objects = helm.render(["both.yaml", "monitoring.yaml"])
    gateway = one(objects, "Deployment")["spec"]["template"]
    sidecar = yaml.safe_load(one(objects, "ConfigMap", "-sidecar")["data"]["pod.yaml"])
    for suffix, pod, container in (("-gateway", gateway, gateway["spec"]["containers"][0]), ("-sidecar", sidecar, sidecar["spec"]["initContainers"][0])):
        monitor = one(objects, "PodMonitor", suffix)["spec"]
        assert monitor["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
        assert monitor["podMetricsEndpoints"][0]["port"] in [port["name"] for port in container["ports"]]
    assert one(objects, "PodMonitor", "-sidecar")["spec"]["namespaceSelector"] == {"matchNames": ["shop", "cart"]}
    everywhere = helm.render(["both.yaml", "monitoring.yaml"], ["monitoring.podMonitor.namespaces={*}"])
    assert one(everywhere, "PodMonitor", "-sidecar")["spec"]["namespaceSelector"] == {"any": True}
