"""What the person who waits for a model gets to see."""

import shutil
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol, TextIO

TTY_SECONDS = 0.1
LOG_SECONDS = 5.0
RATE_SECONDS = 10.0


class Progress(Protocol):
    def start(self, what: str, total_bytes: int | None, done_bytes: int) -> None:
        """One transfer begins, with so much of it done before."""
        ...

    def advance(self, more_bytes: int) -> None: ...

    def finish(self) -> None:
        """The transfer ended, whether it is complete or not."""
        ...

    def note(self, text: str) -> None: ...


class SilentProgress:
    """Nobody is watching."""

    def start(self, what: str, total_bytes: int | None, done_bytes: int) -> None: ...

    def advance(self, more_bytes: int) -> None: ...

    def finish(self) -> None: ...

    def note(self, text: str) -> None: ...


class TerminalProgress:
    """One line that is rewritten on a terminal, or a line every few seconds in a log."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._tty = stream.isatty()
        self._what = ""
        self._total_bytes: int | None = None
        self._done_bytes = 0
        self._drawn_at = 0.0
        self._samples: deque[tuple[float, int]] = deque()

    def start(self, what: str, total_bytes: int | None, done_bytes: int) -> None:
        self._what, self._total_bytes, self._done_bytes = what, total_bytes, done_bytes
        self._drawn_at = self._clock()
        self._samples = deque([(self._drawn_at, done_bytes)])

    def advance(self, more_bytes: int) -> None:
        self._done_bytes += more_bytes
        now = self._clock()
        if now - self._drawn_at >= (TTY_SECONDS if self._tty else LOG_SECONDS):
            self._draw(now)

    def finish(self) -> None:
        self._draw(self._clock())
        if self._tty:
            self._write("\n")

    def note(self, text: str) -> None:
        self._write(f"{text}\n")

    def _draw(self, now: float) -> None:
        self._drawn_at = now
        self._samples.append((now, self._done_bytes))
        while len(self._samples) > 2 and now - self._samples[1][0] > RATE_SECONDS:
            self._samples.popleft()
        since, since_bytes = self._samples[0]
        rate = (self._done_bytes - since_bytes) / (now - since) if now > since else 0.0
        line = describe(self._what, self._done_bytes, self._total_bytes, rate)
        if self._tty:
            columns = shutil.get_terminal_size().columns
            self._write(f"\r{line[: columns - 1]}\x1b[K")
        else:
            self._write(f"{line}\n")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def describe(what: str, done_bytes: int, total_bytes: int | None, bytes_per_second: float) -> str:
    """The numbers first: a narrow terminal cuts the name, not them."""
    parts = [f"{in_megabytes(done_bytes)} MB"]
    if total_bytes:
        share = 100 * done_bytes // total_bytes
        parts = [f"{in_megabytes(done_bytes)} of {in_megabytes(total_bytes)} MB", f"{share:3d} %"]
    if bytes_per_second > 0:
        parts.append(f"{in_megabytes(bytes_per_second)} MB/s")
        if total_bytes and done_bytes < total_bytes:
            parts.append(f"{in_words((total_bytes - done_bytes) / bytes_per_second)} left")
    return "  ".join([*parts, what])


def in_megabytes(size_bytes: float) -> str:
    return f"{size_bytes / 1e6:.1f}"


def in_words(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
