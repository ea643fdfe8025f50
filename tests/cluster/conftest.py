"""Fixtures of the cluster tests: the two clusters, and what is printed when a test fails. tests/README.md says how to run them."""
import json
import os
import signal

import pytest

from figures import rows
from kube import Cluster

# No test takes a minute on an idle machine.
TEST_SECONDS = 420


@pytest.fixture(scope="session")
def api():
    with Cluster("api") as cluster:
        yield cluster


@pytest.fixture(scope="session")
def node():
    """A node with the images of REMORA_CLUSTER_IMAGES (run.sh makes them); Remora's also as :2, for upgrades."""
    with Cluster("node", os.environ["REMORA_CLUSTER_IMAGES"].split(":")) as cluster:
        remora = os.environ["REMORA_CLUSTER_REMORA"]
        for name in ("test.local/remora:1", "test.local/remora:2"):
            cluster.ctr("images", "tag", remora, name)
        yield cluster


MEASURED = {}


@pytest.fixture(scope="session")
def figures():
    """Measured values; told at the end of the run, and written to the file that REMORA_CLUSTER_FIGURES names."""
    yield MEASURED
    if "REMORA_CLUSTER_FIGURES" in os.environ:
        with open(os.environ["REMORA_CLUSTER_FIGURES"], "w") as out:
            json.dump(MEASURED, out, indent=1)


def pytest_terminal_summary(terminalreporter):
    """All of them, and the rows of docs/kubernetes.md."""
    if MEASURED:
        terminalreporter.write_line("figures: " + json.dumps(MEASURED, indent=1))
        terminalreporter.write_line("\n".join(rows(MEASURED)))


def pytest_sessionstart():
    """When time is up, say what was reached; the clusters go with their fixtures."""
    def time_is_up(_signal, _frame):
        pytest.exit("the time limit of the whole run is over", returncode=1)

    signal.signal(signal.SIGTERM, time_is_up)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    def too_long(_signal, _frame):
        raise AssertionError("%s takes more than %d s" % (item.name, TEST_SECONDS))

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(TEST_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    shown = set()
    for fixture in item.funcargs.values():
        if hasattr(fixture, "explain"):
            try:
                shown.add(fixture.explain())
            except Exception as why:  # the cluster may be gone: the test's own failure matters more
                shown.add("cannot be shown: %r" % why)
    report.sections += [("the namespace", text) for text in shown]
