"""Tools that know only what reflection tells them: grpcurl, ghz and buf curl. grpcui makes the same calls as grpcurl, by the same
library: everything is listed and described, then called."""
import json
import subprocess

import pytest

from clients import go_tool, missing
from gateway import SECRETS, Remora, two_providers
from upstream import ROOT

CHAT = {"chat": {"model": "t/m", "messages": [{"role": "ROLE_USER", "parts": [{"text": "Hello"}]}]}}


@pytest.fixture(scope="module")
def grpcurl():
    return go_tool("grpcurl")


def call(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60)


def run(grpcurl, remora, *arguments):
    result = call(grpcurl, "-plaintext", *arguments[:-1], f"127.0.0.1:{remora.grpc_port}", *arguments[-1:])
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_grpcurl_lists_describes_and_calls(upstream, grpcurl):
    with Remora(two_providers(upstream, "503"), environment=SECRETS) as remora:
        listed = subprocess.run([grpcurl, "-plaintext", f"127.0.0.1:{remora.grpc_port}", "list"], capture_output=True, text=True,
                                timeout=60).stdout.split()
        assert {"remora.v1.ChatService", "remora.v1.ModelService", "remora.v1.GatewayService", "grpc.health.v1.Health"} <= set(listed)
        described = subprocess.run([grpcurl, "-plaintext", f"127.0.0.1:{remora.grpc_port}", "describe", "remora.v1.ChatRequest"],
                                   capture_output=True, text=True, timeout=60).stdout
        assert "fallback_models" in described
        chat = {"chat": {"model": "t/m", "messages": [{"role": "ROLE_USER", "parts": [{"text": "Hello"}]}]}}
        out = run(grpcurl, remora, "-d", json.dumps(chat), "remora.v1.ChatService/StreamChat")
        assert "attemptFailed" in out and '"text": "w0 ' in out and "completed" in out
        counted = json.loads(run(grpcurl, remora, "-d", json.dumps(chat), "remora.v1.ChatService/CountTokens"))
        assert counted["estimated"] is True and int(counted["inputTokens"]) > 0
        models = json.loads(run(grpcurl, remora, "-d", '{"page_size": 1}', "remora.v1.ModelService/ListModels"))["models"]
        assert [m["id"] for m in models] == ["t/m"] and models[0]["endpoints"][0]["promptPrice"] == "0.000001"
        assert json.loads(run(grpcurl, remora, "-d", '{"id": "m"}', "remora.v1.ModelService/GetModel"))["model"] == models[0]
        for method, data in (("Check", '{"service": "remora.v1.ModelService"}'), ("Check", "{}")):
            assert json.loads(run(grpcurl, remora, "-d", data, f"grpc.health.v1.Health/{method}"))["status"] == "SERVING"
        health = json.loads(run(grpcurl, remora, "grpc.health.v1.Health/List"))["statuses"]
        assert health["liveness"] == {"status": "SERVING"} and set(listed) <= set(health)
        watched = subprocess.run([grpcurl, "-plaintext", "-max-time", "1", f"127.0.0.1:{remora.grpc_port}",
                                  "grpc.health.v1.Health/Watch"], capture_output=True, text=True, timeout=60)
        assert json.loads(watched.stdout)["status"] == "SERVING" and "DeadlineExceeded" in watched.stderr
        status = json.loads(run(grpcurl, remora, "remora.v1.GatewayService/GetConfigStatus"))
        assert len(status["revision"]) == 12


def test_grpcurl_describes_everything_and_shows_errors_and_trailers(upstream, grpcurl):
    """What grpcui asks before it shows a form: every service, every message that one of its methods names."""
    with Remora(two_providers(upstream, "ok"), environment=SECRETS) as remora:
        address = f"127.0.0.1:{remora.grpc_port}"
        described = call(grpcurl, "-plaintext", "-msg-template", address, "describe").stdout
        for service in ("ChatService", "EmbeddingService", "ModelService", "GatewayService"):
            assert f"remora.v1.{service} is a service" in described
        messages = {word.strip("().") for word in described.split() if word.startswith(".remora.v1.") or word.startswith("(.remora.v1.")}
        for name in sorted({m.strip(".;) ") for m in messages} | {"remora.v1.ChatRequest", "remora.v1.Attempt"}):
            assert f"{name} is a message" in call(grpcurl, "-plaintext", "-msg-template", address, "describe", name).stdout, name
        bad = {**CHAT["chat"], "model": "t/none"}
        result = call(grpcurl, "-plaintext", "-v", "-d", json.dumps(bad), address, "remora.v1.ChatService/Chat")
        assert result.returncode == 64 + 5 and "MODEL_NOT_FOUND" in result.stderr, "details are decoded by reflection"
        result = call(grpcurl, "-plaintext", "-v", "-H", "x-request-id: r-1", "-d", json.dumps(CHAT["chat"]), address, "remora.v1.ChatService/Chat")
        assert result.returncode == 0 and "remora-generation-id" in result.stdout
        assert remora.wait_log("request", 2)[-1]["request_id"] == "r-1"


def test_ghz_loads_unary_and_stream(upstream):
    with Remora(two_providers(upstream, "ok"), environment=SECRETS) as remora:
        for method, data in (("ModelService.ListModels", {}), ("ChatService.Chat", CHAT["chat"]), ("ChatService.StreamChat", CHAT)):
            result = call(go_tool("ghz"), "--insecure", "--call", f"remora.v1.{method}", "-d", json.dumps(data), "-n", "60", "-c", "6",
                          "--connections", "2", "-O", "json", f"127.0.0.1:{remora.grpc_port}")
            assert result.returncode == 0, result.stderr
            report = json.loads(result.stdout)
            assert report["count"] == 60 and report["statusCodeDistribution"] == {"OK": 60}, (method, result.stdout[-2000:])


def test_buf_curl_calls_by_reflection(upstream):
    """The program that tests/lint/buf.sh installs."""
    installed = sorted((ROOT / "build-tools").glob("buf-*/node_modules/.bin/buf"))
    if not installed:
        subprocess.run([ROOT / "tests/lint/buf.sh"], capture_output=True, timeout=300, check=False)
        installed = sorted((ROOT / "build-tools").glob("buf-*/node_modules/.bin/buf"))
    if not installed:
        missing("buf is not installed: tests/lint/buf.sh says why")
    with Remora(two_providers(upstream, "ok"), environment=SECRETS) as remora:
        def curl(method, data):
            result = call(installed[-1], "curl", "--protocol", "grpc", "--http2-prior-knowledge", "-d", json.dumps(data),
                          f"http://127.0.0.1:{remora.grpc_port}/remora.v1.{method}")
            assert result.returncode == 0, result.stderr
            return result.stdout

        assert json.loads(curl("ModelService/ListModels", {}))["models"][0]["id"] == "t/m"
        assert '"w0 w1 w2 "' in curl("ChatService/Chat", CHAT["chat"]) and "completed" in curl("ChatService/StreamChat", CHAT)
