"""The catalogue file, read and checked once; every error names its place in the YAML."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, TypeAdapter, ValidationError

from app.catalogue.file import ModelFile
from app.catalogue.model import CapabilityWord, Model
from app.catalogue.source import KINDS, Source
from app.domain.errors import ConfigurationError
from app.loader import load

PLAIN_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
PLAIN_PATH = r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$"
T = TypeVar("T")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _File(_Strict):
    name: Annotated[str, Field(pattern=PLAIN_PATH)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bytes: PositiveInt


class _Entry(_Strict):
    name: Annotated[str, Field(pattern=PLAIN_NAME)]
    capability: CapabilityWord
    licence: Annotated[str, Field(min_length=1)]
    description: str = ""
    files: Annotated[list[_File], Field(min_length=1)]
    sources: Annotated[list[dict[str, Any]], Field(min_length=1)]


class _Document(_Strict):
    models: list[_Entry]


@dataclass(frozen=True, slots=True)
class Catalogue:
    models: Mapping[str, Model]

    def find(self, name: str) -> Model:
        if name not in self.models:
            near = difflib.get_close_matches(name, self.models, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(self.models) or 'none'}"
            raise ConfigurationError(f"the catalogue has no model {name}; {hint}")
        return self.models[name]


def load_catalogue(path: Path) -> Catalogue:
    document = _check(_Document, _read(path), "")
    models: dict[str, Model] = {}
    for index, entry in enumerate(document.models):
        place = f"models[{index}]"
        if entry.name in models:
            raise ConfigurationError(f"there are two models named {entry.name}", f"{place}.name")
        models[entry.name] = _model(entry, place)
    return Catalogue(models)


def _read(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"the catalogue {path} cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the catalogue {path} is not YAML: {error}") from error


def _model(entry: _Entry, place: str) -> Model:
    files = tuple(ModelFile(file.name, file.sha256, file.bytes) for file in entry.files)
    if len({file.name for file in files}) < len(files):
        raise ConfigurationError("two files have the same name", f"{place}.files")
    sources = tuple(_source(options, files, f"{place}.sources[{index}]") for index, options in enumerate(entry.sources))
    return Model(entry.name, entry.capability, entry.licence, files, sources, entry.description)


def _source(written: Mapping[str, Any], files: tuple[ModelFile, ...], place: str) -> Source:
    options = dict(written)
    source = _check(_kind(options.pop("kind", None), f"{place}.kind"), options, place)
    for file in files:
        if not source.gives(file.name):
            raise ConfigurationError(f"this source does not say where {file.name} is", place)
    return source


def _kind(kind: Any, place: str) -> type[Source]:
    if not isinstance(kind, str):
        raise ConfigurationError(f"say which kind of source this is: {', '.join(KINDS)}", place)
    try:
        found: type[Source] = load(kind, KINDS)
    except ConfigurationError as error:
        raise ConfigurationError(error.message, place) from error
    if not is_dataclass(found):
        raise ConfigurationError(f"{kind} is not a dataclass, so its options are unknown", place)
    return found


def _check(wanted: type[T], written: Any, place: str) -> T:
    try:
        return TypeAdapter(wanted).validate_python(written)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        unknown = first["type"] in {"extra_forbidden", "unexpected_keyword_argument"}
        reason = "this key is unknown" if unknown else first["msg"].removeprefix("Value error, ")
        raise ConfigurationError(reason, _place(place, first["loc"])) from error


def _place(start: str, steps: tuple[int | str, ...]) -> str:
    path = start
    for step in steps:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path
