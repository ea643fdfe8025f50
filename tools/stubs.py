#!/usr/bin/env python3
"""Packages of generated stubs for gRPC clients, one for each language, from proto/remora/v1 into build/stubs/LANGUAGE.

usage: stubs.py [--out DIR] [LANGUAGE...]     go python node java rust c; none named: all whose tools are here

Each package is what tools/stubs/LANGUAGE/package holds (@VERSION@ is the project's version) and the code that the language's own
generator makes, in exact versions from its registry; docs/grpc.md says how a service takes it. Generators are kept in
$XDG_CACHE_HOME/remora/stubs. A package is made anew only when something that it is made from has changed, and then only the
files that differ are written, so that a build that uses it stays warm. A language without its tools is skipped with a word; one
that was named, or any under CI=true, is an error.
"""
import hashlib
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

from alone import alone

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
RECIPES = ROOT / "tools/stubs"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "remora/stubs"
FILES = sorted(str(path.relative_to(PROTO)) for path in (PROTO / "remora/v1").glob("*.proto"))
# For languages whose users have them from no package that everybody has.
ERROR_DETAILS = ["google/rpc/error_details.proto", "google/rpc/status.proto"]

# Generators. Go, Java: also the oldest runtime that the packages ask for, see tools/stubs/*/package.
PROTOC_GEN_GO = "1.36.11"
PROTOC_GEN_GO_GRPC = "1.6.2"
JAVA_PROTOC = "3.25.8"
PROTOC_GEN_GRPC_JAVA = "1.76.0"


class Missing(Exception):
    """A tool that is not on this machine."""


def run(*command, **options):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if result.returncode != 0:
        sys.exit(f"stubs: {' '.join(str(word) for word in command)}\n{result.stdout}{result.stderr}")
    return result.stdout


def need(*programs):
    for program in programs:
        if shutil.which(program) is None:
            raise Missing(f"{program} is not installed")


def once(name, make):
    """CACHE/name, made by make(folder) the first time; what was left half done is not taken for whole."""
    folder, done = CACHE / name, CACHE / (name + ".done")
    with alone(CACHE / (name + ".lock")):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            make(folder)
            done.touch()
    return folder


def digest(*paths):
    """Of the contents of files and folders, by name."""
    found = hashlib.sha256()
    for path in paths:
        for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
            found.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    return found.hexdigest()[:16]


def own_protos():
    """Where google/protobuf/*.proto are."""
    for folder in ("/usr/include", "/usr/local/include"):
        if pathlib.Path(folder, "google/protobuf/struct.proto").exists():
            return pathlib.Path(folder)
    raise Missing("protobuf's own proto files are not installed (libprotobuf-dev)")


def protoc(out, *arguments, compiler="protoc", proto=PROTO):
    out.mkdir(parents=True, exist_ok=True)
    run(compiler, "-I", proto, *arguments, *FILES)


# ---- one function for each language: what must be there, then the code into `out` ----

def go(out):
    need("go", "protoc")

    def install(folder):
        for package in (f"google.golang.org/protobuf/cmd/protoc-gen-go@v{PROTOC_GEN_GO}",
                        f"google.golang.org/grpc/cmd/protoc-gen-go-grpc@v{PROTOC_GEN_GO_GRPC}"):
            run("go", "install", package, env={**os.environ, "GOBIN": str(folder)})

    programs = once(f"go-{PROTOC_GEN_GO}-{PROTOC_GEN_GO_GRPC}", install)
    module = "module=remora.dev/gen/go"
    protoc(out, f"--plugin={programs / 'protoc-gen-go'}", f"--plugin={programs / 'protoc-gen-go-grpc'}",
           f"--go_out={out}", f"--go_opt={module}", f"--go-grpc_out={out}", f"--go-grpc_opt={module}")


