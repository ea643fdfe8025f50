"""An image in the OCI layout as one tar (OCI Image Format Specification 1.1: image-layout, manifest, config, annotations)."""
import gzip
import hashlib
import io
import json
import tarfile
import time

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def compact(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def rfc3339(epoch):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))


def descriptor(media_type, data, **more):
    return {"mediaType": media_type, "digest": digest(data), "size": len(data)} | more


def config(layers, epoch, architecture, settings):
    """layers: [(what it holds, uncompressed tar)]; settings: User, Entrypoint, ... of the config's `config`."""
    return {"created": rfc3339(epoch), "architecture": architecture, "os": "linux", "config": settings,
            "rootfs": {"type": "layers", "diff_ids": [digest(tar) for _, tar in layers]},
            "history": [{"created": rfc3339(epoch), "created_by": what} for what, _ in layers]}


def write(path, layers, epoch, architecture, settings, annotations, name, tag):
    """Writes the archive to `path` and returns the manifest's digest: what a registry and a chart call the image's digest."""
    packed = [gzip.compress(tar, compresslevel=9, mtime=0) for _, tar in layers]
    image = compact(config(layers, epoch, architecture, settings))
    manifest = compact({"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(CONFIG, image),
                        "layers": [descriptor(LAYER, data) for data in packed], "annotations": annotations})
    # containerd takes the whole name from its own annotation, everybody else the tag from the specification's.
    names = {"org.opencontainers.image.ref.name": tag, "io.containerd.image.name": f"{name}:{tag}"}
    entry = descriptor(MANIFEST, manifest, annotations=names, platform={"architecture": architecture, "os": "linux"})
    files = {"oci-layout": compact({"imageLayoutVersion": "1.0.0"}),
             "index.json": compact({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]})}
    for data in (manifest, image, *packed):
        files["blobs/sha256/" + digest(data).removeprefix("sha256:")] = data
    _archive(path, files, epoch)
    return digest(manifest)


def _archive(path, files, epoch):
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for folder in ("blobs", "blobs/sha256"):
            member = tarfile.TarInfo(folder)
            member.type, member.mode, member.mtime = tarfile.DIRTYPE, 0o755, epoch
            archive.addfile(member)
        for name in sorted(files):
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = len(files[name]), 0o644, epoch
            archive.addfile(member, io.BytesIO(files[name]))
