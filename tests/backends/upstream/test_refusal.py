"""What an error answer means to us."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import BackendBusyError, BackendRefusedError, JobRejectedError
from backends.upstream.refusal import refusal, safe

OVERFLOW = {"code": 400, "message": "request (2622 tokens) exceeds", "type": "exceed_context_size_error", "n_ctx": 512}


def rejected(body: Any, status: int = 400) -> JobRejectedError:
    error = refusal("box", status, {}, body if isinstance(body, bytes) else orjson.dumps(body))
    assert isinstance(error, JobRejectedError)
    return error


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "Too hot.", "type": "invalid_request_error", "param": "temperature", "code": None}},
        {"error": "Too hot."},
        {"error": {"code": 400, "message": "Too hot.", "type": "invalid_request_error"}},
        {"type": "error", "error": {"type": "invalid_request_error", "message": "Too hot."}},
        {"detail": "Too hot."},
        {"object": "error", "message": "Too hot.", "type": "BadRequestError", "param": None, "code": 400},
        {"error": orjson.dumps({"error": {"code": 400, "message": "Too hot."}}).decode()},
    ],
    ids=["openai", "ollama", "llamacpp", "anthropic", "fastapi", "vllm", "ollama over llamacpp"],
)
def test_the_words_of_every_servers_error_are_found(body: Any) -> None:
    assert rejected(body).detail == "Too hot."


def test_the_field_and_the_code_are_kept() -> None:
    error = rejected({"error": {"message": "no", "param": "seed", "code": "unsupported_value"}})

    assert (error.status, error.param, error.code) == (400, "seed", "unsupported_value")


@pytest.mark.parametrize(
    "body",
    [
        {"error": OVERFLOW},
        {"error": orjson.dumps({"error": OVERFLOW}).decode()},
        {"error": "the input length exceeds the context length"},
        {"error": {"message": "This model's maximum context length is 4096 tokens. However, you requested 5000."}},
        {"error": {"message": "exceeds the available context size", "type": "invalid_request_error", "code": 400}},
    ],
)
def test_a_prompt_that_is_too_long_has_the_same_code_everywhere(body: Any) -> None:
    assert rejected(body).code == "context_length_exceeded"


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"[]", b"3", {"error": None}, {"error": {"message": 7}}])
def test_an_error_without_words_is_told_by_its_status(body: Any) -> None:
    assert rejected(body, 422).detail in ("it answered 422", "7")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, JobRejectedError),
        (401, BackendRefusedError),
        (403, BackendRefusedError),
        (404, BackendRefusedError),
        (413, JobRejectedError),
        (422, JobRejectedError),
        (429, BackendBusyError),
        (500, BackendRefusedError),
        (503, BackendBusyError),
        (529, BackendBusyError),
    ],
)
def test_each_status_has_its_own_meaning(status: int, kind: type[BackendRefusedError]) -> None:
    assert type(refusal("box", status, {}, b"")) is kind


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(b"7", 7), (b"0.5", 0.5), (b"-3", 0), (b"3600", 60), (b"inf", 60), (b"nan", 0), (b"Fri, 31 Dec 2027", 1)],
)
def test_when_to_come_back_is_a_number_of_seconds_within_reason(header: bytes, seconds: float) -> None:
    error = refusal("box", 429, {b"retry-after": header}, b"")

    assert isinstance(error, BackendBusyError)
    assert error.retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("failed to open /srv/models/a.gguf", "failed to open [path]"),
        ("failed to open:/srv/models/a.gguf.", "failed to open:[path]"),
        ("'/home/joe/.ollama/blobs/x' is broken", "'[path]' is broken"),
        ("see file:///home/joe/a.txt", "see [path]"),
        (r"C:\Users\joe\a.gguf", "[path]"),
        ("C:/Users/joe/a.gguf", "[path]"),
        ("see https://example.com/docs/errors", "see https://example.com/docs/errors"),
        ("registry.ollama.ai/library/qwen:latest has no tools", "registry.ollama.ai/library/qwen:latest has no tools"),
        ("first line\nTraceback (most recent call last)", "first line"),
        ("either/or is 1/2", "either/or is 1/2"),
    ],
)
def test_no_file_path_is_told(text: str, told: str) -> None:
    assert safe(text) == told


@given(content=st.binary(), status=st.integers(300, 599), after=st.binary(max_size=12))
def test_any_answer_at_all_makes_an_error(content: bytes, status: int, after: bytes) -> None:
    assert refusal("box", status, {b"retry-after": after}, content).backend == "box"
