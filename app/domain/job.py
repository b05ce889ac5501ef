"""One unit of work to place: the facts that routing may look at, beside the body as it came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import Any

from app.domain.backend import Capability


class Workload(StrEnum):
    """What kind of work a job is."""

    REALTIME = "realtime"
    AUDIO = "audio"
    CODE = "code"
    IMAGE = "image"
    TEXT = "text"


class Priority(IntEnum):
    """Who is served first where there is a line."""

    BEST_EFFORT = 0
    NORMAL = 1
    HIGH = 2
    CRITICAL = 3

    @property
    def word(self) -> str:
        """As it is written in headers and records."""
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the caller asks of the choice, beside the answer itself: the gateway's own request headers.

    `target` is the one backend to use. `max_latency_seconds` is until the first token of a streamed answer, or the end
    of a whole one. `max_watts` is what a backend may draw. None asks for nothing.
    `forwarding` is what of the policy of forwarding is to be different.
    """

    target: str | None = None
    latency_critical: bool = False
    power_efficient: bool = False
    max_latency_seconds: float | None = None
    max_watts: float | None = None
    media_type: Workload | None = None
    priority: Priority | None = None
    forwarding: Mapping[str, Any] | None = None


NO_WISHES = Wishes()


@dataclass(frozen=True, slots=True)
class Job:
    """`model` is what the client asked for; `parameters` are the fields that the answer depends on.

    `prompt_bytes` is the length of the prompt's text in UTF-8 bytes; its tokens are only known to a tokenizer.
    `choices` is how many answers are wanted: `n`, times the number of prompts of a completion.
    `background` is work that nobody waits for, such as a title for a chat. `question` is what the user said last.
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
    wishes: Wishes = NO_WISHES
    workload: Workload = Workload.TEXT
    priority: Priority = Priority.NORMAL
    background: bool = False
    question: str = ""

    def to(self, model: str) -> Job:
        """The same job for a backend that calls the model by this name."""
        return self if self.body.get("model") == model else self.with_body(model=model)

    def with_body(self, **changes: Any) -> Job:
        return replace(self, body={**self.body, **changes})
