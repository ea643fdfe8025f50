"""`remora check` tells what policies come to together: models that nobody they are meant for can have."""
import subprocess

import pytest

from upstream import build_dir

CONFIG = """version: 1
service: checkout
namespace: shop
providers:
  house: {kind: openai, base_url: "http://127.0.0.1:1/v1", headquarters: DE, data_policy: {training: false}}
  abroad: {kind: openai, base_url: "http://127.0.0.1:2/v1", headquarters: US, api_key: {env: NOT_HERE}}
models:
  acme/small: {endpoints: [{provider: house, model_id: s}, {provider: abroad, model_id: s}]}
  acme/large: {endpoints: [{provider: abroad, model_id: l, pricing: {prompt: "0.000005", completion: "0.000005"}}]}
  acme/gift: {endpoints: [{provider: house, tag: house/eu, model_id: g, free: true}]}
"""
WITHOUT_KEY = "providers.abroad.api_key"  # told of each, and no matter of policy
MESH, NAMESPACE, SERVICE, KEY = (f"(POLICY_LAYER_{name})" for name in ("MESH", "NAMESPACE", "SERVICE", "KEY"))
KEYS = "keys: {web: {service: checkout, namespace: other, hash: {env: WEB_HASH}%s}}\n"
LARGE = '"acme/large" has no endpoint left'


def check(tmp_path, document, *options):
    (tmp_path / "remora.yaml").write_text(document)
    result = subprocess.run([str(build_dir() / "remora"), "check", str(tmp_path / "remora.yaml"), *options], capture_output=True, text=True,
                            timeout=60, env={"WEB_HASH": "0123456789abcdef" * 4})
    lines = [line.partition(": warning: ")[2] for line in result.stderr.splitlines() if ": warning: " in line]
    return result, [line for line in lines if not line.startswith(WITHOUT_KEY)]


TOLD = {
    "a service's own rules": ("services: {checkout: {models: {allow: [acme/large]}, provider: {only: [house]}}}",
                              [f"services.checkout: no model has an endpoint left, the first is acme/gift: model_allow_list {SERVICE}"]),
    "a name that the same layer takes away": (
        "services: {checkout: {models: {allow: [acme/small, acme/large]}, provider: {data_collection: deny}}}",
        [f"services.checkout.models.allow: {LARGE}: data_policy:training {SERVICE}"]),
    "a name that a layer above takes away": (
        "policy: {provider: {ignore: [abroad]}}\nservices: {checkout: {models: {allow: [acme/gift, acme/large]}}}",
        [f"services.checkout.models.allow: {LARGE}: ignored_provider {MESH}"]),
    "a default": ("services: {checkout: {models: {default: acme/large}, provider: {regions: [eu]}}}",
                  [f"services.checkout.models.default: {LARGE}: data_region {SERVICE}"]),
    "a default by its alias": ("aliases: {big: acme/large}\nnamespaces: {shop: {models: {default: big}, provider: {ignore: [abroad]}}}",
                               [f'namespaces.shop.models.default: "big" has no endpoint left: ignored_provider {NAMESPACE}']),
    "the mesh leaves nothing, which is told once": (
        "policy: {models: {deny: ['*']}}\nnamespaces: {shop: {}}\nservices: {checkout: {models: {allow: [acme/small], default: acme/small}}}",
        [f"policy: no model has an endpoint left, the first is acme/gift: model_allow_list {MESH}"]),
    "two lists without a model in common": (
        "policy: {models: {allow: [acme/small]}}\nservices: {checkout: {models: {allow: [acme/gift]}}}",
        [f"services.checkout: no model has an endpoint left, the first is acme/small: model_allow_list {SERVICE}"]),
    "a model that the mesh's list leaves out, for nobody else lists it": (
        "policy: {models: {allow: [acme/small, acme/gift]}}\nservices: {checkout: {models: {default: acme/small}}}",
        [f"models.acme/large: no caller has an endpoint left: model_allow_list {MESH}"]),
    "a model of the document that the ceiling takes from all": (
        "policy: {provider: {ignore: [abroad]}}",
        [f"models.acme/large: no caller has an endpoint left: ignored_provider {MESH}"]),
    "an order that is all": ("services: {checkout: {models: {default: acme/large}, provider: {order: [house], allow_fallbacks: false}}}",
                             [f"services.checkout.models.default: {LARGE}: not_in_order {SERVICE}"]),
    "a key": (KEYS % ", models: {allow: [acme/small, acme/large]}, provider: {only: [house]}",
              [f"keys.web.models.allow: {LARGE}: allowed_providers {KEY}"]),
    "of a key in another namespace": ("namespaces: {other: {provider: {only: [house]}}}\n" + KEYS % "",
                                      [f"models.acme/large: no caller has an endpoint left: allowed_providers {NAMESPACE}"]),
}


