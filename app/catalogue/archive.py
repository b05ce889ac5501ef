"""Taking single members out of a wheel or a source archive, and nothing else of it.

Nothing is ever written under a name that an archive chooses, and nothing beyond the size that the
catalogue declares, so neither a path such as `../../x` nor a zip bomb can do harm.
"""

import difflib
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from app.catalogue.errors import WrongFileError
from app.catalogue.file import ModelFile
from app.catalogue.progress import Progress

CHUNK_BYTES = 1 << 20
UNREADABLE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, RuntimeError, OSError)


def unpack(pieces: Sequence[tuple[Path, str]], file: ModelFile, into: Path, progress: Progress) -> None:
    """Write the members one after the other, which is the file that the catalogue declares."""
    into.unlink(missing_ok=True)
    progress.start(f"unpacking {file.name}", file.bytes, 0)
    try:
        with into.open("xb") as sink:
            for archive, member in pieces:
                _append(archive, member, file, sink, progress)
            if sink.tell() < file.bytes:
                raise WrongFileError(f"{file.name} is {sink.tell()} bytes; {file.bytes} are declared")
    except BaseException:  # an interrupt too: half an unpacked file cannot be gone on with
        into.unlink(missing_ok=True)
        raise
    finally:
        progress.finish()


def _append(archive: Path, member: str, file: ModelFile, sink: IO[bytes], progress: Progress) -> None:
    for chunk in _chunks(archive, member):
        if sink.tell() + len(chunk) > file.bytes:
            raise WrongFileError(f"{member} is larger than the {file.bytes} bytes declared")
        sink.write(chunk)
        progress.advance(len(chunk))


def _chunks(archive: Path, member: str) -> Iterator[bytes]:
    try:
        with _opened(archive, member) as content:
            while chunk := content.read(CHUNK_BYTES):
                yield chunk
    except UNREADABLE as error:
        raise WrongFileError(f"{archive.name} cannot be read ({error})") from error


@contextmanager
def _opened(archive: Path, member: str) -> Iterator[IO[bytes]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as wheel:
            if member not in wheel.namelist():
                raise _missing(member, wheel.namelist())
            with wheel.open(member) as content:
                yield content
    else:
        with tarfile.open(archive, "r:gz") as sdist:
            yield _content(sdist, member)


def _content(sdist: tarfile.TarFile, member: str) -> IO[bytes]:
    seen: list[str] = []
    for info in sdist:
        if info.name == member and info.isreg():
            content = sdist.extractfile(info)
            if content is not None:
                return content
        seen.append(info.name)
    raise _missing(member, seen)


def _missing(member: str, present: Sequence[str]) -> WrongFileError:
    near = difflib.get_close_matches(member, present, n=1)
    hint = f"; the nearest is {near[0]}" if near else ""
    return WrongFileError(f"the archive has no member {member}{hint}")
