#!/usr/bin/env python3
"""What the scenarios take from registries and build of it once, made before they begin: npm packages, Go programs, the stubs and
example of each language. The scenarios make what is absent themselves; this way they do not wait for it, and runs of them beside
one another do not wait for each other. A tool that is not on this machine is theirs to speak of.

usage: .venv/bin/python tests/scenario/prepare.py      exit status 1: something could not be made
"""
import concurrent.futures
import pathlib
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import aimock  # noqa: E402
import clients  # noqa: E402
import test_stubs  # noqa: E402

MADE = {
    **{f"packages of {folder.relative_to(clients.ROOT)}": lambda folder=folder: clients.install(folder)
       for folder in (clients.NODE, aimock.FOLDER, clients.ROOT / "examples/node")},
    **{name: lambda name=name: clients.go_tool(name) for name in clients.GO_TOOLS},
    **{f"{name} of tests/clients/go": lambda name=name: clients.go_client(name) for name in clients.GO_CLIENTS},
    **{f"stubs and example: {language}": lambda language=language: test_stubs.commands(language) for language in test_stubs.BUILDERS},
}


def make(name):
    """What went wrong, or nothing."""
    began = time.monotonic()
    try:
        MADE[name]()
    except (pytest.skip.Exception, pytest.fail.Exception) as missing:
        print(f"{name}: {missing}")
    except (Exception, SystemExit) as error:
        print(f"{name}: FAILED: {error}")
        return name
    print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
    return None


def main():
    with concurrent.futures.ThreadPoolExecutor(4) as pool:  # what is fetched is waited for
        return 1 if any(list(pool.map(make, MADE))) else 0


if __name__ == "__main__":
    sys.exit(main())
