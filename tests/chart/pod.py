"""Runs a rendered pod as the kubelet would, with the program of the build folder in place of the image: `unshare --net --mount -- pod.py
OBJECTS.yaml NAME PROGRAM`. ConfigMaps are those of OBJECTS, Secrets come from its Secrets. Native sidecars start in order, each
waits for its startup probe; then the containers run to their end; then the sidecars are ended in reverse order.

Prints one JSON object: {"logs": {container: text}, "status": {container: exit status}, "ready": {sidecar: its /readyz}}.
"""
import json
import os
import pathlib
import subprocess
import sys
import time
import urllib.error
import urllib.request

import yaml

SECONDS = 60


def ask(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()
    except OSError:
        return 0, ""


class Pod:
    def __init__(self, objects, name, program):
        self.spec = next(each["spec"] for each in objects if each["kind"] == "Pod" and each["metadata"]["name"] == name)
        self.data = {(each["kind"], each["metadata"]["name"]): each["data"] for each in objects if each["kind"] in ("ConfigMap", "Secret")}
        self.volumes = {volume["name"]: volume for volume in self.spec.get("volumes", [])}
        self.program = program
        self.folder = pathlib.Path("/etc/remora")

    def mount(self, container):
        for mount in container.get("volumeMounts", []):
            volume, place = self.volumes[mount["name"]], pathlib.Path(mount["mountPath"])
            if self.folder not in place.parents:
                continue
            place.mkdir(parents=True, exist_ok=True)
            source = volume.get("configMap") or volume["secret"]
            kind = "ConfigMap" if "configMap" in volume else "Secret"
            files = self.data.get((kind, source.get("name") or source["secretName"]))
            assert files is not None or source.get("optional"), f"{mount['name']} is not there"
            for name, text in (files or {}).items():
                (place / name).write_text(text)
                (place / name).chmod(source.get("defaultMode", 0o644))

    def start(self, container, log):
        self.mount(container)
        environment = {each["name"]: each.get("value", "shop") for each in container.get("env", [])}
        return subprocess.Popen([self.program, *container["args"]], env=environment, stdout=log, stderr=subprocess.STDOUT)

    @staticmethod
    def port_of(container, probe):
        port = container[probe]["httpGet"]["port"]
        return port if isinstance(port, int) else next(each["containerPort"] for each in container["ports"] if each["name"] == port)

    def run(self, logs):
        out = {"logs": {}, "status": {}, "ready": {}}
        sidecars = []
        for container in self.spec.get("initContainers", []):
            assert container["restartPolicy"] == "Always"
            sidecars.append((container, self.start(container, open(logs / container["name"], "wb"))))
            end = time.monotonic() + SECONDS
            while ask(self.port_of(container, "startupProbe"), container["startupProbe"]["httpGet"]["path"])[0] != 200:
                assert time.monotonic() < end and sidecars[-1][1].poll() is None, (logs / container["name"]).read_text()
                time.sleep(0.1)
            if "readinessProbe" in container:
                out["ready"][container["name"]] = ask(self.port_of(container, "readinessProbe"), "/readyz")
        for container in self.spec["containers"]:
            process = self.start(container, open(logs / container["name"], "wb"))
            out["status"][container["name"]] = process.wait(SECONDS)
        for container, process in reversed(sidecars):
            process.terminate()
            out["status"][container["name"]] = process.wait(SECONDS)
        out["logs"] = {path.name: path.read_text() for path in logs.iterdir()}
        return out


def main():
    objects, name, program = sys.argv[1:]
    bundle = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")  # as the image has it
    authorities = bundle.read_bytes()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/etc"], check=True)  # of this mount namespace alone
    bundle.parent.mkdir(parents=True)
    bundle.write_bytes(authorities)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    pathlib.Path("/etc/remora").mkdir()
    pathlib.Path("/etc/logs").mkdir()
    pod = Pod([each for each in yaml.safe_load_all(pathlib.Path(objects).read_text()) if each], name, program)
    print(json.dumps(pod.run(pathlib.Path("/etc/logs"))))


main()
