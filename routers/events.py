"""GET /admin/events: the gateway as it stands and what it decides, as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

from app.domain.errors import IsothermError
from routers.board import TICK_SECONDS, Board
from routers.deps import AdminOnly, Serving, ServingDep, get_admin

router = APIRouter(dependencies=[AdminOnly], prefix="/admin/events", tags=["admin"])


class Events(EventSourceResponse):
    """Ends when the client leaves, when it reads nothing for `send_timeout` seconds, and when the server stops."""

    def __init__(self, blocks: AsyncIterator[bytes], *, ping: float = 15, send_timeout: float = 30) -> None:
        super().__init__(blocks, ping=ping, ping_message_factory=_ping, send_timeout=send_timeout)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(SendTimeoutError):
            await super().__call__(scope, receive, send)


def _ping() -> ServerSentEvent:
    return ServerSentEvent(comment="ping", sep="\n")


async def get_board(request: Request, serving: ServingDep) -> Board:
    """The one of this app, made when somebody first watches."""
    state = request.app.state
    if not hasattr(state, "board"):
        state.board = Board(serving)
    board: Board = state.board
    return board


BoardDep = Annotated[Board, Depends(get_board)]


async def take_place(board: BoardDep) -> AsyncIterator[None]:
    """Given back when the answer has ended, however it did."""
    with board.place():
        yield


@router.get("", response_class=EventSourceResponse, dependencies=[Depends(take_place)])
async def watch(request: Request, serving: ServingDep, board: BoardDep) -> EventSourceResponse:
    """`state` at once and twice a second, `decision` whenever one is made or changes, as server-sent events."""
    return Events(events(board, lambda: _may_stay(request, serving)))


async def events(
    board: Board, may_stay: Callable[[], bool], pause: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> AsyncIterator[bytes]:
    """Blocks of whole events, one a tick, until the watcher may stay no longer."""
    news, number = board.news(0)
    yield board.first_state() + news
    while True:
        await pause(TICK_SECONDS)
        if not may_stay():
            return
        news, number = board.news(number)
        yield board.state() + news


def _may_stay(request: Request, serving: Serving) -> bool:
    """A reload may have taken the key away."""
    try:
        get_admin(request, serving.gateway)
    except IsothermError:
        return False
    return True
