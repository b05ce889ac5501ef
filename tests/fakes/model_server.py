"""What the fakes of model servers have in common: they say the same words, each in its own protocol."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from tests.fakes.answers import Answer, Json
from tests.fakes.http_server import HttpServer
from tests.fakes.wire import Request

WORDS = ("Grüße", " aus", " 日本", " 🙂", "!")

Handler = Callable[[Request], Answer]


class ModelServer(HttpServer, ABC):
    """`words` are the tokens of every answer, `model` is the one that it has."""

    model = "small"
    stream_type = "text/event-stream"

    def __init__(self, words: Sequence[str] = WORDS, api_key: str | None = None) -> None:
        super().__init__()
        self.words = tuple(words)
        self.api_key = api_key
        self.finish_reason = "stop"

    @abstractmethod
    def routes(self) -> dict[tuple[str, str], Handler]:
        """Who answers what, by method and path."""

    @abstractmethod
    def pieces(self, request: Request) -> list[bytes]:
        """The streamed answer to a chat or a completion as it goes on the wire: one piece a token, and then its end."""

    @abstractmethod
    def error(self, message: str) -> dict[str, Any]:
        """The body of an error answer."""

    def answer(self, request: Request) -> Answer:
        if self.api_key is not None and not self.knows(request):
            return Json(self.error(f"Incorrect API key provided: {self.api_key}"), status=401)
        handler = self.routes().get((request.method, request.path.partition("?")[0]))
        if handler is None:
            return Json(self.error(f"Not Found: {request.path}"), status=404)
        if isinstance(request.body, dict) and request.body.get("model") != self.model:
            return Json(self.error(f"The model '{request.body.get('model')}' does not exist."), status=404)
        return handler(request)

    def knows(self, request: Request) -> bool:
        """Whether the request shows the key."""
        return request.headers.get("authorization") == f"Bearer {self.api_key}"


def rest_of(words: Sequence[str], given: str) -> list[str]:
    """What is left of an answer after its beginning; all of it after anything else."""
    if not "".join(words).startswith(given):
        return list(words)
    left = []
    for word in words:
        left.append(word[len(given) :])
        given = given[len(word) :]
    return [word for word in left if word]
