"""`remora schema` and `remora check` say the same of a document, as far as one key can be judged alone."""
import json
import subprocess
import sys

import jsonschema
import pytest
import yaml

from upstream import ROOT, build_dir


def printed(*arguments):
    text = subprocess.run([str(build_dir() / "remora"), "schema", *arguments], check=True, capture_output=True, text=True, timeout=60).stdout
    schema = json.loads(text)
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema


@pytest.fixture(scope="module")
def schema():
    return printed()


@pytest.fixture(scope="module")
def policy_schema():
    return printed("policy")


@pytest.fixture(scope="module")
def validator(schema):
    return jsonschema.Draft202012Validator(schema)


def whole(text):
    """A document of which one part matters here."""
    return text if "version:" in text.partition("\n")[0] else "version: 1\n" + text


def accepted(tmp_path, text):
    path = tmp_path / "document.yaml"
    path.write_text(whole(text))
    result = subprocess.run([str(build_dir() / "remora"), "check", str(path)], capture_output=True, text=True, timeout=60)
    assert result.returncode in (0, 1), result.stderr
    return result.returncode == 0


OWN = "providers: {p: {kind: openai, base_url: 'http://127.0.0.1:1/v1'}}\n"


def endpoint(text):
    return OWN + "models: {a/b: {endpoints: [{provider: p, model_id: x, " + text + "}]}}\n"


def policy(text):
    return "policy: {provider: {" + text + "}}\n"


GOOD = [
    "version: 1\n",
    "listen: {http: 'unix:/run/remora.sock', grpc: 'off', probe: '0.0.0.0:7362', admin: '[::1]:0'}\n",
    "mode: gateway\nworkers: 4\nlog: {level: debug}\nhosts: [remora.local]\n",
    "providers: {openai: {api_key: [{env: A}, {file: /run/key}], headers: {X-Team: shop, X-Key: {env: B}}}, groq: }\n",
    "keys: {ci: {service: s, namespace: n, hash: [{file: /h}, {env: H}], limits: {concurrency: 1}}, b-2: {service: s, hash: {file: /h}}}\n",
    "providers:\n",
    "providers: {openai: {data_policy: {training: null, retention_days: null, zdr: false}, headquarters: US, http2: true}}\n",
    endpoint("pricing: {prompt: '1.5e-7', completion: 0.25, image: null}, quantization: fp8"),
    endpoint("pricing_tiers: [{min_prompt_tokens: 1000, prompt: 1}], supported_parameters: [tools, max_completion_tokens]"),
    endpoint("context_length: null, max_completion_tokens: 1, free: true, deadlines: {connect_ms: 1}"),
    OWN + "models: {a/b: {modalities: {input: [text, image], output: [text]}, replace_endpoints: true}}\n",
    policy("order: [openai], only: [], ignore: [x], zdr: true, data_collection: deny, quantizations: [fp8, bf16]"),
    policy("max_price: {prompt: 5, completion: '20.5'}, max_attempts: 2, attempt_timeout_ms: 1000"),
    "services: {s: {models: {allow: ['*'], deny: [], default: a/b}, limits: {concurrency: 1}}}\nnamespaces: {n: }\n",
    "drain: {delay_ms: 0, grace_ms: 0}\nattempts: {per_model: 1, per_request: 8}\n",
]

BAD = {
    "unknown key": "provider: {}\n",
    "unknown key inside": "listen: {htttp: 'off'}\n",
    "unknown key of an endpoint": endpoint("price: 1"),
    "not built": "state: {}\n",
    "tls without a certificate": "tls: {key_file: /k}\n",
    "an address without a scheme": "providers: {p: {kind: openai, base_url: models.example/v1}}\n",
    "a gateway key without a service": "keys: {ci: {hash: {file: /h}}}\n",
    "a gateway key without a hash": "keys: {ci: {service: s}}\n",
    "a gateway key in the document": "keys: {ci: {service: s, hash: abc}}\n",
    "a gateway key without a name": "keys: {'a b': {service: s, hash: {file: /h}}}\n",
    "not built, inside": policy("sort: price"),
    "another version": "version: 2\n",
    "text for a number": "workers: 'four'\n",
    "a number in quotes": "workers: '4'\n",
    "too many workers": "workers: 257\n",
    "no worker": "workers: 0\n",
    "negative": "drain: {grace_ms: -1}\n",
    "fraction": "deadlines: {total_ms: 1.5}\n",
    "beyond the hour": "deadlines: {total_ms: 3600001}\n",
    "a word for a boolean": "grpc: {accept_old_core: 'yes'}\n",
    "a list for a mapping": "listen: [http]\n",
    "an object without its lines": "policy:\n",
    "text for a list": policy("order: openai"),
    "too many slugs": policy("order: [" + ", ".join(["x"] * 65) + "]"),
    "an empty slug": policy("order: ['']"),
    "no such mode": "mode: cluster\n",
    "no such level": "log: {level: loud}\n",
    "no such collection": policy("data_collection: maybe"),
    "no such quantization": policy("quantizations: [fp7]"),
    "no such quantization of an endpoint": endpoint("quantization: fp7"),
    "no such parameter": endpoint("supported_parameters: [temprature]"),
    "no such modality": OWN + "models: {a/b: {modalities: {input: [smell]}}}\n",
    "no such kind": "providers: {p: {kind: soap, base_url: 'http://127.0.0.1:1/v1'}}\n",
    "a price with a sign": endpoint("pricing: {prompt: -1}"),
    "a price in words": endpoint("pricing: {prompt: cheap}"),
    "a cap that is null": policy("max_price: {prompt: null}"),
    "a tier without its bound": endpoint("pricing_tiers: [{prompt: 1}]"),
    "an endpoint without a provider": OWN + "models: {a/b: {endpoints: [{model_id: x}]}}\n",
    "an endpoint without a model": OWN + "models: {a/b: {endpoints: [{provider: p}]}}\n",
    "a key in the document": "providers: {openai: {api_key: sk-one}}\n",
    "a key from two places": "providers: {openai: {api_key: {env: A, file: /b}}}\n",
    "a key from nowhere": "providers: {openai: {api_key: []}}\n",
    "no name of a variable": "providers: {openai: {api_key: {env: 'a b'}}}\n",
    "half a certificate": "providers: {openai: {client_cert: {cert_file: /a}}}\n",
    "no country": "providers: {openai: {headquarters: us}}\n",
    "no slug": "providers: {Open AI: {kind: openai, base_url: 'http://127.0.0.1:1/v1'}}\n",
    "no model id": OWN + "models: {'a b': {endpoints: [{provider: p, model_id: x}]}}\n",
    "no header name": "providers: {openai: {headers: {'a b': c}}}\n",
    "an empty header": "providers: {openai: {headers: {X-A: ''}}}\n",
    "no address": "listen: {http: '7360'}\n",
    "an empty service": "service: ''\n",
    "no limit at all": "services: {s: {limits: {concurrency: 0}}}\n",
}


