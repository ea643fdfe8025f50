"""docs/kubernetes.md quotes messages under "Troubleshooting": Helm's are provoked, the program's stand in its sources."""
import re
import subprocess

import pytest

from chart import CHART, PROGRAM, ROOT

TABLE = (ROOT / "docs/kubernetes.md").read_text().partition("## Troubleshooting")[2].partition("## Figures")[0]
# Of the first column; a word alone is a name and no message.
QUOTES = {quote for row in re.findall(r"^\| (.*?) \| ", TABLE, re.M) for quote in re.findall(r"`([^`]+)`", row) if " " in quote}
KEYS = ["config.keys.a.service=a", "config.keys.a.hash.env=A"]
HELMS = {
    "at '/config': additional properties 'provider' not allowed": ["config.provider.x=1"],
    "policy.namespace.content would go nowhere": ["mode=gateway", *KEYS, "policy.namespace.content.limits.concurrency=1"],
    "config.policy and policy.mesh are two sources of one layer": ["config.policy.limits.concurrency=1"],
    "the gateway needs gateway keys in its document": ["mode=gateway"],
}
HELMS_OWN = "chart requires kubeVersion: >=1.29.0-0"
OTHERS = {'MountVolume.SetUp failed ... secret "llm-keys" not found', "connection refused"}
# Source, and the fixed pieces of the message: they stand in the quote and in string literals there.
PROGRAMS = {
    'models.a/b.endpoints[0].provider: 2:39: "nobody" is not among the providers': ("config/endpoints.c", ['" is not among the providers']),
    'remora: configuration: provider: 2:1: unknown key "provider": did you mean "providers"?':
        ("config/check.c", [': unknown key "', '": did you mean "', '"?']),
    "not ready: the mesh policy is absent": ("front/http/plain.c", ["not ready: "]),
    "the gateway is not ready: the mesh policy is absent": ("config/lookup.c", ["the gateway is not ready: "]),
    "configuration refused": ("app/snapshot.c", ["configuration refused"]),
    "/etc/remora/policy/mesh/policy.yaml may have been cut off: the one in force ends with a line break, and this one does not":
        ("config/ending.c", [" may have been cut off: the one in force ends with ", "a line break", ", and this one does not"]),
    "secret file /etc/remora/credentials/openai does not exist": ("base/secret.c", ["secret file ", "does not exist"]),
    "no endpoint of 'openai/gpt-4o-mini' can be tried: no_credential (1)": ("route/verdict.c", ["no endpoint of '", "' can be tried: "]),
    "may be read by everybody: chmod o-r it (a Kubernetes volume: defaultMode 0440)":
        ("config/credentials.c", ["may be read by everybody: chmod o-r it (a Kubernetes volume: defaultMode 0440)"]),
    "Host is not a loopback name; list it under hosts if it is meant.":
        ("front/http/guard.c", ["Host is not a loopback name; list it under hosts if it is meant."]),
    "This gateway asks for a key that it knows": ("config/caller.c", ["This gateway asks for a key that it knows"]),
    "0.0.0.0:7360 is beyond loopback, where http and grpc need gateway keys":
        ("config/address.c", ["is beyond loopback, where http and grpc need gateway keys"]),
}


# What the program is given, where the quote is a whole message: line and column are of this text.
WHOLE = {
    'models.a/b.endpoints[0].provider: 2:39: "nobody" is not among the providers': "models: {a/b: {endpoints: [{provider: nobody, model_id: x}]}}",
    'remora: configuration: provider: 2:1: unknown key "provider": did you mean "providers"?': "provider: {}",
}


def literals(source):
    """The source's text with neighbouring string literals joined and quotes as they come out."""
    text = (ROOT / "src" / source).read_text()
    return re.sub(r'(?<!\\)"\s*(?<!\\)"', "", text).replace('\\"', '"')


def test_every_quote_is_accounted_for():
    assert QUOTES == {*HELMS, HELMS_OWN, *OTHERS, *PROGRAMS}


@pytest.mark.parametrize("quote", HELMS)
def test_helm_says_so(quote, helm):
    assert quote in helm.refusal(sets=HELMS[quote])


def test_helm_without_a_version_is_refused_in_these_words(helm):
    """Where its own is too old; --kube-version says which one that is."""
    assert HELMS_OWN in helm.run("template", "shop", str(CHART), "--kube-version", "1.28").stderr


@pytest.mark.parametrize("quote", PROGRAMS)
def test_the_program_says_so(quote):
    source, pieces = PROGRAMS[quote]
    said = literals(source)
    assert [piece for piece in pieces if piece not in quote or piece not in said] == []


@pytest.mark.parametrize("quote", WHOLE)
def test_the_program_says_all_of_it(quote, tmp_path):
    (tmp_path / "remora.yaml").write_text(f"version: 1\n{WHOLE[quote]}\n")
    said = subprocess.run([str(PROGRAM), "serve", "--config", str(tmp_path / "remora.yaml")], capture_output=True, text=True, timeout=60, env={})
    assert said.returncode == 1 and f"remora: configuration: {quote.removeprefix('remora: configuration: ')}" in said.stderr.splitlines()


def test_the_reasons_within_quotes_are_the_programs():
    assert "the mesh policy is absent" in literals("config/policy_files.c")
    assert re.search(r'REMORA_RULE\(NO_CREDENTIAL, "no_credential"', (ROOT / "include/remora/tbl/rules.h").read_text())
