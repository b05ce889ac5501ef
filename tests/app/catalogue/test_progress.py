"""A person sees bytes, rate and time left, and a log is not flooded."""

import io

import pytest

from app.catalogue.progress import TerminalProgress, describe, in_words


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def transfer(stream: io.StringIO, seconds: int, total_bytes: int | None = 100_000_000) -> list[str]:
    """A megabyte arrives every tenth of a second."""
    clock = Clock()
    progress = TerminalProgress(stream, clock)
    progress.start("x.gguf", total_bytes, 10_000_000)
    for _ in range(seconds * 10):
        clock.now += 0.1
        progress.advance(1_000_000)
    progress.finish()
    return stream.getvalue().split("\r" if stream.isatty() else "\n")


def test_a_terminal_line_is_rewritten_and_ended() -> None:
    lines = transfer(Terminal(), 4)
    assert len(lines) > 20
    assert lines[-1] == "50.0 of 100.0 MB   50 %  10.0 MB/s  5 s left  x.gguf\x1b[K\n"


def test_a_log_gets_a_line_every_few_seconds_and_one_at_the_end() -> None:
    lines = transfer(io.StringIO(), 9)
    assert len(lines) == 3
    assert lines[1] == "100.0 of 100.0 MB  100 %  10.0 MB/s  x.gguf"


def test_a_size_that_nobody_knows_is_not_invented() -> None:
    assert transfer(io.StringIO(), 1, None)[0] == "20.0 MB  10.0 MB/s  x.gguf"


def test_the_rate_is_that_of_the_last_seconds() -> None:
    clock, stream = Clock(), io.StringIO()
    progress = TerminalProgress(stream, clock)
    progress.start("x", 1_000_000_000, 0)
    for megabytes in [100] * 4 + [5] * 4:
        clock.now += 5
        progress.advance(megabytes * 1_000_000)
    assert "1.0 MB/s" in stream.getvalue().splitlines()[-1]


def test_a_transfer_that_stands_still_has_no_time_left() -> None:
    assert describe("x", 5, 10, 0.0) == "0.0 of 0.0 MB   50 %  x"


def test_a_note_is_a_line_of_its_own() -> None:
    stream = io.StringIO()
    TerminalProgress(stream).note("waiting")
    assert stream.getvalue() == "waiting\n"


@pytest.mark.parametrize(("seconds", "words"), [(7.4, "7 s"), (61, "1 min 01 s"), (7260, "2 h 01 min")])
def test_time_is_said_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
