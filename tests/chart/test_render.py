"""What is rendered: by both Helms, the same each time, valid for every Kubernetes that the chart names, and accepted by the program."""
import atexit
import contextlib
import decimal
import functools
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tempfile

import kubernetes_validate
import pytest
import yaml

from chart import CHART, MATRIX, PROGRAM, ROOT, VALUES, documents, objects_of, one, pods

FOREIGN = {"PodMonitor", "PrometheusRule"}
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
GOLDEN = ROOT / "tests/chart/golden"


@pytest.mark.parametrize("files", MATRIX.values(), ids=MATRIX)
def test_lint_has_nothing_to_say(helm, files):
    result = helm.run("lint", *helm.arguments(files, []), "--strict")
    assert result.returncode == 0, result.stdout + result.stderr
    said = [line for line in result.stdout.splitlines() if line.startswith("[") and "icon is recommended" not in line]
    assert not said, said


@pytest.mark.parametrize("files", MATRIX.values(), ids=MATRIX)
def test_the_same_values_render_the_same_text(helm, files):
    assert helm.template(files).stdout == helm.template(files).stdout != ""


def test_both_helms_render_the_same(helm, helm3):
    for files in MATRIX.values():
        order = lambda objects: sorted(objects, key=lambda each: (each["kind"], each["metadata"]["name"]))
        assert order(helm.render(files)) == order(helm3.render(files))


def test_nothing_in_the_templates_depends_on_anything_but_values():
    banned = re.compile(r"\b(lookup|randAlpha\w*|randNumeric|randAscii|randBytes|randInt|uuidv4|now|date\w*|genCA\w*|genSelfSignedCert\w*|"
                        r"genSignedCert\w*|genPrivateKey|htpasswd|bcrypt|derivePassword|shuffle|getHostByName|env|expandenv)\b|"
                        r"\.Capabilities|\.Release\.(Revision|IsUpgrade|IsInstall)")
    for path in sorted((CHART / "templates").rglob("*")):
        if path.is_file():
            for action in re.findall(r"\{\{.*?\}\}", re.sub(r"\{\{-? ?/\*.*?\*/ ?-?\}\}", "", path.read_text(), flags=re.S), re.S):
                assert not banned.search(re.sub(r'"[^"]*"', '""', action)), (path.name, action)


def schema_errors(each, version):
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        try:
            kubernetes_validate.validate(each, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            return f"{each['kind']}/{each['metadata']['name']}: {error.message}"
    return None


@pytest.mark.parametrize("files", MATRIX.values(), ids=MATRIX)
def test_every_object_fits_the_schema_of_every_kubernetes(helm3, files):
    """1.29, the oldest that Chart.yaml takes, to 1.37: unknown fields too."""
    objects = helm3.render(files)
    objects += [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pasted"}, **pod} for name, pod in pods(objects)
                if name.startswith("ConfigMap")]
    found = [schema_errors(each, f"1.{minor}") for each in objects if each["kind"] not in FOREIGN for minor in (29, 33, 37)]
    assert not [error for error in found if error]


def test_a_field_that_kubernetes_does_not_know_is_seen(helm3):
    service = one(helm3.render(["gateway.yaml"]), "Service", "-gateway")
    service["spec"]["portz"] = []
    assert "portz" in schema_errors(service, "1.36")


@pytest.mark.parametrize("files", MATRIX.values(), ids=MATRIX)
def test_no_list_that_is_merged_by_a_key_has_one_twice(helm3, files):
    """Server-side apply refuses them; client-side apply loses one."""
    for name, pod in pods(helm3.render(files)):
        spec = pod["spec"]
        everyone = spec.get("initContainers", []) + spec["containers"]
        lists = [[c["name"] for c in everyone], [v["name"] for v in spec.get("volumes", [])]]
        for container in everyone:
            lists += [[e["name"] for e in container.get("env", [])], [m["mountPath"] for m in container.get("volumeMounts", [])],
                      [(p["containerPort"], p["protocol"]) for p in container.get("ports", [])]]
            mounted = {m["name"] for m in container.get("volumeMounts", [])}
            assert mounted <= set(lists[1]), (name, "a mount without its volume")
        for each in lists:
            assert len(each) == len(set(each)), (name, each)


@pytest.mark.parametrize("files", MATRIX.values(), ids=MATRIX)
def test_names_and_labels_are_ours_and_fit(helm3, files):
    names = set()
    for each in helm3.render(files):
        meta = each["metadata"]
        assert (each["kind"], meta["name"]) not in names
        names.add((each["kind"], meta["name"]))
        if meta["name"].startswith("more-text") or meta["name"].endswith("-more"):
            continue
        assert meta["namespace"] == "shop" and meta["labels"]["app.kubernetes.io/instance"] == "shop", meta
        assert all(isinstance(value, str) and len(value) <= 63 for value in meta["labels"].values()), meta


@pytest.mark.parametrize("word", ["1234", "0123", "1e10", "true", "null", "on", "0x1f"])
def test_names_that_yaml_takes_for_something_else_stay_names(helm, word):
    name = {"name": word}
    values = {"nameOverride": word, "fullnameOverride": "named", "credentials": {"existingSecret": word}, "sidecar": {"containerName": word},
              "policy": {"mesh": {"enabled": True, **name}, "service": {"enabled": True}},
              "gateway": {"keysSecret": word, "credentialsSecret": word, "service": {"httpAppProtocol": word, "grpcAppProtocol": word}, "priorityClassName": word, "serviceAccount": {"create": False, **name},
                          "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": word, "whenUnsatisfiable": "ScheduleAnyway"}]},
              "monitoring": {"podMonitor": {"enabled": True, "namespaces": ["4711"]}},
              "tests": {"gateway": {"keySecret": word, "model": "openai/gpt-4o-mini"}}}
    result = helm.template(["both.yaml"], values=values, namespace=word, release=word)
    assert result.returncode == 0, result.stderr
    objects = objects_of(result.stdout)
    objects += [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pasted"}, **pod} for source, pod in pods(objects)
                if source.startswith("ConfigMap")]
    assert not [error for error in (schema_errors(each, "1.36") for each in objects if each["kind"] not in FOREIGN) if error]
    assert {each["metadata"].get("namespace", word) for each in objects} == {word}
    assert word in {each["metadata"].get("labels", {}).get("app.kubernetes.io/instance") for each in objects}
    assert one(objects, "PodMonitor", "-gateway")["spec"]["namespaceSelector"]["matchNames"] == [word]
    assert one(objects, "PodMonitor", "-sidecar")["spec"]["namespaceSelector"]["matchNames"] == [word, "4711"]
    assert {port["appProtocol"] for each in objects if each["kind"] == "Service" for port in each["spec"]["ports"]} == {word}


