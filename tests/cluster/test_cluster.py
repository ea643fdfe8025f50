"""The clusters themselves: how fast they are there, and that nothing of them is left, however they end."""
import json
import os
import signal
import subprocess
import sys

import pytest
from kube import HERE, until

RUNNER = ("import json, sys\nfrom kube import Cluster\nc = Cluster(sys.argv[1])\n"
          "print(json.dumps([c.folder, c.about]), flush=True)\nsys.stdin.read()\n%s")
SYSCTLS = ("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys",
           "kernel/keys/root_maxbytes", "net/ipv4/ip_forward")


def read(path):
    with open(path) as text:
        return text.read()


def mentioned(folder):
    """Processes whose command line names the folder of a cluster."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if folder in read("/proc/%s/cmdline" % pid):
                found.append(pid)
        except OSError:
            pass  # it ended meanwhile
    return found


def start(level):
    runner = subprocess.Popen([sys.executable, "-c", RUNNER % "c.__exit__()", level], cwd=HERE, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    return runner, *json.loads(runner.stdout.readline())


def is_gone(folder, about):
    groups = [p for p, folders, _ in os.walk("/sys/fs/cgroup") if about["cgroup"] in folders]
    return not os.path.exists(folder) and not mentioned(folder) and folder not in read("/proc/self/mounts") and not groups


@pytest.mark.parametrize("level", ["api", "node"])
@pytest.mark.parametrize("end", ["ends", "is killed"])
def test_nothing_is_left_when_the_run(level, end, figures):
    before = [read("/proc/sys/" + s) for s in SYSCTLS]
    runner, folder, about = start(level)
    figures["cluster %s, ms to ready" % level] = about["took_ms"]
    assert len(mentioned(folder)) >= 2
    if end == "ends":
        runner.stdin.close()
    else:
        runner.send_signal(signal.SIGKILL)
    until("the runner ended", lambda: runner.poll() is not None)
    until("nothing is left", lambda: is_gone(folder, about))
    assert [read("/proc/sys/" + s) for s in SYSCTLS] == before
