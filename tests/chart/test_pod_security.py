"""Pod Security "restricted" on every pod that the chart renders or a sidecar is pasted into, and what we ask beyond it.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/ (restricted, all versions up to 1.37), read 2026-11.
"""
import copy

import pytest

from chart import MATRIX, application, pods

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
SYSCTLS = {"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start", "net.ipv4.tcp_syncookies",
           "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout",
           "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"}


def containers_of(pod):
    return pod["spec"].get("initContainers", []) + pod["spec"]["containers"]


def wrong_in_pod(pod):
    spec, own = pod["spec"], pod["spec"].get("securityContext", {})
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(key):
            yield key
    for volume in spec.get("volumes", []):
        if not (set(volume) - {"name"}) <= VOLUMES:
            yield f"volume {volume['name']}"
    for sysctl in own.get("sysctls", []):
        if sysctl["name"] not in SYSCTLS:
            yield f"sysctl {sysctl['name']}"


def wrong_in_container(container, pod_context):
    context = container.get("securityContext", {})
    both = {**pod_context, **context}
    if context.get("privileged"):
        yield "privileged"
    if context.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    if "ALL" not in context.get("capabilities", {}).get("drop", []):
        yield "capabilities.drop"
    if set(context.get("capabilities", {}).get("add", [])) - {"NET_BIND_SERVICE"}:
        yield "capabilities.add"
    if both.get("runAsNonRoot") is not True:
        yield "runAsNonRoot"
    if both.get("runAsUser") == 0:
        yield "runAsUser"
    if both.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield "seccompProfile"
    if context.get("procMount", "Default") != "Default":
        yield "procMount"
    if both.get("appArmorProfile", {}).get("type", "RuntimeDefault") == "Unconfined":
        yield "appArmorProfile"
    if both.get("windowsOptions", {}).get("hostProcess"):
        yield "hostProcess"
    for port in container.get("ports", []):
        if port.get("hostPort"):
            yield "hostPort"
    probes = [container.get(name, {}) for name in ("startupProbe", "readinessProbe", "livenessProbe")]
    probes += list(container.get("lifecycle", {}).values())
    if any(probe.get(kind, {}).get("host") for probe in probes for kind in ("httpGet", "tcpSocket")):
        yield "host of a probe"


def wrong(pod, inherits=True):
    """What restricted refuses; without `inherits` as if the pod said nothing for its containers."""
    context = pod["spec"].get("securityContext", {}) if inherits else {}
    return list(wrong_in_pod(pod)) + [f"{c['name']}: {what}" for c in containers_of(pod) for what in wrong_in_container(c, context)]


@pytest.mark.parametrize("files", MATRIX.values(), ids=MATRIX)
def test_every_pod_is_restricted(helm3, files):
    found = {name: pod for name, pod in pods(helm3.render(files))}
    assert found
    for name, pod in found.items():
        assert not wrong(pod), name
        assert not wrong(pod, inherits=False), f"{name}: a container leans on its pod"


@pytest.mark.parametrize("files", MATRIX.values(), ids=MATRIX)
def test_what_we_ask_beyond_it(helm3, files):
    for name, pod in pods(helm3.render(files)):
        is_pasted = name.startswith("ConfigMap")
        for container in [c for c in containers_of(pod) if c["name"] != "app"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, name
            assert container["resources"]["limits"]["memory"] and container["resources"]["requests"], name
            assert all(m["readOnly"] for m in container.get("volumeMounts", [])), name
            assert not container["image"].endswith(":latest") and ":" in container["image"].split("@")[0], name
            hides = "/var/run/secrets/kubernetes.io/serviceaccount" in [m["mountPath"] for m in container.get("volumeMounts", [])]
            assert hides if is_pasted else pod["spec"]["automountServiceAccountToken"] is False, f"{name}: an API token it does not need"


def test_ids_are_left_to_openshift(helm3):
    def ids(value):
        if isinstance(value, dict):
            return [k for k in value if k in ("runAsUser", "runAsGroup", "fsGroup")] + [i for v in value.values() for i in ids(v)]
        return [i for v in value for i in ids(v)] if isinstance(value, list) else []
    for name, pod in pods(helm3.render(MATRIX["openshift"])):
        assert not [i for c in containers_of(pod) if c["name"] != "app" for i in ids(c)], name
        assert not ids(pod["spec"].get("securityContext", {})), name
    assert any(ids(pod["spec"]) for _, pod in pods(helm3.render(MATRIX["both"])))


@pytest.mark.parametrize("files, expected", [("sidecar", 0o444), ("gateway", 0o440), ("openshift", 0o440)])
def test_keys_can_be_read_by_their_user_and_as_few_others_as_may_be(helm3, files, expected):
    modes = {v["secret"]["defaultMode"] for name, pod in pods(helm3.render(MATRIX[files])) for v in pod["spec"].get("volumes", [])
             if v["name"] == "remora-credentials" and "gateway-config" not in name}
    assert modes == {expected}


@pytest.mark.parametrize("change", ["hostNetwork", "volume", "root", "capabilities", "seccomp", "hostPort", "escalation"])
def test_the_check_sees(change):
    pod = copy.deepcopy(application())
    assert not wrong(pod)
    context = pod["spec"]["containers"][0]["securityContext"]
    {"hostNetwork": lambda: pod["spec"].update(hostNetwork=True),
     "volume": lambda: pod["spec"].update(volumes=[{"name": "h", "hostPath": {"path": "/"}}]),
     "root": lambda: context.update(runAsUser=0),
     "capabilities": lambda: context.pop("capabilities"),
     "seccomp": lambda: context.pop("seccompProfile"),
     "hostPort": lambda: pod["spec"]["containers"][0].update(ports=[{"containerPort": 1, "hostPort": 1}]),
     "escalation": lambda: context.pop("allowPrivilegeEscalation")}[change]()
    assert wrong(pod)
