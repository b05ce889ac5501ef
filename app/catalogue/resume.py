"""What to ask a server so that it sends only the rest, and what its answer means."""

import re

import httpx

from app.catalogue.errors import CutError, SourceError
from app.catalogue.partial import Origin, Partial

BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
HINTS = {
    401: "it wants credentials: put them in pip's index address, or in HF_TOKEN for Hugging Face",
    403: "it refuses access: the licence may have to be accepted there, or HF_TOKEN set",
    404: "it has no such file",
}


def headers_to_resume(part: Partial) -> dict[str, str]:
    """`If-Range` makes a server whose file has changed send all of it instead of a rest that does not fit."""
    origin = part.origin
    if origin is None or part.size_bytes == 0:
        return {}
    headers = {"Range": f"bytes={part.size_bytes}-"}
    if origin.validator is not None:
        headers["If-Range"] = origin.validator
    return headers


def start_of_body(response: httpx.Response, part: Partial) -> int | None:
    """The place in the file where this body begins; None when the part is already all of it."""
    if response.status_code == httpx.codes.OK:
        return 0
    if response.status_code == httpx.codes.PARTIAL_CONTENT:
        return _start_of_rest(response, part)
    if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        _accept_as_whole(response, part)
        return None
    if response.status_code in BUSY:
        raise CutError(f"the server answered {response.status_code}")
    hint = HINTS.get(response.status_code)
    raise SourceError(f"the server answered {response.status_code}" + (f": {hint}" if hint else ""))


def origin_of(response: httpx.Response, start: int) -> Origin:
    total = response.headers.get("Content-Range", "").rpartition("/")[2]
    length = response.headers.get("Content-Length", "")
    if total.isdigit():
        return Origin(_validator(response), int(total))
    return Origin(_validator(response), start + int(length) if length.isdigit() else None)


def _start_of_rest(response: httpx.Response, part: Partial) -> int:
    told = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    origin = part.origin
    fits = told is not None and origin is not None and int(told[1]) == part.size_bytes
    if told is None or origin is None or not fits or _changed(origin, _validator(response), told[2]):
        part.discard()
        raise CutError("the file on the server has changed")
    return part.size_bytes


def _changed(origin: Origin, validator: str | None, total: str) -> bool:
    other_total = total.isdigit() and origin.total_bytes not in (None, int(total))
    return other_total or (validator is not None and validator != origin.validator)


def _accept_as_whole(response: httpx.Response, part: Partial) -> None:
    origin = part.origin
    if origin is None or response.headers.get("Content-Range") != f"bytes */{part.size_bytes}":
        part.discard()
        raise CutError("the file on the server has changed")
    part.remember(Origin(origin.validator, part.size_bytes, complete=True))


def _validator(response: httpx.Response) -> str | None:
    """A weak ETag may name two files that differ, so it cannot vouch for a rest."""
    etag: str | None = response.headers.get("ETag")
    if etag and not etag.startswith("W/"):
        return etag
    modified: str | None = response.headers.get("Last-Modified")
    return modified
