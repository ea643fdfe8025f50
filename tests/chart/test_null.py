"""`null` takes a default away: that is Helm's rule. Here it means what an absent key means, or it is refused by the key's name; no
template finds nothing where it looks for something."""
import copy
import functools
import json

import jsonschema
import pytest
import yaml

from chart import CHART, merged, objects_of, one, values_path

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
EVERYTHING = ["both.yaml", "gateway-full.yaml", "monitoring.yaml"]


def paths_of(schema, values, path=()):
    """(path, default) of every key that the chart has words for, those above others included."""
    for name, of in schema["properties"].items():
        if name in values:
            yield path + (name,), values[name]
            inner = SCHEMA["$defs"]["layer"] if of.get("$ref") == "#/$defs/layer" else of
            if "properties" in inner:
                yield from paths_of(inner, values[name], path + (name,))


PATHS = list(paths_of(SCHEMA, DEFAULTS))
EMPTY = [path for path, default in PATHS if default in ("", None, {}, []) and default is not False]
SAYING = [path for path, _ in PATHS if path not in EMPTY]


def put(values, path, value):
    """A copy with the value at the path."""
    values = copy.deepcopy(values)
    at = values
    for name in path[:-1]:
        at = at.setdefault(name, {})
    at[path[-1]] = value
    return values


def everything():
    return functools.reduce(merged, (yaml.safe_load(values_path(name).read_text()) for name in EVERYTHING))


def test_the_paths_are_found():
    assert {("gateway",), ("policy", "mesh", "content"), ("credentials", "defaultMode"), ("tests", "gateway", "model")} <= {p for p, _ in PATHS}
    assert ("commonAnnotations",) in EMPTY and ("openshift",) in SAYING and len(EMPTY) > 40 < len(SAYING)


@pytest.mark.parametrize("path", SAYING, ids=".".join)
def test_null_is_refused_where_the_default_says_something(path):
    """As Helm puts it to the schema: the key is gone."""
    values = put(DEFAULTS, path, None)
    above = values
    for name in path[:-1]:
        above = above[name]
    del above[path[-1]]
    errors = list(jsonschema.Draft202012Validator(SCHEMA).iter_errors(values))
    assert [(error.validator, list(error.path)) for error in errors] == [("required", list(path[:-1]))]
    assert f"'{path[-1]}' is a required property" in errors[0].message


@pytest.mark.parametrize("key", DEFAULTS)
def test_both_helms_say_which_value_is_missing_or_take_the_default(helm, key):
    result = helm.template(EVERYTHING, values={key: None})
    if (key,) in SAYING:
        assert result.returncode != 0 and f"missing property '{key}'" in result.stderr, result.stderr
    else:
        assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("key", [key for key, default in DEFAULTS.items() if isinstance(default, dict)])
def test_an_empty_map_is_the_default(helm3, key):
    assert helm3.template(EVERYTHING, values={key: {}}).stdout == helm3.text(tuple(EVERYTHING)) != ""


@pytest.mark.parametrize("under", [{}, everything()], ids=["default", "everything"])
def test_null_is_the_default_where_that_is_empty(helm, under):
    nulls, defaults = under, under
    for path in EMPTY:
        nulls, defaults = put(nulls, path, None), put(defaults, path, dict(PATHS)[path])
    for values in (nulls, defaults):
        values.setdefault("config", {})["keys"] = {"a": {"service": "a", "hash": {"env": "A"}}}
    with_nulls, with_defaults = helm.template(values=nulls), helm.template(values=defaults)
    assert with_nulls.returncode == 0, with_nulls.stderr
    assert with_nulls.stdout == with_defaults.stdout != ""


def test_a_single_default_of_a_free_map_may_go(helm3):
    result = helm3.template(values={"sidecar": {"resources": {"limits": {"memory": None}}}, "monitoring": {"grafanaDashboard": {
        "enabled": True, "labels": {"grafana_dashboard": None, "find": "me"}}}})
    assert result.returncode == 0, result.stderr
    objects = objects_of(result.stdout)
    container = yaml.safe_load(one(objects, "ConfigMap", "-sidecar")["data"]["pod.yaml"])["spec"]["initContainers"][0]
    assert not container["resources"]["limits"] and container["resources"]["requests"] == {"cpu": "10m", "memory": "32Mi"}
    labels = one(objects, "ConfigMap", "-dashboard")["metadata"]["labels"]
    assert labels["find"] == "me" and "grafana_dashboard" not in labels
