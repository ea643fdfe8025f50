"""TLS and client certificates on our listeners beyond loopback, both fronts: who gets in, what is spoken, and the certificate's
renewal."""
import concurrent.futures
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

import grpc
import pytest

from gateway import SECRETS, USER, OwnTime, Remora, two_providers
from peers import authority
from test_grpc import pb, request  # noqa: F401  (pb is a fixture)
from test_keys import BEARER, hashes, with_keys  # noqa: F401  (hashes is a fixture)
from upstream import build_dir

ANYWHERE = ("--http", "0.0.0.0:0", "--grpc", "0.0.0.0:0")


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """The gateway's own certificate."""
    return authority(tmp_path_factory.mktemp("ours"), "gateway")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """The clients'."""
    return authority(tmp_path_factory.mktemp("theirs"), "clients")


@pytest.fixture(scope="module")
def strangers(tmp_path_factory):
    return authority(tmp_path_factory.mktemp("strangers"), "strangers")


def tls(folder, client_ca=None):
    more = f", client_ca_file: {client_ca}/ca.pem" if client_ca else ""
    return f"tls: {{cert_file: {folder}/cert.pem, key_file: {folder}/key.pem{more}}}\ngrpc: {{accept_old_core: true}}\n"


def run(upstream, folder, client_ca, first="ok", more="", arguments=ANYWHERE, **kwargs):
    return Remora(two_providers(upstream, first, more=tls(folder, client_ca) + more), arguments=arguments, environment=SECRETS, **kwargs)


def client(ca, own=None, alpn=None):
    context = ssl.create_default_context(cafile=ca / "ca.pem")
    if own:
        context.load_cert_chain(own / "cert.pem", own / "key.pem")
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


def https(remora, context, timeout=20):
    return http.client.HTTPSConnection("localhost", remora.http_port, context=context, timeout=timeout)


def ask(connection, body=None, headers=None):
    connection.request("POST", "/v1/chat/completions", json.dumps({"model": "t/m", "messages": USER, **(body or {})}),
                       {"Content-Type": "application/json", **(headers or {})})
    answer = connection.getresponse()
    return answer.status, answer.read()


def secure_channel(remora, ca, own=None):
    credentials = grpc.ssl_channel_credentials((ca / "ca.pem").read_bytes(), *(
        (own / f"{name}.pem").read_bytes() for name in (("key", "cert") if own else ())))
    return grpc.secure_channel(f"localhost:{remora.grpc_port}", credentials, options=(("grpc.use_local_subchannel_pool", 1),))


def grpc_chat(pb, c, **kwargs):  # noqa: F811
    return pb.chat_grpc.ChatServiceStub(c).Chat(request(pb), timeout=20, **kwargs)


def refuses(context, remora):
    """The peer ends it in the handshake or, in TLS 1.3, at the first read."""
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected, http.client.BadStatusLine)):
        ask(https(remora, context))
    return True


@pytest.mark.parametrize("workers", [1, 4])
def test_with_a_client_certificate_both_fronts_serve(upstream, ours, theirs, pb, workers):  # noqa: F811
    with run(upstream, ours, theirs, workers=workers) as remora, contextlib.ExitStack() as stack:
        connections = [https(remora, client(ours, theirs, ["http/1.1"])) for _ in range(4)]
        for connection in connections:
            assert ask(connection)[0] == 200
            assert connection.sock.selected_alpn_protocol() == "http/1.1" and connection.sock.version() == "TLSv1.3"
            status, text = ask(connection, {"stream": True})  # on the same connection
            assert status == 200 and text.endswith(b"data: [DONE]\n\n")
            connection.close()
        channels = [stack.enter_context(secure_channel(remora, ours, theirs)) for _ in range(4)]
        for c in channels:
            assert grpc_chat(pb, c).choices
            events = list(pb.chat_grpc.ChatServiceStub(c).StreamChat(pb.chat.StreamChatRequest(chat=request(pb)), timeout=20))
            assert events[-1].WhichOneof("event") == "completed"
        assert {line["service"] for line in remora.wait_log("request", 16)} == {"checkout"}


