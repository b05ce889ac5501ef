"""What /admin says, in a terminal."""

from __future__ import annotations

import pytest

from app.commands.screen import screen
from app.domain.confidence import Attempt, Confidence
from app.domain.handoff import Continuation, Handoff, Reason
from app.telemetry.decisions import Record
from tests.app.builders import job

MODE = {"mode": "balanced", "in_force": "balanced", "why": "it was chosen"}


def cell_of(record: Record, column: str, following: str) -> str:
    """What its row says between those two heads."""
    head, row = screen("http://gateway", MODE, [], [], [record.describe()], 200)[-2:]
    return row[head.index(column) : head.index(following)].strip()


def backend_of(record: Record) -> str:
    """The cell that says who wrote."""
    return cell_of(record, "BACKEND", "OUTCOME")


def attempt(model: str, result: str, probability: float | None = None) -> Attempt:
    return Attempt("box", model, None if probability is None else Confidence(probability, "prior"), result=result)


def test_an_answer_that_moved_shows_its_way_and_one_that_did_not_who_wrote_it() -> None:
    record = Record(job(), 0.0)
    told = [backend_of(record)]
    record.backend = "gpu"
    told.append(backend_of(record))
    record.backend = "npu"
    record.handoffs = [
        Handoff(Reason.HEAT, "too hot", "gpu", "cpu", Continuation.KV, result="completed"),
        Handoff(Reason.HEAT, "too hot", "cpu", "cpu", Continuation.WAIT, result="completed"),
        Handoff(Reason.FAULT, "it broke off", "cpu", "box", Continuation.TOKENS, result="failed"),
        Handoff(Reason.FAULT, "it broke off", "cpu", "npu", Continuation.ANCHOR, result="completed"),
        Handoff(Reason.HEAT, "too hot", "npu"),
    ]
    told.append(backend_of(record))

    assert told == ["-", "gpu", "gpu → cpu → npu"]


@pytest.mark.parametrize(
    ("judged", "outcome", "told"),
    [
        ([], "completed", "-"),
        ([attempt("small", "accepted", 0.934)], "completed", "93 %"),
        ([attempt("small", "best", 0.2)], "completed", "20 %"),
        ([attempt("small", "accepted", 0.0)], "completed", "0 %"),
        ([attempt("small", "unjudged")], "completed", "?"),
        ([attempt("small", "doubted", 0.31)], "running", "small 31 % → …"),
        ([attempt("small", "doubted", 0.31)], "left", "small 31 % → -"),
        ([attempt("small", "doubted", 0.31), attempt("big", "accepted", 0.93)], "completed", "small 31 % → big 93 %"),
        ([attempt("small", "best", 0.31), attempt("big", "failed")], "completed", "small 31 % (best) → big ? (failed)"),
    ],
)
def test_an_answer_shows_how_likely_it_is_right_and_one_that_was_doubted_who_was_asked_in_turn(
    judged: list[Attempt], outcome: str, told: str
) -> None:
    record = Record(job(), 0.0)
    record.judged, record.outcome = judged, outcome

    assert cell_of(record, "CONFIDENCE", "SECONDS") == told
