"""A server of OpenAI's kind that counts as one that the gateway runs itself."""

from __future__ import annotations

from dataclasses import replace

from backends.base import Resources
from backends.openai import OpenAi, OpenAiSettings


class Managed(OpenAi):
    """All else is as with the others."""

    Settings = OpenAiSettings

    def __init__(self, settings: OpenAiSettings, resources: Resources) -> None:
        super().__init__(settings, resources)
        self.profile = replace(self.profile, managed=True)
