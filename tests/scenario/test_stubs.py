"""The packages of `make stubs` and the example that each language has for them, built as a service builds it, against the demo and
against a gateway with keys on a unix socket and over TLS. A language whose tools are not here is skipped with a word; under CI=true
that fails."""
import contextlib
import functools
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import pytest

from clients import alone, missing
from gateway import SECRETS, Remora, two_providers
from upstream import ROOT, make_ca

sys.path.insert(0, str(ROOT / "tools"))
import stubs as generator  # noqa: E402

STUBS = ROOT / "build/stubs"
EXAMPLES = ROOT / "examples/grpc"
KEY = "rk-canary-ffffffffffffffffffffffffffffffffffffffff"
ANSWER = "Hello from the demo provider: the first one is busy, so Remora asked this one instead."


def run(*command, **options):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=900, **options)
    assert result.returncode == 0, (command, result.stdout[-4000:], result.stderr[-4000:])
    return result.stdout


def unless_done(folder, make, *sources):
    """make() where something of the sources has changed since it last succeeded."""
    stamp, now = folder / ".made", generator.digest(*sources)
    if not stamp.exists() or stamp.read_text() != now:
        make()
        stamp.write_text(now)


# ---- how a service builds it: each answers the command that runs the example ----

def go(out):
    """The package by itself, with the oldest versions that it asks for, and in the example with newer ones."""
    run("go", "build", "-C", STUBS / "go", "./...")
    run("go", "build", "-C", EXAMPLES / "go", "-o", out / "chat", ".")
    return [[out / "chat"]]


def python(out):
    """With the packages of the tests, and in the oldest versions that the package says it takes."""
    oldest = generator.python_venv() / "bin/python"

    def make():
        run(oldest, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--upgrade",
            "--target", out / "site", STUBS / "python")

    unless_done(out, make, STUBS / "python/pyproject.toml", STUBS / "python/remora")
    return [["env", f"PYTHONPATH={out / 'site'}", interpreter, EXAMPLES / "python/chat.py"] for interpreter in (sys.executable, oldest)]


def node(out):
    folder = EXAMPLES / "node"
    sources = [path for path in folder.iterdir() if path.is_file() and path.name != ".made"]

    def make():
        run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", cwd=folder)
        run("npm", "run", "build", cwd=folder)

    unless_done(out, make, *sources, STUBS / "node")
    run("node", "-e", "require('remora-grpc').ChatServiceClient.service.chat.path", cwd=folder)
    return [["node", folder / "dist/chat.js"]]


def java(out):
    """Both in one build, so that nothing is left in the local repository."""
    folder = EXAMPLES / "java"
    modules = "".join(f"<module>{os.path.relpath(path, out)}</module>" for path in (STUBS / "java", folder))
    (out / "pom.xml").write_text(
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>dev.remora</groupId>'
        f"<artifactId>all</artifactId><version>1</version><packaging>pom</packaging><modules>{modules}</modules></project>")

    def make():
        run("mvn", "-q", "-B", "-f", out / "pom.xml", "compile", "dependency:build-classpath", "-Dmdep.outputFile=target/classpath")

    unless_done(out, make, folder / "pom.xml", folder / "src", STUBS / "java/pom.xml", STUBS / "java/src")
    classes = [folder / "target/classes", *(folder / "target/classpath").read_text().strip().split(":")]
    return [["java", "-cp", ":".join(map(str, classes)), "dev.remora.example.Chat"]]


def rust(out):
    target = os.environ.get("CARGO_TARGET_DIR") or str(generator.CACHE / "cargo-target")
    run("cargo", "build", "--quiet", "--locked", "--manifest-path", EXAMPLES / "rust/Cargo.toml",
        env={**os.environ, "CARGO_TARGET_DIR": target})
    shutil.copy(pathlib.Path(target) / "debug/remora-example", out / "chat.new")
    os.replace(out / "chat.new", out / "chat")  # another run may be in it
    return [[out / "chat"]]


def c(out):
    run("cmake", "-S", EXAMPLES / "c", "-B", out, f"-DREMORA_STUBS={STUBS / 'c'}")
    run("cmake", "--build", out)
    return [[out / "examples/chat"]]


BUILDERS = {builder.__name__: builder for builder in (go, python, node, java, rust, c)}


@functools.lru_cache(maxsize=None)
def commands(language):
    with alone(STUBS / f".{language}.lock"):
        try:
            generator.generate(language, STUBS / language)
        except generator.Missing as why:
            missing(str(why))
        out = STUBS / ".examples" / language
        out.mkdir(parents=True, exist_ok=True)
        return BUILDERS[language](out)


@pytest.fixture(params=BUILDERS)
def examples(request):
    return commands(request.param)


def talk(command, address, **environment):
    return subprocess.run([*map(str, command), address], capture_output=True, text=True, timeout=60,
                          env={**os.environ, **environment})


def plain(line):
    """Status codes as one spelling: DEADLINE_EXCEEDED, DeadlineExceeded."""
    return re.sub(r"^(refused|deadline): (\w+)", lambda m: f"{m[1]}: {m[2].replace('_', '').lower()}", line)


