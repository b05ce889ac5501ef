"""What Ollama says of a model, and does not change while the model's digest doesn't."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.domain.backend import Capability

_CAPABILITIES = {
    "completion": frozenset({Capability.CHAT, Capability.COMPLETE}),
    "embedding": frozenset({Capability.EMBED}),
}


@dataclass(frozen=True, slots=True)
class Facts:
    """`family` is what Ollama calls the model's kin. None: it did not say, as versions before 0.6.4 don't."""

    digest: str = ""
    family: str = ""
    context: int | None = None
    capabilities: frozenset[Capability] | None = None
    sees: bool | None = None


def facts(shown: Mapping[str, Any], digest: str) -> Facts:
    """Of an answer of /api/show."""
    info, details, abilities = (shown.get(name) for name in ("model_info", "details", "capabilities"))
    info = info if isinstance(info, dict) else {}
    context = info.get(f"{info.get('general.architecture')}.context_length")
    known = abilities if isinstance(abilities, list) else None
    return Facts(
        digest=digest,
        family=str(details.get("family") or "") if isinstance(details, dict) else "",
        context=context if isinstance(context, int) and context > 0 else None,
        capabilities=_capabilities(known),
        sees=None if known is None else "vision" in known,
    )


def seconds(moment: Any) -> int:
    """A time as Ollama writes it, since the epoch; 0 when it is none."""
    try:
        return int(datetime.fromisoformat(moment).timestamp())
    except (TypeError, ValueError, OverflowError):
        return 0


def _capabilities(known: list[Any] | None) -> frozenset[Capability] | None:
    if known is None:
        return None
    return frozenset[Capability]().union(*(abilities for name, abilities in _CAPABILITIES.items() if name in known))
