"""The chart against a real API server, with both majors of Helm: every manifest that it can render is accepted by the server
that has to take it, and what the schema refuses it refuses with the value's name."""
import glob
import json
import os
import re
import subprocess
import tempfile

import pytest
import yaml
from kube import BIN, CHART, ROOT, CommandFailed, as_list, until

MAJORS = [3, 4]
KEYS = {"version": 1, "keys": {"a": {"service": "a", "hash": {"file": "/etc/remora/keys/a"}}}}
EVERYTHING = {
    "mode": "both", "gateway": {"config": KEYS, "keysSecret": "hashes", "autoscaling": {"enabled": True},
                                "networkPolicy": {"enabled": True}},
    "credentials": {"existingSecret": "provider"},
    "monitoring": {"podMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}, "grafanaDashboard": {"enabled": True}}}
SETS = {"defaults": {}, "gateway": {"mode": "gateway", "config": KEYS}, "everything": EVERYTHING}
PRESETS = sorted(glob.glob(os.path.join(CHART, "presets", "*.yaml")))


def helm(major, *words, check=True):
    """Helm without a cluster. Nothing is read from the user's own Helm."""
    with tempfile.TemporaryDirectory() as home:
        env = {"PATH": os.environ["PATH"], "HOME": home, "KUBECONFIG": os.path.join(home, "none")}
        done = subprocess.run([os.path.join(BIN, "helm%d" % major), *words], capture_output=True, text=True, timeout=120, env=env)
    if check and done.returncode != 0:
        raise CommandFailed(words, done.returncode, done.stdout + done.stderr)
    return done.stdout + done.stderr if not check else done.stdout


def template(major, file, *words, namespace="shop"):
    return helm(major, "template", "shop", CHART, "-n", namespace, "-f", file, "--kube-version", "1.36.3", *words)


@pytest.fixture(scope="module", params=[*SETS, *PRESETS], ids=lambda p: os.path.basename(p).removesuffix(".yaml"))
def values_file(request, tmp_path_factory):
    if request.param in PRESETS:
        return request.param
    path = tmp_path_factory.mktemp("values") / "values.json"
    path.write_text(json.dumps(SETS[request.param]))
    return str(path)


def preset_words(values_file):
    """A preset is laid over a mode: for those of the gateway, keys are needed as well."""
    return ["--set", "mode=both", "--set-json", "gateway.config=" + json.dumps(KEYS)] if values_file in PRESETS else []


@pytest.fixture(scope="module")
def crds(api):
    """The foreign kinds as their makers publish them."""
    for path in sorted(glob.glob(os.path.join(BIN, "crds", "*.yaml"))):
        api.kubectl("apply", "--server-side", "-f", path, timeout=120)
    until("the foreign kinds are served",
          lambda: api.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=5s"))
    return api


@pytest.fixture(scope="module")
def schemas(crds, tmp_path_factory):
    """Strict JSON schemas for kubeconform, from what the API server says of itself."""
    folder = tmp_path_factory.mktemp("schemas")
    definitions = json.loads(crds.kubectl("get", "--raw", "/openapi/v2"))["definitions"]
    for name in ("io.k8s.apimachinery.pkg.util.intstr.IntOrString", "io.k8s.apimachinery.pkg.api.resource.Quantity"):
        definitions[name] = {"type": ["string", "number"]}  # called strings there, which they need not be
    for one in definitions.values():
        if "properties" in one:
            one.setdefault("additionalProperties", False)
    (folder / "all.json").write_text(json.dumps({"definitions": definitions}).replace("#/definitions/", "all.json#/definitions/"))
    for name, one in definitions.items():
        for kind in one.get("x-kubernetes-group-version-kind", []):
            group = kind["group"].split(".")[0]
            file = "-".join(filter(None, [kind["kind"].lower(), group, kind["version"]])) + ".json"
            (folder / file).write_text(json.dumps({"$ref": "all.json#/definitions/" + name}))
    return str(folder)


@pytest.mark.parametrize("major", MAJORS)
def test_lint(major, values_file):
    told = helm(major, "lint", "--strict", CHART, "-f", values_file, *preset_words(values_file))
    assert "0 chart(s) failed" in told


def test_both_majors_render_the_same_twice(values_file):
    words = preset_words(values_file)
    once = template(3, values_file, *words)
    assert once == template(3, values_file, *words), "two renderings differ"
    assert sorted_documents(once) == sorted_documents(template(4, values_file, *words)), "Helm 3 and 4 render differently"


def documents(text):
    return [d for d in yaml.safe_load_all(text) if d]


def sorted_documents(text):
    return sorted(json.dumps(d, sort_keys=True) for d in documents(text))


def test_the_server_accepts_every_manifest(crds, values_file):
    """A dry run on the server: defaults, validation, admission, in a namespace that enforces "restricted". Both majors render
    the same."""
    namespace = crds.namespace("dry")
    rendered = documents(template(3, values_file, *preset_words(values_file), namespace=namespace))
    told = crds.kubectl("-n", namespace, "apply", "--dry-run=server", "--server-side", "-f", "-", stdin=as_list(rendered),
                        whole=True)
    assert told.count("(server dry run)") == len(rendered) > 0
    assert "would violate PodSecurity" not in told, told


def test_every_pod_of_the_chart_is_admitted_where_only_restricted_ones_are(crds, values_file):
    namespace = crds.namespace("pods")
    rendered = documents(template(3, values_file, *preset_words(values_file), namespace=namespace))
    templates = [d["spec"]["template"] for d in rendered if d["kind"] == "Deployment"]
    templates += [d for d in rendered if d["kind"] == "Pod"]
    templates += [pasted(d) for d in rendered if d["kind"] == "ConfigMap" and "pod.yaml" in d["data"]]
    assert templates
    for number, one in enumerate(templates):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod-%d" % number}, "spec": one["spec"]}
        crds.apply(namespace, without_account(pod), verb="create")


def without_account(pod):
    pod["spec"].pop("serviceAccountName", None)
    return pod


def pasted(config_map):
    """The block for sidecars around an application that is as strict."""
    pod = yaml.safe_load(config_map["data"]["pod.yaml"])
    app = {"name": "app", "image": "app:1", "securityContext": pod["spec"]["initContainers"][0]["securityContext"]}
    return {"spec": pod["spec"] | {"containers": [app]}}


def kubeconform(schemas, text):
    location = os.path.join(schemas, "{{.ResourceKind}}{{.KindSuffix}}.json")
    return subprocess.run([os.path.join(BIN, "kubeconform"), "-strict", "-summary", "-output", "json", "-schema-location", location],
                          input=text, capture_output=True, text=True, timeout=120)


def test_kubeconform(schemas, values_file):
    text = template(3, values_file, *preset_words(values_file))
    done = kubeconform(schemas, text)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["summary"] == {"valid": len(documents(text)), "invalid": 0, "errors": 0, "skipped": 0}


def test_kubeconform_can_fail(schemas):
    bad = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"portz": []}}
    assert kubeconform(schemas, json.dumps(bad)).returncode != 0


REFUSED = [  # words of Helm, and what its message names
    (["--set", "mode=side-car"], "mode"),
    (["--set", "sidcar.service=x"], "sidcar"),
    (["--set", "gateway.replicas=two"], "replicas"),
    (["--set", "image.pullPolicy=Sometimes"], "pullPolicy"),
    (["--set", "image.tag=latest"], "/image/tag"),
    (["--set", "config.version=2"], "version"),
    (["--set", "config.polcy.provider.zdr=true"], "polcy"),
    (["--set", "config.policy.provider.data_colection=deny"], "data_colection"),
    (["--set", "config.deadlines.connect_ms=soon"], "connect_ms"),
    (["--set", "policy.mesh.content.provider.data_colection=deny"], "data_colection"),
    (["--set", "mode=gateway"], "keys"),
]


@pytest.mark.parametrize("major", MAJORS)
@pytest.mark.parametrize("words,named", REFUSED, ids=[" ".join(r[0]) for r in REFUSED])
def test_a_mistake_is_refused_by_name(major, words, named):
    with pytest.raises(CommandFailed) as refused:
        helm(major, "template", "shop", CHART, "--kube-version", "1.36.3", *words)
    assert named in refused.value.output, refused.value.output


@pytest.mark.parametrize("major", MAJORS)
def test_install_upgrade_rollback_uninstall(crds, major, values_file):
    """The objects' life on the API server alone: nothing runs, so nothing is waited for."""
    namespace = crds.namespace("life%d" % major)
    words = ["-n", namespace, "-f", values_file, *preset_words(values_file)]

    def maps(*of):
        return crds.get("-n", namespace, "configmap", "-l", ",".join(["app.kubernetes.io/instance=shop", *of]))["items"]

    def labels():
        return {m["metadata"]["labels"].get("step") for m in maps()}

    crds.helm(major, "install", "shop", CHART, *words)
    assert labels() == {None}
    crds.helm(major, "upgrade", "shop", CHART, *words, "--set", "commonLabels.step=second")
    assert labels() == {"second"}
    crds.helm(major, "rollback", "shop", "1", "-n", namespace)
    assert labels() == {None}
    crds.helm(major, "uninstall", "shop", "-n", namespace)
    assert maps() == maps(LAYERS) != []
    crds.kubectl("-n", namespace, *clearing())
    assert maps() == []


LAYERS = "app.kubernetes.io/component=policy"


def clearing():
    """As docs/kubernetes.md, "Upgrade", has it."""
    with open(os.path.join(ROOT, "docs", "kubernetes.md")) as text:
        words = re.search(r"^kubectl -n shop (delete configmap -l \S+)", text.read(), re.M).group(1)
    return words.replace("instance=remora", "instance=shop").split()


def layer_names(cluster, namespace):
    return {m["metadata"]["name"] for m in cluster.get("-n", namespace, "configmap", "-l", "remora.dev/policy-layer")["items"]}


OTHERS = ["-f", os.path.join(CHART, "presets", "values-gitops.yaml")]


@pytest.mark.parametrize("major", MAJORS)
def test_a_ceiling_that_others_take_over_stays(crds, major):
    """The preset names what a release `remora` wrote itself. Deleted, it would be missed by each new pod."""
    namespace = crds.namespace("ceiling%d" % major)
    owners = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "remora-policy-mesh"}, "data": {"policy.yaml": "limits: {concurrency: 7}\n"}}

    def ceiling():
        return crds.get("-n", namespace, "configmap", "remora-policy-mesh")["data"]["policy.yaml"]

    crds.helm(major, "install", "remora", CHART, "-n", namespace, "--set", "policy.mesh.content.limits.concurrency=3")
    crds.helm(major, "upgrade", "remora", CHART, "-n", namespace, *OTHERS)
    assert ceiling() == "limits:\n  concurrency: 3\n", "until its owners write it"
    crds.kubectl("-n", namespace, "apply", "--server-side", "--force-conflicts", "--field-manager=platform", "-f", "-", stdin=json.dumps(owners))
    crds.helm(major, "upgrade", "remora", CHART, "-n", namespace, *OTHERS, "--set", "commonLabels.step=second")
    crds.helm(major, "uninstall", "remora", "-n", namespace)
    assert ceiling() == owners["data"]["policy.yaml"]


