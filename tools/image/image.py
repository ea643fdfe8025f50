#!/usr/bin/env python3
"""Assembles the image of a remora program from the Debian packages of the system it runs on (tools/image/build.sh runs it in
the new root). Two layers: the system's files and the program, so that an upgrade of Remora alone moves only the small one.

usage: image.py --program FILE --source DIR --version V --revision R --epoch SECONDS --name NAME --out DIR

Writes DIR/remora-V-ARCH.oci.tar, .spdx.json, .packages.txt and the layers as DIR/layer-system.tar and DIR/layer-program.tar
(for the Dockerfile), and prints what is in them. The same packages, program and
arguments give the same bytes.
"""
import argparse
import pathlib
import platform
import re
import subprocess
import sys

import oci
import packages
import spdx
from tree import Tree

LIMIT_BYTES = 60 * 10**6
UID = 65532
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # the kernel's name -> OCI's (GOARCH)
PORTS = (7360, 7361, 7362, 7363)  # http, grpc, probe, admin
PASSWD = ("root:x:0:0:root:/:/sbin/nologin\n"
          f"nonroot:x:{UID}:{UID}:nonroot:/nonexistent:/sbin/nologin\n")
GROUP = f"root:x:0:\nnonroot:x:{UID}:\n"
# glibc has both services built in since 2.34.
NSSWITCH = "passwd: files\ngroup: files\nhosts: files dns\n"
# Where runtimes and pods mount: a read-only root cannot get them later.
MOUNT_POINTS = ("dev", "proc", "sys", "run", "etc/remora")
# The time of the system's files: not that of a release, or every release would move their layer again.
SYSTEM_EPOCH = 0
# Packages whose files are taken by hand below: no library leads to them.
DATA_PACKAGES = ("base-files", "ca-certificates", "tzdata")


def libraries(program):
    """Paths of what the loader would load, the loader too. Nothing more is dlopened: name services are built into glibc,
    no OpenSSL provider beyond the default one and no SASL or Kerberos plug-in is asked for."""
    listed = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    if "not found" in listed:
        raise SystemExit("image: a library is missing:\n" + listed)
    return sorted(set(re.findall(r"(?:=> |^\s*)(/\S+) \(0x", listed, re.M)))


def os_release():
    text = pathlib.Path("/etc/os-release").read_text()
    return dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', text, re.M))


def add_packages(tree, found):
    """What scanners and lawyers look for: dpkg's records one file a package, as distroless images keep them; the copyrights."""
    for package in found:
        tree.file(f"var/lib/dpkg/status.d/{package.name}", package.control)
        tree.copy(packages.copyright_path(package.name))
    tree.copy_all("/usr/share/common-licenses")


def system_layer(program):
    tree, shared = Tree(), libraries(program)
    for path in shared:
        tree.copy(path)
    tree.copy("/etc/ssl/certs/ca-certificates.crt")
    tree.copy("/etc/os-release")
    tree.copy_all("/usr/share/zoneinfo", without=("localtime",))  # which is the builder's
    tree.file("etc/passwd", PASSWD)
    tree.file("etc/group", GROUP)
    tree.file("etc/nsswitch.conf", NSSWITCH)
    tree.folder("tmp", 0o1777)
    for folder in MOUNT_POINTS:
        tree.folder(folder)
    found = [packages.describe(name) for name in sorted({*packages.owners(shared), *DATA_PACKAGES})]
    add_packages(tree, found)
    return tree, found


def program_layer(beneath, program, source, document):
    tree = Tree(beneath)
    tree.file("usr/bin/remora", program, 0o755)
    tree.file("usr/share/doc/remora/LICENSE", (source / "LICENSE").read_bytes())
    tree.file("usr/share/doc/remora/remora.spdx.json", document)
    return tree


def layers_of(system, top, found, arguments):
    return [("Debian packages: " + ", ".join(p.name for p in found), system.tar(SYSTEM_EPOCH)),
            ("remora " + arguments.version, top.tar(arguments.epoch))]


def labels(arguments):
    return {
        "org.opencontainers.image.title": "remora",
        "org.opencontainers.image.description": "An LLM gateway beside your service: gRPC and the OpenAI API on loopback",
        "org.opencontainers.image.version": arguments.version, "org.opencontainers.image.revision": arguments.revision,
        "org.opencontainers.image.created": oci.rfc3339(arguments.epoch), "org.opencontainers.image.licenses": "Apache-2.0",
    }


def settings(arguments):
    return {"User": f"{UID}:{UID}", "Entrypoint": ["/usr/bin/remora"], "Cmd": ["serve"], "WorkingDir": "/",
            "Env": ["PATH=/usr/bin"], "ExposedPorts": {f"{port}/tcp": {} for port in PORTS}, "Labels": labels(arguments)}


def listing(found):
    return "".join(f"{p.name}\t{p.version}\t{spdx.expression(p.licenses)}\n" for p in found)


def parse():
    parser = argparse.ArgumentParser()
    for name in ("program", "source", "version", "revision", "name", "out"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--epoch", type=int, required=True)
    return parser.parse_args()


def main():
    arguments = parse()
    architecture = ARCHITECTURES[platform.machine()]
    program = pathlib.Path(arguments.program).read_bytes()
    system, found = system_layer(arguments.program)
    release = os_release()
    distribution = f"debian-{release.get('VERSION_ID', release.get('VERSION_CODENAME', 'sid'))}"
    document = spdx.document(arguments.version, program, found, distribution, arguments.epoch)
    top = program_layer(system, program, pathlib.Path(arguments.source), document)
    unpacked = system.bytes() + top.bytes()
    if unpacked > LIMIT_BYTES:
        sys.exit(f"image: {unpacked} bytes unpacked, more than {LIMIT_BYTES}")
    base = pathlib.Path(arguments.out) / f"remora-{arguments.version}-{architecture}"
    layers = layers_of(system, top, found, arguments)
    digest = oci.write(f"{base}.oci.tar", layers, arguments.epoch, architecture, settings(arguments), labels(arguments),
                       arguments.name, arguments.version)
    for kind, (_, tar) in zip(("system", "program"), layers, strict=True):
        (pathlib.Path(arguments.out) / f"layer-{kind}.tar").write_bytes(tar)
    pathlib.Path(f"{base}.spdx.json").write_bytes(document)
    pathlib.Path(f"{base}.packages.txt").write_text(listing(found))
    packed = pathlib.Path(f"{base}.oci.tar").stat().st_size
    print(listing(found).expandtabs(32), end="")
    print(f"{arguments.name}:{arguments.version} {architecture}, {len(found)} packages, {len(libraries(arguments.program))} libraries\n"
          f"{unpacked / 1e6:.1f} MB unpacked (at most {LIMIT_BYTES / 1e6:.0f}), program {len(program) / 1e6:.1f} MB, "
          f"archive {packed / 1e6:.1f} MB\ndigest {digest}")


if __name__ == "__main__":
    main()
