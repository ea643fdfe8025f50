"""Gateway keys: who calls over either front, what a key may do, and that no key is ever told."""
import hashlib
import json
import pathlib
import re
import signal
import socket
import subprocess
import time

import grpc
import openai
import pytest

from gateway import SECRETS, USER, Remora, two_providers
from test_grpc import channel, pb, request  # noqa: F401  (pb is a fixture)
from upstream import build_dir

KEY = "rk-canary-dddddddddddddddddddddddddddddddddddddd"
OTHER = "rk-canary-eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
BEARER = {"Authorization": f"Bearer {KEY}"}


def write_hash(path, key):
    path.write_text(hashlib.sha256(key.encode()).hexdigest() + "\n")
    return path


@pytest.fixture
def hashes(tmp_path):
    write_hash(tmp_path / "ci", KEY)
    write_hash(tmp_path / "app", OTHER)
    return tmp_path


def with_keys(upstream, hashes, first="ok", policy="", more=""):
    return two_providers(upstream, first, more=f"""
keys:
  ci: {{service: build, hash: {{file: "{hashes}/ci"}}{policy}}}
  app: {{service: cart, hash: {{file: "{hashes}/app"}}}}
{more}""")


def run(*arguments, **kwargs):
    return Remora(with_keys(*arguments, **kwargs), environment=SECRETS)


def keys_command(*arguments, text=""):
    return subprocess.run([str(build_dir() / "remora"), "keys", *arguments], input=text, capture_output=True, text=True, timeout=20)


def requests_of(metrics, service):
    return sum(v for k, v in metrics.items() if k.startswith("remora_requests_total") and f'service="{service}"' in k)


def test_a_key_is_asked_for_and_names_the_service(upstream, hashes):
    with run(upstream, hashes) as remora:
        assert remora.chat({"model": "t/m"}, headers=BEARER)[0] == 200
        assert remora.chat({"model": "t/m"}, headers={"x-api-key": OTHER})[0] == 200
        assert remora.request("GET", "/v1/models", headers=BEARER)[0] == 200
        metrics = remora.metrics()
        assert requests_of(metrics, "build") == 1 and requests_of(metrics, "cart") == 1
        sent = upstream.requests("ok")[-1]["header"]
        assert sent["authorization"] == "Bearer " + SECRETS["A_SECRET"], "the caller's own goes nowhere"
        assert "x-api-key" not in sent


def test_services_of_one_name_in_two_namespaces_are_one_series(upstream, hashes):
    """As docs/telemetry.md has it; the log tells them apart."""
    keys = "".join(f'  {key}: {{service: cart, namespace: {namespace}, hash: {{file: "{hashes}/{key}"}}}}\n' for key, namespace in (("ci", "one"), ("app", "two")))
    with Remora(two_providers(upstream, "ok", more="keys:\n" + keys), environment=SECRETS) as remora:
        for headers in (BEARER, {"x-api-key": OTHER}):
            assert remora.chat({"model": "t/m"}, headers=headers)[0] == 200
        assert [v for k, v in remora.metrics().items() if k.startswith("remora_requests_total") and 'service="cart"' in k] == [2]
        told = remora.wait_log("request", 2)
        assert [(event["service"], event["namespace"]) for event in told] == [("cart", "one"), ("cart", "two")]


WRONG = [{}, {"Authorization": "Bearer nobody"}, {"Authorization": f"Basic {KEY}"}, {"Authorization": f"Bearer {KEY}x"},
         {"Authorization": f"Bearer {hashlib.sha256(KEY.encode()).hexdigest()}"}, {"x-api-key": "x"},
         {"Authorization": "Bearer nobody", "x-api-key": KEY}]


def test_a_refusal_says_the_cure_and_not_what_was_wrong(upstream, hashes):
    with run(upstream, hashes) as remora:
        upstream.reset()
        answers = []
        for headers in WRONG:
            status, head, body = remora.chat({"model": "t/m"}, headers=headers)
            assert status == 401 and head["www-authenticate"] == "Bearer"
            answers.append(json.dumps(body))
        assert len(set(answers)) == 1 and "Authorization: Bearer KEY" in answers[0]
        assert json.loads(answers[0])["error"]["metadata"]["reason"] == "UNAUTHENTICATED"
        assert remora.request("GET", "/v1/models")[0] == 401
        assert remora.request("GET", "/nothing/here")[0] == 401, "nothing can be learnt without a key"
        assert remora.request("GET", "/readyz", port=remora.probe_port)[0] == 200
        assert remora.metrics()['remora_unauthenticated_total{api="http"}'] == len(WRONG) + 2
        assert upstream.stats("ok")["received"] == 0