def test_long_names_are_cut_where_kubernetes_would_refuse_them(helm3):
    result = helm3.template(["both.yaml"], release="a" * 53)
    assert result.returncode == 0, result.stderr
    assert max(len(each["metadata"]["name"]) for each in objects_of(result.stdout) if each["kind"] == "Service") == 63


def fullname(objects):
    return one(objects, "ConfigMap", "-sidecar")["metadata"]["name"].removesuffix("-sidecar")


def test_a_name_that_is_cut_is_nobody_elses(helm):
    """What was cut off is in its hash; a name that fits is as it was written."""
    of = lambda release, *sets: fullname(objects_of(helm.template(sets=sets, release=release).stdout))
    fits = "a" * 39
    assert of(fits) == f"{fits}-remora" and of(f"{fits}-remora") == f"{fits}-remora"
    long = "a" * 40 + "-remora-of-shop"
    digest = hashlib.sha256(long[:53].encode()).hexdigest()[:8]
    assert of(long[:53]) == f"{'a' * 37}-{digest}" == of(long[:53])
    assert len({of("a" * 52 + end) for end in "bcde"}) == 4
    assert of("a" * 36 + "-" + "b" * 16).startswith("a" * 36 + "-"), "no -- where it is cut"
    assert "--" not in of("a" * 36 + "-" + "b" * 16)
    assert re.fullmatch("a{36}-[0-9a-f]{8}", of("a" * 36 + "." + "b" * 16)), "no .- either: no object has such a name"
    assert of("a" * 53, "fullnameOverride=" + "b" * 46) == "b" * 46


def test_two_aliases_of_a_parent_chart_have_names_of_their_own(helm, tmp_path):
    """Helm takes of two ConfigMaps with one name the last, and remora.dev/release tells their pods apart."""
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]
    parent = {"apiVersion": "v2", "name": "parent", "version": "1.0.0",
              "dependencies": [{"name": "remora", "version": version, "alias": alias} for alias in ("checkout", "search")]}
    (tmp_path / "Chart.yaml").write_text(yaml.safe_dump(parent))
    shutil.copytree(CHART, tmp_path / "charts/remora")
    for release in ("shop", "s" * 41, "s" * 46, "s" * 53):
        result = helm.run("template", release, str(tmp_path), "--kube-version", "1.36", "--namespace", "shop",
                          *(a for alias in ("checkout", "search") for a in ("--set", f"{alias}.mode=sidecar")))
        assert result.returncode == 0, result.stderr
        objects = objects_of(result.stdout)
        names = [(each["kind"], each["metadata"]["name"]) for each in objects]
        assert len(names) == len(set(names)), (release, names)
        blocks = [yaml.safe_load(each["data"]["pod.yaml"]) for each in objects if "pod.yaml" in each.get("data", {})]
        assert len({block["metadata"]["labels"]["remora.dev/release"] for block in blocks}) == 2, release


def test_an_alias_with_capitals_is_refused_before_the_server_does(helm, tmp_path):
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]
    parent = {"apiVersion": "v2", "name": "parent", "version": "1.0.0", "dependencies": [{"name": "remora", "version": version, "alias": "llmGateway"}]}
    (tmp_path / "Chart.yaml").write_text(yaml.safe_dump(parent))
    shutil.copytree(CHART, tmp_path / "charts/remora")
    of = lambda *sets: helm.run("template", "shop", str(tmp_path), "--kube-version", "1.36", "--set", "llmGateway.mode=sidecar",
                                *(a for each in sets for a in ("--set", each)))
    assert "shop-llmGateway cannot be the beginning of a name" in of().stderr
    assert of("llmGateway.fullnameOverride=llm").returncode == 0


def test_names_of_two_releases_meet_where_it_is_told_and_nowhere_else(helm3):
    """One called X-END has the names of X where an end of its objects and END make another end of X's."""
    ends = set()
    for files in MATRIX.values():
        for each in helm3.render(files):
            if each["metadata"]["name"].startswith("shop-remora") and not each["metadata"]["name"].endswith("-more"):
                ends.add((each["kind"], each["metadata"]["name"].removeprefix("shop-remora")))
    meet = {(kind, end, other) for kind, end in ends for same, other in ends if kind == same and end != other and end.endswith(other)}
    assert meet == {("ConfigMap", "-gateway-config", "-config")}
    told = yaml.safe_load((CHART / "values.schema.json").read_text())["properties"]["fullnameOverride"]["description"]
    assert "X beside X-gateway in one namespace" in told


# ---- the program ----

@functools.lru_cache(maxsize=None)
def certificates():
    """A folder as a Secret of type kubernetes.io/tls is mounted."""
    folder = tempfile.mkdtemp(prefix="remora-chart-")
    atexit.register(shutil.rmtree, folder)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=gateway",
                    "-keyout", f"{folder}/tls.key", "-out", f"{folder}/tls.crt"], check=True, capture_output=True, timeout=60)
    shutil.copy(f"{folder}/tls.crt", f"{folder}/ca.crt")
    return folder


def check(folder, document, objects, strict=False):
    """`remora check` of a rendered document, with the rendered policies where it names them."""
    for each in objects:
        if each["kind"] == "ConfigMap" and "policy.yaml" in each.get("data", {}):
            layer = each["metadata"]["labels"]["remora.dev/policy-layer"]
            (folder / f"policy/{layer}").mkdir(parents=True, exist_ok=True)
            (folder / f"policy/{layer}/policy.yaml").write_text(each["data"]["policy.yaml"])
    path = folder / "remora.yaml"
    for mounted, here in (("policy", f"{folder}/policy"), ("ca/house.pem", AUTHORITIES), ("tls", certificates())):
        document = document.replace(f"/etc/remora/{mounted}", here)
    path.write_text(document)
    environment = {"REMORA_SERVICE": "checkout", "REMORA_NAMESPACE": "shop"}
    return subprocess.run([str(PROGRAM), "check", str(path), *(["--strict"] if strict else [])], capture_output=True, text=True,
                          timeout=60, env=environment)


