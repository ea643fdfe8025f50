"""Keys in files that change while the process runs: what was refused of the old one does not stick to the new one; what does not
concern the configuration is not a reload."""
import contextlib
import ctypes
import os
import signal
import threading
import time

import pytest

from gateway import Remora
from peers import ChatUpstream
from test_policy_files import wait_for

OLD, NEW = "sk-canary-old-000000000000", "sk-canary-new-111111111111"


def write_key(path, key):
    path.write_text(key + "\n")
    path.chmod(0o600)


def config(server, key):
    return (f"version: 1\nservice: checkout\nproviders:\n  p: {{kind: openai, base_url: '{server.base_url}', api_key: {{file: '{key}'}}}}\n"
            "models:\n  t/m: {endpoints: [{provider: p, model_id: m}]}\n")


def swap(folder, link, to):
    os.symlink(to, folder / f"{link}_tmp")
    os.rename(folder / f"{link}_tmp", folder / link)


def loads(remora):
    return len([line for line in remora.log_lines() if line.get("message") == "configuration loaded"])


def ask(remora):
    status, _, body = remora.chat({"model": "t/m"})
    return status, body["error"]["metadata"]["reason"] if status != 200 else None


def sent(server):
    return [r["headers"]["authorization"] for r in server.requests]


def test_a_refused_key_whose_file_changes_is_used_at_once(tmp_path):
    write_key(tmp_path / "key", OLD)
    with ChatUpstream(statuses={f"Bearer {OLD}": 401}) as server:
        with Remora(config(server, tmp_path / "key")) as remora:
            assert ask(remora) == (502, "UPSTREAM_CREDENTIAL")
            assert ask(remora)[0] == 502 and sent(server) == [f"Bearer {OLD}"], "benched: not asked again"
            remora.process.send_signal(signal.SIGHUP)
            remora.wait_log("configuration loaded")
            assert ask(remora)[0] == 502 and sent(server) == [f"Bearer {OLD}"], "the same content: still benched"
            assert remora.metrics()["remora_credential_reloads_total"] == 0
            write_key(tmp_path / "key", NEW)
            remora.wait_log("configuration loaded", 2)
            assert ask(remora) == (200, None)
            assert sent(server) == [f"Bearer {OLD}", f"Bearer {NEW}"]
            assert remora.metrics()["remora_credential_reloads_total"] == 1
            assert remora.wait_log("configuration loaded", 2)[-1]["changed_keys"] == 1
            assert "sk-canary" not in remora.log()


def test_a_key_that_is_turned_back_to_a_refused_one_is_asked_again(tmp_path):
    write_key(tmp_path / "key", OLD)
    with ChatUpstream(statuses={f"Bearer {OLD}": 401}) as server:
        with Remora(config(server, tmp_path / "key")) as remora:
            ask(remora)
            for loaded, (key, status) in enumerate([(NEW, 200), (OLD, 502), (NEW, 200)], 1):
                write_key(tmp_path / "key", key)
                remora.wait_log("configuration loaded", loaded)
                assert ask(remora)[0] == status
            assert sent(server) == [f"Bearer {k}" for k in (OLD, NEW, OLD, NEW)]


def test_a_busy_folder_is_no_reload_and_hides_none(tmp_path):
    """Others write into the folder of the key all the time, faster than the quiet time of a burst."""
    write_key(tmp_path / "key", OLD)
    with ChatUpstream() as server:
        with Remora(config(server, tmp_path / "key")) as remora:
            for i in range(30):
                (tmp_path / f"other{i % 3}").write_text(str(i))
                time.sleep(0.05)
            time.sleep(0.5)
            assert loads(remora) == 0
            write_key(tmp_path / "key", NEW)
            end = time.monotonic() + 10
            while loads(remora) == 0 and time.monotonic() < end:
                (tmp_path / "other").write_text("x")
                time.sleep(0.05)
            assert loads(remora) == 1
            assert ask(remora)[0] == 200 and sent(server) == [f"Bearer {NEW}"]


def test_a_file_that_is_written_without_a_pause_is_read_within_seconds(tmp_path):
    write_key(tmp_path / "key", OLD)
    with ChatUpstream() as server:
        with Remora(config(server, tmp_path / "key")) as remora:
            end = time.monotonic() + 15
            while loads(remora) == 0 and time.monotonic() < end:
                write_key(tmp_path / "next", NEW)
                os.rename(tmp_path / "next", tmp_path / "key")
                time.sleep(0.05)
            assert loads(remora) == 1


