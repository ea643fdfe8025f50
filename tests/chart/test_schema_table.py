"""Every key of the table, at and beyond each of its bounds and with values of other types: `remora schema` and `remora check` say the same.

The documents are made from the schema itself, one value in each. Where a text has a meaning that one key cannot tell (an address, a
name that something else must have, a file), the program may refuse what the schema takes; never the other way round.
"""
import json
import subprocess

import jsonschema
import pytest

from chart import PROGRAM

# Their texts are judged with the catalog, other keys, a resolver's rules or the file system.
BEYOND_ONE_KEY = {
    ("provider", "proxy"), ("provider", "dialect"), ("provider", "kind"), ("provider", "client_cert"),
    ("endpoint", "provider"), ("endpoint", "tag"), ("endpoint", "region"),
    ("policy_files", "mesh"), ("policy_files", "namespace"), ("policy_files", "service"),
    ("document", "hosts"), ("preferences", "order"), ("preferences", "only"), ("preferences", "ignore"), ("preferences", "regions"),
}
P = {"kind": "openai", "base_url": "http://127.0.0.1:1/v1"}


def provider(more):
    return {"providers": {"p": {**P, **more}}}


def model(more):
    return {**provider({}), "models": {"a/b": more}}


def endpoint(more):
    return model({"endpoints": [{"provider": "p", "model_id": "x", **more}]})


# Where an object stands: the smallest document that is valid around it.
AROUND = {
    "document": lambda o: o,
    "policy_models": lambda o: {"policy": {"models": o}},
    "preferences": lambda o: {"policy": {"provider": o}},
    "max_price": lambda o: {"policy": {"provider": {"max_price": o}}},
    "limits": lambda o: {"policy": {"limits": o}},
    "provider": provider,
    "client_cert": lambda o: provider({"client_cert": {"cert_file": "/nowhere", "key_file": "/nowhere", **o}}),
    "data_policy": lambda o: provider({"data_policy": o}),
    "source": lambda o: provider({"api_key": o}),
    "model": model,
    "modalities": lambda o: model({"modalities": o}),
    "endpoint": endpoint,
    "pricing": lambda o: endpoint({"pricing": o}),
    "pricing_tier": lambda o: endpoint({"pricing_tiers": [{"min_prompt_tokens": 1, **o}]}),
    "gateway_key": lambda o: {"keys": {"k": {"service": "s", "hash": {"env": "H"}, **o}}},
}
# Texts that fit a pattern of the schema.
FITTING = {"^https?://": "https://models.example/v1", "^[0-9]{1,10}$": "1000", "^(off|": "127.0.0.1:7999", "^[A-Z]{2}$": "DE", "^[A-Za-z0-9_]+$": "NAME"}


def program_says(folder, document):
    path = folder / "document.yaml"
    path.write_text(json.dumps(document))
    result = subprocess.run([str(PROGRAM), "check", str(path)], capture_output=True, text=True, timeout=60, env={})
    assert result.returncode in (0, 1), result
    return result.returncode == 0, result.stderr


def texts(schema):
    if "enum" in schema:
        return [*schema["enum"], "nope", schema["enum"][0].upper() + "x"]
    fitting = next((text for start, text in FITTING.items() if schema.get("pattern", "").startswith(start)), None)
    if fitting:
        return [fitting, "", "a b!", "\u00e4"]
    most = schema.get("maxLength", 10)
    return ["", "x", "x" * most, "x" * (most + 1)]


def integers(schema):
    return [schema["minimum"] - 1, schema["minimum"], schema["maximum"], schema["maximum"] + 1, schema["minimum"] + 0.5, -1]


def lists(schema):
    item = schema["items"]
    good = "x" if item.get("type") == "string" and "enum" not in item else item.get("enum", [None])[0]
    counts = sorted({0, 1, schema.get("minItems", 0), schema.get("maxItems", 1), schema.get("maxItems", 1) + 1} - {-1})
    fitting = texts(item)[0] if "pattern" in item else good
    made = [[fitting] * count for count in counts] if fitting is not None else [[]]
    return made + [[text] for text in texts(item)] if item.get("type") == "string" else made


def around(schema):
    """AROUND, and what stands in the document itself."""
    direct = {of["$ref"].rpartition("/")[2]: key for key, of in schema["properties"].items() if "$ref" in of}
    return {**{name: (lambda o, key=key: {key: o}) for name, key in direct.items()}, **AROUND}


def values_for(schema):
    """Of its own type at its bounds, then of every other type."""
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    own = []
    if "number" in kinds:
        own += ["0.5", 0.5, "0", "1e-7", -1, "-1", "cheap", "", "0.5 USD"]
    elif "string" in kinds:
        own += texts(schema)
    if "integer" in kinds:
        own += integers(schema)
    if "array" in kinds:
        own += lists(schema)
    if "boolean" in kinds:
        own += [True, False]
    others = {"boolean": [True], "integer": [7], "string": ["text"], "array": [[]], "object": [{}, {"nobody-has-this": []}], "null": [None]}
    is_text = "string" in kinds and "number" not in kinds
    # A number or a boolean without quotes is text to the program; the schema wants the quotes (src/config/schema.c).
    skipped = {"boolean", "integer"} if is_text else set()
    return own + [value for kind, each in others.items() if kind not in skipped for value in each]


SCHEMA = json.loads(subprocess.run([str(PROGRAM), "schema"], check=True, capture_output=True, text=True).stdout)


def test_every_object_has_its_place():
    assert set(around(SCHEMA)) == {"document", *SCHEMA["$defs"]}


@pytest.mark.parametrize("name", around(SCHEMA))
def test_schema_and_program_agree_on_every_key(name, tmp_path):
    validator = jsonschema.Draft202012Validator(SCHEMA)
    described = SCHEMA if name == "document" else SCHEMA["$defs"][name]
    for key, of in described["properties"].items():
        accepted = 0
        is_beyond_one_key = (name, key) in BEYOND_ONE_KEY or key.endswith("_file")
        for value in values_for(of):
            document = {"version": 1} | around(SCHEMA)[name]({key: value})
            by_schema = validator.is_valid(document)
            by_program, why = program_says(tmp_path, document)
            may_differ = by_schema and (is_beyond_one_key or "$ref" in of)
            assert by_schema == by_program or may_differ, (name, key, value, "schema" if by_schema else "program", why)
            accepted += by_program
        if not is_beyond_one_key and "not" not in of and "$ref" not in of and "anyOf" not in of:
            assert accepted, (name, key, "no value was taken: the test asks for nothing")
