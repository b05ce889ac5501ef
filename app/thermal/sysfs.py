"""Linux' sysfs, read by name under a root that a container or a test may put elsewhere."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Iterator
from pathlib import Path

from app.thermal.sensor import SensorLostError

#: What a driver says where it has no value at the moment, while the device itself is well.
_NOTHING_NOW = {errno.ENODATA, errno.EAGAIN, errno.EBUSY, errno.EINVAL, errno.EOPNOTSUPP}
_ASLEEP = {"suspended", "suspending"}
_COLDEST_CELSIUS, _HOTTEST_CELSIUS = -50.0, 150.0


class ForbiddenError(SensorLostError):
    """The file is there, but not for us."""


class Sysfs:
    """Files are opened once and read again from their start, which is what sysfs is made for.

    Missing files and what is no number are None; a device that has gone, or is forbidden, raises SensorLostError.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._open: dict[Path, int | None] = {}
        self._statuses: dict[Path, Path] = {}

    def glob(self, pattern: str) -> Iterator[Path]:
        """In a stable order; numbers count as numbers (`hwmon2` before `hwmon10`). Opens and wakes nothing."""
        try:
            return iter(sorted(self.root.glob(pattern), key=_by_number))
        except FileNotFoundError:  # it went while we looked
            return iter(())

    def text(self, path: Path) -> str | None:
        """The file's text without the white space around it; None when there is no such file, or no value now."""
        descriptor = self._descriptor(path)
        if descriptor is None:
            return None
        try:
            return os.pread(descriptor, 4096, 0).decode("utf-8", "replace").strip()
        except OSError as error:
            if error.errno in _NOTHING_NOW:
                return None
            self._forget(path)
            raise _lost(path, "read", error) from error

    def identity(self, path: Path) -> str | None:
        """The text that says what something is; None also where it can't be read: then it is not what is sought."""
        try:
            return self.text(path)
        except SensorLostError:
            return None

    def number(self, path: Path, scale: float = 1.0) -> float | None:
        """The file's number times `scale`."""
        if self._open.get(path, 0) is None:  # most sensors ask most often for what is not there
            return None
        text = self.text(path)
        if not text:
            return None
        try:
            number = float(text)
        except ValueError:
            return None
        return number * scale if math.isfinite(number) else None

    def first(self, *paths: Path) -> float | None:
        """The number of the first file that has one."""
        return next((number for path in paths if (number := self.number(path)) is not None), None)

    def celsius(self, path: Path) -> float | None:
        """The file's millidegrees as degrees; None where no silicon could be so cold or so hot."""
        milli = self.number(path)
        if milli is None or not _COLDEST_CELSIUS <= milli / 1000 <= _HOTTEST_CELSIUS:
            return None
        return milli / 1000

    def limit(self, *paths: Path) -> float | None:
        """The first temperature of these that can be a limit. Drivers write 0 or nonsense for "none"."""
        limits = (self.celsius(path) for path in paths)
        return next((celsius for celsius in limits if celsius is not None and celsius > 0), None)

    def target(self, link: Path) -> str | None:
        """The name of what a link leads to, such as a device's driver; None when there is no such link."""
        try:
            return link.readlink().name
        except OSError:
            return None

    def asleep(self, device: Path) -> bool:
        """Whether that device is suspended: reading almost anything else of it would wake it."""
        status = self._statuses.get(device)
        if status is None:
            status = self._statuses[device] = device / "power" / "runtime_status"
        return self.text(status) in _ASLEEP

    def close(self) -> None:
        """Forget every file, also those that were not there."""
        for path in tuple(self._open):
            self._forget(path)

    def _descriptor(self, path: Path) -> int | None:
        if path not in self._open:
            try:
                self._open[path] = os.open(path, os.O_RDONLY)
            except (FileNotFoundError, NotADirectoryError):
                self._open[path] = None  # what a driver does not offer it does not offer later either
            except OSError as error:
                raise _lost(path, "opened", error) from error
        return self._open[path]

    def _forget(self, path: Path) -> None:
        descriptor = self._open.pop(path, None)
        if descriptor is not None:
            os.close(descriptor)


def _lost(path: Path, done: str, error: OSError) -> SensorLostError:
    kind = ForbiddenError if isinstance(error, PermissionError) else SensorLostError
    return kind(f"{path.name} can't be {done}: {error.strerror}")


def _by_number(path: Path) -> tuple[list[str], list[int]]:
    digits = "".join(char if char.isdigit() else " " for char in str(path)).split()
    return ["".join(part for part in str(path) if not part.isdigit())], [int(number) for number in digits]
