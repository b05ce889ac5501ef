"""What holds for every job at the moment: the efficiency mode, and what it allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.domain.backend import Hardware
from app.domain.job import Workload


@dataclass(frozen=True, slots=True)
class Mode:
    """An efficiency mode: hardware that it uses, best first, and how many watts, how much fan, how hot.

    Hardware that is not in the order is not used. A graphics card of AMD's takes nvidia's place where the order does
    not name it itself.
    """

    name: str
    order: tuple[Hardware, ...]
    max_watts: float | None
    max_fan_percent: float
    max_celsius: float

    def place(self, hardware: Hardware) -> int | None:
        """0 for what is preferred, None for what is not used."""
        if hardware is Hardware.AMD and Hardware.AMD not in self.order:
            hardware = Hardware.NVIDIA
        return self.order.index(hardware) if hardware in self.order else None


@dataclass(frozen=True, slots=True)
class Conditions:
    """The mode in force and `why`; a new value whenever something changes.

    `quick` and `frugal` are the modes whose orders a latency-critical or a power-efficient job goes by. `workloads`
    says which hardware is good at what. `watts_left` is what the budget for all zones together still has, None
    without a budget. `relax` says whether limits that exclude everything give way.
    """

    mode: Mode
    why: str
    quick: Mode
    frugal: Mode
    workloads: Mapping[Workload, frozenset[Hardware]] = field(default_factory=dict)
    watts_left: float | None = None
    relax: bool = True
