"""What a backend is: its settings, its small Protocols (having the method is the capability), and the kinds."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Protocol, Self, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.domain.backend import Capability, Hardware, ModelPatterns, Profile, ServedModel
from app.domain.handoff import Begun, Continuation, Snapshot
from app.domain.job import Job
from backends.shelf import Shelf

KINDS = {
    "anthropic": "backends.anthropic:Anthropic",
    "llamacpp": "backends.llamacpp:LlamaCpp",
    "ollama": "backends.ollama:Ollama",
    "openai": "backends.openai:OpenAi",
    "openvino": "backends.openvino:OpenVino",
    "static_embeddings": "backends.static_embeddings:StaticEmbeddings",
}

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Url = Annotated[str, Field(pattern=r"^https?://[^\s/]+(/\S*)?$", max_length=2048)]
Pattern = Annotated[str, Field(min_length=1, max_length=256)]


class Frozen(BaseModel):
    """Settings are read once and never change."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Timeouts(Frozen):
    """How long to wait, in seconds."""

    connect: Seconds = Field(5, description="to reach the server")
    first_token: Seconds = Field(300, description="for the first chunk of an answer")
    stall: Seconds = Field(60, description="between two chunks")
    total: Seconds = Field(1800, description="for a whole answer")


class Probing(Frozen):
    """The health probe and its circuit breaker."""

    interval_seconds: Seconds = Field(10, description="between two probes")
    failures: int = Field(3, ge=1, le=100, description="in a row, of probes or jobs, that open the breaker")
    cooldown_seconds: Seconds = Field(15, description="that an open breaker waits before one job may try again")


class Price(Frozen):
    """What a million tokens cost, in whatever currency the budgets are in."""

    prompt: float = Field(ge=0, description="for tokens that are read")
    completion: float = Field(ge=0, description="for tokens that are written")


class BackendSettings(Frozen):
    """What every kind of backend can be told."""

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="its name, in headers, logs and metrics")
    kind: str = Field(description="which implementation runs it")
    hardware: Hardware = Field(Hardware.CPU, description="what it runs on")
    tier: int = Field(1, ge=0, le=9, description="how big it is; smaller tiers are asked first")
    watts: float | None = Field(
        None, ge=0, le=10_000, description="what it draws while it works; unknown when left out"
    )
    zone: str | None = Field(None, description="the zone that it heats")
    models: tuple[Pattern, ...] = Field(("*",), min_length=1, description="globs of the models that it may serve")
    preferred: tuple[Pattern, ...] = Field((), description="globs of the models that it should get first")
    excluded: tuple[Pattern, ...] = Field((), description="globs of the models that it must not serve")
    max_context: int | None = Field(None, ge=1, description="tokens that fit, when the server does not say")
    max_model_billions: float | None = Field(
        None,
        gt=0,
        le=100_000,
        description="largest model, in billions of parameters, that it may be given; by the model's name",
    )
    concurrency: int = Field(8, ge=1, le=100_000, description="jobs that it takes at once")
    queue: int = Field(64, ge=0, le=100_000, description="jobs that may wait for a place")
    ageing_seconds: Seconds = Field(30, description="after which a waiting job counts as one priority higher")
    price: Price | None = Field(None, description="what a million tokens cost; unknown when left out")
    warm_up: bool = Field(False, description="ask for one token at start, so that the model is loaded")
    timeouts: Timeouts = Timeouts()
    health: Probing = Probing()

    @model_validator(mode="after")
    def _excluded_leaves_something(self) -> Self:
        if "*" in self.excluded:
            raise ValueError("excluded has '*': nothing would be left to serve")
        return self

    def model_needed(self) -> str | None:
        """The model that must be in the cache (or on disk) before this backend can start."""
        return None

    def profile(
        self, honours: dict[Capability, frozenset[str]], *, passes_extras: bool = False, managed: bool = False
    ) -> Profile:
        """The facts for routing, with what this kind can act on; `managed` if the gateway runs it itself."""
        return Profile(
            id=self.id,
            kind=self.kind,
            hardware=self.hardware,
            tier=self.tier,
            patterns=ModelPatterns(self.models, self.preferred, self.excluded),
            honours=honours,
            concurrency=self.concurrency,
            queue=self.queue,
            passes_extras=passes_extras,
            max_context=self.max_context,
            watts=self.watts,
            max_model_billions=self.max_model_billions,
            zone=self.zone,
            managed=managed,
            price=None if self.price is None else (self.price.prompt, self.price.completion),
        )


