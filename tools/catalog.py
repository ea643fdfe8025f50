#!/usr/bin/env python3
"""Turns data/catalog.json into the read-only tables that src/catalog/catalog.c includes.

usage: catalog.py CATALOG_JSON OUTPUT_INC    what the build runs
       catalog.py --ship FACTS_JSON         checks the facts, says what changes, and makes them data/catalog.json

Texts become one blob with packed references (offset << 8 | length), prices become integer pico-USD
rounded half up to 12 decimal places (what was rounded is counted), providers and models are sorted by the bytes of their
names so that the program can search them. Equal price lists and equal parameter sets are stored once. The output holds no
addresses, so the loader has nothing to relocate and its pages stay shared.

Where the author of a closed model serves it on OpenAI's wire, the endpoint takes what the model's list says as well as what
its own says, in the shipped facts as in those of --ship.

Of Anthropic's models an hour in the cache costs twice the prompt where Anthropic or OpenRouter bills it.

An endpoint always reasons where its own list, if it has one, knows no way out ("none", a switch, a budget), nor does that of the
model's author, and at least three hosts of the model list efforts and no way out, against at most one in four who list one.

Anything that this file does not know (a parameter, a price, a wire, a modality) stops the build instead of being left out.
Field meanings: data/README.md.
"""
import datetime
import json
import os
import shutil
import sys
import tempfile
from decimal import ROUND_HALF_UP, Decimal

# In the order of enum remora_price. The facts have no prices of writing for an hour: see with_hour.
PRICES = ("prompt", "completion", "cached_read", "cached_write", "cached_write_1h", "reasoning", "input_audio", "output_audio", "request",
          "image", "web_search")
# What the request itself implies or what only names the body's shape: not a parameter that an endpoint may lack.
IGNORED_PARAMETERS = {"stream", "input", "encoding_format"}
PARAMETER_ALIASES = {
    "max_completion_tokens": "max_tokens",
    "include_reasoning": "reasoning",
    "reasoning_effort": "reasoning",
}
# What no list in the facts has a word for: what the provider's own documents say (reference/providers.md sections 1 and 8;
# OpenRouter: the ChatRequest of its OpenAPI document; Groq: types of its own client, generated from its OpenAPI document
# (groq-python, completion_create_params: `user` is documented, of `n` "only n=1 is supported"); xAI: its own definition of the
# service (xai-proto, GetCompletionsRequest: `user`, and `n` up to 128) and its API reference, Chat completions, which has both;
# Mistral: API specification, ChatCompletionRequest; read 2026-11). Who is not named is not known to take them. Only of endpoints: a model's list
# is told to callers as OpenRouter tells it.
UNLISTED_PARAMETERS = {
    "openai": {"n", "user", "safety_identifier", "service_tier", "modalities", "audio", "prediction", "prompt_cache_key",
               "prompt_cache_options", "parallel_tool_calls"},
    "openrouter": {"user", "service_tier", "modalities", "audio", "image_config", "prediction", "prompt_cache_key",
                   "prompt_cache_options", "parallel_tool_calls"},
    "groq": {"user", "parallel_tool_calls"},
    "mistral": {"n", "prediction", "parallel_tool_calls"},
    "xai": {"n", "user", "parallel_tool_calls"},
}
# By provider, what the model's id begins with, and whether it reasons. DeepSeek: parameters of its API reference that the
# flags do not know; with thinking it refuses them, and logit_bias is not among them at all.
UNLISTED_OF_MODELS = {
    ("openai", "openai/gpt-5", True): {"verbosity"},
    ("deepseek", "deepseek/deepseek-chat", False): {"logprobs", "top_logprobs"},
}
# Who bills what Anthropic's models write to a cache at Anthropic's multiples of the prompt's price, 1.25 for five minutes and 2 for an hour
# (reference/openrouter.md 12.1; OpenRouter, "Prompt caching", Anthropic Claude). Of resellers nobody says what an hour costs.
HOUR_PROVIDERS = {"anthropic", "openrouter"}
MINUTES_MULTIPLE, HOUR_MULTIPLE = Decimal("1.25"), 2
# Authors whose own provider has another name.
OWN_PROVIDERS = {"mistralai": "mistral", "x-ai": "xai"}
MODALITIES = {"text": 1, "image": 2, "audio": 4, "video": 8, "file": 16, "pdf": 16, "embeddings": 32}
# Numbers of enum remora_effort. Bit 0 says that the model always reasons.
EFFORTS = {"none": 1, "minimal": 2, "low": 3, "medium": 4, "high": 5, "xhigh": 6, "max": 7}
REASONING_OPTIONS = {"toggle", "effort", "budget_tokens"}
ALWAYS_REASONS_LISTS = 3  # so many hosts that agree
ALWAYS_REASONS_AGAINST = 4  # one in so many may say otherwise: some resellers list the same for every model
TRISTATE = {None: "REMORA_UNSET", False: "REMORA_NO", True: "REMORA_YES"}
BLOB_LINE_BYTES = 96