@pytest.mark.parametrize("path", sorted((ROOT / "examples/config").glob("*.yaml")), ids=lambda path: path.name)
def test_the_examples_fit(path, validator):
    validator.validate(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize("text", GOOD)
def test_what_fits_is_accepted(text, validator, tmp_path):
    validator.validate(yaml.safe_load(whole(text)))
    assert accepted(tmp_path, text)


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_what_does_not_fit_is_refused(text, validator, tmp_path):
    assert not validator.is_valid(yaml.safe_load(whole(text)))
    assert not accepted(tmp_path, text)


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "{}\n", "null\n", "service: s\n"])
def test_a_document_without_its_version_is_refused(text, validator, tmp_path):
    assert not validator.is_valid(yaml.safe_load(text))
    path = tmp_path / "remora.yaml"
    path.write_text(text)
    for status, *arguments in ((1, "check", path), (1, "serve", "--config", path), (2, "models", "--config", path)):
        result = subprocess.run([str(build_dir() / "remora"), *map(str, arguments)], capture_output=True, text=True, timeout=60)
        assert result.returncode == status and "`version: 1` is missing" in result.stdout + result.stderr, (arguments, result)


def test_every_word_of_a_closed_set_is_accepted(schema, tmp_path):
    sets = {
        "mode: {}\n": schema["properties"]["mode"],
        "log: {{level: {}}}\n": schema["$defs"]["log"]["properties"]["level"],
        "policy: {{provider: {{quantizations: [{}]}}}}\n": schema["$defs"]["preferences"]["properties"]["quantizations"]["items"],
        "providers: {{p: {{kind: {}, base_url: 'http://127.0.0.1:1/v1'}}}}\n": schema["$defs"]["provider"]["properties"]["kind"],
    }
    listed = schema["$defs"]["endpoint"]["properties"]["supported_parameters"]["items"]["enum"]
    assert accepted(tmp_path, endpoint("supported_parameters: [" + ", ".join(listed) + "]"))
    for template, values in sets.items():
        assert values["enum"]
        for word in values["enum"]:
            assert accepted(tmp_path, template.format(word)), (template, word)


def test_every_object_is_closed_and_every_key_described(schema):
    for name, each in {**schema["$defs"], "document": schema}.items():
        assert each["additionalProperties"] is False, name
        for key, value in each["properties"].items():
            assert value["description"].endswith("."), f"{name}.{key}"


POLICY_FILES = {
    "{}\n": True,
    "models: {allow: ['*'], deny: ['*:free'], default: a/b}\nprovider: {zdr: true, max_price: {prompt: 5}}\nlimits: {concurrency: 1}\n": True,
    "": False,
    "[]\n": False,
    "policy: {}\n": False,
    "version: 1\n": False,
    "provider: {data_collection: maybe}\n": False,
    "provider: {sort: price}\n": False,
    "limits: {concurrency: 0}\n": False,
    "models: {allow: all}\n": False,
}


@pytest.mark.parametrize("text, fits", POLICY_FILES.items())
def test_a_policy_file_fits_or_is_refused(text, fits, policy_schema, tmp_path):
    (tmp_path / "policy.yaml").write_text(text)
    assert jsonschema.Draft202012Validator(policy_schema).is_valid(yaml.safe_load(text)) is fits
    assert accepted(tmp_path, f"policy_files: {{mesh: {tmp_path}/policy.yaml}}\n") is fits


def test_a_policy_schema_holds_nothing_else(schema, policy_schema):
    assert set(policy_schema["$defs"]) == {"policy_models", "preferences", "max_price", "limits"}
    assert all(schema["$defs"][name] == each for name, each in policy_schema["$defs"].items())
    assert policy_schema["properties"] == schema["$defs"]["policy"]["properties"]


def test_the_chart_has_this_schema():
    """helm/remora/values.schema.json and README.md are made from it: `tools/chart.py` writes them anew."""
    result = subprocess.run([sys.executable, str(ROOT / "tools/chart.py"), "--check", "--build", str(build_dir())], capture_output=True,
                            text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr


def test_another_schema_is_not_printed():
    result = subprocess.run([str(build_dir() / "remora"), "schema", "mesh"], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (2, "usage: remora schema [config|policy]\n")
