"""remora.v1.ChatService from generated stubs: unary, a stream with its fallbacks, typed error details, a deadline.

    pip install grpcio grpcio-tools protobuf
    python -m grpc_tools.protoc -I proto -I proto/third_party --python_out=gen --grpc_python_out=gen \\
        proto/remora/v1/*.proto proto/third_party/google/rpc/*.proto
    PYTHONPATH=gen python grpc_chat.py 127.0.0.1:7361 demo/echo-1
"""
import sys

import grpc
from google.rpc import error_details_pb2, status_pb2
from remora.v1 import chat_pb2, chat_pb2_grpc

address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:7361"
model = sys.argv[2] if len(sys.argv) > 2 else "demo/echo-1"


def question(model):
    user = chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=[chat_pb2.ContentPart(text="Say hello.")])
    return chat_pb2.ChatRequest(model=model, messages=[user])


with grpc.insecure_channel(address) as channel:
    chat = chat_pb2_grpc.ChatServiceStub(channel)

    answer = chat.Chat(question(model), timeout=30)
    print("unary: ", answer.choices[0].message.parts[0].text)
    print("served by", answer.route.provider, "as", answer.model)

    for event in chat.StreamChat(chat_pb2.StreamChatRequest(chat=question(model)), timeout=30):
        kind = event.WhichOneof("event")
        if kind == "attempt_failed":
            print("tried", event.attempt_failed.attempt.provider, "->", event.attempt_failed.attempt.reason)
        elif kind == "started":
            print("stream:", end=" ")
        elif kind == "text":
            print(event.text.text, end="", flush=True)
        elif kind == "completed":
            print("\nusage:", event.completed.usage.input_tokens, "in,", event.completed.usage.output_tokens, "out")

    try:
        chat.Chat(question("nobody/has-this"), timeout=5)
    except grpc.RpcError as error:
        details = dict(error.trailing_metadata()).get("grpc-status-details-bin", b"")
        for detail in status_pb2.Status.FromString(details).details:
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info):
                print("refused:", error.code().name, info.reason, "-", error.details())
