#!/usr/bin/env python3
"""The rules of our C style that a tool can check: length of functions and files, banned calls, mutable globals, and that each contract
(include/remora/*.h) says something of threads.

usage: style.py [ROOT]       exit status 1 and one line per violation
       style.py --self-test
"""
import os
import re
import sys
import tempfile

FUNCTION_MAX = 100
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


def check_contract(root, path):
    comments = " ".join(re.findall(r"/\*.*?\*/", open(path, encoding="utf-8").read(), re.S))
    if not re.search(r"\bthreads?\b", comments, re.I):
        yield f"{os.path.relpath(path, root)}: no word on threads: pure, any thread, or owned by whom?"


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
    cases = ["int f(void)\n{\n" + "    g();\n" * 101 + "}\n", "x\n" * 601, "void f(void)\n{\n    char *p = strtok(a, b);\n}\n",
             "void f(void)\n{\n    void *p = malloc(3);\n}\n", "static int counter = 0;\n", "int counter;\n"]
    good = ["static const int table[] = {1};\n", "int f(void);\n", "/* malloc(3) */\n", 'static const char *const t = "atoi(";\n']
    contracts = ["/* Pure. */\nint f(void);\n", "int thread;\n"]
    good_contracts = ["/* Pure. Any thread. */\nint f(void);\n", "/*\n * One\n * thread.\n */\n"]
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


def main():
    if "--self-test" in sys.argv:
        self_test()
        return
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..", "..")
    found = list(violations(os.path.normpath(root)))
    print("\n".join(found) if found else "style: nothing to say")
    sys.exit(1 if found else 0)


main()
