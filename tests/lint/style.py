#!/usr/bin/env python3
"""The rules of our C style that a tool can check: length of functions and files, banned calls, mutable globals, and what each contract
(include/remora/*.h) has to say: threads; who owns what, where it has pointers or slices; which codes, where functions return them;
units in the names of numbers; and a source, where it speaks of a protocol. A contract without such a thing need not say it.

usage: style.py [ROOT]       exit status 1 and one line per violation
       style.py --self-test
"""
import os
import re
import sys
import tempfile

import runner

FUNCTION_MAX = 60
FILE_MAX = 600
BANNED = {
    "strtok": "", "sscanf": "", "atoi": "", "atol": "", "atof": "", "gets": "", "sprintf": "", "vsprintf": "", "strcpy": "",
    "strcat": "", "alloca": "", "setlocale": "", "isalpha": "", "isdigit": "", "isspace": "", "isalnum": "", "tolower": "",
    "toupper": "", "rand": "", "srand": "", "localtime": "", "gmtime": "", "ctime": "", "asctime": "", "usleep": "", "system": "",
    "popen": "",
}
ALLOCATORS = {"malloc", "calloc", "realloc", "free", "strdup", "strndup"}
ALLOCATOR_ROOMS = ("src/base/", "src/transport/")
CALL = re.compile(r"(?<![\w.>])([A-Za-z_]\w*)\s*\(")
# A file-scope object that can change; each exception says why in its own file.
GLOBAL = re.compile(r"^(?:static\s+)?(?!const\b|static\b|extern\b|typedef\b|struct\s+\w+\s*\{|enum\b|union\b|return\b|#)"
                    r"[A-Za-z_][\w\s\*]*?[\s\*](\w+)(?:\[[^\]]*\])*\s*(?:=[^=].*)?;\s*$")
GLOBALS_ALLOWED = {
    "src/telemetry/log.c": {"log_level", "log_dropped", "log_batch"},
    "src/transport/memory.c": {"expecting"},  # libcurl hands its allocator no context; a thread's own
    "src/base/seam.h": None,
    "src/base/memory.c": None,
}


def strip(text):
    text = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.S)
    text = re.sub(r"//[^\n]*", "", text)
    return re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)


def check_file(root, path):
    rel = os.path.relpath(path, root)
    raw = open(path, encoding="utf-8").read()
    text = strip(raw)
    lines = text.split("\n")
    if raw.count("\n") > FILE_MAX:
        yield f"{rel}: {raw.count(chr(10))} lines, more than {FILE_MAX}"
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            if number - start - 1 > FUNCTION_MAX:
                yield f"{rel}:{start}: a function of {number - start - 1} lines, more than {FUNCTION_MAX}"
            start = None
        for name in CALL.findall(line):
            if name in BANNED:
                yield f"{rel}:{number}: {name} is banned"
            if name in ALLOCATORS and not rel.startswith(ALLOCATOR_ROOMS):
                yield f"{rel}:{number}: {name} outside base and transport: use remora_alloc or an arena"
        yield from check_global(rel, number, line)


def check_global(rel, number, line):
    if line[:1] in (" ", "\t", "}", "") or "(" in line.split("=")[0] or " const " in f" {line}" or "const" in line.split("=")[0]:
        return
    m = GLOBAL.match(line)
    if m is None or not rel.endswith(".c"):
        return
    allowed = GLOBALS_ALLOWED.get(rel, set())
    if allowed is not None and m.group(1) not in allowed:
        yield f"{rel}:{number}: '{m.group(1)}' is a mutable global"


COMMENT = re.compile(r"/\*.*?\*/", re.S)
THREADS = re.compile(r"\bthreads?\b", re.I)
POINTERS = re.compile(r"\*\s*\w+[;,)]|\bremora_slice \w+")
OWNERSHIP = re.compile(r"\b(own(s|ed|er|ership)?|valid|liv(es?|ing)|caller's|copie[sd]|points? into|lies? in|outlives?|free[ds]?|kept|"
                       r"plain data|given back|static|view|only read)\b", re.I)
FALLIBLE = re.compile(r"\benum remora_code\s+\(?\*?\w+\)?\(")
NUMBER = re.compile(r"\b(?:u?int\d*_t|int|long|unsigned|size_t|double)\s+(timeout|delay|interval|duration|ttl|age|wait|grace|elapsed|price|cost|size)"
                    r"\s*[;,)]")
