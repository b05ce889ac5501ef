"""What routing may know of a backend: who it is, what it serves, and how it is now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase


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
class Profile:
    """The facts about a backend that do not change while it runs.

    `honours` holds the request parameters that it can act on, for each capability that it has.
    `passes_extras` says that fields outside the API reach it as they came.
    `watts` is what it draws when it works, None when nobody said.
    `concurrency` is how many jobs it takes at once and `queue` how many may wait for a place.
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
    zone: str | None = None


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
    asked for, 0 for the first. `retry_seconds` is how long its breaker stays open, `ailment` why.
    """

    profile: Profile
    model: ServedModel
    serves: bool = True
    health: Health = Health.CLOSED
    busy: int = 0
    waiting: int = 0
    preference: int = 0
    first_token_seconds: float | None = None
    retry_seconds: float = 0.0
    ailment: str = ""
