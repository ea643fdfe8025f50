#!/usr/bin/env python3
"""Reads the captured Chat Completions answers and prints what each of them means: the expectation of provider_captures_test.

    read_captures.py [CAPTURES] > summary.txt       CAPTURES defaults to ../shared/captures beside the repository

Written from reference/providers.md (0.1 usage, 0.2 finish reasons, 8 quirks) and from nothing else: it shares neither code nor
method with the decoder. It knows which provider a capture is of and applies that provider's line of the table; it reads whole
JSON values, never bytes as they arrive. When a capture is added: run it, read the difference, commit both.

One block per capture, folders and names in byte order:
    FOLDER/FILE
     model=M text=BYTES:FNV-1a-64 reasoning=BYTES:FNV-1a-64 finish=F native=N annotations=COUNT
     usage CLASS=TOKENS ... [reported_pico_usd=N]          disjoint classes; a class that is absent is not written
     call ID NAME ARGUMENTS
"""
import decimal
import json
import pathlib
import sys

FOLDERS = "openai azure deepseek groq mistral xai perplexity alibaba moonshotai openai-compatible".split()
# openai-compatible/ holds answers of xAI as well, seen by a client that took it for any compatible server.
XAI = ("xai/", "openai-compatible/xai-")
FINISH = {"stop": "stop", "length": "length", "tool_calls": "tool_calls", "content_filter": "content_filter",
          "function_call": "tool_calls", "eos": "stop", "model_length": "length", "sensitive": "content_filter"}


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def parse(text):
    return json.loads(text, parse_float=decimal.Decimal)


def texts_of(path):
    """The JSON texts of a capture: one for a whole answer, one per event for a stream."""
    text = path.read_text(encoding="utf-8")
    if path.name.endswith(".json"):
        return [text]
    lines = [line for line in text.split("\n") if line.strip()]
    if path.name.endswith(".sse"):
        lines = [line[5:].strip() for line in lines if line.startswith("data:")]
    return [line for line in lines if line != "[DONE]"]


def is_chat_completion(text):
    try:
        first = parse(text)
    except ValueError:  # one Responses capture begins with a line that is no JSON
        assert "choices" not in text and "chat.completion" not in text
        return False
    if "object" in first:
        return first["object"] in ("chat.completion", "chat.completion.chunk")
    return "choices" in first


class Message:
    def __init__(self):
        self.text, self.reasoning, self.calls = "", "", []

    def add(self, body):
        content = body.get("content")
        self.reasoning += body.get("reasoning") or body.get("reasoning_content") or ""
        if isinstance(content, str):
            self.text += content
        for part in content if isinstance(content, list) else []:
            if part["type"] == "text":
                self.text += part["text"]
            elif part["type"] == "thinking":
                self.reasoning += "".join(each["text"] for each in part["thinking"])
            else:
                raise ValueError(f"a part that this reader does not know: {part['type']}")
        for call in body.get("tool_calls") or []:
            self.add_call(call)

    def add_call(self, call):
        known = [c for c in self.calls if "index" in call and c["index"] == call["index"]]
        if known:
            known[-1]["arguments"] += call["function"].get("arguments") or ""
        else:
            self.calls.append({"index": call.get("index"), "id": call["id"], "name": call["function"]["name"],
                               "arguments": call["function"].get("arguments") or ""})


def usage_of(name, events):
    """The last usage that an event carries, in classes that do not overlap."""
    usage = None
    for event in events:
        usage = event.get("usage") or (event.get("x_groq") or {}).get("usage") or usage
    if usage is None:
        return {}
    prompt_details, output_details = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
    prompt, completion, total = usage["prompt_tokens"], usage["completion_tokens"], usage.get("total_tokens")
    cached = prompt_details.get("cached_tokens")
    if name.startswith("deepseek/"):
        cached = usage["prompt_cache_hit_tokens"]
        assert cached + usage["prompt_cache_miss_tokens"] == prompt
    if name.startswith("moonshotai/") and cached is None:
        cached = usage.get("cached_tokens")
    reasoning = output_details.get("reasoning_tokens", usage.get("reasoning_tokens"))
    if name.startswith(XAI):
        completion += reasoning
        if cached > prompt:
            prompt += cached
    assert total is None or prompt + completion == total, f"{name}: {prompt} + {completion} is not {total}"
    classes = {"input": prompt}

    def split(whole, part, count):
        if count is not None:
            classes[part], classes[whole] = count, classes[whole] - count

    split("input", "cache_read", cached)
    split("input", "audio_input", prompt_details.get("audio_tokens"))
    split("input", "image_input", prompt_details.get("image_tokens"))
    classes["output"] = completion
    split("output", "reasoning", reasoning)
    split("output", "audio_output", output_details.get("audio_tokens"))
    assert min(classes.values()) >= 0, f"{name}: {classes}"
    cost = usage.get("cost")
    if "cost_in_usd_ticks" in usage:  # 1e-10 USD
        classes["reported_pico_usd"] = usage["cost_in_usd_ticks"] * 100
    elif cost is not None:
        classes["reported_pico_usd"] = int((cost["total_cost"] if isinstance(cost, dict) else cost) * 10**12)
    return classes


ORDER = "input cache_read audio_input image_input output reasoning audio_output reported_pico_usd".split()


def describe(name, events):
    message, model, native, citations = Message(), "", "", []
    for event in events:
        if event.get("choices"):
            model = model or event["model"]
        citations = event.get("citations") or citations
        for choice in event["choices"]:
            assert choice.get("index", 0) == 0
            message.add(choice["delta"] if "delta" in choice else choice["message"])
            native = choice.get("finish_reason") or native
    finish = FINISH[native]
    if finish == "stop" and message.calls:
        finish = "tool_calls"
    text, reasoning = message.text.encode(), message.reasoning.encode()
    yield name
    yield (f" model={model} text={len(text)}:{fnv(text):016x} reasoning={len(reasoning)}:{fnv(reasoning):016x} finish={finish} "
           f"native={native} annotations={len(citations)}")
    usage = usage_of(name, events)
    yield " ".join([" usage"] + [f"{key}={usage[key]}" for key in ORDER if key in usage])
    for call in message.calls:
        yield f" call {call['id']} {call['name']} {call['arguments']}"


def main():
    root = pathlib.Path(__file__).resolve().parents[3]
    captures = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else root.parent / "shared/captures"
    for folder in sorted(FOLDERS):
        for path in sorted((captures / folder).iterdir()):
            texts = texts_of(path)
            if is_chat_completion(texts[0]):
                print("\n".join(describe(f"{folder}/{path.name}", [parse(text) for text in texts])))


if __name__ == "__main__":
    main()
