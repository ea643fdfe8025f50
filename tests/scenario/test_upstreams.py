"""What a provider's configuration says about the way to it: keys in order, headers, authorities, certificates, proxies."""
import json
import os
import signal
import subprocess
import time

import pytest

from gateway import SECRETS, Remora, two_providers
from peers import ChatUpstream, ConnectProxy, Http2Upstream, authority
from upstream import build_dir, make_ca, make_self_signed

FIRST, SECOND = "sk-canary-first-1111111111111111111111", "sk-canary-second-222222222222222222222"
KEYS = {"FIRST_KEY": FIRST, "SECOND_KEY": SECOND}


def config(providers, models=None):
    """providers: slug -> the text inside its braces. models: id -> providers, tried in that order; without: SLUG/m each."""
    text = "version: 1\nservice: checkout\nproviders:\n"
    for slug, inside in providers.items():
        text += f"  {slug}: {{kind: openai, {inside}}}\n"
    text += "models:\n"
    for model, endpoints in (models or {f"{slug}/m": [slug] for slug in providers}).items():
        text += f"  {model}:\n    endpoints:\n"
        for slug in endpoints:
            text += f"      - {{provider: {slug}, model_id: m, pricing: {{prompt: \"0\", completion: \"0\"}}}}\n"
    return text


def ask(remora, model, status=200):
    got, _, body = remora.chat({"model": model})
    assert got == status, body
    return body


def said(body):
    return body["choices"][0]["message"]["content"]


def refusal(remora, model):
    """The one attempt fails on the way to the provider: why, closer than its code, stands in the log."""
    before = len([line for line in remora.log_lines() if line.get("message") == "attempt failed"])
    body = ask(remora, model, 502)
    assert [a["reason"] for a in body["error"]["metadata"]["attempts"]] == ["UPSTREAM_UNAVAILABLE"]
    return remora.wait_log("attempt failed", before + 1)[-1]


def refused_for(remora, model):
    return refusal(remora, model)["cause"]


@pytest.fixture(scope="module")
def authorities(tmp_path_factory):
    folder = tmp_path_factory.mktemp("authorities")
    return authority(folder, "one"), authority(folder, "two")


# ---- keys ----

TWO_KEYS = "api_key: [{env: FIRST_KEY}, {env: SECOND_KEY}]"


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refused_key_gives_way_to_the_next_in_the_same_request(status):
    with ChatUpstream(statuses={f"Bearer {FIRST}": status}) as server:
        with Remora(config({"a": f'base_url: "{server.base_url}", {TWO_KEYS}'}), environment=KEYS) as remora:
            body = ask(remora, "a/m")
            assert said(body) == "I am upstream"
            assert [r["headers"]["authorization"] for r in server.requests] == [f"Bearer {FIRST}", f"Bearer {SECOND}"]
            assert [a.get("reason") for a in body["remora"]["attempts"]] == ["UPSTREAM_CREDENTIAL", None]
            # The first one rests: the next request begins with the second.
            ask(remora, "a/m")
            assert server.requests[-1]["headers"]["authorization"] == f"Bearer {SECOND}"
            assert len(server.requests) == 3
            failed = remora.wait_log("attempt failed")
            assert [line["credential"] for line in failed] == ["FIRST_KEY"]
            refused = {k: v for k, v in remora.metrics().items() if k.startswith("remora_upstream_keys_refused_total")}
            assert refused == {'remora_upstream_keys_refused_total{provider="a",credential="FIRST_KEY"}': 1}
            assert "canary" not in remora.log() and "canary" not in str(body) + str(remora.metrics())


def test_a_provider_whose_keys_are_all_refused_falls_back_to_the_next():
    with ChatUpstream("bad", statuses={f"Bearer {FIRST}": 401, f"Bearer {SECOND}": 401}) as bad, ChatUpstream("good") as good:
        providers = {"a": f'base_url: "{bad.base_url}", {TWO_KEYS}', "b": f'base_url: "{good.base_url}"'}
        with Remora(config(providers, {"t/m": ["a", "b"]}), environment=KEYS) as remora:
            assert said(ask(remora, "t/m")) == "I am good"
            assert len(bad.requests) == 2
            assert said(ask(remora, "t/m")) == "I am good"  # both rest, nobody is asked in vain
            assert len(bad.requests) == 2


