"""The state of running answers as one llama.cpp server leaves it in files, and takes it up from them."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from asyncio import Task
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from app.domain.errors import BackendRefusedError, StreamBrokenError
from app.domain.handoff import Begun, Snapshot
from app.domain.job import Job
from backends.llamacpp_asked import goes_by_ids
from backends.llamacpp_native import Native
from backends.llamacpp_slots import Slots
from backends.llamacpp_tokens import continued_ids
from backends.shelf import Place, Shelf
from backends.slot_file import read_ids

_BYTES_PER_TOKEN_OF_TEXT = 3
_LAST_SECONDS = 1.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StateFacts:
    """Of a server whose slots can be saved and restored.

    `kind` is equal where files can be exchanged; `move_seconds` is what saving and restoring a few tokens took.
    """

    kind: str
    bytes_per_token: float
    move_seconds: float


class StateFiles:
    """`directory` is where the server puts its files. Whatever is written there is removed on every way out."""

    def __init__(self, native: Native, slots: Slots, directory: Path, shelf: Shelf) -> None:
        self._native = native
        self._slots = slots
        self._directory = directory
        self._shelf = shelf
        self._tasks: set[Task[Any]] = set()

    def new(self) -> Path:
        """A name that nobody guesses, for a file that is not there yet."""
        return self._directory / f"{secrets.token_hex(16)}.slot"

    async def save(self, job: Job, begun: Begun, stop: Callable[[], Awaitable[None]], facts: StateFacts) -> Snapshot:
        """See `backends.base.KeepsState`."""
        slot = self._slots.of(job)
        if slot is None:
            await stop()
            raise BackendRefusedError(self._native.backend, "does not know where this answer's state is")
        with self._slots.held(slot):
            await stop()
            tokens = job.prompt_bytes // _BYTES_PER_TOKEN_OF_TEXT + begun.written
            place = self._shelf.reserve(self._native.backend, int(tokens * facts.bytes_per_token))
            return await self._saved(job, begun, slot, facts.kind, place)

    async def take_up(self, slot: int, snapshot: Snapshot) -> None:
        """Restore a slot from a file, wherever that is. Raises BackendError."""
        if snapshot.file.parent == self._directory:
            await self._native.restore(slot, snapshot.file.name)
            return
        file = self.new()
        bringing = self._begin(asyncio.to_thread(_bring, snapshot.file, file))
        try:
            await self._end_of(bringing)
            await self._native.restore(slot, file.name)
        except OSError as error:
            raise BackendRefusedError(self._native.backend, f"can't be given the state: {error.strerror}") from error
        finally:
            _afterwards(bringing, partial(file.unlink, missing_ok=True))

    async def close(self) -> None:
        """Wait a little for what still goes on in the background, and end it."""
        tasks = tuple(self._tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=_LAST_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _saved(self, job: Job, begun: Begun, slot: int, kind: str, place: Place) -> Snapshot:
        file = self.new()
        writing = self._begin(self._write(slot, file))
        try:
            told, _ = await asyncio.gather(self._told(job, begun, file, writing), self._end_of(writing))
            size = _size(file)
            place.resize(size)
        except BaseException as error:
            _afterwards(writing, partial(_discard, file, place))
            if isinstance(error, OSError):
                raise BackendRefusedError(self._native.backend, f"left no state: {error.strerror}") from error
            raise
        return Snapshot(file, kind, told, size, place.release)

    async def _write(self, slot: int, file: Path) -> None:
        """To its end, though whoever wanted it may have left: the server would write it all the same."""
        with self._slots.held(slot):
            size = await self._native.save(slot, file.name)
        if size != _size(file):
            raise BackendRefusedError(self._native.backend, "left a state that is not whole")

    async def _told(self, job: Job, begun: Begun, file: Path, writing: Task[None]) -> Begun:
        """What the state holds, to the last token."""
        if not goes_by_ids(job, begun):
            return begun
        prompt = await self._native.prompt_ids(job)
        await self._end_of(writing)
        try:
            saved = await asyncio.to_thread(read_ids, file)
            ids, surplus = await continued_ids(self._native, prompt, saved, begun.text)
        except ValueError as error:
            raise StreamBrokenError(self._native.backend, f"left a state that {error}") from error
        return Begun(begun.text, begun.reasoning, len(ids) - len(prompt), tuple(ids), surplus)

    async def _end_of(self, task: Task[None]) -> None:
        """Whoever waits may leave; the task goes on."""
        await asyncio.wait([task])
        if task.cancelled():
            raise BackendRefusedError(self._native.backend, "stops")
        task.result()

    def _begin(self, work: Coroutine[Any, Any, T]) -> Task[T]:
        task = asyncio.create_task(work, name=f"state {self._native.backend}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _afterwards(task: Task[Any], act: Callable[[], None]) -> None:
    """Now, or when the task has ended, which nobody else waits for then."""

    def ended(_: Task[Any]) -> None:
        if not task.cancelled():
            task.exception()  # so that asyncio does not call it unseen
        act()

    if task.done():
        act()
    else:
        task.add_done_callback(ended)


def _size(file: Path) -> int:
    return file.stat().st_size


def _discard(file: Path, place: Place) -> None:
    file.unlink(missing_ok=True)
    place.release()


def _bring(source: Path, target: Path) -> None:
    """A second name where the file system allows it, else a copy."""
    try:
        os.link(source, target)
    except OSError:
        target.touch(mode=0o600, exist_ok=False)
        shutil.copyfile(source, target)
