"""Other kinds than the scripted one."""

from __future__ import annotations

from backends.base import Resources
from tests.fakes.backend import ScriptedBackend, ScriptedSettings


class Other(ScriptedBackend):
    """As scripted, by another name."""


class Curious(ScriptedBackend):
    """Shows what it was given."""

    def __init__(self, settings: ScriptedSettings, resources: Resources) -> None:
        super().__init__(settings, resources)
        self.resources = resources
