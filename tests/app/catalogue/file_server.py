"""A real server on loopback that serves files the way good and bad servers do."""

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass
class Served:
    """`cuts` are the byte counts after which the first answers end early."""

    content: bytes = b""
    content_type: str = "application/octet-stream"
    etag: str | None = '"one"'
    status: int = 200
    cuts: list[int] = field(default_factory=list)
    ranges: bool = True
    length: bool = True
    redirect: str | None = None
    entered: threading.Event = field(default_factory=threading.Event)
    gate: threading.Event | None = None


@dataclass(frozen=True)
class Request:
    path: str
    headers: Mapping[str, str]


class FileServer:
    """Answers from `files` and remembers what it was asked."""

    def __init__(self) -> None:
        self.files: dict[str, Served] = {}
        self.requests: list[Request] = []
        self.address = ""

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]


@contextmanager
def running() -> Iterator[FileServer]:
    files = FileServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            files.requests.append(Request(path, dict(self.headers.items())))
            _answer(self, files.files.get(path, Served(b"not here", status=404)))

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    files.address = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield files
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(handler: BaseHTTPRequestHandler, served: Served) -> None:
    served.entered.set()
    if served.gate is not None:
        served.gate.wait(timeout=30)
    start = _start(handler, served)
    size = len(served.content)
    beyond = start > 0 and start >= size
    handler.send_response(416 if beyond else 302 if served.redirect else 206 if start else served.status)
    if served.redirect:
        handler.send_header("Location", served.redirect)
    if start:
        handler.send_header("Content-Range", f"bytes */{size}" if beyond else f"bytes {start}-{size - 1}/{size}")
    body = b"" if beyond or served.redirect else served.content[start:]
    if served.length:
        handler.send_header("Content-Length", str(len(body)))
    if served.etag:
        handler.send_header("ETag", served.etag)
    handler.send_header("Content-Type", served.content_type)
    handler.end_headers()
    handler.wfile.write(body[: served.cuts.pop(0)] if served.cuts else body)


def _start(handler: BaseHTTPRequestHandler, served: Served) -> int:
    wanted = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    condition = handler.headers.get("If-Range", served.etag)
    return int(wanted[1]) if wanted and served.ranges and not served.redirect and condition == served.etag else 0
