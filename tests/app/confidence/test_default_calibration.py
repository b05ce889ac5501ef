"""The calibration that comes along, on the seven answers that an estimate by length and politeness got wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.confidence.calibration import read_calibration
from app.confidence.exchange import Exchange
from app.confidence.judge import Judge
from app.confidence.trace import Trace
from config.confidence import Confidence, Forwarding

FILE = Path(__file__).parent.parent.parent.parent / "config" / "calibration.json"
LEAST = Forwarding().min_confidence or 0.0
CAPITAL = "What is the capital of Australia?"
SYDNEY = "The capital of Australia is Sydney, which is also its largest city and lies on the east coast."
IGNORANT = "I don't know the answer to that question, since I have no access to such facts."
UNABLE = "A deadlock is a state in which two processes are unable to go on, since each waits for the other."


def probability(question: str, answer: str, *logprobs: float, model: str = "some-7b") -> float:
    judge = Judge(read_calibration(FILE.read_bytes()), Confidence().prior)
    trace = None
    if logprobs:
        trace = Trace()
        for logprob in logprobs:
            trace.add(logprob, (logprob, logprob - 2))
    return judge.whole(Exchange(question, answer, model, finish_reason="stop", trace=trace), "text").probability


@pytest.mark.parametrize(
    ("question", "answer"),
    [("What is the capital of France?", "Paris"), ("What is 6 * 7?", "42"), ("What is a deadlock?", UNABLE)],
)
def test_by_text_alone_a_right_answer_is_not_doubted_short_or_not(question: str, answer: str) -> None:
    assert probability(question, answer) >= LEAST


@pytest.mark.parametrize("answer", ["asdf " * 30, IGNORANT, "", "  "])
def test_by_text_alone_what_is_no_answer_is_doubted(answer: str) -> None:
    assert probability(CAPITAL, answer, model="some-70b") < LEAST


def test_a_fluent_false_answer_is_not_seen_through_by_its_text() -> None:
    assert probability(CAPITAL, SYDNEY) >= LEAST


def test_with_log_probabilities_it_is() -> None:
    assert probability(CAPITAL, SYDNEY, *[-0.02] * 6, -2.5, -1.5, *[-0.6] * 8, model="smollm2-135m") < LEAST
    assert probability("What is the capital of France?", "Paris", -0.03, -0.01, model="smollm2-135m") >= LEAST


def test_every_fit_says_how_many_labels_it_is_made_of() -> None:
    calibration = read_calibration(FILE.read_bytes())

    assert {fit.beginnings for fit in calibration.fits} == {True, False}
    assert all(fit.labels >= 500 for fit in calibration.fits)
