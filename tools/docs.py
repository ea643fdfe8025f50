#!/usr/bin/env python3
"""Generates docs/errors.md, docs/configuration.md, docs/telemetry.md, docs/keys-and-limits.md and docs/http-api.md from the tables in
include/remora/tbl/ and the prose in docs/*.md.in.

usage: docs.py              writes them
       docs.py --check      exit status 1 and a diff when a file is not what would be written, when a field that the chat skin
                            reads is not told in docs/http-api.md, or when a README names a path that does not exist
       docs.py --self-test  does the check see a change of a table?

A line of a template that is only "@NAME@" becomes a table, "@file PATH@" the file as a code block; "@limit NAME@" within a line
becomes a number.
"""
import difflib
import glob
import os
import re
import sys

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
PAGES = ["docs/errors.md", "docs/configuration.md", "docs/telemetry.md", "docs/keys-and-limits.md", "docs/http-api.md"]

# google.rpc.Code (googleapis, google/rpc/code.proto)
GRPC = ["OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE",
        "DATA_LOSS", "UNAUTHENTICATED"]
NEXT_ENDPOINT = {"NEVER": "no", "YES": "yes", "LARGER_WINDOW": "one with a larger window",
                 "OTHER_PROVIDER": "once, of another provider"}
EFFECT = {"NONE": "", "COUNTS": "counts", "COOLS": "cools the endpoint", "BENCHES": "benches the endpoint",
          "BENCHES_KEY": "benches the key"}
CLASS = {"NONE": "", "CALLER": "caller", "LASTING": "lasting", "TRANSIENT": "transient"}

RULES = {
    "UNSUPPORTED_WIRE": "nothing here speaks the provider's wire yet",
    "NO_CREDENTIAL": "the provider has no usable key",
    "MODEL_ALLOW_LIST": "`models.allow` or `models.deny` of a layer refuses the model",
    "FREE_VARIANT": "a free endpoint answers `MODEL:free` only, and nothing else answers that",
    "MODALITY": "the model does not read a kind of input that the request holds",
    "OUTPUT_MODALITY": "the model does not write the kind of output that is asked for",
    "CONTEXT_LENGTH": "the prompt is certainly longer than the endpoint's context",
    "OUTPUT_LIMIT": "more output is asked for than the endpoint gives",
    "ALLOWED_PROVIDERS": "not in `only`",
    "IGNORED_PROVIDER": "in `ignore`",
    "TRAINING": "`data_collection: deny`, and the provider trains on prompts or nobody knows",
    "ZDR": "`zdr`, and the provider is not known to retain nothing",
    "DISTILLABLE": "`enforce_distillable_text`, and the author is not known to allow it",
    "DATA_REGION": "`regions`, and the endpoint is not known to lie in one of them",
    "GEO": "kept for restrictions by place; nothing sets it today",
    "QUANTIZATION": "not in `quantizations`",
    "MAX_PRICE": "dearer than the cap behind the colon, or its price is not known",
    "REQUIRE_PARAMETERS": "`require_parameters`, and the endpoint does not take the one behind the colon",
    "SUPPORTED_PARAMETERS": "the endpoint does not take one that cannot be left out, such as `tools`",
    "NOT_IN_ORDER": "`allow_fallbacks: false`, and not in `order` or, without `order`, not the first",
    "COOLING": "resting after a 429",
    "MODEL_GONE": "resting because its provider dropped the model",
    "BREAKER_OPEN": "the circuit breaker is open until its next probe",
    "CREDENTIAL_BENCHED": "every key of the provider was refused and rests",
}

