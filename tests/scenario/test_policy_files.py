"""Policy layers from files of their own: waited for when absent, reloaded when they change, told of when they are wrong."""
import json
import os
import signal
import subprocess
import time

from gateway import SECRETS, Remora, two_providers
from test_grpc import pb  # noqa: F401
from upstream import build_dir


def config(upstream, path, layer="mesh"):
    return two_providers(upstream, "ok", more=f"policy_files: {{{layer}: {path}}}\n")


def wait_status(remora, path, expected, seconds=10):
    end = time.monotonic() + seconds
    while True:
        status, _, text = remora.request("GET", path, port=remora.probe_port)
        if status == expected or time.monotonic() > end:
            assert status == expected, text
            return text.decode()
        time.sleep(0.02)


def wait_for(is_so, seconds=10):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def health(remora, stubs, service=""):
    import grpc
    from wire_health.v1 import health_pb2, health_pb2_grpc
    with grpc.insecure_channel(f"127.0.0.1:{remora.grpc_port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        return health_pb2.HealthCheckResponse.ServingStatus.Name(
            stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=10).status)


def models(remora, pb):
    """The status of ListModels."""
    import grpc
    with grpc.insecure_channel(f"127.0.0.1:{remora.grpc_port}") as channel:
        try:
            pb.gateway_grpc.ModelServiceStub(channel).ListModels(pb.gateway.ListModelsRequest(), timeout=10)
        except grpc.RpcError as error:
            return error.code().name
    return "OK"


def test_an_absent_file_is_waited_for_and_no_request_is_served_meanwhile(upstream, tmp_path, stubs, pb):  # noqa: F811
    path = tmp_path / "later" / "mesh.yaml"  # its folder is not there either
    with Remora(config(upstream, path), environment=SECRETS) as remora:
        assert wait_status(remora, "/readyz", 503) == "not ready: the mesh policy is absent\n"
        assert wait_status(remora, "/startupz", 200) and wait_status(remora, "/livez", 200)
        assert health(remora, stubs) == "NOT_SERVING" and health(remora, stubs, "liveness") == "SERVING"
        status, headers, answer = remora.chat({"model": "t/m"})
        assert status == 503 and headers["retry-after"] == "1"
        assert answer["error"]["metadata"]["reason"] == "SHEDDING"
        assert "the mesh policy is absent" in answer["error"]["message"]
        for path_of_list in ("/v1/models", "/v1/models/t/m", "/api/v1/model/t/m", "/v1/models/t/none", "/v1/models/t/m/endpoints",
                             "/v1/models/count", "/v1/models/user", "/v1/providers", "/v1/endpoints/zdr"):
            status, headers, body = remora.request("GET", path_of_list)
            reason = json.loads(body)["error"]["metadata"]["reason"]
            assert (status, headers["retry-after"], reason) == (503, "1", "SHEDDING"), path_of_list
        assert models(remora, pb) == "UNAVAILABLE"
        path.parent.mkdir()
        path.write_text("provider: {ignore: [a]}\n")
        remora.wait_log("configuration loaded")
        assert wait_status(remora, "/readyz", 200) == "ok\n"
        assert health(remora, stubs) == "SERVING"
        assert remora.chat({"model": "t/m"})[2]["provider"] == "b"


def test_the_kubelet_s_swap_of_a_policy_is_a_reload(upstream, tmp_path):
    folder = tmp_path / "mesh"
    folder.mkdir()
    for name, text in (("one", "{}\n"), ("two", "provider: {ignore: [a]}\n")):
        (folder / f"..{name}").mkdir()
        (folder / f"..{name}" / "policy.yaml").write_text(text)
    os.symlink("..one", folder / "..data")
    os.symlink("..data/policy.yaml", folder / "policy.yaml")
    with Remora(config(upstream, folder / "policy.yaml"), environment=SECRETS) as remora:
        assert remora.chat({"model": "t/m"})[2]["provider"] == "a"
        first = remora.wait_log("ready")[0]["revision"]
        os.symlink("..two", folder / "..data_tmp")
        os.rename(folder / "..data_tmp", folder / "..data")
        loaded = remora.wait_log("configuration loaded", seconds=5)[0]
        assert loaded["revision"] != first
        assert remora.chat({"model": "t/m"})[2]["provider"] == "b"


