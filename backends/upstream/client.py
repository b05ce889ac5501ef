"""The one way in which a backend talks to its server: errors come out as the house's own."""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import orjson

from app.domain.errors import BackendError, BackendRefusedError, BackendTimeoutError, StreamBrokenError
from app.domain.sse import EventSplitter
from backends.upstream.connection import ConnectionLostError
from backends.upstream.pool import Pool
from backends.upstream.proxied import ProxiedPool
from backends.upstream.refusal import refusal
from backends.upstream.whole import as_events

_MAX_ERROR_BYTES = 64 * 1024
_MAX_JSON_BYTES = 64 * 1024 * 1024


class Answer(Protocol):
    """A response whose head has come, from either kind of pool."""

    status: int
    headers: dict[bytes, bytes]

    async def read(self) -> bytes:
        """The next bytes of the body; empty at its end."""

    async def read_all(self, limit_bytes: int) -> bytes:
        """The whole body, cut at the limit."""

    def close(self) -> None:
        """Let go; an answer that is not complete is cancelled."""

    def finish(self) -> None:
        """Let go of an answer that has said all that matters."""


class Exchanges(Protocol):
    """Either pool: our own, or httpx where a proxy is in the way."""

    async def exchange(self, request: bytes) -> Answer:
        """Send a request as it goes on the wire, wait for the answer's head."""

    def close(self) -> None:
        """Close every connection."""


class Upstream:
    """One server of one backend, at a base URL such as `http://127.0.0.1:11434/v1`.

    `headers` go with every request; they hold the key and are never logged.
    """

    def __init__(self, backend: str, base_url: str, *, headers: Mapping[str, str], connect_seconds: float) -> None:
        self.backend = backend
        parts = urlsplit(base_url)
        host = parts.hostname or ""
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        self._prefix = parts.path.rstrip("/")
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._head = f"host: {parts.netloc.rpartition('@')[2]}\r\n{lines}".encode("latin-1")
        self._heads: dict[str, bytes] = {}
        tls = ssl.create_default_context() if secure else None
        self._pool: Exchanges = (
            ProxiedPool(f"{parts.scheme}://{parts.netloc}", connect_seconds)
            if _proxied(parts.scheme, host)
            else Pool(host, port, tls=tls, connect_seconds=connect_seconds)
        )

    async def post(self, path: str, body: Mapping[str, Any]) -> Answer:
        """POST a JSON body; the answer is a 200. Whoever called must close it.

        Raises BackendRefusedError (or one of its kinds) for anything else, BackendTimeoutError for a server
        that can't be reached in time.
        """
        head = self._heads.get(path)
        if head is None:
            head = self._heads[path] = (
                f"POST {self._prefix}{path} HTTP/1.1\r\n".encode("ascii")
                + self._head
                + b"content-type: application/json\r\ncontent-length: "
            )
        content = orjson.dumps(body)
        return await self._exchange(b"%b%d\r\n\r\n%b" % (head, len(content), content))

    async def post_json(self, path: str, body: Mapping[str, Any]) -> Any:
        """POST and read a JSON answer."""
        return await self.read_json(await self.post(path, body))

    async def get_json(self, path: str) -> Any:
        """GET a JSON answer."""
        request = f"GET {self._prefix}{path} HTTP/1.1\r\n".encode("ascii") + self._head + b"\r\n"
        return await self.read_json(await self._exchange(request))

    def close(self) -> None:
        self._pool.close()

    async def stream(
        self, path: str, body: Mapping[str, Any], *, end: bytes = b"data: [DONE]"
    ) -> AsyncGenerator[bytes, None]:
        """POST a body and yield the server-sent events of the answer, in blocks of whole ones, until it ends.

        A block with `end` in it is the last one that matters: a caller may leave it at that.

        A server that answers with one JSON object all the same is heard too. Raises what `post` raises, and
        BackendRefusedError when the answer ends before its first event; after that, StreamBrokenError when the
        connection ends first, or an event is cut or too long.
        """
        answer = await self.post(path, body)
        splitter, block = EventSplitter(), b""
        began = False
        try:
            if answer.headers.get(b"content-type", b"").startswith(b"application/json"):
                yield as_events(self.backend, await self.read_json(answer))
                return
            while data := await answer.read():
                if block := splitter.feed(data):
                    began = True
                    yield block
            if splitter.rest.strip() or not began:
                raise self.cut_short("ended in the middle of an event" if began else "answered nothing", began=began)
        except (OSError, ValueError) as error:
            raise self.cut_short(f"broke off: {reason(error)}", began=began) from error
        finally:
            let_go(answer, said_all=end in block)

    def cut_short(self, how: str, *, began: bool) -> BackendError:
        """The error for an answer that is not whole; one that never began can still be given by another backend."""
        kind = StreamBrokenError if began else BackendRefusedError
        return kind(self.backend, how)

    async def _exchange(self, request: bytes) -> Answer:
        try:
            answer = await self._pool.exchange(request)
        except TimeoutError as error:
            raise BackendTimeoutError(self.backend, "could not be reached in time") from error
        except (OSError, ValueError) as error:
            raise BackendRefusedError(self.backend, f"can't be reached: {reason(error)}") from error
        if answer.status == 200:
            return answer
        try:
            content = await answer.read_all(_MAX_ERROR_BYTES)
        except (OSError, ValueError):
            content = b""  # the status says enough
        finally:
            answer.close()
        raise refusal(self.backend, answer.status, answer.headers, content)

    async def read_json(self, answer: Answer) -> Any:
        """A whole body of JSON. Raises BackendRefusedError."""
        try:
            content = await answer.read_all(_MAX_JSON_BYTES)
            return orjson.loads(content)
        except (OSError, ValueError) as error:
            raise BackendRefusedError(self.backend, f"sent no usable JSON: {reason(error)}") from error
        finally:
            answer.close()


def let_go(answer: Answer, *, said_all: bool) -> None:
    """Close an answer; the connection of one that only lacks its very end is kept."""
    if said_all:
        answer.finish()
    else:
        answer.close()


def reason(error: Exception) -> str:
    """What went wrong, without addresses: those are in the configuration, not for a client."""
    if isinstance(error, ssl.SSLError):  # its errno is no errno
        why = getattr(error, "verify_message", None) or getattr(error, "reason", None) or "no reason given"
        return f"TLS failed: {why}"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno) if error.errno > 0 else "the name can't be resolved"
    if isinstance(error, OSError) and not isinstance(error, ConnectionLostError):
        return "no address of it takes connections"  # asyncio's sum of several tries, with their addresses
    return str(error) or type(error).__name__


def _proxied(scheme: str, host: str) -> bool:
    return not _is_loopback(host) and scheme in getproxies() and not proxy_bypass(host)


def _is_loopback(host: str) -> bool:
    """This machine itself: no proxy can reach that, whatever the environment forgets to except."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
