"""The end of the process with clients in every state: exit status 0, in time, nothing read after it was freed."""
import datetime
import json
import signal
import socket
import ssl
import threading
import time

import pytest

from gateway import SECRETS, USER, Remora, two_providers
from upstream import make_ca

HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
LENGTH = HEAD + b"Content-Length: 500\r\n\r\n{"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"
LINE = b"POST /v1/ch"
GRACE_S = 0.3


def start(upstream, grace_s=GRACE_S, **more):
    return Remora(two_providers(upstream, "ok", more=f"drain: {{grace_ms: {int(grace_s * 1000)}}}\n"), environment=SECRETS, **more)


def connect(port, sent):
    client = socket.create_connection(("127.0.0.1", port), timeout=10)
    client.sendall(sent)
    return client


def read_all(client):
    got = b""
    try:
        while piece := client.recv(1 << 16):
            got += piece
    except ConnectionResetError:
        pass
    return got


def stop_within(remora, seconds):
    """Exit status 0, no sanitizer spoke (Remora.stop), and all was drained in that time after the signal.

    By the log's own times: what a leak checker does at the exit takes seconds on a busy machine.
    """
    began = time.time()
    remora.process.send_signal(signal.SIGTERM)
    remora.process.wait(40)
    drained = remora.wait_log("drained")[0]["time"]
    remora.stop()
    took = datetime.datetime.fromisoformat(drained.replace("Z", "+00:00")).timestamp() - began
    assert took < seconds, f"took {took:.2f} s"


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("sent", [LENGTH, CHUNKED, HEAD, LINE], ids=["length", "chunked", "head", "line"])
def test_a_request_that_never_arrives_ends_with_the_grace(upstream, sent, workers):
    remora = start(upstream, workers=workers)
    clients = [connect(remora.http_port, sent) for _ in range(2 * workers)]
    time.sleep(0.2)
    stop_within(remora, GRACE_S + 1)
    for client in clients:
        answer = read_all(client)
        assert answer.startswith(b"HTTP/1.1 503 ") and b'"reason":"DRAINING"' in answer


def test_a_file_that_is_being_written_holds_up_no_drain(upstream):
    remora = start(upstream)
    client = connect(remora.http_port, LENGTH)
    is_over = threading.Event()

    def write():
        while not is_over.wait(0.1):
            with remora.config_path.open("a") as file:
                file.write("# more\n")

    writer = threading.Thread(target=write)
    writer.start()
    time.sleep(0.2)
    stop_within(remora, GRACE_S + 1)
    is_over.set()
    writer.join()
    client.close()


def test_a_trickled_body_ends_with_the_grace(upstream):
    remora = start(upstream)
    client = connect(remora.http_port, LENGTH)
    is_over = threading.Event()

    def trickle():
        while not is_over.wait(0.02):
            try:
                client.sendall(b" ")
            except OSError:
                return

    thread = threading.Thread(target=trickle)
    thread.start()
    time.sleep(0.2)
    try:
        stop_within(remora, GRACE_S + 1)
    finally:
        is_over.set()
        thread.join()


def test_a_body_that_arrives_in_the_grace_is_answered(upstream):
    remora = start(upstream, grace_s=10)
    body = b'{"model":"t/m","messages":[{"role":"user","content":"hi"}]}'
    client = connect(remora.http_port, HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body[:9])
    time.sleep(0.2)
    remora.process.send_signal(signal.SIGTERM)
    remora.wait_log("draining")
    time.sleep(0.2)
    client.sendall(body[9:])
    answer = read_all(client)
    assert answer.startswith(b"HTTP/1.1 200 ") and b"\r\nConnection: close\r\n" in answer, "answered, neither cut nor refused"
    remora.stop()


@pytest.mark.parametrize("sent", [LENGTH, LINE], ids=["body", "line"])
def test_a_second_signal_ends_requests_that_never_arrive(upstream, sent):
    remora = start(upstream, grace_s=30, workers=4)
    clients = [connect(remora.http_port, sent) for _ in range(8)]
    time.sleep(0.2)
    remora.process.send_signal(signal.SIGINT)
    remora.wait_log("draining")
    time.sleep(0.1)
    assert remora.process.poll() is None, "within the grace"
    stop_within(remora, 1)
    for client in clients:
        client.close()


def test_half_a_request_for_a_probe_keeps_nobody(upstream):
    remora = start(upstream)
    clients = [connect(port, b"GET /li") for port in (remora.probe_port, remora.admin_port)]
    time.sleep(0.2)
    stop_within(remora, 1)
    for client in clients:
        client.close()


