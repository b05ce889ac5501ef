"""An answer of lines (NDJSON): cut where lines end, whatever the bytes come in."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from backends.upstream.client import Upstream, let_go, reason


class OversizedLineError(ValueError):
    """One line is longer than the limit."""


class LineSplitter:
    """Bytes as they came in, whole lines out; empty ones are left out."""

    __slots__ = ("_limit", "_rest")

    def __init__(self, limit: int = 8 * 1024 * 1024) -> None:
        self._limit = limit
        self._rest: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are complete now. Raises OversizedLineError when one does not end within the limit."""
        first, *others = data.split(b"\n")
        self._rest.append(first)
        if not others:
            if sum(map(len, self._rest)) > self._limit:
                raise OversizedLineError(f"a line is longer than {self._limit} bytes")
            return []
        lines = [b"".join(self._rest), *others[:-1]]
        self._rest = [others[-1]]
        return [line for line in lines if line.strip()]

    @property
    def rest(self) -> bytes:
        """What came after the last line end: a line cut short, when the answer ends here."""
        return b"".join(self._rest)


async def stream_lines(
    upstream: Upstream, path: str, body: Mapping[str, Any], *, end: bytes
) -> AsyncGenerator[list[bytes], None]:
    """POST a body and yield the lines of the answer, as many at a time as came together.

    A line with `end` in it is the last one that matters. Raises what `Upstream.stream` raises.
    """
    answer = await upstream.post(path, body)
    splitter, lines = LineSplitter(), list[bytes]()
    began = False
    try:
        while data := await answer.read():
            if lines := splitter.feed(data):
                began = True
                yield lines
        if splitter.rest.strip() or not began:
            raise upstream.cut_short("ended in the middle of a line" if began else "answered nothing", began=began)
    except (OSError, ValueError) as error:
        raise upstream.cut_short(f"broke off: {reason(error)}", began=began) from error
    finally:
        let_go(answer, said_all=any(end in line for line in lines))
