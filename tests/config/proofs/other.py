"""Another kind, so that there are two."""

from __future__ import annotations

from tests.fakes.backend import ScriptedBackend


class Other(ScriptedBackend):
    """As scripted, by another name."""
