"""What tests/bench/bench.py makes of what it measured; it measures nothing here."""
import operator
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))
import bench  # noqa: E402


class Options:
    seconds = 1


@pytest.fixture
def measured():
    """A bench without programs: two gateways, and a machine that was slow in its second round."""
    made = bench.Bench.__new__(bench.Bench)
    made.options, made.results, made.details = Options(), {}, {}
    for nginx, remora in ((10, 12), (30, 36), (10, 20)):
        made.note("paced_cpu_us_per_chunk", "nginx-unbuffered", nginx)
        made.note("paced_cpu_us_per_chunk", "remora", remora)
    return made


def test_a_target_is_judged_by_the_median_of_its_rounds(measured):
    rounds = {what: rounds for what, _, rounds, _, _ in measured.targets()}
    paced = rounds["SSE paced, CPU per chunk against nginx unbuffered"]
    assert paced == [1.2, 1.2, 2.0]
    assert bench.figure_of(paced) == 1.2
    assert (bench.verdict(paced, 1.2), bench.verdict(paced, 1.1), bench.verdict([], 1)) == (
        "within", "missed", "not measured")


@pytest.mark.parametrize("status", [0, 1])
def test_a_program_that_misses_its_bound_is_told(status, tmp_path, capsys):
    program = tmp_path / "tests/bench/catalog_bench"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho every key\nexit {status}\n")
    program.chmod(0o755)
    assert bench.print_micro_benchmarks(tmp_path) == (status == 0)
    told = capsys.readouterr().out
    assert "catalog_bench every key" in told
    assert ("MISSED: exit status 1" in told) == (status == 1)


def test_latencies_are_compared_round_by_round(measured):
    for nginx, remora in ((100, 130), (300, 340), (100, 500)):
        measured.note("unary_c1_p50_us", "nginx", nginx)
        measured.note("unary_c1_p50_us", "remora", remora)
    rounds = measured.rounds_of(operator.sub, "unary_c1_p50_us", "remora", "unary_c1_p50_us", "nginx")
    assert (rounds, bench.figure_of(rounds)) == ([30, 40, 400], 40)


def test_what_is_compared_is_measured_side_by_side(measured, monkeypatch):
    class Gateway:
        def __init__(self, name):
            self.name = name

    order = []
    measured.gateways = [Gateway(name) for name in ("nginx", "nginx-unbuffered", "remora")]
    measured.remora, measured.echo, measured.ghz_program = measured.gateways[2], Gateway("echo"), "ghz"
    measured.options.rounds = 2
    monkeypatch.setattr(measured, "unary", lambda gateway, c: order.append((f"c={c}", gateway.name)))
    monkeypatch.setattr(measured, "stream", lambda gateway, kind, _: order.append((kind, gateway.name)))
    monkeypatch.setattr(measured, "grpc", lambda kind, method, clients, parallel, label, gateway=None, least=0: order.append(
        (label, (gateway or measured.remora).name)))
    monkeypatch.setattr(measured, "grpc_burst", lambda: order.append(("grpc_burst", "remora")))
    monkeypatch.setattr(measured, "ghz", lambda gateway: order.append(("ghz", gateway.name)))
    measured.rounds()
    assert order[:5] == [("c=32", "nginx"), ("c=32", "nginx-unbuffered"), ("c=32", "remora"),
                         ("grpc_unary_c32", "remora"), ("grpc_unary_c32", "echo")]
    once = len(order) // 2
    assert order[once:once + 5] == [*order[1:5], order[0]]
    assert sorted(order[:once]) == sorted(order[once:])