def test_the_official_client_sends_its_key(upstream, hashes):
    with run(upstream, hashes) as remora:
        client = openai.OpenAI(base_url=remora.base_url, api_key=KEY, max_retries=0)
        assert client.chat.completions.create(model="t/m", messages=USER).choices[0].message.content
        with pytest.raises(openai.AuthenticationError):
            openai.OpenAI(base_url=remora.base_url, api_key="sk-wrong", max_retries=0).models.list()


def test_grpc_asks_for_the_same_key(upstream, hashes, pb):  # noqa: F811
    with run(upstream, hashes) as remora, channel(remora) as c:
        stub = pb.chat_grpc.ChatServiceStub(c)
        for metadata in ((), (("authorization", "Bearer nobody"),), (("authorization", KEY),)):
            with pytest.raises(grpc.RpcError) as e:
                stub.Chat(request(pb), metadata=metadata)
            assert e.value.code() == grpc.StatusCode.UNAUTHENTICATED and "Bearer KEY" in e.value.details()
            with pytest.raises(grpc.RpcError) as e:
                list(stub.StreamChat(pb.chat.StreamChatRequest(chat=request(pb)), metadata=metadata))
            assert e.value.code() == grpc.StatusCode.UNAUTHENTICATED
        for second in (KEY, "nobody"):  # as over HTTP, where it is 400: nobody says which one counts
            with pytest.raises(grpc.RpcError) as e:
                stub.Chat(request(pb), metadata=(("authorization", f"Bearer {KEY}"), ("authorization", f"Bearer {second}")))
            assert e.value.code() == grpc.StatusCode.INVALID_ARGUMENT and "authorization" in e.value.details()
            assert "more than once" in e.value.details()
        with pytest.raises(grpc.RpcError) as e:
            pb.gateway_grpc.GatewayServiceStub(c).GetConfigStatus(pb.gateway.GetConfigStatusRequest())
        assert e.value.code() == grpc.StatusCode.UNAUTHENTICATED
        for metadata in ((("authorization", f"Bearer {KEY}"),), (("x-api-key", KEY),)):
            assert stub.Chat(request(pb), metadata=metadata).choices
        check = c.unary_unary("/grpc.health.v1.Health/Check")
        assert check(b"") == b"\x08\x01", "health needs no key"
        assert requests_of(remora.metrics(), "build") == 2
        assert remora.metrics()['remora_unauthenticated_total{api="grpc"}'] == 7


def test_a_key_narrows_its_service(upstream, hashes):
    policy = ", provider: {only: [b]}"
    with run(upstream, hashes, policy=policy, more="services: {build: {provider: {ignore: [nobody]}}}\n") as remora:
        assert remora.chat({"model": "t/m"}, headers=BEARER)[2]["provider"] == "b"
        assert remora.chat({"model": "t/m"}, headers={"x-api-key": OTHER})[2]["provider"] == "a"
        status, _, body = remora.chat({"model": "t/m", "provider": {"only": ["a"]}}, headers=BEARER)
        assert status == 404 and body["error"]["metadata"]["reason"] == "CONSTRAINT_FILTERED"
        assert "POLICY_LAYER_KEY" in json.dumps(body)


def test_a_reload_changes_who_is_let_in(upstream, hashes):
    with run(upstream, hashes) as remora:
        assert remora.chat({"model": "t/m"}, headers=BEARER)[0] == 200
        write_hash(hashes / "ci", "rk-canary-a-new-key-for-ci")
        remora.process.send_signal(signal.SIGHUP)
        remora.wait_log("configuration loaded")
        assert remora.chat({"model": "t/m"}, headers=BEARER)[0] == 401
        assert remora.chat({"model": "t/m"}, headers={"x-api-key": "rk-canary-a-new-key-for-ci"})[0] == 200
        (hashes / "ci").chmod(0o666)
        remora.process.send_signal(signal.SIGHUP)
        remora.wait_log("configuration loaded", count=2)
        assert any("writable by everybody" in str(line) for line in remora.log_lines())
        assert remora.chat({"model": "t/m"}, headers={"x-api-key": "rk-canary-a-new-key-for-ci"})[0] == 401
        assert remora.chat({"model": "t/m"}, headers={"x-api-key": OTHER})[0] == 200, "the others stay"