class Blob:
    """Every distinct text once."""

    def __init__(self):
        self.bytes = bytearray()
        self.seen = {}

    def add(self, text):
        data = (text or "").encode()
        if not data:
            return 0
        if len(data) > 255 or b"\0" in data:
            raise SystemExit(f"catalog: text too long or with NUL: {text!r}")
        if data not in self.seen:
            self.seen[data] = len(self.bytes) << 8 | len(data)
            self.bytes += data + b"\0"
        if len(self.bytes) >= 1 << 24:
            raise SystemExit("catalog: more than 16 MiB of text")
        return self.seen[data]


class Table:
    """Distinct rows, numbered in the order of their first use."""

    def __init__(self):
        self.rows = {}

    def add(self, row):
        return self.rows.setdefault(row, len(self.rows))


class Catalog:
    def __init__(self):
        self.blob = Blob()
        self.prices = Table()
        self.parameters = Table()
        self.rounded = 0
        self.tiers = []
        self.overrides = [(0, 0)]
        self.providers = []
        self.kinds = []  # of the providers
        self.models = []
        self.endpoints = []

    def pico_usd(self, text):
        if text is None:
            return -1
        exact = Decimal(text).scaleb(12)
        rounded = exact.to_integral_value(rounding=ROUND_HALF_UP)
        self.rounded += exact != rounded
        if not 0 <= rounded < 2**63:
            raise SystemExit(f"catalog: price out of range: {text}")
        return int(rounded)

    def price_row(self, pricing):
        unknown = set(pricing) - set(PRICES) - {"min_prompt_tokens"}
        if unknown:
            raise SystemExit(f"catalog: unknown prices: {sorted(unknown)}")
        if pricing.get("image") == pricing.get("prompt"):  # of a token of an image, and those are counted as prompt
            pricing = {**pricing, "image": None}
        return self.prices.add(tuple(self.pico_usd(pricing.get(name)) for name in PRICES))

    def parameter_row(self, names):
        if names is None:
            return self.parameters.add("REMORA_PARAMETERS_ALL")
        wanted = {PARAMETER_ALIASES.get(name, name) for name in names} - IGNORED_PARAMETERS
        bits = [f"BIT({name.upper()})" for name in sorted(wanted)]
        return self.parameters.add(" | ".join(bits) or "0")

    def add_provider(self, provider):
        policy = provider["data_policy"]
        is_router = provider["class"] == "aggregator"
        # Of a router the facts tell of its own layer: nothing of who serves behind it, unless it hears what is asked of those.
        speaks_for_all = not is_router or provider["dialect"] == "openrouter"
        training = policy["training"] if speaks_for_all or policy["training"] else None
        zdr = policy["zdr"] if speaks_for_all or not policy["zdr"] else None
        self.kinds.append(provider["kind"])
        days = policy["retention_days"]
        self.providers.append((
            self.blob.add(provider["slug"]), self.blob.add(provider["name"]), self.blob.add(provider["dialect"]),
            self.blob.add(provider["base_url"].rstrip("/")), self.blob.add(provider["api_key_env"]),
            self.blob.add(provider["headquarters"]), -1 if days is None else int(days),
            wire(provider["kind"]), TRISTATE[training], TRISTATE[policy["retains_prompts"]], TRISTATE[zdr],
            int(provider["class"] == "local"), int(is_router)))

    def override_row(self, endpoint):
        row = (self.blob.add(endpoint.get("wire_override")),
               self.blob.add((endpoint.get("base_url_override") or "").rstrip("/")))
        if row not in self.overrides:
            self.overrides.append(row)
        return self.overrides.index(row)

    def add_endpoint(self, endpoint, provider_index, model):
        kind = self.kinds[provider_index]
        tiers = sorted(endpoint.get("pricing_tiers") or [], key=lambda tier: tier["min_prompt_tokens"])
        first_tier = len(self.tiers)
        self.tiers += [(int(tier["min_prompt_tokens"]), self.price_row(with_hour(tier, endpoint, model))) for tier in tiers]
        quantization = endpoint["quantization"]
        self.endpoints.append((
            self.blob.add(endpoint["tag"]), self.blob.add(endpoint["model_id"]),
            self.blob.add(None if quantization == "unknown" else quantization),
            endpoint["context_length"] or 0, endpoint.get("max_prompt_tokens") or 0,
            endpoint["max_completion_tokens"] or 0, provider_index, self.price_row(with_hour(endpoint["pricing"], endpoint, model)),
            self.parameter_row(endpoint_parameters(endpoint, model, kind)), first_tier, len(tiers),
            self.override_row(endpoint), efforts(endpoint) | int(always_reasons(endpoint, model)),
            int(endpoint["free"]) | int(lacks_budget(endpoint)) << 1 | int(endpoint["status"] == "deprecated") << 2))

    def add_model(self, model, provider_indexes):
        first = len(self.endpoints)
        for endpoint in model["endpoints"]:
            self.add_endpoint(endpoint, provider_indexes[endpoint["provider"]], model)
        self.models.append((
            self.blob.add(model["id"]), self.blob.add(model["name"]), self.blob.add(model["author"]),
            self.blob.add(model.get("canonical_slug") or model["id"]), self.blob.add(model.get("tokenizer")),
            self.blob.add(model.get("knowledge_cutoff")), self.blob.add(model.get("expiration_date")), model["created"] or 0,
            model["context_length"] or 0, first, len(model["endpoints"]),
            modalities(model["modalities"]["input"]), modalities(model["modalities"]["output"]),
            self.parameter_row(model["supported_parameters"])))


