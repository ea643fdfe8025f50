"""Peers that the fault server is not: an upstream that looks at keys and certificates, and a proxy.

    with ChatUpstream() as server:                      # plain; .base_url, .requests (what came, headers in lower case)
    with ChatUpstream(tls=folder, client_ca=path) as s:  # Python's ssl; folder made by authority()
    with Http2Upstream(folder) as server:               # HTTP/2; refuses the second request of each connection
    with ConnectProxy({"llm.test:443": port}) as proxy: # HTTP CONNECT; .url, .connects (targets), .bytes (seen in tunnels)

Each is a thread of the test with a port of its own.
"""
import contextlib
import http.server
import json
import pathlib
import select
import socket
import ssl
import threading

import hyperframe.frame

from upstream import make_ca


def authority(folder, name):
    """A folder with an authority of its own (upstream.make_ca): its certificate is for localhost, 127.0.0.1 and llm.test."""
    folder = pathlib.Path(folder) / name
    folder.mkdir()
    return make_ca(folder, f"CA {name}", name, "DNS:localhost,DNS:llm.test,IP:127.0.0.1")


class _Chat(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        peer = self.connection.getpeercert() if isinstance(self.connection, ssl.SSLSocket) else None
        subject = dict(pair for name in (peer or {}).get("subject", ()) for pair in name).get("commonName")
        server = self.server.owner
        server.requests.append({"path": self.path, "headers": headers, "body": body, "client": subject})
        status = server.statuses.get(headers.get("authorization", ""), 200)
        answer = {"error": {"message": f"refused {headers.get('authorization')}", "code": "invalid_api_key"}}
        if status == 200:
            answer = {"id": "c1", "object": "chat.completion", "created": 1750000000, "model": body["model"], "choices": [
                {"index": 0, "message": {"role": "assistant", "content": f"I am {server.name}"}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):  # handshakes that fail are what some cases are about
        self.owner.failed += 1


class ChatUpstream:
    """statuses: what an Authorization header is answered with, where that is not 200."""

    def __init__(self, name="upstream", tls=None, client_ca=None, statuses=None):
        self.name, self.statuses, self.requests, self.failed = name, statuses or {}, [], 0
        self.server = _Server(("127.0.0.1", 0), _Chat)
        self.server.owner = self
        self.port = self.server.server_port
        self.scheme = "https" if tls else "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls / "cert.pem", tls / "key.pem")
            if client_ca:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(client_ca)
            # The handshake belongs to the connection's thread, not to the one that accepts.
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    @property
    def base_url(self):
        return f"{self.scheme}://localhost:{self.port}/v1"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)


class ConnectProxy:
    """targets: HOST:PORT as the client says it -> port on loopback. Others are answered with 502, all of them with `status`."""

    def __init__(self, targets, status=200):
        self.targets, self.status, self.connects, self.heads, self.bytes = targets, status, [], [], b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client:
            head = b""
            while b"\r\n\r\n" not in head:
                piece = client.recv(4096)
                if not piece:
                    return
                head += piece
            method, target = head.split(b" ")[:2]
            self.connects.append(target.decode())
            self.heads.append(head.decode())
            port = self.targets.get(target.decode())
            if method != b"CONNECT" or port is None or self.status != 200:
                client.sendall(f"HTTP/1.1 {self.status if self.status != 200 else 502} No\r\nContent-Length: 0\r\n\r\n".encode())
                return
            with socket.create_connection(("127.0.0.1", port)) as upstream:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                self._splice(client, upstream)

    def _splice(self, client, upstream):
        other = {client: upstream, upstream: client}
        while True:
            for ready in select.select(list(other), [], [], 30)[0]:
                try:
                    piece = ready.recv(65536)
                except OSError:
                    return
                if not piece:
                    return
                self.bytes += piece
                other[ready].sendall(piece)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


class Http2Upstream:
    """An HTTP/2 upstream over TLS that refuses the second request of each connection (RST_STREAM, REFUSED_STREAM).

    .streams: how many requests each connection has brought. RFC 9113; frames by hyperframe.
    """

    def __init__(self, tls):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls / "cert.pem", tls / "key.pem")
        context.set_alpn_protocols(["h2", "http/1.1"])
        self.context = context
        self.streams = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.base_url = f"https://localhost:{self.listener.getsockname()[1]}/v1"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                raw, _ = self.listener.accept()
            except OSError:
                return
            self.streams.append(0)
            threading.Thread(target=self._guarded, args=(raw, len(self.streams) - 1), daemon=True).start()

    def _guarded(self, raw, place):
        with contextlib.suppress(OSError):  # the peer may leave at any time
            self._serve(raw, place)

    def _serve(self, raw, place):
        with self.context.wrap_socket(raw, server_side=True) as tls, tls.makefile("rb") as incoming:
            assert tls.selected_alpn_protocol() == "h2"
            incoming.read(24)  # the preface
            tls.sendall(hyperframe.frame.SettingsFrame(0).serialize())
            while head := incoming.read(9):
                frame, length = hyperframe.frame.Frame.parse_frame_header(memoryview(head))
                frame.parse_body(memoryview(incoming.read(length)))
                if isinstance(frame, hyperframe.frame.SettingsFrame) and "ACK" not in frame.flags:
                    tls.sendall(hyperframe.frame.SettingsFrame(0, flags=["ACK"]).serialize())
                elif "END_STREAM" in frame.flags:
                    self.streams[place] += 1
                    tls.sendall(self._answer(frame.stream_id, self.streams[place]))

    @staticmethod
    def _answer(stream, nth):
        if nth == 2:
            return hyperframe.frame.RstStreamFrame(stream, error_code=7).serialize()
        answer = {"id": "c1", "object": "chat.completion", "created": 1750000000, "model": "m", "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "over two"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}
        # RFC 7541 appendix A: 8 is ":status: 200", 31 is "content-type", here as a literal that is not indexed
        head = b"\x88\x0f\x10\x10application/json"
        return (hyperframe.frame.HeadersFrame(stream, data=head, flags=["END_HEADERS"]).serialize()
                + hyperframe.frame.DataFrame(stream, data=json.dumps(answer).encode(), flags=["END_STREAM"]).serialize())