def test_a_key_that_is_refused_at_one_provider_is_good_at_another():
    with ChatUpstream("strict", statuses={f"Bearer {FIRST}": 403}) as strict, ChatUpstream("lax") as lax:
        providers = {slug: f'base_url: "{server.base_url}", api_key: {{env: FIRST_KEY}}'
                     for slug, server in (("a", strict), ("b", lax))}
        with Remora(config(providers), environment=KEYS) as remora:
            ask(remora, "a/m", 502)
            assert said(ask(remora, "b/m")) == "I am lax"


# ---- headers ----

def test_plain_and_secret_headers_of_the_operator_go_to_that_provider_only():
    with ChatUpstream("a") as a, ChatUpstream("b") as b:
        providers = {"a": f'base_url: "{a.base_url}", headers: {{X-Title: My app, X-Tenant: {{env: FIRST_KEY}}}}',
                     "b": f'base_url: "{b.base_url}"'}
        with Remora(config(providers), environment=KEYS) as remora:
            ask(remora, "a/m")
            ask(remora, "b/m")
            assert a.requests[0]["headers"]["x-title"] == "My app"
            assert a.requests[0]["headers"]["x-tenant"] == FIRST
            assert not {"x-title", "x-tenant"} & set(b.requests[0]["headers"])
            assert "canary" not in remora.log()


# ---- authorities and certificates ----

@pytest.mark.parametrize("place", ["document", "file"])
def test_an_authority_that_was_mended_serves_at_once(authorities, tmp_path, place):
    """What the breaker had learnt belongs to the wrong one, be it that the document names another file or that the file changed."""
    wrong, right = (folder / "ca.pem" for folder in reversed(authorities))
    named = tmp_path / "ca.pem"
    named.write_bytes(wrong.read_bytes())
    with ChatUpstream("one", tls=authorities[0]) as server:
        text = config({"one": f'base_url: "{server.base_url}", ca_file: "{named}"'})
        with Remora(text) as remora:
            for _ in range(6):
                remora.chat({"model": "one/m"})
            ask(remora, "one/m", 503)
            if place == "file":
                named.write_bytes(right.read_bytes())
            else:
                remora.config_path.write_text(text.replace(str(named), str(right)))
            remora.process.send_signal(signal.SIGHUP)
            remora.wait_log("configuration loaded")
            ask(remora, "one/m")


def test_an_own_authority_vouches_for_its_server_only(authorities):
    """Each of two providers has an authority of its own; neither vouches for the other's server, whoever was asked first."""
    one, two = authorities
    with ChatUpstream("one", tls=one) as server_one, ChatUpstream("two", tls=two) as server_two:
        providers = {
            "one": f'base_url: "{server_one.base_url}", ca_file: "{one / "ca.pem"}"',
            "two": f'base_url: "{server_two.base_url}", ca_file: "{two / "ca.pem"}"',
            "one-by-two": f'base_url: "{server_one.base_url}", ca_file: "{two / "ca.pem"}"',
            "two-by-one": f'base_url: "{server_two.base_url}", ca_file: "{one / "ca.pem"}"',
            "one-public": f'base_url: "{server_one.base_url}"',
        }
        for order in (["one", "one-by-two", "one-public", "two", "two-by-one"],
                      ["two-by-one", "two", "one-public", "one-by-two", "one"]):
            server_one.requests.clear()
            server_two.requests.clear()
            with Remora(config(providers)) as remora:
                for slug in order * 2:
                    if slug in ("one", "two"):
                        assert said(ask(remora, f"{slug}/m")) == f"I am {slug}"
                    else:
                        assert refused_for(remora, f"{slug}/m") == "tls"
            assert len(server_one.requests) == len(server_two.requests) == 2


def test_what_tls_failed_of_stands_in_the_log_and_not_in_the_answer(authorities, tmp_path):
    one, two = authorities
    other = make_ca(tmp_path, hosts="DNS:elsewhere.test")
    with ChatUpstream("one", tls=one) as server, ChatUpstream("other", tls=other) as misnamed:
        providers = {"one": f'base_url: "{server.base_url}", ca_file: "{two / "ca.pem"}"',
                     "other": f'base_url: "{misnamed.base_url}", ca_file: "{other / "ca.pem"}"'}
        with Remora(config(providers)) as remora:
            assert refusal(remora, "one/m")["detail"].startswith("the issuer is not known: ")
            assert refusal(remora, "other/m")["detail"] == "the certificate is for another name: base_url needs one that it has"
            assert "issuer" not in json.dumps(ask(remora, "one/m", 502))


