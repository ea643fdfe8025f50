"""HTTP/2 frames as a hostile client would write them: no state machine between the test and the socket.

    with H2(port) as c:
        stream = c.open("/remora.v1.ChatService/Chat", {"grpc-timeout": "1S"})
        c.data(stream, message(b"..."), end=True)
        c.answer(stream)            # Answer: status, headers, trailers, messages, or how the stream or connection ended

Frames are RFC 9113's; hpack and hyperframe are those of python-hyper.
"""
import select
import socket
import ssl
import struct
import time

import hpack
from hpack import NeverIndexedHeaderTuple
from hyperframe.frame import (DataFrame, Frame, GoAwayFrame, HeadersFrame, PingFrame, RstStreamFrame, SettingsFrame,
                              WindowUpdateFrame)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WINDOW = (1 << 31) - 1
TYPES = {"DATA": 0, "HEADERS": 1, "RST_STREAM": 3, "SETTINGS": 4, "PING": 6, "GOAWAY": 7, "WINDOW_UPDATE": 8, "CONTINUATION": 9}


def message(data, flag=0, length=None):
    """A gRPC length-prefixed message; `length` may lie."""
    return struct.pack(">BI", flag, len(data) if length is None else length) + data


def raw_frame(kind, stream, payload=b"", flags=0):
    """A frame of any type, made by hand: what the library would refuse to write."""
    return struct.pack(">I", len(payload))[1:] + bytes([TYPES[kind], flags]) + struct.pack(">I", stream) + payload


class Answer:
    def __init__(self):
        self.headers, self.body, self.reset, self.is_ended = {}, b"", None, False

    @property
    def status(self):
        """grpc-status as a number; None when none came."""
        value = self.headers.get("grpc-status")
        return None if value is None else int(value)

    @property
    def messages(self):
        found, at = [], 0
        while at + 5 <= len(self.body):
            length = struct.unpack(">I", self.body[at + 1:at + 5])[0]
            found.append(self.body[at + 5:at + 5 + length])
            at += 5 + length
        return found


