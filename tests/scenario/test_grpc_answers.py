"""One logical request over both fronts, and the answers field by field.

`UPSTREAM` holds what the provider answers; an answer is whole (unary) or cut into chunks (stream). What HTTP says is the expectation:
`FIELDS` has a row for every field of every message that an answer may hold, either how HTTP says the same, or why there is nothing to
compare. A field without a row fails, as does a row of a field that no answer had.
"""
import base64
import decimal
import http.server
import json
import re
import threading
import time

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor

from gateway import USER, Remora

TOOLS = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in ("weather", "time")]
KEY = "sk-canary-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"


# ---- what the provider says ----

def message(content=None, **members):
    return {"role": "assistant", "content": content, **members}


def call(index, identifier, name, arguments):
    return {"index": index, "id": identifier, "type": "function", "function": {"name": name, "arguments": arguments}}


def token(text, logprob, *others):
    return {"token": text, "logprob": logprob, "bytes": list(text.encode()),
            "top_logprobs": [{"token": t, "logprob": p, "bytes": list(t.encode())} for t, p in others]}


CITATION = {"type": "url_citation", "url_citation": {"url": "https://a.example/1", "title": "One", "content": "said so",
                                                     "start_index": 0, "end_index": 5}}
DETAILS = [{"type": "reasoning.text", "text": "think hard", "signature": "sig", "id": "r1", "format": "anthropic-claude-v1", "index": 0},
           {"type": "reasoning.summary", "summary": "in short", "id": "r2", "format": "openai-responses-v1", "index": 1},
           {"type": "reasoning.encrypted", "data": "b3BhcXVl", "id": "r3", "format": "openai-responses-v1", "index": 2},
           {"type": "reasoning.server_tool_call", "tool": {"name": "search", "n": 1}, "index": 3}]
USAGE = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150, "queue_s": 0.25,
         "prompt_tokens_details": {"cached_tokens": 10, "cache_write_tokens": 5, "audio_tokens": 7, "video_tokens": 4, "image_tokens": 3},
         "completion_tokens_details": {"reasoning_tokens": 9, "audio_tokens": 6, "image_tokens": 2, "accepted_prediction_tokens": 8,
                                       "rejected_prediction_tokens": 1}}
FURTHER = {"timings": {"prompt_ms": 1.5, "steps": [1, "two", None, True]}, "x_region": "eu", "p": "padding", "nothing": None}
WAV = base64.b64encode(b"RIFF....WAVE").decode()
PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG....").decode()

# name -> the choices, and what else stands in the answer; `asks`: what the request needs.
UPSTREAM = {
    "text": {"choices": [(message("Hello world"), "stop")]},
    "tool-calls": {"choices": [(message(tool_calls=[call(0, "c1", "weather", '{"city":"Bern"}'), call(1, "c2", "time", "{}")]), "tool_calls")],
                   "asks": {"tools": TOOLS}},
    "signed-calls": {"choices": [(message(tool_calls=[
        call(0, "c1", "weather", "{}") | {"extra_content": {"google": {"thought_signature": "c2ln"}}}, call(1, "c2", "time", "{}")]),
        "tool_calls")], "asks": {"tools": TOOLS}},
    "reasoning": {"choices": [(message("Yes", reasoning_details=DETAILS), "stop")]},
    "refusal": {"choices": [(message(refusal="I will not"), "stop")]},
    "logprobs": {"choices": [(message("ab"), "stop")], "asks": {"logprobs": True, "top_logprobs": 2}, "logprobs": {
        "content": [token("a", -0.5, ("a", -0.5), ("x", -1.25)), token("b", -0.25)], "refusal": None}},
    "choices": {"choices": [(message("one"), "stop"), (message("two"), "length"), (message("three"), "stop")], "asks": {"n": 3}},
    "fewer": {"choices": [(message("one"), "stop")], "asks": {"n": 3}},
    "usage": {"choices": [(message("counted"), "stop")], "usage": USAGE | {"cost": 0.25}},
    "annotations": {"choices": [(message("cited", annotations=[CITATION, {"type": "file", "file": {"name": "a.pdf"}}]), "stop")]},
    "images": {"choices": [(message("a picture", images=[{"type": "image_url", "image_url": {"url": PNG}},
                                                         {"type": "image_url", "image_url": {"url": "https://a.example/i.png"}}]), "stop")],
               "asks": {"modalities": ["text", "image"]}},
    "audio": {"choices": [(message(audio={"id": "audio_1", "expires_at": 1900000000, "data": WAV, "transcript": "spoken"}), "stop")],
              "asks": {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}},
    "second-choice": {"choices": [(message("plain"), "stop"), (message(
        "rich", refusal="but not that", reasoning_details=DETAILS[:1], tool_calls=[call(0, "c1", "time", "{}")], annotations=[CITATION],
        images=[{"type": "image_url", "image_url": {"url": PNG}}]), "stop")], "asks": {"n": 2, "tools": TOOLS}},
    "length": {"choices": [(message("cut o"), "length")]},
    "native-reason": {"choices": [(message("eos"), "eos")]},
    "filtered": {"choices": [(message("no"), "content_filter")]},
    "no-reason": {"choices": [(message("guess"), None)]},
    "broken-arguments": {"choices": [(message(tool_calls=[call(0, "c1", "time", '{"at":')]), "tool_calls")], "asks": {"tools": TOOLS}},
    "unknown-reason": {"choices": [(message("guess"), "something_new")]},
    "empty": {"choices": [(message(""), "stop")]},
    "raw": {"choices": [(message([{"type": "text", "text": "plain"}, {"type": "hologram", "size": 3}]), "stop")]},
    "further": {"choices": [(message("more"), "stop")], "members": FURTHER, "usage": {"prompt_tokens": 3, "completion_tokens": 2, "queue_s": 1}},
    "tier": {"choices": [(message("flexible"), "stop")], "members": {"service_tier": "flex", "system_fingerprint": "fp_1"}},
}


