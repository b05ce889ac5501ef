"""X-Request-ID in and out at FastAPI's own doors; the raw ones see to it themselves."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.domain.errors import BadRequestError
from routers.errors import response
from routers.head import request_id_of

_NAME = b"x-request-id"


class RequestIds:
    """ASGI middleware: an id that can't stand in a header is refused, and every answer has one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            request_id = request_id_of(dict(scope["headers"]).get(_NAME)).encode("ascii")
        except BadRequestError as error:
            await response(error)(scope, receive, send)
            return

        async def stamped(message: Message) -> None:
            if message["type"] == "http.response.start" and all(name != _NAME for name, _ in message["headers"]):
                message = {**message, "headers": [*message["headers"], (_NAME, request_id)]}
            await send(message)

        await self._app(scope, receive, stamped)
