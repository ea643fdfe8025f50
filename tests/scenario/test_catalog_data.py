"""The shipped catalog: read-only data without relocations, rebuilt by a command, switched on by keys in the environment."""
import json
import re
import shutil
import subprocess
import sys

import pytest

from gateway import SECRETS, Remora, two_providers
from upstream import ROOT, build_dir

TABLES = ("texts", "parameter_rows", "price_rows", "tier_rows", "override_rows", "provider_rows", "model_rows", "endpoint_rows")
CATALOG = ROOT / "data/catalog.json"


def readelf(*arguments):
    return subprocess.run(["readelf", "-W", *arguments, str(build_dir() / "remora")], check=True, capture_output=True, text=True).stdout


def table_ranges():
    """{name: (address, bytes)} of the catalog's tables in the program."""
    found = {}
    for line in readelf("-s").splitlines():
        m = re.match(r"\s*\d+: ([0-9a-f]+)\s+(\d+|0x[0-9a-f]+) OBJECT\s+\S+\s+\S+\s+\S+ (\w+?)(?:\.lto_priv\.\d+)?$", line)
        if m and m.group(3) in TABLES:
            found[m.group(3)] = (int(m.group(1), 16), int(m.group(2), 0))
    return found


@pytest.mark.skipif(shutil.which("readelf") is None, reason="no readelf")
def test_the_tables_are_read_only_and_the_loader_has_nothing_to_do():
    ranges = table_ranges()
    assert set(ranges) == set(TABLES)
    assert sum(size for _, size in ranges.values()) > 300_000
    writable = [(int(m.group(1), 16), int(m.group(2), 16)) for m in
                re.finditer(r"^\s+LOAD\s+\S+ (0x[0-9a-f]+) \S+ \S+ (0x[0-9a-f]+) RW", readelf("-l"), re.M)]
    assert writable, "the program's writable segment"
    relocations = [int(m.group(1), 16) for m in re.finditer(r"^([0-9a-f]{12,16})\s", readelf("-r"), re.M)]
    assert relocations
    for name, (address, size) in ranges.items():
        assert not any(start < address + size and address < start + length for start, length in writable), f"{name} can be written"
        assert not [r for r in relocations if address <= r < address + size], f"{name} is relocated"


def build(source, out):
    return subprocess.run([sys.executable, str(ROOT / "tools/catalog.py"), str(source), str(out)], capture_output=True, text=True)


def test_a_file_of_facts_becomes_the_catalog(tmp_path):
    """What the build runs, and what `make catalog FILE=...` runs before it replaces data/catalog.json."""
    assert build(CATALOG, tmp_path / "a.inc").returncode == 0
    text = (tmp_path / "a.inc").read_text()
    assert "catalog_rounded_prices = 103;" in text and 'catalog_version[] = "2026-11-21"' in text
    assert build(CATALOG, tmp_path / "b.inc").returncode == 0
    assert (tmp_path / "b.inc").read_text() == text, "the same facts give the same tables"


@pytest.mark.parametrize("break_it, why", [
    (lambda c: c["models"][0]["endpoints"][0]["pricing"].update(surprise="1"), "unknown prices"),
    (lambda c: c["models"][0]["endpoints"][0]["pricing"].update(prompt="-1"), "price out of range"),
    (lambda c: c["models"][0]["endpoints"][0].update(provider="nobody"), "nobody"),
    (lambda c: c.update(schema_version=2), "schema_version"),
    (lambda c: c["providers"].append(c["providers"][0]), "twice"),
    (lambda c: c["models"].append(c["models"][0]), "twice"),
    (lambda c: c.update(generated="yesterday"), "yesterday"),
])
def test_facts_that_are_not_understood_stop_the_build_and_change_nothing(tmp_path, break_it, why):
    facts = json.loads(CATALOG.read_text())
    break_it(facts)
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps(facts))
    result = build(broken, tmp_path / "out.inc")
    assert result.returncode != 0 and why in result.stderr and "Traceback" not in result.stderr, result.stderr
    assert not (tmp_path / "out.inc").exists()


def test_the_command_replaces_the_shipped_file_only_by_facts_that_it_understands(tmp_path):
    root = tmp_path / "root"
    (root / "data").mkdir(parents=True)
    (root / "tools").mkdir()
    shutil.copy(ROOT / "tools/catalog.py", root / "tools")
    shutil.copy(CATALOG, root / "data")
    command = [sys.executable, str(root / "tools/catalog.py"), "--ship"]
    facts = json.loads(CATALOG.read_text())
    facts["generated"] = "2027-01-02"
    facts["models"][0]["endpoints"][0]["pricing"]["prompt"] = "0.0000012345678901"
    newer = tmp_path / "newer.json"
    newer.write_text(json.dumps(facts))
    result = subprocess.run([*command, str(newer)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "2026-11-21 -> 2027-01-02" in result.stdout and "103 -> 104 rounded prices" in result.stdout
    shipped = json.loads((root / "data/catalog.json").read_text())
    assert shipped == facts
    newer.write_text(json.dumps({**facts, "schema_version": 9}))
    before = (root / "data/catalog.json").read_bytes()
    assert subprocess.run([*command, str(newer)], capture_output=True).returncode != 0
    assert (root / "data/catalog.json").read_bytes() == before


def ids(remora):
    return [m["id"] for m in json.loads(remora.request("GET", "/v1/models")[2])["data"]]


def test_keys_in_the_environment_switch_providers_on(upstream):
    with Remora(two_providers(upstream, "ok"), environment=SECRETS) as remora:
        assert ids(remora) == ["t/m"]
    with Remora(two_providers(upstream, "ok"), environment={**SECRETS, "MISTRAL_API_KEY": "k", "DEEPSEEK_API_KEY": "k"}) as remora:
        found = ids(remora)
        assert "t/m" in found and any(i.startswith("mistralai/") for i in found) and any(i.startswith("deepseek/") for i in found)
        assert not any(i.startswith("anthropic/") for i in found)
    with Remora(environment={"MISTRAL_API_KEY": ""}) as remora:
        assert ids(remora) == [], "an empty variable is none"


def test_operator_overrides_of_provider_model_and_endpoint_reach_the_wire(upstream):
    more = f"""
version: 1
providers:
  mistral: {{base_url: "{upstream.base_url}", api_key: {{env: A_SECRET}}, headers: {{X-Team: core}}}}
models:
  mistralai/mistral-large-2512:
    name: Our large one
    replace_endpoints: true
    endpoints: [{{provider: mistral, model_id: ok, pricing: {{prompt: "0.5", completion: "0"}}}}]
"""
    with Remora(more, environment=SECRETS) as remora:
        status, _, body = remora.chat({"model": "mistralai/mistral-large-2512"})
        assert status == 200, body
        assert body["usage"]["cost"] == body["usage"]["prompt_tokens"] * 0.5
        sent = upstream.last()["header"]
        assert sent["x-team"] == "core" and sent["authorization"] == "Bearer " + SECRETS["A_SECRET"]
        # what was not overridden is the catalog's
        other = [i for i in ids(remora) if i.startswith("mistralai/") and i != "mistralai/mistral-large-2512"]
        assert other
