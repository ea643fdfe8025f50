#!/usr/bin/env python3
"""Tables that name tests must name tests that exist: a row of tests/integration/README.md is a promise of the test in it.

usage: named_tests.py [ROOT]      exit status 1 and one line per violation
       named_tests.py --self-test  proves that it can fail
"""
import os
import re
import sys
import tempfile

import runner

TABLES = ["tests/integration/README.md"]
PLACES = ["tests/integration", "tests/unit", "tests/scenario"]
FILE = re.compile(r"^(\w+\.(?:c|py)): (\w+)$")


def violations(root):
    for table in TABLES:
        rows = [line for line in open(os.path.join(root, table), encoding="utf-8") if line.startswith("|")][2:]
        for row in rows:
            yield from (f"{table}: {why}" for why in judge(root, row.split("|")[2]))
        if not rows:
            yield f"{table}: no table"


def judge(root, cell):
    """What is wrong with `file: test`, `test of the same file`, ..."""
    file = None
    names = re.findall(r"`([^`]+)`", cell)
    if not names:
        yield f"no test in {cell.strip()!r}"
    for name in names:
        found = FILE.match(name)
        file, test = found.groups() if found else (file, name)
        if not has_test(root, file, test):
            yield f"{file} has no test {test}"


def has_test(root, file, test):
    """Defined, and for C in the list of those that run."""
    for place in PLACES:
        path = os.path.join(root, place, file or "")
        if file and os.path.exists(path):
            text = open(path, encoding="utf-8").read()
            return f"\ndef {test}(" in text if file.endswith(".py") else bool(
                re.search(rf"^static void {test}\(void \*\*", text, re.M) and re.search(rf"^\s+\w+\({test}\),$", text, re.M))
    return False


def self_test():
    head = "| rule | test | what |\n|---|---|---|\n"
    body = "static void runs(void **state)\n{\n}\nstatic void rests(void **state)\n{\n}\n        CASE(runs),\n"
    good = ["| a | `a_test.c: runs` | x |\n", "| a | `a_test.c: runs`, `runs` | x |\n", "| a | `test_b.py: test_c` | x |\n"]
    bad = ["", "| a | | x |\n", "| a | `a_test.c: rests` | x |\n", "| a | `a_test.c: run` | x |\n", "| a | `other_test.c: runs` | x |\n",
           "| a | `runs` | x |\n", "| a | `a_test.c: runs`, `gone` | x |\n", "| a | `test_b.py: test_d` | x |\n"]
    for row in good + bad:
        with tempfile.TemporaryDirectory() as root:
            for place in PLACES:
                os.makedirs(os.path.join(root, place))
            open(os.path.join(root, "tests/integration/README.md"), "w").write(head + row)
            open(os.path.join(root, "tests/integration/a_test.c"), "w").write(body)
            open(os.path.join(root, "tests/scenario/test_b.py"), "w").write("\ndef test_c():\n")
            found = list(violations(root))
            if bool(found) != (row in bad):
                sys.exit(f"named tests self-test: {row!r}: {found}")
    print(f"named tests self-test: {len(bad)} refused, {len(good)} accepted")


runner.main(violations, self_test, "named tests: all there")