@pytest.mark.parametrize("files", MATRIX.values(), ids=MATRIX)
def test_the_program_takes_every_document(helm3, files, tmp_path):
    objects = helm3.render(files)
    for name, document in documents(objects):
        folder = tmp_path / name
        folder.mkdir()
        result = check(folder, document, objects)
        assert result.returncode == 0, (name, result.stderr)


@pytest.mark.parametrize("files", [["both.yaml", "mesh.yaml"], ["gateway.yaml", "mesh.yaml"], ["sidecar.yaml"]])
def test_a_ceiling_leaves_every_role_an_endpoint(helm3, files, tmp_path):
    """`both` mounts the mesh layer twice: the sidecar is judged by it as well, by what its document says of the gateway."""
    objects = helm3.render(files)
    for name, document in documents(objects):
        if name.endswith("-test"):
            continue
        (tmp_path / name / "credentials").mkdir(parents=True)
        for key in ("key", "openai", "house"):
            (tmp_path / name / "credentials" / key).write_text("k")
        document = document.replace("/etc/remora/credentials", str(tmp_path / name / "credentials"))
        assert check(tmp_path / name, document, objects).returncode == 0
        model = "house/echo-1" if files == ["sidecar.yaml"] else "openai/gpt-4o-mini"
        (tmp_path / "request.json").write_text(json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}]}))
        said = subprocess.run([str(PROGRAM), "route", "explain", "--config", str(tmp_path / name / "remora.yaml"), "-f", str(tmp_path / "request.json"),
                               "-o", "text"], capture_output=True, text=True, timeout=60, env={"REMORA_SERVICE": "checkout", "REMORA_NAMESPACE": "shop"})
        assert said.returncode == 0, (name, said.stdout + said.stderr)


def test_a_ceiling_that_leaves_a_sidecar_nothing_is_told(helm3, tmp_path):
    """In the words of docs/kubernetes.md: nobody has said what is behind the gateway."""
    objects = helm3.render(["both.yaml", "mesh.yaml"], ["config.providers.gateway.data_policy.training=null"])
    told = check(tmp_path, dict(documents(objects))["shop-remora-config"], objects)
    words = "policy_files.mesh: no model has an endpoint left"
    assert told.returncode == 0 and f"warning: {words}, the first is " in told.stderr and "data_policy:training" in told.stderr, told
    assert words in " ".join((ROOT / "docs/kubernetes.md").read_text().split())


def test_values_arrive_in_the_document_as_they_were_written(helm3):
    given = yaml.safe_load((VALUES / "sidecar.yaml").read_text())["config"]
    document = yaml.safe_load(dict(documents(helm3.render(["sidecar.yaml"])))["shop-remora-config"])
    assert document.pop("policy_files") == {layer: f"/etc/remora/policy/{layer}/policy.yaml" for layer in ("mesh", "namespace", "service")}
    assert document == {"version": 1, **given}


def exactly(value):
    """Prices as decimals: PyYAML reads 5e-07, which YAML 1.2 calls a number, as text."""
    if isinstance(value, dict):
        return {k: {c: decimal.Decimal(str(v)) for c, v in each.items()} if k == "max_price" else exactly(each) for k, each in value.items()}
    return value


@pytest.mark.parametrize("text", ["limits: {tokens_per_minute: 1000000000000, concurrency: 1000000}\n",
                                  "provider: {max_price: {prompt: 0.0000005, completion: '0.000000000001', request: 1234567.5}}\n",
                                  "models: {allow: ['*'], default: 'on/off'}\nprovider: {regions: ['no'], order: ['1e3', 'null']}\n"])
def test_numbers_and_words_survive_helm(helm, text, tmp_path):
    """Helm reads values as JSON numbers and YAML 1.1 words; what it writes must mean the same to the program."""
    result = helm.template(values={"policy": {"mesh": {"content": yaml.safe_load(text)}}})
    assert result.returncode == 0, result.stderr
    objects = objects_of(result.stdout)
    written = one(objects, "ConfigMap", "-policy-mesh")["data"]["policy.yaml"]
    assert exactly(yaml.safe_load(written)) == exactly(yaml.safe_load(text))
    checked = check(tmp_path, dict(documents(objects))["shop-remora-config"], objects)
    assert checked.returncode == 0, checked.stderr


def test_the_chart_is_of_the_programs_version():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    said = subprocess.run([str(PROGRAM), "version"], check=True, capture_output=True, text=True).stdout
    assert said.startswith(f"remora {chart['appVersion']} "), said