CAUSES = {
    "NONE": "it did not fail, or for no cause below",
    "REFUSED": "the connection was refused",
    "UNREACHABLE": "no way to the provider, or the proxy refused",
    "FORBIDDEN_ADDRESS": "the address is one that is never connected to: unspecified, link-local, or a cloud's service on the host",
    "DNS": "the name could not be resolved, or was not told within `connect_ms`",
    "TLS": "the handshake or the certificate failed",
    "CONNECT_TIMEOUT": "name, TCP and TLS took longer than `connect_ms`, the name being known by then",
    "FIRST_BYTE_TIMEOUT": "a stream did not begin within `first_byte_ms`",
    "RESPONSE_TIMEOUT": "an answer was not whole within `response_ms`",
    "IDLE_TIMEOUT": "a stream was silent for `idle_ms`",
    "DEADLINE": "the request's total time was spent",
    "RESET": "the connection was reset",
    "TRUNCATED": "the answer ended too early",
    "BAD_RESPONSE": "not an HTTP answer that can be used",
    "BAD_JSON": "the answer is not JSON",
    "BAD_EVENT": "an event of the stream is not what the wire prescribes",
    "BAD_ENCODING": "a transfer or content encoding that was not asked for, or broken",
    "CONTENT_TYPE": "another content type than the wire has",
    "LOOP": "the provider is a Remora that has refused the request as a loop (`remora-hop`): its `base_url` leads back",
    "TOO_LARGE": "an event, head or body beyond the limits",
    "EMPTY": "nothing in it, and no finish reason",
    "IN_BAND": "an error inside a 200",
    "REDIRECT": "a redirect; they are never followed",
    "RATE_LIMIT": "429",
    "SERVER_ERROR": "a 5xx",
    "CLIENT_ERROR": "another 4xx",
    "CREDENTIAL": "our key was refused: 401, 402, 403, or a code of the vendor that says so",
    "QUOTA": "what our account may spend there is spent",
    "STALE_CONNECTION": "a kept connection was dead before the request had been written, or an HTTP/2 server refused the stream: sent again once",
    "CANCELLED": "the caller went away",
    "BUILD": "the request could not be written in the provider's wire",
    "MEMORY": "no room",
    "DESCRIPTORS": "this process had no file descriptor for a connection, or to look up a name; nothing is held against the provider",
}


class Tables:
    """The X-macro tables as lists of rows; `texts` replaces files, for the self-test."""

    def __init__(self, root, texts=None):
        self.root, self.texts = root, texts or {}

    def rows(self, name, macro):
        path = f"include/remora/tbl/{name}.h"
        text = self.texts.get(path) or open(os.path.join(self.root, path), encoding="utf-8").read()
        found = re.findall(rf"^{macro}\((.*)\)$", re.sub(r"/\*.*?\*/", "", text, flags=re.S), re.M)
        if not found:
            sys.exit(f"docs: no {macro} in {path}")
        return [self.fields(row) for row in found]

    @staticmethod
    def fields(row):
        parts = re.findall(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^,]*))(?:,|$)', row)
        return [text.replace('\\"', '"') if text or not bare else bare.strip() for text, bare in parts[:-1] or parts]

    def limits(self):
        return {row[0]: number(row[1]) for row in self.rows("limits", "REMORA_LIMIT")}


def number(text):
    base, _, shift = text.partition("<<")
    return int(base) << int(shift or 0)


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |")
    return "\n".join(lines)


def words_for(name, words, source):
    if name not in words:
        sys.exit(f"docs: {source} has {name}, tools/docs.py has no words for it")
    return words[name]


# ---- errors ----

def codes(tables):
    rows = []
    for name, http, grpc, error_type, openai, avail, endpoint, model, effect, kind, summary in tables.rows("codes", "REMORA_CODE"):
        rows.append([f'<a id="{name.lower()}"></a>`{name}`', http, GRPC[int(grpc)], f"`{error_type}`", f"`{openai}`", "" if avail == "NULL" else f"`{avail}`",
                     NEXT_ENDPOINT[endpoint], "yes" if model == "true" else "no", EFFECT[effect], CLASS[kind], summary])
    return table(["Reason", "HTTP", "gRPC", "error_type", "type", "availability", "Next endpoint", "Next model", "Breaker", "Class",
                  "When"], rows)


def rules(tables):
    rows = [[f"`{text}`" if not text.endswith(":") else f"`{text}NAME`", f"`{family}`", words_for(name, RULES, "rules.h")]
            for name, text, family in tables.rows("rules", "REMORA_RULE")]
    return table(["Rule", "All out by it", "When"], rows)


def causes(tables):
    rows = [[f"`{label}`", words_for(name, CAUSES, "causes.h")] for name, label in tables.rows("causes", "REMORA_CAUSE")]
    return table(["Cause", "What happened"], rows)


# ---- telemetry ----

METRIC_TYPES = {"COUNTER": "counter", "GAUGE": "gauge", "SECONDS": "histogram", "CHUNK": "histogram", "OVERHEAD": "histogram"}


