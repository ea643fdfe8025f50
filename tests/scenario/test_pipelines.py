"""Requests one behind another on a connection whose client does not read: what waits for it is bounded, and a client that reads gets all."""
import json
import socket
import threading
import time

from gateway import SECRETS, USER, Remora, two_providers
from test_grpc_hostile import is_sanitized

def get(path):
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def post(body):
    data = json.dumps(body).encode()
    return (f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(data)}\r\n\r\n").encode() + data


def push(client, data):
    """As much of it as the other side takes within a second without progress; nothing is read."""
    client.settimeout(1)
    try:
        while data:
            data = data[client.send(data[:1 << 16]):]
    except TimeoutError:
        pass


def read_answers(client, count):
    """How many of so many answers come; their bodies are skipped by Content-Length."""
    client.settimeout(20)
    file, got = client.makefile("rb"), 0
    for _ in range(count):
        line = file.readline()
        if not line.startswith(b"HTTP/1.1 200"):
            break
        length = 0
        while line not in (b"\r\n", b""):
            line = file.readline()
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        if len(file.read(length)) < length:
            break
        got += 1
    return got


def connect(port):
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    return client


def test_answers_that_nobody_reads_do_not_pile_up(upstream):
    with Remora(two_providers(upstream, "ok"), environment=SECRETS) as remora:
        remora.metrics()
        before = remora.rss_kib()
        clients = [connect(remora.probe_port) for _ in range(8)]
        for client in clients:
            push(client, get("/metrics") * 13000)
        time.sleep(2)  # what is sent needs time to be read
        assert is_sanitized() or remora.rss_kib() < before + (16 << 10)
        began = time.monotonic()
        assert remora.request("GET", "/livez", port=remora.probe_port)[0] == 200
        assert time.monotonic() - began < 5
        for client in clients:
            client.close()


def test_who_reads_gets_every_answer_however_many_come_at_once(upstream):
    models = "".join(f"\n  m/model-number-{i}: {{endpoints: [{{provider: a, model_id: ok}}]}}" for i in range(100))
    text = two_providers(upstream, "ok").replace("models:", "models:" + models, 1)
    with Remora(text, environment=SECRETS) as remora, socket.create_connection(("127.0.0.1", remora.http_port)) as client:
        size = len(remora.request("GET", "/v1/models")[2])
        assert size > 20_000, "an answer is large beside what may wait"
        sender = threading.Thread(target=client.sendall, args=(get("/v1/models") * 1400,))
        sender.start()
        assert read_answers(client, 1400) == 1400
        sender.join()


def test_calls_that_nobody_reads_the_answers_of_do_not_go_upstream(upstream):
    with Remora(two_providers(upstream, "giant-event-1m"), environment=SECRETS) as remora:
        before = upstream.stats("giant-event-1m")["requests"]
        with connect(remora.http_port) as client:
            push(client, post({"model": "t/m", "messages": USER}) * 30)
            time.sleep(1)
            assert 0 < upstream.stats("giant-event-1m")["requests"] - before < 10
