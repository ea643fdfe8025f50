"""Every row of negatives.py against the running gateway, over real sockets: whole and in small pieces."""
import hashlib
import json
import socket

import pytest

from gateway import SECRETS, Remora
from negatives import BODY, CLOSE, FRAMING, GET, H, KEYS, OPEN, ROUTING, TALKS
from upstream import FaultServer

KEY = "rk-canary-dddddddddddddddddddddddddddddddddddddd"
PIECES = 400  # longer rows are sent whole only


class Wire:
    """One connection; answers are read one by one."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.bytes = b""
        self.is_closed = False

    def send(self, data, piece):
        """The gateway may answer and close in the middle: what is left finds nobody."""
        try:
            for at in range(0, len(data), piece or len(data)):
                self.socket.sendall(data[at:at + (piece or len(data))])
        except (BrokenPipeError, ConnectionResetError):
            self.is_closed = True

    def fill(self):
        try:
            got = self.socket.recv(1 << 16)
        except ConnectionResetError:
            got = b""
        self.is_closed = got == b""
        self.bytes += got
        return got

    def answer(self):
        """(status, headers, body) of the next answer, interim ones skipped; None when the connection ended without one."""
        while b"\r\n\r\n" not in self.bytes:
            if not self.fill():
                return None
        head, _, self.bytes = self.bytes.partition(b"\r\n\r\n")
        status = int(head.split()[1])
        if status == 100:
            return self.answer()
        headers = {k.lower(): v for k, _, v in (line.partition(b": ") for line in head.split(b"\r\n")[1:])}
        length = int(headers[b"content-length"])
        while len(self.bytes) < length and self.fill():
            pass
        body, self.bytes = self.bytes[:length], self.bytes[length:]
        return status, headers, body

    def ends(self):
        """True when the gateway closes and says no more."""
        while not self.is_closed:
            if self.fill():
                return False
        return self.bytes == b""

    def lives(self, good):
        self.send(good, 0)
        answer = self.answer()
        return answer is not None and answer[0] == 200

    def close(self):
        self.socket.close()


def one_of(value):
    return value if isinstance(value, tuple) else (value,)


def judge(port, row, piece, good):
    """What is wrong with the answer to this row, or None."""
    number, data, status, reason, end = row
    wire = Wire(port)
    try:
        wire.send(data, piece)
        if status is None:
            wire.socket.shutdown(socket.SHUT_WR)
            return None if wire.answer() is None and wire.ends() else "answered, or stays open"
        answer = wire.answer()
        if answer is None:
            return "no answer"
        got = ""
        if answer[0] >= 400:
            error = json.loads(answer[2])["error"]
            got = error["metadata"]["reason"]
            assert error["code"] == answer[0] and error["message"]
        if answer[0] not in one_of(status) or got not in one_of(reason):
            return f"{answer[0]} {got}: {answer[2][:300]}"
        if end == OPEN:
            return None if wire.lives(good) else "does not serve on"
        return None if wire.ends() else "stays open"
    finally:
        wire.close()


def run(port, rows, capsys, name, good=GET + H + b"\r\n", upstream=None):
    wrong = []
    done = 0
    for row in rows:
        for piece in (0, 1, 7):
            if piece and len(row[1]) > PIECES:
                continue
            before = upstream.total() if upstream else 0
            why = judge(port, row, piece, good)
            if why is None and upstream and upstream.total() - before > TALKS.get(row[0], 0):
                why = f"{upstream.total() - before} calls upstream"
            wire = Wire(port)
            if why is None and not wire.lives(good):
                why = "the gateway does not answer a good request on a new connection"
            wire.close()
            if why is not None:
                wrong.append(f"N{row[0]} ({piece or 'whole'}): {row[1][:120]!r}: {why}")
            done += 1
    with capsys.disabled():
        print(f"\n{name}: {len({r[0] for r in rows})} requirements, {len(rows)} rows, {done - len(wrong)} of {done} as they should be")
    assert not wrong, "\n".join(wrong)


class Counted:
    """How many requests reached the fault server in all."""

    def __init__(self, server):
        self.server = server

    def total(self):
        return sum(b["requests"] for b in self.server.stats()["behaviours"].values())


def document(server, more=""):
    endpoint = '{{provider: {1}, model_id: "{0}", pricing: {{prompt: "0.000001", completion: "0.000002"}}}}'
    models = "\n".join(f"  t/{name}: {{endpoints: [{endpoint.format(model, 'c' if name == '401' else 'a')}]}}" for name, model in
                       [("m", "ok"), ("n", "ok"), ("redirect", "redirect"), ("401", "401-quotes-key"), ("400", "400-quotes-key"), ("cookies", "secret-headers")])
    return f"""
