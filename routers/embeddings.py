"""POST /v1/embeddings."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from app.domain.backend import Capability
from app.domain.errors import IsothermError
from app.domain.job import Job
from app.routing.decide import why_no_route
from app.telemetry.decisions import Record
from routers.deps import ClientDep, GatewayDep
from routers.head import answer_headers, read_body, request_id_of
from routers.job import make_job
from routers.shapes.embeddings import SHAPE

router = APIRouter()


@router.post("/v1/embeddings", include_in_schema=False)
async def create_embedding(request: Request, gateway: GatewayDep, client: ClientDep) -> Response:
    """Vectors for texts, as lists of numbers or as base64 of little-endian float32."""
    headers = dict(request.scope["headers"])
    request_id = request_id_of(headers.get(b"x-request-id"))
    limit = gateway.settings.server.max_body_bytes
    job = _read(await read_body(request.receive, headers.get(b"content-length"), limit), request_id, client.name)
    client.check_model(job.model)
    record = Record(job, gateway.clock())
    gateway.decisions.add(record)
    record.decision = decision = gateway.decide(job)
    watch = gateway.relay.watch()
    try:
        if not decision.routes:
            raise why_no_route(job, decision)
        answer = await gateway.relay.embed(job, decision, record, watch)
    except IsothermError as error:
        record.end("failed", gateway.clock(), error.message)
        raise
    finally:
        gateway.relay.forget(watch)
        record.end("left", gateway.clock())
    if job.body.get("encoding_format") == "base64":
        answer = _as_base64(answer)
    response = Response(orjson.dumps(answer))
    route = next(route for route in decision.routes if route.backend == record.backend)
    response.raw_headers.extend(answer_headers(request_id, route, decision, b"application/json"))
    return response


def _read(content: bytes, request_id: str, key_name: str | None) -> Job:
    body = SHAPE.read(content)
    wanted = body["input"]
    texts = [wanted] if isinstance(wanted, str) else [text for text in wanted if isinstance(text, str)]
    longest = max(texts, key=len, default="")
    return make_job(Capability.EMBED, body, request_id, key_name, texts=[longest])


def _as_base64(answer: dict[str, Any]) -> dict[str, Any]:
    data = [
        {**item, "embedding": base64.b64encode(np.asarray(item["embedding"], dtype="<f4").tobytes()).decode()}
        for item in answer["data"]
    ]
    return {**answer, "data": data}
