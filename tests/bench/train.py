#!/usr/bin/env python3
"""Makes profile/ anew: what the compiler is told of how a request runs (cmake/profile.cmake, docs/benchmarks.md).

    python3 tests/bench/train.py                 # some minutes; then `make build`
    python3 tests/bench/train.py --fit           # how much of it still fits the code that build/ was made from

Builds build/remora once more in a folder of its own, with counters in it, puts the loads of bench.py on it for a few seconds each, and a
few requests whose text is not plain, and keeps the counts of the files whose code ran. gcc of the version that
cmake/profile.cmake names, wrk and h2load are needed. Fails (exit 1) when a load fails or nothing was counted.
"""
import argparse
import http.client
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

import bench
import grpcwire

SECONDS = 2  # of each load
REQUESTS = 1000  # far fewer than there are
LOADS = ("json c=32", "json c=1", "paced", "burst", "grpc json", "grpc burst")
WORDS = "naïve “quotes”, 日本語, \\ \" \t \u0007 and 😀 "
TOOL = {"type": "function", "function": {"name": "look_up", "description": WORDS, "parameters": {
    "type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}}}


def build(directory):
    subprocess.run(["cmake", "-S", bench.ROOT, "-B", directory, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                    "-DREMORA_TESTS=OFF", "-DREMORA_PROFILE=make"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", directory, "--quiet", "remora"], check=True)


def special_requests(remora):
    """Text with escapes and beyond ASCII, tools, a refusal: what the loads have none of."""
    bodies = [{"messages": [{"role": "user", "content": WORDS * 20}], "tools": [TOOL], "tool_choice": "auto"},
              {"messages": [{"role": "user", "content": [{"type": "text", "text": WORDS}]}], "stop": ["x", "y"]},
              {"messages": [{"role": "nobody"}]}]
    for kind in ("json", "burst"):
        for body in bodies * 20:
            link = http.client.HTTPConnection("127.0.0.1", remora.port, timeout=10)
            link.request("POST", "/v1/chat/completions",
                         json.dumps({"model": f"bench/{kind}", "stream": kind == "burst", **body}),
                         {"Content-Type": "application/json"})
            link.getresponse().read()
            link.close()


def command_of(load, remora, support, directory):
    kind = load.split()[-1] if load.startswith("grpc") else load.split()[0]
    if load.startswith("json"):
        return ["wrk", "-t1", f"-c{load.rpartition('=')[2]}", f"-d{SECONDS}s", "-s", directory / "post.lua",
                f"http://127.0.0.1:{remora.port}{remora.path('json')}"]
    if load.startswith("grpc"):
        method = "Chat" if kind == "json" else "StreamChat"
        return ["h2load", "-t1", "-c8", "-m4", f"-D{SECONDS}", "-d", directory / f"grpc-{kind}",
                "-H", "content-type: application/grpc", "-H", "te: trailers",
                f"http://127.0.0.1:{remora.ports['grpc']}/remora.v1.ChatService/{method}"]
    return [support / "bench_load", remora.port, remora.path(kind), directory / kind, 32, SECONDS]


def write_bodies(directory):
    for kind in ("json", "paced", "burst"):
        (directory / kind).write_bytes(bench.chat_body(f"bench/{kind}", kind != "json"))
        message = grpcwire.chat_request(f"bench/{kind}", "lorem ipsum dolor sit amet " * 70)
        (directory / f"grpc-{kind}").write_bytes(
            grpcwire.frame(message if kind == "json" else grpcwire.stream_request(message)))
    (directory / "post.lua").write_text(bench.LUA.format(body=directory / "json"))


def train(binary, support, directory):
    upstream = subprocess.Popen([support / "bench_upstream"], stdout=subprocess.PIPE, text=True)
    port = int(upstream.stdout.readline().split()[1])
    urls = {kind: f"http://127.0.0.1:{port}/{kind}/v1" for kind in ("json", "paced", "burst")}
    remora = bench.Remora("remora", directory, binary, urls)
    remora.start()
    try:
        write_bodies(directory)
        special_requests(remora)
        for load in LOADS:
            subprocess.run([*map(str, command_of(load, remora, support, directory))], check=True,
                           stdout=subprocess.DEVNULL, timeout=60)
    finally:
        remora.stop()  # in good order: the counts are written at exit
        upstream.terminate()
        upstream.wait()


def runs_in_requests(path):
    """Has some branch been taken as often as there were requests at the least? Start-up's have not."""
    text = subprocess.run(["gcov-dump", "-l", path], check=True, capture_output=True, text=True).stdout
    arcs = re.findall(r"COUNTERS arcs \d+ counts\n((?:.*: +\d+: [\d ]+\n)+)", text)
    return any(int(count) >= REQUESTS for lines in arcs for line in lines.splitlines()
               for count in line.split(": ")[-1].split())


def keep(counting, profile):
    shutil.rmtree(profile, ignore_errors=True)
    kept = 0
    objects = counting / "src/CMakeFiles"
    for path in sorted(objects.glob("remora_*.dir/**/*.gcda")):
        if runs_in_requests(path):
            target = profile.joinpath(*path.relative_to(objects).parts[1:])
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
            kept += 1
    if kept == 0:
        sys.exit("nothing was counted")
    print(f"{kept} files in {profile}")


def count_misfits(command, counts, directory):
    """Functions of one source that the compiler finds no counts for, or those of another shape."""
    words = [word for word in shlex.split(command["command"]) if not word.endswith("ccache")]
    words[words.index("-o") + 1] = str(directory / "object.o")
    shutil.copy(counts, directory / "object.gcda")
    output = subprocess.run([*words, "-Wmissing-profile", "-Wcoverage-mismatch", "-Wno-error"], check=True, text=True,
                            cwd=command["directory"], env={**os.environ, "LC_ALL": "C"}, stderr=subprocess.PIPE).stderr
    return len(set(re.findall(r"(?:profile for function|control flow of function) '(\w+)'", output)))


def fit(build_directory, profile):
    functions, misfits = 0, 0
    with tempfile.TemporaryDirectory(prefix="remora-fit-") as directory:
        for command in json.loads((build_directory / "compile_commands.json").read_text()):
            source = pathlib.Path(command["file"])
            counts = profile / f"{source.relative_to(bench.ROOT / 'src')}.gcda" if bench.ROOT / "src" in source.parents else None
            if counts and counts.exists():
                dump = subprocess.run(["gcov-dump", counts], check=True, capture_output=True, text=True).stdout
                functions += dump.count("FUNCTION ident")
                misfits += count_misfits(command, counts, pathlib.Path(directory))
    print(f"{functions - misfits} of {functions} functions fit their counts")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=bench.ROOT / "build", help="with the tests' programs in it")
    parser.add_argument("--counting", type=pathlib.Path, default=bench.ROOT / "build-train", help="where to build with counters")
    parser.add_argument("--fit", action="store_true", help="only tell how much fits")
    options = parser.parse_args()
    if options.fit:
        fit(options.build.resolve(), bench.ROOT / "profile")
        return
    missing = [each for each in ("wrk", "h2load", "gcov-dump") if not shutil.which(each)]
    if missing:
        sys.exit("not installed: " + " ".join(missing))
    build(options.counting)
    with tempfile.TemporaryDirectory(prefix="remora-train-") as directory:
        os.chmod(directory, 0o755)
        train(options.counting / "remora", options.build.resolve() / "tests/support", pathlib.Path(directory))
    keep(options.counting.resolve(), bench.ROOT / "profile")


if __name__ == "__main__":
    main()