class H2:
    def __init__(self, port, settings=None, window=WINDOW, path=None, kernel_bytes=None, tls=None):
        """`kernel_bytes`: what the kernel may hold for us before the peer has to wait; `tls`: an SSLContext that offers h2."""
        self.socket = socket.socket(socket.AF_UNIX if path else socket.AF_INET, socket.SOCK_STREAM)
        self.socket.settimeout(20)
        if kernel_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, kernel_bytes)
        self.socket.connect(path or ("127.0.0.1", port))
        if not path:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder(max_header_list_size=1 << 26)
        self.buffer, self.next_stream = b"", 1
        self.answers, self.goaway, self.last_stream, self.is_closed, self.pongs = {}, None, None, False, 0
        self.credit, self.stream_window = {0: 65535}, 65535  # what the peer lets us send: per stream, 0 is the connection
        self.send(PREFACE + SettingsFrame(settings=settings or {SettingsFrame.INITIAL_WINDOW_SIZE: window}).serialize())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """False when the peer has closed; what it had said before may still be read."""
        self.socket.settimeout(20)  # not what was left of the last wait
        try:
            self.socket.sendall(data.serialize() if isinstance(data, Frame) else data)
            return True
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            return False

    def head(self, path, extra=(), authority="localhost", drop=(), te="trailers", content_type="application/grpc"):
        """What may be refused is kept out of the compression's table: cores remember there that it was wrong."""
        fields = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", authority), NeverIndexedHeaderTuple("te", te),
                  ("content-type", content_type),
                  *(NeverIndexedHeaderTuple(*f) for f in (extra.items() if isinstance(extra, dict) else extra))]
        return [f for f in fields if f[0] not in drop]

    def open(self, path, extra=(), end=False, **kwargs):
        """HEADERS of a new stream, with CONTINUATION where they are long; returns its id."""
        stream, self.next_stream = self.next_stream, self.next_stream + 2
        block = self.encoder.encode(self.head(path, extra, **kwargs))
        pieces = [block[at:at + 16384] for at in range(0, len(block), 16384)]
        self.answers[stream] = Answer()
        for i, piece in enumerate(pieces):
            flags = (4 if i == len(pieces) - 1 else 0) | (1 if end and i == 0 else 0)  # END_HEADERS, END_STREAM
            self.send(raw_frame("CONTINUATION" if i else "HEADERS", stream, piece, flags))
        return stream

    def data(self, stream, payload, end=False, is_over=lambda: False, seconds=60):
        """DATA within the windows that the peer grants, reading as it goes; how much was sent before it was over."""
        sent, limit = 0, time.monotonic() + seconds
        while not self.is_closed and not is_over() and time.monotonic() < limit:
            left = min(16384, len(payload) - sent, self.credit[0], self.credit.setdefault(stream, self.stream_window))
            if left == 0 and sent < len(payload):
                self.until(lambda: min(self.credit[0], self.credit[stream]) > 0 or is_over(), 1)
                continue
            frame = DataFrame(stream, payload[sent:sent + left])
            sent += left
            self.credit[0] -= left
            self.credit[stream] -= left
            if end and sent == len(payload):
                frame.flags.add("END_STREAM")
            if not self.send(frame) or sent == len(payload):
                break
        return sent

    def reset(self, stream, code=8):
        return self.send(RstStreamFrame(stream, error_code=code))

    def grant(self, stream, size):
        return self.send(WindowUpdateFrame(stream, window_increment=size))

    def call(self, path, payload=b"", extra=(), seconds=20, **kwargs):
        """A whole unary call."""
        stream = self.open(path, extra, **kwargs)
        self.data(stream, message(payload), end=True)
        return self.answer(stream, seconds)

    # ---- reading ----

    def answer(self, stream, seconds=20):
        self.until(lambda: self.answers[stream].is_ended, seconds)
        return self.answers[stream]

    def until(self, is_so, seconds=20):
        """Reads until it is so, or the connection has ended; False when time ran out first."""
        end = time.monotonic() + seconds
        while not is_so() and not self.is_closed:
            left = end - time.monotonic()
            if left <= 0:
                return False
            self.socket.settimeout(left)
            self._read()
        return True

    def drain(self):
        """Reads what is there by now: who only writes fills the kernel's buffers, and then the peer's last words find no room."""
        while not self.is_closed and select.select([self.socket], [], [], 0)[0]:
            self._read()

    def ends(self, seconds=20):
        """True when the peer closes within the time."""
        return self.until(lambda: False, seconds)

    def _read(self):
        try:
            got = self.socket.recv(1 << 18)
        except TimeoutError:
            return
        except (ConnectionResetError, ssl.SSLEOFError):
            got = b""
        self.is_closed = got == b""
        self.buffer += got
        while len(self.buffer) >= 9:
            frame, length = Frame.parse_frame_header(memoryview(self.buffer[:9]))
            if len(self.buffer) < 9 + length:
                return
            frame.parse_body(memoryview(self.buffer[9:9 + length]))
            self.buffer = self.buffer[9 + length:]
            self._take(frame)

    def _take(self, frame):
        answer = self.answers.get(frame.stream_id, Answer())
        if isinstance(frame, HeadersFrame):
            answer.headers.update(self.decoder.decode(frame.data))
        elif isinstance(frame, DataFrame):
            answer.body += frame.data
        elif isinstance(frame, RstStreamFrame):
            answer.reset, answer.is_ended = frame.error_code, True
        elif isinstance(frame, GoAwayFrame):
            self.goaway, self.last_stream = (frame.error_code, bytes(frame.additional_data)), frame.last_stream_id
        elif isinstance(frame, WindowUpdateFrame):
            self.credit[frame.stream_id] = self.credit.get(frame.stream_id, self.stream_window) + frame.window_increment
        elif isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
            last, self.stream_window = self.stream_window, frame.settings.get(SettingsFrame.INITIAL_WINDOW_SIZE, self.stream_window)
            for stream in self.credit:  # RFC 9113 section 6.9.2: open streams change, too
                self.credit[stream] += self.stream_window - last if stream else 0
            self.send(SettingsFrame(flags=["ACK"]))
        elif isinstance(frame, PingFrame):
            if "ACK" in frame.flags:
                self.pongs += 1
            else:
                self.send(PingFrame(opaque_data=frame.opaque_data, flags=["ACK"]))
        if "END_STREAM" in frame.flags:
            answer.is_ended = True