@pytest.mark.parametrize("path", ["key", "sub/key"])
def test_a_mounted_secret_is_swapped_whole(tmp_path, path):
    """As the kubelet does it: top entries of the volume are links through ..data, and the old folder is deleted after the swap."""
    top = path.split("/")[0]
    for name, key in (("old", OLD), ("new", NEW)):
        (tmp_path / f"..{name}" / path).parent.mkdir(parents=True)
        write_key(tmp_path / f"..{name}" / path, key)
    os.symlink("..old", tmp_path / "..data")
    os.symlink(f"..data/{top}", tmp_path / top)
    with ChatUpstream(statuses={f"Bearer {OLD}": 401}) as server:
        with Remora(config(server, tmp_path / path)) as remora:
            assert ask(remora)[0] == 502
            swap(tmp_path, "..data", "..new")
            for file in sorted((tmp_path / "..old").rglob("*"), reverse=True):
                file.rmdir() if file.is_dir() else file.unlink()
            (tmp_path / "..old").rmdir()
            remora.wait_log("configuration loaded")
            assert ask(remora) == (200, None)
            write_key(tmp_path / "..new" / "other", OLD)  # beside it: nothing of ours
            time.sleep(0.6)
            assert loads(remora) == 1


def test_a_key_whose_file_is_deleted_is_no_longer_sent(tmp_path):
    write_key(tmp_path / "key", OLD)
    with ChatUpstream() as server:
        with Remora(config(server, tmp_path / "key")) as remora:
            assert ask(remora)[0] == 200
            (tmp_path / "key").unlink()
            remora.wait_log("configuration loaded", seconds=10)
            assert ask(remora)[0] != 200
            warning = remora.wait_log("configuration warning")[-1]
            assert warning["path"] == "providers.p.api_key", warning
            write_key(tmp_path / "key", NEW)
            remora.wait_log("configuration loaded", 2)
            assert ask(remora)[0] == 200
            assert sent(server) == [f"Bearer {k}" for k in (OLD, NEW)]


def test_a_file_that_is_deleted_and_written_anew_is_never_missing(tmp_path):
    """As some programs save: nothing is read in between, however many quarters of a second it takes them."""
    write_key(tmp_path / "key", OLD)
    with ChatUpstream() as server:
        with Remora(config(server, tmp_path / "key")) as remora:
            (tmp_path / "key").unlink()
            end = time.monotonic() + 0.6
            while time.monotonic() < end:
                assert ask(remora)[0] == 200
            write_key(tmp_path / "key", NEW)
            remora.wait_log("configuration loaded")
            assert ask(remora)[0] == 200
            assert loads(remora) == 1
            assert set(sent(server)) == {f"Bearer {OLD}", f"Bearer {NEW}"} and sent(server)[-1] == f"Bearer {NEW}"


def narrow(first, last):
    """A document whose policy stands behind everything else."""
    return (config(first, last) + "services:\n  checkout:\n    models: {allow: ['t/m']}\n    provider:\n      max_attempts: 1\n"
            "      ignore: [nobody]\n")


