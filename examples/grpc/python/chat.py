"""remora.v1.ChatService from Python: unary, a stream with its fallback, typed error details, a deadline, cancelling.

    make stubs LANGUAGES=python
    pip install build/stubs/python grpcio-status
    python examples/grpc/python/chat.py 127.0.0.1:7361
"""
import os
import sys

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from remora.v1 import chat_pb2, chat_pb2_grpc

OPTIONS = [
    ("grpc.enable_retries", 0),  # the gateway asks other providers; a second call would be a second answer to pay for
    ("grpc.max_receive_message_length", 32 << 20),  # answers may hold pictures; the default is 4 MiB
    ("grpc.keepalive_time_ms", 30_000),
]
KEY = os.environ.get("REMORA_API_KEY")  # only where the gateway has keys
METADATA = [("authorization", f"Bearer {KEY}")] if KEY else []


def question(model="demo/echo-1"):
    user = chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=[chat_pb2.ContentPart(text="Say hello.")])
    return chat_pb2.ChatRequest(model=model, messages=[user])


def unary(chat):
    # A sidecar may start after the service: the first call waits for it.
    answer = chat.Chat(question(), timeout=30, metadata=METADATA, wait_for_ready=True)
    print("unary:", answer.choices[0].message.parts[0].text)


def stream(chat):
    print("stream: ", end="")
    for event in chat.StreamChat(chat_pb2.StreamChatRequest(chat=question()), timeout=30, metadata=METADATA):
        kind = event.WhichOneof("event")
        if kind == "text":
            print(event.text.text, end="", flush=True)
        elif kind == "completed":  # without it the text is not whole
            route = [f"{attempt.provider} {attempt.reason or 'answered'}" for attempt in event.completed.route.attempts]
            print("\nroute:", ", ".join(route))


def refused(chat):
    try:
        chat.Chat(question("nobody/has-this"), timeout=30, metadata=METADATA)
    except grpc.RpcError as error:
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        for detail in rpc_status.from_call(error).details:
            detail.Unpack(info) or detail.Unpack(bad)
        print("refused:", error.code().name, info.reason, "in", bad.field_violations[0].field)


def deadline(chat):
    try:
        for _ in chat.StreamChat(chat_pb2.StreamChatRequest(chat=question()), timeout=0.2, metadata=METADATA):
            pass
    except grpc.RpcError as error:
        print("deadline:", error.code().name)


def cancelled(chat):
    call = chat.StreamChat(chat_pb2.StreamChatRequest(chat=question()), timeout=30, metadata=METADATA)
    for event in call:
        if event.WhichOneof("event") == "text":
            call.cancel()  # the gateway gives up its request to the provider
            print("cancelled: after", repr(event.text.text))
            break


def connect(address):
    if "REMORA_CA" not in os.environ:
        return grpc.insecure_channel(address, OPTIONS)
    with open(os.environ["REMORA_CA"], "rb") as ca:  # where the gateway is not a sidecar
        return grpc.secure_channel(address, grpc.ssl_channel_credentials(ca.read()), OPTIONS)


with connect(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:7361") as channel:
    service = chat_pb2_grpc.ChatServiceStub(channel)
    for show in (unary, stream, refused, deadline, cancelled):
        show(service)
