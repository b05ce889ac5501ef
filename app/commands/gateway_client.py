"""A running gateway, as a command in another terminal sees it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from app.domain.errors import IsothermError

_KEY_VARIABLE = "ISOTHERM_KEY"
_URL = "http://127.0.0.1:8080"


class GatewayUnreachableError(IsothermError):
    """Nobody answers there, or not to us."""


class GatewayClient:
    """Its ordinary doors. Raises GatewayUnreachableError."""

    def __init__(self, url: str, key: str | None) -> None:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        self.url = url.rstrip("/")
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False)

    def get(self, path: str) -> Any:
        return self._ask("GET", path).json()

    def put(self, path: str, body: dict[str, Any]) -> Any:
        return self._ask("PUT", path, body).json()

    def post(self, path: str, body: dict[str, Any], headers: Mapping[str, str] | None = None) -> httpx.Response:
        return self._ask("POST", path, body, headers)

    def text(self, path: str) -> str:
        return self._ask("GET", path).text

    @contextmanager
    def stream(
        self, path: str, body: dict[str, Any], headers: Mapping[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        """An answer while it comes."""
        try:
            with self._http.stream("POST", path, json=body, headers=headers) as answer:
                if not answer.is_success:
                    answer.read()
                yield self._checked(answer, path)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None

    def close(self) -> None:
        self._http.close()

    def _ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        try:
            answer = self._http.request(method, path, json=body, headers=headers)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None
        return self._checked(answer, path)

    def _checked(self, answer: httpx.Response, path: str) -> httpx.Response:
        if answer.status_code in (401, 403):
            raise GatewayUnreachableError(f"{self.url} wants an admin key: set {_KEY_VARIABLE}, or give --key")
        if not answer.is_success:
            raise GatewayUnreachableError(f"{self.url}{path} answered {answer.status_code}: {_message(answer)}")
        return answer

    def _unreachable(self, error: httpx.HTTPError) -> GatewayUnreachableError:
        return GatewayUnreachableError(f"{self.url} can't be reached: {error or type(error).__name__}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", default=_URL, metavar="URL", help=f"the gateway; {_URL} when left out")
    parser.add_argument("--key", metavar="KEY", help=f"an admin key; {_KEY_VARIABLE} when left out")


def client_of(options: argparse.Namespace) -> GatewayClient:
    return GatewayClient(options.url, options.key or os.environ.get(_KEY_VARIABLE))


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, LookupError, TypeError):
        return "no reason was given"
