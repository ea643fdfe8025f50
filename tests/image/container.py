"""An image archive as a container under runc, the way a restricted pod runs it: read-only root, the image's user, no
capability, no new privileges, the default seccomp profile of Debian's containers-common, a network of its own.

    with Container("build-image/remora-0.1.0-amd64.oci.tar", ["demo"]) as container:
        container.request("POST", 7360, "/v1/chat/completions", {...})   # (status, JSON)
        container.execute("/usr/bin/remora", "healthcheck")              # as an exec probe does

Every wait has a time limit. The oom score is left alone: to lower it takes CAP_SYS_RESOURCE, which a machine may lack.
"""
import json
import pathlib
import subprocess
import tarfile
import tempfile
import time
import uuid

SECCOMP = pathlib.Path("/usr/share/containers/seccomp.json")
NEEDED = ("runc", "umoci", "skopeo", "nsenter", "curl")


def run(*command, seconds=30, check=True, **more):
    return subprocess.run([str(part) for part in command], check=check, timeout=seconds, capture_output=True, text=True, **more)


def seccomp():
    """The profile's rules that hold without any capability, as the runtime specification writes them."""
    profile = json.loads(SECCOMP.read_text())
    rules = []
    for rule in profile["syscalls"]:
        includes = rule.get("includes") or {}
        if includes.get("caps") or (includes.get("arches") and "amd64" not in includes["arches"]):
            continue
        rules.append({key: rule[key] for key in ("names", "action", "args", "errnoRet") if rule.get(key)})
    return {"defaultAction": profile["defaultAction"], "defaultErrnoRet": 38, "architectures": ["SCMP_ARCH_X86_64"],
            "syscalls": rules}


def unpack(archive, folder):
    """The archive as a runtime bundle, by umoci: a reader of the format that we did not write."""
    layout, bundle = folder / "layout", folder / "bundle"
    layout.mkdir()
    with tarfile.open(archive) as tar:
        tar.extractall(layout)
    tag = json.loads((layout / "index.json").read_text())["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"]
    run("umoci", "unpack", "--image", f"{layout}:{tag}", bundle)
    return bundle


class Container:
    def __init__(self, archive, arguments):
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name)
        self.name = "remora-test-" + uuid.uuid4().hex[:12]
        self.bundle = unpack(archive, self.path)
        self._restrict(arguments)
        self.log_file = open(self.path / "log", "w+b")
        self.runc = ("runc", "--root", self.path / "runc")

    def _restrict(self, arguments):
        path = self.bundle / "config.json"
        config = json.loads(path.read_text())
        process = config["process"]
        process["terminal"] = False
        process["args"] = [process["args"][0], *arguments]
        process["capabilities"] = {kind: [] for kind in ("bounding", "effective", "permitted", "inheritable", "ambient")}
        process["noNewPrivileges"] = True
        process.pop("rlimits", None)
        config["root"]["readonly"] = True
        config["mounts"] = [mount for mount in config["mounts"] if mount["type"] != "cgroup"]
        config["linux"]["seccomp"] = seccomp()
        self.process = process
        path.write_text(json.dumps(config))

    def __enter__(self):
        subprocess.run([*map(str, self.runc), "run", "--detach", "--pid-file", str(self.path / "pid"), "--bundle",
                        str(self.bundle), self.name], check=True, timeout=30, stdin=subprocess.DEVNULL, stdout=self.log_file,
                       stderr=self.log_file)
        self.pid = int((self.path / "pid").read_text())
        return self

    def __exit__(self, *_):
        run(*self.runc, "delete", "--force", self.name, check=False)
        self.log_file.close()
        self.folder.cleanup()

    def log(self):
        return (self.path / "log").read_text(errors="replace")

    def wait_ready(self, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if '"message":"ready"' in self.log().replace(" ", ""):
                return
            time.sleep(0.05)
        raise AssertionError("not ready:\n" + self.log())

    def execute(self, *command):
        return run(*self.runc, "exec", self.name, *command, seconds=20, check=False)

    def request(self, method, port, path, body=None):
        """From inside the container's network, by a curl of this machine."""
        command = ["nsenter", "--net=/proc/%d/ns/net" % self.pid, "curl", "--silent", "--show-error", "--max-time", "10",
                   "--request", method, "--write-out", "\n%{http_code}", f"http://127.0.0.1:{port}{path}"]
        if body is not None:
            command += ["--header", "Content-Type: application/json", "--data", json.dumps(body)]
        text, _, status = run(*command).stdout.rpartition("\n")
        return int(status), text

    def grpc_health(self):
        """The answer of grpc.health.v1.Health/Check for the whole server, with its five bytes of framing."""
        question = self.path / "question"
        question.write_bytes(b"\0" * 5)
        command = ["nsenter", "--net=/proc/%d/ns/net" % self.pid, "curl", "--silent", "--show-error", "--max-time", "10",
                   "--http2-prior-knowledge", "--header", "Content-Type: application/grpc", "--header", "TE: trailers",
                   "--data-binary", f"@{question}", "http://127.0.0.1:7361/grpc.health.v1.Health/Check"]
        return subprocess.run(command, check=True, timeout=30, capture_output=True).stdout

    def state(self):
        return json.loads(run(*self.runc, "state", self.name).stdout)["status"]

    def terminate(self, seconds=10):
        """SIGTERM, as the kubelet does; how long the container took to stop."""
        begin = time.monotonic()
        run(*self.runc, "kill", self.name, "TERM")
        while time.monotonic() < begin + seconds:
            if self.state() == "stopped":
                return time.monotonic() - begin
            time.sleep(0.02)
        raise AssertionError("still runs:\n" + self.log())
