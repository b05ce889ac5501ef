"""A program that is stopped can't see that the gateway has gone: the kernel ends it then."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

#: Elsewhere than on Linux a stopped program would stay for ever when the gateway is killed.
CAN_END_WITH_PARENT = sys.platform == "linux"

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Have this program killed when the thread that started it ends; SIGKILL reaches a stopped one too.

    Source: prctl(2), PR_SET_PDEATHSIG. Raises OSError when the kernel does not want to.
    """
    if not CAN_END_WITH_PARENT:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