@dataclass(frozen=True, slots=True)
class Resources:
    """What a backend may use of this machine.

    `find_model` gives the file or directory of a catalogue name or path and raises ConfigurationError;
    `scratch` is a private directory in memory, gone when the gateway stops; `shelf` has room for what is left in it.
    """

    find_model: Callable[[str], Path]
    scratch: Path
    shelf: Shelf = field(default_factory=Shelf)


class Backend(Protocol):
    """Something that runs models. Built without side effects: `Kind(settings, resources)`."""

    profile: Profile

    async def start(self) -> None:
        """Get ready to be probed; quick: what takes long goes on in the background and shows in `probe`."""

    async def stop(self) -> None:
        """Let go of everything; also right after a failed start."""

    async def probe(self) -> tuple[ServedModel, ...]:
        """The models that it can serve now. Raises BackendError when it can't serve."""


class Chats(Protocol):
    """Answers a conversation."""

    def chat(self, job: Job) -> AsyncGenerator[bytes, None]:
        """Blocks of whole `chat.completion.chunk` events in OpenAI's shape, with `data: [DONE]` last.

        `job.body["model"]` is a model of this backend. The first step raises BackendRefusedError when nothing
        came of it; later ones raise StreamBrokenError. Closing the generator stops the backend.
        Usage comes in a last event with empty `choices`, where the server tells it.
        """


class Completes(Protocol):
    """Goes on with a text."""

    def complete(self, job: Job) -> AsyncGenerator[bytes, None]:
        """As `Chats.chat`, in the shape of `text_completion`."""


class Embeds(Protocol):
    """Turns texts into vectors."""

    async def embed(self, job: Job) -> dict[str, Any]:
        """The official answer of /v1/embeddings, its vectors as lists of floats. Raises BackendError."""


@runtime_checkable
class Paces(Protocol):
    """Can be slowed by letting it work only part of the time, where `paceable` says so."""

    @property
    def paceable(self) -> bool:
        """Whether it can, as it is configured and on this machine."""

    def pace(self, duty: float) -> None:
        """Work only this share of the time (0..1]; 1 ends it. At once, without blocking, also before the start."""


@runtime_checkable
class Continues(Protocol):
    """Can go on with a chat answer that another backend, or it itself, began.

    What its methods stream is what comes after `begun.text`, in the shape of `Chats.chat`; a first `role` is allowed.
    The job is as it came, with `max_tokens` already less by what is written. The usage is the server's own count for
    this request: what was written before is part of its prompt. They raise as `chat` does.
    """

    @property
    def continuations(self) -> frozenset[Continuation]:
        """How it can be gone on at this backend as things stand; each has its Protocol."""

    @property
    def keeps_constraints(self) -> frozenset[Continuation]:
        """By which of them it can go on in the middle of JSON that `response_format` constrains."""


class KeepsState(Protocol):
    """`kv`: leaves the state of an answer in a file, and takes up one that was left."""

    @property
    def state_kind(self) -> str | None:
        """Equal at servers that can take each other's files; None while it can't."""

    async def save(self, job: Job, begun: Begun, stop: Callable[[], Awaitable[None]]) -> Snapshot:
        """The state of the answer that `chat(job)` (this very job) is writing; `stop` closes that stream.

        `begun` is what was read of the stream until now. Raises BackendError when nothing can be had of it; the stream
        is closed then too.
        """

    def restore(self, job: Job, snapshot: Snapshot) -> AsyncGenerator[bytes, None]:
        """Go on from a file; `snapshot.begun.surplus` comes first."""


class Replays(Protocol):
    """`tokens`: is given the ids of what was written, or finds them itself where `begun.tokens` is None."""

    def replay(self, job: Job, begun: Begun) -> AsyncGenerator[bytes, None]:
        """Go on after these tokens; `begun.surplus` comes first."""


class Prefills(Protocol):
    """`prefill`: is given what was written as the beginning of its own turn."""

    def prefill(self, job: Job, begun: Begun) -> AsyncGenerator[bytes, None]:
        """Go on after this text; `begun.surplus` is not looked at."""


@runtime_checkable
class Warms(Protocol):
    """Can read the prompt and what is written so far ahead of `replay` or `prefill`."""

    async def warm(self, job: Job, begun: Begun) -> None:
        """Returns when it is read. Raises BackendError."""
