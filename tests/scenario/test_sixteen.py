"""The sixteen faults of the public yardstick for gateways (429 with and without Retry-After ... usage attribution), as one table:
what a caller sees, streamed and unary, how often each provider is called and within which time. Real sockets; 20 rounds against a
release build, one under a sanitizer (ROUNDS=N overrides). Every round has endpoints of its own, so that breakers and cooling of
one round do not decide the next.
"""
import concurrent.futures
import dataclasses
import json
import os
import time

from gateway import SECRETS, Remora
from upstream import FaultServer, build_dir

DONE = "done"  # the last event of a good answer: [DONE], or a whole body

@dataclasses.dataclass
class Row:
    fault: str
    mode: str  # "stream" or "unary"
    first: str  # what provider a does; b is good
    status: int
    last: str  # DONE, or the reason of the error that ends it
    calls: tuple  # requests that a and b got
    seconds: float  # bound
    second: str = "ok"
    requests: int = 1

def both(fault, first, status, last, calls, seconds=3.0, unary=None, **more):
    return [Row(fault, "stream", first, status, last, calls, seconds, **more),
            Row(fault, "unary", unary or first, status, last, calls, seconds, **more)]

# a and b have the same context window, first byte and idle 0.4 s, whole unary answers 0.6 s.
TABLE = [
    *both("429 with Retry-After", "429-retry-7", 200, DONE, (1, 1)),
    *both("429 without Retry-After", "429", 200, DONE, (1, 1)),
    *both("500 once", "500-once", 200, DONE, (1, 1)),
    *both("503", "503", 200, DONE, (1, 1)),
    *both("TCP reset", "reset", 200, DONE, (1, 1)),
    *both("no response", "silent", 200, DONE, (1, 1), 3.0),
    *both("slow first token", "slow-token-200ms", 200, DONE, (1, 0), unary="slow-200ms"),
    Row("stream cut", "stream", "cut-after-3", 200, "STREAM_BROKEN", (1, 0), 3.0),
    Row("stream cut", "unary", "cut-after-3", 200, DONE, (1, 1), 3.0),
    Row("stall", "stream", "stall-after-3", 200, "STREAM_BROKEN", (1, 0), 3.0),
    Row("stall", "unary", "stall-after-3", 200, DONE, (1, 1), 3.0),
    Row("malformed chunk", "stream", "bad-json-after-3", 200, "STREAM_BROKEN", (1, 0), 3.0),
    Row("malformed chunk", "unary", "bad-json", 200, DONE, (1, 1), 3.0),
    Row("malformed first chunk", "stream", "bad-json", 200, DONE, (1, 1), 3.0),
    Row("missing [DONE]", "stream", "no-done", 200, DONE, (1, 0), 3.0),
    *both("context length 400", "400-context", 400, "CONTEXT_LENGTH", (1, 0)),
    *both("content filter 400", "400-filter", 400, "CONTENT_POLICY", (1, 0)),
    *both("prefill rejected", "400-prefill", 200, DONE, (1, 1)),
    *both("flapping", "flap", 200, DONE, (2, 1), requests=2),
    *both("usage attribution", "503", 200, DONE, (1, 1), second="usage-details"),
]
FAULTS = 16

def rounds():
    if "ROUNDS" in os.environ:
        return int(os.environ["ROUNDS"])
    cache = (build_dir() / "CMakeCache.txt").read_text()
    return 1 if any(line.startswith("REMORA_SANITIZE:") and not line.endswith("=") for line in cache.splitlines()) else 20

def name(index, turn):
    return f"{index}-{turn}"

def document(server, turns):
    prices = 'pricing: {prompt: "0.000001", completion: "0.000002", cached_read: "0.0000005"}'
    models = []
    for turn in range(turns):
        for index, row in enumerate(TABLE):
            tag = name(index, turn)
            ends = ", ".join(f'{{provider: {p}, model_id: "{does}@{tag}{p}", {prices}}}' for p, does in (("a", row.first), ("b", row.second)))
            models.append(f"  f/{tag}: {{context_length: 8192, endpoints: [{ends}]}}")
    lines = "\n".join(models)
    return f"""
version: 1
providers:
  a: {{kind: openai, base_url: "{server.base_url}", api_key: {{env: A_SECRET}}}}
  b: {{kind: openai, base_url: "{server.base_url}", api_key: {{env: B_SECRET}}}}
deadlines: {{first_byte_ms: 400, idle_ms: 400, response_ms: 600}}
models:
{lines}
"""