def test_what_artifact_hub_reads_is_so(helm3):
    """Annotations of Artifact Hub (documentation "Helm annotations", read 2026-11): the image is the rendered one, licence and
    kinds of changes are of its lists."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    said = {name.removeprefix("artifacthub.io/"): yaml.safe_load(text) for name, text in chart["annotations"].items()}
    assert {"category", "license", "changes", "images", "prerelease"} <= set(said)
    image, = {each["image"] for _, pod in pods(helm3.render()) for each in pod["spec"].get("initContainers", [])}
    assert [each["image"] for each in said["images"]] == [image]
    assert said["prerelease"] == chart["version"].startswith("0.")
    assert said["license"] == "Apache-2.0" and re.search(r"Apache License\s+Version 2\.0", (ROOT / "LICENSE").read_text())
    assert all(change["kind"] in ("added", "changed", "deprecated", "removed", "fixed", "security") and change["description"]
               for change in said["changes"])


def test_generated_files_are_current():
    for option in ("--check", "--self-test"):
        result = subprocess.run([os.sys.executable, str(ROOT / "tools/chart.py"), option, "--build", str(PROGRAM.parent)],
                                capture_output=True, text=True, timeout=60)
        assert result.returncode == 0, result.stdout + result.stderr


# ---- modes and switches ----

def kinds(objects):
    return sorted(f"{each['kind']}/{each['metadata']['name'].removeprefix('shop-remora').lstrip('-')}" for each in objects
                  if each["metadata"]["labels"]["app.kubernetes.io/component"] != "test")


def test_each_mode_renders_what_it_needs_and_no_more(helm3):
    sidecar = ["ConfigMap/config", "ConfigMap/policy-mesh", "ConfigMap/policy-namespace", "ConfigMap/policy-service", "ConfigMap/sidecar"]
    gateway = ["ConfigMap/gateway-config", "ConfigMap/policy-mesh", "Deployment/gateway", "PodDisruptionBudget/gateway",
               "Service/gateway", "Service/gateway-headless", "ServiceAccount/gateway"]
    assert kinds(helm3.render()) == sidecar
    assert kinds(helm3.render(["gateway.yaml"])) == gateway
    assert kinds(helm3.render(["both.yaml"])) == sorted(set(sidecar + gateway))


def test_one_container_for_sidecar_gateway_and_test(helm3):
    """What differs is what has to."""
    objects = helm3.render(["both.yaml"])
    found = {name: c for name, pod in pods(objects) for c in pod["spec"].get("initContainers", []) + pod["spec"]["containers"]
             if c["name"] == "remora"}
    assert set(found) == {"ConfigMap/shop-remora-sidecar", "Deployment/shop-remora-gateway", "Pod/shop-remora-test-completion"}
    same = [{k: c[k] for k in ("image", "imagePullPolicy", "securityContext", "startupProbe", "readinessProbe", "livenessProbe",
                               "terminationMessagePolicy")} for c in found.values()]
    assert same[0] == same[1] == same[2]
    native = {name: c.get("restartPolicy") for name, c in found.items()}
    assert native == {"ConfigMap/shop-remora-sidecar": "Always", "Deployment/shop-remora-gateway": None,
                      "Pod/shop-remora-test-completion": "Always"}


def test_a_patch_is_the_block_and_nothing_else(helm3):
    data = one(helm3.render(["sidecar.yaml"]), "ConfigMap", "-sidecar")["data"]
    assert yaml.safe_load(data["patch.yaml"]) == {"spec": {"template": yaml.safe_load(data["pod.yaml"])}}


def test_the_ports_are_the_documents(helm3):
    sets = ["config.listen.http=127.0.0.1:8001", "config.listen.grpc=127.0.0.1:8002", "config.listen.probe=127.0.0.1:8003"]
    data = one(helm3.render(sets=sets), "ConfigMap", "-sidecar")["data"]
    container = yaml.safe_load(data["pod.yaml"])["spec"]["initContainers"][0]
    assert "--probe=0.0.0.0:8003" in container["args"] and container["ports"][0]["containerPort"] == 8003
    environment = {e["name"]: e["value"] for e in yaml.safe_load(data["app-env.yaml"])["env"]}
    assert environment["OPENAI_BASE_URL"] == "http://127.0.0.1:8001/v1" and environment["REMORA_GRPC_TARGET"] == "127.0.0.1:8002"
    default = yaml.safe_load(one(helm3.render(), "ConfigMap", "-sidecar")["data"]["app-env.yaml"])["env"]
    schema = json.loads(subprocess.run([str(PROGRAM), "schema"], check=True, capture_output=True, text=True).stdout)
    listen = schema["$defs"]["listen"]["properties"]
    as_default = lambda told: f"Default: {told.removeprefix('http://').replace('127.0.0.1', 'localhost')}."  # localhost is 127.0.0.1 and ::1
    assert listen["http"]["description"].endswith(as_default(default[0]["value"]))
    assert listen["grpc"]["description"].endswith(as_default(default[1]["value"]))


def app_env(objects):
    text = one(objects, "ConfigMap", "-sidecar")["data"]["app-env.yaml"]
    return {each["name"]: each["value"] for each in yaml.safe_load(text)["env"] or []}, text


@pytest.mark.parametrize("http, grpc, expected", [
    ("[::1]:8001", "[::1]:8002", {"REMORA_HTTP_URL": "http://[::1]:8001", "OPENAI_BASE_URL": "http://[::1]:8001/v1", "REMORA_GRPC_TARGET": "[::1]:8002"}),
    ("localhost:8001", "off", {"REMORA_HTTP_URL": "http://localhost:8001", "OPENAI_BASE_URL": "http://localhost:8001/v1"}),
    ("off", "127.0.0.1:8002", {"REMORA_GRPC_TARGET": "127.0.0.1:8002"}),
    ("unix:/run/remora/http.sock", "unix:/run/remora/grpc.sock", {"REMORA_GRPC_TARGET": "unix:/run/remora/grpc.sock"}),
    ("off", "off", {})])
def test_the_application_is_told_the_address_that_was_stated(helm, notes, http, grpc, expected):
    sets = [f"config.listen.http={http}", f"config.listen.grpc={grpc}"]
    found, text = app_env(helm.render(sets=sets))
    assert {name: value for name, value in found.items() if name != "OPENAI_API_KEY"} == expected
    assert ("OPENAI_API_KEY" in found) == ("OPENAI_BASE_URL" in expected)
    assert ("HTTP is at unix:/run/remora/http.sock" in text) == http.startswith("unix:")
    assert ("needs `fsGroup` in the pod's securityContext" in text) == ("unix:" in http + grpc)
    said = notes([], sets)
    assert f"{expected.get('OPENAI_BASE_URL', http)} (OpenAI" in said and f"{grpc} (gRPC)" in said and "7360" not in said


def test_a_port_for_all_addresses_is_called_on_loopback(helm):
    sets = [*SHARED[2:4], "config.listen.http=0.0.0.0:8001", "config.listen.grpc=[::]:8002"]
    found, _ = app_env(helm.render(sets=sets))
    assert found["REMORA_HTTP_URL"] == "http://127.0.0.1:8001" and found["REMORA_GRPC_TARGET"] == "[::1]:8002"


def test_the_application_is_told_where_tls_is_spoken(helm, notes):
    """With `tls` a listener beyond loopback speaks nothing else, on 127.0.0.1 too."""
    for http, grpc, expected in (("0.0.0.0:8000", "[::]:8001", ("https://127.0.0.1:8000", "speaks TLS there")), ("127.0.0.1:8000", "localhost:8001", ("http://127.0.0.1:8000", None))):
        sets = [*SHARED[2:], f"config.listen.http={http}", f"config.listen.grpc={grpc}"]
        found, text = app_env(helm.render(sets=sets))
        assert found["REMORA_HTTP_URL"] == expected[0] and found["OPENAI_BASE_URL"] == f"{expected[0]}/v1"
        assert ("gRPC speaks TLS there" in text) == ("(gRPC over TLS)" in notes([], sets)) == (expected[1] is not None)
        assert f"{expected[0]}/v1 (OpenAI" in notes([], sets)


def test_no_mesh_captures_the_gateways_probe_port(helm):
    """Its own annotations win over the chart's."""
    of = lambda sets: one(helm.render(["gateway.yaml"], sets), "Deployment")["spec"]["template"]["metadata"]["annotations"]
    istio, linkerd = "traffic.sidecar.istio.io/excludeInboundPorts", "config.linkerd.io/skip-inbound-ports"
    assert {of([])[istio], of([])[linkerd]} == {"7362"}
    assert of(["config.listen.probe=127.0.0.1:8003"])[istio] == "8003"
    own = of([f"gateway.podAnnotations.{istio.replace('.', chr(92) + '.')}=9090\\,7362"])
    assert own[istio] == "9090,7362" and own[linkerd] == "7362"
    none = of([f"gateway.podAnnotations.{istio.replace('.', chr(92) + '.')}="])
    assert none[istio] == "" and none[linkerd] == "7362", "an empty text is a text"


