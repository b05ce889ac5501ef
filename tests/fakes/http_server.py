"""A real HTTP/1.1 server on loopback that does what a script says.

    async with HttpServer() as server:
        server.script = lambda request: Json({"ok": True})
        ... server.url, server.requests, server.client_left

A script takes a request and returns one of `tests.fakes.answers`.
"""

from __future__ import annotations

import asyncio
from typing import Self

from tests.fakes.answers import Answer, Json, Script
from tests.fakes.wire import Request, Wire


class HttpServer:
    """`requests` are all that came, `connections` how many were accepted, `client_left` is set when a client
    goes before its answer is complete. Subclasses answer by overriding `answer`; a `script` wins over that.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.client_left = asyncio.Event()
        self.script: Script | None = None
        self._wires: set[Wire] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._port = 0
        self._came = asyncio.Condition()
        self._complete = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def answer(self, request: Request) -> Answer:
        """What to say when no script does."""
        return Json({"error": f"nothing at {request.path}"}, status=404)

    async def asked(self, times: int) -> None:
        """Wait until so many requests have come."""
        async with self._came:
            await self._came.wait_for(lambda: len(self.requests) >= times)

    async def answered(self, times: int) -> None:
        """Wait until so many answers are complete and were read by a client in the same loop."""
        async with self._came:
            await self._came.wait_for(lambda: self._complete >= times)
        for _ in range(5):
            await asyncio.sleep(0)

    def refuse(self) -> None:
        """Close the door: from now on connections are refused, and those that are open end."""
        assert self._server is not None
        self._server.close()
        for wire in tuple(self._wires):
            wire.abort()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self.refuse()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        wire = Wire(reader, writer, self.connections)
        self._wires.add(wire)
        try:
            while not wire.closing and (request := await wire.next_request()) is not None:
                async with self._came:
                    self.requests.append(request)
                    self._came.notify_all()
                await self._answer(wire, request)
                async with self._came:
                    self._complete += 1
                    self._came.notify_all()
        except ConnectionError:
            self.client_left.set()
        finally:
            self._wires.discard(wire)
            writer.close()

    async def _answer(self, wire: Wire, request: Request) -> None:
        answer = (self.script or self.answer)(request)
        sending = asyncio.ensure_future(answer.send(wire))
        leaving = asyncio.ensure_future(wire.until_client_leaves())
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                self.client_left.set()
            elif (error := sending.exception()) is not None:
                raise error
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
