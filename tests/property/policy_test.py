#!/usr/bin/env python3
"""10,000 random stacks of policy layers: the program's plan against the reference model, and what narrowing must never do.

usage: policy_test.py PLAN_DRIVER [CASES]      REMORA_SEED=N draws others, 0 others every time

For every stack: code, resolved models, order, and the rule and layer of every endpoint that is out are those of
policy_model.py, and so is what each router of the order is told of the policy. Then the stack is narrowed at one layer, or the request states more: no endpoint may come in by that.
All cases of a batch go through one process.
"""
import copy
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from decimal import Decimal

from policy_model import Asked, World, heard, plan

BATCH = 500
PROVIDERS = ["p0", "p1", "p2", "p3", "p4", "p5", "requesty", "openrouter"]
CATALOG = {"requesty", "openrouter"}  # routers of the shipped catalog; its models are none of those that are asked for
TAILS = ["", "/fast", "/eu", "/us-east5", "/flex", "/fp8#2", "/priority/eu", "/eu-west-2", "/uksouth", "/zone9", "/fast/asia-east1"]
MODELS = ["acme/echo-1", "acme/echo-2", "beta/echo-1", "beta/parrot"]
NAMES = MODELS * 3 + ["best", "twin:free", "echo-1", "echo-2", "parrot", "parrot:free", "acme/echo-1:free", "acme/nothing"]
ALIASES = {"best": "acme/echo-2", "twin": "beta/parrot", "gratis": "acme/echo-1:free"}
PATTERNS = ["*", "acme/*", "beta/*", "acme/echo-1", "*/echo-1", "*:free", "acme/*:free", "beta/p*t", "nobody/*"]
QUANTIZATIONS = ["int4", "fp4", "mxfp4", "nvfp4", "fp8", "mxfp8", "bf16", "unknown"]
REGIONS = ["eu", "US", "de", "gb", "us-east5", "FR", "europe", "zone9", "asia"]
PARAMETERS = {
    "temperature": [0.5], "top_k": [5], "seed": [1], "stop": [["x"]], "verbosity": ["low"], "max_tokens": [10, 90, 2000],
    "max_completion_tokens": [10], "logprobs": [True],
    "safe_prompt": [True], "foo": [1], "cache_control": [{"type": "ephemeral"}],
    "tools": [[{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]],
    "structured_outputs": [True, True, False],
    "reasoning": [{"exclude": True}, {"summary": "auto"}, {"max_tokens": 5}, {"effort": "low"}, {"enabled": True, "context": "auto"}],
    "response_format": [{"type": "text"}, {"type": "json_object"}, {"type": "grammar", "grammar": "g"}, {"type": "python"},
                        {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}],
}
SUPPORTED = ["temperature", "top_k", "seed", "stop", "verbosity", "max_tokens", "logprobs", "tools", "tool_choice",
             "response_format", "structured_outputs", "reasoning", "modalities"]
PARTS = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
         {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]
HASHES = {"H0": "0" * 64, "H1": "1" * 64}
ENVIRONMENT = {"SET": "sk-set", **HASHES}


class Draw:
    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.tags = []  # of the document being drawn from: whole ones

    def chance(self, p):
        return self.dice.random() < p

    def one(self, values):
        return self.dice.choice(values)

    def some(self, values, most=3):
        return self.dice.sample(values, self.dice.randint(1, min(most, len(values))))

    def provider(self, slug):
        found = {} if slug in CATALOG else {"kind": "openai", "base_url": "http://127.0.0.1:1/v1"}
        if slug not in CATALOG and self.chance(0.08):
            found["kind"] = "anthropic"
        if found.get("kind") == "openai":
            found["dialect"] = self.one(["generic", "generic", "mistral", "openrouter"])
        if slug in CATALOG or self.chance(0.5):
            found["api_key"] = {"env": "SET" if self.chance(0.8) else "UNSET"}
        if self.chance(0.7):
            found["headquarters"] = self.one(["DE", "US", "FR", "CH"])
        if self.chance(0.3 if slug in CATALOG else 0.8):
            found["data_policy"] = {key: self.one([True, False, None]) for key in ("training", "zdr")}
        return found

    def endpoint(self, tag):
        found = {"provider": tag.split("/")[0], "tag": tag, "model_id": "m"}
        pricing = {key: self.one(["0", "0.000001", "0.0000025", "0.00001"]) for key in
                   ("prompt", "completion", "input_audio", "request", "image") if self.chance(0.7)}
        if pricing or self.chance(0.5):
            found["pricing"] = pricing
        if self.chance(0.3):
            found["quantization"] = self.one(QUANTIZATIONS)
        if self.chance(0.2):
            found["region"] = self.one(["DE", "eu", "us-east5", "europe-west1", "europe-west2", "eastus2", "westeurope", "zone9", "global"])
        if self.chance(0.4):
            found["supported_parameters"] = [p for p in SUPPORTED if self.chance(0.75)]
        for key, values in (("context_length", [60, 5000]), ("max_prompt_tokens", [60]), ("max_completion_tokens", [20, 1000])):
            if self.chance(0.15):
                found[key] = self.one(values)
        if self.chance(0.1):
            found["free"] = True
        return found

    def model(self):
        tags = self.dice.sample([p + tail for p in PROVIDERS for tail in TAILS], self.dice.randint(1, 9))
        found = {"endpoints": [self.endpoint(tag) for tag in tags]}
        if self.chance(0.3):
            found["modalities"] = {"input": ["text"] + self.some(["image", "audio", "file"]), "output": self.one([["text"]] * 3 + [["text", "image"]] * 3 + [["image"], ["text", "audio"], ["embeddings"]])}
        if self.chance(0.2):
            found["context_length"] = self.one([60, 100000])
        if self.chance(0.3):
            found["distillable"] = self.one([True, False])
        return found

    def slugs(self):
        """Mostly of endpoints that are there; in a request a tag that nobody has is refused."""
        return self.some(PROVIDERS + self.tags + (["p5/none"] if self.chance(0.05) else []) + ["openai"], 4)

    def preferences(self, p, is_request=False):
        found = {}
        drawn = {
            "order": self.slugs, "only": lambda: self.some(PROVIDERS, 5) + self.slugs(), "ignore": lambda: self.slugs()[:2],
            "allow_fallbacks": lambda: self.chance(0.4), "require_parameters": lambda: self.chance(0.6),
            "data_collection": lambda: self.one(["allow", "deny"]), "zdr": lambda: self.chance(0.4),
            "enforce_distillable_text": lambda: self.chance(0.4), "quantizations": lambda: self.some(QUANTIZATIONS, 6),
            "max_price": lambda: {key: self.one(["0", "1", "2.5", 3, "10", "0.00001"]) for key in
                                  self.some(["prompt", "completion", "request", "image", "audio"], 2)},
            "regions": lambda: self.some(REGIONS, 4),
        }
        for key, draw in drawn.items():
            if self.chance(p):
                found[key] = draw()
        return found

    def policy(self, p):
        found = {"provider": self.preferences(p)}
        models = {}
        if self.chance(p):
            models["allow"] = self.some(PATTERNS, 4) + self.some(["*", "acme/*", "beta/*"], 2)
        if self.chance(p / 2):
            models["deny"] = self.some(PATTERNS[3:], 2)
        if self.chance(0.5):
            models["default"] = self.one(MODELS)
        if models:
            found["models"] = models
        return found

    def document(self):
        p = self.one([0, 0.04, 0.1, 0.2])
        models = {name: self.model() for name in MODELS}
        tags = [e["tag"] for model in models.values() for e in model["endpoints"] if "/" in e["tag"]]
        self.tags = self.dice.sample(tags, min(6, len(tags)))
        return {
            "service": "shop", "namespace": "web", "providers": {name: self.provider(name) for name in PROVIDERS},
            "models": models, "aliases": ALIASES,
            **({"policy": self.policy(p)} if self.chance(0.8) else {}),
            "namespaces": {"web": self.policy(p)} if self.chance(0.6) else {},
            "services": {name: self.policy(p) for name in ("shop", "cart") if self.chance(0.8)},
            "keys": {f"k{i}": {"service": self.one(["shop", "cart"]), "hash": {"env": f"H{i}"}, **self.policy(p)} for i in (0, 1)},
        }

    def request(self):
        text = "word" * self.one([2, 2, 2, 2, 240, 300])
        content = [{"type": "text", "text": text}] + [part for part in PARTS if self.chance(0.1)]
        if self.chance(0.05):
            content.append({"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}})
        body = {"messages": [{"role": "user", "content": text if len(content) == 1 else content}]}
        if self.chance(0.85):
            body["model"] = self.one(NAMES)
        if self.chance(0.25):
            body["models"] = self.some(NAMES, 3)
        names = [name for name in PARAMETERS if self.chance(0.15)]
        self.dice.shuffle(names)
        for name in names:
            if name == "max_completion_tokens" and "max_tokens" in body:
                continue
            if name == "max_tokens" and "max_completion_tokens" in body:
                continue
            body[name] = self.one(PARAMETERS[name])
        if "tools" in body and self.chance(0.3):
            body["tool_choice"] = self.one(["auto", "none", "required"])
        if self.chance(0.1):
            body["modalities"] = self.one([["text"], ["text", "image"], ["image"], ["text", "audio"]])
        preferences = self.preferences(0.08, is_request=True)
        if preferences:
            body["provider"] = preferences
        return body

    def case(self, document):
        key = self.one(["k0", "k1", None, None])
        case = {"document": document, "environment": ENVIRONMENT, "request": self.request(), "namespace": "web",
                "service": document["keys"][key]["service"] if key else "shop"}
        if key:
            case["key"] = key
        if self.chance(0.2):
            model = self.one(MODELS)
            tag = self.one(document["models"][model]["endpoints"])["tag"]
            case["health"] = {f"{tag}|{model}": self.one(["cooling", "model_gone", "breaker_open"])}
        if self.chance(0.05):
            case.setdefault("health", {})[f"{self.one(PROVIDERS)}|SET"] = "credential_benched"
        return case

    def narrowed(self, case):
        """The same with one more restriction in one layer; None where the layer that was drawn is not there."""
        narrow = copy.deepcopy(case)
        document = narrow["document"]
        layer = self.one([document.get("policy"), document["namespaces"].get("web"), document["services"].get(case["service"]),
                          document["keys"].get(case.get("key")), narrow["request"]])
        if layer is None:
            return None
        provider = layer.setdefault("provider", {})
        kind = self.one(["only", "ignore", "data_collection", "zdr", "enforce_distillable_text", "quantizations", "max_price",
                         "require_parameters", "allow_fallbacks", "allow", "deny"])
        if kind in ("zdr", "enforce_distillable_text", "require_parameters"):
            provider[kind] = True
        elif kind == "data_collection":
            provider[kind] = "deny"
        elif kind == "ignore":
            provider[kind] = provider.get(kind, []) + self.slugs()
        elif kind in ("only", "quantizations"):
            drawn = self.slugs() if kind == "only" else self.some(QUANTIZATIONS, 4)
            provider[kind] = [v for v in provider[kind] if v in drawn] if kind in provider else drawn
        elif kind == "max_price":
            cap = self.one(["prompt", "completion", "request", "image", "audio"])
            old = provider.setdefault(kind, {}).get(cap)
            provider[kind][cap] = "0" if old is not None else self.one(["1", "2.5"])
        elif kind == "allow_fallbacks":
            if not provider.get("order"):
                return None  # what is first changes when the one before it goes: the design's own
            provider[kind] = False
        elif layer is narrow["request"]:
            return None
        else:
            models = layer.setdefault("models", {})
            drawn = self.some(PATTERNS, 3)
            models[kind] = models.get(kind, []) + drawn if kind == "deny" else \
                [v for v in models[kind] if v in drawn] if kind in models else drawn
        return narrow


def health_of(case):
    """Slots of the program -> names of the model: an endpoint of one model, or all of a provider."""
    found = {}
    for slot, how in case.get("health", {}).items():
        left, right = slot.split("|")
        if how != "credential_benched":
            found[f"{right} {left}"] = how
        elif case["document"]["providers"][left].get("api_key", {}).get("env") == right:
            found.setdefault(left, how)
    return found


def expected(case):
    world = World(case["document"], case["environment"])
    return plan(world, Asked(case["request"], case["service"], case["namespace"], case.get("key"), health_of(case)))


def told(answer):
    """The program's answer in the words of the reference."""
    candidates = answer["candidates"]
    for c in candidates:
        assert ("excluded_by" in c) == ("layer" in c) == (c["position"] == 0), f"neither in nor out by one rule: {c}"
    inside = sorted((c["position"], c["model"], c["endpoint_tag"]) for c in candidates if c["position"])
    assert [position for position, _, _ in inside] == list(range(1, len(inside) + 1)), "positions are not continuous"
    return {"code": answer.get("reason", "OK"), "order": [(model, tag) for _, model, tag in inside],
            "out": Counter((c["model"], c["endpoint_tag"], c["excluded_by"], c["layer"][len("POLICY_LAYER_"):])
                           for c in candidates if not c["position"]), "resolved": answer["resolved_models"]}


def as_sets(provider):
    """What a router is sent, without the order of lists."""
    return provider and {key: set(value) if isinstance(value, list) else value for key, value in provider.items()}


def compare_heard(case, answer):
    """None, or what differs of what the routers of the order hear."""
    world = World(case["document"], case["environment"])
    asked = Asked(case["request"], case["service"], case["namespace"], case.get("key"))
    wanted = {k: (sent or None, said) for k, (sent, said) in heard(world, asked, told(answer)["order"]).items()}
    found = {(h["model"], h["endpoint_tag"]): (as_sets(h["provider"]), set(h["dropped"])) for h in answer["heard"]}
    return None if found == wanted else f"  heard: program {found}\n       reference {wanted}"


def compare(case, answer):
    """None, or what differs."""
    wanted = expected(case)
    if wanted["code"] == "INVALID_REQUEST":
        told_so = answer.get("refused", "").startswith(f"INVALID_REQUEST: {wanted['param']}: ")
        return None if told_so else f"not refused for {wanted['param']}: {answer}"
    if "refused" in answer:
        return f"refused: {answer['refused']}"
    found = told(answer)
    wanted["out"] = Counter((model, tag, rule, layer) for (model, _, tag), (rule, layer) in wanted["out"].items())
    return "\n".join(f"  {key}: program {found[key]}\n  {' ' * len(key)}  reference {wanted[key]}"
                     for key in wanted if found[key] != wanted[key]) or compare_heard(case, answer)


def keeps_first_only(case):
    document = case["document"]
    layers = [document.get("policy"), document["namespaces"].get("web"), document["services"].get(case["service"]),
              document["keys"].get(case.get("key")), case["request"]]
    return any((p or {}).get("provider", {}).get("allow_fallbacks") is False and not p["provider"].get("order") for p in layers)


def widens(case, before, after):
    """What came in although the second plan only asks for more than the first; None when the two cannot be compared."""
    if "refused" in before or "refused" in after or keeps_first_only(case) or \
            before["resolved_models"] != after["resolved_models"]:
        return None
    return Counter(map(tuple, told(after)["order"])) - Counter(map(tuple, told(before)["order"]))


def ask(driver, cases):
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    result = subprocess.run([driver], input=lines, capture_output=True, text=True, timeout=250)
    assert result.returncode == 0, result.stderr[-4000:]
    answers = [json.loads(line, parse_float=Decimal) for line in result.stdout.splitlines()]
    assert len(answers) == len(cases)
    return [{**answer["explained"], "heard": answer["heard"]} if "explained" in answer else answer for answer in answers]


def fail(seed, number, what, case):
    print(f"seed {seed}, case {number}: {what}\ncase: {json.dumps(case)}")
    print("0 passed, 1 failed")
    sys.exit(1)


class Tally:
    def __init__(self):
        self.codes, self.rules, self.layers = Counter(), Counter(), Counter()
        self.narrowed = self.wished = 0
        self.heard, self.unheard = Counter(), Counter()

    def add(self, answer):
        for one in answer.get("heard", []):
            self.heard.update(list(one["provider"] or {}))
            self.unheard.update(one["dropped"])
        self.codes[answer.get("reason", "refused" if "refused" in answer else "OK")] += 1
        for c in answer.get("candidates", []):
            if "excluded_by" in c:
                self.rules[c["excluded_by"].split(":")[0] if "data_policy" not in c["excluded_by"] else c["excluded_by"]] += 1
                self.layers[c["layer"]] += 1


def run_batch(driver, draw, seed, first, count, tally):
    cases, narrowed, plain = [], [], []
    document = None
    for i in range(count):
        if i % 4 == 0:
            document = draw.document()
        cases.append(draw.case(document))
        narrowed.append(draw.narrowed(cases[-1]) if i % 2 == 0 else None)
        plain.append({**cases[-1], "request": {k: v for k, v in cases[-1]["request"].items() if k != "provider"}}
                     if i % 2 == 1 and "provider" in cases[-1]["request"] else None)
    more = [case for pair in zip(narrowed, plain) for case in pair if case]
    answers = ask(driver, cases + more)
    rest = iter(answers[count:])
    for i, (case, answer) in enumerate(zip(cases, answers)):
        tally.add(answer)
        try:
            difference = compare(case, answer)
        except AssertionError as error:
            difference = str(error)
        if difference:
            fail(seed, first + i, f"differs from the reference\n{difference}", case)
        if narrowed[i]:
            came_in = widens(narrowed[i], answer, next(rest))
            tally.narrowed += came_in is not None
            if came_in:
                fail(seed, first + i, f"narrowing let in {came_in}", {"before": case, "after": narrowed[i]})
        if plain[i]:
            came_in = widens(case, next(rest), answer)
            tally.wished += came_in is not None
            if came_in:
                fail(seed, first + i, f"the request widened its service by {came_in}", case)


ALL_WISHES = {"ignore", "quantizations", "max_price", "require_parameters", "zdr", "enforce_distillable_text", "data_collection",
              "allow_fallbacks"}
ALL_UNHEARD = {"provider.only", "provider.order", "provider.ignore", "provider.require_parameters", "provider.allow_fallbacks"}
ALL_RULES = ["unsupported_wire", "no_credential", "model_allow_list", "free_variant", "modality", "output_modality",
             "context_length", "output_limit", "allowed_providers", "ignored_provider", "data_policy:training", "data_policy:zdr",
             "data_policy:distillable", "data_region", "quantization", "max_price", "require_parameters", "supported_parameters",
             "not_in_order", "cooling", "model_gone", "breaker_open", "credential_benched"]


def main():
    driver = sys.argv[1]
    total = int(sys.argv[2]) if len(sys.argv) > 2 else 10000
    seed = int(os.environ.get("REMORA_SEED") or 20261129) or random.SystemRandom().randrange(1, 10**9)
    print(f"seed {seed}: {total} stacks")
    draw, tally, began = Draw(seed), Tally(), time.monotonic()
    for first in range(0, total, BATCH):
        run_batch(driver, draw, seed, first, min(BATCH, total - first), tally)
    print("codes", dict(tally.codes.most_common()))
    print("rules", dict(tally.rules.most_common()))
    print("layers", dict(tally.layers.most_common()))
    print(f"{tally.narrowed} narrowed, {tally.wished} with wishes of the request, {time.monotonic() - began:.1f} s")
    print("heard", dict(tally.heard.most_common()), "unheard", dict(tally.unheard.most_common()))
    unseen = [rule for rule in ALL_RULES if not tally.rules[rule]] + sorted(ALL_WISHES - set(tally.heard)) + \
        sorted(ALL_UNHEARD - set(tally.unheard))
    if total >= 10000 and (unseen or tally.narrowed < total / 10 or tally.wished < total / 20):
        fail(seed, total, f"too little was drawn: rules {unseen}, narrowed {tally.narrowed}, wished {tally.wished}", {})
    print("3 passed, 0 failed")


if __name__ == "__main__":
    main()
