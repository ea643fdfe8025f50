"""`remora policy test`: its verdicts, its words, its exit status; the examples and every snippet of docs/policy.md."""
import os
import re
import subprocess

import pytest

from gateway import SECRETS, Remora
from upstream import ROOT, build_dir

HASH = "0123456789abcdef" * 4
KEYS = {"UNION_API_KEY": "k", "ABROAD_API_KEY": "k", "OPENAI_API_KEY": "sk-unused", "CHECKOUT_WEB_HASH": HASH,
        "SEARCH_WEB_HASH": HASH[::-1], "BATCH_NIGHTLY_HASH": HASH[1:] + "0", "BATCH_TRIAL_HASH": HASH[2:] + "00"}
CLEAN = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY") and "proxy" not in k.lower()}


def tool(*arguments):
    return subprocess.run([str(build_dir() / "remora"), *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          env={**CLEAN, **SECRETS, **KEYS})


CONFIG = """
version: 1
service: checkout
providers:
  a: {kind: openai, base_url: "http://127.0.0.1:1/v1", data_policy: {training: false}}
  b: {kind: openai, base_url: "http://127.0.0.1:1/v1"}
models:
  t/m: {endpoints: [{provider: a, model_id: m}, {provider: b, model_id: m}]}
  t/n: {endpoints: [{provider: b, model_id: n}]}
services:
  checkout: {provider: {data_collection: deny}, models: {default: t/m}}
"""


@pytest.fixture
def table(tmp_path):
    (tmp_path / "remora.yaml").write_text(CONFIG)

    def run(cases, head="config: remora.yaml\n", *options):
        (tmp_path / "cases.yaml").write_text(head + cases)
        return tool("policy", "test", *options, tmp_path / "cases.yaml")
    run.folder = tmp_path
    return run


def test_a_table_that_holds(table):
    result = table("""
cases:
  - {name: default, request: {}, expect: {endpoints: [a], excluded: {b: "data_policy:training POLICY_LAYER_SERVICE"}}}
  - {request: {model: t/m}, expect: {excluded: {b: data_policy:training}}}
  - {request: {models: [t/m, t/n]}, expect: {endpoints: [t/m a], excluded: {t/n b: data_policy:training Service}}}
  - {request: {model: t/n}, expect: {endpoints: [], reason: PRIVACY_RESTRICTED}}
  - {request: {model: t/nn, messages: [{role: user, content: hi}]}, expect: {reason: MODEL_NOT_FOUND}}
  - {request: {temperature: 9}, expect: {reason: INVALID_REQUEST}}
""")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == ["ok    cases[0] default", "ok    cases[1]", "ok    cases[2]", "ok    cases[3]",
                                          "ok    cases[4]", "ok    cases[5]", "6 of 6 cases hold"]


def test_what_does_not_hold_is_told_with_what_was_found(table):
    result = table("""
cases:
  - name: all wrong
    request: {models: [t/m, t/n]}
    expect: {endpoints: [t/n b, t/m a], excluded: {b: zdr, "t/m a": ignored_provider, c: zdr}, reason: NO_ENDPOINTS}
  - {name: layer, request: {}, expect: {excluded: {b: "data_policy:training mesh"}}}
  - {name: read, request: {model: 3}, expect: {endpoints: []}}
  - {name: fine, request: {}, expect: {endpoints: [a]}}
""")
    assert result.returncode == 1
    assert result.stdout == """FAIL  cases[0] all wrong
      endpoints in their order
        expected  t/n b, t/m a
        found     t/m a
      why b is out
        expected  zdr
        found     data_policy:training POLICY_LAYER_SERVICE
      why t/m a is out
        expected  ignored_provider
        found     in, at position 1
      why c is out
        expected  zdr
        found     no such endpoint of what is asked for
      the reason that it is refused with
        expected  NO_ENDPOINTS
        found     endpoints are left
FAIL  cases[1] layer
      why b is out
        expected  data_policy:training mesh
        found     data_policy:training POLICY_LAYER_SERVICE
FAIL  cases[2] read
      a request that is read
        expected  a plan
        found     INVALID_REQUEST: model must be a string.
ok    cases[3] fine
1 of 4 cases hold
"""


@pytest.mark.parametrize("cases, text", [
    ("cases: []\n", "cases: expected a list with at least one case"),
    ("case: []\n", 'document: unknown key "case"; did you mean \'cases\'?'),
    ("cases: [{requests: {}}]\n", "cases[0]: unknown key \"requests\"; did you mean 'request'?"),
    ("cases: [{expect: {endpoints: []}}]\n", "cases[0]: needs request"),
    ("cases: [{request: {}}]\n", "cases[0]: needs expect"),
    ("cases: [{request: {}, expect: {}}]\n", "cases[0]: expects nothing"),
    ("cases: [{request: {}, expect: {endpoint: []}}]\n", "did you mean 'endpoints'?"),
    ("cases: [{request: {}, expect: {endpoints: a}}]\n", "expect.endpoints: expected a list"),
    ("cases: [{request: {}, expect: {excluded: [a]}}]\n", "expect.excluded: expected tags"),
    ("cases: [{request: {}, service: 3, expect: {endpoints: []}}]\n", "service: expected text"),
    ("cases: [{request: {}, service: chekout, expect: {endpoints: []}}]\n", "did you mean 'checkout'?"),
    ("cases: [{request: {}, key: k, expect: {endpoints: []}}]\n", "no key is called 'k'"),
    ("cases: [{request: {}, request: {}}]\n", "2:23: the key \"request\" stands here twice"),
    ("cases: [\n", "3:1: "),
])
def test_a_wrong_table_is_told_and_ends_with_2(table, cases, text):
    result = table(cases)
    assert result.returncode == 2 and text in result.stderr, result.stderr


def test_files_and_options(table, tmp_path):
    holds = "cases: [{request: {}, expect: {endpoints: [a]}}]\n"
    assert table(holds, "", "--config", tmp_path / "remora.yaml").returncode == 0
    other = tmp_path / "other.yaml"
    other.write_text(CONFIG.replace("deny", "allow"))
    assert table(holds, "config: remora.yaml\n", "--config", other).returncode == 1
    assert table(holds, f"config: {other}\n").returncode == 1
    assert table(holds, "config: none.yaml\n").returncode == 2
    for arguments in ([], ["test"], ["tset", "x"], ["test", tmp_path / "none.yaml"], ["test", "--config", "x"],
                      ["test", "--what", "x", tmp_path / "cases.yaml"]):
        result = tool("policy", *arguments)
        assert result.returncode == 2 and result.stderr and not result.stdout, arguments


def test_the_policy_for_three_services():
    assert tool("check", "--strict", ROOT / "examples/config/three_services.yaml").returncode == 0
    command = "policy test examples/policy/three_services.test.yaml"
    readme = " ".join((ROOT / "README.md").read_text().split())
    assert f"build/remora {command}" in readme
    result = subprocess.run([str(build_dir() / "remora"), *command.split()], capture_output=True, text=True, timeout=60, env=CLEAN, cwd=ROOT)
    assert result.returncode == 0 and result.stdout.endswith("9 of 9 cases hold\n"), result.stdout + result.stderr


def test_keys_that_are_not_here_are_assumed_only_where_the_table_says_so(table):
    holds = "cases: [{request: {model: t/m}, expect: {endpoints: [a]}}]\n"
    keyed = CONFIG.replace('a: {kind: openai,', 'a: {kind: openai, api_key: {env: ABSENT_SECRET}, headers: {x-key: {file: /none}},')
    (table.folder / "keyed.yaml").write_text(keyed)
    assert table(holds, "config: keyed.yaml\n").returncode == 1
    assert table(holds, "config: keyed.yaml\nwith_keys: false\n").returncode == 1
    result = table(holds, "config: keyed.yaml\nwith_keys: true\n")
    assert result.returncode == 0, result.stdout + result.stderr
    assert table(holds, "config: keyed.yaml\nwith_keys: 1\n").returncode == 2


def test_the_two_provider_configuration_serves(upstream):
    path = ROOT / "examples/config/two_providers.yaml"
    assert tool("check", "--strict", path).returncode == 0
    text = path.read_text().replace("http://127.0.0.1:9001/v1", upstream.base_url).replace("model_id: gpt-4o-mini", "model_id: ok")
    with Remora(text, environment=KEYS) as remora:
        for body in ({}, {"model": "small"}, {"model": "openai/gpt-4o-mini"}, {"model": "gpt-4o-mini"}):
            status, _, answer = remora.chat(body)
            assert status == 200 and answer["provider"] == "house" and answer["model"] == "openai/gpt-4o-mini", answer


SNIPPETS = re.findall(r"^```yaml (\w+)\n(.*?)^```$", (ROOT / "docs/policy.md").read_text(), flags=re.M | re.S)


def whole(part):
    """The page shows parts of documents, too."""
    return part if re.search(r"^version:", part, re.M) else "version: 1\n" + part


def test_every_snippet_of_the_page_is_marked():
    page = (ROOT / "docs/policy.md").read_text()
    assert len(re.findall(r"^```", page, flags=re.M)) == 2 * len(SNIPPETS) and len(SNIPPETS) >= 11
    assert {kind for kind, _ in SNIPPETS} == {"config", "cases", "policy"}


@pytest.mark.parametrize("index", range(len(SNIPPETS)))
def test_the_snippets_of_the_page_hold(tmp_path, index):
    kind, text = SNIPPETS[index]
    config, cases = tmp_path / "remora.yaml", tmp_path / "cases.yaml"
    if kind == "policy":
        (tmp_path / "policy.yaml").write_text(text)
        text = f"policy_files: {{mesh: {tmp_path / 'policy.yaml'}}}\n"
    if kind == "cases":
        before = [t for k, t in SNIPPETS[:index] if k == "config"]
        config.write_text(whole(before[-1]))
        cases.write_text(text)
        result = tool("policy", "test", "--config", config, cases)
        assert result.returncode == 0, result.stdout + result.stderr
    else:
        config.write_text(whole(text))
        result = tool("check", config)
        assert result.returncode == 0, result.stderr