def codes_in_the_log(command):
    """Runs the example against a demo of its own; how the gateway saw its calls end."""
    with Remora(subcommand="demo") as remora:
        result = talk(command, f"127.0.0.1:{remora.grpc_port}")
        assert result.returncode == 0, result.stdout + result.stderr
        *lines, last = [plain(line) for line in result.stdout.splitlines()]
        assert lines == ["unary: " + ANSWER, "stream: " + ANSWER, "route: flaky UPSTREAM_OVERLOADED, steady answered",
                         "refused: notfound MODEL_NOT_FOUND in model", "deadline: deadlineexceeded"]
        assert last.startswith("cancelled: after 'Hello")  # and what was merged with it
        with contextlib.suppress(AssertionError):
            remora.wait_log("request", count=5)
        return [line["code"] for line in remora.log_lines() if line.get("message") == "request"]


def test_the_example_of_each_language(examples):
    """What it prints, always. That the gateway was told of the deadline and the cancelling can be seen on a machine that is not too
    busy: a client may notice the deadline first, even before it has called, or come too late with its cancelling."""
    for command in examples:
        seen = [codes_in_the_log(command)]
        while seen[-1] != ["OK", "OK", "MODEL_NOT_FOUND", "DEADLINE", "CLIENT_GONE"]:
            assert len(seen) < 5, seen
            seen.append(codes_in_the_log(command))


def test_the_example_of_each_language_waits_for_a_gateway_on_a_unix_socket_and_sends_its_key(examples, upstream, tmp_path):
    (tmp_path / "hash").write_text(hashlib.sha256(KEY.encode()).hexdigest() + "\n")
    config = two_providers(upstream, "ok", more=f"""
aliases: {{demo/echo-1: t/m}}
keys:
  ci: {{service: build, hash: {{file: "{tmp_path}/hash"}}}}
""")
    address = f"unix:{tmp_path}/grpc.sock"
    early = subprocess.Popen([*map(str, examples[0]), address], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             env={**os.environ, "REMORA_API_KEY": KEY})
    time.sleep(1)  # enough to look for a gateway and find none
    with Remora(config, arguments=["--grpc", address], environment=SECRETS) as remora:
        refused = talk(examples[0], address, REMORA_API_KEY=KEY + "x")
        assert refused.returncode != 0 and "unary:" not in refused.stdout
        assert {line["code"] for line in remora.wait_log("grpc answer")} == {"UNAUTHENTICATED"}
        out, log = early.communicate(timeout=60)
        assert "unary: " in out and early.returncode == 0, log


def test_the_example_of_each_language_over_tls(examples, upstream, tmp_path):
    make_ca(tmp_path)
    (tmp_path / "hash").write_text(hashlib.sha256(KEY.encode()).hexdigest() + "\n")
    config = two_providers(upstream, "ok", more=f"""
aliases: {{demo/echo-1: t/m}}
keys:
  ci: {{service: build, hash: {{file: "{tmp_path}/hash"}}}}
tls: {{cert_file: {tmp_path}/cert.pem, key_file: {tmp_path}/key.pem}}
grpc: {{accept_old_core: true}}
""")
    with Remora(config, arguments=["--grpc", "0.0.0.0:0"], environment=SECRETS) as remora:
        result = talk(examples[0], f"localhost:{remora.grpc_port}", REMORA_API_KEY=KEY, REMORA_CA=str(tmp_path / "ca.pem"))
        assert result.returncode == 0 and "unary: " in result.stdout, result.stdout + result.stderr


def test_the_python_stubs_on_asyncio():
    program = """
import asyncio, sys, grpc
from grpc_status import rpc_status
from remora.v1 import chat_pb2, chat_pb2_grpc

async def main():
    async with grpc.aio.insecure_channel(sys.argv[1]) as channel:
        stub = chat_pb2_grpc.ChatServiceStub(channel)
        user = chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=[chat_pb2.ContentPart(text="Say hello.")])
        chat = chat_pb2.ChatRequest(model="demo/echo-1", messages=[user])
        print((await stub.Chat(chat, timeout=30)).route.provider)
        print([event.WhichOneof("event") async for event in stub.StreamChat(chat_pb2.StreamChatRequest(chat=chat), timeout=30)][-1])
        try:
            await stub.Chat(chat_pb2.ChatRequest(), timeout=30)
        except grpc.aio.AioRpcError as error:
            print(len(rpc_status.from_call(error).details))

asyncio.run(main())
"""
    commands("python")
    with Remora(subcommand="demo") as remora:
        site = f"PYTHONPATH={STUBS / '.examples/python/site'}"
        assert talk(["env", site, sys.executable, "-c", program], f"127.0.0.1:{remora.grpc_port}").stdout == "steady\ncompleted\n2\n"


def test_a_language_without_its_tools_is_skipped_unless_it_is_named(tmp_path):
    def make(*languages, **environment):
        return subprocess.run([sys.executable, str(ROOT / "tools/stubs.py"), "--out", str(tmp_path), *languages], capture_output=True,
                              text=True, env={"PATH": str(tmp_path), "HOME": str(tmp_path), **environment})
    assert make("go").returncode == 1 and "go is not installed" in make("go").stderr
    assert make().returncode == 0 and make().stderr.count("skipped: ") == len(BUILDERS)
    assert make(CI="true").returncode == 1
    assert "usage:" in make("cobol").stderr


def test_lock_files_name_no_other_host_than_the_registries_own():
    for path in (EXAMPLES / "node/package-lock.json", generator.RECIPES / "node/generator/package-lock.json"):
        assert not re.findall(r'"resolved": "(?!file:)', path.read_text()), path
    for path in (EXAMPLES / "rust/Cargo.lock", generator.RECIPES / "rust/generator/Cargo.lock"):
        assert set(re.findall(r'source = "(.*)"', path.read_text())) == {"registry+https://github.com/rust-lang/crates.io-index"}, path
