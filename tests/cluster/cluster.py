#!/usr/bin/env python3
"""A throw-away Kubernetes: etcd and an API server, or a whole node. Runs in the foreground; ends when standard input ends.

usage: cluster.py api DIR                   etcd and kube-apiserver on free ports of loopback; any user
       cluster.py node DIR [IMAGE.tar]...   and controller-manager, scheduler, containerd, kubelet, kube-proxy and DNS, in
                                            network, mount, pid and uts namespaces of its own; root

1. DIR (empty) gets keys, logs, etcd's data and everything that containerd writes.
2. When the cluster is ready, one JSON line on standard output says how to reach it (`Cluster.describe`).
3. When standard input ends (the test run ended, in whatever way) or SIGTERM comes, everything is taken down: processes die
   with this one (PR_SET_PDEATHSIG, and the node's with pid 1 of its namespace), mounts, bridges and firewall rules with their
   namespaces; cgroups are removed; DIR is removed. Nothing machine-wide was changed.

It fails with a word and the end of the log of the component that did not come up.

Facts: kubelet runs on cgroup v1 with failCgroupV1 false; containerd needs restrict_oom_score_adj where CAP_SYS_RESOURCE is
missing; an API server that only listens on loopback needs the endpoint reconciler "none"; without a controller-manager nothing
makes the default service account, so its admission plugin is off there.
"""
import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "remora", "cluster")
BIN = os.path.join(CACHE, "bin")
NODE_NAME, NODE_IP = "node1", "10.77.0.1"
SERVICE_CIDR, POD_CIDR = "10.96.0.0/16", "10.88.0.0/24"
CGROUP_ROOT = "/sys/fs/cgroup"
CGROUP = "remora-test-"  # and our pid
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"
START_SECONDS = 120  # for each step; a loaded machine takes ten times what an idle one does


