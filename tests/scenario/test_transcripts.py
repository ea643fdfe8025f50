"""Answers byte for byte, over real sockets, against the reviewed transcripts in tests/golden/transcripts.

To write them anew: REMORA_GOLDEN=write tools/scenarios.sh build -k transcripts, then read the diff.
"""
import concurrent.futures
import os

import pytest

from transcripts import ANSWERS, FAILURES, MEDIA, ROUTES, WAITING, answer, gateway
from upstream import ROOT

WHOLE = ANSWERS + MEDIA + FAILURES + ROUTES
GOLDEN = ROOT / "tests/golden/transcripts"


@pytest.fixture(scope="module")
def served(upstream):
    with gateway(upstream, WHOLE + WAITING) as remora:
        yield remora


def assert_golden(is_, name):
    path = GOLDEN / name
    if os.environ.get("REMORA_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(is_)
    expected = path.read_bytes()
    assert is_.decode() == expected.decode(), path
    assert is_ == expected


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: case.name)
def test_a_stream_is_its_transcript(served, case):
    assert_golden(answer(served, case, True), case.name + ".sse")


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: case.name)
def test_a_unary_answer_is_its_transcript(served, case):
    assert_golden(answer(served, case, False) + b"\n", case.name + ".json")


def test_silence_is_told_in_comments_and_spends_the_status_only(served):
    """The ten seconds are real: all cases wait at once."""
    with concurrent.futures.ThreadPoolExecutor(len(WAITING)) as pool:
        answers = list(pool.map(lambda case: answer(served, case, True), WAITING))
    for case, text in zip(WAITING, answers):
        assert text.count(b": REMORA PROCESSING\n\n") == 1
        assert_golden(text, case.name + ".sse")


def test_every_transcript_has_a_case():
    names = {case.name + end for case in WHOLE for end in (".sse", ".json")} | {
        case.name + ".sse" for case in WAITING}
    assert {path.name for path in GOLDEN.iterdir()} == names