def test_a_layer_of_somebody_else_is_mounted_and_not_written(helm3):
    objects = helm3.render(sets=["policy.mesh.create=false", "policy.mesh.name=ceiling"])
    assert "ConfigMap/policy-mesh" not in kinds(objects)
    volumes = dict(pods(objects))["ConfigMap/shop-remora-sidecar"]["spec"]["volumes"]
    assert {"name": "remora-policy-mesh", "configMap": {"name": "ceiling", "optional": True}} in volumes


def test_a_layer_that_is_off_is_nowhere(helm3):
    objects = helm3.render(sets=["policy.mesh.enabled=false", "policy.namespace.enabled=false", "policy.service.enabled=false",
                                 "config.policy.limits.concurrency=3"])
    assert kinds(objects) == ["ConfigMap/config", "ConfigMap/sidecar"]
    assert yaml.safe_load(dict(documents(objects))["shop-remora-config"]) == {"version": 1, "policy": {"limits": {"concurrency": 3}}}


# One document for sidecars and gateway: its keys and its certificate are the gateway's, whose files the sidecar does not have.
SHARED = ["mode=both", "gateway.keysSecret=callers", "config.keys.a.service=a", "config.keys.a.hash.file=/etc/remora/keys/a",
          "config.tls.cert_file=/etc/remora/tls/tls.crt", "config.tls.key_file=/etc/remora/tls/tls.key"]


def test_of_one_document_for_both_the_ways_in_are_the_gateways(helm, tmp_path):
    objects = helm.render(sets=SHARED)
    found = {name: yaml.safe_load(text) for name, text in documents(objects)}
    sidecar, gateway = found["shop-remora-config"], found["shop-remora-gateway-config"]
    assert not {"keys", "tls"} & set(sidecar) and {"keys", "tls"} <= set(gateway)
    stated = dict(documents(helm.render(sets=[*SHARED, "config.mode=gateway"])))
    assert yaml.safe_load(stated["shop-remora-config"]) == sidecar and yaml.safe_load(stated["shop-remora-gateway-config"]) == gateway
    assert check(tmp_path, dict(documents(objects))["shop-remora-config"], objects).returncode == 0
    environment = yaml.safe_load(one(objects, "ConfigMap", "-sidecar")["data"]["app-env.yaml"])["env"]
    assert {"name": "OPENAI_API_KEY", "value": "unused"} in environment


def test_keys_of_a_sidecars_own_document_stay_and_the_application_is_told(helm):
    """Of two documents each says what it means."""
    for sets in (SHARED[2:4], [*SHARED[:4], "gateway.config.version=1", "gateway.config.keys.b.service=b", "gateway.config.keys.b.hash.env=B"]):
        objects = helm.render(sets=sets)
        assert set(yaml.safe_load(dict(documents(objects))["shop-remora-config"])["keys"]) == {"a"}
        told = one(objects, "ConfigMap", "-sidecar")["data"]["app-env.yaml"]
        assert "give OPENAI_API_KEY one of them" in told and "ignores the key" not in told
        assert "OPENAI_API_KEY" not in {each["name"] for each in yaml.safe_load(told)["env"]}