class Failed(Exception):
    pass


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Keys:
    """One authority and a leaf for each identity: who somebody is stands in the subject of his certificate."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, mode=0o700)
        with open(self.path("openssl.cnf"), "w") as out:
            out.write("[req]\ndistinguished_name = dn\n[dn]\n")
        self.make("ca", "/CN=test-ca", ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,digitalSignature"])
        serving = "IP:127.0.0.1,IP:10.96.0.1,IP:%s,DNS:localhost,DNS:kubernetes.default.svc" % NODE_IP
        self.leaf("apiserver", "/CN=kube-apiserver", "serverAuth", serving)
        self.leaf("admin", "/O=system:masters/CN=admin", "clientAuth")
        self.leaf("apiserver-kubelet", "/O=system:masters/CN=apiserver-kubelet", "clientAuth")
        self.leaf("controller-manager", "/CN=system:kube-controller-manager", "clientAuth")
        self.leaf("scheduler", "/CN=system:kube-scheduler", "clientAuth")
        self.leaf("kube-proxy", "/CN=system:kube-proxy", "clientAuth")
        self.leaf("kubelet", "/O=system:nodes/CN=system:node:" + NODE_NAME, "clientAuth,serverAuth", "IP:" + NODE_IP)
        run(["openssl", "genpkey", "-algorithm", "RSA", "-out", self.path("sa.key")])
        run(["openssl", "pkey", "-in", self.path("sa.key"), "-pubout", "-out", self.path("sa.pub")])

    def path(self, name):
        return os.path.join(self.folder, name)

    def make(self, name, subject, extensions, signer=()):
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "30",
             "-config", self.path("openssl.cnf"), "-subj", subject, "-keyout", self.path(name + ".key"),
             "-out", self.path(name + ".crt"), *signer] + [word for e in extensions for word in ("-addext", e)])

    def leaf(self, name, subject, usage, names=None):
        extensions = ["basicConstraints=CA:FALSE", "keyUsage=digitalSignature", "extendedKeyUsage=" + usage]
        self.make(name, subject, extensions + (["subjectAltName=" + names] if names else []),
                  ["-CA", self.path("ca.crt"), "-CAkey", self.path("ca.key")])


def run(argv, timeout=60):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout)
    if done.returncode != 0:
        raise Failed("%s: %s" % (" ".join(argv[:6]), done.stderr.strip()[-2000:]))
    return done.stdout


class Cluster:
    def __init__(self, level, folder):
        self.level, self.folder = level, folder
        self.processes = {}  # name -> Popen
        self.node_pid = None  # pid 1 of the node's namespaces, as seen from outside
        self.took_ms = {}
        self.cgroup = CGROUP + str(os.getpid())
        for name in ("log", "etcd"):
            os.makedirs(self.path(name))
        self.keys = Keys(self.path("pki"))
        own_network = level == "node"
        self.api_port, self.etcd_port, self.peer_port = (6443, 2379, 2380) if own_network else free_ports(3)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def inside(self, argv, spaces="-mnpu"):
        """The words of a command, run inside the node where there is one."""
        if self.node_pid is None:
            return argv
        return ["nsenter", "-t", str(self.node_pid), *["-" + s for s in spaces.strip("-")], "--"] + argv

    def start(self, name, argv):
        log = open(self.path("log", name + ".log"), "ab")
        dies_with_us = ["setpriv", "--pdeathsig", "KILL", "--"]
        self.processes[name] = subprocess.Popen(dies_with_us + self.inside(argv), stdin=subprocess.DEVNULL, stdout=log,
                                                stderr=log, start_new_session=True)
        log.close()

    def tail(self, name, lines=15):
        with open(self.path("log", name + ".log"), errors="replace") as log:
            return "".join(log.readlines()[-lines:])

    def wait(self, name, is_ready):
        """Polls until `is_ready`; fails when the process ends or time is up."""
        begun = time.monotonic()
        while not is_ready():
            if self.processes[name].poll() is not None:
                raise Failed("%s ended: \n%s" % (name, self.tail(name)))
            if time.monotonic() > begun + START_SECONDS:
                raise Failed("%s is not ready after %d s:\n%s" % (name, START_SECONDS, self.tail(name)))
            time.sleep(0.1)
        self.took_ms[name] = round((time.monotonic() - begun) * 1000)

    def succeeds(self, argv):
        try:
            return subprocess.run(self.inside(argv), capture_output=True, timeout=20).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def kubeconfig(self, user):
        path = self.path(user + ".kubeconfig")
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": "https://127.0.0.1:%d" % self.api_port,
                                                      "certificate-authority": self.keys.path("ca.crt")}}],
            "users": [{"name": user, "user": {"client-certificate": self.keys.path(user + ".crt"),
                                              "client-key": self.keys.path(user + ".key")}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}]}
        with open(path, "w") as out:
            json.dump(config, out)
        return path

    def kubectl(self, *words):
        return [os.path.join(BIN, "kubectl"), "--kubeconfig", self.path("admin.kubeconfig"), *words]

    # The control plane.

    def up_etcd(self):
        client, peer = ("http://127.0.0.1:%d" % p for p in (self.etcd_port, self.peer_port))
        self.start("etcd", [os.path.join(BIN, "etcd"), "--name", "t", "--data-dir", self.path("etcd"), "--unsafe-no-fsync",
                            "--log-level", "warn", "--listen-client-urls", client, "--advertise-client-urls", client,
                            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "t=" + peer])
        self.wait("etcd", lambda: self.succeeds(["curl", "-fsS", "-m", "5", client + "/health"]))

    def up_api(self):
        key = self.keys.path
        argv = [os.path.join(BIN, "kube-apiserver"), "--etcd-servers=http://127.0.0.1:%d" % self.etcd_port,
                "--secure-port=%d" % self.api_port, "--tls-cert-file=" + key("apiserver.crt"),
                "--tls-private-key-file=" + key("apiserver.key"), "--client-ca-file=" + key("ca.crt"),
                "--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=" + key("sa.pub"),
                "--service-account-signing-key-file=" + key("sa.key"), "--service-cluster-ip-range=" + SERVICE_CIDR,
                "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--profiling=false"]
        if self.level == "node":
            argv += ["--bind-address=0.0.0.0", "--advertise-address=" + NODE_IP,
                     "--kubelet-client-certificate=" + key("apiserver-kubelet.crt"),
                     "--kubelet-client-key=" + key("apiserver-kubelet.key"),
                     "--kubelet-certificate-authority=" + key("ca.crt"), "--kubelet-preferred-address-types=InternalIP"]
        else:
            argv += ["--bind-address=127.0.0.1", "--endpoint-reconciler-type=none",
                     "--disable-admission-plugins=ServiceAccount"]
        self.kubeconfig("admin")
        self.start("kube-apiserver", argv)
        self.wait("kube-apiserver", lambda: self.succeeds(self.kubectl("get", "--raw", "/readyz")))

    def up_controllers(self):
        key = self.keys.path
        self.start("kube-controller-manager", [
            os.path.join(BIN, "kube-controller-manager"), "--kubeconfig=" + self.kubeconfig("controller-manager"),
            "--bind-address=127.0.0.1", "--leader-elect=false", "--service-account-private-key-file=" + key("sa.key"),
            "--root-ca-file=" + key("ca.crt"), "--use-service-account-credentials", "--allocate-node-cidrs=false"])
        self.start("kube-scheduler", [os.path.join(BIN, "kube-scheduler"), "--kubeconfig=" + self.kubeconfig("scheduler"),
                                      "--bind-address=127.0.0.1", "--leader-elect=false"])
        self.wait("kube-controller-manager",
                  lambda: self.succeeds(self.kubectl("-n", "default", "get", "serviceaccount", "default")))

    # The node.

    def up_namespaces(self):
        for name in ("kubelet", "containerd", "varlog", "cni"):
            os.makedirs(self.path(name))
        for parent in cgroup_roots():
            remove_stale_cgroups(parent)
            if not os.path.exists(os.path.join(parent, "cgroup.controllers")) or parent == CGROUP_ROOT:
                make_cgroup(parent, self.cgroup)  # beside version 1, a version 2 without controllers is left to runc
        self.start("node", ["unshare", "--net", "--mount", "--pid", "--uts", "--fork", "--kill-child=SIGKILL", "--mount-proc",
                            "--propagation", "private", os.path.join(HERE, "node_init.sh"), self.folder, NODE_NAME, NODE_IP,
                            os.path.join(BIN, "podapp")])
        self.wait("node", lambda: os.path.exists(self.path("ready")))
        # setpriv becomes unshare, whose only child is pid 1.
        unshare = self.processes["node"].pid
        with open("/proc/%d/task/%d/children" % (unshare, unshare)) as children:
            self.node_pid = int(children.read().split()[0])

    def up_containerd(self, images):
        with open(os.path.join(HERE, "containerd.toml")) as template:
            text = template.read()
        with open(self.path("containerd.toml"), "w") as out:
            out.write(text)
        bridge = {"cniVersion": "0.4.0", "name": "pods", "plugins": [
            {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": False, "hairpinMode": True,
             "ipam": {"type": "host-local", "dataDir": "/run/cni", "ranges": [[{"subnet": POD_CIDR}]],
                      "routes": [{"dst": "0.0.0.0/0"}]}},
            {"type": "portmap", "capabilities": {"portMappings": True}}]}
        with open(self.path("cni", "10-bridge.conflist"), "w") as out:
            json.dump(bridge, out)
        self.start("containerd", ["containerd", "--config", self.path("containerd.toml")])
        self.wait("containerd", lambda: self.succeeds(self.ctr("version")))
        for image in images:
            run(self.inside(self.ctr("images", "import", image)), timeout=START_SECONDS)

    def ctr(self, *words):
        return ["ctr", "-a", CONTAINERD_SOCKET, "-n", "k8s.io", *words]

    def up_kubelet(self):
        config = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
            "failCgroupV1": False, "cgroupDriver": "cgroupfs", "cgroupRoot": "/" + self.cgroup, "failSwapOn": False,
            "containerRuntimeEndpoint": "unix://" + CONTAINERD_SOCKET, "address": NODE_IP,
            "tlsCertFile": self.keys.path("kubelet.crt"), "tlsPrivateKeyFile": self.keys.path("kubelet.key"),
            "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True},
                               "x509": {"clientCAFile": self.keys.path("ca.crt")}},
            "authorization": {"mode": "Webhook"},
            "clusterDNS": [NODE_IP], "clusterDomain": "cluster.local", "resolvConf": self.path("resolv.conf"),
            "syncFrequency": "5s",  # else changes of a ConfigMap take about a minute
            "nodeStatusUpdateFrequency": "5s", "shutdownGracePeriod": "0s", "imageGCHighThresholdPercent": 100,
            "evictionHard": {"memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%",
                             "nodefs.inodesFree": "0%"}}
        with open(self.path("kubelet.yaml"), "w") as out:
            json.dump(config, out)
        with open(self.path("resolv.conf"), "w") as out:
            out.write("nameserver %s\n" % NODE_IP)
        self.start("kubelet", [os.path.join(BIN, "kubelet"), "--config=" + self.path("kubelet.yaml"),
                               "--kubeconfig=" + self.kubeconfig("kubelet"), "--hostname-override=" + NODE_NAME,
                               "--node-ip=" + NODE_IP])
        self.wait("kubelet", lambda: self.succeeds(
            self.kubectl("wait", "--for=condition=Ready", "node/" + NODE_NAME, "--timeout=1s")))

    def up_services(self):
        """kube-proxy and DNS; both run beside the kubelet, not as pods."""
        run(self.inside(self.kubectl("create", "clusterrolebinding", "node-proxier", "--clusterrole=system:node-proxier",
                                     "--user=system:kube-proxy")))
        self.start("kube-proxy", [
            os.path.join(BIN, "kube-proxy"), "--kubeconfig=" + self.kubeconfig("kube-proxy"),
            "--hostname-override=" + NODE_NAME, "--proxy-mode=iptables", "--cluster-cidr=" + POD_CIDR,
            "--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0",
            "--bind-address=" + NODE_IP, "--healthz-bind-address=127.0.0.1", "--metrics-bind-address=127.0.0.1"])
        with open(self.path("Corefile"), "w") as out:
            out.write(".:53 {\n bind %s\n errors\n ready 127.0.0.1:8181\n kubernetes cluster.local in-addr.arpa ip6.arpa {\n"
                      "  kubeconfig %s test\n }\n template ANY ANY {\n  rcode NXDOMAIN\n }\n}\n"
                      % (NODE_IP, self.path("admin.kubeconfig")))
        self.start("coredns", [os.path.join(BIN, "coredns"), "-conf", self.path("Corefile")])
        self.wait("kube-proxy", lambda: self.succeeds(["curl", "-fsS", "-m", "5", "http://127.0.0.1:10256/healthz"]))
        self.wait("coredns", lambda: self.succeeds(["curl", "-fsS", "-m", "5", "http://127.0.0.1:8181/ready"]))

    def up(self, images):
        begun = time.monotonic()
        if self.level == "node":
            self.up_namespaces()
        self.up_etcd()
        self.up_api()
        if self.level == "node":
            self.up_containerd(images)
            self.up_controllers()
            self.up_kubelet()
            self.up_services()
        self.took_ms["all"] = round((time.monotonic() - begun) * 1000)

    def describe(self):
        """What a client needs: words to put before a command so that it runs in the cluster's network, and the kubeconfig."""
        return {"enter": self.inside([], spaces="-n"), "enter_all": self.inside([]), "ctr": self.ctr(),
                "kubeconfig": self.path("admin.kubeconfig"), "took_ms": self.took_ms, "cgroup": self.cgroup}

    def down(self):
        if self.node_pid is not None:
            os.kill(self.node_pid, signal.SIGKILL)
            try:
                self.processes["node"].wait(timeout=30)  # pid 1 is gone when everything in its namespace is
            except subprocess.TimeoutExpired:
                print("cluster.py: the node does not end", file=sys.stderr)
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait()
        if self.level == "node":
            for parent in cgroup_roots():
                remove_cgroup(os.path.join(parent, self.cgroup))
        shutil.rmtree(self.folder, ignore_errors=True)


