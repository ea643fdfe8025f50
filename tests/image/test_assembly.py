"""What tools/image makes of files and copyright texts; no root, no package, no network."""
import gzip
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import types
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools/image"))
sys.dont_write_bytecode = True

import image  # noqa: E402
import oci  # noqa: E402
import packages  # noqa: E402
import spdx  # noqa: E402
from tree import Tree  # noqa: E402


def members(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return archive.getmembers()


class Dockerfile(unittest.TestCase):
    """What an engine cannot take from tools/image it says itself."""
    TEXT = (ROOT / "Dockerfile").read_text()

    def test_it_has_the_labels_of_the_image(self):
        names = set(re.findall(r'"(org\.opencontainers\.image\.[a-z]+)":', (ROOT / "tools/image/image.py").read_text()))
        self.assertGreater(len(names), 4)
        self.assertEqual(set(re.findall(r"(org\.opencontainers\.image\.[a-z]+)=", self.TEXT)), names)

    def test_its_version_is_the_programs(self):
        version = re.search(r"project\(remora VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())[1]
        self.assertIn(f'image.version="{version}"', self.TEXT)


class Build(unittest.TestCase):
    """tools/image/build.sh in a checkout of its own, where the root of packages only says what it is asked to run."""

    def build(self, **more):
        with tempfile.TemporaryDirectory() as folder:
            for path in ("tools/image/build.sh", "CMakeLists.txt"):
                target = pathlib.Path(folder, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes((ROOT / path).read_bytes())
            newroot = pathlib.Path(folder, "tools/newroot.sh")
            newroot.write_text('#!/bin/sh\necho "$@"\n')
            newroot.chmod(0o755)
            pathlib.Path(folder, ".gitignore").write_text("/build-image/\n")
            env = {"PATH": os.environ["PATH"], "HOME": folder}
            git = ["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@b.example"]
            for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
                subprocess.run(git + words, check=True, env=env | {"GIT_COMMITTER_DATE": "@1700000000 +0000"}, timeout=60)
            commit = subprocess.run(git + ["rev-parse", "HEAD"], check=True, env=env, capture_output=True, text=True, timeout=60).stdout.strip()
            return commit, subprocess.run(["bash", "tools/image/build.sh"], cwd=folder, env=env | more, capture_output=True, text=True, timeout=60)

    def test_a_checkout_of_another_user_is_the_same_commit(self):
        for more in ({}, {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}):
            commit, done = self.build(**more)
            self.assertIn(f"--revision {commit} --epoch 1700000000", done.stdout, done.stderr)
            self.assertEqual(done.stderr, "")

    def test_what_git_does_not_say_is_told(self):
        _, done = self.build(GIT_DIR="/nonexistent")
        self.assertIn("--revision unknown --epoch 0", done.stdout)
        self.assertIn("git does not say what this is: revision unknown, time 0", done.stderr)


class Layers(unittest.TestCase):
    def test_order_of_adding_does_not_matter(self):
        one, two = Tree(), Tree()
        one.file("usr/bin/b", b"b", 0o755)
        one.file("etc/a", "a")
        two.file("etc/a", "a")
        two.file("usr/bin/b", b"b", 0o755)
        self.assertEqual(one.tar(7), two.tar(7))

    def test_every_folder_is_there_once_before_what_is_in_it(self):
        tree = Tree()
        tree.file("usr/share/doc/x/copyright", "x")
        self.assertEqual([member.name for member in members(tree.tar(0))],
                         ["usr", "usr/share", "usr/share/doc", "usr/share/doc/x", "usr/share/doc/x/copyright"])

    def test_everything_is_root_s_and_of_one_time(self):
        tree = Tree()
        tree.folder("tmp", 0o1777)
        tree.file("tmp/x", "x")
        tree.link("lib", "usr/lib")
        self.assertEqual({(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in members(tree.tar(99))}, {(0, 0, "", "", 99)})
        self.assertEqual({m.name: m.mode for m in members(tree.tar(99))}["tmp"], 0o1777)

    def test_upper_layer_does_not_say_folders_of_the_lower_again(self):
        lower = Tree()
        lower.folder("usr/share/doc")
        upper = Tree(lower)
        upper.file("usr/share/doc/remora/LICENSE", "x")
        self.assertEqual([member.name for member in members(upper.tar(0))], ["usr/share/doc/remora", "usr/share/doc/remora/LICENSE"])

    def test_a_release_moves_the_program_s_layer_only(self):
        system = Tree()
        system.file("etc/passwd", "x")
        program = Tree(system)
        program.file("usr/bin/remora", "x", 0o755)
        old, new = (image.layers_of(system, program, [], types.SimpleNamespace(version=version, epoch=epoch))
                    for version, epoch in (("1", 1000), ("2", 2000)))
        self.assertEqual(old[0], new[0])
        self.assertNotEqual(old[1], new[1])

    def test_copy_takes_the_links_on_the_way(self):
        with tempfile.TemporaryDirectory() as folder:
            base = pathlib.Path(folder).resolve()
            (base / "real/deep").mkdir(parents=True)
            (base / "real/deep/lib.so.1.2").write_text("code")
            (base / "real/lib.so.1").symlink_to("deep/lib.so.1.2")
            (base / "way").symlink_to(base / "real")
            tree = Tree()
            tree.copy(f"{base}/way/lib.so.1")
            prefix = str(base).lstrip("/")
            kinds = {path.removeprefix(prefix + "/"): kind for path, (kind, _, _) in tree.entries.items() if path.startswith(prefix + "/")}
        self.assertEqual(kinds, {"way": "link", "real": "folder", "real/lib.so.1": "link", "real/deep": "folder",
                                 "real/deep/lib.so.1.2": "file"})

    def test_modes_of_this_machine_are_not_copied(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder).resolve() / "x"
            path.write_text("x")
            os.chmod(path, 0o4711)
            tree = Tree()
            tree.copy(path.as_posix())
        self.assertEqual(tree.entries[path.as_posix().lstrip("/")][1], 0o755)


class Archive(unittest.TestCase):
    def write(self, path, epoch=1):
        tree = Tree()
        tree.file("usr/bin/x", "x", 0o755)
        return oci.write(path, [("first", tree.tar(epoch)), ("second", Tree().tar(epoch))], epoch, "amd64", {"User": "1:1"},
                         {"a": "b"}, "localhost/x", "1.0")

    def test_layout_is_the_specification_s(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "x.tar"
            digest = self.write(path)
            with tarfile.open(path) as archive:
                files = {m.name: archive.extractfile(m).read() for m in archive.getmembers() if m.isfile()}
        blob = lambda name: files["blobs/sha256/" + name.removeprefix("sha256:")]
        self.assertEqual(json.loads(files["oci-layout"]), {"imageLayoutVersion": "1.0.0"})
        entry = json.loads(files["index.json"])["manifests"][0]
        self.assertEqual(entry["digest"], digest)
        self.assertEqual(entry["annotations"], {"org.opencontainers.image.ref.name": "1.0",
                                                "io.containerd.image.name": "localhost/x:1.0"})
        manifest = json.loads(blob(digest))
        config = json.loads(blob(manifest["config"]["digest"]))
        for layer, diff in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
            data = blob(layer["digest"])
            self.assertEqual((len(data), oci.digest(data), oci.digest(gzip.decompress(data))),
                             (layer["size"], layer["digest"], diff))
        self.assertEqual(len(config["history"]), 2)
        self.assertEqual(len(files), 2 + 1 + 1 + 2)

    def test_same_input_same_bytes_and_another_time_others(self):
        with tempfile.TemporaryDirectory() as folder:
            one, two, three = (pathlib.Path(folder) / name for name in "123")
            self.write(one), self.write(two), self.write(three, epoch=2)
            self.assertEqual(one.read_bytes(), two.read_bytes())
            self.assertNotEqual(one.read_bytes(), three.read_bytes())


class Licences(unittest.TestCase):
    def test_names_of_debian_become_those_of_spdx(self):
        for debian, ours in [("GPL-2+", "GPL-2.0-or-later"), ("LGPL-2.1", "LGPL-2.1-only"), ("GPL-3", "GPL-3.0-only"),
                             ("Expat", "MIT"), ("BSD-3-clause", "BSD-3-Clause"), ("Apache-2.0", "Apache-2.0"),
                             ("public-domain", "LicenseRef-public-domain"), ("GPL-2+ with x exception", "LicenseRef-GPL-2-with-x-exception")]:
            self.assertEqual(packages.spdx_license(debian), ours)

    def test_files_stanzas_count_and_the_packaging_does_not(self):
        text = ("Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n"
                "Files: *\nCopyright: somebody\nLicense: Expat or GPL-2+\n\n"
                "Files: debian/*\nCopyright: packager\nLicense: GPL-3+\n\n"
                "Files: a\n b\nCopyright: x\nLicense: curl and Zlib\n\nLicense: BSL-1.0\n the text\n")
        self.assertEqual(packages.licenses_of(text), ["GPL-2.0-or-later", "MIT", "Zlib", "curl"])

    def test_prose_is_not_guessed_at(self):
        self.assertEqual(packages.licenses_of("This package is under the GPL.\nFiles: *\nLicense: Expat\n"), [])


class Bill(unittest.TestCase):
    def document(self):
        package = packages.Package("libx1", "1:2.0+b1", "amd64", "x", "1:2.0", "m", "", "control", ["LicenseRef-odd", "MIT"])
        return json.loads(spdx.document("0.1.0", b"program", [package], "debian-13", 0))

    def test_package_is_named_as_scanners_look_for_it(self):
        package = self.document()["packages"][1]
        self.assertEqual(package["licenseDeclared"], "LicenseRef-odd AND MIT")
        self.assertEqual(package["externalRefs"][0]["referenceLocator"], "pkg:deb/debian/libx1@1%3A2.0%2Bb1?arch=amd64&distro=debian-13")

    def test_every_reference_leads_somewhere(self):
        whole = self.document()
        known = {package["SPDXID"] for package in whole["packages"]} | {"SPDXRef-DOCUMENT"}
        for relation in whole["relationships"]:
            self.assertLessEqual({relation["spdxElementId"], relation["relatedSpdxElement"]}, known)
        self.assertEqual([info["licenseId"] for info in whole["hasExtractedLicensingInfos"]], ["LicenseRef-odd"])

    def test_prose_licence_is_no_assertion(self):
        self.assertEqual(spdx.expression([]), "NOASSERTION")


if __name__ == "__main__":
    unittest.main()
