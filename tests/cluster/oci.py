"""OCI image archives without a container engine, for the programs that the cluster tests put into pods.

`ctr images import` takes them. The image of Remora itself is not made here: that is `make image`.
"""
import gzip
import hashlib
import io
import json
import platform
import tarfile

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def add(archive, name, data=None, mode=0o644):
    """Adds a file, or a folder when there is no data, owned by root and without a date."""
    info = tarfile.TarInfo(name)
    info.mode = mode if data is not None else 0o755
    info.type = tarfile.REGTYPE if data is not None else tarfile.DIRTYPE
    info.size = len(data or b"")
    archive.addfile(info, io.BytesIO(data or b""))


def pack(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data, mode in files:
            add(archive, name, data, mode)
    return out.getvalue()


def parents(paths):
    found = {"/".join(p.split("/")[:n]) for p in paths for n in range(1, p.count("/") + 1)}
    return [(name, None, 0o755) for name in sorted(found)]


def descriptor(kind, data, **more):
    return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": digest(data), "size": len(data)} | more


def write(path, name, files, entrypoint, user="65532:65532"):
    """Writes the archive `path` of the image `name`; files: [(path in the image, bytes, mode)]."""
    layer = pack(parents([f[0] for f in files]) + sorted(files))
    blob = gzip.compress(layer, 1, mtime=0)
    system = {"architecture": ARCHITECTURES[platform.machine()], "os": "linux"}
    config = json.dumps(system | {
        "created": "1970-01-01T00:00:00Z",
        "config": {"User": user, "Entrypoint": entrypoint, "WorkingDir": "/", "Env": ["PATH=/usr/bin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(layer)]}}).encode()
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("config.v1+json", config),
        "layers": [descriptor("layer.v1.tar+gzip", blob)]}).encode()
    named = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rsplit(":", 1)[1]}
    index = json.dumps({"schemaVersion": 2, "manifests": [
        descriptor("manifest.v1+json", manifest, platform=system, annotations=named)]}).encode()
    blobs = [("blobs/sha256/" + digest(b)[7:], b, 0o644) for b in (manifest, config, blob)]
    whole = [("oci-layout", b'{"imageLayoutVersion":"1.0.0"}', 0o644), ("index.json", index, 0o644)] + blobs
    with open(path, "wb") as out:
        out.write(pack(parents(["blobs/sha256/x"]) + whole))
