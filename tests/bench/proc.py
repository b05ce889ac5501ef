"""What Linux says about a process: its CPU time, its memory, its children."""

import os
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """User and system time of all its threads so far."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / _TICKS_PER_SECOND


def resident_bytes(pid: int) -> int:
    """The memory it really occupies."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES


def children(pid: int) -> list[int]:
    """The processes it has started that still run."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def family_seconds(pid: int) -> float:
    """CPU time of a process and of everything below it that runs or has been waited for."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ended = (int(after_name[13]) + int(after_name[14])) / _TICKS_PER_SECOND
    return cpu_seconds(pid) + ended + sum(map(family_seconds, children(pid)))


def busy_seconds(cores: tuple[int, ...]) -> float:
    """How long these cores have worked, for whomever."""
    lines = dict(line.split(maxsplit=1) for line in Path("/proc/stat").read_text().splitlines())
    user, nice, system = 0, 1, 2
    ticks = (int(lines[f"cpu{core}"].split()[column]) for core in cores for column in (user, nice, system))
    return sum(ticks) / _TICKS_PER_SECOND
