"""A stand-in for xllamacpp whose server lists one model, named after all that it was told.

Put this directory on PYTHONPATH and the worker imports it.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any


class CommonParams(SimpleNamespace):
    def __init__(self) -> None:
        super().__init__(model=SimpleNamespace(), cpuparams=SimpleNamespace(), cpuparams_batch=SimpleNamespace())


class Server:
    def __init__(self, params: CommonParams) -> None:
        told = {
            "model": params.model.path,
            "threads": params.cpuparams.n_threads,
            "slots": params.n_parallel,
            "context": params.n_ctx,
            "embeddings": params.embedding,
        }
        listing = json.dumps({"data": [{"id": json.dumps(told)}]}).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("content-length", str(len(listing)))
                self.end_headers()
                self.wfile.write(listing)

            def log_message(self, format: str, *args: Any) -> None:
                """It keeps quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.listening_address = f"http://127.0.0.1:{server.server_port}"
