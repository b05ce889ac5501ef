"""A user's own program that prints what it measured as one JSON object."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Annotated

from pydantic import Field, ValidationError

from app.domain.thermal import Reading
from app.thermal.said import Said, lost
from app.thermal.sensor import Seconds, SensorLostError, SensorSettings, Surroundings

_MOST_BYTES = 64 * 1024
_ENVIRONMENT = ("PATH", "HOME", "LANG")  # whatever else the gateway knows, keys above all, is none of its business


class CommandSettings(SensorSettings):
    """A program of your own."""

    kind: str = Field("command", description="how it is measured")
    busy_seconds: Seconds = Field(1, description="between two readings while its zone is warm or busy")
    command: Annotated[tuple[Annotated[str, Field(pattern=r"^[^\x00]*$")], ...], Field(min_length=1)] = Field(
        description='program and arguments, without a shell; it prints one JSON object, such as `{"celsius": 61.5}`'
    )
    timeout_seconds: Seconds = Field(2, description="that one run may take")


class CommandSensor:
    """One run a reading, in a process group of its own, which ends with the reading whatever happens."""

    Settings = CommandSettings

    def __init__(
        self,
        settings: CommandSettings,
        surroundings: Surroundings,  # noqa: ARG002 (every kind is built alike)
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, now: float) -> Reading:
        output = self._run()
        try:
            said = Said.model_validate_json(output, strict=True)
        except ValidationError as error:
            raise lost(error) from None
        if all(value is None for _, value in said):
            raise SensorLostError("its answer says nothing: no field has a value")
        return said.reading(now)

    def interrupt(self) -> None:
        """End the run that is going on."""
        if self._process is not None:
            _end(self._process)

    def close(self) -> None:
        """There is nothing to let go of: no run outlives its reading."""

    def _run(self) -> bytes:
        argv = self._settings.command
        try:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                start_new_session=True,
            )
        except OSError as error:
            raise SensorLostError(f"{argv[0]} can't be started: {error.strerror}") from None
        with process:
            self._process = process
            try:
                return self._output(process)
            finally:
                _end(process)
                self._process = None

    def _output(self, process: subprocess.Popen[bytes]) -> bytes:
        until = self._clock() + self._settings.timeout_seconds
        assert process.stdout is not None  # noqa: S101 (asked for above)
        output = b""
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while selector.select(max(until - self._clock(), 0)):
                if not (block := os.read(process.stdout.fileno(), _MOST_BYTES)):
                    return self._ended(process, until, output)
                output += block
                if len(output) > _MOST_BYTES:
                    raise SensorLostError("it says more than 64 KiB")
        raise self._too_long()

    def _ended(self, process: subprocess.Popen[bytes], until: float, output: bytes) -> bytes:
        try:
            code = process.wait(max(until - self._clock(), 0))
        except subprocess.TimeoutExpired:
            raise self._too_long() from None
        if code != 0:
            raise SensorLostError(f"it ended with exit code {code}")
        return output

    def _too_long(self) -> SensorLostError:
        return SensorLostError(f"it took longer than {self._settings.timeout_seconds:g} s")


def _end(process: subprocess.Popen[bytes]) -> None:
    """With all that it has started. One that has been waited for has no group of its own any more."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # such as sudo: wait for it
            os.killpg(process.pid, signal.SIGKILL)
