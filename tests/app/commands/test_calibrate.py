"""`isotherm calibrate`."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from app.__main__ import main
from app.confidence.calibration import read_calibration
from app.telemetry.feedback import Feedback, Opinion
from tests.app.confidence.labels import line, token, written


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(each) for each in arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def answers(count: int, **facts: Any) -> list[dict[str, Any]]:
    """The surer, the more often right."""
    chance = random.Random(1)
    made = []
    for number in range(count):
        right = chance.random() < 0.5
        tokens = [token(-chance.uniform(0.0, 0.7 if right else 1.2)) for _ in range(4 + number % 9)]
        made.append(line(topic=f"topic {number % 5}", logprobs=tokens, correct=right, **facts))
    return made


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "calibration.json"


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return written(tmp_path / "answers.jsonl", *answers(200))


def test_it_says_how_good_it_is_and_where_it_wrote(
    labels: Path, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("calibrate", labels, "--output", output) == 0
    told = capsys.readouterr().out

    assert told.splitlines()[0].split() == ["model", "workload", "labels", "right", "AUROC", "ECE", "Brier"]
    assert told.splitlines()[1].startswith("small  text      200     ")
    assert "200 answers, judged by calibrations that had not seen them" in told
    assert "fit small text: log-probabilities  200 labels" in told
    assert told.endswith(f"written to {output}\n")
    fits = read_calibration(output.read_bytes()).fits
    assert [fit.name for fit in fits] == [
        *("small text: log-probabilities", "small text: beginning", "any: log-probabilities", "any: beginning")
    ]


def test_json_tells_the_same_with_intervals(labels: Path, output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("calibrate", labels, "--output", output, "--json") == 0
    told = json.loads(capsys.readouterr().out)

    assert (told["labels"], told["target"], told["picture"]) == (200, 0.95, None)
    assert 0.7 < told["auroc"]["low"] < told["auroc"]["value"] < told["auroc"]["high"] <= 1
    assert told["brier"]["value"] < 0.2
    assert 0.4 < told["sent"] < 0.9
    (group,) = told["groups"]
    assert (group["model"], group["labels"], group["right"]) == ("small", 200, told["right"])
    assert len(told["fits"]) == 4


def test_it_draws_a_picture(labels: Path, output: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    assert run("calibrate", labels, "--output", output, "--picture", tmp_path / "it.png") == 0

    assert (tmp_path / "it.png").read_bytes().startswith(b"\x89PNG")
    assert f"drawn in {tmp_path / 'it.png'}" in capsys.readouterr().out


def test_feedback_is_learnt_from_too(
    labels: Path, output: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    feedback = Feedback(tmp_path / "feedback.sqlite3")
    for number in range(30):
        feedback.store(Opinion(str(number), 0.0, "large", "code", "box", None, number % 3 > 0))

    assert run("calibrate", labels, "--feedback", feedback.file, "--output", output) == 0
    assert "large  code      30" in capsys.readouterr().out
    found = read_calibration(output.read_bytes())
    assert found.priors["large"] == round(21 / 32, 4)
    assert json.loads(output.read_text())["fitted_on"]["source"] == "answers.jsonl, feedback.sqlite3"


def test_feedback_alone_will_do(output: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    feedback = Feedback(tmp_path / "feedback.sqlite3")
    for number in range(30):
        feedback.store(Opinion(str(number), 0.0, "large", "text", "box", None, number % 3 > 0))

    assert run("calibrate", "--feedback", feedback.file, "--output", output) == 0
    assert "No fit: that takes 50 labels" in capsys.readouterr().out
    assert read_calibration(output.read_bytes()).fits == ()


def test_several_files_are_one(labels: Path, output: Path, tmp_path: Path) -> None:
    more = written(tmp_path / "more.jsonl", *answers(60, workload="code"))

    assert run("calibrate", labels, more, "--output", output) == 0
    assert json.loads(output.read_text())["fitted_on"]["labels"] == 260


def test_answers_of_one_kind_have_no_figures_that_need_both(
    output: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    right = written(tmp_path / "right.jsonl", *([line()] * 30))

    assert run("calibrate", right, "--output", output) == 0
    told = capsys.readouterr().out
    assert told.splitlines()[1].split()[:5] == ["small", "text", "30", "100%", "-"]
    assert "AUROC  -" in told


def test_what_is_wrong_is_one_line_and_nothing_is_written(
    output: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = written(tmp_path / "bad.jsonl", line(), line(correct="yes"))

    assert run("calibrate", bad, "--output", output) == 1
    assert capsys.readouterr().err == "isotherm: line 2: `correct` has to be true or false\n"
    assert run("calibrate", tmp_path / "none.jsonl", "--output", output) == 1
    assert capsys.readouterr().err == "isotherm: none.jsonl can't be read: No such file or directory\n"
    assert run("calibrate", "--output", output) == 1
    assert capsys.readouterr().err == "isotherm: there is no labelled answer: name a file, or --feedback\n"
    assert run("calibrate", "--feedback", tmp_path / "none.sqlite3", "--output", output) == 1
    assert capsys.readouterr().err == "isotherm: there is no feedback yet\n"
    assert not output.exists()


def test_one_answer_is_enough_to_be_told_that_it_teaches_little(
    output: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("calibrate", written(tmp_path / "one.jsonl", line()), "--output", output) == 0
    assert "No fit" in capsys.readouterr().out