@pytest.mark.parametrize("major", MAJORS)
def test_the_way_back_from_the_owners_is_as_it_is_told(crds, major):
    namespace = crds.namespace("back%d" % major)
    crds.helm(major, "install", "remora", CHART, "-n", namespace)
    crds.helm(major, "upgrade", "remora", CHART, "-n", namespace, *OTHERS)
    crds.kubectl("-n", namespace, "apply", "--server-side", "--force-conflicts", "--field-manager=platform", "-f", "-",
                 stdin=json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "remora-policy-mesh"}, "data": {"policy.yaml": "# theirs\n{}\n"}}))
    told = crds.helm(major, "rollback", "remora", "1", "-n", namespace, check=False, whole=True)
    assert ('conflict with "platform": .data.policy.yaml' in told) == (major == 4), told
    after = crds.get("-n", namespace, "configmap", "remora-policy-mesh")["data"]["policy.yaml"]
    assert after == {3: "{}\n", 4: "# theirs\n{}\n"}[major]


@pytest.mark.parametrize("major", MAJORS)
def test_without_keep_a_layer_goes_until_it_is_told_to_stay(crds, major):
    """So do those of older charts, and the annotation by hand is what the page has for them."""
    namespace = crds.namespace("gone%d" % major)
    with open(os.path.join(ROOT, "docs", "kubernetes.md")) as text:
        by_hand = re.search(r"`kubectl -n shop (annotate configmap remora-policy-mesh \S+)`", text.read()).group(1)
    words = ["-n", namespace, "--set", "policy.keep=false"]
    crds.helm(major, "install", "remora", CHART, *words)
    crds.kubectl("-n", namespace, *by_hand.split())
    crds.helm(major, "upgrade", "remora", CHART, *words, "--set", "policy.mesh.create=false,policy.namespace.create=false")
    assert layer_names(crds, namespace) == {"remora-policy-mesh", "remora-policy-service"}