BAD_CERTIFICATES = {
    "expired": ("the certificate has expired: renew it on the server, or set this machine's clock",
                lambda folder: make_ca(folder, valid=("20200101000000Z", "20200201000000Z"))),
    "early": ("the certificate is not valid yet: set this machine's clock, or the server's",
              lambda folder: make_ca(folder, valid=("20900101000000Z", "20900201000000Z"))),
    "another name": ("the certificate is for another name: base_url needs one that it has",
                     lambda folder: make_ca(folder, hosts="DNS:elsewhere.test,IP:192.0.2.1")),
    "unknown issuer": ("the issuer is not known: if it is meant, make its certificate the provider's ca_file", make_ca),
    "signed by itself": ("the certificate is signed by itself: if it is meant, make it the provider's ca_file", make_self_signed),
}


@pytest.mark.parametrize("name", BAD_CERTIFICATES)
def test_a_certificate_that_is_wrong_is_told_with_its_cure_and_the_next_provider_answers(authorities, tmp_path, name):
    detail, make = BAD_CERTIFICATES[name]
    good, folder = authorities[0], make(tmp_path)
    trusted = (good if name in ("unknown issuer", "signed by itself") else folder) / "ca.pem"
    with ChatUpstream("bad", tls=folder) as bad, ChatUpstream("good", tls=good) as fine:
        text = (f'version: 1\nproviders:\n  bad: {{kind: openai, base_url: "{bad.base_url}", ca_file: "{trusted}"}}\n'
                f'  good: {{kind: openai, base_url: "{fine.base_url}", ca_file: "{good / "ca.pem"}"}}\n'
                "models:\n  t/m: {endpoints: [{provider: bad, model_id: m}, {provider: good, model_id: m}]}\n"
                "  t/alone: {endpoints: [{provider: bad, model_id: m}]}\n")
        with Remora(text) as remora:
            for nth in range(12):
                answer = remora.stream({"model": "t/m"}) if nth % 2 else remora.chat({"model": "t/m"})
                assert answer.is_done if nth % 2 else (answer[0] == 200 and answer[2]["provider"] == "good")
            told = [line for line in remora.log_lines() if line["message"] == "attempt failed"]
            assert {(line["provider"], line["cause"], line["code"], line["detail"]) for line in told} == {
                ("bad", "tls", "UPSTREAM_UNAVAILABLE", detail)}
            assert len(told) == 5, "then its breaker is open, and the way to the good one is short"
            assert bad.requests == [] and len(fine.requests) == 12
            status, _, body = remora.chat({"model": "t/alone"})
            assert status in (502, 503) and "certificate" not in json.dumps(body), "callers are not told of our configuration"


def test_a_certificate_that_is_signed_by_itself_is_taken_as_its_own_authority(tmp_path):
    with ChatUpstream("self", tls=make_self_signed(tmp_path)) as server:
        with Remora(config({"self": f'base_url: "{server.base_url}", ca_file: "{tmp_path / "cert.pem"}"'})) as remora:
            assert said(ask(remora, "self/m")) == "I am self"


def test_no_bundle_of_authorities_is_told(authorities, tmp_path):
    one, _ = authorities
    text = config({"acme": 'base_url: "https://127.0.0.1:1/v1"'})
    (tmp_path / "remora.yaml").write_text(text)
    (tmp_path / "own.yaml").write_text(config({"acme": f'base_url: "https://127.0.0.1:1/v1", ca_file: "{one / "ca.pem"}"'}))

    def check(name, bundle):
        return subprocess.run([str(build_dir() / "remora"), "check", "--strict", str(tmp_path / name)], capture_output=True, text=True,
                              timeout=60, env={**os.environ, "SSL_CERT_FILE": str(bundle)})
    for bundle, count in (("/nope", 0), (tmp_path, 0), (one / "ca.pem", 1)):
        with Remora(text, environment={"SSL_CERT_FILE": str(bundle)}) as remora:
            if count == 0:
                remora.wait_log("no public authorities")
            for _ in range(500):  # they are read while it already serves
                if remora.metrics().get("remora_tls_public_authorities") == count:
                    break
                time.sleep(0.02)
            assert remora.metrics()["remora_tls_public_authorities"] == count
            told = [line for line in remora.log_lines() if line["message"] == "no public authorities"]
            assert [(line["level"], line["bundle"]) for line in told] == ([] if count else [("warn", str(bundle))])
        result = check("remora.yaml", bundle)
        assert result.returncode == (0 if count else 1) and ("authorities" in result.stderr) is (count == 0), result
        assert check("own.yaml", bundle).returncode == 0