def test_a_spread_without_a_selector_gets_the_gateways(helm):
    """Of this release: another one's pods do not count."""
    deployment = one(helm.render(["presets/values-ha.yaml", "gateway.yaml"], ["nameOverride=llm"]), "Deployment")["spec"]
    spread = deployment["template"]["spec"]["topologySpreadConstraints"]
    assert [(each["topologyKey"], each["whenUnsatisfiable"], each["maxSkew"]) for each in spread] == [
        ("topology.kubernetes.io/zone", "ScheduleAnyway", 1), ("kubernetes.io/hostname", "DoNotSchedule", 1)]
    assert all(each["labelSelector"] == deployment["selector"] for each in spread)
    own = ["gateway.topologySpreadConstraints[0].topologyKey=rack", "gateway.topologySpreadConstraints[0].labelSelector.matchLabels.tier=edge"]
    given = one(helm.render(["gateway.yaml"], own), "Deployment")["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert given == [{"topologyKey": "rack", "labelSelector": {"matchLabels": {"tier": "edge"}}}]


def test_a_drained_node_holds_no_place(helm):
    """Without the policy a cordoned node counts as an empty one, and with DoNotSchedule its pod is placed nowhere."""
    for files in (["gateway.yaml"], ["presets/values-ha.yaml", "gateway.yaml"]):
        spread = one(helm.render(files), "Deployment")["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert [each["nodeTaintsPolicy"] for each in spread] == ["Honor", "Honor"]


NAMESPACE = "config.namespace=llm"


def test_a_gateway_takes_the_namespace_of_its_document(helm):
    """The variable would win; a key without `namespace` is then judged by another namespace's policy."""
    for sets, expected in (([], ["REMORA_NAMESPACE"] * 2), ([NAMESPACE], [])):
        found = dict(pods(helm.render(["gateway.yaml"], sets)))
        containers = [found[name]["spec"]["containers"][0] for name in ("Deployment/shop-remora-gateway", "Pod/shop-remora-test-gateway-config")]
        assert [each["name"] for container in containers for each in container.get("env", [])] == expected


def test_a_sidecars_document_names_no_other_namespace_than_its_pods(helm):
    assert helm.template(sets=["config.namespace=shop"]).returncode == 0
    assert "config.namespace is llm and the pods that mount this release's ConfigMaps are in shop" in helm.refusal(sets=[NAMESPACE])
    assert helm.template(["both.yaml"], ["gateway.config.namespace=llm"]).returncode == 0


def ports_of(rule):
    return {(each["port"], each["protocol"]) for each in rule["ports"]}


def test_names_resolve_behind_the_network_policy(helm):
    """Where OpenShift's DNS listens its network judges a call: behind the Service's port 53 is 5353."""
    everywhere = {(53, "UDP"), (53, "TCP")}
    on_openshift = everywhere | {(5353, "UDP"), (5353, "TCP")}
    for files, expected in ((["presets/values-ha.yaml"], everywhere), (["presets/values-ha.yaml", "presets/values-openshift.yaml"], on_openshift)):
        dns = one(helm.render([*files, "gateway.yaml"]), "NetworkPolicy")["spec"]["egress"][0]
        assert ports_of(dns) == expected and "to" not in dns


def test_the_pods_of_helm_test_are_let_in_whoever_else_is(helm):
    policy = ["gateway.networkPolicy.enabled=true", "tests.gateway.keySecret=caller", "tests.gateway.model=a/b"]
    shop = {"namespaceSelector": {"matchLabels": {"llm": "allowed"}}}
    for sets, others in (([], [{"podSelector": {}}]), (["gateway.networkPolicy.clients[0].namespaceSelector.matchLabels.llm=allowed"], [shop])):
        objects = helm.render(["gateway.yaml"], policy + sets)
        *found, test = one(objects, "NetworkPolicy")["spec"]["ingress"][0]["from"]
        asking = one(objects, "Pod", "-test-gateway")["metadata"]["labels"]
        assert found == others and test["podSelector"]["matchLabels"].items() <= asking.items()
    assert one(helm.render(["gateway.yaml"], [policy[0], "tests.enabled=false"]), "NetworkPolicy")["spec"]["ingress"][0]["from"] == [{"podSelector": {}}]


def test_every_hook_is_a_pod(helm):
    """`helm test --logs` of Helm 3 asks every test hook for its log, of whatever kind it is, and fails."""
    for files in MATRIX.values():
        hooks = [each["kind"] for each in helm.render(files) if "helm.sh/hook" in each["metadata"].get("annotations", {})]
        assert set(hooks) <= {"Pod"}


def test_autoscaling_leaves_the_number_of_pods_alone(helm3):
    assert one(helm3.render(["gateway.yaml"]), "Deployment")["spec"]["replicas"] == 2
    assert "replicas" not in one(helm3.render(["gateway.yaml", "gateway-full.yaml"]), "Deployment")["spec"]


def test_tls_comes_from_its_secret(helm3, tmp_path):
    """The document gets the files unless it names its own; ports say what they speak."""
    protocols = lambda objects: {port["name"]: port["appProtocol"] for port in one(objects, "Service", "-gateway")["spec"]["ports"]}
    plain, tls = helm3.render(["gateway.yaml"]), helm3.render(["gateway.yaml"], ["gateway.tlsSecret=gateway-tls"])
    assert protocols(plain) == {"http": "http", "grpc": "grpc"} and protocols(tls) == {"http": "https", "grpc": "tls"}
    document = dict(documents(tls))["shop-remora-gateway-config"]
    assert yaml.safe_load(document)["tls"] == {"cert_file": "/etc/remora/tls/tls.crt", "key_file": "/etc/remora/tls/tls.key"}
    assert "tls" not in yaml.safe_load(dict(documents(plain))["shop-remora-gateway-config"])
    assert check(tmp_path, document, tls).returncode == 0
    own = yaml.safe_load(dict(documents(helm3.render(["gateway.yaml", "gateway-full.yaml"])))["shop-remora-gateway-config"])["tls"]
    assert own["client_ca_file"] == "/etc/remora/tls/ca.crt"


def test_helm_test_asks_the_gateway_over_tls_where_it_is_told_the_authority(helm):
    asks = ["tests.gateway.keySecret=caller", "tests.gateway.model=a/b"]
    tls = [*asks, "gateway.tlsSecret=gateway-tls"]
    pod = lambda sets: [each for each in helm.render(["gateway.yaml"], sets) if each["metadata"]["name"].endswith("-test-gateway")]
    plain, = pod(asks)
    assert not any(arg.startswith("--ca-file") for arg in plain["spec"]["containers"][0]["args"]) and len(plain["spec"]["volumes"]) == 1
    assert pod([*asks, "tests.gateway.caSecret=gateway-tls"]) == [plain]
    assert "its Service is asked with caSecret as well" in helm.refusal(["gateway.yaml"], tls)
    for half in asks:
        assert "keySecret and model go together" in helm.refusal(["gateway.yaml"], [half])
    own = [f"config.tls.{name}=/etc/remora/tls/x" for name in ("cert_file", "key_file", "client_ca_file")]
    assert pod([*tls, *own, "tests.gateway.caSecret=gateway-tls"]) == [], "it has no certificate to show"
    over, = pod([*tls, "tests.gateway.caSecret=gateway-tls"])
    container = over["spec"]["containers"][0]
    assert "--ca-file=/etc/remora/ca/ca.crt" in container["args"] and "/etc/remora/ca" in {each["mountPath"] for each in container["volumeMounts"]}
    assert {"name": "ca", "secret": {"secretName": "gateway-tls", "items": [{"key": "ca.crt", "path": "ca.crt"}], "defaultMode": 288}} in over["spec"]["volumes"]


def test_client_certificates_are_a_way_in_without_keys(helm3):
    sets = ["mode=gateway", "gateway.tlsSecret=t"] + [f"config.tls.{name}=/etc/remora/tls/{file}" for name, file in
                                                      (("cert_file", "tls.crt"), ("key_file", "tls.key"), ("client_ca_file", "ca.crt"))]
    assert one(helm3.render([], sets), "Deployment")


def test_templates_in_values_are_filled_in(helm):
    """So that what `extraObjects` brings can be named where it is used."""
    name = '{{ include "remora.fullname" . }}-ca'
    brought = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"house.pem": "-"}}
    extra = {"extraVolumes": [{"name": "ca", "configMap": {"name": name}}], "extraEnv": [{"name": "RELEASE", "value": "{{ .Release.Name }}"}],
             "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/{{ .Release.Name }}/ca"}]}
    pod = {"podLabels": {"of": "{{ .Release.Name }}"}, "podAnnotations": {"example.com/of": "{{ .Release.Namespace }}"}}
    result = helm.template(["both.yaml"], values={"extraObjects": [brought], "sidecar": extra, "gateway": extra | pod})
    assert result.returncode == 0, result.stderr
    objects = objects_of(result.stdout)
    assert one(objects, "ConfigMap", "shop-remora-ca")
    for where in ("ConfigMap/shop-remora-sidecar", "Deployment/shop-remora-gateway"):
        template = dict(pods(objects))[where]
        container, = [each for each in template["spec"].get("initContainers", []) + template["spec"]["containers"] if each["name"] == "remora"]
        assert {"name": "ca", "configMap": {"name": "shop-remora-ca"}} in template["spec"]["volumes"]
        assert {"name": "RELEASE", "value": "shop"} in container["env"]
        assert {"name": "ca", "mountPath": "/etc/shop/ca"} in container["volumeMounts"]
    gateway = one(objects, "Deployment")["spec"]["template"]["metadata"]
    assert gateway["labels"]["of"] == "shop" == gateway["annotations"]["example.com/of"]


