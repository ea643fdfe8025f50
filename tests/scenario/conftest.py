import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from upstream import FaultServer, ROOT  # noqa: E402


@pytest.fixture(scope="module")
def upstream():
    with FaultServer() as server:
        yield server


@pytest.fixture(scope="session")
def stubs(tmp_path_factory):
    """Python stubs made from the public proto files, by grpcio-tools."""
    out = tmp_path_factory.mktemp("stubs")
    proto = ROOT / "proto"
    files = sorted(str(p.relative_to(proto)) for p in (proto / "remora/v1").glob("*.proto"))
    third = sorted(str(p.relative_to(proto / "third_party")) for p in (proto / "third_party").rglob("*.proto"))
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", f"-I{proto}", f"-I{proto / 'third_party'}", f"--python_out={out}",
                    f"--grpc_python_out={out}", *files, *third], check=True)
    # grpcio itself owns the package name `grpc`: the generated grpc/... modules move out of its way.
    for name in ("health", "reflection"):
        for path in (out / "grpc" / name).rglob("*.py") if (out / "grpc" / name).exists() else []:
            target = out / f"wire_{name}" / path.relative_to(out / "grpc" / name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(path.read_text().replace(f"from grpc.{name}", f"from wire_{name}"))
    sys.path.insert(0, str(out))
    yield out
    sys.path.remove(str(out))
