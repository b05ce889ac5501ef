"""GET /openapi.json: true, and enough for a machine to try every door."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread
import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.main import create_app
from config.settings import Settings
from routers.openapi import description
from tests.fakes.openai_server import OpenAiServer
from tests.routers.running import CHAT, COMPLETE, EMBED, ERROR_KEYS, RunningGateway, backend, running

pytestmark = pytest.mark.anyio

DOORS = {
    *(("post", path) for path in (CHAT, COMPLETE, EMBED)),
    *(("get", path) for path in ("/v1/models", "/v1/models/{model}", "/health/live", "/health/ready", "/metrics")),
    *(("get", path) for path in ("/admin/backends", "/admin/decisions", "/admin/decisions/{request_id}")),
    *(("get", path) for path in ("/admin/zones", "/admin/zones/{zone_id}", "/admin/mode")),
    *(("get", path) for path in ("/", "/admin/events")),
    *(("put", path) for path in ("/admin/zones/{zone_id}", "/admin/mode")),
    *(("post", path) for path in ("/admin/reload", "/admin/decisions/{request_id}/feedback")),
}
ENDLESS = "GET /admin/events"  # a stream that goes on until its client leaves
_EXAMPLES = 12
_CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
_TELLING = {502, 503, 504}  # the backends' faults, which the description knows


@pytest.fixture
async def patient() -> AsyncIterator[RunningGateway]:
    """One whose backend takes every model that a machine may think of."""
    async with OpenAiServer() as server:
        server.model = "0"
        async with running(backend("openai", server), routing={"aliases": {"auto": ["*"]}}) as gateway:
            yield gateway


async def test_every_door_is_described(gateway: RunningGateway) -> None:
    described = (await gateway.get("/openapi.json")).json()

    assert described["openapi"].startswith("3.1")
    assert {(method, path) for path, methods in described["paths"].items() for method in methods} == DOORS


async def test_the_description_is_a_valid_one(gateway: RunningGateway) -> None:
    described = (await gateway.get("/openapi.json")).json()

    text = str(described)
    for path, operations in described["paths"].items():
        for operation in operations.values():
            assert operation["responses"], path
            assert ("422" in operation["responses"]) is (path in (CHAT, COMPLETE))
            for status, response in operation["responses"].items():
                assert response["description"], (path, status)
    for name, schema in described["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert f"#/components/schemas/{name}" in text, f"nobody refers to {name}"


async def test_the_bodies_that_are_described_are_those_that_are_taken(gateway: RunningGateway) -> None:
    described = (await gateway.get("/openapi.json")).json()

    for path in (CHAT, COMPLETE, EMBED):
        body = described["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert "model" in _required(described, body)


async def test_errors_are_described_as_they_are(gateway: RunningGateway) -> None:
    described = (await gateway.get("/openapi.json")).json()
    validator = jsonschema.Draft202012Validator(described["components"]["schemas"]["Error"])

    for response in (await gateway.post(CHAT, model=7), await gateway.post(EMBED, model="x"), await gateway.get("/x")):
        validator.validate(response.json())


def operations() -> list[str]:
    """Every operation by name: known before any gateway runs."""
    described = description(create_app(Settings(), Path))
    return sorted(f"{method.upper()} {path}" for path, methods in described["paths"].items() for method in methods)


@pytest.mark.parametrize("operation", [name for name in operations() if name != ENDLESS])
async def test_whatever_fits_the_description_gets_what_it_describes(patient: RunningGateway, operation: str) -> None:
    described = (await patient.get("/openapi.json")).json()

    def check(case: schemathesis.Case[Any]) -> None:
        response = case.call(base_url=patient.url, timeout=10)
        if response.status_code in _TELLING:
            assert set(response.json()) == {"error"}
        else:
            case.validate_response(response, checks=_CHECKS)

    await anyio.to_thread.run_sync(partial(try_out, described, operation, GenerationMode.POSITIVE, check))


@pytest.mark.parametrize("path", [CHAT, COMPLETE, EMBED])
async def test_whatever_does_not_fit_the_description_is_a_4xx(patient: RunningGateway, path: str) -> None:
    described = (await patient.get("/openapi.json")).json()

    def check(case: schemathesis.Case[Any]) -> None:
        response = case.call(base_url=patient.url, timeout=10)
        assert 400 <= response.status_code < 500, response.text
        assert set(response.json()["error"]) == ERROR_KEYS

    await anyio.to_thread.run_sync(partial(try_out, described, f"POST {path}", GenerationMode.NEGATIVE, check))


def try_out(
    described: dict[str, Any], name: str, mode: GenerationMode, check: Callable[[schemathesis.Case[Any]], None]
) -> None:
    """As a client on another machine would, over a real socket."""
    method, _, path = name.partition(" ")
    operation = schemathesis.openapi.from_dict(described)[path][method]

    @settings(max_examples=_EXAMPLES, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def one(case: schemathesis.Case[Any]) -> None:
        check(case)

    one()


def _required(described: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    if "$ref" in schema:
        schema = described["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    required: list[str] = schema["required"]
    return required
