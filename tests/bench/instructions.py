#!/usr/bin/env python3
"""Instructions in user space of one answer, counted by `valgrind --tool=callgrind`: a figure that other work on the machine
does not move, unlike CPU time.

    python3 tests/bench/instructions.py --build build                     # a unary answer
    python3 tests/bench/instructions.py --build build --kind burst        # a stream of 100 chunks
    python3 tests/bench/instructions.py --build build --kind paced        # the same, each chunk on its own
    python3 tests/bench/instructions.py --build build --top 40            # and the dearest functions, by their own instructions

Answers come in waves over as many connections as bench.py has. Counted is what the threads with a loop do, after two waves that
are not: start-up and the loading of the public CAs, which goes on for a while, are left out. Two things to know when reading: a byte cleared by `rep stosb` counts as an
instruction, and instructions are not time. Fails (exit 1) when an answer is wrong or a program is missing.
"""
import argparse
import collections
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import bench

CONNECTIONS = {"json": 32, "paced": 4, "burst": 4}
WAVES = {"json": 20, "paced": 3, "burst": 10}
PACE_MS = 40  # slow enough that a gateway under callgrind still reads each chunk on its own


class Client:
    """One connection that sends the same request again and again."""

    def __init__(self, port, body):
        self.link = socket.create_connection(("127.0.0.1", port))
        head = (f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n")
        self.request = head.encode() + body

    def send(self):
        self.link.sendall(self.request)

    def read(self):
        data = b""
        while not self.is_whole(data):
            more = self.link.recv(65536)
            if not more:
                raise SystemExit(f"the connection was closed after {data[:300]!r}")
            data += more
        if not data.startswith(b"HTTP/1.1 200 "):
            raise SystemExit(f"a wrong answer: {data[:300]!r}")

    @staticmethod
    def is_whole(data):
        head, blank, body = data.partition(b"\r\n\r\n")
        if not blank:
            return False
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                return len(body) >= int(value)
        return body.endswith(b"0\r\n\r\n")


def wave(clients):
    for client in clients:
        client.send()
    for client in clients:
        client.read()


def dump(pid):
    subprocess.run(["callgrind_control", "-d", str(pid)], check=True, capture_output=True)


def own_instructions(path):
    """function -> instructions of its own; lines behind `calls=` are what was called."""
    costs, function, is_call = collections.Counter(), "", False
    text = path.read_text()
    if "\nfn=uv_run" not in text:  # the thread has no loop
        return costs
    for line in text.splitlines():
        if line.startswith("fn="):
            function = line[3:]
        elif line.startswith("calls="):
            is_call = True
        elif line[:1].isdigit():
            costs[function] += 0 if is_call else int(line.split()[-1])
            is_call = False
    return costs


def count(options, directory):
    support = options.build / "tests/support"
    upstream = subprocess.Popen([support / "bench_upstream", "0", str(PACE_MS)], stdout=subprocess.PIPE, text=True)
    port = int(upstream.stdout.readline().split()[1])
    kind = options.kind
    remora = bench.Remora("remora", directory, options.build / "remora", {kind: f"http://127.0.0.1:{port}/{kind}/v1"})
    out = pathlib.Path(directory) / "callgrind"
    command = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}", "--compress-strings=no",
               "--compress-pos=no", "--separate-threads=yes", *map(str, remora.command())]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env={**os.environ, "STATE_DIRECTORY": str(remora.directory / "state")})
    try:
        for _ in range(300):
            if remora.is_ready():
                break
            time.sleep(0.1)
        body = bench.chat_body(f"bench/{kind}", kind != "json")
        clients = [Client(remora.port, body) for _ in range(CONNECTIONS[kind])]
        wave(clients)
        wave(clients)
        dump(process.pid)
        for _ in range(WAVES[kind]):
            wave(clients)
        dump(process.pid)
        process.terminate()
        process.wait(60)
    finally:
        process.kill()
        process.wait()
        upstream.kill()
        upstream.wait()
    costs = sum(map(own_instructions, out.parent.glob(out.name + ".2-*")), collections.Counter())
    return costs, WAVES[kind] * CONNECTIONS[kind]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=bench.ROOT / "build", help="CMake build directory")
    parser.add_argument("--kind", choices=sorted(CONNECTIONS), default="json")
    parser.add_argument("--top", type=int, default=0, help="functions to list")
    options = parser.parse_args()
    options.build = options.build.resolve()
    if not shutil.which("valgrind"):
        sys.exit("not installed: valgrind")
    with tempfile.TemporaryDirectory(prefix="remora-instructions-") as directory:
        costs, answers = count(options, directory)
    for function, cost in costs.most_common(options.top):
        print(f"{cost / answers:10.0f}  {function}")
    print(f"{sum(costs.values()) / answers:10.0f}  instructions per answer, {answers} answers")


if __name__ == "__main__":
    main()