def metrics(tables):
    rows = [[f"`{name}`", words_for(kind, METRIC_TYPES, "metrics.h"), ", ".join(f"`{label}`" for label in labels.split(",") if label), words]
            for _, kind, name, labels, words in tables.rows("metrics", "REMORA_METRIC")]
    return table(["Metric", "Type", "Labels", "What it tells"], rows)


# ---- configuration ----

class Key:
    def __init__(self, row, limits):
        self.scope, self.id, self.name, self.type, self.of, least, most, self.default, self.words = row
        self.min, self.max = (int(limits[n[13:]] if n.startswith("REMORA_LIMIT_") else n) for n in (least, most))

    def kind(self):
        """Type and range, in words."""
        span = f"{self.min:,} to {self.max:,}"
        texts = {
            "TEXT": f"text, {span}", "TEXTS": f"list of {span} texts", "TEXT_MAP": "name: text", "BOOLEAN": "true or false",
            "TRISTATE": "true, false or null", "INTEGER": f"number, {span}", "OPTIONAL_INTEGER": f"number, {span}, or null",
            "MONEY": "decimal", "OPTIONAL_MONEY": "decimal or null", "OBJECT": "mapping", "OBJECTS": f"list of {span} mappings",
            "OBJECT_MAP": "name: mapping" + (f", at most {self.max:,}" if self.max else ""),
            "SOURCES": f"source, or list of {span}", "HEADERS": f"name: text or source, at most {self.max:,}",
        }
        exact = f"text, {self.min:,} bytes"
        return exact if self.type == "TEXT" and self.min == self.max else words_for(self.type, texts, "config_keys.h")

    def path_below(self, path):
        whole = f"{path}.{self.name}" if path else self.name
        placeholder = {"models": ".ID", "providers": ".SLUG"}.get(self.name, ".NAME")
        return whole + {"OBJECT_MAP": placeholder, "OBJECTS": "[]"}.get(self.type, "")


def read_keys(tables):
    limits = tables.limits()
    return [Key(row, limits) for row in tables.rows("config_keys", "REMORA_CONFIG_KEY")]


def scopes(all_keys):
    """Each object with every path that leads to it, outermost first."""
    found, queue = {}, [("DOCUMENT", "")]
    while queue:
        scope, path = queue.pop(0)
        found.setdefault(scope, []).append(path)
        for key in all_keys:
            if key.scope == scope and key.type in ("OBJECT", "OBJECTS", "OBJECT_MAP"):
                queue.append((key.of, key.path_below(path)))
            elif key.scope == scope and key.type in ("SOURCES", "HEADERS"):
                queue.append(("SOURCE", key.path_below(path) + (".NAME" if key.type == "HEADERS" else "")))
    return found


def keys(tables):
    all_keys = read_keys(tables)
    found = scopes(all_keys)
    missing = {key.scope for key in all_keys} - set(found)
    if missing:
        sys.exit(f"docs: nothing leads to {', '.join(sorted(missing))}")
    blocks = []
    for scope, paths in found.items():
        title = "The document" if scope == "DOCUMENT" else ", ".join(f"`{path}`" for path in paths)
        rows = [[f"`{key.name}`", key.kind(), key.default, key.words] for key in all_keys
                if key.scope == scope and key.type != "UNBUILT"]
        blocks.append(f"### {title}\n\n" + table(["Key", "Type", "Default", "What it does"], rows))
    return "\n\n".join(blocks)


def unbuilt(tables):
    all_keys = read_keys(tables)
    found = scopes(all_keys)
    rows = [[", ".join(f"`{key.path_below(path)}`" for path in found[key.scope]), key.words]
            for key in all_keys if key.type == "UNBUILT"]
    return table(["Key", "What it will do"], rows)


def wires_unbuilt(tables):
    return ", ".join(f"`{kind}`" for _, kind, built in tables.rows("wires", "REMORA_WIRE") if built != "true")


# ---- the HTTP API ----

def chat_fields(tables):
    rows = [[f"`{name}`", kind, words, f"`{grpc}`" if re.fullmatch(r"[a-z_.]+", grpc) else grpc]
            for name, verdict, kind, words, grpc in tables.rows("chat_fields", "REMORA_CHAT_FIELD") if verdict != "UNBUILT"]
    return table(["Field", "Type and range", "What happens", "gRPC"], rows)


def chat_unbuilt(tables):
    rows = [[f"`{name}`", words] for name, verdict, _, words, _ in tables.rows("chat_fields", "REMORA_CHAT_FIELD")
            if verdict == "UNBUILT"]
    return table(["Field", ""], rows)


