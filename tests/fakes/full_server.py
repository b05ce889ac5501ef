"""A port that is open and takes nobody: its queue of new connections is full, so that connecting never ends."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import Self


class FullServer:
    """Nothing ever accepts; Linux drops what does not fit in the queue."""

    def __init__(self) -> None:
        self._sockets = ExitStack()
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        listening = self._sockets.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        self._port = listening.getsockname()[1]
        for _ in range(3):
            waiting = self._sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", self._port))
        return self

    def __exit__(self, *_: object) -> None:
        self._sockets.close()
