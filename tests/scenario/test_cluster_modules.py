"""The modules that the cluster's tools are built from: what two of them share is compiled once."""
import pathlib
import re

MODULES = pathlib.Path(__file__).resolve().parents[1] / "cluster/modules"


def required(folder):
    """{module: version} of its go.mod"""
    return dict(re.findall(r"^(?:require )?\t?([\w.-]+\.\w+/\S+) (v\S+)", (MODULES / folder / "go.mod").read_text(), re.M))


def test_both_helms_agree_on_every_module_that_they_share():
    """A package that differs in one thing below it is compiled twice: with a few versions apart that was nearly all of Helm."""
    helm3, helm4 = required("helm3"), required("helm4")
    shared = set(helm3) & set(helm4)
    assert len(shared) > 80 and not {name: (helm3[name], helm4[name]) for name in shared if helm3[name] != helm4[name]}
