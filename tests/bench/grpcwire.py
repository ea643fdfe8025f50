"""Just enough of protobuf and gRPC framing to write one chat request and to count messages.

Field numbers: proto/remora/v1/chat.proto. Wire: protobuf "Encoding"; gRPC over HTTP/2, "Length-Prefixed-Message".
"""
import struct

ROLE_USER = 3


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, payload):
    """A length-delimited field."""
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def chat_request(model, text):
    part = field(1, text.encode())
    message = varint(1 << 3) + varint(ROLE_USER) + field(2, part)
    return field(1, model.encode()) + field(3, message)


def stream_request(chat):
    return field(1, chat)


def frame(message):
    return struct.pack(">BI", 0, len(message)) + message


def unframe(data):
    messages = []
    while len(data) >= 5:
        _, length = struct.unpack(">BI", data[:5])
        messages.append(data[5:5 + length])
        data = data[5 + length:]
    return messages
