"""Labelled answers from JSON lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.confidence.labelled import BEGINNINGS, Labelled, UnusableLabelsError, read_labelled
from tests.app.confidence.labels import line, token, written


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "answers.jsonl"


def one(file: Path, **changes: Any) -> Labelled:
    (found,) = read_labelled(written(file, line(**changes)))
    return found


def wrong(file: Path, *lines: Any) -> str:
    with pytest.raises(UnusableLabelsError) as caught:
        list(read_labelled(written(file, *lines)))
    return caught.value.message


def test_an_answer_has_the_signals_that_a_served_one_has(file: Path) -> None:
    found = one(file, topic="capitals", finish_reason="stop", logprobs=[token(-0.1), token(-0.3)])

    assert (found.model, found.workload, found.topic, found.correct) == ("small", "text", "capitals", True)
    assert found.signals["logprob_mean"] == pytest.approx(-0.2)
    assert found.signals["empty"] == 0.0
    assert found.signals["truncated"] == 0.0


def test_an_answer_without_log_probabilities_has_the_other_signals_and_no_beginnings(file: Path) -> None:
    found = one(file, answer="")

    assert found.signals["empty"] == 1.0
    assert "logprob_mean" not in found.signals
    assert found.beginnings == ()


def test_what_feedback_kept_is_taken_as_it_is(file: Path) -> None:
    kept = {"model": "small", "workload": "code", "signals": {"logprob_mean": -1, "empty": 0.0}, "correct": False}
    (found,) = read_labelled(written(file, kept))

    assert found == Labelled("small", "code", None, False, {"logprob_mean": -1.0, "empty": 0.0})


@pytest.mark.parametrize(
    ("tokens", "counts"), [(1, [1]), (7, [7]), (8, [8]), (9, [8]), (33, [8, 16, 24, 32]), (300, list(BEGINNINGS))]
)
def test_beginnings_are_what_is_seen_while_an_answer_is_written(file: Path, tokens: int, counts: list[int]) -> None:
    found = one(file, answer="word " * tokens, logprobs=[token(-number / 100) for number in range(tokens)])

    means = [-(count - 1) / 200 for count in counts]
    assert [each["logprob_mean"] for each in found.beginnings] == pytest.approx(means)
    assert not {"truncated", "empty", "short"} & found.beginnings[0].keys()


def test_a_beginning_has_only_that_much_of_the_text(file: Path) -> None:
    looped = one(file, answer="All of these words differ. " * 1 + "again and again, " * 60, logprobs=[token()] * 200)

    assert looped.signals["loop"] == 1.0
    assert looped.beginnings[0]["loop"] == 0.0


@pytest.mark.parametrize("odd", [None, "low", float("nan"), float("-inf"), 5.0])
def test_a_log_probability_that_is_none_is_left_out_or_bounded(file: Path, odd: Any) -> None:
    found = one(file, logprobs=[token(-0.5), token(odd), {}])

    least = -100.0 if odd == float("-inf") else -0.5
    assert found.signals["logprob_min"] == least


def test_empty_lines_are_none(file: Path) -> None:
    assert len(list(read_labelled(written(file, "", line(), "   ", line())))) == 2


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("{", "it is no JSON"),
        ("[1]", "it is no object"),
        ("\xff", "it is no JSON"),
        ("[" * 100_000, "line 2: "),
        (line(correct=1), "`correct` has to be true or false"),
        (line(correct=None), "`correct` has to be true or false"),
        (line(model=None), "`model` has to be a string"),
        (line(workload=3), "`workload` has to be a string"),
        (line(topic=3), "`topic` has to be a string"),
        (line(question=None), "`question` has to be a string"),
        (line(answer=["Paris"]), "`answer` has to be a string"),
        (line(finish_reason=1), "`finish_reason` has to be a string"),
        (line(response_format="json"), "`response_format` has to be an object"),
        (line(logprobs=[1]), "`logprobs` have to be a list of objects"),
        (line(signals=[1]), "`signals` have to be numbers by name"),
        (line(signals={"empty": True}), "`signals` have to be numbers by name"),
        (line(signals={"empty": "0"}), "`signals` have to be numbers by name"),
    ],
)
def test_a_bad_line_is_named_by_its_number(file: Path, bad: Any, said: str) -> None:
    message = wrong(file, line(), bad)

    assert message.startswith("line 2: ")
    assert said in message


def test_what_stands_before_a_bad_line_is_read(file: Path) -> None:
    answers = read_labelled(written(file, line(), "{"))

    assert next(answers).model == "small"


def test_a_line_without_an_end_is_not_read_into_memory(file: Path) -> None:
    with file.open("wb") as endless:
        endless.truncate(1 << 30)

    with pytest.raises(UnusableLabelsError, match="line 1: it is longer than"):
        list(read_labelled(file))


def test_a_file_that_is_not_there_is_said(file: Path) -> None:
    with pytest.raises(UnusableLabelsError, match=r"answers\.jsonl can't be read: No such file or directory"):
        list(read_labelled(file))