@pytest.mark.parametrize("policy, expected", TOLD.values(), ids=TOLD)
def test_what_policies_take_away_is_told(tmp_path, policy, expected):
    result, told = check(tmp_path, CONFIG + policy + "\n")
    assert result.returncode == 0, result.stderr
    assert told == expected
    assert f"{len(told) + 1} warnings, revision" in result.stdout  # and the key that is not here
    assert check(tmp_path, CONFIG + policy + "\n", "--strict")[0].returncode == 1


SILENT = {
    "no policy": "",
    "a service that narrows what the mesh names": (
        "policy: {models: {allow: ['acme/*', acme/large]}}\nservices: {checkout: {provider: {only: [house]}}, batch: {}}"),
    "a service that lists other models": "services: {checkout: {models: {allow: [acme/small]}}}",
    "a service of another namespace": "namespaces: {other: {provider: {only: [house]}}}\nservices: {checkout: {models: {default: acme/large}}}",
    "a free variant": "services: {checkout: {models: {allow: ['acme/gift:free', acme/large, acme/small], default: 'acme/gift:free'}}}",
    "a key's namespace and not the document's": (
        "namespaces: {shop: {provider: {only: [house]}}}\nservices: {checkout: {models: {default: acme/large}}}\n" + KEYS % ""),
    "a pattern": "services: {checkout: {models: {allow: ['acme/s*', 'acme/l*']}, provider: {only: [abroad]}}}",
}


@pytest.mark.parametrize("policy", SILENT.values(), ids=SILENT)
def test_what_policies_are_for_is_not_told(tmp_path, policy):
    result, told = check(tmp_path, CONFIG + policy + "\n")
    assert (result.returncode, told) == (0, []), result.stderr


def test_layers_of_files_are_told_by_their_files(tmp_path):
    for layer, text in (("mesh", "{provider: {max_price: {prompt: 1, completion: 1}}}"), ("service", "{models: {allow: [acme/small, acme/large]}}")):
        (tmp_path / f"{layer}.yaml").write_text(text)
    files = "policy_files: {mesh: %s/mesh.yaml, service: %s/service.yaml}\n" % (tmp_path, tmp_path)
    result, told = check(tmp_path, CONFIG.replace("model_id: s}", 'model_id: s, pricing: {prompt: "0", completion: "0"}}') + files)
    assert result.returncode == 0, result.stderr
    assert told == [f"policy_files.service.models.allow: {LARGE}: max_price:prompt {MESH}"]
    (tmp_path / "service.yaml").unlink()
    result, told = check(tmp_path, CONFIG + files)
    assert len(told) == 1 and "is absent: not ready" in told[0], "until it is there it allows nothing, which is told"


def test_who_serves_nothing_is_told_in_bounds(tmp_path):
    services = "".join(f"  s{i}: {{models: {{allow: [acme/large]}}, provider: {{only: [house]}}}}\n" for i in range(100))
    result, told = check(tmp_path, CONFIG + "services:\n" + services)
    told = [line for line in told if line.startswith("services.s")]
    assert result.returncode == 0 and len(told) == 64, result.stderr
