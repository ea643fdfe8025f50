"""grpcurl, a client that knows only what reflection tells it."""
import json
import os
import shutil
import subprocess

import pytest

from gateway import SECRETS, Remora, two_providers
from upstream import build_dir

PACKAGE = "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3"


@pytest.fixture(scope="module")
def grpcurl():
    """Built once per build folder, from the Go module proxy."""
    tools = build_dir() / "go-tools"
    if not (tools / "grpcurl").exists():
        if shutil.which("go") is None:
            if os.environ.get("CI") == "true":
                pytest.fail("no go on this machine")
            pytest.skip("no go on this machine")
        subprocess.run(["go", "install", PACKAGE], check=True, timeout=600, env={**os.environ, "GOBIN": str(tools)})
    return str(tools / "grpcurl")


def run(grpcurl, remora, *arguments):
    result = subprocess.run([grpcurl, "-plaintext", *arguments[:-1], f"127.0.0.1:{remora.grpc_port}", *arguments[-1:]],
                            capture_output=True, text=True, timeout=60)
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
