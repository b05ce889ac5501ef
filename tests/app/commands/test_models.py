"""`isotherm models`."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.__main__ import main


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ISOTHERM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def run(*arguments: str) -> object:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code


def test_the_list_says_what_there_is_and_what_is_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models", "list") == 0
    lines = capsys.readouterr().out.splitlines()

    smollm = next(line for line in lines if line.startswith("smollm2-135m "))
    assert smollm.split() == ["smollm2-135m", "chat", "Apache-2.0", "98.4", "MB", "not", "fetched"]
    assert any(line.startswith("wordllama-256 ") for line in lines)


def test_a_list_fetches_and_makes_nothing(empty_cache: Path) -> None:
    run("models", "list")

    assert not empty_cache.exists()


def test_a_model_that_the_catalogue_does_not_have_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models", "pull", "smolm2-135m") == 1
    captured = capsys.readouterr()

    assert captured.err.startswith("isotherm: ")
    assert "smollm2-135m" in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [["models"], ["models", "pull"], ["models", "burn"]])
def test_an_action_that_is_none_is_told_how_it_goes(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    assert "usage: isotherm models" in capsys.readouterr().err