def is_the_authors(endpoint, model):
    return endpoint["provider"] == OWN_PROVIDERS.get(model["author"], model["author"])


def is_told_by_the_model(endpoint, model, kind):
    """True where the model's list speaks of this endpoint: the author serves it on OpenAI's wire, and nobody else hosts the
    weights. The list of an open model is the union of what its hosts take, which its author may not."""
    return (is_the_authors(endpoint, model) and kind == "openai" and not endpoint.get("wire_override")
            and not model.get("open_weights") and not model.get("hugging_face_id"))


def endpoint_parameters(endpoint, model, kind):
    """The endpoint's own list comes from capability flags, which do not tell everything (data/README.md)."""
    names = endpoint["supported_parameters"]
    if names is None:
        return None
    provider = endpoint["provider"]
    wanted = set(names) | UNLISTED_PARAMETERS.get(provider, set())
    if is_told_by_the_model(endpoint, model, kind):
        wanted |= set(model["supported_parameters"] or ())
    for (of_provider, beginning, reasons), more in UNLISTED_OF_MODELS.items():
        if provider == of_provider and model["id"].startswith(beginning) and reasons == ("reasoning" in wanted):
            wanted |= more
    return wanted


def with_hour(pricing, endpoint, model):
    """The prices, with that of writing for an hour where it follows: the price of minutes is the multiple that it should be."""
    prompt, minutes = pricing.get("prompt"), pricing.get("cached_write")
    is_known = endpoint["provider"] in HOUR_PROVIDERS and model["author"] == "anthropic"
    if not is_known or not prompt or not minutes or Decimal(minutes) != MINUTES_MULTIPLE * Decimal(prompt):
        return pricing
    return {"cached_write_1h": str(HOUR_MULTIPLE * Decimal(prompt)), **pricing}


def options_of(endpoint):
    options = endpoint.get("reasoning_options") or []
    unknown = {option["type"] for option in options} - REASONING_OPTIONS
    if unknown:
        raise SystemExit(f"catalog: unknown reasoning options: {sorted(unknown)}")
    return options


def efforts(endpoint):
    """Bits of the efforts that it takes; 0 where no list says. A switch or a budget beside them is a way to "none"; without them
    it is all that there is: no effort."""
    options = options_of(endpoint)
    values = {value for option in options for value in option.get("values", ())} - {"default"}
    if any(option["type"] != "effort" for option in options):
        values.add("none")
    return sum(1 << EFFORTS[value] for value in values)


def lacks_budget(endpoint):
    options = options_of(endpoint)
    return bool(options) and all(option["type"] != "budget_tokens" for option in options)


def knows_no_way_out(endpoint):
    """Its list has efforts and nothing that means no reasoning: not "none", no switch, no budget, which may be 0."""
    return efforts(endpoint) != 0 and not efforts(endpoint) & 1 << EFFORTS["none"]


def always_reasons(endpoint, model):
    """Whether reasoning cannot be switched off. A single host's list often leaves the switch out or names one that is not there,
    so that several must agree."""
    lists = [one for one in model["endpoints"] if options_of(one)]
    against = [one for one in lists if not knows_no_way_out(one)]
    if endpoint in against or any(is_the_authors(one, model) for one in against):
        return False
    return len(lists) - len(against) >= ALWAYS_REASONS_LISTS and ALWAYS_REASONS_AGAINST * len(against) <= len(lists)