def whole(name):
    case = UPSTREAM[name]
    choices = [{"index": i, "message": said, "finish_reason": reason, "logprobs": case.get("logprobs")}
               for i, (said, reason) in enumerate(case["choices"])]
    usage = case.get("usage", {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14})
    return {"id": f"up-{name}", "object": "chat.completion", "created": 1750000000, "model": "up", "choices": choices, "usage": usage,
            **case.get("members", {})}


def pieces(text):
    return [text[:len(text) // 2], text[len(text) // 2:]] if len(text or "") > 1 else [text]


def deltas(said, logprobs):
    """(delta, logprobs) of a message, text in two pieces."""
    yield {"role": "assistant", "content": ""}, None
    for detail in said.get("reasoning_details", []):
        yield {"reasoning_details": [detail]}, None
    if logprobs:
        for one in logprobs["content"]:
            yield {"content": one["token"]}, {"content": [one], "refusal": None}
    elif isinstance(said["content"], list):
        yield {"content": said["content"]}, None
    elif said["content"]:
        for piece in pieces(said["content"]):
            yield {"content": piece}, None
    for piece in pieces(said["refusal"]) if "refusal" in said else []:
        yield {"refusal": piece}, None
    for one in said.get("tool_calls", []):
        first, rest = pieces(one["function"]["arguments"])
        yield {"tool_calls": [{**one, "function": {"name": one["function"]["name"], "arguments": first}}]}, None
        yield {"tool_calls": [{"index": one["index"], "function": {"arguments": rest}}]}, None
    for member in ("id", "transcript", "data", "expires_at"):
        if member in said.get("audio", {}):
            yield {"audio": {member: said["audio"][member]}}, None
    for member in ("images", "annotations"):
        for one in said.get(member, []):
            yield {member: [one]}, None


def chunks(name):
    answer = whole(name)
    head = {k: v for k, v in answer.items() if k not in ("choices", "usage")} | {"object": "chat.completion.chunk"}
    for choice in answer["choices"]:
        for delta, logprobs in deltas(choice["message"], choice["logprobs"]):
            yield {**head, "choices": [{"index": choice["index"], "delta": delta, "finish_reason": None, "logprobs": logprobs}]}
        if choice["finish_reason"]:
            yield {**head, "choices": [{"index": choice["index"], "delta": {}, "finish_reason": choice["finish_reason"]}]}
    yield {**head, "choices": [], "usage": answer["usage"]}


class Provider(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, body, kind="application/json", **headers):
        self.send_response(status)
        for key, value in {"Content-Type": kind, "Content-Length": str(len(body)), "X-Request-Id": "up-req-1", **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.bodies.append(request)
        name, is_stream = request["model"], request.get("stream", False)
        if name == "429":
            self.reply(429, b'{"error": {"message": "slow down"}}', **{"Retry-After": "600"})
        elif name == "503":
            self.reply(503, b'{"error": {"message": "busy"}}')
        elif name == "error-in-band":
            error = json.dumps({"error": {"code": 503, "message": "overloaded"}})
            first = json.dumps(next(iter(list(chunks("text"))[1:])))
            self.reply(200, f"data: {first}\n\ndata: {error}\n\n".encode() if is_stream else error.encode(),
                       "text/event-stream" if is_stream else "application/json")
        elif is_stream:
            self.reply(200, b"".join(f"data: {json.dumps(c)}\n\n".encode() for c in chunks(name)) + b"data: [DONE]\n\n",
                       "text/event-stream")
        else:
            self.reply(200, json.dumps(whole(name)).encode())


PRICES = ('{prompt: "0.000001", completion: "0.000002", cached_read: "0.0000005", cached_write: "0.00000125", reasoning: "0.000003", '
          'input_audio: "0.000004", output_audio: "0.000008", request: "0.001"}')
# Only `seed` is not taken, so that every answer has something to tell and HTTP its `remora` object.
PARAMETERS = ("[tools, tool_choice, logprobs, top_logprobs, response_format, max_tokens, temperature, modalities, audio, n, reasoning, "
              "include_reasoning, service_tier]")


def config(port):
    def endpoint(provider, model):
        return (f'      - {{provider: {provider}, model_id: "{model}", tag: {provider}/eu, pricing: {PRICES}, '
                f'supported_parameters: {PARAMETERS}}}\n')
    models = "".join(f"  t/{name}:\n    context_length: 100000\n    modalities: {{input: [text, image, audio], output: [text, image, audio]}}\n    endpoints:\n" + endpoint("a", name)
                     for name in [*UPSTREAM, "error-in-band"])
    models += "  t/fallback:\n    context_length: 100000\n    modalities: {input: [text, image, audio], output: [text, image, audio]}\n    endpoints:\n" + endpoint("c", "503") + endpoint("a", "text")
    models += "  t/skipped:\n    context_length: 100000\n    modalities: {input: [text, image, audio], output: [text, image, audio]}\n    endpoints:\n" + endpoint("b", "429") + endpoint("a", "text")
    providers = "".join(f'  {name}: {{kind: openai, base_url: "http://127.0.0.1:{port}/v1", api_key: {{env: SECRET}}}}\n' for name in "abc")
    return f"version: 1\nservice: checkout\nnamespace: shop\nproviders:\n{providers}models:\n{models}"


@pytest.fixture(scope="module")
def provider():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    server.daemon_threads = True
    server.bodies = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def remora(provider):
    with Remora(config(provider.server_port), environment={"SECRET": KEY}) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def pb(stubs):
    from remora.v1 import chat_pb2, chat_pb2_grpc, routing_pb2, usage_pb2  # noqa: PLC0415
    from google.rpc import error_details_pb2, status_pb2

    class Modules:
        chat, chat_grpc, routing, usage = chat_pb2, chat_pb2_grpc, routing_pb2, usage_pb2
        details, status = error_details_pb2, status_pb2

    return Modules


# ---- the table: how HTTP says what a field says ----

class Unlike:
    """Nothing to compare, and why. `holds`: what must be true of the value all the same."""

    def __init__(self, why, holds=None):
        self.why, self.holds = why, holds


def nano(usd):
    """USD -> nano-USD, half up."""
    return None if usd is None else int((decimal.Decimal(str(usd)) * 10**9).quantize(decimal.Decimal(1), decimal.ROUND_HALF_UP))


def at(*path):
    """The member under the path; None where there is none."""
    def find(source, *_):
        for key in path:
            source = source.get(key) if isinstance(source, dict) else None
        return source
    return find


def parts_of(said, *_):
    """The parts of an assistant's message: content with its citations, refusal, transcript, sound, pictures, the rest."""
    audio = said.get("audio") or {}
    parts = []
    if said.get("content") or said.get("annotations"):
        parts.append({"text": said.get("content"), "annotations": said.get("annotations")})
    parts += [{"refusal": said["refusal"]}] if said.get("refusal") else []
    parts += [{"text": audio["transcript"]}] if audio.get("transcript") else []
    if audio.get("id"):
        parts.append({"audio": {"file_id": audio["id"], "expires_at": audio.get("expires_at"), "mime": "audio/*"}})
    if audio.get("data"):
        parts.append({"audio": {"data": audio["data"], "mime": "audio/*"}})
    parts += [{"image": picture(one)} for one in said.get("images", [])]
    return parts + [{"raw": one} for one in said.get("raw", [])]


def picture(one):
    url = one["image_url"]["url"]
    found = re.fullmatch(r"data:([^;]*);base64,(.*)", url)
    return {"data": found[2], "mime": found[1]} if found else {"uri": url}


def bytes_of(source, *_):
    return base64.b64decode(source["data"]) if source.get("data") is not None else None


def tokens_of(choice, *_):
    return ((choice.get("logprobs") or {}).get("content") or []) + ((choice.get("logprobs") or {}).get("refusal") or [])


def enum(prefix, member):
    return lambda source, *_: f"{prefix}_{source[member].upper()}" if source.get(member) else None


def block_is(kind, member):
    return lambda block, *_: block.get(member) if block["type"] == f"reasoning.{kind}" else None


NAMED = ("reasoning.text", "reasoning.summary", "reasoning.encrypted")


def of_named(member):
    return lambda block, *_: block.get(member) if block["type"] in NAMED else None


def cost_part(field, total, *others):
    """A part of which HTTP tells only the sum with others: the sum without them. Of a part without tokens it says nothing."""
    def find(usage, cost):
        rest = nano(usage["cost_details"][total]) - sum(getattr(cost, other) for other in others)
        return rest if rest or cost.HasField(field) else None
    return find


def event_is(name):
    return lambda event, *_: event if event["event"] == name else None


CHOICE_INDEX = at("choice")
ONE_TEXT = Unlike("the wire of this test has one text for each choice; front_grpc_encode_test has others")
FIELDS = {
    "ChatResponse": {
        "id": Unlike("each call has its own", lambda value: re.fullmatch(r"gen-[\w-]+", value)),
        "create_time": Unlike("when this call was admitted", lambda value: 0 <= time.time() - value.seconds < 60),
        "model": at("model"),
        "choices": at("choices"),
        "usage": at("usage"),
        "route": at("remora"),
        "service_tier": at("service_tier"),
        "system_fingerprint": at("system_fingerprint"),
        "extra": at("upstream", "further"),
    },
    "Choice": {
        "index": at("index"),
        "message": at("message"),
        "finish_reason": enum("FINISH_REASON", "finish_reason"),
        "native_finish_reason": at("native_finish_reason"),
        "logprobs": tokens_of,
    },
    "Message": {
        "role": enum("ROLE", "role"),
        "parts": parts_of,
        "name": Unlike("of requests"),
        "tool_call_id": Unlike("of requests"),
        "tool_calls": at("tool_calls"),
        "reasoning": at("reasoning_details"),
        "tool_failed": Unlike("of requests"),
        "extra": Unlike("of requests; members of an answer's message that have no name here go nowhere, over HTTP neither"),
    },
    "ContentPart": {
        "text": at("text"),
        "image": at("image"),
        "audio": at("audio"),
        "video": Unlike("of requests: no answer holds a film"),
        "file": Unlike("of requests: no answer holds a document"),
        "refusal": at("refusal"),
        "raw": at("raw"),
        "cache_breakpoint": Unlike("of requests"),
        "annotations": at("annotations"),
    },
    "Annotation": {
        "type": at("type"),
        "url": at("url_citation", "url"),
        "title": at("url_citation", "title"),
        "content": at("url_citation", "content"),
        "start_index": at("url_citation", "start_index"),
        "end_index": at("url_citation", "end_index"),
        "extra": lambda source, *_: {k: v for k, v in source.items() if k != "index"},
    },
    "Media": {
        "data": bytes_of,
        "uri": at("uri"),
        "file_id": at("file_id"),
        "mime_type": at("mime"),
        "filename": Unlike("of requests"),
        "detail": Unlike("of requests"),
        "expire_time": at("expires_at"),
    },
    "ReasoningBlock": {
        "text": block_is("text", "text"),
        "summary": block_is("summary", "summary"),
        "encrypted": block_is("encrypted", "data"),
        "other": lambda block, *_: None if block["type"] in NAMED else block,
        "signature": of_named("signature"),
        "format": of_named("format"),
        "id": of_named("id"),
        "index": of_named("index"),
    },
    "ToolCall": {
        "id": at("id"),
        "index": at("index"),
        "name": at("function", "name"),
        "arguments_json": at("function", "arguments"),
    },
    "TokenLogprob": {
        "token": at("token"),
        "logprob": at("logprob"),
        "token_bytes": lambda source, *_: bytes(source.get("bytes") or []),
        "alternatives": at("top_logprobs"),
    },
    "TokenLogprob.Alternative": {
        "token": at("token"),
        "logprob": at("logprob"),
        "token_bytes": lambda source, *_: bytes(source.get("bytes") or []),
    },
    "Usage": {
        "input_tokens": at("prompt_tokens"),
        "output_tokens": at("completion_tokens"),
        "cache_read_input_tokens": at("prompt_tokens_details", "cached_tokens"),
        "cache_write_5m_input_tokens": at("prompt_tokens_details", "cache_write_tokens"),
        "cache_write_1h_input_tokens": Unlike("HTTP tells one number of both; no wire that is built reports hours", lambda value: not value),
        "reasoning_output_tokens": at("completion_tokens_details", "reasoning_tokens"),
        "audio_input_tokens": at("prompt_tokens_details", "audio_tokens"),
        "audio_output_tokens": at("completion_tokens_details", "audio_tokens"),
        "image_input_tokens": Unlike("OpenRouter's prompt_tokens_details have no images", lambda value: value == 3),
        "image_output_tokens": at("completion_tokens_details", "image_tokens"),
        "video_input_tokens": at("prompt_tokens_details", "video_tokens"),
        "accepted_prediction_output_tokens": at("completion_tokens_details", "accepted_prediction_tokens"),
        "rejected_prediction_output_tokens": at("completion_tokens_details", "rejected_prediction_tokens"),
        "certainty": lambda usage, *_: "CERTAINTY_ACTUAL",
        "cost": lambda usage, *_: usage,
        "native_usage": at("upstream", "usage"),
    },
    "Cost": {
        "total_nano_usd": lambda usage, *_: nano(usage["cost"]),
        "input_nano_usd": cost_part("input_nano_usd", "upstream_inference_prompt_cost", "cache_read_nano_usd", "cache_write_nano_usd"),
        "cache_read_nano_usd": cost_part("cache_read_nano_usd", "upstream_inference_prompt_cost", "input_nano_usd", "cache_write_nano_usd"),
        "cache_write_nano_usd": cost_part("cache_write_nano_usd", "upstream_inference_prompt_cost", "input_nano_usd", "cache_read_nano_usd"),
        "output_nano_usd": cost_part("output_nano_usd", "upstream_inference_completions_cost", "reasoning_nano_usd"),
        "reasoning_nano_usd": cost_part("reasoning_nano_usd", "upstream_inference_completions_cost", "output_nano_usd"),
        "other_nano_usd": lambda usage, *_: nano(usage["cost"]) - nano(usage["cost_details"]["upstream_inference_prompt_cost"])
        - nano(usage["cost_details"]["upstream_inference_completions_cost"]),
        "provider_reported_nano_usd": lambda usage, *_: nano(usage["remora"].get("provider_reported_cost")),
        "certainty": lambda usage, *_: usage["remora"].get("cost_certainty", "CERTAINTY_ACTUAL"),
    },
    "RouteInfo": {
        "provider": at("provider"),
        "endpoint_tag": at("endpoint_tag"),
        "upstream_model": at("upstream_model"),
        "attempts": at("attempts"),
        "dropped": at("dropped"),
        "effective_data_collection": Unlike("HTTP does not tell it", lambda value: value == 1),
        "served_from_cache": Unlike("there is no cache yet", lambda value: not value),
        "time_to_first_content": Unlike("measured", lambda value: 0 < value.nanos < 10**9 and not value.seconds),
        "total_time": Unlike("measured", lambda value: 0 < value.nanos < 10**9 and not value.seconds),
        "service": at("service"),
        "policy_revision": at("policy_revision"),
        "skipped": at("skipped"),
        "skipped_total": at("skipped_total"),
        "finish_reason_missing": at("finish_reason_missing"),
        "finish_reason_unknown": at("finish_reason_unknown"),
        "tool_arguments_invalid": at("tool_arguments_invalid"),
        "choices_missing": at("choices_missing"),
    },
    "Attempt": {
        "provider": at("provider"),
        "endpoint_tag": at("endpoint_tag"),
        "model": at("model"),
        "upstream_model": at("upstream_model"),
        "upstream_request_id": at("upstream_request_id"),
        "http_status": at("http_status"),
        "reason": at("reason"),
        "elapsed": Unlike("measured", lambda value: not value.seconds),
        "usage": Unlike("HTTP tells the usage of the answer only", lambda value: value.input_tokens > 0),
    },
    "DroppedField": {"field": at("field"), "why": at("why")},
    "Skipped": {name: at(name) for name in ("model", "provider", "endpoint_tag", "reason", "excluded_by", "layer")},
    "StreamChatResponse": {
        **{name: event_is(name) for name in ("started", "text", "reasoning", "tool_call", "media", "refusal", "annotation",
                                             "choice_finished", "attempt_failed", "completed")},
        "raw": lambda event, *_: event.get("raw"),
    },
    "StreamStarted": {
        "id": Unlike("each call has its own", lambda value: re.fullmatch(r"gen-[\w-]+", value)),
        "model": at("model"),
        "create_time": Unlike("HTTP tells when the call was admitted, here it is the provider's own time", lambda value: value.seconds == 1750000000),
        "provider": at("provider"),
        "endpoint_tag": at("remora", "endpoint_tag"),
        "service_tier": at("service_tier"),
        "system_fingerprint": at("system_fingerprint"),
    },
    "TextDelta": {"choice_index": CHOICE_INDEX, "text": at("said"), "logprobs": tokens_of, "block_index": ONE_TEXT},
    "ReasoningDelta": {"choice_index": CHOICE_INDEX, "block_index": at("block", "index"), "block": at("block")},
    "ToolCallDelta": {
        "choice_index": CHOICE_INDEX,
        "tool_call_index": at("call", "index"),
        "id": at("call", "id"),
        "name": at("call", "function", "name"),
        "arguments_json_fragment": at("call", "function", "arguments"),
    },
    "MediaDelta": {"choice_index": CHOICE_INDEX, "media_index": at("index"), "media": at("media")},
    "RefusalDelta": {"choice_index": CHOICE_INDEX, "text": at("said")},
    "AnnotationDelta": {"choice_index": CHOICE_INDEX, "annotation": at("annotation"), "text_block_index": ONE_TEXT},
    "ChoiceFinished": {
        "choice_index": CHOICE_INDEX,
        "finish_reason": enum("FINISH_REASON", "finish_reason"),
        "native_finish_reason": at("native_finish_reason"),
    },
    "AttemptFailed": {"attempt": at("attempt")},
    "StreamCompleted": {"usage": at("usage"), "route": at("remora"), "extra": at("upstream", "further")},
}
FOREIGN = {"google.protobuf.Struct": json_format.MessageToDict, "google.protobuf.Timestamp": lambda value: value.seconds,
           "google.protobuf.Duration": lambda value: value}
# What no provider of this test can make happen.
NEVER_SET = {"Usage.cache_write_1h_input_tokens", "RouteInfo.served_from_cache"}


def short(descriptor):
    return descriptor.full_name.removeprefix("remora.v1.")


def is_repeated(field):
    return field.is_repeated if hasattr(field, "is_repeated") else field.label == FieldDescriptor.LABEL_REPEATED


class Comparison:
    def __init__(self):
        self.seen = set()

    def one(self, field, value, expected, where):
        if field.type == FieldDescriptor.TYPE_MESSAGE and field.message_type.full_name not in FOREIGN:
            self.message(value, expected, where)
            return
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            value = FOREIGN[field.message_type.full_name](value)
        elif field.type == FieldDescriptor.TYPE_ENUM:
            value = field.enum_type.values_by_number[value].name
        assert value == expected, f"{where}: {value!r} over gRPC, {expected!r} over HTTP"

    def message(self, found, source, where):
        rules = FIELDS[short(found.DESCRIPTOR)]
        for field in found.DESCRIPTOR.fields:
            path = f"{where}.{field.name}"
            value = getattr(found, field.name)
            is_list = is_repeated(field)
            is_set = bool(len(value)) if is_list else found.HasField(field.name) if field.has_presence else value != field.default_value
            if is_set:
                self.seen.add(f"{short(found.DESCRIPTOR)}.{field.name}")
            rule = rules[field.name]
            if isinstance(rule, Unlike):
                assert not is_set or rule.holds is None or rule.holds(value), f"{path}: {value}"
                continue
            expected = rule(source, found)
            if is_list:
                expected = expected or []
                assert len(value) == len(expected), f"{path}: {list(value)} over gRPC, {expected} over HTTP"
                for i, each in enumerate(value):
                    self.one(field, each, expected[i], f"{path}[{i}]")
            elif is_set:
                self.one(field, value, expected, path)
            elif field.type == FieldDescriptor.TYPE_ENUM:
                assert expected in (None, field.enum_type.values_by_number[0].name), f"{path}: nothing over gRPC, {expected!r} over HTTP"
            elif field.has_presence:
                assert expected is None, f"{path}: nothing over gRPC, {expected!r} over HTTP"
            else:
                assert not expected, f"{path}: nothing over gRPC, {expected!r} over HTTP"


COMPARED = Comparison()


# ---- asking ----

def asks(name):
    return {"model": f"t/{name}", "seed": 7, **UPSTREAM.get(name, {}).get("asks", {})}


def chat_request(pb, name):
    """The same request as asks()."""
    wanted = asks(name)
    chat = pb.chat.ChatRequest(model=wanted["model"], messages=[pb.chat.Message(
        role=pb.chat.ROLE_USER, parts=[pb.chat.ContentPart(text=USER[0]["content"])])])
    chat.sampling.seed = 7
    if "n" in wanted:
        chat.sampling.choice_count = wanted["n"]
    if "logprobs" in wanted:
        chat.logprobs.enabled, chat.logprobs.top_count = True, wanted["top_logprobs"]
    chat.output_modalities.extend(wanted.get("modalities", []))
    for tool in wanted.get("tools", []):
        chat.tools.add().function.CopyFrom(pb.chat.FunctionTool(name=tool["function"]["name"], parameters_json='{"type":"object"}'))
    if "audio" in wanted:
        chat.extra_body.update({"audio": wanted["audio"]})
    return chat


def upstream_of(name):
    """What HTTP has no member for: the provider's words themselves."""
    case = UPSTREAM.get(name, UPSTREAM["text"])
    known = {k: v for k, v in case.get("members", {}).items() if k not in ("service_tier", "system_fingerprint", "p") and v is not None}
    usage = whole(name if name in UPSTREAM else "text")["usage"]
    return {"further": known or None, "usage": json.loads(json.dumps(usage), parse_int=float)}


def with_upstream(source, name):
    upstream = upstream_of(name)
    source = {**source, "upstream": upstream}
    if source.get("usage"):
        source["usage"] = {**source["usage"], "upstream": upstream, "remora": source["remora"]}
    return source


def ask(remora, pb, name):
    """The answers of both fronts to the same request: the JSON body, the ChatResponse."""
    status, _, body = remora.chat(asks(name), path="/api/v1/chat/completions")
    assert status == 200, body
    with grpc.insecure_channel(f"127.0.0.1:{remora.grpc_port}") as channel:
        reply = pb.chat_grpc.ChatServiceStub(channel).Chat(chat_request(pb, name), timeout=30)
    return body, reply


def events_of(chunks, name):
    """The chunks of HTTP as the events of the proto, each a dict with its name; pieces of text joined as gRPC may join them."""
    last = with_upstream(next(c for c in reversed(chunks) if "remora" in c), name)
    failed = [one for one in last["remora"]["attempts"] if one.get("reason")]
    events = [{"event": "attempt_failed", "attempt": one} for one in failed]
    events.append({"event": "started", **chunks[0], "remora": last["remora"]})
    for chunk in chunks:
        for choice in chunk["choices"]:
            events += list(events_of_choice(choice))
    events.append({"event": "completed", **last})
    return joined(events)


def events_of_choice(choice):
    delta, common = choice["delta"], {"choice": choice["index"]}
    audio = delta.get("audio", {})
    if delta.get("content") or (choice.get("logprobs") and "content" in delta):
        yield {"event": "text", "said": delta["content"], "logprobs": choice.get("logprobs"), **common}
    if "transcript" in audio:
        yield {"event": "text", "said": audio["transcript"], **common}
    if "refusal" in delta:
        yield {"event": "refusal", "said": delta["refusal"], **common}
    if "data" in audio:
        yield {"event": "media", "media": {"data": audio["data"], "mime": "audio/*"}, **common}
    if "id" in audio or "expires_at" in audio:
        yield {"event": "media", "media": {"file_id": audio.get("id"), "expires_at": audio.get("expires_at"), "mime": "audio/*"}, **common}
    for block in delta.get("reasoning_details", []):
        yield {"event": "reasoning", "block": block, **common}
    for one in delta.get("tool_calls", []):
        yield {"event": "tool_call", "call": one, **common}
    for one in delta.get("images", []):
        yield {"event": "media", "media": picture(one), "index": one["index"], **common}
    for one in delta.get("annotations", []):
        yield {"event": "annotation", "annotation": one, **common}
    for one in delta.get("raw", []):
        yield {"event": "raw", "raw": {key: value for key, value in one.items() if key != "index"}}
    if choice.get("finish_reason"):
        yield {"event": "choice_finished", "finish_reason": choice["finish_reason"],
               "native_finish_reason": choice["native_finish_reason"], **common}


def joined(events):
    out = []
    for event in events:
        before = out[-1] if out else {}
        if all(e.get("event") == "text" and not e.get("logprobs") for e in (event, before)) and event["choice"] == before["choice"]:
            out[-1] = {**before, "said": before["said"] + event["said"]}
        else:
            out.append(event)
    return out


def joined_proto(events):
    out = []
    for event in events:
        is_text = event.WhichOneof("event") == "text" and not event.text.logprobs
        if is_text and out and out[-1].WhichOneof("event") == "text" and not out[-1].text.logprobs and \
                out[-1].text.choice_index == event.text.choice_index:
            out[-1].text.text += event.text.text
        else:
            out.append(event)
    return out


def ask_stream(remora, pb, name):
    stream = remora.stream(asks(name), path="/api/v1/chat/completions")
    assert stream.status == 200 and stream.is_done, stream.text
    with grpc.insecure_channel(f"127.0.0.1:{remora.grpc_port}") as channel:
        events = list(pb.chat_grpc.ChatServiceStub(channel).StreamChat(pb.chat.StreamChatRequest(chat=chat_request(pb, name)), timeout=30))
    return stream.chunks, events


# ---- the tests ----

CASES = [*UPSTREAM, "fallback", "skipped"]


@pytest.fixture(scope="module", autouse=True)
def rested(remora):
    """The first endpoint of t/skipped rests from here on."""
    status, _, body = remora.chat(asks("skipped"))
    assert status == 200 and body["remora"]["attempts"][0]["reason"] == "CAPACITY_EXHAUSTED"


@pytest.mark.parametrize("name", CASES)
def test_a_whole_answer_is_the_same(remora, pb, name):
    body, reply = ask(remora, pb, name)
    COMPARED.message(reply, with_upstream(body, name), name)


@pytest.mark.parametrize("name", CASES)
def test_a_stream_is_the_same(remora, pb, name):
    chunks, events = ask_stream(remora, pb, name)
    expected, found = events_of(chunks, name), joined_proto(events)
    assert [e.WhichOneof("event") for e in found] == [e["event"] for e in expected]
    for i, event in enumerate(found):
        COMPARED.message(event, expected[i], f"{name}[{i}]")


def answers(descriptor, known=None):
    """Every message of ours that may stand in an answer."""
    known = {} if known is None else known
    if descriptor.full_name.startswith("remora.v1.") and descriptor.full_name not in known:
        known[descriptor.full_name] = descriptor
        for field in descriptor.fields:
            if field.message_type is not None:
                answers(field.message_type, known)
    return known


# Messages under fields that no answer has: FIELDS says so of the field.
REQUESTS_ONLY = {"CacheBreakpoint"}


def test_every_field_is_compared_or_has_a_reason(pb):
    """Runs last: what the answers above had is known then."""
    kinds = {**answers(pb.chat.ChatResponse.DESCRIPTOR), **answers(pb.chat.StreamChatResponse.DESCRIPTOR)}
    missing = [f"{short(d)}.{f.name}" for d in kinds.values() if short(d) not in REQUESTS_ONLY
               for f in d.fields if f.name not in FIELDS.get(short(d), {})]
    assert missing == [], "neither compared nor listed with a reason"
    known = {f"{short(d)}.{f.name}" for d in kinds.values() for f in d.fields}
    rows = {f"{kind}.{name}": rule for kind, fields in FIELDS.items() for name, rule in fields.items()}
    assert sorted(set(rows) - known) == [], "rows of fields that are gone"
    required = {name for name, rule in rows.items() if not isinstance(rule, Unlike) or rule.holds} - NEVER_SET
    assert sorted(required - COMPARED.seen) == [], "compared, and no answer had it"


def details_of(pb, error):
    packed = dict(error.trailing_metadata())["grpc-status-details-bin"]
    status = pb.status.Status.FromString(packed)
    info, attempts = pb.details.ErrorInfo(), []
    for each in status.details:
        if each.Is(info.DESCRIPTOR):
            each.Unpack(info)
        if each.Is(pb.routing.Attempt.DESCRIPTOR):
            attempts.append(pb.routing.Attempt())
            each.Unpack(attempts[-1])
    return info, attempts


@pytest.mark.parametrize("is_stream", [False, True])
def test_an_error_in_band_is_the_same(remora, pb, is_stream):
    if is_stream:
        told = remora.stream(asks("error-in-band"), path="/api/v1/chat/completions")
        error = told.error()
        assert told.content() == "Hello" and not told.is_done
    else:
        _, _, body = remora.chat(asks("error-in-band"), path="/api/v1/chat/completions")
        error = body["error"]
    events = []
    with grpc.insecure_channel(f"127.0.0.1:{remora.grpc_port}") as channel:
        stub, chat = pb.chat_grpc.ChatServiceStub(channel), chat_request(pb, "error-in-band")
        with pytest.raises(grpc.RpcError) as broken:
            if is_stream:
                for event in stub.StreamChat(pb.chat.StreamChatRequest(chat=chat), timeout=30):
                    events.append(event)
            else:
                stub.Chat(chat, timeout=30)
    info, attempts = details_of(pb, broken.value)
    assert info.reason == error["metadata"]["reason"] and broken.value.details() == error["message"]
    assert broken.value.code() == grpc.StatusCode.UNAVAILABLE
    assert info.metadata["error_type"] == error["error_type"]
    for found, expected in zip(attempts, error["metadata"]["attempts"], strict=True):
        COMPARED.message(found, expected, "attempt")
    if is_stream:
        assert "".join(event.text.text for event in events) == "Hello" and events[-1].WhichOneof("event") == "text"


def results(said):
    return [{"role": "tool", "tool_call_id": one["id"], "content": "done"} for one in said.get("tool_calls", [])]


def proto_results(pb, said):
    return [pb.chat.Message(role=pb.chat.ROLE_TOOL, tool_call_id=one.id, parts=[pb.chat.ContentPart(text="done")]) for one in said.tool_calls]


def sent_back(remora, provider, pb, name):
    """The first answer as the second message of a conversation: what the provider gets of it from each front."""
    body, reply = ask(remora, pb, name)
    said, found = body["choices"][-1]["message"], reply.choices[-1].message
    last = {"role": "user", "content": "Go on"}
    status, _, answer = remora.chat({"model": "t/text", "messages": [*USER, said, *results(said), last]})
    assert status == 200, answer
    chat = chat_request(pb, "text")
    chat.messages.extend([found, *proto_results(pb, found), pb.chat.Message(role=pb.chat.ROLE_USER, parts=[pb.chat.ContentPart(text="Go on")])])
    with grpc.insecure_channel(f"127.0.0.1:{remora.grpc_port}") as channel:
        told = pb.chat_grpc.ChatServiceStub(channel).Chat(chat, timeout=30)
    http_body, grpc_body = provider.bodies[-2:]
    told_http = {one["field"] for one in answer.get("remora", {"dropped": []})["dropped"]}
    assert {one.field for one in told.route.dropped} == told_http | {"seed"}
    return http_body["messages"], grpc_body["messages"]


# What an answer in sound says is text in gRPC's parts: it goes back as text beside the id.
SPOKEN = {"audio": "spoken"}


@pytest.mark.parametrize("name", [name for name in CASES if name != "raw"])
def test_an_answer_goes_back_as_history(remora, provider, pb, name):
    over_http, over_grpc = sent_back(remora, provider, pb, name)
    if name in SPOKEN:
        assert over_grpc[1].pop("content") == SPOKEN[name] and over_http[1].pop("content") is None
        assert over_grpc[1]["audio"] == {"id": "audio_1"}
    assert over_grpc == over_http


def test_sound_without_an_id_goes_back_as_what_it_says(remora, provider, pb):
    chat = chat_request(pb, "text")
    said = pb.chat.Message(role=pb.chat.ROLE_ASSISTANT, parts=[
        pb.chat.ContentPart(text="spoken"), pb.chat.ContentPart(audio=pb.chat.Media(data=b"RIFF", mime_type="audio/*"))])
    chat.messages.extend([said, pb.chat.Message(role=pb.chat.ROLE_USER, parts=[pb.chat.ContentPart(text="Go on")])])
    with grpc.insecure_channel(f"127.0.0.1:{remora.grpc_port}") as channel:
        told = pb.chat_grpc.ChatServiceStub(channel).Chat(chat, timeout=30)
        assert provider.bodies[-1]["messages"][1] == {"role": "assistant", "content": "spoken"}
        assert [one.field for one in told.route.dropped] == ["messages[].audio", "seed"]
        chat.messages[1].parts.add().raw.update({"type": "hologram"})
        with pytest.raises(grpc.RpcError) as refused:
            pb.chat_grpc.ChatServiceStub(channel).Chat(chat, timeout=30)
        assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
