"""What people said of answers: whether they were right, beside what could be seen of them; never a word of them."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from app.domain.errors import StorageError

_VERSION = 1
_TABLE = """
CREATE TABLE IF NOT EXISTS feedback (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id TEXT NOT NULL UNIQUE,
    told_at REAL NOT NULL,
    model TEXT NOT NULL,
    workload TEXT NOT NULL,
    backend TEXT NOT NULL,
    confidence REAL,
    correct INTEGER NOT NULL,
    signals TEXT NOT NULL
) STRICT
"""
_COLUMNS = "request_id, told_at, model, workload, backend, confidence, correct, signals"


@dataclass(frozen=True, slots=True)
class Opinion:
    """`told_at` is in seconds since 1970. An answer that nobody judged has no signals, and None for its confidence."""

    request_id: str
    told_at: float
    model: str
    workload: str
    backend: str
    confidence: float | None
    correct: bool
    signals: Mapping[str, float] = field(default_factory=dict)


def default_file(environ: Mapping[str, str]) -> Path:
    """Under `XDG_STATE_HOME`, or `~/.local/state`. Source: XDG Base Directory Specification, version 0.8."""
    chosen = environ.get("XDG_STATE_HOME", "")
    state = Path(chosen) if Path(chosen).is_absolute() else Path.home() / ".local" / "state"
    return state / "isotherm" / "feedback.sqlite3"


class Feedback:
    """An SQLite file with at most `limit` opinions. It is made when there is something to keep, for its owner only.

    Each call has its own connection: threads, and other processes, may come at any time. It waits for them as long as
    `busy_seconds`.
    """

    def __init__(self, file: Path, limit: int = 100_000, busy_seconds: float = 2.0) -> None:
        self.file = file
        self._limit = limit
        self._busy_seconds = busy_seconds
        self._lock = threading.Lock()  # who makes the file makes it alone

    def store(self, opinion: Opinion) -> None:
        """Instead of what was said of the same request before; the oldest go when there are too many.

        Raises StorageError.
        """
        with self._lock, self._errors_told():
            self._make()
            with closing(self._open()) as connection, connection:
                connection.execute(
                    f"INSERT OR REPLACE INTO feedback ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                    (
                        *(opinion.request_id, opinion.told_at, opinion.model, opinion.workload, opinion.backend),
                        *(opinion.confidence, opinion.correct, json.dumps(dict(opinion.signals))),
                    ),
                )
                connection.execute(
                    "DELETE FROM feedback WHERE number <= "
                    "(SELECT number FROM feedback ORDER BY number DESC LIMIT 1 OFFSET ?)",
                    (self._limit,),
                )

    def rows(self) -> Iterator[Opinion]:
        """The oldest first. Raises StorageError."""
        with self._errors_told():
            if not self.file.exists():
                raise StorageError("there is no feedback yet")
            with closing(self._open()) as connection:
                found = connection.execute(f"SELECT {_COLUMNS} FROM feedback ORDER BY number")  # noqa: S608
                for request_id, told_at, model, workload, backend, confidence, correct, signals in found:
                    seen = json.loads(signals)
                    yield Opinion(request_id, told_at, model, workload, backend, confidence, bool(correct), seen)

    def _make(self) -> None:
        self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self.file, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite's own files are as this one

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.file, timeout=self._busy_seconds)
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                connection.execute("PRAGMA journal_mode = WAL")
                with connection:
                    connection.execute(_TABLE)
                    connection.execute(f"PRAGMA user_version = {_VERSION}")
            elif version != _VERSION:
                raise StorageError(f"the file of feedback is of version {version}, not {_VERSION}")
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def _errors_told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StorageError(f"feedback can't be kept or read now: {error}") from None
        except OSError as error:
            raise StorageError(f"feedback can't be kept or read now: {error.strerror}") from None
        except ValueError:
            raise StorageError("feedback can't be read: somebody else wrote into it") from None
