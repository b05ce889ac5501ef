"""What routing may know of a backend: who it is, what it serves, and how it is now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from app.domain.thermal import Zone


class Capability(StrEnum):
    """What a job needs a backend to be able to do."""

    CHAT = "chat"
    COMPLETE = "complete"
    EMBED = "embed"


class Hardware(StrEnum):
    """What a backend runs on."""

    NPU = "npu"
    IGPU = "igpu"
    NVIDIA = "nvidia"
    AMD = "amd"
    CPU = "cpu"
    CLOUD = "cloud"


class Health(StrEnum):
    """What a circuit breaker makes of a backend's recent past."""

    UNKNOWN = "unknown"
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class ModelPatterns:
    """Which models a backend may serve, as case-sensitive globs; `excluded` wins, `preferred` is a hint."""

    supported: tuple[str, ...] = ("*",)
    preferred: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    def allow(self, model: str) -> bool:
        return matches(model, self.supported) and not matches(model, self.excluded)

    def prefer(self, model: str) -> bool:
        return matches(model, self.preferred)

    def exact(self) -> tuple[str, ...]:
        """The supported names that are no patterns: served even before the backend could be asked."""
        return tuple(name for name in self.supported if not set(name) & set("*?[") and self.allow(name))


def matches(model: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(model, pattern) for pattern in patterns)


@dataclass(frozen=True, slots=True)
class Learned:
    """What the answers of one model on one backend have taught, as running means; None is unknown.

    `first_token_seconds` is from taking a place to the first block, `tokens` the usual length of an answer, `seconds`
    how long a place is taken, `joules_per_token` counts written tokens, `watts` is the mean power while it works.
    """

    first_token_seconds: float | None = None
    tokens_per_second: float | None = None
    tokens: float | None = None
    seconds: float | None = None
    joules_per_token: float | None = None
    watts: float | None = None


NOTHING_LEARNED = Learned()


@dataclass(frozen=True, slots=True)
class Profile:
    """The facts about a backend that do not change while it runs.

    `honours` holds the request parameters that it can act on, for each capability that it has.
    `passes_extras` says that fields outside the API reach it as they came.
    `watts` is what it draws when it works, None when nobody said. `max_model_billions` is the largest model, in
    billions of parameters, that it should be given.
    `concurrency` is how many jobs it takes at once and `queue` how many may wait for a place. `managed` says that the
    gateway runs it itself. `price` is that of a million tokens, read and written, in whatever currency is meant.
    """

    id: str
    kind: str
    hardware: Hardware
    tier: int
    patterns: ModelPatterns
    honours: Mapping[Capability, frozenset[str]]
    concurrency: int
    queue: int
    passes_extras: bool = False
    max_context: int | None = None
    watts: float | None = None
    max_model_billions: float | None = None
    zone: str | None = None
    managed: bool = False
    price: tuple[float, float] | None = None

    @property
    def meter(self) -> str:
        """The name of what its energy is counted with: its zone's, or one of its own that no zone can have."""
        return self.zone if self.zone is not None else f"backend {self.id}"


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model as its backend describes it; `context` is in tokens, `sees` says whether it takes images.

    None means that the backend did not say.
    """

    name: str
    context: int | None = None
    created: int = 0
    capabilities: frozenset[Capability] | None = None
    sees: bool | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One backend with one of its models, as things stand: all that a rule may look at.

    `serves` says whether it has the model at all. `preference` is the place of the model in the alias that was
    asked for, 0 for the first. `ahead` is how many in its line would be served before this job, `wait_seconds` how long
    that takes at its usual pace (None when nothing was learned yet). `retry_seconds` is how long its breaker stays
    open, `ailment` why. `zone` is None for a backend that heats none that is known.
    """

    profile: Profile
    model: ServedModel
    serves: bool = True
    health: Health = Health.CLOSED
    busy: int = 0
    ahead: int = 0
    wait_seconds: float | None = 0.0
    preference: int = 0
    learned: Learned = NOTHING_LEARNED
    zone: Zone | None = None
    retry_seconds: float = 0.0
    ailment: str = ""

    @property
    def watts(self) -> float | None:
        """What it draws when it works: as configured, else as learned."""
        return self.learned.watts if self.profile.watts is None else self.profile.watts

    def latency_seconds(self, *, stream: bool, tokens: int | None) -> float | None:
        """How long the caller would wait: for the first token of a stream, for the whole of anything else.

        `tokens` is how long the answer may get; its usual length counts where that is not said. None is unknown.
        """
        learned = self.learned
        if learned.first_token_seconds is None or self.wait_seconds is None:
            return None
        began = self.wait_seconds + learned.first_token_seconds
        if stream:
            return began
        writing = self.writing_seconds(tokens)
        if writing is not None:
            return began + writing
        return None if learned.seconds is None else self.wait_seconds + learned.seconds  # its tokens are not counted

    def writing_seconds(self, tokens: int | None) -> float | None:
        """How long an answer takes from its first token to its last; None is unknown."""
        learned = self.learned
        length = min(tokens, learned.tokens or tokens) if tokens is not None else learned.tokens
        if length is None or not learned.tokens_per_second:
            return None
        return length / learned.tokens_per_second
