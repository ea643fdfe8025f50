"""Alerts fire where they are meant to and nowhere else, as Prometheus's own evaluator says: `promtool test rules` of alerts/cases.yaml."""
import os
import re
import shutil
import subprocess

import pytest
import yaml

from chart import CACHE, CHART, HERE

ALERTS = yaml.safe_load((CHART / "files/alerts.yaml").read_text())
PROMTOOL = os.environ.get("REMORA_PROMTOOL") or str(CACHE / "promtool")


@pytest.fixture(scope="module")
def promtool():
    if not os.access(PROMTOOL, os.X_OK):
        why = f"no promtool at {PROMTOOL}: tests/cluster/build.sh promtool builds it, REMORA_PROMTOOL names another"
        pytest.fail(why) if os.environ.get("CI") == "true" else pytest.skip(why)
    return lambda folder, *arguments: subprocess.run([PROMTOOL, *arguments], cwd=folder, capture_output=True, text=True, timeout=120)


def judged(promtool, folder, alerts):
    """The cases with these alerts, without their words, which a case would have to repeat."""
    rules = [{name: value for name, value in alert.items() if name != "annotations"} for alert in alerts]
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "remora", "rules": rules}]}))
    shutil.copy(HERE / "alerts/cases.yaml", folder)
    return promtool(folder, "test", "rules", "cases.yaml")


def test_alerts_fire_where_they_are_meant_to(promtool, tmp_path):
    result = judged(promtool, tmp_path, ALERTS)
    assert result.returncode == 0, result.stdout + result.stderr


def test_words_of_alerts_are_templates(promtool, tmp_path):
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "remora", "rules": ALERTS}]}))
    result = promtool(tmp_path, "check", "rules", "rules.yaml")
    assert result.returncode == 0 and f"{len(ALERTS)} rules found" in result.stdout, result.stdout + result.stderr


COUNTED = r" or ((\S+) > 0) and \(count.*\[(\w+)\]\)\)\)"
STARTED = r" or \S+ > 0 and on [^<]*\)$"
SINCE = r" or \2 unless \2 offset \3"  # what these once were: after a gap W long, all that was ever counted
FOR_6H = r" or \2 unless last_over_time(\2[6h] offset \3)"


@pytest.mark.parametrize("alert, pattern, instead", [
    ("RemoraProviderKeyRefused", r"75", "15"), ("RemoraProviderKeyRefused", COUNTED, ""), ("RemoraShedding", COUNTED, ""),
    ("RemoraCostUnknown", COUNTED, ""), ("RemoraProviderKeyRefused", STARTED, ")"), ("RemoraProviderKeyRefused", COUNTED, SINCE),
    ("RemoraProviderKeyRefused", COUNTED, FOR_6H), ("RemoraShedding", COUNTED, SINCE), ("RemoraCostUnknown", COUNTED, SINCE),
    ("RemoraProviderKeyMissing", COUNTED, SINCE), ("RemoraProviderKeyMissing", "no_credential", "zdr"), ("RemoraNobodyLeft", '!="no_credential"', '!=""'),
    ("RemoraCircuitOpen", r"max_over_time\((.*)\[10m\]\)", r"\1"), ("RemoraCircuitOpen", "== 2", ">= 1")])
def test_the_cases_see(promtool, tmp_path, alert, pattern, instead):
    """What these alerts once were."""
    def changed(one):
        before = re.sub(r"\s+", " ", one["expr"])
        after = re.sub(pattern, instead, before)
        assert one["alert"] != alert or after != before
        return {**one, "expr": after} if one["alert"] == alert else one

    result = judged(promtool, tmp_path, [changed(one) for one in ALERTS])
    assert result.returncode != 0 and alert in result.stdout + result.stderr
