"""The cases whose answers stand byte for byte in tests/golden/transcripts, and how they are brought about over a real socket.

A case is a name, the behaviours of the two endpoints of its model (tests/support/README.md) and what is asked for beyond the plain
question. Endpoints that failed are rested by the gateway, so each way of asking ("stream/plain", "unary/plain") has a model of its
own. `answer` asks and gives head and body as they came, but for what differs from run to run: ids, times, the revision of the
configuration (it holds the upstream's port).
"""
import json
import re
import socket

from gateway import SECRETS, USER, Remora

TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]
USAGE = {"stream_options": {"include_usage": True}}


class Case:
    def __init__(self, name, first, second="ok", surface="/v1", endpoint="", headers="", **body):
        self.name = name
        self.first, self.second = first, second
        self.surface = surface
        self.endpoint = endpoint  # further keys of the first endpoint
        self.headers = headers
        self.body = body

    def model(self, asker):
        return f"{asker}/{self.name.replace('_', '-')}"


# Answers: every client must make the same message of the stream and of the unary twin.
ANSWERS = [
    Case("plain", "ok"),
    Case("plain_with_usage", "ok", **USAGE),
    Case("plain_openrouter", "ok", surface="/api/v1"),
    Case("utf8", "utf8"),
    Case("tool_call", "tools", tools=TOOLS),
    Case("parallel_tool_calls", "tools-parallel", tools=TOOLS),
    Case("whole_tool_call", "tools-whole", tools=TOOLS),
    Case("signed_tool_calls", "tools-signed", tools=TOOLS),
    Case("signed_tool_calls_reasoning_excluded", "tools-signed", tools=TOOLS, reasoning={"exclude": True}),
    Case("reasoning", "reasoning-content"),
    Case("reasoning_details", "reasoning-details", surface="/api/v1"),
    Case("reasoning_one_index", "reasoning-one-index", surface="/api/v1"),
    Case("reasoning_excluded", "reasoning-details", reasoning={"exclude": True}),
    Case("refusal", "refusal"),
    Case("length", "length"),
    Case("content_filter", "content-filter"),
    Case("several_choices", "choices-2", n=2),
    Case("fallback", "503"),
    Case("fallback_with_usage", "503", surface="/api/v1"),
    Case("dropped_parameter", "ok", endpoint=", supported_parameters: [max_tokens]", seed=7),
    Case("usage_details", "usage-details", surface="/api/v1"),
    Case("usage_estimated", "usage-missing", surface="/api/v1"),
    Case("empty_answer", "empty-finish"),
    Case("logprobs", "logprobs", logprobs=True, top_logprobs=1),
    Case("annotations", "annotations", surface="/api/v1"),
    Case("service_tier", "service-tier", service_tier="flex"),
]
# Answers beyond text: the clients' types have no name for all of it.
MEDIA = [
    Case("images", "images", surface="/api/v1"),
    Case("audio", "audio", audio={"voice": "alloy", "format": "pcm16"}),
]
# Failures: a status and an envelope before content, one error event after it.
FAILURES = [
    Case("error_before_content", "429-retry-7", "503"),
    Case("error_before_content_openrouter", "error-first", "reset", surface="/api/v1"),
    Case("error_refused_by_providers", "400-param", "400"),
    Case("error_filters_left_nothing", "ok", provider={"only": ["b"], "ignore": ["b"]}),
    Case("error_unknown_field", "ok", temperature="hot"),
    Case("error_after_content", "cut-after-2"),
    Case("error_after_tool_call", "tools-cut", tools=TOOLS),
    Case("error_after_content_openrouter", "error-after-2", surface="/api/v1"),
]
# The full route, for those who ask for it.
ROUTES = [
    Case("route", "503", headers="X-OpenRouter-Metadata: Enabled\r\n"),
    Case("route_of_failure", "cut-after-1", "500", headers="X-OpenRouter-Experimental-Metadata: enabled\r\n"),
]
# Silence: what a stream is told after ten seconds, then the answer or the failure.
WAITING = [
    Case("comment_while_waiting", "slow-10500ms"),
    Case("comment_then_fallback", "silent", endpoint=", deadlines: {first_byte_ms: 10500}"),
    Case("comment_then_error", "silent", "503", endpoint=", deadlines: {first_byte_ms: 10500}"),
]


ASKERS = ("stream", "unary")


def config(server, cases, askers):
    models = "".join(f"""
  {case.model(asker)}:
    context_length: 100000
    endpoints:
      - {{provider: a, model_id: "{case.first}", pricing: {{prompt: "0.000001", completion: "0.000002"}}{case.endpoint}}}
      - {{provider: b, model_id: "{case.second}", pricing: {{prompt: "0.000003", completion: "0.000004"}}}}"""
                     for case in cases for asker in askers)
    return f"""
version: 1
service: checkout
namespace: shop
providers:
  a: {{kind: openai, base_url: "{server.base_url}", api_key: {{env: A_SECRET}}}}
  b: {{kind: openai, base_url: "{server.base_url}", api_key: {{env: B_SECRET}}}}
models:{models}
"""


def gateway(server, cases, askers=ASKERS):
    return Remora(config(server, cases, askers), environment=SECRETS)


def body_of(case, is_stream, asker=None):
    body = {"model": case.model(asker or ASKERS[not is_stream]), "messages": USER, **case.body}
    if not is_stream:
        return {k: v for k, v in body.items() if k != "stream_options"}
    return {**body, "stream": True}


def _unchunk(data):
    """RFC 9112 section 7.1, strictly; the sizes of chunks follow the clock, so they are no part of a transcript."""
    out, at = b"", 0
    while True:
        end = data.index(b"\r\n", at)
        size = int(data[at:end], 16)
        out += data[end + 2:end + 2 + size]
        at = end + 2 + size + 2
        assert data[at - 2:at] == b"\r\n"
        if size == 0:
            assert at == len(data), "nothing stands behind the last chunk"
            return out


def ask(port, path, body, headers=""):
    """The answer as it came: head, body."""
    payload = json.dumps(body).encode()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as s:
        s.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{headers}"
                  f"Connection: close\r\nContent-Length: {len(payload)}\r\n\r\n".encode() + payload)
        data = b""
        while True:
            piece = s.recv(65536)
            if not piece:
                break
            data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, _unchunk(rest) if b"\r\nTransfer-Encoding: chunked" in head else rest


VARYING = [
    (rb"gen-[0-9]+-[0-9a-zA-Z]+", b"gen-ID"),
    (rb'"created":[0-9]+', b'"created":0'),
    (rb'"(elapsed|time_to_first_content|total_time)":"[0-9.]+s"', rb'"\1":"0s"'),
    (rb'"generation_time":[0-9]+', rb'"generation_time":0'),
    (rb'"policy_revision":"[0-9a-f]{12}"', b'"policy_revision":"REVISION"'),
    (rb"\r\nDate: [^\r]*", b"\r\nDate: DATE"),
    (rb"\r\nContent-Length: [0-9]+", b"\r\nContent-Length: LENGTH"),
]


def answer(remora, case, is_stream):
    """Head and body in one, without what differs from run to run."""
    head, body = ask(remora.http_port, case.surface + "/chat/completions", body_of(case, is_stream), case.headers)
    for pattern, replacement in VARYING:
        head, body = re.sub(pattern, replacement, head), re.sub(pattern, replacement, body)
    return head.replace(b"\r\n", b"\n") + b"\n\n" + body
