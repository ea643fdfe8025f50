"""Every example runs against the demo; those of examples/grpc that use the packages of `make stubs` do so in test_stubs.py."""
import os
import subprocess
import sys

import pytest

from clients import install
from gateway import Remora
from upstream import ROOT, build_dir


@pytest.fixture(scope="module")
def demo():
    with Remora(subcommand="demo") as remora:
        yield remora


def run(command, **environment):
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **environment})
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_curl(demo):
    out = run(["sh", str(ROOT / "examples/curl/chat.sh")], REMORA_URL=f"http://127.0.0.1:{demo.http_port}")
    assert '"object":"chat.completion"' in out.replace(" ", "") and "data: [DONE]" in out and "provider.only" in out


def test_python_openai_client(demo):
    out = run([sys.executable, str(ROOT / "examples/python/openai_chat.py")], OPENAI_BASE_URL=demo.base_url,
              OPENAI_API_KEY="unused")
    assert "unary:" in out and "tried steady -> answered" in out and "refused: provider.only" in out


def api(remora):
    return f"http://127.0.0.1:{remora.http_port}/api/v1"


def test_openrouter_s_snippets_in_python_and_curl(demo):
    out = run([sys.executable, str(ROOT / "examples/python/openrouter_openai.py")], OPENROUTER_BASE_URL=api(demo))
    assert "unary:" in out and "usage:" in out and "model: demo/echo-1" in out
    out = run(["sh", str(ROOT / "examples/curl/openrouter.sh")], OPENROUTER_BASE_URL=api(demo))
    assert '"usage":{' in out and '"openrouter_metadata":{' in out and "data: [DONE]" in out
    assert '"total_count":1' in out and '"tag":"steady"' in out


def test_node(demo):
    folder = ROOT / "examples/node"
    install(folder)
    out = run(["node", str(folder / "openai_chat.mjs")], OPENAI_BASE_URL=demo.base_url, OPENAI_API_KEY="unused")
    assert "models: demo/echo-1" in out and "unary:" in out and "usage:" in out and "refused: provider.only[0]" in out
    out = run(["node", str(folder / "openrouter_fetch.mjs")], OPENROUTER_BASE_URL=api(demo))
    assert "unary:" in out and "usage:" in out and "tried steady 200" in out
    out = run(["node", str(folder / "openrouter_sdk.mjs")], OPENROUTER_BASE_URL=api(demo))
    assert "models: 1" in out and "unary:" in out and "usage:" in out and "endpoints: flaky steady" in out


def test_c_grpc_client(demo):
    out = run([str(build_dir() / "examples/chat_stream"), f"127.0.0.1:{demo.grpc_port}", "demo/echo-1", "Hello"])
    assert "route:" in out and "answered" in out


@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:1"])
def test_make_run_s_script(proxy):
    """With a proxy in the environment, too, that nobody answers at."""
    more = dict.fromkeys(("http_proxy", "all_proxy", "grpc_proxy", "HTTPS_PROXY"), proxy) if proxy else {}
    out = run([str(ROOT / "tools/run.sh"), str(build_dir())], **more)
    assert "== HTTP" in out and "== gRPC" in out and out.count("UPSTREAM_OVERLOADED") == 2
