"""What people said of answers, kept on the disk."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app.domain.errors import StorageError
from app.telemetry.feedback import Feedback, Opinion, default_file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "isotherm" / "feedback.sqlite3"


def opinion(request_id: str = "one", **facts: Any) -> Opinion:
    told = {
        **{"told_at": 1_764_000_000.5, "model": "small", "workload": "text", "backend": "box"},
        **{"confidence": 0.25, "correct": True, "signals": {"logprob_mean": -0.5, "empty": 0.0}},
    }
    return Opinion(request_id, **{**told, **facts})


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_what_is_stored_comes_back(file: Path) -> None:
    feedback = Feedback(file)
    told = [opinion(), opinion("two", confidence=None, correct=False, signals={})]
    for each in told:
        feedback.store(each)

    assert list(Feedback(file).rows()) == told


def test_nothing_is_made_before_there_is_something_to_keep(file: Path) -> None:
    Feedback(file)

    assert not file.parent.exists()


def test_only_its_owner_may_read_it(file: Path) -> None:
    feedback = Feedback(file)
    feedback.store(opinion())
    feedback.store(opinion("two"))
    rows = feedback.rows()
    next(rows)
    files = {path.name: mode(path) for path in file.parent.iterdir()}

    assert mode(file.parent) == 0o700
    assert files == dict.fromkeys([file.name, f"{file.name}-wal", f"{file.name}-shm"], 0o600)
    assert len(list(rows)) == 1


def test_a_second_opinion_of_the_same_answer_replaces_the_first(file: Path) -> None:
    feedback = Feedback(file)
    for each in (opinion(), opinion("two"), opinion(correct=False)):
        feedback.store(each)

    assert [(each.request_id, each.correct) for each in feedback.rows()] == [("two", True), ("one", False)]


def test_the_oldest_go_when_there_are_too_many(file: Path) -> None:
    feedback = Feedback(file, limit=3)
    for number in (1, 2, 3, 1, 4, 5):
        feedback.store(opinion(str(number)))

    assert [each.request_id for each in feedback.rows()] == ["1", "4", "5"]


def test_threads_do_not_lose_each_others_opinions(file: Path) -> None:
    feedback = Feedback(file)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: feedback.store(opinion(str(number))), range(60)))

    assert {each.request_id for each in feedback.rows()} == {str(number) for number in range(60)}


def test_two_gateways_may_share_a_file(file: Path) -> None:
    first, second = Feedback(file), Feedback(file)
    first.store(opinion("one"))
    second.store(opinion("two"))

    assert len(list(first.rows())) == 2


def test_rows_are_read_while_others_are_written(file: Path) -> None:
    feedback = Feedback(file)
    feedback.store(opinion("one"))
    rows = feedback.rows()
    next(rows)
    feedback.store(opinion("two"))

    assert list(rows) == []
    assert len(list(feedback.rows())) == 2


def broken(file: Path) -> None:
    file.write_bytes(b"This is no database. " * 100)


def of_another_version(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 7")


def with_another_table(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE feedback (something TEXT)")
        connection.execute("PRAGMA user_version = 1")


def a_directory(file: Path) -> None:
    file.mkdir()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (broken, "file is not a database"),
        (of_another_version, "is of version 7, not 1"),
        (with_another_table, "no such column|has no column"),
        (a_directory, "can't be kept or read now"),
    ],
)
def test_a_file_that_can_not_be_used_is_said(file: Path, spoil: Callable[[Path], None], said: str) -> None:
    file.parent.mkdir(parents=True)
    spoil(file)

    with pytest.raises(StorageError, match=said):
        Feedback(file).store(opinion())
    with pytest.raises(StorageError, match=said):
        list(Feedback(file).rows())


def test_a_file_that_somebody_else_holds_is_said(file: Path) -> None:
    feedback = Feedback(file, busy_seconds=0.01)
    feedback.store(opinion())
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="database is locked"):
            feedback.store(opinion("two"))
        other.execute("ROLLBACK")

    feedback.store(opinion("two"))
    assert len(list(feedback.rows())) == 2


def test_a_disk_with_no_room_is_said_and_what_was_there_stays(file: Path) -> None:
    feedback = Feedback(file)
    feedback.store(opinion())
    program = (
        "import resource, sys; from pathlib import Path\n"
        "from app.domain.errors import StorageError\n"
        "from app.telemetry.feedback import Feedback\n"
        "from tests.app.telemetry.test_feedback import opinion\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))\n"
        "large = opinion('two', signals={str(number): 0.5 for number in range(100_000)})\n"
        "try: Feedback(Path(sys.argv[1])).store(large)\n"
        "except StorageError as error: print(error)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(file)], capture_output=True, text=True, check=True)

    assert ended.stdout.startswith("feedback can't be kept or read now: ")
    assert [each.request_id for each in feedback.rows()] == ["one"]


def test_signals_that_somebody_spoiled_are_said(file: Path) -> None:
    feedback = Feedback(file)
    feedback.store(opinion())
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE feedback SET signals = '{'")

    with pytest.raises(StorageError, match="somebody else wrote into it"):
        list(feedback.rows())


def test_no_file_has_no_rows_and_is_not_made_by_looking(file: Path) -> None:
    with pytest.raises(StorageError, match="there is no feedback yet"):
        list(Feedback(file).rows())

    assert not file.parent.exists()


def test_a_directory_that_can_not_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")

    with pytest.raises(StorageError, match="can't be kept or read now: "):
        Feedback(tmp_path / "state" / "feedback.sqlite3").store(opinion())


def test_it_lies_where_state_is_kept() -> None:
    home = Path.home() / ".local" / "state" / "isotherm" / "feedback.sqlite3"

    assert default_file({"XDG_STATE_HOME": "/var/state"}) == Path("/var/state/isotherm/feedback.sqlite3")
    assert default_file({"XDG_STATE_HOME": "relative"}) == home
    assert default_file({}) == home
