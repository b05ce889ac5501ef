"""All signals of an answer at once."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from app.confidence.calibration import Calibration, Feature, Fit
from app.confidence.exchange import Exchange
from app.confidence.judge import Judge
from app.confidence.signal import KINDS, RUNNING
from app.confidence.trace import Trace

WHOLE = Fit("whole", {"logprob_mean": Feature(1.0, 0.0, 1.0)}, 1.0)
BEGUN = Fit("begun", {"group_min": Feature(1.0, 0.0, 1.0)}, 1.0, beginnings=True)
JUDGE = Judge(Calibration((WHOLE, BEGUN), {"empty": 0.0, "refusal": 0.05}), 0.8)


def traced(*logprobs: float) -> Trace:
    trace = Trace()
    for logprob in logprobs:
        trace.add(logprob, (-0.1, -3.0))
    return trace


def test_the_running_signals_are_some_of_all() -> None:
    assert set(RUNNING) < set(KINDS)


def test_a_whole_answer_is_judged_by_its_fit_and_its_beginning_by_another() -> None:
    exchange = Exchange("Where?", "In Rome.", finish_reason="stop", trace=traced(-0.1, -0.2))

    assert JUDGE.whole(exchange, "text").by == "whole"
    assert JUDGE.beginning(exchange, "text").by == "begun"


def test_a_beginning_is_not_judged_by_what_needs_the_whole() -> None:
    told = JUDGE.beginning(Exchange("Write an essay", "I", trace=traced(-0.1)), "text")

    assert {"logprob_mean", "entropy_mean", "margin_mean", "group_min", "repetition"} <= told.signals.keys()
    assert not {"short", "refusal", "truncated", "bad_json", "hedges"} & told.signals.keys()


@pytest.mark.parametrize("trace", [None, Trace()])
def test_without_log_probabilities_the_text_alone_counts_and_that_is_noted(trace: Trace | None) -> None:
    exchange = Exchange("Where?", "I don't know.", finish_reason="stop", trace=trace)

    told = JUDGE.whole(exchange, "text")

    assert told.notes == ("no log-probabilities were told",)
    assert told.by == "prior"
    assert told.probability == pytest.approx(0.8 * 0.05)


def test_tokens_of_which_nothing_was_told_are_noted() -> None:
    trace = traced(-0.1, -0.2)
    trace.miss()

    assert JUDGE.whole(Exchange("", "Rome", trace=trace), "text").notes == (
        "log-probabilities of 1 tokens were not told",
    )


def test_what_is_wrong_with_its_file_is_noted_with_every_answer() -> None:
    judge = Judge(Calibration(), 0.8, "the calibration is not used")

    for told in (judge.whole(Exchange("", "Rome"), "text"), judge.beginning(Exchange("", "Rome"), "text")):
        assert told.notes[0] == "the calibration is not used"


def test_every_signal_has_names_of_its_own() -> None:
    exchange = Exchange(
        "Answer in JSON only.",
        "```python\nprint(1 + 1)\n```\nI think 1 + 1 = 3.",
        finish_reason="length",
        response_format={"type": "json_object"},
        trace=traced(-0.1, -0.2),
        samples=("2", "2"),
        verdict=0.5,
    )
    told = [JUDGE._signals[kind](exchange) for kind in KINDS]

    assert sum(map(len, told)) == len({name for each in told for name in each})


def test_a_hundred_thousand_tokens_are_judged_in_bounded_time_and_memory() -> None:
    trace = Trace()
    for place in range(100_000):
        trace.add(-0.1 - (place % 7) / 10, (-0.1, -3.0))
    exchange = Exchange("Tell me all.", "word after word. " * 25_000, finish_reason="stop", trace=trace)
    last = Exchange("Tell me all.", exchange.text[-1500:], trace=trace)

    tracemalloc.start()
    began = time.perf_counter()
    assert 0 <= JUDGE.whole(exchange, "text").probability <= 1
    whole = time.perf_counter() - began
    began = time.perf_counter()
    assert 0 <= JUDGE.beginning(last, "text").probability <= 1
    beginning = time.perf_counter() - began
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert whole < 5
    assert beginning < 0.1
    assert most < 64 << 20
