import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from chart import HELMS, Helm  # noqa: E402


def helm_of(name):
    path = HELMS[name]
    if not os.access(path, os.X_OK):
        why = f"no {name} at {path}: tests/cluster/build.sh {name} builds it, REMORA_{name.upper()} names another"
        pytest.fail(why) if os.environ.get("CI") == "true" else pytest.skip(why)
    return Helm(path)


@pytest.fixture(scope="session", params=sorted(HELMS))
def helm(request):
    """Helm 3, then Helm 4."""
    return helm_of(request.param)


@pytest.fixture(scope="session")
def helm3():
    return helm_of("helm3")