def test_a_wrong_or_deleted_file_changes_nothing_and_says_why(upstream, tmp_path):
    path = tmp_path / "service.yaml"
    path.write_text("provider: {ignore: [a]}\n")
    with Remora(config(upstream, path, "service"), environment=SECRETS) as remora:
        path.write_text("provider:\n  ignored: [b]\n")
        refused = remora.wait_log("configuration refused")[0]
        assert refused["error"].startswith(f"{path}:2:3: unknown key"), refused
        assert refused["path"] == "policy_files.service.provider.ignored"
        path.unlink()
        refused = remora.wait_log("configuration refused", count=2)[1]
        assert refused["error"].endswith(f"{path} is absent") and refused["kept"] == "service", refused
        assert remora.metrics()["remora_config_last_reload_successful"] == 0
        remora.process.send_signal(signal.SIGHUP)
        assert "absent" in remora.wait_log("configuration refused", count=3)[2]["error"]
        assert wait_status(remora, "/readyz", 200) == "ok\n"
        assert remora.chat({"model": "t/m"})[2]["provider"] == "b"


def test_a_wrong_layer_does_not_hold_up_the_others(upstream, tmp_path):
    """Who may write the lowest layer could keep every later change of the ceiling away."""
    paths = {layer: tmp_path / f"{layer}.yaml" for layer in ("mesh", "namespace", "service")}
    for path in paths.values():
        path.write_text("{}\n")
    named = ", ".join(f"{layer}: {path}" for layer, path in paths.items())
    with Remora(two_providers(upstream, "ok", more=f"policy_files: {{{named}}}\n"), environment=SECRETS) as remora:
        assert remora.chat({"model": "t/m"})[2]["provider"] == "a"
        paths["service"].write_text("limits: {concurency: 1}\n")
        refused = remora.wait_log("configuration refused")[0]
        assert refused["kept"] == "service" and refused["path"] == "policy_files.service.limits.concurency", refused
        paths["mesh"].write_text("provider: {ignore: [a]}\n")
        remora.wait_log("configuration refused", count=2)
        remora.wait_log("configuration loaded in part", count=2)
        assert remora.chat({"model": "t/m"})[2]["provider"] == "b", "the mesh's new layer binds"
        paths["namespace"].unlink()
        assert remora.wait_log("configuration refused", count=3)[2]["kept"] == "namespace and service"
        paths["mesh"].write_text("models: {deny: ['*']}\n")
        wait_for(lambda: remora.chat({"model": "t/m"})[0] == 403)
        assert remora.metrics()["remora_config_last_reload_successful"] == 0 and wait_status(remora, "/readyz", 200)
        paths["service"].write_text("{}\n")
        paths["namespace"].write_text("{}\n")
        paths["mesh"].write_text("{}\n")
        wait_for(lambda: remora.chat({"model": "t/m"})[2].get("provider") == "a")
        wait_for(lambda: remora.metrics()["remora_config_last_reload_successful"] == 1)


def test_a_layer_that_a_running_process_cannot_read_yet_holds_up_nothing(upstream, tmp_path):
    """A chart turns a layer on: pods that run have no mount for it, and go on with all the rest until they are replaced."""
    mesh, later = tmp_path / "mesh.yaml", tmp_path / "later" / "service.yaml"
    mesh.write_text("{}\n")
    with Remora(config(upstream, mesh), environment=SECRETS) as remora:
        remora.config_path.write_text(two_providers(upstream, "ok", more=f"policy_files: {{mesh: {mesh}, service: {later}}}\n"))
        assert remora.wait_log("configuration refused")[0]["kept"] == "service"
        mesh.write_text("provider: {ignore: [a]}\n")
        wait_for(lambda: remora.chat({"model": "t/m"})[2]["provider"] == "b")
        assert wait_status(remora, "/readyz", 200) == "ok\n"
        later.parent.mkdir()
        later.write_text("models: {deny: ['*']}\n")
        remora.process.send_signal(signal.SIGHUP)
        wait_for(lambda: remora.chat({"model": "t/m"})[0] == 403)


def test_a_document_does_not_lift_the_ceiling_of_a_process_that_runs(upstream, tmp_path):
    mesh = tmp_path / "mesh.yaml"
    mesh.write_text("provider: {ignore: [a]}\n")
    with Remora(config(upstream, mesh), environment=SECRETS) as remora:
        remora.config_path.write_text(two_providers(upstream, "ok"))
        refused = remora.wait_log("configuration refused")[0]
        assert refused["path"] == "policy_files.mesh" and "restart" in refused["error"] and refused["kept"] == "document", refused
        assert remora.chat({"model": "t/m"})[2]["provider"] == "b"


