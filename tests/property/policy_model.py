"""What a plan must be, slowly and plainly: the reference that the program is held against.

Written from the words of the design (the table of rules and its order, the merging of layers, the order of endpoints) and of
the provider-preferences reference, not from the program. A world is a configuration document as Python values; nothing here
knows how the program stores anything.

Choices where the words leave room, each also in docs/policy.md:
  - `allow_fallbacks: false` without `order` keeps the first endpoint of each model by itself.
  - per item prices that are absent (image, request) cost nothing; audio is billed as the prompt when it has no price.
  - `regions` looks at the endpoint's own region, else at one that its tag names, else at the seat of the provider; a member
    state lies in eu, a cloud's region in its country; a word of a tag that is no variant is a place, perhaps an unknown one.
  - response_format text asks for nothing; tool_choice auto or none can always be left out, for require_parameters too.
  - more output than the whole window holds is more than the endpoint gives.
  - verbosity and structured_outputs are soft: they narrow only where an endpoint of the model takes them.
  - a router lies where its endpoint's region or tag says, and nowhere without.
"""
import json
import pathlib
import re
from decimal import Decimal

LAYERS = ["MESH", "NAMESPACE", "SERVICE", "KEY", "REQUEST"]
TIERS = {"flex", "priority", "batch", "scale"}
FAMILIES = {
    "unsupported_wire": "NO_ENDPOINTS", "no_credential": "NO_ENDPOINTS", "model_allow_list": "MODEL_NOT_ALLOWED",
    "free_variant": "CONSTRAINT_FILTERED", "modality": "CONSTRAINT_FILTERED", "output_modality": "CONSTRAINT_FILTERED",
    "context_length": "CONTEXT_LENGTH", "output_limit": "CONSTRAINT_FILTERED", "allowed_providers": "CONSTRAINT_FILTERED",
    "ignored_provider": "CONSTRAINT_FILTERED", "data_policy:training": "PRIVACY_RESTRICTED",
    "data_policy:zdr": "PRIVACY_RESTRICTED", "data_policy:distillable": "PRIVACY_RESTRICTED",
    "data_region": "REGION_RESTRICTED", "quantization": "CONSTRAINT_FILTERED", "max_price": "CONSTRAINT_FILTERED",
    "require_parameters": "CONSTRAINT_FILTERED", "supported_parameters": "CONSTRAINT_FILTERED",
    "not_in_order": "CONSTRAINT_FILTERED", "cooling": "CAPACITY_EXHAUSTED", "breaker_open": "UPSTREAM_OVERLOADED",
    "credential_benched": "UPSTREAM_CREDENTIAL", "model_gone": "MODEL_UNAVAILABLE_UPSTREAM",
}
TRANSIENT = {"CAPACITY_EXHAUSTED", "UPSTREAM_OVERLOADED"}
LASTING = {"MODEL_NOT_ALLOWED", "MODEL_UNAVAILABLE_UPSTREAM", "UPSTREAM_CREDENTIAL", "NO_ENDPOINTS", "PRIVACY_RESTRICTED", "REGION_RESTRICTED", "CONSTRAINT_FILTERED"}
BUILT = {"openai"}
CATALOG = pathlib.Path(__file__).parents[2] / "data/catalog.json"


def catalog_routers():
    """Aggregators by slug. Of all but OpenRouter, which hears what is asked of those behind it, only what is bad is known of all."""
    found = {}
    for provider in json.loads(CATALOG.read_text())["providers"]:
        if provider["class"] == "aggregator":
            known, bad = provider["data_policy"], {"training": True, "zdr": False}
            found[provider["slug"]] = {key: known[key] if provider["dialect"] == "openrouter" or known[key] is bad[key] else None
                                       for key in bad}
    return found


ROUTERS = catalog_routers()


class Endpoint:
    def __init__(self, document, model_id, entry):
        self.model_id = model_id
        self.model = document["models"][model_id]
        self.slug = entry["provider"]
        self.provider = document["providers"][self.slug]
        self.tag = entry.get("tag", self.slug)
        self.entry = entry
        self.hears = self.slug == "openrouter" or self.provider.get("dialect") == "openrouter"
        self.is_router = self.hears or self.slug in ROUTERS
        self.kind = self.provider.get("kind", "openai")  # the catalog's routers that are drawn all speak it
        self.data_policy = self.provider.get("data_policy", ROUTERS.get(self.slug, {}))

    def __repr__(self):
        return f"{self.model_id} {self.tag}"