RELOADED = ["config.keys.z.service=z,config.keys.z.hash.env=Z", "config.log.level=debug", "config.drain.grace_ms=20000", "config.hosts={a.example}",
            "policy.mesh.content.limits.concurrency=1", "config.attempts.per_request=2"]
READ_AT_THE_START = ["config.listen.admin=127.0.0.1:7999", "config.grpc.accept_old_core=true", "gateway.tlsSecret=t",
                     "config.tls.cert_file=/a,config.tls.key_file=/b", "config.tls.cert_file=/a,config.tls.key_file=/b,config.tls.client_ca_file=/c"]


@pytest.mark.parametrize("change, rolls", [(change, False) for change in RELOADED] + [(change, True) for change in READ_AT_THE_START])
def test_pods_are_replaced_for_what_is_read_at_the_start_and_for_nothing_else(helm, change, rolls):
    """A running program refuses to begin or end to speak TLS, and keeps its listeners."""
    template = lambda sets: one(helm.render(["gateway.yaml"], sets), "Deployment")["spec"]["template"]
    assert (template([change]) != template([])) == rolls


def test_what_a_template_makes_is_text_and_loses_nothing(helm):
    """Helm's fromYaml does not fail: what it cannot read became one annotation `Error`, and all the others were gone."""
    ours = one(helm.render(["gateway.yaml"]), "Deployment")["spec"]["template"]["metadata"]
    for note in ("it's ours", "a: b", "- x", "true", "{", "two\nlines", "010", "'", '"'):
        result = helm.template(["gateway.yaml"], values={"global": {"note": note}, "gateway": {
            name: {"a": "{{ .Values.global.note }}", "sidecar.istio.io/inject": "false"} for name in ("podAnnotations", "podLabels")}})
        assert result.returncode == 0, result.stderr
        found = one(objects_of(result.stdout), "Deployment")["spec"]["template"]["metadata"]
        for kind in ("annotations", "labels"):
            assert found[kind] == {**ours[kind], "a": note, "sidecar.istio.io/inject": "false"}


def test_layers_alone_stay_where_the_release_no_longer_writes_them(helm3):
    """What a release lets go Helm deletes; docs/kubernetes.md has the layers' owners take them over as they are."""
    policy = "helm.sh/resource-policy"
    for files in MATRIX.values():
        objects = helm3.render(files)
        assert all(each["metadata"].get("annotations", {}).get(policy) == ("keep" if "remora.dev/policy-layer" in each["metadata"].get("labels", {}) else None)
                   for each in objects), files
    assert policy not in helm3.text((), ("policy.keep=false",))


CHARTS_KEYS = ["helm.sh/chart", *(f"app.kubernetes.io/{name}" for name in ("name", "instance", "component", "version", "part-of", "managed-by"))]


def test_no_key_stands_twice_where_values_have_the_charts(helm):
    """Helm takes the last of two; what goes through kustomize is refused whole. `objects_of` refuses them as well."""
    own = {name: "own" for name in CHARTS_KEYS}
    values = {"commonLabels": own, "commonAnnotations": {"helm.sh/hook-weight": "1"},
              "monitoring": {kind: {"enabled": True, "labels": own | {"find": "me"}} for kind in ("podMonitor", "prometheusRule", "grafanaDashboard")},
              "gateway": {"podAnnotations": {"kubectl.kubernetes.io/default-container": "other"}}}
    plain = helm.render(["both.yaml", "monitoring.yaml"])
    result = helm.template(["both.yaml", "monitoring.yaml"], values=values)
    assert result.returncode == 0, result.stderr
    objects = objects_of(result.stdout)
    selected = ("app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component")
    for each, was in zip(objects, plain, strict=True):
        kept = {name: was["metadata"]["labels"][name] for name in selected} if each["kind"] == "Pod" else {}  # those of `helm test` are found by them
        assert (own | kept).items() <= each["metadata"]["labels"].items(), each["metadata"]
    assert one(objects, "PrometheusRule")["metadata"]["labels"]["find"] == "me"
    assert one(objects, "ConfigMap", "-policy-mesh")["metadata"]["labels"]["remora.dev/policy-layer"] == "mesh"
    template, before = (one(each, "Deployment")["spec"]["template"]["metadata"] for each in (objects, plain))
    assert template["labels"] == before["labels"], "the selector's stay"
    assert template["annotations"] == before["annotations"] | {"kubectl.kubernetes.io/default-container": "other"}


def test_a_key_that_stands_twice_is_seen():
    for text in ("a: 1\na: 2\n", "kind: ConfigMap\ndata: {b.yaml: '{c: 1, c: 2}'}\n"):
        with pytest.raises(yaml.constructor.ConstructorError, match="stands twice"):
            objects_of(text)