def cgroup_roots():
    """The roots under which the node's own cgroup lies: one a controller with version 1, one with version 2."""
    if os.path.exists(os.path.join(CGROUP_ROOT, "cgroup.controllers")):
        return [CGROUP_ROOT]
    return [d for d in sorted(glob.glob(os.path.join(CGROUP_ROOT, "*"))) if os.path.exists(os.path.join(d, "cgroup.procs"))
            and not os.path.islink(d)]


def make_cgroup(parent, name):
    folder = os.path.join(parent, name)
    os.makedirs(folder, exist_ok=True)
    for setting in ("cpuset.cpus", "cpuset.mems"):  # version 1: empty in a new group, and then nothing may run in it
        if os.path.exists(os.path.join(folder, setting)):
            with open(os.path.join(parent, setting)) as from_, open(os.path.join(folder, setting), "w") as to:
                to.write(from_.read())


def remove_stale_cgroups(parent):
    """Those of a cluster.py that was killed with SIGKILL: its processes died with it, nobody removed the empty groups."""
    for folder in glob.glob(os.path.join(parent, CGROUP + "*")):
        if not os.path.exists("/proc/" + folder.rpartition("-")[2]):
            remove_cgroup(folder, seconds=2)


def remove_cgroup(folder, seconds=20):
    """Groups can be removed when the last killed process in them is reaped: that is a moment after the kill."""
    end = time.monotonic() + seconds
    while os.path.isdir(folder) and time.monotonic() < end:
        for path, _, _ in os.walk(folder, topdown=False):
            try:
                os.rmdir(path)
            except OSError:
                time.sleep(0.05)


class Asked(Exception):
    pass


def on_signal(number, _frame):
    raise Asked(number)


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in ("api", "node"):
        print(__doc__.split("\n\n")[1], file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, on_signal)
    cluster = Cluster(sys.argv[1], os.path.abspath(sys.argv[2]))
    try:
        cluster.up(sys.argv[3:])
        print(json.dumps(cluster.describe()), flush=True)
        sys.stdin.read()
    except Asked:
        pass
    except Failed as why:
        print("cluster.py: %s" % why, file=sys.stderr)
        return 1
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        cluster.down()
    return 0


if __name__ == "__main__":
    sys.exit(main())