def test_a_client_certificate_opens_the_door_and_nothing_else_does(authorities):
    one, two = authorities
    client = lambda folder: f'client_cert: {{cert_file: "{folder / "cert.pem"}", key_file: "{folder / "key.pem"}"}}'
    with ChatUpstream("vault", tls=one, client_ca=two / "ca.pem") as server:
        way = f'base_url: "{server.base_url}", ca_file: "{one / "ca.pem"}"'
        providers = {"known": f"{way}, {client(two)}", "stranger": f"{way}, {client(one)}", "nobody": way}
        with Remora(config(providers)) as remora:
            for _ in range(2):
                assert said(ask(remora, "known/m")) == "I am vault"
                for slug in ("stranger", "nobody"):  # no connection of the known one is lent to them
                    assert ask(remora, f"{slug}/m", 502)["error"]["metadata"]["reason"] == "UPSTREAM_UNAVAILABLE"
            assert [r["client"] for r in server.requests] == ["two", "two"]


# ---- proxies ----

LLM = 'base_url: "https://llm.test/v1"'


def way_to(server_authority, more=""):
    return f'{LLM}, ca_file: "{server_authority / "ca.pem"}", api_key: {{env: FIRST_KEY}}{more}'


def test_a_provider_s_own_proxy_is_used_for_it_alone(authorities):
    one, _ = authorities
    with ChatUpstream("far", tls=one) as far, ChatUpstream("near", tls=one) as near, \
            ConnectProxy({"llm.test:443": far.port}) as proxy:
        providers = {"far": way_to(one, f", proxy: \"{proxy.url}\""),
                     "near": f'base_url: "{near.base_url}", ca_file: "{one / "ca.pem"}"'}
        with Remora(config(providers), environment=KEYS) as remora:
            assert said(ask(remora, "far/m")) == "I am far"
            assert said(ask(remora, "near/m")) == "I am near"
            assert proxy.connects == ["llm.test:443"]
            # The proxy sees a name and a tunnel, no key and no prompt.
            assert FIRST not in proxy.heads[0] and FIRST.encode() not in proxy.bytes and b"Hello" not in proxy.bytes
            assert far.requests[0]["headers"]["authorization"] == f"Bearer {FIRST}"


def test_the_environment_s_proxy_is_used_but_for_loopback_and_no_proxy(authorities):
    one, _ = authorities
    with ChatUpstream("far", tls=one) as far, ChatUpstream("near", tls=one) as near, \
            ConnectProxy({"llm.test:443": far.port}) as proxy:
        providers = {"far": way_to(one), "near": f'base_url: "{near.base_url}", ca_file: "{one / "ca.pem"}"'}
        with Remora(config(providers), environment={**KEYS, "HTTPS_PROXY": proxy.url}) as remora:
            assert said(ask(remora, "far/m")) == "I am far"
            assert said(ask(remora, "near/m")) == "I am near"
            assert proxy.connects == ["llm.test:443"]
        with Remora(config(providers), environment={**KEYS, "HTTPS_PROXY": proxy.url, "NO_PROXY": "llm.test"}) as remora:
            assert refused_for(remora, "far/m") == "dns"  # not through the proxy, and nobody else knows the name
            assert proxy.connects == ["llm.test:443"]


def test_a_provider_s_own_proxy_wins_over_the_environment_s(authorities):
    one, _ = authorities
    with ChatUpstream("far", tls=one) as far, ConnectProxy({"llm.test:443": far.port}) as own, ConnectProxy({}) as other:
        environment = {**KEYS, "HTTPS_PROXY": other.url, "NO_PROXY": "llm.test"}
        with Remora(config({"far": way_to(one, f", proxy: \"{own.url}\"")}), environment=environment) as remora:
            assert said(ask(remora, "far/m")) == "I am far"
            assert own.connects == ["llm.test:443"] and other.connects == []


@pytest.mark.parametrize("status", [407, 502])
def test_a_proxy_that_refuses_is_a_failure_on_the_way_and_falls_back(authorities, status):
    one, _ = authorities
    with ChatUpstream("near") as near, ConnectProxy({}, status=status) as proxy:
        providers = {"far": way_to(one, f", proxy: \"{proxy.url}\""), "near": f'base_url: "{near.base_url}"'}
        with Remora(config(providers, {"t/m": ["far", "near"]}), environment=KEYS) as remora:
            body = ask(remora, "t/m")
            assert said(body) == "I am near"
            assert [a.get("reason") for a in body["remora"]["attempts"]] == ["UPSTREAM_UNAVAILABLE", None]
            assert proxy.connects == ["llm.test:443"]