def python_venv():
    """With the generator and what the package asks for in its oldest version: tests run the example with that, too."""
    wanted = RECIPES / "python/requirements.txt"

    def install(folder):
        run(sys.executable, "-m", "venv", folder)
        run(folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", wanted)

    return once(f"python-{platform.python_version()}-{digest(wanted)}", install)


def python(out):
    need("python3")
    out.mkdir(parents=True, exist_ok=True)
    run(python_venv() / "bin/python", "-m", "grpc_tools.protoc", f"-I{PROTO}", f"--python_out={out}", f"--pyi_out={out}",
        f"--grpc_python_out={out}", *FILES)


def node(out):
    need("node", "npm", "protoc")
    wanted = RECIPES / "node/generator"

    def install(folder):
        shutil.copytree(wanted, folder, dirs_exist_ok=True)
        run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", cwd=folder)

    tools = once(f"node-{digest(wanted)}", install)
    source = pathlib.Path(tempfile.mkdtemp(prefix="source-", dir=tools))  # below node_modules, where the compiler looks
    try:
        protoc(source, f"--plugin={tools / 'node_modules/.bin/protoc-gen-ts_proto'}", f"--ts_proto_out={source}",
               "--ts_proto_opt=env=node,outputServices=grpc-js,esModuleInterop=true,oneof=unions-value,forceLong=bigint,"
               "outputIndex=true", f"-I{PROTO / 'third_party'}", *ERROR_DETAILS)
        shutil.copy(tools / "tsconfig.json", source)
        run(tools / "node_modules/.bin/tsc", "-p", source, "--outDir", out / "dist")
    finally:
        shutil.rmtree(source)


def java_proto(folder):
    """The contract as Java can compile it. For a string `token` Java writes getTokenBytes, which is what it writes for `token_bytes`
    as well, and nothing but another name helps. On the wire and in JSON it stays what it is."""
    shutil.copytree(PROTO / "remora", folder / "remora")
    chat = folder / "remora/v1/chat.proto"
    text, count = re.subn(r"bytes token_bytes = (\d+);", r'bytes raw_token = \1 [json_name = "tokenBytes"];', chat.read_text())
    if count != 2:
        sys.exit("stubs: chat.proto no longer has the two fields token_bytes that Java cannot compile")
    chat.write_text(text)
    return folder


def java(out):
    need("java", "mvn")
    machine = {"x86_64": "x86_64", "aarch64": "aarch_64"}.get(platform.machine())
    if platform.system() != "Linux" or machine is None:
        raise Missing(f"no generators are known for {platform.system()} on {platform.machine()}")

    def install(folder):
        for artifact in (f"com.google.protobuf:protoc:{JAVA_PROTOC}", f"io.grpc:protoc-gen-grpc-java:{PROTOC_GEN_GRPC_JAVA}"):
            run("mvn", "-q", "-B", "dependency:copy", f"-Dartifact={artifact}:exe:linux-{machine}", f"-DoutputDirectory={folder}",
                "-Dmdep.stripVersion=true", cwd=folder)
        for program in folder.glob("*.exe"):
            program.chmod(0o755)

    tools = once(f"java-{JAVA_PROTOC}-{PROTOC_GEN_GRPC_JAVA}", install)
    sources = out / "src/main/java"
    with tempfile.TemporaryDirectory() as folder:
        protoc(sources, f"--plugin=protoc-gen-grpc-java={tools}/protoc-gen-grpc-java-linux-{machine}.exe", f"--java_out={sources}",
               "--grpc-java_opt=@generated=omit", f"--grpc-java_out={sources}", f"-I{own_protos()}",
               compiler=tools / f"protoc-linux-{machine}.exe", proto=java_proto(pathlib.Path(folder)))


def rust(out):
    need("cargo", "protoc")
    (out / "src").mkdir(parents=True)
    run("cargo", "run", "--quiet", "--locked", "--manifest-path", RECIPES / "rust/generator/Cargo.toml", "--", PROTO, out / "src",
        *FILES, env={"CARGO_TARGET_DIR": str(CACHE / "cargo-target"), **os.environ})


def c(out):
    need("protoc", "protoc-gen-c")
    system = [f"google/protobuf/{name}.proto" for name in ("any", "duration", "struct", "timestamp")]
    pairs = [f"{file}={folder / file}" for folder, files in ((PROTO, FILES), (PROTO / "third_party", ERROR_DETAILS), (own_protos(), system))
             for file in files]
    with tempfile.TemporaryDirectory() as twin:
        run(sys.executable, ROOT / "tools/proto_twin.py", "twin", twin, *pairs)
        out.mkdir(parents=True)
        run("protoc", "-I", twin, f"--c_out={out}", *FILES, *ERROR_DETAILS, *system)


LANGUAGES = {"go": go, "python": python, "node": node, "java": java, "rust": rust, "c": c}


# ---- what every package has besides ----

def version():
    return re.search(r"project\(remora VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text()).group(1)


def copy_package(language, out):
    folder = RECIPES / language / "package"
    for path in (p for p in folder.rglob("*") if p.is_file()):
        target = out / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(path.read_text().replace("@VERSION@", version()))
    shutil.copy(ROOT / "LICENSE", out / "LICENSE")


def write_differing(made, out):
    """Makes `out` what `made` is, and touches nothing that is so already."""
    wanted = {path.relative_to(made) for path in made.rglob("*") if path.is_file()}
    for path in [p for p in out.rglob("*") if p.is_file() and is_ours(p.relative_to(out))]:
        if path.relative_to(out) not in wanted:
            path.unlink()
    for name in sorted(wanted):
        source, target = made / name, out / name
        if not target.exists() or target.read_bytes() != source.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def is_ours(name):
    """Not what a build has left in the package's folder (Maven's target, Python's caches and metadata)."""
    return name.parts[0] not in ("target", "build", "node_modules") and "__pycache__" not in name.parts \
        and not name.parts[0].endswith(".egg-info")


def generate(language, out):
    """True: made anew."""
    stamp = out.parent / f".{language}.stamp"
    recipe = digest(PROTO, RECIPES / language, pathlib.Path(__file__).resolve(), ROOT / "tools/proto_twin.py", ROOT / "LICENSE") + version()
    if stamp.exists() and stamp.read_text() == recipe and out.exists():
        return False
    with tempfile.TemporaryDirectory() as folder:
        made = pathlib.Path(folder) / language
        LANGUAGES[language](made)
        copy_package(language, made)
        write_differing(made, out)
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(recipe)
    return True


def main(arguments):
    out = ROOT / "build/stubs"
    if arguments[:1] == ["--out"]:
        out, arguments = pathlib.Path(arguments[1]).resolve(), arguments[2:]
    unknown = [name for name in arguments if name not in LANGUAGES]
    if unknown or "--out" in arguments:
        sys.exit(__doc__)
    failed = False
    for language in arguments or LANGUAGES:
        try:
            made = generate(language, out / language)
            print(f"{language:7} {os.path.relpath(out / language)}{'' if made else ' (unchanged)'}", flush=True)
        except Missing as why:
            failed = failed or bool(arguments) or os.environ.get("CI") == "true"
            print(f"{language:7} {'FAILED' if failed else 'skipped'}: {why}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
