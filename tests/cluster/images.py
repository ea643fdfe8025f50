#!/usr/bin/env python3
"""The images of the cluster tests beside Remora's own.

usage: images.py PODAPP FOLDER      writes FOLDER/podapp.tar and FOLDER/pause.tar
       images.py --name IMAGE.tar   prints the name of the image in an OCI archive
"""
import json
import os
import sys
import tarfile

import oci


def name_of(path):
    with tarfile.open(path) as archive:
        index = json.load(archive.extractfile("index.json"))
    annotations = index["manifests"][0]["annotations"]
    return annotations.get("io.containerd.image.name") or annotations["org.opencontainers.image.ref.name"]


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    if sys.argv[1] == "--name":
        print(name_of(sys.argv[2]))
        return 0
    with open(sys.argv[1], "rb") as program:
        files = [("podapp", program.read(), 0o755)]
    folder = sys.argv[2]
    oci.write(os.path.join(folder, "podapp.tar"), "test.local/podapp:1", files, ["/podapp"])
    oci.write(os.path.join(folder, "pause.tar"), "test.local/pause:1", files, ["/podapp", "pause"], user="65535:65535")
    return 0


if __name__ == "__main__":
    sys.exit(main())