def refused_fields(tables):
    rows = tables.rows("refused_fields", "REMORA_REFUSED_FIELD")
    at = {where: ", ".join(f"`{name}`" for name, of in rows if of == where) for where in ("ANYWHERE", "TOP")}
    vendors = ", ".join(f"`{name}_`" for name, in tables.rows("refused_vendors", "REMORA_REFUSED_VENDOR"))
    return (f"- Also inside further fields, `web_search_options` and `image_config`, at any depth: {at['ANYWHERE']}.\n"
            f"- Only as a field of the request or of an `extra_body`: {at['TOP']}.\n"
            f"- Any of them, at any depth, behind {vendors}.\n" + refused_words(tables))


def refused_words(tables):
    words = tables.rows("refused_words", "REMORA_REFUSED_WORD")
    behind = tables.rows("refused_words", "REMORA_REFUSED_BEHIND")
    harmless = tables.rows("refused_words", "REMORA_HARMLESS_BEFORE")

    def listed(rows, of=None):
        return ", ".join(f"`{row[0]}`" for row in rows if of is None or row[1] == of)
    return (f"- By its last word: {listed(words, 'ANYTHING')}.\n"
            f"- {listed(words, 'OUTSIDE')}; inside a further field only behind one of the next list or of {listed(behind, 'SETTING')}. "
            f"Not directly behind {listed(harmless, 'CONTENT')}.\n"
            f"- {listed(words, 'HOST')} behind one of {listed(behind, 'HOST')}.\n"
            f"- {listed(words, 'CREDENTIAL')} behind one of {listed(behind, 'CREDENTIAL')} or a vendor's name. "
            f"Not directly behind {listed(harmless, 'SIGN')}.\n"
            f"- Cut from the end: {listed(tables.rows('refused_words', 'REMORA_REFUSED_TAIL'))}.\n"
            f"- Not judged by words inside {listed(tables.rows('refused_words', 'REMORA_HARMLESS_INSIDE'))}: the caller's data name those members.")


def fields_of_the_skin(root):
    """Every name in the parse tables of the chat skin."""
    folder = os.path.join(root, "src/skin")
    for name in sorted(os.listdir(folder)):
        if name.startswith("chat_") and name.endswith(".c"):
            text = open(os.path.join(folder, name), encoding="utf-8").read()
            yield from re.findall(r'(?:REMORA_SLICE_INIT|KIND|FIELD|QUIET|NUMBER|FURTHER|NOT_BUILT|PROVIDER|REASONING|BLOCK|LABEL|'
                                  r'TOOL|FORMAT|CAP)\("([a-z_]+)"', text)


def untold(root, page_text):
    """Fields that the skin reads and the page does not name: as `name`, or inside a shape as {name or , name."""
    for name in sorted(set(fields_of_the_skin(root))):
        if not re.search(rf"(`|[{{,:] ?){name}\b", page_text):
            yield f"docs/http-api.md: {name}, which the chat skin reads, is not told"


# ---- pages ----

def block_of(tables, name):
    made = {"codes": codes, "rules": rules, "causes": causes, "keys": keys, "unbuilt": unbuilt, "chat fields": chat_fields,
            "chat unbuilt": chat_unbuilt, "refused fields": refused_fields, "metrics": metrics}
    if name.startswith("file "):
        path = name[5:]
        text = open(os.path.join(tables.root, path), encoding="utf-8").read()
        return f"```{path.rsplit('.', 1)[-1]}\n{text.rstrip()}\n```\n\n(`{path}`)"
    if name not in made:
        sys.exit(f"docs: no table @{name}@")
    return made[name](tables)


def page(tables, name):
    template = open(os.path.join(tables.root, name + ".in"), encoding="utf-8").read()
    limits = tables.limits()
    text = re.sub(r"@limit (\w+)@", lambda m: f"{limits[m.group(1)]:,}", template)
    text = text.replace("@wires unbuilt@", wires_unbuilt(tables))
    return re.sub(r"^@([a-z][^@\n]*)@$", lambda m: block_of(tables, m.group(1)), text, flags=re.M)


def differences(tables):
    for name in PAGES:
        path = os.path.join(tables.root, name)
        is_there = os.path.exists(path)
        now = open(path, encoding="utf-8").read() if is_there else ""
        yield from difflib.unified_diff(now.splitlines(), page(tables, name).splitlines(), name, "as generated", lineterm="", n=0)


