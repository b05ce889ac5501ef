"""POST /v1/embeddings."""

from __future__ import annotations

import base64
import struct
from typing import Any

import orjson
from starlette.routing import Route

from app.domain.backend import Capability
from app.domain.decision import Decision
from app.domain.errors import BackendRefusedError
from app.domain.job import Job
from app.relay.watch import Watch
from app.routing.decide import why_no_route
from app.telemetry.decisions import Record
from routers.door import Door, Visit
from routers.head import answer_headers
from routers.job import Caller, make_job
from routers.shapes.embeddings import SHAPE


class EmbeddingVisit(Visit):
    """Vectors for texts, as lists of numbers or as base64 of little-endian float32: one object, never a stream."""

    __slots__ = ()

    async def _carry(self, job: Job, decision: Decision, record: Record, watch: Watch) -> None:
        if not decision.routes:
            raise why_no_route(job, decision)
        answer = await self._gateway.relay.embed(job, decision, record, watch)
        if job.body.get("encoding_format") == "base64":
            answer = _as_base64(answer, record.backend or "")
        route = next(route for route in decision.routes if route.backend == record.backend)
        headers = answer_headers(job, route, decision, b"application/json")
        self.status = 200
        await self._send_whole(200, headers, orjson.dumps(answer))


def read(content: bytes, caller: Caller) -> Job:
    """Raises BadRequestError naming the field."""
    body = SHAPE.read(content)
    wanted = body["input"]
    texts = [wanted] if isinstance(wanted, str) else [text for text in wanted if isinstance(text, str)]
    longest = max(texts, key=len, default="")
    return make_job(Capability.EMBED, body, caller, texts=[longest])


def _as_base64(answer: dict[str, Any], backend: str) -> dict[str, Any]:
    try:
        return {**answer, "data": [{**item, "embedding": _packed(item["embedding"])} for item in answer["data"]]}
    except (TypeError, struct.error, OverflowError) as error:
        raise BackendRefusedError(backend, "answered with embeddings that are no numbers") from error


def _packed(vector: list[float]) -> str:
    """Base64 of little-endian float32, as the SDKs ask for it."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")


route = Route("/v1/embeddings", Door(Capability.EMBED, read, EmbeddingVisit), methods=["POST"])