def test_selectors_are_what_never_changes(helm3):
    """The same for another version, image and set of labels: a selector is immutable."""
    small, large = (one(helm3.render(files), "Deployment") for files in (["gateway.yaml"], ["gateway.yaml", "gateway-full.yaml"]))
    assert small["spec"]["selector"] == large["spec"]["selector"]
    assert set(small["spec"]["selector"]["matchLabels"]) == {f"app.kubernetes.io/{k}" for k in ("name", "instance", "component")}
    for service in (each for each in helm3.render(["gateway.yaml"]) if each["kind"] == "Service"):
        assert service["spec"]["selector"] == small["spec"]["selector"]["matchLabels"]


def test_an_image_has_a_version(helm3):
    image = lambda sets: one(helm3.render(["gateway.yaml"], sets), "Deployment")["spec"]["template"]["spec"]["containers"][0]["image"]
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    assert image([]).endswith(f":{version}")
    digest = "sha256:" + "0" * 64
    assert image(["image.registry=r.example", "image.repository=a/b", "image.tag=1.2", f"image.digest={digest}"]) == f"r.example/a/b:1.2@{digest}"
    assert image(["global.imageRegistry=g.example", "image.registry=r.example"]).startswith("g.example/remora:")
    assert image(["image.registry="]).startswith("remora:")


# ---- golden ----

@pytest.mark.parametrize("name", ["sidecar", "gateway", "both", "monitoring"])
def test_golden(helm3, name):
    """REMORA_WRITE_GOLDEN=1 writes them; read the difference before it is committed."""
    text = helm3.text(tuple(MATRIX[name]))
    path = GOLDEN / f"{name}.yaml"
    if os.environ.get("REMORA_WRITE_GOLDEN"):
        path.write_text(text)
    assert path.read_text() == text


# ---- NOTES.txt ----

@pytest.fixture(scope="module")
def notes(helm3, tmp_path_factory):
    """What `helm install` would print: `helm template` leaves NOTES.txt out, so here it is a template like the others."""
    chart = tmp_path_factory.mktemp("notes") / "remora"
    shutil.copytree(CHART, chart)
    text = (chart / "templates/NOTES.txt").read_text()
    (chart / "templates/notes.yaml").write_text('{{- define "notes" }}' + text + '{{- end }}\n---\nkind: Notes\nmetadata: {name: notes}\n'
                                                'text: {{ include "notes" . | quote }}\n')

    def said(files, sets=()):
        result = helm3.run("template", "shop", *helm3.arguments(files, sets, chart), "--namespace", "shop", "--show-only", "templates/notes.yaml")
        assert result.returncode == 0, result.stderr
        return objects_of(result.stdout)[0]["text"]
    return said


@pytest.mark.parametrize("files", MATRIX.values(), ids=MATRIX)
def test_notes_name_objects_that_are_rendered(notes, helm3, files):
    said = notes(files)
    rendered = {each["metadata"]["name"] for each in helm3.render(files)}
    for kind, name in re.findall(r"\b(configmap|svc/)\s*(shop-remora[\w-]*)", said):
        assert name in rendered, (kind, name)
    assert ("SIDECAR" in said) == any(name.endswith("-sidecar") for name in rendered)
    assert ("GATEWAY" in said) == any(name.endswith("-gateway") for name in rendered)
    assert ("helm test" in said) == any("-test-" in name for name in rendered)


def test_notes_say_what_a_caller_of_the_gateway_shows(notes):
    authority = ["gateway.tlsSecret=t", *(f"config.tls.{name}=/etc/remora/tls/{name}" for name in ("cert_file", "key_file", "client_ca_file"))]
    key, certificate, both = notes(["gateway.yaml"]), notes([], ["mode=gateway", *authority]), notes(["gateway.yaml"], authority)
    assert "needs a gateway key" in key and "client certificate" not in key and "--cert" not in key
    assert "needs a client certificate" in certificate and "gateway key" not in certificate and "$KEY" not in certificate
    assert "does not say who calls" in certificate and 'everybody is the\nservice "default"' in certificate and "which says who calls" not in certificate
    assert 'service "cart"' in notes([], ["mode=gateway", *authority, "config.service=cart"])
    assert "curl --insecure --cert CLIENT.crt --key CLIENT.key https://" in certificate
    assert "needs a gateway key" in both and "every connection a client certificate" in both and "--cert" in both and "$KEY" in both


def test_notes_warn_of_what_hurts_later(notes):
    assert "no provider is configured" in notes([]) and "no provider is configured" not in notes(["sidecar.yaml"])
    without = ["config.providers=null", "config.models=null"]
    assert "(config.providers): every completion by the sidecar" in notes(["both.yaml"], without) and "no provider is" not in notes(["both.yaml"])
    assert "(gateway.config.providers): every completion by the gateway" in notes(["both.yaml"], ["gateway.config.providers=null"])
    assert "port-forward svc/shop-remora-gateway 7360:443 " in notes(["gateway.yaml"], ["gateway.service.httpPort=443"]), "nobody's port needs root"
    assert "travel in the clear" in notes(["gateway.yaml"]) and "travel in the clear" not in notes(["sidecar.yaml"])
    tls = notes(["gateway.yaml"], ["gateway.tlsSecret=t"])
    assert "travel in the clear" not in tls and "https://shop-remora-gateway.shop.svc:7360/v1" in tls
    assert "a single replica" in notes(["gateway.yaml"], ["gateway.replicas=1"]) and "a single replica" not in notes(["gateway.yaml"])
    assert "gateway.keysSecret is empty" in notes(["gateway.yaml"], ["gateway.keysSecret="])
    scaled = ["gateway.autoscaling.enabled=true", "gateway.resources.requests.cpu=null"]
    assert "nothing scales" in notes(["gateway.yaml"], scaled) and "nothing scales" not in notes(["gateway.yaml"], scaled[:1]) + notes(["gateway.yaml"], scaled[1:])
    assert "nothing scales" not in notes(["gateway.yaml"], [*scaled, "gateway.resources.limits.cpu=1"])
    shared = notes([], SHARED)
    assert "Its document is `config` without keys and tls" in shared and "Its document is" not in notes(["both.yaml"])
    assert "Its document is" not in notes(["sidecar.yaml"]) + notes(["gateway.yaml"])
    assert "not written by this release" in notes([], ["policy.mesh.create=false"])
