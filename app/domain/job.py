"""One unit of work to place: the facts that routing may look at, beside the body as it came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.domain.backend import Capability


@dataclass(frozen=True, slots=True)
class Job:
    """`model` is what the client asked for; `parameters` are the fields that the answer depends on.

    `prompt_bytes` is the length of the prompt's text in UTF-8 bytes; its tokens are only known to a tokenizer.
    `choices` is how many answers are wanted: `n`, times the number of prompts of a completion.
    """

    request_id: str
    capability: Capability
    model: str
    body: Mapping[str, Any]
    parameters: frozenset[str] = frozenset()
    extras: frozenset[str] = frozenset()
    prompt_bytes: int = 0
    max_tokens: int | None = None
    choices: int = 1
    stream: bool = False
    include_usage: bool = False
    has_images: bool = False
    key_name: str | None = None

    def to(self, model: str) -> Job:
        """The same job for a backend that calls the model by this name."""
        return self if self.body.get("model") == model else self.with_body(model=model)

    def with_body(self, **changes: Any) -> Job:
        return replace(self, body={**self.body, **changes})
