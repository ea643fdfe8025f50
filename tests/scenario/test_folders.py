"""Folders of keys and policies that are deleted, moved or replaced whole, and come back: noticed without a signal."""
import os
import shutil
import time

import pytest

from gateway import SECRETS, Remora, two_providers
from test_keys import BEARER, KEY, OTHER, with_keys, write_hash
from test_policy_files import config, wait_for, wait_status
from test_rotation import loads, swap


FOREIGN = "rk-canary-ffffffffffffffffffffffffffffffffffffff"


def folder_of_hashes(path, key=KEY):
    path.mkdir(parents=True)
    write_hash(path / "ci", key)
    write_hash(path / "app", OTHER)
    return path


def loads_of_all_kinds(remora):
    """Logged when every worker has it: each gets its own snapshot, one after another."""
    return len([line for line in remora.log_lines() if line.get("message", "").startswith("configuration loaded")])


def changes(remora, change, status, headers=BEARER):
    before = loads_of_all_kinds(remora)
    change()
    wait_for(lambda: loads_of_all_kinds(remora) > before and remora.chat({"model": "t/m"}, headers=headers)[0] == status, seconds=10)


WAYS = {"deleted": (lambda base: shutil.rmtree(base / "secrets/keys"), lambda base: folder_of_hashes(base / "secrets/keys")),
        "moved": (lambda base: (base / "secrets/keys").rename(base / "away"), lambda base: (base / "away").rename(base / "secrets/keys")),
        "above deleted": (lambda base: shutil.rmtree(base / "secrets"), lambda base: folder_of_hashes(base / "secrets/keys")),
        "above moved": (lambda base: (base / "secrets").rename(base / "away"), lambda base: (base / "away").rename(base / "secrets")),
        "moved and made anew": (lambda base: (base / "secrets").rename(base / "away"), lambda base: folder_of_hashes(base / "secrets/keys"))}


@pytest.mark.parametrize("how", WAYS)
def test_keys_whose_folder_is_taken_away_are_refused_until_it_is_back(upstream, tmp_path, how):
    take, give = WAYS[how]
    keys = folder_of_hashes(tmp_path / "secrets/keys")
    with Remora(with_keys(upstream, keys), environment=SECRETS) as remora:
        for _ in range(2):
            assert remora.chat({"model": "t/m"}, headers=BEARER)[0] == 200
            changes(remora, lambda: take(tmp_path), 401)
            changes(remora, lambda: give(tmp_path), 200)
            shutil.rmtree(tmp_path / "away", ignore_errors=True)
        changes(remora, lambda: write_hash(keys / "ci", FOREIGN), 401)  # and what is in it is watched as before
        assert remora.chat({"model": "t/m"}, headers={"x-api-key": OTHER})[0] == 200


def test_a_link_to_the_folder_that_is_turned_is_a_change(upstream, tmp_path):
    """As releases are switched: the new link is renamed over the old one; nothing happens in either folder."""
    folder_of_hashes(tmp_path / "one/keys")
    folder_of_hashes(tmp_path / "two/keys", FOREIGN)
    os.symlink("one", tmp_path / "current")
    with Remora(with_keys(upstream, tmp_path / "current/keys"), environment=SECRETS) as remora:
        for to, status in (("two", 401), ("one", 200), ("two", 401)):
            changes(remora, lambda to=to: swap(tmp_path, "current", to), status)
        assert loads(remora) == 3


def test_a_folder_that_was_never_there_is_waited_for(upstream, tmp_path):
    keys = tmp_path / "a/b/keys"
    with Remora(with_keys(upstream, keys), environment=SECRETS) as remora:
        assert remora.chat({"model": "t/m"}, headers=BEARER)[0] == 401
        (tmp_path / "a").mkdir()
        remora.wait_log("configuration loaded")
        (tmp_path / "a/b").mkdir()
        remora.wait_log("configuration loaded", 2)
        changes(remora, lambda: folder_of_hashes(keys), 200)


def test_a_policy_whose_folder_is_gone_stays_and_is_told_and_its_return_is_read(upstream, tmp_path):
    mesh = tmp_path / "policies/mesh.yaml"
    mesh.parent.mkdir()
    mesh.write_text("provider: {ignore: [a]}\n")
    with Remora(config(upstream, mesh), environment=SECRETS) as remora:
        assert remora.chat({"model": "t/m"})[2]["provider"] == "b"
        shutil.rmtree(mesh.parent)
        refused = remora.wait_log("configuration refused")[0]
        assert refused["error"].endswith(f"{mesh} is absent") and refused["kept"] == "mesh", refused
        assert remora.metrics()["remora_config_last_reload_successful"] == 0
        assert remora.chat({"model": "t/m"})[2]["provider"] == "b" and wait_status(remora, "/readyz", 200)
        mesh.parent.mkdir()
        mesh.write_text("provider: {ignore: [b]}\n")
        wait_for(lambda: remora.chat({"model": "t/m"})[2]["provider"] == "a", seconds=5)


def test_a_layer_that_is_wrong_when_it_comes_is_told_once(upstream, tmp_path):
    mesh = tmp_path / "policies/mesh.yaml"
    with Remora(config(upstream, mesh), environment=SECRETS) as remora:
        assert wait_status(remora, "/readyz", 503)
        mesh.parent.mkdir()
        mesh.write_text("limits: {concurency: 1}\n")
        remora.wait_log("configuration refused")
        time.sleep(1.5)  # longer than an absent file is looked for
        refused = [line for line in remora.log_lines() if line.get("message") == "configuration refused"]
        assert [line["path"] for line in refused] == ["policy_files.mesh.limits.concurency"], refused
        mesh.write_text("{}\n")
        assert wait_status(remora, "/readyz", 200)


def test_a_document_whose_folder_is_moved_away_is_told(upstream, tmp_path):
    home = tmp_path / "etc/remora"
    home.mkdir(parents=True)
    (home / "remora.yaml").write_text(two_providers(upstream, "ok"))
    with Remora(arguments=["--config", str(home / "remora.yaml")], environment=SECRETS) as remora:
        (tmp_path / "etc").rename(tmp_path / "away")
        refused = remora.wait_log("configuration refused")[0]
        assert "Cannot open" in refused["error"] and refused["kept"] == "document", refused
        home.mkdir(parents=True)
        (home / "remora.yaml").write_text(two_providers(upstream, "ok").replace("provider: a, model_id", "provider: b, tag: b/x, model_id"))
        wait_for(lambda: remora.chat({"model": "t/m"})[2]["provider"] == "b", seconds=5)


@pytest.mark.parametrize("path", ["mesh.yaml", "sub/mesh.yaml"])
def test_a_volume_that_is_swapped_settles_once(upstream, tmp_path, path):
    """As the kubelet does it, the old data deleted behind it; the folders on the way are watched besides."""
    top, volume = path.split("/")[0], tmp_path / "volumes/mesh"
    for name, text in (("one", "{}\n"), ("two", "provider: {ignore: [a]}\n")):
        (volume / f"..{name}" / path).parent.mkdir(parents=True)
        (volume / f"..{name}" / path).write_text(text)
    os.symlink("..one", volume / "..data")
    os.symlink(f"..data/{top}", volume / top)
    with Remora(config(upstream, volume / path), environment=SECRETS) as remora:
        swap(volume, "..data", "..two")
        shutil.rmtree(volume / "..one")
        wait_for(lambda: remora.chat({"model": "t/m"})[2]["provider"] == "b", seconds=5)
        time.sleep(1.5)
        assert loads(remora) == 1
