"""GET /health/live and /health/ready."""

from __future__ import annotations

import pytest

from tests.fakes.answers import Silence
from tests.fakes.openai_server import OpenAiServer
from tests.routers.running import RunningGateway, backend, running

pytestmark = pytest.mark.anyio


async def test_a_gateway_with_a_backend_is_live_and_ready(gateway: RunningGateway) -> None:
    live, ready = await gateway.get("/health/live"), await gateway.get("/health/ready")

    assert (live.status_code, live.json()) == (200, {"status": "live"})
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})


async def test_a_gateway_is_live_but_not_ready_before_its_first_backend_is() -> None:
    async with OpenAiServer() as slow:
        slow.script = lambda _: Silence()
        async with running(backend("openai", slow), settled=False) as gateway:
            live, ready = await gateway.get("/health/live"), await gateway.get("/health/ready")

    assert live.status_code == 200
    assert (ready.status_code, ready.json()) == (503, {"status": "not ready"})


async def test_one_backend_of_two_is_enough() -> None:
    async with OpenAiServer() as dead, OpenAiServer() as well:
        dead.refuse()
        async with running(backend("openai", dead), backend("openai", well, id="well")) as gateway:
            assert (await gateway.get("/health/ready")).status_code == 200


async def test_one_that_is_still_starting_is_waited_for() -> None:
    async with OpenAiServer() as slow, OpenAiServer() as well:
        slow.script = lambda _: Silence()
        configured = (backend("openai", slow), backend("openai", well, id="well"))
        async with running(*configured, settled=False) as gateway:
            assert (await gateway.get("/health/ready")).status_code == 503


async def test_a_gateway_without_backends_is_not_ready() -> None:
    async with running() as gateway:
        assert (await gateway.get("/health/live")).status_code == 200
        assert (await gateway.get("/health/ready")).status_code == 503


async def test_health_tells_nobody_what_runs_here(gateway: RunningGateway) -> None:
    text = (await gateway.get("/health/ready")).text + (await gateway.get("/health/live")).text

    assert "box" not in text
    assert "small" not in text
