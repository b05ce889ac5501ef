"""The application as a whole: how it starts, how it stops, and the last border of what can go wrong in it."""

from __future__ import annotations

import logging
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from app.domain.errors import ConfigurationError
from app.main import create_app
from config.settings import Settings
from tests.fakes.openai_server import OpenAiServer
from tests.routers.running import CHAT, EMBED, backend, logged, running, serving, until

pytestmark = pytest.mark.anyio


async def test_nothing_is_built_before_the_app_starts() -> None:
    def find(model: str) -> Path:
        raise AssertionError(model)

    app = create_app(Settings(backends=[{"id": "box", "kind": "llamacpp", "model": "small"}]), find)

    assert not hasattr(app.state, "serving")


async def test_a_backend_that_can_not_be_built_stops_the_start_with_one_line(caplog: pytest.LogCaptureFixture) -> None:
    def find(model: str) -> Path:
        raise ConfigurationError(f"the model {model} is not here")

    app = create_app(Settings(backends=[{"id": "box", "kind": "llamacpp", "model": "small"}]), find)
    said = await _lifespan(app)

    assert said == [{"type": "lifespan.startup.failed", "message": "the model small is not here"}]
    assert "mistake" not in logged(caplog)


async def test_a_hangup_reads_the_configuration_again(caplog: pytest.LogCaptureFixture) -> None:
    async with OpenAiServer() as server:
        settings = [_settings(server, watts=3), _settings(server, watts=9)]
        async with serving(settings[0], lambda: settings[1]) as gateway:
            before = await gateway.post(CHAT)
            with caplog.at_level(logging.INFO):
                os.kill(os.getpid(), signal.SIGHUP)
                await until(lambda: "configuration reloaded" in caplog.text)
            await gateway.until_health("box", "closed")
            after = await gateway.post(CHAT)

    assert before.headers["x-estimated-power-watts"] == "3"
    assert after.headers["x-estimated-power-watts"] == "9"


async def test_a_hangup_with_a_bad_configuration_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def bad() -> Settings:
        raise ConfigurationError("there is no such key", "server.prot")

    async with OpenAiServer() as server, serving(_settings(server), bad) as gateway:
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: "was not reloaded" in caplog.text)

        assert (await gateway.post(CHAT)).status_code == 200
    assert "the old one goes on: server.prot: there is no such key" in logged(caplog)


async def test_a_hangup_means_nothing_any_more_when_the_app_has_stopped() -> None:
    before = signal.getsignal(signal.SIGHUP)
    async with OpenAiServer() as server, serving(_settings(server)):
        assert signal.getsignal(signal.SIGHUP) is not before

    assert signal.getsignal(signal.SIGHUP) is before


@pytest.mark.parametrize("cors", [[], ["http://chat.example"]], ids=["past the middleware", "through it"])
async def test_the_doors_answer_alike_with_and_without_middleware(cors: list[str]) -> None:
    async with (
        OpenAiServer() as server,
        running(backend("openai", server), server={"cors_origins": cors}) as gateway,
    ):
        responses = [await gateway.post(CHAT), (await gateway.stream(CHAT)).response, await gateway.post(EMBED)]
        errors = [await gateway.post(CHAT, model=7), await gateway.client.get(CHAT)]

    assert [response.status_code for response in responses] == [200, 200, 200]
    assert [response.status_code for response in errors] == [400, 405]
    assert all(response.headers["x-request-id"] for response in responses + errors)


def _settings(server: OpenAiServer, **more: Any) -> Settings:
    return Settings(server={"port": 0}, backends=[backend("openai", server, **more)])


async def _lifespan(app: Any) -> list[dict[str, Any]]:
    """What the app says to a server that starts it."""
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "lifespan.startup"}

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    with pytest.raises(ConfigurationError):
        await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
    return said
