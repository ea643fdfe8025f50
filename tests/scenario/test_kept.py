"""What a load leaves as it was in a process that runs: a certificate or authorities that cannot be taken, and whatever cannot be read
for want of a descriptor. Nothing of it revokes a key, and nothing holds up the revocation of another."""
import json
import os
import resource
import shutil
import signal

import pytest

from gateway import SECRETS, Remora
from peers import ChatUpstream, authority
from test_keys import KEY, OTHER, with_keys, write_hash
from test_policy_files import wait_for
from test_rotation import NEW, OLD, sent, write_key


@pytest.fixture(scope="module")
def authorities(tmp_path_factory):
    folder = tmp_path_factory.mktemp("authorities")
    return authority(folder, "one"), authority(folder, "two")


def status_of(remora, key):
    return remora.request("GET", "/v1/models", headers={"Authorization": f"Bearer {key}"})[0]


def config_status(remora):
    return json.loads(remora.request("GET", "/config/status", port=remora.admin_port)[2])


def is_last_load_whole(remora):
    return remora.metrics()["remora_config_last_reload_successful"] == 1


def break_pair(folder, other):
    shutil.copy(other / "key.pem", folder / "key.pem")


def delete_certificate(folder, _):
    (folder / "cert.pem").unlink()


def delete_client_ca(folder, _):
    (folder / "ca.pem").unlink()


@pytest.mark.parametrize("damage", [break_pair, delete_certificate, delete_client_ca])
def test_a_certificate_that_cannot_be_taken_holds_up_no_revocation_and_no_ceiling(upstream, tmp_path, authorities, damage):
    one, two = authorities
    folder = shutil.copytree(one, tmp_path / "tls")
    mesh = tmp_path / "mesh.yaml"
    mesh.write_text("{}\n")
    for name, key in (("ci", KEY), ("app", OTHER)):
        write_hash(tmp_path / name, key)
    client_ca = f", client_ca_file: {folder}/ca.pem" if damage is delete_client_ca else ""
    more = f"tls: {{cert_file: {folder}/cert.pem, key_file: {folder}/key.pem{client_ca}}}\npolicy_files: {{mesh: {mesh}}}\n"
    with Remora(with_keys(upstream, tmp_path, more=more), environment=SECRETS) as remora:
        assert status_of(remora, KEY) == 200 and status_of(remora, OTHER) == 200
        damage(folder, two)
        refused = remora.wait_log("configuration refused")[0]
        assert refused["kept"] == "tls" and refused["path"].startswith("tls"), refused
        assert not is_last_load_whole(remora) and config_status(remora)["last_error"].startswith("tls")
        (tmp_path / "ci").unlink()
        wait_for(lambda: status_of(remora, KEY) == 401)
        mesh.write_text("models: {deny: ['*']}\n")
        wait_for(lambda: remora.chat({"model": "t/m"}, headers={"x-api-key": OTHER})[0] != 200)
        assert status_of(remora, OTHER) == 200 and not is_last_load_whole(remora)
        for name in ("cert.pem", "key.pem", "ca.pem"):
            shutil.copy(two / name, folder / name)
        wait_for(lambda: is_last_load_whole(remora))
        assert config_status(remora).get("last_error", "") == "" and status_of(remora, KEY) == 401


