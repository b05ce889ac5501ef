"""What /admin says, in a terminal."""

from __future__ import annotations

from app.commands.screen import screen
from app.domain.handoff import Continuation, Handoff, Reason
from app.telemetry.decisions import Record
from tests.app.builders import job

MODE = {"mode": "balanced", "in_force": "balanced", "why": "it was chosen"}


def backend_of(record: Record) -> str:
    """The cell that says who wrote."""
    head, row = screen("http://gateway", MODE, [], [], [record.describe()], 200)[-2:]
    return row[head.index("BACKEND") : head.index("OUTCOME")].strip()


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
