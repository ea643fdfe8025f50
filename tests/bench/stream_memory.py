#!/usr/bin/env python3
"""The memory of one open stream: N streams held open after their first content, with bodies of 4 KB; resident memory of the gateway
with them less that before them, per stream. Once with the upstream in the clear, once over TLS.

usage: stream_memory.py [--build DIR] [--streams N] [--json]        exit status 1 when a bound is missed

The first round warms up (pools, arenas, libraries) and is not measured. VmRSS of /proc/PID/status; the upstream is
tests/support/fault_server, which holds an answer until it is told to go on.
"""
import argparse
import json
import os
import pathlib
import resource
import socket
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/scenario"))
BOUNDS_KIB = {"clear": 30, "tls": 100}
BODY_BYTES = 4096


def request_bytes():
    frame = {"model": "t/m", "stream": True, "messages": [{"role": "user", "content": ""}]}
    frame["messages"][0]["content"] = "x" * (BODY_BYTES - len(json.dumps(frame)))
    body = json.dumps(frame).encode()
    assert len(body) == BODY_BYTES
    return (b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
            + str(len(body)).encode() + b"\r\n\r\n" + body)


def open_streams(port, count):
    """Sockets, each past its first content."""
    request = request_bytes()
    sockets = []
    for at in range(0, count, 50):
        batch = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(min(50, count - at))]
        for s in batch:
            s.sendall(request)
        for s in batch:
            seen = b""
            while b'"content":"w1' not in seen:
                got = s.recv(65536)
                if not got or b" 200 " not in seen[:20] + got[:20]:
                    sys.exit(f"a stream was refused: {(seen + got)[:300]!r}")
                seen += got
        sockets += batch
    return sockets


def finish(server, sockets):
    server.release()
    for s in sockets:
        while b"[DONE]" not in s.recv(65536):
            pass
        s.close()


def settled_kib(remora):
    """Once it stays the same."""
    last = -1
    for _ in range(40):
        now = remora.rss_kib()
        if now == last:
            break
        last = now
        time.sleep(0.25)
    return last


def measure(streams, is_tls, folder):
    from gateway import SECRETS, Remora  # noqa: PLC0415
    from upstream import FaultServer, make_ca  # noqa: PLC0415

    tls = make_ca(folder) if is_tls else None
    with FaultServer(tls=tls) as server:
        ca = f', ca_file: "{tls}/ca.pem"' if is_tls else ""
        config = f"""
version: 1
providers: {{a: {{kind: openai, base_url: "{server.base_url}", api_key: {{env: A_SECRET}}{ca}}}}}
models: {{t/m: {{endpoints: [{{provider: a, model_id: hold-after-2}}]}}}}
deadlines: {{idle_ms: 600000}}
"""
        with Remora(config, environment=SECRETS) as remora:
            warm = open_streams(remora.http_port, min(50, streams))
            finish(server, warm)
            before = settled_kib(remora)
            sockets = open_streams(remora.http_port, streams)
            held = settled_kib(remora)
            finish(server, sockets)
            after = settled_kib(remora)
    return {"streams": streams, "before_kib": before, "held_kib": held, "after_kib": after,
            "per_stream_kib": round((held - before) / streams, 1)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    os.environ["REMORA_BUILD"] = str(pathlib.Path(arguments.build).resolve())
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    found = {}
    for name, is_tls in (("clear", False), ("tls", True)):
        with tempfile.TemporaryDirectory() as folder:
            found[name] = measure(arguments.streams, is_tls, folder)
    if arguments.json:
        print(json.dumps(found))
    else:
        for name, one in found.items():
            print(f"{name:6} {one['per_stream_kib']:6.1f} KiB per stream (bound {BOUNDS_KIB[name]}), {one['streams']} held; resident "
                  f"{one['before_kib']} -> {one['held_kib']} -> {one['after_kib']} KiB")
    sys.exit(0 if all(one["per_stream_kib"] <= BOUNDS_KIB[name] for name, one in found.items()) else 1)


main()