def wire(kind):
    return "REMORA_WIRE_" + kind.upper().replace("-", "_")


def modalities(names):
    bits = 0
    for name in names:
        bits |= MODALITIES[name]
    return bits


def refuse_twice(names):
    seen = set()
    for name in names:
        if name in seen:
            raise SystemExit(f"catalog: {name} is there twice")
        seen.add(name)


def read(path):
    with open(path, encoding="utf-8") as file:
        source = json.load(file)
    if source["schema_version"] != 1:
        raise SystemExit("catalog: schema_version is not 1")
    datetime.date.fromisoformat(source["generated"])
    refuse_twice(provider["slug"] for provider in source["providers"])
    refuse_twice(model["id"] for model in source["models"])
    catalog = Catalog()
    providers = sorted(source["providers"], key=lambda provider: provider["slug"].encode())
    for provider in providers:
        catalog.add_provider(provider)
    indexes = {provider["slug"]: index for index, provider in enumerate(providers)}
    for model in sorted(source["models"], key=lambda model: model["id"].encode()):
        catalog.add_model(model, indexes)
    return catalog, source["generated"]


def escaped(data):
    """C string text; a digit after an octal escape of three digits is safe."""
    return "".join(chr(b) if 32 <= b < 127 and b not in b'"\\?' else f"\\{b:03o}" for b in data)


def write_rows(out, declaration, rows, of=""):
    out.write(f"static const {declaration}[]{of} = {{\n")
    for row in rows:
        out.write("{" + ",".join(map(str, row)) + "},\n")
    out.write("};\n")


def write(path, catalog, version):
    with open(path, "w", encoding="ascii") as out:
        out.write("/* Made by tools/catalog.py from data/catalog.json. */\n")
        out.write(f'static const char catalog_version[] = "{version}";\n')
        day = datetime.datetime.strptime(version, "%Y-%m-%d").replace(tzinfo=datetime.timezone.utc)
        out.write(f"static const int64_t catalog_unix_s = {int(day.timestamp())};\n")
        out.write(f"static const size_t catalog_rounded_prices = {catalog.rounded};\n")
        out.write("static const char texts[] =\n")
        for at in range(0, len(catalog.blob.bytes), BLOB_LINE_BYTES):
            out.write(f'"{escaped(catalog.blob.bytes[at:at + BLOB_LINE_BYTES])}"\n')
        out.write(";\n")
        out.write("static const remora_parameter_set parameter_rows[] = {\n")
        out.write("".join(f"{row},\n" for row in catalog.parameters.rows))
        out.write("};\n")
        for at, name in enumerate(PRICES):
            out.write(f'_Static_assert(REMORA_PRICE_{name.upper()} == {at}, "order of prices");\n')
        out.write(f'_Static_assert(REMORA_PRICE_COUNT == {len(PRICES)}, "order of prices");\n')
        write_rows(out, "int64_t price_rows", catalog.prices.rows, "[REMORA_PRICE_COUNT]")
        write_rows(out, "struct tier_row tier_rows", catalog.tiers)
        write_rows(out, "struct override_row override_rows", catalog.overrides)
        write_rows(out, "struct provider_row provider_rows", catalog.providers)
        write_rows(out, "struct model_row model_rows", catalog.models)
        write_rows(out, "struct endpoint_row endpoint_rows", catalog.endpoints)


def fewest_words(error):
    """What is wrong with the facts, for a person: the members that are missing have no message of their own."""
    return f"catalog: {type(error).__name__}: {error}"


def understood(path):
    """(catalog, version), or the end with one line."""
    try:
        return read(path)
    except (KeyError, TypeError, ValueError, ArithmeticError, OSError) as error:
        raise SystemExit(fewest_words(error)) from None


def ship(path):
    target = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "catalog.json")
    old, old_version = understood(target)
    new, new_version = understood(path)
    print(f"catalog of {old_version} -> {new_version}")
    for what, before, after in (("providers", old.providers, new.providers), ("models", old.models, new.models),
                                ("endpoints", old.endpoints, new.endpoints), ("price tiers", old.tiers, new.tiers)):
        print(f"  {len(before)} -> {len(after)} {what}")
    print(f"  {old.rounded} -> {new.rounded} rounded prices")
    with tempfile.NamedTemporaryFile("wb", dir=os.path.dirname(target), delete=False) as copy, open(path, "rb") as source:
        shutil.copyfileobj(source, copy)
    os.chmod(copy.name, 0o644)
    os.replace(copy.name, target)


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    if sys.argv[1] == "--ship":
        ship(sys.argv[2])
        return
    catalog, version = understood(sys.argv[1])
    write(sys.argv[2], catalog, version)


if __name__ == "__main__":
    main()