@pytest.mark.parametrize("workers", [1, 4])
def test_idle_clients_are_closed_at_once(upstream, workers):
    remora = start(upstream, grace_s=30, workers=workers)
    clients = [connect(remora.http_port, b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n") for _ in range(8)]
    for client in clients:
        assert client.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
    clients.append(connect(remora.http_port, b""))
    time.sleep(0.2)
    stop_within(remora, 1)
    for client in clients:
        client.close()


REQUEST = json.dumps({"model": "t/m", "messages": USER}).encode()


@pytest.mark.parametrize("listener", ["tcp", "unix", "tls"])
def test_an_answer_that_is_still_being_read_comes_whole(upstream, listener, tmp_path):
    """More than the kernel takes at once; the connection would stay, so between two requests it looks idle."""
    own, more = make_ca(tmp_path), ""
    address = {"tcp": "127.0.0.1:0", "unix": f"unix:{tmp_path}/http", "tls": "0.0.0.0:0"}[listener]
    if listener == "tls":
        more = f"tls: {{cert_file: {own}/cert.pem, key_file: {own}/key.pem, client_ca_file: {own}/ca.pem}}\n"
    config = two_providers(upstream, "ok-n1500000", more=more + "drain: {delay_ms: 100}\n")
    remora = Remora(config, environment=SECRETS, arguments=["--http", address])
    if listener == "unix":
        client = socket.socket(socket.AF_UNIX)
        client.connect(f"{tmp_path}/http")
    else:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.connect(("127.0.0.1", remora.http_port))
    client.settimeout(20)
    if listener == "tls":
        context = ssl.create_default_context(cafile=own / "ca.pem")
        context.load_cert_chain(own / "cert.pem", own / "key.pem")
        client = context.wrap_socket(client, server_hostname="localhost")
    client.sendall(HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(REQUEST), REQUEST))
    got = client.recv(1)  # the answer has begun
    remora.wait_log("request")
    remora.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert remora.process.poll() is None
    got += read_all(client)
    head, _, body = got.partition(b"\r\n\r\n")
    assert b"\r\nContent-Length: %d\r\n" % len(body) in head + b"\r\n" and len(body) > 8 << 20, (len(body), head)
    remora.process.wait(40)
    remora.stop()


def test_a_client_that_does_not_close_after_its_refusal_keeps_nobody(upstream):
    remora = start(upstream, grace_s=30)
    client = connect(remora.http_port, b"nonsense\r\n\r\n")
    assert client.recv(1 << 16).startswith(b"HTTP/1.1 400 ")
    stop_within(remora, 1)
    client.close()


def read_answer(client):
    """The head of one answer with a Content-Length, its body read away."""
    got = b""
    while b"\r\n\r\n" not in got:
        got += client.recv(1 << 16)
    head, _, body = got.partition(b"\r\n\r\n")
    length = int(next(l for l in head.lower().split(b"\r\n") if l.startswith(b"content-length:")).split(b":")[1])
    while len(body) < length:
        body += client.recv(1 << 16)
    return head


def test_answers_during_the_delay_send_clients_away(upstream):
    """A Service still sends calls here: they are served, and each client opens its next connection elsewhere."""
    remora = Remora(two_providers(upstream, "ok", more="drain: {delay_ms: 60000}\n"), environment=SECRETS)
    get = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"
    client = connect(remora.http_port, get)
    before = read_answer(client)
    remora.process.send_signal(signal.SIGTERM)
    remora.wait_log("draining")
    client.sendall(get)
    during = read_answer(client)
    assert before.startswith(b"HTTP/1.1 200") and b"Connection: close" not in before
    assert during.startswith(b"HTTP/1.1 200") and b"Connection: close" in during
    assert read_all(client) == b"", "the server closes it"
    assert read_answer(connect(remora.http_port, get)).startswith(b"HTTP/1.1 200"), "new connections are taken"
    remora.process.send_signal(signal.SIGTERM)  # ends the delay
    remora.process.wait(20)
    remora.stop()


CHAT = b'{"model":"t/m","stream":%s,"messages":[{"role":"user","content":"hi"}]}'
END = b"0\r\n\r\n"


def ask(client, stream=b"false"):
    body = CHAT % stream
    client.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)


@pytest.mark.parametrize("workers", [1, 4])
def test_who_was_not_told_may_send_one_more_request(upstream, workers):
    """The heads of these streams promise a connection that stays, and they end when the listener has closed: whoever reads the end
    of one sends his next request at that moment, and may not repeat it. So does he who has connected last."""
    remora = Remora(two_providers(upstream, "paced-60x50ms", more="drain: {delay_ms: 1500, grace_ms: 20000}\n"), environment=SECRETS,
                    workers=workers)
    clients = [connect(remora.http_port, b"") for _ in range(4)]
    for client in clients:
        ask(client, b"true")
    got = [client.recv(1 << 16) for client in clients]
    assert all(head.startswith(b"HTTP/1.1 200 ") and b"Connection: close" not in head for head in got)
    remora.process.send_signal(signal.SIGTERM)
    remora.wait_log("draining")
    time.sleep(1.2)
    last = connect(remora.http_port, b"")
    time.sleep(0.5)
    with pytest.raises(OSError):
        connect(remora.http_port, b"")
    ask(last)
    for client, text in zip(clients, got):
        while not text.endswith(END):
            piece = client.recv(1 << 16)
            assert piece, "the stream ends whole"
            text += piece
        time.sleep(0.05)
        ask(client)
    for client in (*clients, last):
        answer = read_all(client)
        assert answer.startswith(b"HTTP/1.1 200 ") and b"\r\nConnection: close\r\n" in answer
    remora.process.wait(20)
    remora.stop()


def test_who_sends_no_more_request_is_waited_for_as_long_as_the_delay(upstream):
    remora = Remora(two_providers(upstream, "ok", more="drain: {delay_ms: 500, grace_ms: 20000}\n"), environment=SECRETS)
    remora.process.send_signal(signal.SIGTERM)
    remora.wait_log("draining")
    time.sleep(0.3)
    client = connect(remora.http_port, b"")
    assert read_all(client) == b""
    began, drained = (datetime.datetime.fromisoformat(remora.wait_log(word)[0]["time"]) for word in ("draining", "drained"))
    assert 0.75 < (drained - began).total_seconds() < 5
    remora.process.wait(20)
    remora.stop()
