"""The official clients, what they make of an answer in one normal form: openai for Python here, openai and OpenRouter's own SDK for
Node in tests/clients/node/talk.mjs."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

import openai
import pytest

from upstream import ROOT

sys.path.insert(0, str(ROOT / "tools"))
from alone import alone  # noqa: E402

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "remora"
NODE = ROOT / "tests/clients/node"
GO_CLIENTS = {"details": ".", "keepalive": "./keepalive"}
GO_TOOLS = {"grpcurl": "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4", "ghz": "github.com/bojand/ghz/cmd/ghz@v0.93.0"}


def missing(why):
    """A client that is not there: skipped with a word, a failure where CI=true."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


def install(folder):
    """The packages of a package.json with exact versions, once."""
    wanted, got = folder / "package.json", folder / "node_modules" / ".installed.json"
    if shutil.which("node") is None or shutil.which("npm") is None:
        missing("node and npm are not installed")
    with alone(folder / ".lock"):
        if got.exists() and got.read_text() == wanted.read_text():
            return
        shutil.rmtree(folder / "node_modules", ignore_errors=True)  # npm takes what was left half done for whole
        command = ["npm", "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)
        if result.returncode != 0:
            missing("npm install failed: " + (result.stdout + result.stderr)[-400:])
        got.write_text(wanted.read_text())


def go_client(name):
    """A program of tests/clients/go."""
    if shutil.which("go") is None:
        missing("go is not installed")
    program = CACHE / "tests-go" / name
    with alone(program.with_suffix(".lock")):
        subprocess.run(["go", "build", "-C", ROOT / "tests/clients/go", "-o", program, GO_CLIENTS[name]], check=True, timeout=600)
    return str(program)


def go_tool(name):
    """Built once for this user, from the Go module proxy."""
    folder = CACHE / "go-tools" / (name + "-" + GO_TOOLS[name].rpartition("@")[2])
    with alone(folder.parent / (name + ".lock")):
        if not (folder / name).exists():
            if shutil.which("go") is None:
                missing("go is not installed")
            subprocess.run(["go", "install", GO_TOOLS[name]], check=True, timeout=900, env={**os.environ, "GOBIN": str(folder)})
    return str(folder / name)


def run_node(jobs):
    result = subprocess.run(["node", "talk.mjs"], cwd=NODE, input=json.dumps(jobs), capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def _choice(choice):
    message = choice.message
    return {
        "index": choice.index, "role": message.role, "content": message.content or None, "refusal": message.refusal,
        "reasoning": getattr(message, "reasoning", None), "finish_reason": choice.finish_reason,
        "tool_calls": [{"id": c.id, "name": c.function.name, "arguments": c.function.arguments} for c in message.tool_calls or []],
    }


def _usage(usage):
    return usage and {"prompt": usage.prompt_tokens, "completion": usage.completion_tokens, "total": usage.total_tokens,
                      "cost": usage.cost}


def _stream(client, body):
    """By the client's own accumulator. It raises for length and content_filter, with what it has added up until then."""
    with client.chat.completions.stream(**body) as stream:
        try:
            for _ in stream:
                pass
        except (openai.LengthFinishReasonError, openai.ContentFilterFinishReasonError):
            pass
        return stream.current_completion_snapshot


def run_python(base_url, body, is_stream):
    client = openai.OpenAI(base_url=base_url, api_key="unused", max_retries=0)
    body = dict(body)
    extra = {key: body.pop(key) for key in ("reasoning", "provider", "models") if key in body}
    try:
        call = _stream if is_stream else lambda c, b: c.chat.completions.create(**b)
        answer = call(client, {**body, "extra_body": extra})
    except openai.APIError as e:
        return {"error": {"status": getattr(e, "status_code", None), "message": e.message, "code": e.body["code"]}}
    return {"choices": [_choice(c) for c in answer.choices], "usage": _usage(answer.usage)}
