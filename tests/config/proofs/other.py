"""Other kinds than the scripted one."""

from __future__ import annotations

from dataclasses import replace

from app.domain.handoff import Begun
from app.domain.job import Job
from backends.base import Resources
from tests.fakes.backend import ScriptedBackend, ScriptedSettings


class Other(ScriptedBackend):
    """As scripted, by another name."""


class Curious(ScriptedBackend):
    """Shows what it was given."""

    def __init__(self, settings: ScriptedSettings, resources: Resources) -> None:
        super().__init__(settings, resources)
        self.resources = resources


class Ours(ScriptedBackend):
    """Has the models that its settings name, can be warmed, and counts as run by the gateway itself."""

    def __init__(self, settings: ScriptedSettings, resources: Resources) -> None:
        super().__init__(settings, resources)
        self.profile = replace(self.profile, managed=True)
        self.served = ()
        self.warmed = 0

    async def warm(self, job: Job, begun: Begun) -> None:
        self.warmed += 1


class Theirs(Ours):
    """As ours, but run by somebody else."""

    def __init__(self, settings: ScriptedSettings, resources: Resources) -> None:
        super().__init__(settings, resources)
        self.profile = replace(self.profile, managed=False)