def examples():
    return sorted(glob.glob(os.path.join(ROOT, "examples", "kubernetes", "*.yaml")))


@pytest.mark.parametrize("path", examples(), ids=[os.path.basename(p) for p in examples()])
def test_an_example_is_accepted_by_the_server(crds, path):
    """Core kinds and foreign ones alike: the latter by the schemas that their makers publish."""
    namespace = crds.namespace("example", restricted=False)
    with open(path) as text:
        given = documents(text.read())
    for one in given:
        one["metadata"].pop("namespace", None)
        if one["kind"] == "Namespace":
            one["metadata"]["name"] = namespace + "-own"
    told = crds.apply(namespace, *given, verb="create")
    assert told.count("created") == len(given)


def hand_over(crds, namespace):
    """As docs/kubernetes.md, "Upgrade", has it."""
    with open(os.path.join(ROOT, "docs", "kubernetes.md")) as text:
        words, manifest = re.search(r"^kubectl -n llm (apply .*?) -f - <<'END'\n(.*?)^END", text.read(), re.S | re.M).groups()
    crds.kubectl("-n", namespace, *words.split(), "-f", "-", stdin=manifest)


@pytest.mark.parametrize("major", MAJORS)
def test_a_running_gateway_is_given_to_the_autoscaler_with_all_its_pods(crds, major):
    """Installed by either Helm, upgraded by Helm 4. Without the hand-over the server puts 1 where the field was."""
    namespace = crds.namespace("scale%d" % major)
    words = ["-n", namespace, "--set", "mode=gateway", "--set-json", "config=" + json.dumps(KEYS), "--set", "fullnameOverride=llm"]
    crds.helm(major, "install", "llm", CHART, *words, "--set", "gateway.replicas=6")
    hand_over(crds, namespace)
    crds.helm(4, "upgrade", "llm", CHART, *words, "--set", "gateway.autoscaling.enabled=true", "--server-side=true", "--force-conflicts")
    assert crds.get("-n", namespace, "hpa", "llm-gateway")["spec"]["minReplicas"] == 2
    assert crds.get("-n", namespace, "deployment", "llm-gateway")["spec"]["replicas"] == 6
    crds.helm(4, "upgrade", "llm", CHART, *words, "--set", "gateway.autoscaling.enabled=true,gateway.workers=3", "--server-side=true", "--force-conflicts")
    assert crds.get("-n", namespace, "deployment", "llm-gateway")["spec"]["replicas"] == 6


def test_helm_3_takes_the_number_of_pods_away_whoever_has_it(crds):
    """Why the documentation sends a release of Helm 3 through Helm 4 for this. Should it hold no longer, the page has to change."""
    namespace = crds.namespace("scale-away")
    words = ["-n", namespace, "--set", "mode=gateway", "--set-json", "config=" + json.dumps(KEYS), "--set", "fullnameOverride=llm"]
    crds.helm(3, "install", "llm", CHART, *words, "--set", "gateway.replicas=6")
    hand_over(crds, namespace)
    crds.helm(3, "upgrade", "llm", CHART, *words, "--set", "gateway.autoscaling.enabled=true")
    assert crds.get("-n", namespace, "deployment", "llm-gateway")["spec"]["replicas"] == 1
