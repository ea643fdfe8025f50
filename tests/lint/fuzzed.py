#!/usr/bin/env python3
"""Every parser of bytes from outside has a fuzz target with a corpus (tests/fuzz/README.md has one row a parser).

A parser is what a header declares with a verb of reading in its name and a slice or a path to read: it must have a row, or stand under
"No parsers" there with the reason. The target of a row must call what the row says, and have a corpus.

usage: fuzzed.py [ROOT]      exit status 1 and one line per violation
       fuzzed.py --self-test  proves that each rule can fail
"""
import glob
import os
import re
import sys
import tempfile

import runner

TABLE = "tests/fuzz/README.md"
COMMENT = re.compile(r"/\*.*?\*/", re.S)
FUNCTION = re.compile(r"(?<![\w*])((?:remora|config|http|transport|app)_\w+)\s*\(([^;{}]*?)\)[^;{}()]*(?:\([^;{}()]*\))?;", re.S)
VERB = re.compile(r"_(parse|read|scan|feed|decode|unpack|inflate|from|line|to_json|build)(_|$)")
INPUT = re.compile(r"struct remora_slice\b|const char \*(path|root|document)\b|struct remora_config_input\b|grpc_byte_buffer")
ROW = re.compile(r"^\| `(\w+)` \| `(\w+)`(?: through `([\w.]+)`)?")
EXCEPTION = re.compile(r"^- ((?:`\w+`(?:, )?)+): \S")


def headers(root):
    return [p for top in ("include/remora", "src") for p in glob.glob(os.path.join(root, top, "**/*.h"), recursive=True) if "/tbl/" not in p]


def parsers(root):
    """Name -> header of what looks like one."""
    found = {}
    for path in headers(root):
        for name, parameters in FUNCTION.findall(COMMENT.sub("", open(path, encoding="utf-8").read())):
            if VERB.search(name) and INPUT.search(parameters):
                found[name] = os.path.relpath(path, root)
    return found


def violations(root):
    lines = open(os.path.join(root, TABLE), encoding="utf-8").read().split("\n")
    rows = [m.groups() for m in map(ROW.match, lines) if m]
    excepted = {name for m in map(EXCEPTION.match, lines) if m for name in re.findall(r"\w+", m.group(1))}
    declared = " ".join(open(p, encoding="utf-8").read() for p in headers(root))
    for name, header in sorted(parsers(root).items()):
        if name not in excepted | {row[0] for row in rows}:
            yield f"{header}: {name} reads something, and {TABLE} has no row for it"
    for name in sorted(excepted | {row[0] for row in rows}):
        if not re.search(rf"\b{name}\b", declared):
            yield f"{TABLE}: no header has {name}"
    for name, target, through in rows:
        yield from judge(root, name, target, through or name)
    for path in sorted(glob.glob(os.path.join(root, "tests/fuzz/*_fuzz.c"))):
        if os.path.basename(path)[:-len("_fuzz.c")] not in {row[1] for row in rows}:
            yield f"{os.path.relpath(path, root)}: no row of {TABLE} says what it reads"


def judge(root, name, target, called):
    path = os.path.join(root, "tests/fuzz", target + "_fuzz.c")
    if not os.path.exists(path):
        yield f"{TABLE}: {name}: no target {target}"
    elif not re.search(rf"\b{re.escape(called)}\b", open(path, encoding="utf-8").read()):
        yield f"{TABLE}: {target}_fuzz.c does not call {called}"
    if not glob.glob(os.path.join(root, "tests/fuzz/corpus", target, "*")):
        yield f"{TABLE}: {target} has no corpus"


def self_test():
    head = "bool remora_x_parse(struct remora_slice s);\nbool remora_y_read(int fd);\n"
    rows = {"| `remora_x_parse` | `x` |": True, "| `remora_x_parse` | `x` through `remora_go` |": True, "- `remora_x_parse`: why\n| `remora_y_read` | `x` through `remora_go` |": True,
            "": False, "| `remora_x_parse` | `z` |": False, "| `remora_x_parse` | `x` through `gone` |": False, "- `remora_x_parse`:": False,
            "| `remora_x_parse` | `x` |\n| `remora_z` | `x` |": False, "| `remora_x_parse` | `empty` |\n| `remora_y_read` | `x` through `remora_go` |": False,
            "- `remora_x_parse`: why": False}
    for row, is_good in rows.items():
        with tempfile.TemporaryDirectory() as root:
            for folder in ("include/remora", "src", "tests/fuzz/corpus/x"):
                os.makedirs(os.path.join(root, folder))
            for path, text in (("include/remora/a.h", head), (TABLE, row), ("tests/fuzz/x_fuzz.c", "remora_x_parse(remora_go)"), ("tests/fuzz/corpus/x/a", "")):
                open(os.path.join(root, path), "w").write(text)
            if "`empty`" in row:
                open(os.path.join(root, "tests/fuzz/empty_fuzz.c"), "w").write("remora_x_parse")
            found = list(violations(root))
            if bool(found) == is_good:
                sys.exit(f"fuzzed self-test: {row!r}: {found}")
    print(f"fuzzed self-test: {len(rows)} cases")


runner.main(violations, self_test, "fuzzed: every parser has its target")