@pytest.mark.parametrize("content", [None, "garbage\n"])
def test_authorities_that_cannot_be_taken_hold_up_nothing_and_stay(tmp_path, authorities, content):
    """The provider is still believed by those that were read last, and by no others."""
    one, two = authorities
    ca, mesh, key = tmp_path / "ca.pem", tmp_path / "mesh.yaml", tmp_path / "key"
    shutil.copy(one / "ca.pem", ca)
    mesh.write_text("{}\n")
    write_key(key, OLD)
    with ChatUpstream(tls=one) as server:
        text = (f"version: 1\nproviders:\n  p: {{kind: openai, base_url: '{server.base_url}', api_key: {{file: {key}}}, ca_file: {ca}}}\n"
                f"models:\n  t/m: {{endpoints: [{{provider: p, model_id: m}}]}}\npolicy_files: {{mesh: {mesh}}}\n")
        with Remora(text) as remora:
            assert remora.chat({"model": "t/m"})[0] == 200
            ca.unlink() if content is None else ca.write_text(content)
            refused = remora.wait_log("configuration refused")[0]
            assert refused["kept"] == "ca_file" and refused["path"] == "providers.p.ca_file", refused
            assert not is_last_load_whole(remora) and config_status(remora)["last_error"].startswith("providers.p.ca_file")
            write_key(key, NEW)
            wait_for(lambda: remora.metrics()["remora_credential_reloads_total"] == 1)
            assert remora.chat({"model": "t/m"})[0] == 200 and sent(server) == [f"Bearer {OLD}", f"Bearer {NEW}"]
            mesh.write_text("models: {deny: ['*']}\n")
            wait_for(lambda: remora.chat({"model": "t/m"})[0] != 200)
            shutil.copy(one / "ca.pem", ca)
            wait_for(lambda: is_last_load_whole(remora))


def take_descriptors(remora, hard):
    """As if all were in use: those below four are since the start (the last of them is for signals); what it opens from now on fails."""
    resource.prlimit(remora.process.pid, resource.RLIMIT_NOFILE, (4, hard))


def test_descriptors_that_are_used_up_revoke_nothing(tmp_path):
    write_key(tmp_path / "key", OLD)
    write_hash(tmp_path / "ci", KEY)
    mesh = tmp_path / "mesh.yaml"
    mesh.write_text("{}\n")
    text = ("version: 1\nproviders:\n  p: {kind: openai, base_url: '%s', api_key: {file: %s}, headers: {x-team: {file: %s}}}\n"
            "models:\n  t/m: {endpoints: [{provider: p, model_id: m}]}\n"
            "keys: {ci: {service: build, hash: {file: %s}}}\npolicy_files: {mesh: %s}\n")
    with ChatUpstream() as server:
        with Remora(text % (server.base_url, tmp_path / "key", tmp_path / "key", tmp_path / "ci", mesh)) as remora:
            assert remora.chat({"model": "t/m"}, headers={"x-api-key": KEY})[0] == 200
            soft, hard = resource.prlimit(remora.process.pid, resource.RLIMIT_NOFILE)
            take_descriptors(remora, hard)
            remora.process.send_signal(signal.SIGHUP)
            refused = remora.wait_log("configuration refused")[0]
            assert refused["kept"] == "document, mesh and keys" and "Too many open files" in refused["error"], refused
            remora.wait_log("configuration refused", count=2)  # it tries again by itself
            assert "lets nobody in" not in remora.log()
            resource.prlimit(remora.process.pid, resource.RLIMIT_NOFILE, (soft, hard))
            assert remora.chat({"model": "t/m"}, headers={"x-api-key": KEY})[0] == 200, "nothing was revoked"
            assert sent(server) == [f"Bearer {OLD}"] * 2 and server.requests[-1]["headers"]["x-team"] == OLD
            remora.wait_log("configuration loaded", seconds=20)  # and once more, without a change of any file
            assert is_last_load_whole(remora)
            (tmp_path / "ci").unlink()
            wait_for(lambda: status_of(remora, KEY) == 401)


def test_what_a_start_could_not_read_is_read_again(tmp_path):
    """A link that leads to itself stands for a mount that is sick."""
    os.symlink("key", tmp_path / "key")
    with ChatUpstream() as server:
        text = (f"version: 1\nproviders:\n  p: {{kind: openai, base_url: '{server.base_url}', api_key: {{file: {tmp_path}/key}}}}\n"
                "models:\n  t/m: {endpoints: [{provider: p, model_id: m}]}\n")
        with Remora(text) as remora:
            assert remora.chat({"model": "t/m"})[0] != 200
            remora.wait_log("configuration loaded", seconds=10)
            assert remora.chat({"model": "t/m"})[0] != 200, "nothing was ever held"