def test_what_layers_judge_by_is_the_documents_and_who_calls_is_not(upstream, tmp_path):
    """In a process that runs, too: docs/policy.md and docs/kubernetes.md say so of who may write it."""
    mesh, service = tmp_path / "mesh.yaml", tmp_path / "service.yaml"
    mesh.write_text("provider: {data_collection: deny}\n")
    service.write_text("{}\n")
    files = f"policy_files: {{mesh: {mesh}, service: {service}}}\n"
    with Remora(two_providers(upstream, "ok", more=files), environment={**SECRETS, "OTHER_HASH": "0" * 64}) as remora:
        assert remora.chat({"model": "t/m"})[2]["error"]["message"].count("data_policy:training") == 1
        remora.config_path.write_text(two_providers(upstream, "ok", more=files, first_provider=", data_policy: {training: false}"))
        wait_for(lambda: remora.chat({"model": "t/m"})[0] == 200)
        other = "keys: {other: {service: other, hash: {env: OTHER_HASH}}}\n"
        remora.config_path.write_text(two_providers(upstream, "ok", more=files + other))
        refused = remora.wait_log("configuration refused")[0]
        assert refused["path"] == "keys.other.service" and refused["kept"] == "document", refused
        assert remora.chat({"model": "t/m"})[0] == 200


def test_a_wrong_document_holds_up_neither_a_layer_nor_a_key(upstream, tmp_path):
    mesh, key = tmp_path / "mesh.yaml", tmp_path / "key"
    mesh.write_text("provider: {ignore: [b]}\n")
    key.write_text("key-one")
    key.chmod(0o600)
    text = config(upstream, mesh).replace("{env: A_SECRET}", f"{{file: {key}}}")
    with Remora(text, environment=SECRETS) as remora:
        remora.config_path.write_text(text.replace("models:", "modells:"))
        refused = remora.wait_log("configuration refused")[0]
        assert refused["path"] == "modells" and refused["kept"] == "document", refused
        key.write_text("key-two")
        remora.wait_log("configuration refused", count=2)
        assert remora.chat({"model": "t/m"})[0] == 200 and upstream.last()["header"]["authorization"] == "Bearer key-two"
        mesh.write_text("models: {deny: ['*']}\n")
        wait_for(lambda: remora.chat({"model": "t/m"})[0] == 403)
        assert remora.metrics()["remora_config_last_reload_successful"] == 0
        mesh.write_text("limits: {concurency: 1}\n")
        assert remora.wait_log("configuration refused", count=4)[3]["kept"] == "document and mesh"
        remora.config_path.unlink()
        wait_for(lambda: "Cannot open" in remora.log())
        assert remora.chat({"model": "t/m"})[0] == 403


def test_a_pipe_in_place_of_the_document_is_refused(upstream, tmp_path):
    with Remora(two_providers(upstream, "ok"), environment=SECRETS) as remora:
        remora.config_path.unlink()
        os.mkfifo(remora.config_path)
        remora.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "is no regular file any more" in remora.log())
        assert remora.chat({"model": "t/m"})[0] == 200


def test_a_key_is_rotated_while_a_layer_is_gone(upstream, tmp_path):
    path, key = tmp_path / "mesh.yaml", tmp_path / "key"
    path.write_text("provider: {ignore: [b]}\n")
    key.write_text("key-one")
    key.chmod(0o600)
    text = config(upstream, path).replace("{env: A_SECRET}", f"{{file: {key}}}")
    assert str(key) in text
    with Remora(text, environment=SECRETS) as remora:
        assert remora.chat({"model": "t/m"})[0] == 200
        path.unlink()
        assert "absent" in remora.wait_log("configuration refused")[0]["error"]
        key.write_text("key-two")

        def uses_the_new_key():
            assert remora.chat({"model": "t/m"})[2]["provider"] == "a", "the ceiling stays"
            return upstream.last()["header"]["authorization"] == "Bearer key-two"

        wait_for(uses_the_new_key)
        assert remora.metrics()["remora_credential_reloads_total"] == 1, "counted, though not all was taken"


def test_a_wrong_file_stops_the_start_and_check(upstream, tmp_path):
    policy, document = tmp_path / "mesh.yaml", tmp_path / "remora.yaml"
    document.write_text(config(upstream, policy))
    policy.write_text("limits: {concurrency: none}\n")
    for arguments in (["check", str(document)], ["serve", "--config", str(document), "--http", "off", "--grpc", "off", "--probe",
                                                 "off", "--admin", "off"]):
        result = subprocess.run([str(build_dir() / "remora"), *arguments], capture_output=True, text=True, timeout=60,
                                env={**os.environ, **SECRETS})
        assert result.returncode == 1
        assert f"policy_files.mesh.limits.concurrency: {policy}:1:23: expected a whole number" in result.stderr
    policy.unlink()
    result = subprocess.run([str(build_dir() / "remora"), "check", "--strict", str(document)], capture_output=True, text=True,
                            timeout=60, env={**os.environ, **SECRETS})
    assert result.returncode == 1 and f"policy_files.mesh: {policy} is absent" in result.stderr