PROTOCOL = re.compile(r"\b(HTTP/[12]|SSE|gRPC|TLS|ALPN|[Pp]rotobuf|[Bb]ase64|UTF-8|SHA-256|W3C|cgroup|control groups|OpenAI|OpenRouter|Anthropic|"
                      r"YAML|JSON Schema|Prometheus|Kubernetes|[Kk]ernel|Retry-After|SO_[A-Z]+|MADV_[A-Z]+|SIG[A-Z]{3,})\b")
# RFC 9110; a document with its section; a manual page; a standard by its name; the design.
SOURCE = re.compile(r"\bRFC \d+|\.md,? (?:section )?[\d\"]|\.(?:md|rst|proto)\b|\bsections? [\d\"]|\b\w+\(\d\)|WHATWG|FIPS|ARCHITECTURE \d|W3C [A-Z]\w+ [A-Z]|"
                    r"protobuf\.dev")


def codes(root):
    """Names of codes, and of what every contract may say instead of listing them."""
    path = os.path.join(root, "include/remora/tbl/codes.h")
    names = re.findall(r"REMORA_CODE\((\w+)", open(path, encoding="utf-8").read()) if os.path.exists(path) else []
    return re.compile(r"\b(" + "|".join(names + ["[Cc]odes? as", "[Ff]ails as", "code says"]) + r")\b")


def check_contract(root, path):
    rel = os.path.relpath(path, root)
    text = open(path, encoding="utf-8").read()
    comments = " ".join(COMMENT.findall(text))
    code = COMMENT.sub("", text)
    if not THREADS.search(comments):
        yield f"{rel}: no word on threads: pure, any thread, or owned by whom?"
    if POINTERS.search(code) and not OWNERSHIP.search(comments):
        yield f"{rel}: pointers or slices, and no word on who owns them and for how long"
    if FALLIBLE.search(code) and not codes(root).search(comments):
        yield f"{rel}: functions that return a code, and none is named"
    for name in NUMBER.findall(code):
        yield f"{rel}: '{name}' has no unit in its name"
    if PROTOCOL.search(comments) and not SOURCE.search(comments):
        yield f"{rel}: speaks of {PROTOCOL.search(comments).group()} and names no source (title and section)"


def violations(root):
    contracts = os.path.join(root, "include", "remora")
    for name in sorted(os.listdir(contracts)) if os.path.isdir(contracts) else []:
        if name.endswith(".h"):
            yield from check_contract(root, os.path.join(contracts, name))
    for folder, _, names in os.walk(os.path.join(root, "src")):
        for name in sorted(names):
            if name.endswith((".c", ".h")):
                yield from check_file(root, os.path.join(folder, name))


def self_test():
    cases = ["int f(void)\n{\n" + "    g();\n" * 61 + "}\n", "x\n" * 601, "void f(void)\n{\n    char *p = strtok(a, b);\n}\n",
             "void f(void)\n{\n    void *p = malloc(3);\n}\n", "static int counter = 0;\n", "int counter;\n"]
    good = ["static const int table[] = {1};\n", "int f(void);\n", "/* malloc(3) */\n", 'static const char *const t = "atoi(";\n']
    contracts = ["/* Pure. */\nint f(void);\n", "int thread;\n", "/* Any thread. */\nvoid f(const char *text);\n", "/* Any thread. */\nstruct remora_slice f;\n",
                 "/* Any thread. */\nenum remora_code remora_f(void);\n", "/* Any thread. */\nint f(int timeout);\n", "/* Any thread. As gRPC has it. */\n"]
    good_contracts = ["/* Pure. Any thread. */\nint f(void);\n", "/*\n * One\n * thread.\n */\n", "/* Any thread. Text is only read. */\nvoid f(const char *text);\n",
                      "/* Any thread. Codes as f. */\nenum remora_code remora_f(void);\n", "/* Any thread. */\nint f(int timeout_ms);\n",
                      "/* Any thread. As gRPC has it (RFC 9113, section 8). */\n"]
    for path, texts, refused in [("src/skin/a.c", cases, True), ("src/skin/a.c", good, False),
                                 ("include/remora/a.h", contracts, True), ("include/remora/a.h", good_contracts, False)]:
        for text in texts:
            with tempfile.TemporaryDirectory() as root:
                os.makedirs(os.path.join(root, os.path.dirname(path)))
                open(os.path.join(root, path), "w").write(text)
                found = list(violations(root))
                if bool(found) != refused:
                    sys.exit(f"style self-test: {text[:60]!r}: {found}")
    print(f"style self-test: {len(cases + contracts)} refused, {len(good + good_contracts)} accepted")


runner.main(violations, self_test, "style: nothing to say")
