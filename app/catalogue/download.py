"""One file over HTTP, going on after every cut from the byte where it was cut."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import BinaryIO

import httpx

from app.catalogue.client import Credentials, why
from app.catalogue.errors import CutError, SourceError, WrongFileError
from app.catalogue.partial import Origin, Partial
from app.catalogue.resume import headers_to_resume, origin_of, start_of_body
from app.catalogue.source import Bench

FRUITLESS_TRIES = 3


@dataclass(frozen=True, slots=True)
class Remote:
    """A file on a server: `expected_bytes` is its size if known, `reserve_bytes` what its use needs beside it."""

    url: str
    label: str
    expected_bytes: int | None = None
    reserve_bytes: int = 0
    credentials: Credentials | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def download(client: httpx.Client, remote: Remote, part: Partial, bench: Bench) -> None:
    """Return when the whole file lies in the part; give up when several tries in a row bring no byte."""
    fruitless, furthest_bytes = 0, part.size_bytes
    while not part.complete:
        try:
            _attempt(client, remote, part, bench)
        except CutError as error:
            fruitless = 0 if part.size_bytes > furthest_bytes else fruitless + 1
            furthest_bytes = max(furthest_bytes, part.size_bytes)
            if fruitless == FRUITLESS_TRIES:
                raise SourceError(f"{error.message}, {FRUITLESS_TRIES} times without a new byte") from error
            bench.progress.note(f"{remote.label}: {error.message}; trying again")
            bench.machine.pause_seconds(2.0**fruitless)


def _attempt(client: httpx.Client, remote: Remote, part: Partial, bench: Bench) -> None:
    headers = {"Accept-Encoding": "identity", **remote.headers, **headers_to_resume(part)}
    try:
        with client.stream("GET", remote.url, headers=headers, auth=remote.credentials) as response:
            start = start_of_body(response, part)
            if start is not None:
                _receive(response, start, remote, part, bench)
    except httpx.TransportError as error:
        raise CutError(f"the connection failed ({why(error)})") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SourceError(f"the request failed ({type(error).__name__})") from error


def _receive(response: httpx.Response, start: int, remote: Remote, part: Partial, bench: Bench) -> None:
    origin = _agreed(origin_of(response, start), remote)
    total_bytes = origin.total_bytes
    bench.machine.require_space(part.path.parent, (total_bytes or start) - start + remote.reserve_bytes)
    if start == 0:
        part.discard()
    part.remember(origin)
    bench.progress.start(remote.label, total_bytes, start)
    try:
        with part.path.open("ab") as sink:
            _copy(response, sink, total_bytes, bench)
    finally:
        bench.progress.finish()
    if total_bytes is not None and part.size_bytes < total_bytes:
        raise CutError(f"the body ended after {part.size_bytes} of {total_bytes} bytes")
    part.remember(replace(origin, complete=True))


def _agreed(origin: Origin, remote: Remote) -> Origin:
    if origin.total_bytes is None:
        return replace(origin, total_bytes=remote.expected_bytes)
    if remote.expected_bytes not in (None, origin.total_bytes):
        raise WrongFileError(f"the server has {origin.total_bytes} bytes where {remote.expected_bytes} are expected")
    return origin


def _copy(response: httpx.Response, sink: BinaryIO, total_bytes: int | None, bench: Bench) -> None:
    for chunk in response.iter_raw():
        if total_bytes is not None and sink.tell() + len(chunk) > total_bytes:
            raise WrongFileError(f"the server sends more than the {total_bytes} bytes expected")
        sink.write(chunk)
        bench.progress.advance(len(chunk))
