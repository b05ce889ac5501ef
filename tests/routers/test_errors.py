"""Every status in OpenAI's envelope, and nothing in it that is nobody's business."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.fakes.answers import Json, Silence
from tests.fakes.openai_server import OpenAiServer
from tests.routers.running import CHAT, COMPLETE, EMBED, RunningGateway, backend, error_of, logged, running

pytestmark = pytest.mark.anyio

DOORS = pytest.mark.parametrize("path", [CHAT, COMPLETE, EMBED])
SECRET = "sk-a-very-secret-key"


@DOORS
async def test_bad_input_is_400_and_names_the_field(gateway: RunningGateway, path: str) -> None:
    error = error_of(await gateway.post(path, model=7), 400)

    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", "model", "invalid_value")
    assert "'model'" in error["message"]


@DOORS
async def test_a_missing_field_is_400_and_named(gateway: RunningGateway, path: str) -> None:
    error = error_of(await gateway.client.post(path, json={"model": "small"}), 400)

    assert error["code"] == "missing_required_parameter"
    assert error["param"] in ("messages", "prompt", "input")


@DOORS
async def test_an_unknown_model_is_404(gateway: RunningGateway, path: str) -> None:
    error = error_of(await gateway.post(path, model="gpt-9"), 404)

    assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert "gpt-9" in error["message"]


async def test_an_unknown_path_is_404(gateway: RunningGateway) -> None:
    error = error_of(await gateway.get("/v1/nothing"), 404)

    assert error["type"] == "not_found_error"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", CHAT), ("GET", EMBED), ("PUT", COMPLETE), ("POST", "/v1/models"), ("DELETE", CHAT)]
)
async def test_a_method_that_a_door_does_not_know_is_405(gateway: RunningGateway, method: str, path: str) -> None:
    response = await gateway.client.request(method, path)

    assert error_of(response, 405)["code"] == "method_not_allowed"
    assert response.headers["allow"]


@DOORS
async def test_a_body_beyond_the_limit_is_413(upstream: OpenAiServer, path: str) -> None:
    async with running(backend("openai", upstream), server={"max_body_bytes": 2048}) as gateway:
        fits = await gateway.post(path, user="x" * 1024)
        response = await gateway.post(path, user="x" * 2048)

    assert fits.status_code == 200
    error = error_of(response, 413)
    assert error["code"] == "request_too_large"
    assert "2048" in error["message"]


@DOORS
async def test_a_failing_backend_is_502(gateway: RunningGateway, upstream: OpenAiServer, path: str) -> None:
    upstream.script = lambda _: Json({"error": {"message": "boom in /srv/app.py"}}, 500)
    response = await gateway.post(path)

    error = error_of(response, 502)
    assert (error["type"], error["code"]) == ("backend_error", "backend_failed")
    assert response.headers["x-should-retry"] == "false"
    assert "/srv" not in error["message"]


@DOORS
async def test_no_backend_at_all_is_503(upstream: OpenAiServer, path: str) -> None:
    probing = {"failures": 1, "interval_seconds": 60}
    async with running(backend("openai", upstream, health=probing)) as gateway:
        upstream.script = lambda _: Json({}, 500)
        await gateway.post(path)
        response = await gateway.post(path)

    error = error_of(response, 503)
    assert (error["type"], error["code"]) == ("service_unavailable_error", "no_route")
    assert int(response.headers["retry-after"]) >= 1


@DOORS
async def test_a_backend_that_is_too_slow_is_504(upstream: OpenAiServer, path: str) -> None:
    async with running(backend("openai", upstream, timeouts={"first_token": 0.05})) as gateway:
        upstream.script = lambda _: Silence()
        response = await gateway.post(path)

    error = error_of(response, 504)
    assert (error["type"], error["code"]) == ("backend_error", "backend_timeout")
    assert response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("path", ["/admin/decisions?limit=0", "/admin/decisions?limit=x", "/admin/decisions?limit=1e9"])
async def test_a_bad_query_is_400_and_named(gateway: RunningGateway, path: str) -> None:
    assert error_of(await gateway.get(path), 400)["param"] == "limit"


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("cors", [[], ["http://chat.example"]], ids=["as usual", "with CORS"])
async def test_a_mistake_of_our_own_is_500_without_a_trace(
    stream: bool, cors: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    told = {"id": "box", "kind": "tests.fakes.broken_backend:BrokenBackend", "models": ["small"]}
    async with running(told, server={"cors_origins": cors}) as gateway:
        with caplog.at_level(logging.DEBUG):
            response = await gateway.post(CHAT, stream=stream, user=SECRET)
            again = await gateway.post(CHAT, stream=stream)
            idle = (await gateway.backends())["box"]["busy"] == 0

    error = error_of(response, 500)
    assert (error["type"], error["code"], error["param"]) == ("server_error", None, None)
    assert again.status_code == 500
    assert idle
    assert "RuntimeError at broken_backend.py" in logged(caplog)
    for text in (response.text, logged(caplog)):
        assert "Traceback" not in text
        assert "/work" not in text
        assert SECRET not in text


async def test_a_mistake_amid_a_stream_never_looks_like_a_success(caplog: pytest.LogCaptureFixture) -> None:
    told = {"id": "box", "kind": "tests.fakes.broken_backend:BreakingBackend", "models": ["small"]}
    async with running(told) as gateway:
        answer = await gateway.raw_body(CHAT, stream=True)
        await gateway.until_idle("box")

    assert b"Hello" in answer
    assert b'finish_reason":"' not in answer
    assert b"[DONE]" not in answer or b'"error"' in answer
    assert "Traceback" not in logged(caplog)


@DOORS
async def test_nothing_that_a_client_says_is_logged(
    gateway: RunningGateway, upstream: OpenAiServer, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    words = {"model": "small", "messages": [{"role": "user", "content": SECRET}], "prompt": SECRET, "input": SECRET}
    with caplog.at_level(logging.DEBUG):
        await gateway.client.post(path, json=words)
        await gateway.client.post(path, json={**words, "temperature": SECRET, "dimensions": SECRET})
        await gateway.client.post(path, content=SECRET.encode())
        upstream.script = lambda _: Json({"error": {"message": f"can't read {SECRET}"}}, 500)
        await gateway.client.post(path, json=words)

    assert SECRET not in logged(caplog)


@pytest.mark.parametrize(
    "changes",
    [{"temperature": SECRET}, {"model": [SECRET]}, {"n": SECRET}, {"stop": {"a": SECRET}}, {"tools": [SECRET]}],
)
async def test_an_error_names_the_field_and_does_not_repeat_its_value(
    gateway: RunningGateway, changes: dict[str, Any]
) -> None:
    response = await gateway.post(CHAT, **changes)

    assert error_of(response, 400)["param"].partition(".")[0] in changes
    assert SECRET not in response.text