version: 1
service: checkout
providers:
  a: {{kind: openai, base_url: "{server.base_url}", api_key: {{env: A_SECRET}}}}
  c: {{kind: openai, base_url: "{server.base_url}", api_key: {{env: B_SECRET}}}}
models:
{models}
  t/private: {{endpoints: [{endpoint.format("ok", "a")}]}}
{more}"""


@pytest.fixture(scope="module")
def server():
    with FaultServer() as s:
        yield s


@pytest.fixture(scope="module")
def remora(server):
    with Remora(document(server), environment=SECRETS) as r:
        yield r


def test_framing_and_heads(remora, server, capsys):
    run(remora.http_port, FRAMING, capsys, "framing", upstream=Counted(server))


def test_bodies(remora, server, capsys):
    run(remora.http_port, BODY, capsys, "bodies", upstream=Counted(server))


def test_routing_and_injection(remora, server, capsys):
    with socket.create_server(("127.0.0.1", 0)) as sink:
        sink.setblocking(False)
        port = str(sink.getsockname()[1]).encode()
        rows = []
        for number, data, *rest in ROUTING:
            sized = data.replace(b"@SINK@", port)
            grown = len(sized) - len(data)
            length = b"Content-Length: %d\r\n"
            if b"\r\n\r\n" in sized and b"Content-Length" in sized and grown:
                body = len(sized.partition(b"\r\n\r\n")[2])
                sized = sized.replace(length % (body - grown), length % body)
            rows.append((number, sized, *rest))
        # the service may not be widened: t/private is asked under a mesh that denies
        deny = [r for r in rows if r[0] == 120]
        run(remora.http_port, [r for r in rows if r[0] != 120], capsys, "routing", upstream=Counted(server))
        with Remora(document(server, "policy: {provider: {data_collection: deny}}\n"), environment=SECRETS) as strict:
            run(strict.http_port, deny, capsys, "policy", upstream=Counted(server))
        with pytest.raises(BlockingIOError):
            sink.accept()
    assert "x-injected" not in {name for r in server.requests() for name in r["header"]}


def test_what_a_provider_says_of_itself_stays_there(remora):
    """N94, N95: no header of the provider's and no word about the key reaches the caller."""
    status, headers, body = remora.request("POST", "/v1/chat/completions", {"model": "t/cookies", "messages": [{"role": "user", "content": "x"}]})
    assert status == 200 and not {"set-cookie", "authorization", "x-goog-api-key"} & set(headers)
    status, headers, body = remora.request("POST", "/v1/chat/completions", {"model": "t/401", "messages": [{"role": "user", "content": "x"}]})
    assert status == 502 and b"canary" not in body
    status, headers, body = remora.request("POST", "/v1/chat/completions", {"model": "t/400", "messages": [{"role": "user", "content": "x"}]})
    assert status == 400 and b"No access with" in body and b"canary" not in body
    assert "canary" not in remora.log()


def test_keys(server, tmp_path, capsys):
    (tmp_path / "hash").write_text(hashlib.sha256(KEY.encode()).hexdigest())
    more = f'keys:\n  ci: {{service: build, hash: {{file: "{tmp_path}/hash"}}}}\n'
    good = GET + H + b"Authorization: Bearer " + KEY.encode() + b"\r\n\r\n"
    prefix = (KEY[:20] + "x" * (len(KEY) - 20)).encode()
    rows = [(number, data.replace(b"@RIGHT_PREFIX@", prefix).replace(b"@RIGHT@", KEY.encode()), *rest) for number, data, *rest in KEYS]
    with Remora(document(server, more), environment=SECRETS) as keyed:
        run(keyed.http_port, rows, capsys, "keys", good=good, upstream=Counted(server))
        status, headers, _ = keyed.request("GET", "/v1/models")
        assert status == 401 and "www-authenticate" in headers


def test_after_the_whole_suite_the_metrics_are_small_and_hold_no_canary(remora):
    text = remora.request("GET", "/metrics", port=remora.probe_port)[2]
    assert b"canary" not in text and b"evil" not in text
    assert len([line for line in text.splitlines() if not line.startswith(b"#")]) < 400
