"""How a process stands, by what Linux says of it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path


def is_stopped(pid: int | None) -> bool:
    """Source: proc(5), the state in /proc/PID/stat, after the name in brackets."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


async def until_stopped(pid: int | None, stopped: bool = True) -> None:
    """Until it stands still, or does no more."""
    async with asyncio.timeout(10):
        while True:
            if is_stopped(pid) is stopped:
                return
            await asyncio.sleep(0.005)  # the kernel tells nobody but the one who asks


async def gone(pid: int) -> None:
    """Wait until the process has ended, whoever its parent is."""
    try:
        watching = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(watching, ended.set)
    try:
        async with asyncio.timeout(10):
            await ended.wait()
    finally:
        loop.remove_reader(watching)
        os.close(watching)