@pytest.mark.parametrize("how", ["deleted", "moved"])
def test_a_key_whose_hash_is_taken_away_is_refused_without_a_signal(upstream, hashes, how):
    with run(upstream, hashes) as remora:
        assert remora.chat({"model": "t/m"}, headers=BEARER)[0] == 200
        (hashes / "ci").unlink() if how == "deleted" else (hashes / "ci").rename(hashes / "elsewhere")
        remora.wait_log("configuration loaded", seconds=5)
        assert remora.chat({"model": "t/m"}, headers=BEARER)[0] == 401
        assert remora.chat({"model": "t/m"}, headers={"x-api-key": OTHER})[0] == 200, "the others stay"
        (hashes / "elsewhere").rename(hashes / "ci") if how == "moved" else write_hash(hashes / "ci", KEY)
        remora.wait_log("configuration loaded", count=2, seconds=5)
        assert remora.chat({"model": "t/m"}, headers=BEARER)[0] == 200


def test_loopback_without_keys_ignores_what_callers_send(upstream):
    with Remora(two_providers(upstream, "ok"), environment=SECRETS) as remora:
        assert remora.chat({"model": "t/m"}, headers=BEARER)[0] == 200
        assert requests_of(remora.metrics(), "checkout") == 1
        assert KEY not in str(upstream.requests("ok")[-1])


def test_beyond_loopback_keys_open_the_port_and_a_reload_without_them_closes_it(upstream, hashes):
    config = with_keys(upstream, hashes)
    with Remora(config, arguments=["--http", "0.0.0.0:0"], environment=SECRETS) as remora:
        remora.wait_log("keys and prompts travel in the clear on this listener")
        assert remora.chat({"model": "t/m"}, headers=BEARER)[0] == 200
        assert remora.chat({"model": "t/m"})[0] == 401
        remora.config_path.write_text(two_providers(upstream, "ok"))
        remora.process.send_signal(signal.SIGHUP)
        remora.wait_log("configuration loaded")
        assert remora.chat({"model": "t/m"}, headers=BEARER)[0] == 401, "never open to everybody"


@pytest.mark.parametrize("listener", ["--http", "--grpc", "--admin"])
def test_beyond_loopback_nothing_listens_without_keys(upstream, tmp_path, listener):
    path = tmp_path / "remora.yaml"
    path.write_text(two_providers(upstream, "ok"))
    others = [a for name in ("--http", "--grpc", "--probe", "--admin") if name != listener for a in (name, "off")]
    result = subprocess.run([str(build_dir() / "remora"), "serve", "--config", str(path), listener, "0.0.0.0:0", *others],
                            capture_output=True, text=True, timeout=30)
    assert result.returncode == 1 and "beyond loopback" in result.stderr


def test_new_keys_come_with_the_hash_that_lets_them_in(upstream, hashes):
    made = keys_command("new")
    key, digest = re.fullmatch(r"key (rk-[0-9a-f]{64})\nhash ([0-9a-f]{64})\n", made.stdout).groups()
    assert made.returncode == 0 and made.stderr == "" and keys_command("new").stdout != made.stdout
    assert digest == hashlib.sha256(key.encode()).hexdigest()
    assert keys_command("hash", text=key + "\n").stdout == digest + "\n"
    (hashes / "ci").write_text(digest)
    with run(upstream, hashes) as remora:
        assert remora.chat({"model": "t/m"}, headers={"x-api-key": key})[0] == 200


@pytest.mark.parametrize("text", ["", "\n", "short", "with a blank in the middle of it", "x" * 1025, "ümlaute-are-not-for-headers"])
def test_a_key_that_cannot_be_one_has_no_hash(text):
    result = keys_command("hash", text=text)
    assert result.returncode == 2 and result.stdout == "" and "20 to 1024" in result.stderr


def test_keys_without_a_known_verb_say_how():
    for arguments in ((), ("old",), ("new", "two")):
        result = keys_command(*arguments)
        assert result.returncode == 2 and "usage: remora keys" in result.stderr


