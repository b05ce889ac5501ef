"""Which job is in which slot of a llama.cpp server: we choose, so that we know where an answer's state is."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from app.domain.job import Job

_BLOCK_BYTES = 512
_MOST_BYTES = 256 * _BLOCK_BYTES

Blocks = tuple[int, ...]


@dataclass(slots=True)
class _Slot:
    """`blocks` are of the last prompt that it had, `holders` how many need it left alone, `used` grows with time."""

    blocks: Blocks = ()
    holders: int = 0
    used: int = 0


class Slots:
    """None of them, where the server is to decide."""

    def __init__(self, count: int) -> None:
        self._slots = [_Slot() for _ in range(count)]
        self._of: dict[int, int] = {}
        self._time = itertools.count(1)

    @contextmanager
    def running(self, job: Job) -> Iterator[int | None]:
        """A slot of its own for the time of a stream; None when none is free."""
        slot = self._choose(job.body)
        if slot is None:
            yield None
            return
        self._of[id(job)] = slot
        try:
            with self.held(slot):
                yield slot
        finally:
            self._of.pop(id(job), None)

    @contextmanager
    def any(self) -> Iterator[int | None]:
        """A slot for something that is no job."""
        slot = self._choose({})
        if slot is None:
            yield None
            return
        with self.held(slot):
            yield slot

    def of(self, job: Job) -> int | None:
        """Where this very job runs now."""
        return self._of.get(id(job))

    @contextmanager
    def held(self, slot: int) -> Iterator[None]:
        """Nobody else gets it meanwhile."""
        self._slots[slot].holders += 1
        try:
            yield
        finally:
            self._slots[slot].holders -= 1

    def _choose(self, body: Mapping[str, Any]) -> int | None:
        """The free one that remembers most of this prompt; of several the one that was not used for the longest time,
        except where all of the prompt was the same: then it may have been read ahead for us.
        """
        free = [index for index, slot in enumerate(self._slots) if not slot.holders]
        if not free:
            return None
        blocks = _blocks(body)

        def fitness(index: int) -> tuple[int, int]:
            slot = self._slots[index]
            shared = _shared(slot.blocks, blocks)
            return shared, slot.used if shared == len(blocks) else -slot.used

        best = max(free, key=fitness)
        self._slots[best].blocks, self._slots[best].used = blocks, next(self._time)
        return best


def _blocks(body: Mapping[str, Any]) -> Blocks:
    prompt = orjson.dumps(body.get("messages") or body.get("prompt"))
    size = min(len(prompt), _MOST_BYTES)
    return tuple([hash(prompt[start : start + _BLOCK_BYTES]) for start in range(0, size, _BLOCK_BYTES)])


def _shared(one: Blocks, other: Blocks) -> int:
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
