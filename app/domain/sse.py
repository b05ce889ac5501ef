"""Server-sent events as the OpenAI wire has them: whole events out of any bytes, and their data.

Source: WHATWG HTML, section 9.2 (event stream interpretation).
"""

from __future__ import annotations

DONE = b"data: [DONE]\n\n"
_DATA = b"data: "


class OversizedEventError(ValueError):
    """One event is longer than the limit."""


class EventSplitter:
    """Cuts a byte stream where events end, and lets only `data:` events with content through.

    The SDKs break on `id:`, `retry:`, empty data and named events, and a comment is no proof that an answer
    has begun, so all of those are left out. What comes out is always whole events with LF line ends; the
    usual case (whole `data:` events in, one read) returns the very bytes that came.
    """

    __slots__ = ("_carriage_return", "_limit", "_rest")

    def __init__(self, limit: int = 8 * 1024 * 1024) -> None:
        self._rest = b""
        self._limit = limit
        self._carriage_return = False

    def feed(self, data: bytes) -> bytes:
        """Bytes as they came in, whole events out; empty while none is complete.

        Raises OversizedEventError when an event does not end within the limit.
        """
        if self._carriage_return or b"\r" in data:
            data = self._with_line_feeds(data)
        if self._rest:
            data = self._rest + data
        end = data.rfind(b"\n\n") + 2
        if end == 1:
            whole, self._rest = b"", data
        elif end == len(data):
            whole, self._rest = data, b""
        else:
            whole, self._rest = data[:end], data[end:]
        if len(self._rest) > self._limit:
            raise OversizedEventError(f"an event is longer than {self._limit} bytes")
        return whole if _plain(whole) else _only_data(whole)

    @property
    def rest(self) -> bytes:
        """What came after the last whole event: an event cut short, when the stream ends here."""
        return self._rest

    def _with_line_feeds(self, data: bytes) -> bytes:
        # A CR that ends one read may be half of a CRLF: it counts as a line end, and an LF that follows is dropped.
        if self._carriage_return and data.startswith(b"\n"):
            data = data[1:]
            self._carriage_return = False
        if data:
            self._carriage_return = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _plain(block: bytes) -> bool:
    """Whether each event is exactly one line of JSON object, or the end: then the block can go on as it is."""
    objects = block.count(b"\n\ndata: {") + block.startswith(b"data: {")
    return block.count(b"\n") == 2 * (objects + block.endswith(DONE))


def _only_data(block: bytes) -> bytes:
    return b"".join(encode(data) for data in payloads(block))


def encode(data: bytes) -> bytes:
    """One event that carries the data."""
    return b"data: " + data.replace(b"\n", b"\ndata: ") + b"\n\n"


def payloads(block: bytes) -> list[bytes]:
    """The data of each event in a block of whole events; events without data are left out."""
    if _plain(block):
        return [event[6:] for event in block.split(b"\n\n")[:-1]]
    found = []
    for event in block.split(b"\n\n"):
        lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]
        data = b"\n".join(lines)
        if data.strip():
            found.append(data)
    return found
