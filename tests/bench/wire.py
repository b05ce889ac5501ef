"""The bytes on the wire: requests as a client writes them, answers as llama.cpp shapes them."""

import json
from collections.abc import Iterable
from typing import Any

CHUNKS_PER_BURST = 64
MARK = " lukewarm"  # the content of every chunk, so that an answer can be checked by counting
KEY = "bench-key"

_ID = "chatcmpl-Tf3yqkXqWc7Z0s3Qb8mJr1nVd5uGh2Lx"
_CREATED = 1_760_000_000
_USAGE = {"prompt_tokens": 12, "completion_tokens": CHUNKS_PER_BURST, "total_tokens": 12 + CHUNKS_PER_BURST}


def request_body(model: str, *, stream: bool) -> bytes:
    """A small chat request, as an SDK writes it."""
    messages = [
        {"role": "system", "content": "You are a terse assistant."},
        {"role": "user", "content": "How warm is it?"},
    ]
    return json.dumps({"model": model, "messages": messages, "stream": stream}).encode()


def request(path: str, body: bytes) -> bytes:
    """The same request with its head, ready for a socket."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def completion(model: str) -> str:
    """A whole answer, for the doors that do not stream."""
    message = {"role": "assistant", "content": MARK}
    choice = {"finish_reason": "stop", "index": 0, "message": message}
    return _json({"choices": [choice], **_common(model, "chat.completion"), "usage": _USAGE})


def models(model: str) -> str:
    """What `GET /v1/models` says, so that a gateway's probe is content."""
    entry = {"id": model, "object": "model", "created": _CREATED, "owned_by": "bench"}
    return _json({"object": "list", "data": [entry]})


def first_event(model: str) -> bytes:
    """The event that opens every stream: the role."""
    return _event(_delta(model, {"role": "assistant", "content": None}))


def content_event(model: str) -> bytes:
    """One token, about 250 bytes."""
    return _event(_delta(model, {"content": MARK}))


def last_events(model: str) -> list[bytes]:
    """The reason it ended, the usage, and the end."""
    usage = _event({"choices": [], **_common(model, "chat.completion.chunk"), "usage": _USAGE})
    return [_event(_delta(model, {}, finish="stop")), usage, b"data: [DONE]\n\n"]


def chunked(events: Iterable[bytes]) -> bytes:
    """Each event as one HTTP chunk of its own, as llama.cpp sends them."""
    return b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in events)


def _delta(model: str, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"finish_reason": finish, "index": 0, "delta": delta}
    return {"choices": [choice], **_common(model, "chat.completion.chunk")}


def _common(model: str, kind: str) -> dict[str, Any]:
    return {
        "created": _CREATED,
        "id": _ID,
        "model": model,
        "system_fingerprint": "b6730-d9a51e1",
        "object": kind,
    }


def _event(payload: dict[str, Any]) -> bytes:
    return b"data: " + _json(payload).encode() + b"\n\n"


def _json(payload: dict[str, Any]) -> str:
    return json.dumps(payload, separators=(",", ":"))
