"""The image as a container. REMORA_IMAGE names the archive; needs root and the programs in container.NEEDED."""
import hashlib
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from container import Container, run, unpack

IMAGE = os.environ.get("REMORA_IMAGE", "")
CHAT = {"model": "demo/echo-1", "messages": [{"role": "user", "content": "Hello"}]}


def status_of(pid):
    return dict(re.findall(r"^(\w+):\t(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M))


class Layout(unittest.TestCase):
    """What is in it, read by skopeo and umoci."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.root = unpack(IMAGE, pathlib.Path(cls.folder.name)) / "rootfs"
        cls.config = json.loads(run("skopeo", "inspect", "--config", "oci-archive:" + IMAGE).stdout)
        cls.inspect = json.loads(run("skopeo", "inspect", "oci-archive:" + IMAGE).stdout)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_configuration(self):
        settings = self.config["config"]
        self.assertEqual(settings["User"], "65532:65532")
        self.assertEqual((settings["Entrypoint"], settings["Cmd"]), (["/usr/bin/remora"], ["serve"]))
        self.assertEqual(sorted(settings["ExposedPorts"]), [f"{port}/tcp" for port in (7360, 7361, 7362, 7363)])
        for label in ("title", "version", "revision", "created", "licenses"):
            self.assertTrue(self.inspect["Labels"]["org.opencontainers.image." + label])

    def test_no_program_but_ours(self):
        programs = [path for folder in ("bin", "sbin", "usr/bin", "usr/sbin", "usr/local")
                    for path in (self.root / folder).rglob("*") if not path.is_dir()]
        self.assertEqual(programs, [self.root / "usr/bin/remora"])

    def test_only_shared_libraries_are_executable_besides(self):
        executable = [path for path in self.root.rglob("*")
                      if path.is_file() and not path.is_symlink() and os.access(path, os.X_OK) and path.stat().st_mode & 0o111]
        self.assertFalse([path for path in executable if path.name != "remora" and ".so" not in path.name])

    def test_nothing_is_writable_but_tmp_and_nothing_is_setuid(self):
        for path in self.root.rglob("*"):
            mode = path.lstat().st_mode
            if path.is_symlink():
                continue
            self.assertFalse(mode & 0o6000, path)
            self.assertTrue(not mode & 0o022 or path == self.root / "tmp", path)

    def test_public_authorities_are_readable_where_remora_looks(self):
        bundle = self.root / "etc/ssl/certs/ca-certificates.crt"
        self.assertEqual(bundle.stat().st_mode & 0o444, 0o444)
        self.assertGreater(bundle.read_text().count("BEGIN CERTIFICATE"), 100)

    def test_size(self):
        total = sum(path.lstat().st_size for path in self.root.rglob("*") if path.is_file() and not path.is_symlink())
        self.assertLess(total, 60_000_000)

    def test_links_lead_somewhere(self):
        for path in self.root.rglob("*"):
            if path.is_symlink() and not path.readlink().is_absolute():
                self.assertTrue(path.exists(), path)

    def test_every_package_of_the_bill_of_materials_is_there_with_its_copyright(self):
        bill = json.loads((self.root / "usr/share/doc/remora/remora.spdx.json").read_text())
        names = [package["name"] for package in bill["packages"] if package["name"] != "remora"]
        self.assertIn("libc6", names)
        self.assertEqual(sorted(path.name for path in (self.root / "var/lib/dpkg/status.d").iterdir()), sorted(names))
        for name in names:
            self.assertTrue((self.root / f"usr/share/doc/{name}/copyright").exists(), name)
        program = (self.root / "usr/bin/remora").read_bytes()
        ours = next(package for package in bill["packages"] if package["name"] == "remora")
        self.assertEqual(ours["checksums"][0]["checksumValue"], hashlib.sha256(program).hexdigest())

    def test_the_shared_libraries_are_those_that_the_loader_takes(self):
        listed = run("chroot", self.root, "/lib64/ld-linux-x86-64.so.2", "--list", "/usr/bin/remora").stdout
        self.assertNotIn("not found", listed)
        wanted = {(self.root / os.path.realpath(self.root / path.lstrip("/")).removeprefix(str(self.root)).lstrip("/"))
                  for path in re.findall(r"(?:=> |^\s*)(/\S+) \(0x", listed, re.M)}
        there = {path for path in self.root.rglob("*.so*") if not path.is_symlink()}
        self.assertEqual(there, wanted)


class Life(unittest.TestCase):
    def test_demo_answers_as_nobody_on_a_read_only_root(self):
        with Container(IMAGE, ["demo"]) as container:
            container.wait_ready()
            status = status_of(container.pid)
            self.assertEqual(status["Uid"].split(), ["65532"] * 4)
            self.assertEqual({status[name] for name in ("CapEff", "CapPrm", "CapBnd", "CapInh")}, {"0" * 16})
            self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
            root = pathlib.Path(f"/proc/{container.pid}/mountinfo").read_text().splitlines()[0].split()
            self.assertEqual((root[4], root[5].split(",")[0]), ("/", "ro"))
            code, text = container.request("POST", 7360, "/v1/chat/completions", CHAT)
            self.assertEqual(code, 200, text)
            self.assertIn("Hello", json.loads(text)["choices"][0]["message"]["content"])
            self.assertEqual(container.grpc_health(), b"\0\0\0\0\2\x08\x01", "SERVING")
            self.assertEqual(container.request("GET", 7362, "/readyz")[0], 200)
            probe = container.execute("/usr/bin/remora", "healthcheck")
            self.assertEqual((probe.returncode, probe.stdout), (0, "ready\n"), probe.stderr)
            self.assertLess(container.terminate(), 5)

    def test_serve_says_what_it_lacks_and_lives_without_a_configuration(self):
        with Container(IMAGE, ["serve"]) as container:
            container.wait_ready()
            self.assertEqual(container.request("GET", 7360, "/v1/models")[0], 200)
            self.assertLess(container.terminate(), 5)

    def test_there_is_no_shell(self):
        with Container(IMAGE, ["demo"]) as container:
            container.wait_ready()
            self.assertNotEqual(container.execute("/bin/sh", "-c", "true").returncode, 0)



if __name__ == "__main__":
    unittest.main(verbosity=2)