READMES = {"README.md": [""], "src/README.md": ["", "src"], "tests/README.md": ["", "tests"], "src/provider/README.md": ["", "src", "src/provider"],
           "tests/support/README.md": ["", "tests", "tests/support"]}
# Made by a build or an installation, or beside the repository.
MADE = re.compile(r"^(build[\w-]*|\.venv|\.\.)/")
TEST_PROGRAM = re.compile(r"^build[\w-]*/tests/(\w+_(?:test|fuzz)|plan_driver)$")
TEST_SOURCES = ["tests/unit", "tests/integration", "tests/fuzz", "tests/property"]


def exists(root, places, path):
    program = TEST_PROGRAM.match(path)
    if program:
        return any(os.path.exists(os.path.join(root, folder, program.group(1) + ".c")) for folder in TEST_SOURCES)
    pattern = re.sub(r"\b[A-Z_]+\b(?=\.)", "*", path)  # NAME.txt
    return bool(MADE.match(path)) or any(glob.glob(os.path.join(root, place, pattern + end)) for place in places for end in ("", ".c"))


def looks_like_a_path(root, places, word):
    """A file of a kind that the repository holds, or something below a folder of it."""
    if not re.fullmatch(r"[\w.*/-]+", word) or word.startswith("/"):
        return False
    first = word.split("/")[0]
    below = "/" in word and any(first and os.path.isdir(os.path.join(root, place, first)) for place in places)
    is_file = re.search(r"\.(c|h|py|sh|md|in|proto|yaml|mjs)$", word) is not None
    return below or bool(TEST_PROGRAM.match(word)) or (is_file and "/" in word)


def absent_paths(root, texts=None):
    for name, places in READMES.items():
        text = (texts or {}).get(name) or open(os.path.join(root, name), encoding="utf-8").read()
        for span in re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)):
            for word in span.split():
                if looks_like_a_path(root, places, word) and not exists(root, places, word):
                    yield f"{name}: `{word}` does not exist"


def self_test():
    changes = [("codes", "CONFLICT, 409", "CONFLICT, 418"), ("rules", '"ignored_provider"', '"ignored"'), ("config_keys", '"25000"', '"25001"'),
               ("limits", "ATTEMPTS, 8", "ATTEMPTS, 9"), ("chat_fields", "0 to 20", "0 to 21"), ("refused_fields", "base_url", "base_uri"), ("refused_words", '"webhook"', '"weebhook"'),
               ("wires", '"gemini", false', '"gemini", true'), ("metrics", "remora_overhead_seconds", "remora_overhead_ms")]
    if not list(untold(ROOT, page(Tables(ROOT), "docs/http-api.md").replace("parallel_tool_calls", ""))):
        sys.exit("docs self-test: a field that is not told is not seen")
    for name, word in [("README.md", "docs/gone.md"), ("src/README.md", "transport/curl.c"), ("tests/README.md", "integration/gone_test.c"),
                       ("tests/README.md", "build/tests/transport_rules_test"), ("src/README.md", "tools/gone.sh --check")]:
        text = open(os.path.join(ROOT, name), encoding="utf-8").read()
        if len(list(absent_paths(ROOT, {name: text + f"\n`{word}`\n"}))) != len(list(absent_paths(ROOT))) + 1:
            sys.exit(f"docs self-test: {word} in {name}, which does not exist, is not seen")
    for name, old, new in changes:
        path = f"include/remora/tbl/{name}.h"
        text = open(os.path.join(ROOT, path), encoding="utf-8").read()
        changed = text.replace(old, new)
        if changed == text or not list(differences(Tables(ROOT, {path: changed}))):
            sys.exit(f"docs self-test: a change of {path} is not seen")
    print(f"docs self-test: {len(changes)} changes seen")


def main():
    tables = Tables(ROOT)
    if "--self-test" in sys.argv:
        self_test()
    elif "--check" in sys.argv:
        found = list(differences(tables)) + list(untold(ROOT, page(tables, "docs/http-api.md"))) + list(absent_paths(ROOT))
        print("\n".join(found + ["docs: run tools/docs.py"]) if found else "docs: current")
        sys.exit(1 if found else 0)
    else:
        for name in PAGES:
            text = page(tables, name)
            open(os.path.join(ROOT, name), "w", encoding="utf-8").write(text)


main()