def test_large_bodies_in_and_out(upstream, ours, theirs):
    text = "x" * 390000
    with run(upstream, ours, theirs, "echo") as remora:
        connection = https(remora, client(ours, theirs))
        for is_stream in (False, True, False):
            status, answer = ask(connection, {"messages": [{"role": "user", "content": text}], "stream": is_stream})
            assert status == 200 and text.encode() in answer


def test_nobody_else_gets_in(upstream, ours, theirs, strangers, pb):  # noqa: F811
    with run(upstream, ours, theirs) as remora:
        upstream.reset()
        assert refuses(client(ours), remora) and refuses(client(ours, strangers), remora)
        for own in (None, strangers):
            with secure_channel(remora, ours, own) as c, pytest.raises(grpc.RpcError) as e:
                grpc_chat(pb, c)
            assert e.value.code() == grpc.StatusCode.UNAVAILABLE
        with grpc.insecure_channel(f"localhost:{remora.grpc_port}") as c, pytest.raises(grpc.RpcError):
            grpc_chat(pb, c)
        with socket.create_connection(("127.0.0.1", remora.http_port), timeout=10) as s:  # plaintext is told by an alert, and no more
            s.sendall(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert not s.recv(100).startswith(b"HTTP")
        assert upstream.stats("ok")["received"] == 0
        connection = https(remora, client(ours, theirs))
        assert ask(connection)[0] == 200, "and the right one does"


def s_client(remora, ours, *arguments):
    command = ["openssl", "s_client", "-connect", f"localhost:{remora.http_port}", "-CAfile", str(ours / "ca.pem"), *arguments]
    return subprocess.run(command, input="", capture_output=True, text=True, timeout=20)


def test_versions_ciphers_and_protocols(upstream, ours, hashes, pb):  # noqa: F811
    with Remora(with_keys(upstream, hashes, more=tls(ours)), arguments=ANYWHERE, environment=SECRETS) as remora:
        assert "TLSv1.3" in s_client(remora, ours).stdout
        assert "TLSv1.2" in s_client(remora, ours, "-tls1_2").stdout
        assert "AES" in s_client(remora, ours, "-tls1_2", "-cipher", "ECDHE+AESGCM").stdout
        for refused in (("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"),
                        ("-alpn", "h2")):
            assert "Cipher is (NONE)" in s_client(remora, ours, *refused).stdout, refused
        assert "ALPN protocol: http/1.1" in s_client(remora, ours, "-alpn", "h2,http/1.1").stdout
        renegotiated = subprocess.run(["openssl", "s_client", "-connect", f"localhost:{remora.http_port}", "-tls1_2"], input="R\n",
                                      capture_output=True, text=True, timeout=20)
        assert renegotiated.returncode != 0 or "no renegotiation" in renegotiated.stderr


def test_keys_are_asked_for_over_tls_too(upstream, ours, hashes, pb):  # noqa: F811
    with Remora(with_keys(upstream, hashes, more=tls(ours)), arguments=ANYWHERE, environment=SECRETS) as remora:
        connection = https(remora, client(ours))
        assert ask(connection)[0] == 401 and ask(connection, headers=BEARER)[0] == 200
        with secure_channel(remora, ours) as c:
            with pytest.raises(grpc.RpcError) as e:
                grpc_chat(pb, c)
            assert e.value.code() == grpc.StatusCode.UNAUTHENTICATED
            assert grpc_chat(pb, c, metadata=(("authorization", BEARER["Authorization"]),)).choices
        assert "in the clear" not in remora.log()


def start_fails(config, *arguments):
    with pytest.raises(RuntimeError) as e:
        Remora(config, arguments=arguments, environment=SECRETS)
    return str(e.value)


def test_what_a_start_refuses(upstream, ours, theirs, tmp_path):
    plain = two_providers(upstream, "ok")
    assert "tls.client_ca_file" in start_fails(plain, "--http", "0.0.0.0:0")
    assert "tls.client_ca_file" in start_fails(plain + tls(ours), "--http", "0.0.0.0:0"), "hidden, but open to everybody"
    version = subprocess.run([build_dir() / "remora", "version"], capture_output=True, text=True, check=True).stdout
    if int(version.split("gRPC core ")[1].split(".")[0]) < 40:
        why = start_fails(plain + tls(ours, theirs).replace("accept_old_core: true", "accept_old_core: false"), *ANYWHERE)
        assert "known holes" in why and "accept_old_core" in why
    for name, wrong in (("cert", "absent.pem"), ("cert", "key.pem"), ("key", "cert.pem")):
        text = tls(ours, theirs).replace(f"{ours}/{name}.pem", f"{ours}/{wrong}")
        assert "tls" in start_fails(plain + text, *ANYWHERE)
    other = authority(tmp_path, "other")
    assert "is not the key of cert_file" in start_fails(plain + tls(ours, theirs).replace(f"{ours}/key", f"{other}/key"), *ANYWHERE)


def test_loopback_stays_plaintext(upstream, ours, theirs, pb):  # noqa: F811
    with run(upstream, ours, theirs, arguments=()) as remora, grpc.insecure_channel(f"127.0.0.1:{remora.grpc_port}") as c:
        assert remora.chat({"model": "t/m"})[0] == 200 and grpc_chat(pb, c).choices


def put(folder, source):
    """A generation of a mounted Secret."""
    folder.mkdir()
    for name in ("cert.pem", "key.pem", "ca.pem"):
        shutil.copy(source / name, folder / name)


def swap(volume, generation):
    os.symlink(generation, volume / "..data_tmp")
    os.rename(volume / "..data_tmp", volume / "..data")


def shown(remora, context):
    """The serial number of the certificate that a new connection is shown, whatever authority is behind it."""
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", remora.http_port), timeout=10) as s, context.wrap_socket(s) as t:
        return ssl.DER_cert_to_PEM_cert(t.getpeercert(binary_form=True))


@pytest.mark.parametrize("workers", [1, 4])
def test_a_swapped_certificate_serves_new_connections_and_old_ones_go_on(upstream, ours, theirs, tmp_path, pb, workers):  # noqa: F811
    second = authority(tmp_path, "second")
    volume = tmp_path / "volume"
    volume.mkdir()
    put(volume / "..one", ours)
    put(volume / "..two", second)
    put(volume / "..half", second)
    shutil.copy(ours / "key.pem", volume / "..half" / "key.pem")
    os.symlink("..one", volume / "..data")
    for name in ("cert.pem", "key.pem", "ca.pem"):
        os.symlink(f"..data/{name}", volume / name)
    with run(upstream, volume, theirs, workers=workers) as remora:
        first_one = (ours / "cert.pem").read_text().strip()
        assert shown(remora, client(ours, theirs)).strip() == first_one
        old = https(remora, client(ours, theirs))
        assert ask(old)[0] == 200
        with secure_channel(remora, ours, theirs) as old_channel:
            assert grpc_chat(pb, old_channel).choices
            swap(volume, "..half")
            assert "is not the key" in remora.wait_log("configuration refused")[0]["error"]
            assert shown(remora, client(ours, theirs)).strip() == first_one, "half a swap changes nothing"
            swap(volume, "..two")
            remora.wait_log("configuration loaded")
            assert shown(remora, client(ours, theirs)).strip() == (second / "cert.pem").read_text().strip()
            assert ask(old)[0] == 200 and grpc_chat(pb, old_channel).choices, "those that were open go on"
            for _ in range(2 * workers):
                with secure_channel(remora, second, theirs) as c:
                    assert grpc_chat(pb, c).choices
                assert ask(https(remora, client(second, theirs)))[0] == 200


def ends(folder):
    """notAfter of cert.pem, in unix time, as OpenSSL's own tool reads it."""
    said = subprocess.run(["openssl", "x509", "-in", folder / "cert.pem", "-noout", "-enddate"], capture_output=True, text=True, check=True)
    return ssl.cert_time_to_seconds(said.stdout.strip().removeprefix("notAfter="))


def shorter(folder, days):
    """The same key, with a certificate that ends on another day."""
    subprocess.run(["openssl", "req", "-x509", "-key", folder / "key.pem", "-subj", "/CN=localhost", "-days", str(days), "-out", folder / "cert.pem"],
                   capture_output=True, check=True)
    return folder


def test_the_end_of_every_certificate_is_a_metric(upstream, theirs, tmp_path):  # noqa: F811
    own, shown_to_a = (shorter(authority(tmp_path, name), days) for name, days in (("own", 40), ("shown", 50)))
    listener, to_a = (f'remora_tls_certificate_expiry_timestamp_seconds{{use="{use}",provider="{provider}"}}'
                      for use, provider in (("listener", ""), ("client", "a")))
    way = f', client_cert: {{cert_file: "{shown_to_a}/cert.pem", key_file: "{shown_to_a}/key.pem"}}'
    with Remora(two_providers(upstream, "ok", more=tls(own, theirs), first_provider=way), arguments=ANYWHERE, environment=SECRETS) as remora:
        first = remora.metrics()
        assert (first[listener], first[to_a]) == (ends(own), ends(shown_to_a))
        assert sum("certificate_expiry" in name for name in first) == 2, "and none of provider b, which is shown none"
        shorter(own, 90)
        remora.config_path.write_text(two_providers(upstream, "ok", more=tls(own, theirs)))
        remora.wait_log("configuration loaded")
        then = remora.metrics()
        assert (then[listener], then[to_a]) == (ends(own), 0)
        assert then[listener] > first[listener]


def swap_under_load(upstream, tmp_path, listeners, *over_grpc):
    """Four workers; clients of either certificate's authority, each with new connections, are all served."""
    first, second, theirs = (authority(tmp_path, name) for name in ("first", "second", "theirs"))
    both = tmp_path / "both"
    both.mkdir()
    (both / "ca.pem").write_text((first / "ca.pem").read_text() + (second / "ca.pem").read_text())
    with run(upstream, first, theirs, arguments=listeners, workers=4) as remora, concurrent.futures.ThreadPoolExecutor(4) as pool:
        is_over = threading.Event()

        def over_http():
            connection = https(remora, client(both, theirs))
            assert ask(connection)[0] == 200 and ask(connection, {"stream": True})[0] == 200
            connection.close()

        def load(call):
            while not is_over.is_set():
                call()

        jobs = [pool.submit(load, job) for job in (over_http, over_http, *(lambda: job(remora, both, theirs) for job in over_grpc))]
        try:
            for i in range(10):
                remora.config_path.write_text(two_providers(upstream, "ok", more=tls((second, first)[i % 2], theirs)))
                remora.process.send_signal(signal.SIGHUP)
                time.sleep(0.1)
        finally:
            is_over.set()
        for job in jobs:
            job.result(30)
        remora.wait_log("configuration loaded", 5)


def test_certificates_are_swapped_under_load(upstream, tmp_path, pb):  # noqa: F811
    def over_grpc(remora, ca, own):
        with secure_channel(remora, ca, own) as c:
            assert grpc_chat(pb, c).choices

    swap_under_load(upstream, tmp_path, ANYWHERE, over_grpc)


def test_a_reload_opens_nothing(upstream, ours, theirs):
    with run(upstream, ours, theirs) as remora:
        for text in (tls(ours) + "keys: {}\n", ""):
            remora.config_path.write_text(two_providers(upstream, "ok", more=text))
            before = len([1 for line in remora.log_lines() if line.get("message") == "configuration refused"])
            remora.process.send_signal(signal.SIGHUP)
            assert "restart" in remora.wait_log("configuration refused", before + 1)[-1]["error"]
            assert refuses(client(ours), remora)


def test_a_slow_reader_pauses_the_upstream_and_one_that_leaves_ends_it(upstream, ours, theirs):
    for how in ("close_notify", "reset"):
        with run(upstream, ours, theirs, "endless") as remora:
            upstream.reset()
            raw = socket.create_connection(("127.0.0.1", remora.http_port), timeout=20)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
            s = client(ours, theirs).wrap_socket(raw, server_hostname="localhost")
            body = json.dumps({"model": "t/m", "messages": USER, "stream": True}).encode()
            s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                      b"Content-Length: %d\r\n\r\n" % len(body) + body)
            assert s.recv(100).startswith(b"HTTP/1.1 200")
            before, end = -1, time.monotonic() + 60
            while (now := upstream.stats("endless")["bytes_sent"]) != before and time.monotonic() < end:
                before = now
                time.sleep(0.5)
            assert now == before, "the provider is read no further"
            began = time.monotonic()
            if how == "reset":
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                s.close()
            else:
                s.settimeout(0.2)
                with contextlib.suppress(OSError):
                    s.unwrap()  # says goodbye and goes on holding the socket
            upstream.wait_aborted("endless", 1)
            assert time.monotonic() - began < 2
            s.close()


