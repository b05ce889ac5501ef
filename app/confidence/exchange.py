"""What the signals look at: a question, and the answer as far as it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.confidence.trace import Trace


@dataclass(frozen=True, slots=True)
class Exchange:
    """`question` is what the user said last. `finish_reason` is None while the answer is being written.

    `response_format` is the request's, None where it asked for no form. `calls` says that it called a tool. `trace` is
    None where the backend tells nothing of its tokens. `samples` are other answers to the same question, `verdict` is
    how likely a verifier finds this one right; both only where a policy asks for them.
    """

    question: str
    text: str
    model: str = ""
    finish_reason: str | None = None
    response_format: Mapping[str, Any] | None = None
    calls: bool = False
    trace: Trace | None = None
    samples: tuple[str, ...] = ()
    verdict: float | None = None
