"""Messages that are on their way, in a process with as little memory as a small pod has: what finds no room is shed with a word, and
nobody else's call ends for it (src/front/grpc/arriving.c)."""
import collections
import hashlib
import os
import subprocess
import threading

import grpc
import pytest

from clients import missing
from gateway import SECRETS, Remora, two_providers
from h2wire import H2, message
from test_grpc import pb, request  # noqa: F401  (pb is a fixture)
from test_grpc_hostile import MIB, is_sanitized

POD = 128 << 20
STREAMS = 10
KEY = "rk-canary-" + "a" * 48


@pytest.fixture(autouse=True)
def root():
    if os.geteuid() != 0:
        missing("a memory limit of a process's own needs root")


def channel(remora):
    return grpc.insecure_channel(f"127.0.0.1:{remora.grpc_port}", (("grpc.use_local_subchannel_pool", 1),))


class Followed:
    """A stream without an end, read by a thread."""

    def __init__(self, remora, pb, metadata=()):  # noqa: F811
        self.channel, self.error, self.count = channel(remora), None, 0
        stream = pb.chat.StreamChatRequest(chat=request(pb))
        self.call = pb.chat_grpc.ChatServiceStub(self.channel).StreamChat(stream, timeout=300, metadata=metadata)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.has_begun = threading.Event()
        self.thread.start()

    def _read(self):
        try:
            for _ in self.call:
                self.count += 1
                self.has_begun.set()
        except grpc.RpcError as e:
            self.error = e

    def still_runs(self):
        return self.error is None and self.thread.is_alive()

    def end(self):
        self.call.cancel()
        self.thread.join(10)
        self.channel.close()


class Asked:
    """Small calls, one after another and each on a connection of its own, until it is told to stop."""

    def __init__(self, remora, pb, metadata=()):  # noqa: F811
        self.remora, self.pb, self.metadata = remora, pb, metadata
        self.failed, self.count, self.is_done = [], 0, threading.Event()
        self.thread = threading.Thread(target=self._ask, daemon=True)

    def once(self):
        with channel(self.remora) as c:
            ask = self.pb.chat.CountTokensRequest(chat=request(self.pb))
            self.pb.chat_grpc.ChatServiceStub(c).CountTokens(ask, timeout=30, metadata=self.metadata)
            self.count += 1

    def _ask(self):
        while not self.is_done.wait(0.02):
            try:
                self.once()
            except grpc.RpcError as e:
                self.failed.append((e.code(), e.details()))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_done.set()
        self.thread.join(60)
        self.once()  # and right after
        assert self.count > 1 and self.failed == []


def test_pictures_end_nobodys_stream(upstream, pb):  # noqa: F811
    """Eight callers with pictures of 8 MiB, twice what is let come at once; some find no room, as over HTTP."""
    picture = request(pb)
    picture.messages[0].parts.append(pb.chat.ContentPart(image=pb.chat.Media(data=bytes(8 << 20), mime_type="image/png")))
    ends = collections.Counter()

    def send(remora):
        with channel(remora) as c:
            for _ in range(4):
                try:
                    pb.chat_grpc.ChatServiceStub(c).CountTokens(pb.chat.CountTokensRequest(chat=picture), timeout=120)
                    ends["OK"] += 1
                except grpc.RpcError as e:
                    trailers = dict(e.trailing_metadata())
                    assert b"google.rpc.RetryInfo" in trailers.get("grpc-status-details-bin", b""), (e.code(), e.details())
                    assert b"SHEDDING" in trailers["grpc-status-details-bin"]
                    ends[e.code()] += 1

    with Remora(two_providers(upstream, "paced-100000x100ms"), environment=SECRETS, workers=1, memory_bytes=POD) as r:
        followed = [Followed(r, pb) for _ in range(STREAMS)]
        assert all(f.has_begun.wait(30) for f in followed)
        senders = [threading.Thread(target=send, args=(r,)) for _ in range(8)]
        with Asked(r, pb):
            for sender in senders:
                sender.start()
            for sender in senders:
                sender.join()
        assert sum(ends.values()) == 32 and set(ends) <= {"OK", grpc.StatusCode.UNAVAILABLE}, ends
        assert is_sanitized() or (ends["OK"] > 8 and r.rss_kib() * 1024 < POD), ends
        assert all(f.still_runs() for f in followed), [f.error for f in followed]
        for f in followed:
            f.end()


def test_messages_that_stop_before_their_end_are_let_go(upstream, pb, tmp_path):  # noqa: F811
    """On a method that anybody may call, without a key, 30 of 31 MiB each: they take the room of nobody who has one."""
    hashed = tmp_path / "hash"
    hashed.write_text(hashlib.sha256(KEY.encode()).hexdigest() + "\n")
    config = "mode: gateway\n" + two_providers(upstream, "paced-100000x100ms",
                                               more=f'keys:\n  ci: {{service: build, hash: {{file: "{hashed}"}}}}\n').lstrip()
    metadata = (("authorization", f"Bearer {KEY}"),)
    with Remora(config, environment=SECRETS, workers=1, memory_bytes=POD) as r, H2(r.grpc_port) as c:
        followed = Followed(r, pb, metadata)
        assert followed.has_begun.wait(30)
        before, peak = r.rss_kib(), 0
        little = c.open("/grpc.health.v1.Health/Check")  # its message has come, and there is nothing to get back by its end
        c.data(little, message(b""))
        with Asked(r, pb, metadata):
            streams = [c.open("/grpc.health.v1.Health/Check") for _ in range(6)]
            for stream in streams:
                piece = message(bytes(1 << 20), length=31 << 20)
                for _ in range(30):
                    c.data(stream, piece, is_over=lambda stream=stream: c.answers[stream].is_ended, seconds=5)
                    peak, piece = max(peak, r.rss_kib() - before), bytes(1 << 20)
        ended = [c.answers[s].status for s in streams if c.answers[s].is_ended]
        assert ended and set(ended) == {14}, ended
        assert is_sanitized() or peak < 64 * MIB, peak
        assert followed.still_runs(), followed.error
        c.data(little, b"", end=True)
        assert c.answer(little).status == 0
        followed.end()


COUNTED = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <unistd.h>

int malloc_trim(size_t pad)
{
    write(2, "{\\"message\\":\\"trimmed\\"}\\n", 22);
    return ((int (*)(size_t))dlsym(RTLD_NEXT, "malloc_trim"))(pad);
}
"""


@pytest.mark.skipif("is_sanitized()", reason="its own allocator keeps what is free")
def test_what_messages_took_is_asked_back(upstream, pb, tmp_path):  # noqa: F811
    """On a connection that stays and with nobody slow any more. How much there is to get back is the core's affair: up to 80 MiB of
    what it reads two such connections into stay in use."""
    (tmp_path / "trim.c").write_text(COUNTED)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "trim.so", tmp_path / "trim.c", "-ldl"], check=True)
    picture = request(pb)
    picture.messages[0].parts.append(pb.chat.ContentPart(image=pb.chat.Media(data=bytes(12 << 20), mime_type="image/png")))
    environment = {**SECRETS, "LD_PRELOAD": str(tmp_path / "trim.so")}
    with Remora(two_providers(upstream, "ok"), environment=environment, workers=1, memory_bytes=POD) as r, channel(r) as c:
        count = pb.chat_grpc.ChatServiceStub(c).CountTokens
        count(pb.chat.CountTokensRequest(chat=request(pb)), timeout=30)
        assert "trimmed" not in r.log()
        for _ in range(3):
            count(pb.chat.CountTokensRequest(chat=picture), timeout=30)
        r.wait_log("trimmed")
