"""What the values refuse: every mistake that `remora check` refuses where one key tells it, and what only the chart can know."""
import importlib.util
import json
import subprocess
import sys

import jsonschema
import pytest
import yaml

from chart import CHART, MATRIX, PROGRAM, ROOT, over_defaults, values_path


def scenario_tables():
    """The mistakes that tests/scenario/test_schema.py holds against the program and its schema."""
    sys.path.insert(0, str(ROOT / "tests/scenario"))
    spec = importlib.util.spec_from_file_location("scenario_test_schema", ROOT / "tests/scenario/test_schema.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.GOOD, module.BAD, module.POLICY_FILES


GOOD, BAD, POLICY_FILES = scenario_tables()
# Of the document alone: no layer from elsewhere.
BARE = {"policy": {layer: {"enabled": False} for layer in ("mesh", "namespace", "service")}}


@pytest.fixture(scope="module")
def validator():
    schema = json.loads((CHART / "values.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def values_of(document):
    return {**BARE, "config": yaml.safe_load(document)}


@pytest.mark.parametrize("document", GOOD)
def test_what_the_program_takes_the_chart_takes(document, helm3):
    values = values_of(document)
    if (values["config"] or {}).get("mode") == "gateway":
        assert "config.mode is gateway and the chart runs it as a sidecar" in helm3.refusal(values=values)
        del values["config"]["mode"]
    result = helm3.template(values=values)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("what", BAD)
def test_what_the_program_refuses_the_chart_refuses(what, helm3, validator):
    values = values_of(BAD[what])
    assert validator.is_valid(over_defaults({})) and not validator.is_valid(over_defaults(values))
    said = helm3.refusal(values=values)
    assert "don't meet the specifications of the schema" in said and "/config" in said


@pytest.mark.parametrize("what", list(BAD)[::5])
def test_helm_4_refuses_them_in_the_same_words(what, helm, helm3):
    values = values_of(BAD[what])
    assert helm.refusal(values=values) == helm3.refusal(values=values)


@pytest.mark.parametrize("text", [text for text, fits in POLICY_FILES.items() if not fits and yaml.safe_load(text) is not None])
def test_a_policy_that_the_program_refuses_the_chart_refuses(text, helm):
    said = helm.refusal(values={"policy": {"mesh": {"content": yaml.safe_load(text)}}})
    assert "/policy/mesh/content" in said, said


def test_the_config_part_is_the_programs_own(validator):
    """Both schemas, one verdict each, on every document of the tables: they are one. A document without its version has the one
    of the defaults in `config`, and in `gateway.config` nothing gives it one."""
    program = jsonschema.Draft202012Validator(json.loads(subprocess.run([str(PROGRAM), "schema"], check=True, capture_output=True, text=True).stdout))
    for text in GOOD + list(BAD.values()):
        document = yaml.safe_load(text)
        if "version" not in (document or {}):
            document = {"version": 1, **(document or {})}
        as_values = [over_defaults(values) for values in ({"config": document}, {"gateway": {"config": document}})]
        assert [program.is_valid(document)] * 2 == [validator.is_valid(values) for values in as_values]


def test_the_gateways_document_is_empty_or_whole(validator):
    of = lambda document: validator.is_valid(over_defaults({"gateway": {"config": document}}))
    assert of({}) and of({"version": 1}) and not of({"service": "cart"}) and not of([])


@pytest.mark.parametrize("change, where", [
    ("mode=cluster", "/mode"), ("sidcar.service=x", "sidcar"), ("gateway.replica=3", "replica"), ("gateway.service.port=80", "port"),
    ("image.tag=latest", "/image/tag"), ("image.digest=sha256:abc", "/image/digest"), ("image.repository=UPPER", "/image/repository"),
    ("gateway.workers=0", "/gateway/workers"), ("gateway.workers=many", "/gateway/workers"),
    ("gateway.service.type=ExternalName", "/gateway/service/type"), ("gateway.service.httpPort=70000", "/gateway/service/httpPort"),
    ("gateway.podDisruptionBudget.maxUnavailable=half", "maxUnavailable"), ("gateway.resources.limit.memory=1Gi", "limit"),
    ("sidecar.resources.limits.memory=lots", "memory"), ("sidecar.containerName=Remora", "containerName"),
    ("credentials.defaultMode=0777x", "defaultMode"), ("credentials.defaultMode=0", "defaultMode"), ("credentials.existingSecret=Not_A_Name", "existingSecret"),
    ("bindAddress=localhost", "bindAddress"), ("bindAddress=::", "bindAddress"), ("policy.mesh.content.limit.concurrency=1", "limit"),
    ("policy.service.allow=1", "allow"), ("openshift=yes", "openshift"), ("monitoring.podMonitor.interval=often", "interval"),
    ("nameOverride=My App", "nameOverride"), ("fullnameOverride=UPPER_case", "fullnameOverride"), ("fullnameOverride=7up", "fullnameOverride"),
    ("policy.mesh.name=a..b", "/policy/mesh/name"), ("bindAddress=999.1", "bindAddress"), ("bindAddress=256.0.0.1", "bindAddress"),
    ("gateway.podDisruptionBudget.maxUnavailable=200%", "maxUnavailable"), ("gateway.keysSecret=a-.b", "keysSecret"),
    ("sidecar.extraEnv[0].value=x", "name"), ("tests.gateway.keySecretKey=", "keySecretKey"), ("commonLabels.a.b=c", "commonLabels"),
])
def test_other_values_are_checked_too(helm, change, where):
    said = helm.refusal(sets=[change])
    assert "schema" in said and where.lstrip("/") in said, said


@pytest.mark.parametrize("text", ["service: yes", "listen: {grpc: off}", "service: 123"])
def test_words_without_quotes_helm_refuses_and_the_program_takes(helm, text, tmp_path):
    """As README.md says."""
    taken = helm.run("template", "shop", *helm.arguments([], []), "--values", "-", stdin=f"config:\n  {text}\n")
    assert taken.returncode != 0 and ", want string" in taken.stderr
    (tmp_path / "remora.yaml").write_text(f"version: 1\n{text}\n")
    assert subprocess.run([str(PROGRAM), "check", str(tmp_path / "remora.yaml")], capture_output=True, timeout=60, env={}).returncode == 0


@pytest.mark.parametrize("text", ["two\nlines", "a\x01b", "\u00e4" * 128])
def test_texts_that_only_the_program_refuses(helm, text, tmp_path):
    """As README.md says: what the schema learns goes out of it."""
    taken = helm.template(values={"config": {"service": text}})
    assert taken.returncode == 0, taken.stderr
    (tmp_path / "remora.yaml").write_text(json.dumps({"version": 1, "service": text}) + "\n")
    assert subprocess.run([str(PROGRAM), "check", str(tmp_path / "remora.yaml")], capture_output=True, timeout=60, env={}).returncode == 1


# What README.md says the values cannot tell: the chart takes it, and the program does not.
BEYOND_THE_VALUES = {
    "an endpoint of nobody": ("models: {a/b: {endpoints: [{provider: nobody, model_id: x}]}}", "is not among the providers"),
    "two listeners on one address": ("listen: {http: '127.0.0.1:7000', grpc: '127.0.0.1:7000'}", "bound to the same address"),
    "beyond loopback without keys": ("listen: {http: '0.0.0.0:7360'}", "is beyond loopback"),
    "in the clear": ("providers: {p: {kind: openai, base_url: 'http://models.example/v1'}}", "in the clear"),
}


@pytest.mark.parametrize("what", BEYOND_THE_VALUES)
def test_what_the_readme_leaves_to_the_program_is_the_programs(what, helm3, tmp_path):
    """Whatever the schema learns to refuse goes out of the README."""
    text, why = BEYOND_THE_VALUES[what]
    taken = helm3.template(values=values_of(text))
    assert taken.returncode == 0, taken.stderr
    (tmp_path / "remora.yaml").write_text("version: 1\n" + text)
    result = subprocess.run([str(PROGRAM), "check", str(tmp_path / "remora.yaml")], capture_output=True, text=True, timeout=60, env={})
    assert result.returncode == 1 and why in result.stderr


def test_lint_tells_what_the_chart_refuses_and_passes(helm):
    """As README.md says: Helm's linter takes the sting out of `fail`."""
    result = helm.run("lint", *helm.arguments([], ["gateway.config.version=1"]), "--strict")
    assert result.returncode == 0 and "gateway.config would go nowhere" in result.stdout + result.stderr


REFUSED = {
    "no way in": (["mode=gateway"], "gateway needs gateway keys"),
    "no way in, both": (["mode=both"], "gateway needs gateway keys"),
    "two meshes": (["config.policy.limits.concurrency=1"], "config.policy and policy.mesh are two sources"),
    "two policies of the service": (["sidecar.service=cart", "config.services.cart.limits.concurrency=1"], "config.services.cart and policy.service"),
    "two policies of the namespace": (["config.namespaces.shop.limits.concurrency=1"], "config.namespaces.shop and policy.namespace"),
    "files from two places": (["config.policy_files.mesh=/x"], "config.policy_files: the chart writes it"),
    "a policy that nobody writes": (["policy.mesh.create=false", "policy.mesh.content.limits.concurrency=1"], "policy.mesh.content would go nowhere"),
    "a policy that no role mounts": (["mode=gateway", "config.keys.a.service=a", "config.keys.a.hash.env=A", "policy.namespace.content.limits.concurrency=1"],
                                     "policy.namespace.content would go nowhere: the gateway serves many"),
    "two layers of one ConfigMap": (["policy.mesh.content.limits.concurrency=3", "policy.service.name=shop-remora-policy-mesh"],
                                    "policy.service.name: shop-remora-policy-mesh is that of policy.mesh, too"),
    "two layers of one name": (["policy.mesh.name=pol", "policy.namespace.name=pol"], "policy.namespace.name: pol is that of policy.mesh, too"),
    "two layers of somebody else's ConfigMap": (["policy.mesh.name=pol", "policy.mesh.create=false", "policy.service.name=pol", "policy.service.create=false"],
                                                "policy.service.name: pol is that of policy.mesh, too"),
    "a layer with the name of the document": (["policy.mesh.name=shop-remora-config"], "policy.mesh.name: shop-remora-config is the chart's own ConfigMap"),
    "a layer with the name of the gateway's document": (["mode=gateway", "config.keys.a.service=a", "config.keys.a.hash.env=A",
                                                         "policy.mesh.name=shop-remora-gateway-config"], "shop-remora-gateway-config is the chart's own ConfigMap"),
    "a policy of the service, in a gateway": (["mode=gateway", "config.keys.a.service=a", "config.keys.a.hash.env=A",
                                               "policy.service.content.limits.concurrency=1"], "move it to config.services.NAME"),
    "a policy of a layer that is off": (["policy.service.enabled=false", "policy.service.content.limits.concurrency=1"],
                                        "policy.service.content would go nowhere: policy.service.enabled is false"),
    "a gateway's document without a gateway": (["gateway.config.version=1"], "gateway.config would go nowhere: mode sidecar"),
    "where a gateway listens": (["mode=gateway", "config.keys.a.service=a", "config.keys.a.hash.env=A", "config.listen.grpc=off"],
                                "config.listen.grpc: the gateway listens where its Service sends calls"),
    "where a gateway of its own document listens": (["mode=both", "gateway.config.version=1", "gateway.config.keys.a.service=a", "gateway.config.keys.a.hash.env=A",
                                                     "gateway.config.listen.http=127.0.0.1:8001"], "gateway.config.listen.http: the gateway listens"),
    "workers of a gateway": (["mode=gateway", "config.keys.a.service=a", "config.keys.a.hash.env=A", "config.workers=8"],
                             "config.workers and gateway.workers are two sources of one number"),
    "more pods at least than at most": (["mode=gateway", "config.keys.a.service=a", "config.keys.a.hash.env=A", "gateway.autoscaling.enabled=true",
                                         "gateway.autoscaling.minReplicas=11"], "gateway.autoscaling.minReplicas (11) is more than maxReplicas (10)"),
    "no alert of that name": (["monitoring.prometheusRule.enabled=true", "monitoring.prometheusRule.disabled[0]=Remora"], "no alert is called Remora"),
    "an end that is too short": (["mode=gateway", "config.keys.a.service=a", "config.keys.a.hash.env=A", "config.drain.grace_ms=60000"],
                                 "terminationGracePeriodSeconds (40) has to be longer than the document's drain (delay_ms 5000, grace_ms 60000)"),
    "a key that everybody may write": (["credentials.defaultMode=511"], "credentials.defaultMode is 511 (0777): a key that everybody may write is refused"),
    "two ports of one number": (["mode=gateway", "config.keys.a.service=a", "config.keys.a.hash.env=A", "gateway.service.httpPort=7361"],
                                "gateway.service.httpPort and grpcPort are both 7361"),
    "a variable that the chart writes": (["sidecar.extraEnv[0].name=REMORA_NAMESPACE"], "sidecar.extraEnv: REMORA_NAMESPACE is the chart's own"),
    "a label that the selector has": (["mode=gateway", "config.keys.a.service=a", "config.keys.a.hash.env=A",
                                       "gateway.podLabels.app\\.kubernetes\\.io/name=x"], "gateway.podLabels: app.kubernetes.io/name is the selector's"),
    "a sidecar without probes": (["config.listen.probe=off"], "listen.probe is off: the kubelet asks"),
    "probes on a socket": (["config.listen.probe=unix:/run/remora9"], "listen.probe is unix:/run/remora9: the kubelet asks"),
    "probes on no port": (["config.listen.probe=127.0.0.1:0"], "listen.probe is 127.0.0.1:0: the kubelet asks"),
    "probes on a port of calls": (["config.listen.probe=0.0.0.0:8001", "config.listen.http=127.0.0.1:8001"], "listen.probe has port 8001, which is the port of http"),
    "probes on the gateway's port of calls": (["mode=gateway", "config.keys.a.service=a", "config.keys.a.hash.env=A", "config.listen.probe=0.0.0.0:7360"],
                                              "listen.probe has port 7360, which is the port of http"),
    "probes on the port of admin": (["config.listen.probe=0.0.0.0:7363"], "listen.probe has port 7363, which is the port of admin"),
    "a gateway that says it is a sidecar": (["mode=gateway", "config.keys.a.service=a", "config.keys.a.hash.env=A", "config.mode=sidecar"],
                                            "config.mode is sidecar and the chart runs it as the gateway"),
    "a sidecar that says it is a gateway": (["config.mode=gateway"], "config.mode is gateway and the chart runs it as a sidecar"),
    "a sidecar of its own document that says it is a gateway": (["mode=both", "gateway.config.version=1", "gateway.config.keys.a.service=a",
                                                                 "gateway.config.keys.a.hash.env=A", "config.mode=gateway"],
                                                                "config.mode is gateway and the chart runs it as a sidecar"),
    "an annotation that the chart writes": (["mode=gateway", "config.keys.a.service=a", "config.keys.a.hash.env=A",
                                             "gateway.podAnnotations.checksum/start=x"], "gateway.podAnnotations: checksum/start is the chart's own"),
    "a name that YAML takes for a merge": (["config.aliases.<<=openai/gpt-4o"], "config cannot be read as YAML"),
    "a name that YAML takes for a merge, of two documents": (["mode=both", "gateway.config.version=1", "gateway.config.keys.a.service=a",
                                                              "gateway.config.keys.a.hash.env=A", "gateway.config.aliases.<<=openai/gpt-4o"],
                                                             "gateway.config cannot be read as YAML"),
    "nothing to scale by": (["mode=gateway", "config.keys.a.service=a", "config.keys.a.hash.env=A", "gateway.autoscaling.enabled=true",
                             "gateway.autoscaling.targetCPUUtilizationPercentage=0"], "targetCPUUtilizationPercentage or metrics"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_only_the_chart_can_know_is_refused_in_words(helm, what):
    sets, expected = REFUSED[what]
    assert expected in helm.refusal(sets=sets)


@pytest.mark.parametrize("release", ["a.b", "7up"])
def test_a_release_that_no_service_can_be_called_by_is_refused_before_half_of_it_is_there(helm, release):
    of = lambda *sets: helm.template(["gateway.yaml"], sets, release=release)
    assert "cannot be the beginning of a Service's name" in of().stderr and of("fullnameOverride=up-7").returncode == 0
    assert helm.template(["sidecar.yaml"], release=release).returncode == 0, "ConfigMaps are called so"


def test_a_layer_that_is_off_takes_no_name(helm):
    for sets in (["policy.mesh.enabled=false", "policy.mesh.name=pol", "policy.service.name=pol"], ["policy.mesh.name=shop-other-config"]):
        assert helm.template(sets=sets).returncode == 0


def test_an_end_that_is_long_enough(helm):
    result = helm.template(["gateway.yaml"], ["config.drain.grace_ms=600000", "config.drain.delay_ms=0", "gateway.terminationGracePeriodSeconds=601"])
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("what", ["two meshes", "two policies of the service", "two policies of the namespace"])
def test_the_program_would_refuse_the_two_sources_too(what, tmp_path):
    """The chart says it earlier, not differently."""
    layer, stated = {"two meshes": ("mesh", "policy: {}"), "two policies of the service": ("service", "services: {cart: {}}"),
                     "two policies of the namespace": ("namespace", "namespaces: {shop: {}}")}[what]
    (tmp_path / "policy.yaml").write_text("{}\n")
    (tmp_path / "remora.yaml").write_text(f"version: 1\nservice: cart\nnamespace: shop\n{stated}\npolicy_files: {{{layer}: {tmp_path}/policy.yaml}}\n")
    result = subprocess.run([str(PROGRAM), "check", str(tmp_path / "remora.yaml")], capture_output=True, text=True, timeout=60, env={})
    assert result.returncode == 1 and "leave one of them out" in result.stderr


def test_modes_and_names_that_are_fine(helm):
    for change in ("credentials.defaultMode=288", "credentials.defaultMode=420", "policy.mesh.name=a.b-c", "bindAddress=10.0.0.1",
                   "gateway.podDisruptionBudget.maxUnavailable=100%", "nameOverride=7up", "fullnameOverride=up-7"):
        assert helm.template(sets=[change]).returncode == 0, change


# YAML that Helm reads and passes on as something else, as README.md says.
READ_OTHERWISE = {
    "a key twice": ("services: {a: {limits: {concurrency: 1}}}\nservices: {b: {}}\n", "stands here twice"),
    "a number with a zero before it": ("deadlines: {connect_ms: 010}\n", "reads as octal"),
    "a price with a zero before it": ("policy: {provider: {max_price: {prompt: 010}}}\n", "reads as octal"),
    "an anchor": ("aliases: {a: &one openai/gpt-4o, b: *one}\n", "anchors and tags"),
    "a number in groups": ("deadlines: {connect_ms: 5_000}\n", "leave the _ out"),
}


@pytest.mark.parametrize("what", READ_OTHERWISE)
def test_what_helm_reads_otherwise_the_program_refuses(what, helm, tmp_path):
    text, why = READ_OTHERWISE[what]
    values = yaml.safe_dump(BARE) + "config:\n" + "".join(f"  {line}\n" for line in text.splitlines())
    taken = helm.run("template", "shop", *helm.arguments([], []), "--namespace", "shop", "--values", "-", stdin=values)
    assert taken.returncode == 0, taken.stderr
    (tmp_path / "remora.yaml").write_text("version: 1\n" + text)
    result = subprocess.run([str(PROGRAM), "check", str(tmp_path / "remora.yaml")], capture_output=True, text=True, timeout=60, env={})
    assert result.returncode == 1 and why in result.stderr, result.stderr


def test_a_name_that_helm_reads_otherwise_is_warned_of(helm, tmp_path):
    text = "aliases: {on: openai/gpt-4o, 4.10: openai/gpt-4o, 5_000: openai/gpt-4o, .5: openai/gpt-4o, 12345678901234567890123: openai/gpt-4o}\n"
    taken = helm.run("template", "shop", *helm.arguments([], []), "--values", "-", stdin=f"config:\n  {text}")
    assert '"true": openai/gpt-4o' in taken.stdout and '"4.1": openai/gpt-4o' in taken.stdout
    assert all(f'"{name}": openai/gpt-4o' in taken.stdout for name in ("5000", "0.5", "1.2345679e+22"))
    (tmp_path / "remora.yaml").write_text("version: 1\n" + text)
    result = subprocess.run([str(PROGRAM), "check", str(tmp_path / "remora.yaml")], capture_output=True, text=True, timeout=60, env={})
    assert result.returncode == 0
    for name in ("on", "4.10", "5_000", ".5", "12345678901234567890123"):
        assert f"aliases.{name}: the name is no text to YAML 1.1" in result.stderr


@pytest.mark.parametrize("files", MATRIX.values(), ids=MATRIX)
def test_the_values_in_use_fit(files, validator):
    for name in files:
        validator.validate(over_defaults(yaml.safe_load(values_path(name).read_text())))


def test_the_chart_can_be_a_part_of_another(helm, tmp_path):
    """A parent hands down `global`, and what it switches its part by."""
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: parent\nversion: 0.0.1\ndependencies:\n"
                                         f"  - {{name: remora, version: '*', repository: 'file://{CHART}', condition: remora.enabled}}\n")
    (tmp_path / "values.yaml").write_text("global: {region: eu}\nremora: {enabled: true, config: {service: cart}}\n")
    (tmp_path / "charts").mkdir()
    (tmp_path / "charts/remora").symlink_to(CHART)
    result = helm.template(chart=tmp_path)
    assert result.returncode == 0 and "shop-remora-sidecar" in result.stdout, result.stderr
