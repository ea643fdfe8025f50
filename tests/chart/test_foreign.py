"""Kinds of others that the chart renders or an example has, against their published schemas: as types (a field that they do not have
is an error of the TypeScript compiler) and by their validators.

The models are npm packages (foreign/package.json); without Node this is skipped with a word, under CI=true it fails. Linkerd's
EgressNetwork is in no package there and is not checked.
"""
import copy
import json
import os
import pathlib
import shutil
import subprocess

import pytest
import yaml

from chart import ROOT

pytestmark = pytest.mark.xdist_group("foreign")  # one worker: they share what npm installs

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = ROOT / "build-tools/chart-foreign"
EXAMPLES = ROOT / "examples/kubernetes"
MODULES = {
    "PodMonitor": "prometheus-operator/monitoring.coreos.com/v1",
    "PrometheusRule": "prometheus-operator/monitoring.coreos.com/v1",
    "Application": "argo-cd/argoproj.io/v1alpha1",
    "ServiceEntry": "istio/networking.istio.io/v1",
    "TLSRoute": "gateway-api/gateway.networking.k8s.io/v1alpha2",
}
VALIDATE = "import {{ readFileSync }} from 'node:fs';\n{imports}\nconst kinds = {{ {names} }};\n" \
           "for (const each of JSON.parse(readFileSync(0))) {{ new kinds[each.kind](each).validate(); }}\n"


@pytest.fixture(scope="module")
def models():
    if not shutil.which("npm"):
        why = "no npm: kinds of others are not checked"
        pytest.fail(why) if os.environ.get("CI") == "true" else pytest.skip(why)
    FOLDER.mkdir(parents=True, exist_ok=True)
    wanted = (HERE / "foreign/package.json").read_text()
    installed = FOLDER / "package.json"
    if not installed.exists() or installed.read_text() != wanted or not (FOLDER / "node_modules").exists():
        installed.write_text(wanted)
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"], cwd=FOLDER, check=True, timeout=300)
    return FOLDER


def typed(objects):
    """A TypeScript file in which each object is a literal of its kind's interface: fields beyond it are errors."""
    lines = [f'import type {{ I{kind} }} from "@kubernetes-models/{path}/{kind}";' for kind, path in MODULES.items()]
    return "\n".join(lines + [f"export const o{i}: I{each['kind']} = {json.dumps(each)};" for i, each in enumerate(objects)]) + "\n"


def refused(models, objects, folder):
    """What the compiler says, else what the validators say."""
    (models / "work").mkdir(exist_ok=True)
    work = models / "work" / folder.name
    work.mkdir(exist_ok=True)
    (work / "check.ts").write_text(typed(objects))
    compiled = subprocess.run(["node", "../../node_modules/typescript/bin/tsc", "--noEmit", "--skipLibCheck", "--strict", "--module", "nodenext",
                               "check.ts"], cwd=work, capture_output=True, text=True, timeout=120)
    imports = "\n".join(f'import {{ {kind} }} from "@kubernetes-models/{path}/{kind}";' for kind, path in MODULES.items())
    (work / "validate.mjs").write_text(VALIDATE.format(imports=imports, names=", ".join(MODULES)))
    valid = subprocess.run(["node", "validate.mjs"], cwd=work, input=json.dumps(objects), capture_output=True, text=True, timeout=60)
    shutil.rmtree(work)
    return (compiled.stdout if compiled.returncode else "") + (valid.stderr if valid.returncode else "")


def examples():
    found = [each for path in sorted(EXAMPLES.rglob("*.yaml")) if path.name != "values.yaml" for each in yaml.safe_load_all(path.read_text())]
    return [each for each in found if each["kind"] in MODULES]


def test_what_the_chart_renders(models, helm3, tmp_path):
    rendered = [each for each in helm3.render(["both.yaml", "monitoring.yaml"]) if each["kind"] in MODULES]
    assert sorted(each["kind"] for each in rendered) == ["PodMonitor", "PodMonitor", "PrometheusRule"]
    assert refused(models, rendered, tmp_path) == ""


def test_what_the_examples_have(models, tmp_path):
    assert {each["kind"] for each in examples()} == {"Application", "ServiceEntry", "TLSRoute"}
    assert refused(models, examples(), tmp_path) == ""


@pytest.mark.parametrize("kind, path, value", [("Application", ("spec", "destination"), 3), ("ServiceEntry", ("spec", "rezolution"), "DNS"),
                                               ("TLSRoute", ("spec", "rules", 0, "backendRefs", 0, "port"), "https")])
def test_the_check_sees(models, tmp_path, kind, path, value):
    changed = copy.deepcopy(next(each for each in examples() if each["kind"] == kind))
    at = changed
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = value
    assert str(path[-1]) in refused(models, [changed], tmp_path)