def test_the_far_server_is_verified_through_a_proxy_too(authorities):
    one, two = authorities
    with ChatUpstream("impostor", tls=two) as impostor, ConnectProxy({"llm.test:443": impostor.port}) as proxy:
        with Remora(config({"far": way_to(one, f", proxy: \"{proxy.url}\"")}), environment=KEYS) as remora:
            assert refused_for(remora, "far/m") == "tls"
            assert impostor.requests == [] and FIRST.encode() not in proxy.bytes


# ---- an endpoint that only streams ----

def stream_only(server, first, second="ok"):
    return two_providers(server, first, second).replace(f'model_id: "{first}"', f'model_id: "{first}", stream_only: true', 1)


def test_a_unary_call_to_an_endpoint_that_only_streams_is_collected(upstream):
    with Remora(stream_only(upstream, "ok"), environment=SECRETS) as remora:
        status, head, body = remora.chat({"model": "t/m"})
        sent = upstream.last()
        assert sent["json"]["stream"] is True and sent["header"]["accept"] == "text/event-stream"
        assert status == 200 and head["content-type"].startswith("application/json")
        assert body["object"] == "chat.completion" and said(body)
        assert body["choices"][0]["finish_reason"] == "stop" and body["usage"]["total_tokens"] > 0
        assert "remora" not in body, "nothing notable happened"
        assert remora.stream({"model": "t/m"}).content() == said(body)


def test_a_stream_that_breaks_is_no_half_answer_to_a_unary_call(upstream):
    with Remora(stream_only(upstream, "cut-after-3"), environment=SECRETS) as remora:
        status, _, body = remora.chat({"model": "t/m"})
        whole = remora.chat({"model": "t/m", "provider": {"only": ["b"]}})[2]
        assert status == 200 and said(body) == said(whole) and body["provider"] == "b"
        assert [a.get("reason") for a in body["remora"]["attempts"]] == ["UPSTREAM_UNAVAILABLE", None]
        status, _, body = remora.chat({"model": "t/m", "provider": {"only": ["a"]}})
        assert status == 502 and body["error"]["metadata"]["reason"] == "UPSTREAM_UNAVAILABLE"


def test_the_log_says_that_a_connection_broke_that_had_served_before(upstream):
    with Remora(two_providers(upstream, "take-and-rst"), environment=SECRETS, workers=1) as remora:
        assert [remora.chat({"model": "t/m"})[2]["provider"] for _ in range(2)] == ["a", "b"]
        line = remora.wait_log("attempt failed")[0]
        assert (line["provider"], line["cause"], line["connection"]) == ("a", "reset", "reused")
    with Remora(two_providers(upstream, "ok", "503"), environment=SECRETS, workers=1) as remora:
        for only in ("a", "b", "b"):  # to the same server
            remora.chat({"model": "t/m", "provider": {"only": [only]}})
        assert all("connection" not in line for line in remora.wait_log("attempt failed", 2))
    with Remora(two_providers(upstream, "fin"), environment=SECRETS, workers=1) as remora:
        assert remora.chat({"model": "t/m"})[2]["provider"] == "b"
        assert "connection" not in remora.wait_log("attempt failed")[0]


# ---- HTTP/2 ----


def test_a_stream_that_an_http_2_server_refuses_is_sent_again_once_and_told(authorities):
    one, _ = authorities
    with Http2Upstream(one) as server:
        text = config({"two": f'base_url: "{server.base_url}", ca_file: "{one / "ca.pem"}", http2: true'})
        with Remora(text, workers=1) as remora:
            body = ask(remora, "two/m")
            assert said(body) == "over two" and "remora" not in body
            body = ask(remora, "two/m")  # on the same connection, where it is refused
            assert said(body) == "over two"
            assert [(a["provider"], a.get("reason")) for a in body["remora"]["attempts"]] == [
                ("two", "UPSTREAM_UNAVAILABLE"), ("two", None)]
            assert remora.wait_log("attempt failed")[0]["cause"] == "stale_connection"
            assert server.streams[0] == 2 and sum(server.streams) == 3, "each was sent once"
            assert remora.metrics()['remora_circuit_state{provider="two"}'] == 0