class World:
    """A document and the environment: what does not change from request to request."""

    def __init__(self, document, environment):
        self.document = document
        self.environment = environment
        self.models = {model_id: [Endpoint(document, model_id, entry) for entry in model["endpoints"]]
                       for model_id, model in document["models"].items()}


class Asked:
    """Who asks, and for what: the body of a chat request."""

    def __init__(self, body, service, namespace, key=None, health=None):
        self.body = body
        self.service, self.namespace, self.key = service, namespace, key
        self.health = health or {}


def layers_of(world, asked):
    document = world.document
    found = {
        "MESH": document.get("policy"),
        "NAMESPACE": document.get("namespaces", {}).get(asked.namespace),
        "SERVICE": document.get("services", {}).get(asked.service),
        "KEY": document.get("keys", {}).get(asked.key),
        "REQUEST": {"provider": asked.body.get("provider", {})},
    }
    return [(name, found[name]) for name in LAYERS if found[name] is not None]


# ---- names ----

def wildcard(pattern, text):
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), text, re.S) is not None


def pattern_matches(pattern, model_id, is_free):
    if wildcard(pattern, model_id):
        return True
    return is_free and pattern.endswith(":free") and wildcard(pattern[:-len(":free")], model_id)


def refused_by(layers, model_id, is_free):
    """The outermost layer whose allow or deny refuses the model."""
    for name, policy in layers:
        models = policy.get("models", {})
        if any(pattern_matches(p, model_id, is_free) for p in models.get("deny", [])):
            return name
        if "allow" in models and not any(pattern_matches(p, model_id, is_free) for p in models["allow"]):
            return name
    return None


def resolve(world, layers, name):
    """(id, is_free) or a code."""
    models = world.models
    if name in models:
        return name, False
    name = world.document.get("aliases", {}).get(name, name)
    is_free = name not in models and name.endswith(":free")
    stem = name[:-len(":free")] if is_free else name
    if is_free and stem in world.document.get("aliases", {}):
        stem = world.document["aliases"][stem]
    if stem in models:
        return stem, is_free
    if "/" not in stem:
        called = [m for m in models if m.split("/", 1)[1] == stem and not refused_by(layers, m, is_free)]
        if len(called) > 1:
            outer = [layer for layer in layers if layer[0] != "REQUEST"]
            nothing = Asked({}, None, None)
            called = [m for m in called if any(excluded(world, outer, nothing, e, is_free) is None and not unlisted_by(outer, e)
                                               for e in models[m])]
        if len(called) == 1:
            return called[0], is_free
    return "MODEL_NOT_FOUND"


def slug_names(slug, endpoint):
    """A full slug names one tag; a base slug every tag of its provider but the service tiers."""
    if slug == endpoint.tag:
        return True
    parts = endpoint.tag.split("#")[0].split("/")[1:]
    return slug == endpoint.slug and not TIERS.intersection(parts)


def named(slugs, endpoint):
    return any(slug_names(slug, endpoint) for slug in slugs)


# ---- rules, in their order: None, or (rule, layer) ----

def states(layers, key, wanted):
    return next((name for name, policy in layers if wanted(policy.get("provider", {}).get(key))), None)


def no_credential(world, endpoint):
    key = endpoint.provider.get("api_key")
    return key is not None and not world.environment.get(key["env"])


KINDS = {"image_url": "image", "input_audio": "audio", "video_url": "video", "file": "file"}


def parts_of(body):
    for message in body.get("messages", []):
        content = message.get("content")
        yield from [{"type": "text", "text": content}] if isinstance(content, str) else content or []


