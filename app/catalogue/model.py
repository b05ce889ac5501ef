"""A model as the catalogue describes it."""

from dataclasses import dataclass
from typing import Literal

from app.catalogue.file import ModelFile
from app.catalogue.source import Source

CapabilityWord = Literal["chat", "embed", "transcribe", "speak"]


@dataclass(frozen=True, slots=True)
class Model:
    name: str
    capability: CapabilityWord
    licence: str
    files: tuple[ModelFile, ...]
    sources: tuple[Source, ...]
    description: str = ""
