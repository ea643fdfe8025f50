#!/usr/bin/env python3
"""Generates helm/remora/values.schema.json and helm/remora/README.md.

usage: chart.py [--build DIR]    writes them
       chart.py --check          exit status 1 and a diff when a file is not what would be written
       chart.py --self-test      does the check see a change of a value, of its words and of the program's schema?

The types of the values stand in helm/remora/values.schema.in.yaml, their words and defaults in values.yaml ("# --" comments), the
configuration's part comes from `remora schema`, the text of the README from README.md.in, where a line "@values@" becomes the table.
Needs PyYAML (tests/requirements.txt) and the program, in build/ unless --build says otherwise.
"""
import copy
import difflib
import json
import pathlib
import re
import subprocess
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
CHART = ROOT / "helm/remora"
# Keys that Helm itself may hand to a chart.
HELMS_OWN = {"enabled"}


class Sources:
    """What the files are made from; the self-test changes copies of it."""

    def __init__(self, build):
        read = lambda name: (CHART / name).read_text(encoding="utf-8")
        self.values_text = read("values.yaml")
        self.types = yaml.safe_load(read("values.schema.in.yaml"))
        self.readme = read("README.md.in")
        self.config = json.loads(subprocess.run([build / "remora", "schema"], check=True, capture_output=True, text=True).stdout)

    def values(self):
        return yaml.safe_load(self.values_text)


def words_of(values_text):
    """{"gateway.service.type": "Type of the Service.", ...} in the order of the file."""
    found, path, words = {}, [], None
    for line in values_text.splitlines():
        comment = re.match(r"\s*# ?(-- )?(.*)$", line)
        key = re.match(r"(\s*)([A-Za-z]\w*):", line)
        if comment:
            if comment.group(1):
                words = [comment.group(2)]
            elif words is not None:
                words.append(comment.group(2))
        elif key:
            depth = len(key.group(1)) // 2
            path = path[:depth] + [key.group(2)]
            if words:
                found[".".join(path)] = " ".join(words)
            words = None
        else:
            words = None
    return found


def value_at(values, path):
    for part in path.split("."):
        values = values[part]
    return values


# ---- the schema ----

def closed(schema):
    """Objects with properties refuse other keys."""
    if isinstance(schema, dict):
        if "properties" in schema:
            schema.setdefault("type", "object")
            schema.setdefault("additionalProperties", False)
        for value in schema.values():
            closed(value)
    elif isinstance(schema, list):
        for value in schema:
            closed(value)
    return schema


def refers_to(schema, names):
    """References of the program's definitions, by their names here."""
    if isinstance(schema, dict):
        return {k: "#/$defs/" + names[v.rpartition("/")[2]] if k == "$ref" else refers_to(v, names) for k, v in schema.items()}
    return [refers_to(v, names) for v in schema] if isinstance(schema, list) else schema


def config_definitions(config):
    names = {name: name if name == "policy" else "config_" + name for name in config["$defs"]}
    document = {k: v for k, v in config.items() if k not in ("$schema", "$defs", "title")}
    return {"config": refers_to(document, names), **{names[k]: refers_to(v, names) for k, v in config["$defs"].items()}}


def paths_of(schema, definitions, prefix=""):
    """(path, schema) of every key that the types name, as far as values.yaml has words for each."""
    for name, value in schema.get("properties", {}).items():
        if not prefix and name in HELMS_OWN:
            continue
        yield prefix + name, value
        target = value.get("$ref", "").rpartition("/")[2]
        if target == "layer" or "properties" in value:
            yield from paths_of(definitions[target] if target else value, definitions, prefix + name + ".")


def described(types, values_text):
    words, values, used = words_of(values_text), yaml.safe_load(values_text), set()
    for path, schema in paths_of(types, types["$defs"]):
        try:
            value_at(values, path)
        except (KeyError, TypeError):
            sys.exit(f"chart: values.yaml has no {path}")
        if path in words:
            used.add(path)
            if "layer" not in str(schema.get("$ref")):
                schema["description"] = words[path]
        elif "properties" not in schema and "$ref" not in schema:
            sys.exit(f"chart: values.yaml has no words for {path}")
    for path in words:
        if path not in used:
            sys.exit(f"chart: values.schema.in.yaml does not know {path}")


def needed(schema, values, definitions):
    """Keys whose default says something must stay: `null` in Helm takes a default away, and templates would find nothing there. Where
    the default is empty, `null` is the default."""
    for name, value in schema.get("properties", {}).items():
        if name in values and values[name] not in ("", None, {}, []):
            schema.setdefault("required", []).append(name)
        target = value.get("$ref", "").rpartition("/")[2]
        if "properties" in value:
            needed(value, values[name], definitions)
        elif target == "layer" and "required" not in definitions[target]:
            needed(definitions[target], values[name], definitions)


def schema_text(sources):
    types = copy.deepcopy(sources.types)
    described(types, sources.values_text)
    needed(types, sources.values(), types["$defs"])
    closed(types)
    types["$defs"].update(config_definitions(sources.config))
    return json.dumps(types, indent=1, ensure_ascii=False) + "\n"


# ---- the README ----

def shown(value):
    return "" if value in ("", None, {}, []) else f"`{value if isinstance(value, str) else json.dumps(value)}`"


def values_table(values_text):
    values = yaml.safe_load(values_text)
    lines = ["| Value | Default | What it does |", "|---|---|---|"]
    for path, words in words_of(values_text).items():
        lines.append(f"| `{path}` | {shown(value_at(values, path))} | {words} |".replace("|  |", "| |"))
    return "\n".join(lines)


def readme_text(sources):
    return re.sub(r"^@values@$", lambda _: values_table(sources.values_text), sources.readme, flags=re.M)


# ---- ----

def made(sources):
    return {"values.schema.json": schema_text(sources), "README.md": readme_text(sources)}


def differences(sources):
    for name, text in made(sources).items():
        path = CHART / name
        now = path.read_text(encoding="utf-8") if path.exists() else ""
        yield from difflib.unified_diff(now.splitlines(), text.splitlines(), f"helm/remora/{name}", "as generated", lineterm="", n=0)


def self_test(build):
    sources = Sources(build)
    changes = [("a default", "values_text", lambda t: t.replace("replicas: 2", "replicas: 3")),
               ("words", "values_text", lambda t: t.replace("Tag; empty", "A tag; empty")),
               ("a type", "types", lambda t: {**t, "title": "other"}),
               ("the program's schema", "config", lambda c: {**c, "properties": {**c["properties"], "version": {}}}),
               ("the README", "readme", lambda t: t + "more\n")]
    for what, name, change in changes:
        before = getattr(sources, name)
        setattr(sources, name, change(copy.deepcopy(before)))
        if not list(differences(sources)):
            sys.exit(f"chart self-test: a change of {what} is not seen")
        setattr(sources, name, before)
    print(f"chart self-test: {len(changes)} changes seen")


def main():
    arguments = sys.argv[1:]
    build = ROOT / "build"
    if "--build" in arguments:
        at = arguments.index("--build")
        build = pathlib.Path(arguments[at + 1])
    if "--self-test" in arguments:
        self_test(build)
    elif "--check" in arguments:
        found = list(differences(Sources(build)))
        print("\n".join(found + ["chart: run tools/chart.py"]) if found else "chart: current")
        sys.exit(1 if found else 0)
    else:
        for name, text in made(Sources(build)).items():
            (CHART / name).write_text(text, encoding="utf-8")


main()
