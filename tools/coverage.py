#!/usr/bin/env python3
"""Line coverage of the pure rooms by their unit tests: builds with gcov, runs the tests, and fails below 90 % for any room.

usage: coverage.py [--build DIR] [--files]      --files: every file, and the lines that no test reached
       coverage.py --self-test                  does a room below the bound fail?

Lines that no test can reach are left out by a reason on the line itself: `/* uncovered: REASON */`. Whole files: EXCLUDED.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import re
import subprocess
import sys

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
ROOMS = ["base", "json", "wire", "model", "catalog", "policy", "route", "provider", "skin"]
BOUND = 90.0
# file: why no unit test is asked for
EXCLUDED = {}
MARK = re.compile(r"/\* uncovered: \w.*\*/")


def run(*command, **kwargs):
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, **kwargs)
    if result.returncode != 0:
        sys.exit(f"coverage: {' '.join(command)}\n{result.stdout[-3000:]}{result.stderr[-3000:]}")
    return result.stdout


def tests_of(build):
    """The unit tests of the pure rooms, by name."""
    names = sorted(name[:-2] for name in os.listdir(os.path.join(ROOT, "tests/unit")) if name.endswith("_test.c"))
    return [os.path.join(build, "tests", name) for name in names if name.split("_")[0] in ROOMS]


def counted(build):
    """{source: {line: times}} of the pure rooms, summed over everything that was run."""
    data = [os.path.join(folder, name) for folder, _, names in os.walk(os.path.join(build, "src")) for name in names
            if name.endswith(".gcda") and any(f"remora_{room}.dir" in folder for room in ROOMS)]
    found = collections.defaultdict(lambda: collections.defaultdict(int))
    for start in range(0, len(data), 20):
        for line in run("gcov", "--json-format", "--stdout", *data[start:start + 20]).splitlines():
            for file in json.loads(line)["files"]:
                name = os.path.relpath(os.path.join(ROOT, file["file"]) if not os.path.isabs(file["file"]) else file["file"], ROOT)
                name = name.replace("../", "", 1) if name.startswith("../src") else name
                if name.startswith("src/"):
                    for one in file["lines"]:
                        found[name][one["line_number"]] += one["count"]
    return found


def sources():
    """Every file of the pure rooms: one that no test runs counts as uncovered."""
    for room in ROOMS:
        for name in sorted(os.listdir(os.path.join(ROOT, "src", room))):
            if name.endswith(".c"):
                yield room, f"src/{room}/{name}"


def judge(found, texts=None):
    """{room: (hit, all, [(file, hit, all, missed lines)])}"""
    rooms = {}
    for room, path in sources():
        if path in EXCLUDED:
            continue
        text = (texts or {}).get(path) or open(os.path.join(ROOT, path), encoding="utf-8").read().split("\n")
        lines = {n: c for n, c in found.get(path, {}).items() if n <= len(text) and not MARK.search(text[n - 1])}
        missed = sorted(n for n, count in lines.items() if count == 0)
        hit, of, files = rooms.get(room, (0, 0, []))
        files.append((path, len(lines) - len(missed), len(lines), missed))
        rooms[room] = (hit + len(lines) - len(missed), of + len(lines), files)
    return rooms


def report(rooms, with_files):
    """The rooms below the bound."""
    low = []
    for room, (hit, of, files) in rooms.items():
        share = 100.0 * hit / of if of else 0.0
        print(f"{room:10} {share:5.1f} %  {hit} of {of} lines")
        if share < BOUND:
            low.append(room)
        for path, file_hit, file_of, missed in files if with_files or share < BOUND else []:
            print(f"    {100.0 * file_hit / file_of if file_of else 0:5.1f} %  {path}  {missed[:40]}")
    return low


def self_test():
    found = {path: {1: 1, 2: 1} for _, path in sources()}
    if report(judge(found), False):
        sys.exit("coverage self-test: full coverage fails")
    for room, path in sources():
        found[path] = {n: 0 for n in range(1, 5)}
    if report(judge(found), False) != ROOMS:
        sys.exit("coverage self-test: rooms without coverage pass")
    print("coverage self-test: a low room is seen")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.path.join(ROOT, "build-cov"))
    parser.add_argument("--files", action="store_true")
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    if arguments.self_test:
        self_test()
        return
    build = os.path.abspath(arguments.build)
    run("cmake", "-S", ".", "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug", "-DREMORA_COVERAGE=ON")
    tests = tests_of(build)
    run("ninja", "-C", build, "-j", str(os.cpu_count()), "--quiet", *[os.path.basename(test) for test in tests])
    for folder, _, names in os.walk(build):
        for name in names:
            if name.endswith(".gcda"):
                os.remove(os.path.join(folder, name))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda test: run(test, timeout=300), tests))
    low = report(judge(counted(build)), arguments.files)
    if low:
        sys.exit(f"coverage: below {BOUND:.0f} %: {', '.join(low)}")


main()