def pieces(text):
    """What a cut leaves of it, at places all over."""
    return [text[:at] for at in range(11, len(text), max(1, len(text) // 40))]


def test_what_a_full_disk_leaves_of_a_document_is_not_taken(tmp_path):
    write_key(tmp_path / "key", OLD)
    with ChatUpstream() as server:
        text = narrow(server, tmp_path / "key").replace("[nobody]", "[p]")
        with Remora(text) as remora:
            assert ask(remora)[0] != 200, "p is ignored"
            for nth, piece in enumerate([p for p in pieces(text) if not p.endswith("\n")], 1):
                remora.config_path.write_text(piece)
                remora.process.send_signal(signal.SIGHUP)
                remora.wait_log("configuration refused", nth)
            assert loads(remora) == 0 and ask(remora)[0] != 200
            assert "may have been cut off: the one in force ends with a line break" in remora.log()
            remora.config_path.write_text(text + "...\n")
            remora.wait_log("configuration loaded")
            before = len(remora.wait_log("configuration refused"))
            ends = [text[:at + 1] for at, byte in enumerate(text) if byte == "\n"]
            for nth, piece in enumerate(ends + [text + "..", text + "."], 1):
                remora.config_path.write_text(piece)
                remora.process.send_signal(signal.SIGHUP)
                remora.wait_log("configuration refused", before + nth)
            assert loads(remora) == 1 and ask(remora)[0] != 200
            remora.config_path.write_text(text.replace("[p]", "[nobody]") + "...\n")
            remora.wait_log("configuration loaded", 2)
            assert ask(remora)[0] == 200


def test_what_is_left_of_a_policy_file_is_not_taken(tmp_path):
    write_key(tmp_path / "key", OLD)
    policy = tmp_path / "mesh.yaml"
    policy.write_text("limits: {concurrency: 9}\nprovider: {ignore: [p]}\n")
    with ChatUpstream() as server:
        with Remora(config(server, tmp_path / "key") + f"policy_files: {{mesh: '{policy}'}}\n") as remora:
            assert ask(remora)[0] != 200
            policy.write_text("limits: {concurrency: 9}")
            refused = remora.wait_log("configuration refused")
            assert f"{policy} may have been cut off" in refused[-1]["error"] and ask(remora)[0] != 200
            policy.write_text("limits: {concurrency: 9}\n")
            remora.wait_log("configuration loaded")
            assert ask(remora)[0] == 200


def test_a_document_is_not_read_while_somebody_writes_it(tmp_path):
    """It is new, so its folder tells of it long before it is closed; and a key beside it changes meanwhile."""
    write_key(tmp_path / "key", OLD)
    with ChatUpstream() as server:
        text = narrow(server, tmp_path / "key")
        with Remora(text) as remora:
            os.remove(remora.config_path)
            with open(remora.config_path, "w", encoding="utf-8") as file:
                for nth, line in enumerate(text.replace("nobody", "p").splitlines(keepends=True) + ["# done\n"] * 20):
                    file.write(line)
                    file.flush()
                    if nth == 8:
                        write_key(tmp_path / "key", NEW)
                    time.sleep(0.1)
                assert loads(remora) == 0 and "configuration refused" not in remora.log()
            remora.wait_log("configuration loaded")
            assert ask(remora)[0] != 200, "p is ignored"
            assert loads(remora) == 1 and "configuration refused" not in remora.log()


@contextlib.contextmanager
def when_read(path):
    """Gives what waits until somebody has read the file to its end and closed it."""
    libc = ctypes.CDLL(None)
    told = libc.inotify_init1(0)
    assert libc.inotify_add_watch(told, os.fsencode(path), 0x10) >= 0  # IN_CLOSE_NOWRITE
    yield lambda: os.read(told, 4096)
    os.close(told)


# Takes its time between the reading of the document and of the key.
LONG = "".join(f"  alias-{i}: t/m\n" for i in range(9000))


def test_a_swap_between_the_document_and_its_key_pairs_nothing_old_with_new(tmp_path):
    with ChatUpstream() as before, ChatUpstream() as after:
        for name, server, key in (("..old", before, OLD), ("..new", after, NEW)):
            (tmp_path / name).mkdir()
            write_key(tmp_path / name / "key", key)
            (tmp_path / name / "remora.yaml").write_text(config(server, tmp_path / "key") + "aliases:\n" + LONG)
        os.symlink("..old", tmp_path / "..data")
        for name in ("key", "remora.yaml"):
            os.symlink(f"..data/{name}", tmp_path / name)
        with Remora(arguments=("--config", str(tmp_path / "remora.yaml"))) as remora:
            assert ask(remora) == (200, None)
            with when_read(tmp_path / "remora.yaml") as wait:
                remora.process.send_signal(signal.SIGHUP)
                wait()
                swap(tmp_path, "..data", "..new")
            wait_for(lambda: ask(remora) == (200, None) and after.requests, seconds=60)  # a sanitizer takes seconds for so many
            assert set(sent(before)) == {f"Bearer {OLD}"} and set(sent(after)) == {f"Bearer {NEW}"}


def test_a_swap_while_a_start_reads_is_seen(tmp_path):
    """Of a folder that nothing watches yet: its name stands in the document that is being read."""
    volume = tmp_path / "secrets"
    for name, key in (("..old", OLD), ("..new", NEW)):
        (volume / name).mkdir(parents=True)
        write_key(volume / name / "key", key)
    os.symlink("..old", volume / "..data")
    os.symlink("..data/key", volume / "key")
    with ChatUpstream() as server:
        path = tmp_path / "remora.yaml"
        others = "".join(f"  q{i}: {{kind: openai, base_url: 'http://localhost:1', api_key: {{file: {volume}/key}}}}\n" for i in range(300))
        path.write_text(config(server, volume / "key").replace("models:\n", others + "models:\n"))
        with when_read(volume / "key") as wait:
            thread = threading.Thread(target=lambda: (wait(), swap(volume, "..data", "..new")), daemon=True)
            thread.start()
            with Remora(arguments=("--config", str(path))) as remora:
                thread.join()
                wait_for(lambda: ask(remora) == (200, None) and sent(server)[-1] == f"Bearer {NEW}", seconds=60)