def too_long(world, endpoint, body):
    text = "".join(part["text"] for part in parts_of(body) if part["type"] == "text")
    window = endpoint.entry.get("context_length") or endpoint.model.get("context_length")
    # Certainly too long: more than 16 bytes for every token of the window (the texts drawn here have no runs of marks).
    return any(limit and len(text.encode()) // 16 > limit for limit in (window, endpoint.entry.get("max_prompt_tokens")))


def output_limit_of(endpoint):
    window = endpoint.entry.get("context_length") or endpoint.model.get("context_length")
    limits = [limit for limit in (endpoint.entry.get("max_completion_tokens"), window) if limit]
    return min(limits) if limits else None


QUANTIZATIONS = {"fp4": {"fp4", "mxfp4", "nvfp4"}, "fp8": {"fp8", "mxfp8"}}
PER_MILLION = {"prompt", "completion"}


def price_of(endpoint, cap, body):
    pricing = endpoint.entry.get("pricing", {})
    if cap == "audio":
        price = pricing.get("input_audio", pricing.get("prompt"))
        is_heard = any(part["type"] == "input_audio" for part in parts_of(body))
        if is_heard and "input_audio" not in pricing and price is not None and Decimal(price) != 0:
            price = None  # what it costs to hear is a guess then, and no cap lets a guess pass
    elif cap in PER_MILLION:
        price = pricing.get(cap)
    else:
        price = pricing.get(cap, "0")
    return None if price is None else Decimal(price) * (1000000 if cap in PER_MILLION else 1)


def max_price(layers, endpoint, body):
    for cap in ("prompt", "completion", "request", "image", "audio"):
        price = price_of(endpoint, cap, body)
        for name, policy in layers:
            highest = policy.get("provider", {}).get("max_price", {}).get(cap)
            if highest is not None and (price is None or price > Decimal(str(highest))):
                return f"max_price:{cap}", name
    return None


RENAMED = {"max_completion_tokens": "max_tokens", "reasoning_effort": "reasoning"}
PARAMETERS = {"temperature", "top_p", "top_k", "seed", "stop", "tools", "tool_choice", "response_format", "verbosity", "max_tokens",
              "max_completion_tokens", "logprobs", "frequency_penalty", "reasoning", "structured_outputs", "modalities"}
VITAL = {"tools", "tool_choice", "response_format", "modalities"}
SOFT = {"verbosity", "structured_outputs"}
RARE_FORMATS = {"grammar", "python"}


DIALECT_REFUSES = {"mistral": {"logprobs"}}


def takes(endpoint, parameter):
    """What is listed, or everything; never what the server's dialect of the wire does not know."""
    if parameter in DIALECT_REFUSES.get(dialect_of(endpoint), ()):
        return False
    supported = endpoint.entry.get("supported_parameters")
    return supported is None or parameter in supported


def dialect_of(endpoint):
    return "openrouter" if endpoint.hears else endpoint.provider.get("dialect", "generic")


def is_open(endpoint):
    """A server of one's own takes what its operator says, which is everything without a list; so does a router."""
    return dialect_of(endpoint) in ("generic", "openrouter") and endpoint.entry.get("supported_parameters") is None


def takes_rare_words(endpoint):
    return endpoint.hears or is_open(endpoint)


def loses(endpoint, body):
    """What has no list: the mark for a cache, then fields that only a server of one's own takes, or their own provider."""
    dialect = dialect_of(endpoint)
    is_marked = "cache_control" in body or any("cache_control" in part for part in parts_of(body))
    if is_marked and dialect not in ("generic", "openrouter"):
        return "cache_control"
    own = {"mistral": {"safe_prompt"}}.get(dialect, set())
    return None if is_open(endpoint) or not {"foo", "safe_prompt"} & set(body) - own else "further_fields"


def wanted_parameters(body):
    """In the order of the request. Text as the format is what everybody answers, hiding is done here, false is nothing."""
    return [RENAMED.get(name, name) for name in body if name in PARAMETERS and not asks_for_nothing(name, body[name])]


def asks_for_nothing(name, value):
    return (name == "response_format" and value["type"] == "text") or (name == "reasoning" and value == {"exclude": True}) or \
        (name == "structured_outputs" and not value) or (name == "modalities" and value == ["text"])


def lost_part(endpoint, body, parameter):
    """What servers that know no object `reasoning`, only an effort, and no flag for structured outputs have no word for."""
    if endpoint.hears:
        return None
    if parameter == "reasoning":
        return next((f"reasoning.{part}" for part in ("max_tokens", "summary", "context") if part in body["reasoning"]), None)
    is_schema = body.get("response_format", {}).get("type") == "json_schema"
    return parameter if parameter == "structured_outputs" and not is_schema else None


def lacks(world, endpoint, body, parameter):
    """What the endpoint lacks to honour it: the parameter, or structured_outputs for a JSON Schema where somebody has them."""
    if not takes(endpoint, parameter):
        return parameter
    if parameter == "response_format" and body["response_format"]["type"] in RARE_FORMATS and not takes_rare_words(endpoint):
        return parameter
    is_schema = parameter == "response_format" and body["response_format"]["type"] == "json_schema"
    somebody = any(takes(e, "structured_outputs") for e in world.models[endpoint.model_id])
    return "structured_outputs" if is_schema and somebody and not takes(endpoint, "structured_outputs") else None


def is_default(body, parameter):
    return parameter == "tool_choice" and body["tool_choice"] in ("auto", "none")


def supported_parameters(world, endpoint, body):
    for parameter in wanted_parameters(body):
        somebody = any(takes(e, parameter) for e in world.models[endpoint.model_id])
        if is_default(body, parameter) or not (parameter in VITAL or (parameter in SOFT and somebody)):
            continue
        lacking = lacks(world, endpoint, body, parameter)
        if lacking:
            return f"supported_parameters:{lacking}", "CATALOG"
    return None


def require_parameters(world, layers, endpoint, body):
    layer = states(layers, "require_parameters", lambda v: v is True)
    if layer is None:
        return None
    for parameter in wanted_parameters(body):
        if is_default(body, parameter):
            continue
        lacking = lacks(world, endpoint, body, parameter) or lost_part(endpoint, body, parameter)
        if lacking:
            return f"require_parameters:{lacking}", layer
    lost = loses(endpoint, body)
    return (f"require_parameters:{lost}", layer) if lost else None


def excluded(world, layers, asked, endpoint, is_free):
    """The first rule that holds, with the outermost layer that set it; those of order and health come later."""
    body = asked.body
    if endpoint.kind not in BUILT:
        return "unsupported_wire", "CATALOG"
    if no_credential(world, endpoint):
        return "no_credential", "CATALOG"
    layer = refused_by(layers, endpoint.model_id, is_free)
    if layer:
        return "model_allow_list", layer
    if endpoint.entry.get("free", False) != is_free:
        return "free_variant", "CATALOG"
    modalities = endpoint.model.get("modalities", {})
    reads = modalities.get("input", ["text", "image", "audio", "video", "file"])
    if any(KINDS[part["type"]] not in reads for part in parts_of(body) if part["type"] in KINDS):
        return "modality", "CATALOG"
    writes = modalities.get("output", ["text"])
    if writes == ["embeddings"] or any(kind not in writes for kind in body.get("modalities", [])):
        return "output_modality", "CATALOG"
    if too_long(world, endpoint, body):
        return "context_length", "CATALOG"
    most = output_limit_of(endpoint)
    output = body.get("max_tokens", body.get("max_completion_tokens"))
    if most and output and output > most:
        return "output_limit", "CATALOG"
    layer = states(layers, "only", lambda v: v is not None and not named(v, endpoint))
    if layer:
        return "allowed_providers", layer
    layer = states(layers, "ignore", lambda v: v is not None and named(v, endpoint))
    if layer:
        return "ignored_provider", layer
    data = endpoint.data_policy
    layer = states(layers, "data_collection", lambda v: v == "deny")
    if layer and data.get("training") is not False:
        return "data_policy:training", layer
    layer = states(layers, "zdr", lambda v: v is True)
    if layer and data.get("zdr") is not True:
        return "data_policy:zdr", layer
    layer = states(layers, "enforce_distillable_text", lambda v: v is True)
    if layer and endpoint.model.get("distillable") is not True:
        return "data_policy:distillable", layer
    layer = states(layers, "regions", lambda v: v is not None and not any(lies_in(endpoint, r) for r in v))
    if layer:
        return "data_region", layer
    has = endpoint.entry.get("quantization", "unknown")
    layer = states(layers, "quantizations",
                   lambda v: v is not None and not any(has in QUANTIZATIONS.get(q, {q}) for q in v))
    if layer:
        return "quantization", layer
    return max_price(layers, endpoint, body) or require_parameters(world, layers, endpoint, body) or \
        supported_parameters(world, endpoint, body)


UNION = set("at be bg cy cz de dk ee es fi fr gr hr hu ie it lt lu lv mt nl pl pt ro se si sk".split())


# Of the regions that are drawn; the others lie nowhere.
COUNTRY = {"us-east5": "us", "europe-west1": "be", "europe-west2": "gb", "eu-west-2": "gb", "eastus2": "us", "uksouth": "gb",
           "westeurope": "nl", "asia-east1": "tw"}
VARIANTS = {"fast", "flex", "fp8", "priority"}


def place_of(endpoint):
    for part in endpoint.tag.split("#")[0].split("/")[1:]:
        if part not in VARIANTS:
            return endpoint.entry.get("region", part)
    return endpoint.entry.get("region", None if endpoint.is_router else endpoint.provider.get("headquarters"))


def lies_in(endpoint, asked):
    place, asked = (place_of(endpoint) or "").lower(), asked.lower()
    country = COUNTRY.get(place, place)
    by_word = len(asked) > 2 and place.split("-")[0] == asked
    return bool(place) and (asked in (place, country) or by_word or (asked == "eu" and country in UNION))


# ---- order and health ----

def in_order(layers, endpoints):
    """`order` of the innermost layer that states one, then as written; own endpoints only, so the catalog's prices play no part."""
    order = next((p["provider"]["order"] for _, p in reversed(layers) if p.get("provider", {}).get("order")), [])
    rank = {id(e): next((i for i, slug in enumerate(order) if slug_names(slug, e)), len(order)) for e in endpoints}
    return sorted(endpoints, key=lambda e: rank[id(e)])


def strict_layers(layers):
    return [(name, p["provider"]) for name, p in layers if p.get("provider", {}).get("allow_fallbacks") is False]


def unlisted_by(layers, endpoint):
    return next((name for name, p in strict_layers(layers) if p.get("order") and not named(p["order"], endpoint)), None)


def not_in_order(layers, kept, out):
    """Layers that allow no fallback restrict to their order or, without one, to the first of the final order."""
    for endpoint in kept:
        layer = unlisted_by(layers, endpoint)
        if layer:
            out[id(endpoint)] = ("not_in_order", layer)
    kept = in_order(layers, [e for e in kept if id(e) not in out])
    layer = next((name for name, p in strict_layers(layers) if not p.get("order")), None)
    for endpoint in kept[1:] if layer else []:
        out[id(endpoint)] = ("not_in_order", layer)
    return [e for e in kept if id(e) not in out]


def unknown_tag(world, preferences):
    """Where the request names a tag that no endpoint has; providers as such are all known. The catalog has none of these."""
    tags = {endpoint.tag for endpoints in world.models.values() for endpoint in endpoints}
    for name in ("order", "only", "ignore"):
        for i, slug in enumerate(preferences.get(name, [])):
            if "/" in slug and slug not in tags:
                return f"provider.{name}[{i}]"
    return None


def plan(world, asked):
    """{code, order: [(model, tag)], out: {(model, tag): (rule, layer)}, resolved: [id]}; {code, param} of a refused request"""
    unknown = unknown_tag(world, asked.body.get("provider", {}))
    if unknown:
        return {"code": "INVALID_REQUEST", "param": unknown}
    layers = layers_of(world, asked)
    names = [n for n in [asked.body.get("model"), *asked.body.get("models", [])] if n]
    if not names:
        names = [p["models"]["default"] for _, p in layers if p.get("models", {}).get("default")][-1:]
    if not names:
        return {"code": "INVALID_REQUEST", "param": "model"}
    targets, codes, order, reasons = [], [], [], {}
    for name in names:
        target = resolve(world, layers, name)
        if (target if target != "MODEL_NOT_FOUND" else (name,)) not in targets:
            targets.append(target if target != "MODEL_NOT_FOUND" else (name,))
    for target in targets:
        if len(target) == 1:
            codes.append("MODEL_NOT_FOUND")
            continue
        model_id, is_free = target
        out = {}
        endpoints = world.models[model_id]
        for endpoint in endpoints:
            reason = excluded(world, layers, asked, endpoint, is_free)
            if reason:
                out[id(endpoint)] = reason
        kept = not_in_order(layers, [e for e in endpoints if id(e) not in out], out)
        for endpoint in kept:
            rule = asked.health.get(f"{model_id} {endpoint.tag}") or asked.health.get(endpoint.slug)
            if rule:
                out[id(endpoint)] = (rule, "HEALTH")
        kept = [e for e in kept if id(e) not in out]
        order += [(model_id, e.tag) for e in kept]
        reasons.update({(model_id, is_free, e.tag): out[id(e)] for e in endpoints if id(e) in out})
        is_embedder = world.document["models"][model_id].get("modalities", {}).get("output") == ["embeddings"]
        codes.append(None if kept else "WRONG_ENDPOINT" if is_embedder else code_of(list(out.values())))
    return {"code": "OK" if order else whole_code(codes), "order": order, "out": reasons,
            "resolved": [t[0] for t in targets if len(t) == 2]}


def code_of(reasons):
    rules = [rule.split(":")[0] if rule.split(":")[0] in FAMILIES else rule for rule, _ in reasons]
    for rule, code in (("breaker_open", "UPSTREAM_OVERLOADED"), ("cooling", "CAPACITY_EXHAUSTED"),
                       ("credential_benched", "UPSTREAM_CREDENTIAL"), ("model_gone", "MODEL_UNAVAILABLE_UPSTREAM"),
                       ("model_allow_list", "MODEL_NOT_ALLOWED")):
        if rule in rules:
            return code
    families = {FAMILIES[rule] for rule in rules}
    return families.pop() if len(families) == 1 else "CONSTRAINT_FILTERED"


def whole_code(codes):
    """Transient before lasting before the caller's fault as judged by the primary model."""
    transient = [c for c in codes if c in TRANSIENT]
    if transient:
        return "UPSTREAM_OVERLOADED" if "UPSTREAM_OVERLOADED" in transient else "CAPACITY_EXHAUSTED"
    return next((c for c in codes if c in LASTING), codes[0])


# ---- what a router behind this gateway is told ----

def covers(word, quantization):
    return quantization in QUANTIZATIONS.get(word, {word})


def caps_of(preferences):
    """The lowest of each, in the router's own unit, which is that of the policy."""
    stated = [p["max_price"] for p in preferences if p.get("max_price")]
    return {cap: min(Decimal(str(caps[cap])) for caps in stated if cap in caps) for cap in sorted({cap for caps in stated for cap in caps})}


def wishes(preferences):
    """OpenRouter's object: all that narrows its own choice, and nothing else."""
    ignored = {word for p in preferences for word in p.get("ignore", [])}
    lists = [p["quantizations"] for p in preferences if "quantizations" in p]
    common = {word for words in lists for word in words if all(any(covers(w, word) for w in others) for others in lists)}
    found = {"ignore": ignored, "quantizations": common, "max_price": caps_of(preferences)}
    for key in ("require_parameters", "zdr", "enforce_distillable_text"):
        found[key] = any(p.get(key) is True for p in preferences)
    if any(p.get("data_collection") == "deny" for p in preferences):
        found["data_collection"] = "deny"
    found = {key: value for key, value in found.items() if value}
    if keeps_first(preferences):
        found["allow_fallbacks"] = False
    return found


def keeps_first(preferences):
    return any(p.get("allow_fallbacks") is False and not p.get("order") for p in preferences)


def names_others(endpoint, lists):
    return any(word != endpoint.slug and not word.startswith(endpoint.slug + "/") for words in lists for word in words)


def unheard(endpoint, preferences):
    """What the answer tells as dropped: a list that names but the router itself says nothing of those behind it."""
    bound = [p["order"] for p in preferences if p.get("allow_fallbacks") is False and p.get("order")]
    told = {"only": names_others(endpoint, [p["only"] for p in preferences if "only" in p]), "order": names_others(endpoint, bound)}
    if not endpoint.hears:
        told["ignore"] = names_others(endpoint, [p.get("ignore", []) for p in preferences])
        told["require_parameters"] = any(p.get("require_parameters") is True for p in preferences)
        told["allow_fallbacks"] = keeps_first(preferences)
    return {f"provider.{key}" for key, is_told in told.items() if is_told}


def heard(world, asked, order):
    """{(model, tag): (what a router of the order is sent, what is told as dropped)}"""
    preferences = [policy.get("provider", {}) for _, policy in layers_of(world, asked)]
    routers = [e for model_id, tag in order for e in world.models[model_id] if e.tag == tag and e.is_router]
    return {(e.model_id, e.tag): (wishes(preferences) if e.hears else None, unheard(e, preferences)) for e in routers}
