"""GET /admin/decisions and /admin/decisions/{request_id}; POST /admin/decisions/{request_id}/feedback."""

from __future__ import annotations

import time
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, StrictBool

from app.domain.errors import RequestError
from app.gateway import Gateway
from app.telemetry.decisions import Record
from app.telemetry.feedback import Opinion
from routers.deps import AdminOnly, GatewayDep

router = APIRouter(dependencies=[AdminOnly], prefix="/admin/decisions", tags=["admin"])

_ANSWERED = ("accepted", "best", "unjudged")  # what became of the attempt that the client was answered with


class DecisionNotFoundError(RequestError):
    """Too old, or never made."""

    status = 404


class NoAnswerError(RequestError):
    """There is none yet, or there never was one."""

    status = 409


class Told(BaseModel):
    """What somebody says of an answer."""

    model_config = ConfigDict(extra="forbid")

    correct: StrictBool


@router.get("")
async def list_decisions(gateway: GatewayDep, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> dict[str, Any]:
    """The newest first."""
    newest = islice(gateway.decisions.newest(), limit)
    return {"object": "list", "data": [record.describe() for record in newest]}


@router.get("/{request_id}")
async def get_decision(request_id: str, gateway: GatewayDep) -> dict[str, Any]:
    """One request's routes, verdicts, failed attempts and outcome."""
    return _find(gateway, request_id).describe()


@router.post("/{request_id}/feedback")
def give_feedback(request_id: str, told: Told, gateway: GatewayDep) -> dict[str, Any]:
    """Keep whether the answer was right, beside what was seen of it: `isotherm calibrate` learns from that."""
    opinion = _opinion(_find(gateway, request_id), correct=told.correct)
    gateway.feedback.store(opinion)
    return {
        "request_id": opinion.request_id,
        "created": int(opinion.told_at),
        "model": opinion.model,
        "workload": opinion.workload,
        "backend": opinion.backend,
        "confidence": None if opinion.confidence is None else round(opinion.confidence, 4),
        "correct": opinion.correct,
        "signals": dict(opinion.signals),
    }


def _find(gateway: Gateway, request_id: str) -> Record:
    record = gateway.decisions.find(request_id)
    if record is None:
        raise DecisionNotFoundError("There is no decision with this request id, or not any more.", code="not_found")
    return record


def _opinion(record: Record, *, correct: bool) -> Opinion:
    """Of the attempt that the client was answered with."""
    if record.outcome == "running":
        raise NoAnswerError("This answer is still being written.", code="still_running")
    if record.backend is None or record.model is None:
        raise NoAnswerError("This request was never answered.", code="no_answer")
    answered = next((attempt for attempt in reversed(record.judged) if attempt.result in _ANSWERED), None)
    confidence = None if answered is None else answered.confidence
    return Opinion(
        request_id=record.request_id,
        told_at=time.time(),
        model=record.model if answered is None else answered.model,
        workload=record.workload,
        backend=record.backend if answered is None else answered.backend,
        confidence=None if confidence is None else confidence.probability,
        correct=correct,
        signals={} if confidence is None else confidence.signals,
    )
