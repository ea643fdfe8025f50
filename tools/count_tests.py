#!/usr/bin/env python3
"""Counts the cases in the log of a test stage: cmocka's under ctest, pytest's, or plain 'N passed, N failed' lines.

usage: count_tests.py LOG       prints: PASSED FAILED SKIPPED
"""
import re
import sys

text = open(sys.argv[1], encoding="utf-8", errors="replace").read()
passed = failed = skipped = 0
for m in re.finditer(r"\[  PASSED  \] (\d+) test\(s\)", text):
    passed += int(m.group(1))
for m in re.finditer(r"\[  FAILED  \] \S* ?(\d+) test\(s\)", text):
    failed += int(m.group(1))
for m in re.finditer(r"\[  SKIPPED \] (\d+) test\(s\)", text):
    skipped += int(m.group(1))
# A program that crashed counts itself out: ctest says so.
crashed = re.search(r"(\d+) tests failed out of (\d+)", text)
if crashed and int(crashed.group(1)) > 0 and failed == 0:
    failed += int(crashed.group(1))
passed += len(re.findall(r"inputs replayed from", text))
for m in re.finditer(r"^=+ (.*) in [\d.:s() ]+ ?=+$|^(\d+ passed, \d+ failed.*)$", text, flags=re.M):
    line = m.group(1) or m.group(2)
    for number, word in re.findall(r"(\d+) (passed|failed|skipped|errors?)", line):
        if word == "passed":
            passed += int(number)
        elif word == "skipped":
            skipped += int(number)
        else:
            failed += int(number)
print(passed, failed, skipped)