def ask(remora, row, model):
    """(status, last event, provider, usage) of one request."""
    if row.mode == "unary":
        status, _, body = remora.chat({"model": model})
        error = body.get("error")
        return status, error["metadata"]["reason"] if error else DONE, body.get("provider"), body.get("usage")
    stream = remora.stream({"model": model, "stream_options": {"include_usage": True}})
    if stream.status != 200:
        return stream.status, json.loads(stream.text)["error"]["metadata"]["reason"], None, None
    assert stream.is_clean
    error = stream.error()
    if error:
        assert not stream.is_done and "error" in stream.chunks[-1], "the error is the last event and nothing pretends to be an end"
        return 200, error["metadata"]["reason"], None, None
    assert stream.is_done
    usage = [c["usage"] for c in stream.chunks if c.get("usage")]
    return 200, DONE, stream.chunks[0].get("provider"), usage[-1] if usage else None

def play(remora, index, turn):
    row = TABLE[index]
    for _ in range(row.requests):
        began = time.monotonic()
        status, last, provider, usage = ask(remora, row, f"f/{name(index, turn)}")
        spent = time.monotonic() - began
        if (status, last) != (row.status, row.last):
            return f"{status} {last}"
        if spent > row.seconds * slack():
            return f"took {spent:.2f} s"
        if row.fault == "usage attribution" and provider != "b":
            return f"attributed to {provider}"
        if row.fault == "usage attribution":
            cached = usage["prompt_tokens_details"]["cached_tokens"]
            cost = ((usage["prompt_tokens"] - cached) * 1000 + cached * 500 + usage["completion_tokens"] * 2000) / 1e9
            if cached == 0 or abs(usage["cost"] - cost) > 1e-12:
                return f"usage {usage}"
    return None

def slack():
    return 1 if rounds() > 1 else 3

def test_all_sixteen(capsys):
    assert len({r.fault for r in TABLE} - {"malformed first chunk"}) == FAULTS
    turns = rounds()
    wrong = {i: [] for i in range(len(TABLE))}
    with FaultServer() as server, Remora(document(server, turns), environment=SECRETS) as remora:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            futures = {pool.submit(play, remora, i, t): i for t in range(turns) for i in range(len(TABLE))}
            for future in concurrent.futures.as_completed(futures):
                why = future.result()
                if why:
                    wrong[futures[future]].append(why)
        calls = server.stats()["behaviours"]
        for i, row in enumerate(TABLE):
            for turn in range(turns):
                got = tuple(calls.get(f"{does}@{name(i, turn)}{p}", {"requests": 0})["requests"]
                            for p, does in (("a", row.first), ("b", row.second)))
                if got != row.calls:
                    wrong[i].append(f"calls {got}")
    with capsys.disabled():
        print(f"\n{'fault':26} {'mode':7} {'status':>6} {'last event':15} {'calls a, b':>10} {'within':>7}  {'held':>8}")
        for i, row in enumerate(TABLE):
            held = turns - min(len(wrong[i]), turns)
            print(f"{row.fault:26} {row.mode:7} {row.status:6} {row.last:15} {str(row.calls):>10} {row.seconds * slack():5.1f} s  {held:3} of {turns}")
        good = len({r.fault for i, r in enumerate(TABLE)} - {"malformed first chunk"} - {TABLE[i].fault for i in wrong if wrong[i]})
        print(f"{good} of {FAULTS} faults, {turns} rounds each")
    assert not any(wrong.values()), {f"{TABLE[i].fault} ({TABLE[i].mode})": w[:3] for i, w in wrong.items() if w}