def dumped_memory(pid):
    """What a core dump would hold: every mapping but those marked as not to be dumped (VmFlags dd)."""
    mapping, skipped = None, 0
    with open(f"/proc/{pid}/smaps", encoding="ascii", errors="replace") as smaps, open(f"/proc/{pid}/mem", "rb") as memory:
        for line in smaps:
            head = re.match(r"([0-9a-f]+)-([0-9a-f]+) r", line)
            if head:
                mapping = [int(x, 16) for x in head.groups()]
            elif line.startswith("VmFlags:") and mapping:
                if " dd" in line:
                    skipped += 1
                elif "vvar" not in line:
                    try:
                        memory.seek(mapping[0])
                        yield memory.read(mapping[1] - mapping[0])
                    except (OSError, OverflowError, ValueError):
                        pass  # [vvar], [vsyscall]: the kernel does not let it be read
                mapping = None
    assert skipped > 0, "the positive control: secrets have mappings of their own"


def send_raw(remora, *pieces):
    """One connection, the bytes piece by piece; what came back until the other side was done."""
    with socket.create_connection(("127.0.0.1", remora.http_port), timeout=10) as s:
        for piece in pieces:
            s.sendall(piece)
            time.sleep(0.05)  # each piece a read of its own
        received = b""
        while chunk := s.recv(65536):
            received += chunk
    return received


def raw_request(key, more=""):
    body = json.dumps({"model": "t/m", "messages": USER}).encode()
    head = (f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n{more}"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode()
    return head, body


def test_no_key_of_a_caller_over_http_is_in_a_core_dump(upstream, hashes):
    with run(upstream, hashes) as remora:
        with open(f"/proc/{remora.process.pid}/smaps", encoding="ascii", errors="replace") as smaps:
            if sum(int(line.split()[1]) for line in smaps if line.startswith("Size:")) > 1 << 33:
                pytest.skip("a sanitizer's shadow is too large to be looked through")
        assert remora.chat({"model": "t/m"}, headers=BEARER)[0] == 200
        assert remora.stream({"model": "t/m"}, headers=BEARER).is_done
        assert remora.chat({"model": "t/m"}, headers={"Authorization": f"Bearer {KEY}-wrong"})[0] == 401
        head, body = raw_request(KEY)
        closing = raw_request(OTHER, "Connection: close\r\n")
        cut = head.index(KEY.encode()) + len(KEY) // 2
        filler = ("X-Filler: " + "f" * 3000 + "\r\n")
        assert b" 200 " in send_raw(remora, head[:cut], head[cut:] + body + b"".join(closing)), "in pieces, then pipelined"
        long_head, body = raw_request(KEY, "Connection: close\r\n" + filler * 4)
        assert b" 200 " in send_raw(remora, *[long_head[i:i + 900] for i in range(0, len(long_head), 900)], body), "a head that grows"
        assert remora.chat({"model": "t/m"}, headers=BEARER)[0] == 200, "what was read last lies in the buffer of the loop still"
        memory = list(dumped_memory(remora.process.pid))
        assert any(b"/v1/chat/completions" in part for part in memory), "the positive control: memory is looked at"
        for key in (KEY, OTHER):
            found = [part[max(0, at - 40):at + 60] for part in memory if (at := part.find(key.encode())) >= 0]
            assert not found, found


def test_no_key_is_anywhere(upstream, hashes):
    remora = run(upstream, hashes, first="401")
    seen = [remora.chat({"model": "t/m"}, headers=BEARER), remora.chat({"model": "t/m"}, headers={"x-api-key": OTHER})]
    seen.append(remora.chat({"model": "none/such"}, headers=BEARER))
    seen.append(remora.chat({"model": "t/m"}, headers={"Authorization": f"Basic {KEY}"}))
    seen.append(remora.stream({"model": "t/m"}, headers=BEARER).text)
    seen.append(remora.request("GET", "/metrics", port=remora.probe_port))
    seen.append(remora.request("GET", "/config/status", port=remora.admin_port))
    log = remora.log()
    command = pathlib.Path(f"/proc/{remora.process.pid}/cmdline").read_text()
    remora.stop()
    for text in (str(seen), command, log):
        assert "canary" not in text
    for key in (KEY, OTHER):
        assert hashlib.sha256(key.encode()).hexdigest() not in str(seen) + log
