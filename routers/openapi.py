"""GET /openapi.json: FastAPI's description, with the raw doors and the error envelope that it can't see."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.requests import Request
from starlette.responses import JSONResponse

from routers.deps import ClientDep
from routers.shapes import chat, completions, embeddings
from routers.shapes.shape import Shape
from routers.wishes import SCHEMAS as WISHES

_DOORS: dict[str, tuple[str, Shape]] = {
    "/v1/chat/completions": ("Answer a conversation, streamed or whole.", chat.SHAPE),
    "/v1/completions": ("Go on with a text, streamed or whole.", completions.SHAPE),
    "/v1/embeddings": ("Turn texts into vectors.", embeddings.SHAPE),
}
_JUDGED = ("/v1/chat/completions", "/v1/completions")
_ERRORS = {
    "400": "the request can't be understood or honoured; `param` names the field",
    "401": "no key, or an unknown one",
    "403": "the key may not do this",
    "404": "there is no such thing here",
    "409": "it is too early, or too late, for this",
    "413": "the body is too long",
    "429": "too many for now; see Retry-After",
    "502": "the backends failed",
    "503": "nothing can take it now; see Retry-After",
    "504": "the backends were too slow",
}
_NULLABLE = {"anyOf": [{"type": "string"}, {"type": "null"}]}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": _NULLABLE,
                "code": _NULLABLE,
            },
        }
    },
}
_HEADERS = [
    {"name": name, "in": "header", "required": False, "schema": schema}
    for name, schema in {"X-Request-ID": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$"}, **WISHES}.items()
]


router = APIRouter()


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request, client: ClientDep) -> JSONResponse:  # noqa: ARG001 (it only lets in)
    """The description, made once when it is first asked for."""
    app: FastAPI = request.app
    app.openapi_schema = app.openapi_schema or description(app)
    return JSONResponse(app.openapi_schema)


def description(app: FastAPI) -> dict[str, Any]:
    """OpenAPI 3.1 of all doors."""
    described = get_openapi(title="Isotherm", version=app.version, routes=app.routes)
    components = described.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    schemas["Error"] = _ERROR
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    described["security"] = [{}, {"key": []}]
    for path, (summary, shape) in _DOORS.items():
        described["paths"][path] = {"post": _door(summary, shape, schemas)}
    for operations in described["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)  # FastAPI's own, which is a 400 here
            operation["responses"] = {
                **{status: _error(text) for status, text in _ERRORS.items()},
                **operation["responses"],
            }
    for path in _JUDGED:
        doubtful = _error("no answer is as likely right as was asked for")
        described["paths"][path]["post"]["responses"]["422"] = doubtful
    return described


def _door(summary: str, shape: Shape, schemas: dict[str, Any]) -> dict[str, Any]:
    body = shape.schema()
    schemas.update(body.pop("$defs", {}))
    answer = {"application/json": {"schema": {"type": "object"}}, "text/event-stream": {"schema": {"type": "string"}}}
    return {
        "summary": summary,
        "tags": ["openai"],
        "parameters": _HEADERS,
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {"200": {"description": "the answer", "content": answer}},
    }


def _error(text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