def test_a_drain_lets_streams_end_and_says_goodbye(upstream, ours, theirs):
    remora = run(upstream, ours, theirs, "paced-20x30ms")
    upstream.reset()
    connection = https(remora, client(ours, theirs))
    connection.request("POST", "/v1/chat/completions", json.dumps({"model": "t/m", "messages": USER, "stream": True}),
                       {"Content-Type": "application/json"})
    upstream.wait_open("paced-20x30ms", 1)
    idle = https(remora, client(ours, theirs))
    idle.connect()
    remora.process.send_signal(signal.SIGTERM)
    assert connection.getresponse().read().endswith(b"data: [DONE]\n\n")
    assert idle.sock.recv(1) == b"", "closed with close_notify: an end without one is an error here"
    remora.stop()


@pytest.mark.parametrize("behind", [200_000, 3_000_000])
def test_who_leaves_behind_much_that_was_pipelined_is_noticed(upstream, ours, theirs, behind):
    """Records that nobody opens are thrown away like plain bytes, since the end stands behind them."""
    with run(upstream, ours, theirs, "hold") as remora:
        upstream.reset()
        connection = https(remora, client(ours, theirs))
        connection.request("POST", "/v1/chat/completions", json.dumps({"model": "t/m", "messages": USER}),
                           {"Content-Type": "application/json"})
        upstream.wait_open("hold", 1)
        own = OwnTime(remora.process.pid, upstream.process.pid, os.getpid())
        connection.sock.sendall(b"GET /v1/none HTTP/1.1\r\nHost: localhost\r\n\r\n" * (behind // 42))
        gone = time.monotonic_ns()
        connection.close()
        upstream.wait_aborted("hold", 1)
        delayed_ms = own.waited() * 1000
        stats = upstream.stats()
        took_ms = stats["behaviours"]["hold"]["last_aborted_ms"] - (gone - stats["start_monotonic_ns"]) / 1e6 - delayed_ms
        assert took_ms < 100


def test_an_answer_is_whole_behind_which_too_much_was_pipelined(upstream, ours, theirs):
    with run(upstream, ours, theirs, "hold") as remora:
        upstream.reset()
        connection = https(remora, client(ours, theirs))
        connection.request("POST", "/v1/chat/completions", json.dumps({"model": "t/m", "messages": USER}),
                           {"Content-Type": "application/json"})
        upstream.wait_open("hold", 1)
        connection.sock.sendall(b"GET /v1/none HTTP/1.1\r\nHost: localhost\r\n\r\n" * 400_000)
        upstream.release()
        answer = connection.getresponse()
        assert answer.status == 200 and json.loads(answer.read())["choices"] and answer.getheader("Connection") == "close"
