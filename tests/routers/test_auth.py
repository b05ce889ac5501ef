"""Who may come in, and where."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import ValidationError

from config.settings import Settings
from tests.fakes.openai_server import OpenAiServer
from tests.routers.running import CHAT, COMPLETE, EMBED, RunningGateway, backend, error_of, logged, running

pytestmark = pytest.mark.anyio

CLIENT, LIMITED, NARROW, ADMIN = "sk-client-1", "sk-limited-1", "sk-narrow-1", "sk-admin-1"
SERVER: dict[str, Any] = {
    "api_keys": [
        {"name": "ann", "key": CLIENT},
        {"name": "bob", "key": LIMITED, "requests_per_minute": 2},
        {"name": "cid", "key": NARROW, "models": ["small", "fast*"]},
    ],
    "admin_keys": [{"name": "root", "key": ADMIN}],
}
CLIENTS_DOORS = [("POST", CHAT), ("POST", COMPLETE), ("POST", EMBED)]
CLIENTS_DOORS += [("GET", "/v1/models"), ("GET", "/v1/models/small"), ("GET", "/openapi.json")]
ADMINS_DOORS = [("GET", "/admin/backends"), ("GET", "/admin/decisions"), ("GET", "/admin/decisions/x")]
ADMINS_DOORS += [("GET", "/metrics"), ("POST", "/admin/reload")]


@pytest.fixture
async def locked(upstream: OpenAiServer) -> AsyncIterator[RunningGateway]:
    async with running(backend("openai", upstream), server=SERVER) as gateway:
        yield gateway


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def test_without_keys_everything_is_open(gateway: RunningGateway) -> None:
    for method, path in CLIENTS_DOORS + ADMINS_DOORS:
        response = await gateway.client.request(method, path)

        assert response.status_code in (200, 400, 404), path


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "missing_api_key"),
        ({"Authorization": ""}, "missing_api_key"),
        (bearer("sk-wrong-key"), "invalid_api_key"),
        ({"Authorization": "Bearer"}, "invalid_api_key"),
        (bearer(CLIENT.upper()), "invalid_api_key"),
        (bearer(CLIENT[:-1]), "invalid_api_key"),
        ({"Authorization": CLIENT}, "invalid_api_key"),
        ({"Authorization": f"Basic {CLIENT}"}, "invalid_api_key"),
        ({"X-API-Key": CLIENT}, "missing_api_key"),
    ],
)
async def test_with_keys_no_door_opens_without_one(locked: RunningGateway, headers: dict[str, str], code: str) -> None:
    for method, path in CLIENTS_DOORS + ADMINS_DOORS:
        error = error_of(await locked.client.request(method, path, headers=headers), 401)

        assert (error["type"], error["code"]) == ("authentication_error", code), path


async def test_health_is_always_open(locked: RunningGateway) -> None:
    assert (await locked.get("/health/live")).status_code == 200
    assert (await locked.get("/health/ready")).status_code == 200


@pytest.mark.parametrize("key", [CLIENT, ADMIN])
async def test_a_key_opens_the_doors_of_clients(locked: RunningGateway, key: str) -> None:
    for method, path in CLIENTS_DOORS:
        response = await locked.client.request(method, path, headers=bearer(key))

        assert response.status_code in (200, 400), path


@pytest.mark.parametrize(("method", "path"), ADMINS_DOORS)
async def test_only_an_admin_key_opens_the_doors_of_operators(locked: RunningGateway, method: str, path: str) -> None:
    client = await locked.client.request(method, path, headers=bearer(CLIENT))
    admin = await locked.client.request(method, path, headers=bearer(ADMIN))

    error = error_of(client, 403)
    assert (error["type"], error["code"]) == ("permission_error", "admin_key_required")
    assert admin.status_code in (200, 404)


async def test_admin_keys_alone_close_everything_too(upstream: OpenAiServer) -> None:
    server = {"admin_keys": SERVER["admin_keys"]}
    async with running(backend("openai", upstream), server=server) as gateway:
        assert (await gateway.post(CHAT)).status_code == 401
        assert (await gateway.post(CHAT, headers=bearer(ADMIN))).status_code == 200


async def test_a_key_may_only_ask_for_its_models(locked: RunningGateway) -> None:
    allowed = await locked.post(CHAT, headers=bearer(NARROW))
    for path in (CHAT, COMPLETE, EMBED):
        error = error_of(await locked.post(path, headers=bearer(NARROW), model="auto"), 403)
        assert (error["param"], error["code"]) == ("model", "model_not_allowed")

    assert allowed.status_code == 200


async def test_a_key_with_a_limit_is_told_when_to_come_back(locked: RunningGateway) -> None:
    statuses = [(await locked.post(CHAT, headers=bearer(LIMITED))).status_code for _ in range(2)]
    refused = await locked.post(CHAT, headers=bearer(LIMITED))
    other = await locked.post(CHAT, headers=bearer(CLIENT))

    assert statuses == [200, 200]
    error = error_of(refused, 429)
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert 1 <= int(refused.headers["retry-after"]) <= 30
    assert other.status_code == 200


async def test_the_limit_counts_every_door(locked: RunningGateway) -> None:
    for path in ("/v1/models", "/v1/models/small"):
        assert (await locked.get(path, **bearer(LIMITED))).status_code == 200
    refused = await locked.get("/v1/models", **bearer(LIMITED))

    assert error_of(refused, 429)["code"] == "rate_limit_exceeded"
    assert int(refused.headers["retry-after"]) >= 1


async def test_the_upstream_never_sees_the_clients_key(locked: RunningGateway, upstream: OpenAiServer) -> None:
    await locked.post(CHAT, headers=bearer(CLIENT))

    assert CLIENT not in str(upstream.requests[-1].headers)


async def test_a_record_has_the_keys_name_and_never_the_key(locked: RunningGateway) -> None:
    await locked.post(CHAT, headers={**bearer(CLIENT), "X-Request-ID": "mine"})
    record = await locked.get("/admin/decisions/mine", **bearer(ADMIN))

    assert record.json()["key"] == "ann"
    assert CLIENT not in record.text


async def test_no_key_ever_reaches_a_log_or_an_answer(locked: RunningGateway, caplog: pytest.LogCaptureFixture) -> None:
    wrong = "sk-wrong-and-still-secret"
    texts: list[str] = []
    with caplog.at_level(logging.DEBUG):
        for key in (CLIENT, LIMITED, ADMIN, wrong):
            answers = [await locked.post(path, headers=bearer(key), model=7) for path in (CHAT, EMBED)]
            answers.append(await locked.get("/admin/backends", **bearer(key)))
            texts += [answer.text for answer in answers]
            await locked.get(f"/v1/models/{key}", **bearer(key))

    for key in (CLIENT, LIMITED, ADMIN, wrong):
        assert key not in logged(caplog)
    assert not any(key in text for text in texts for key in (CLIENT, LIMITED, ADMIN, wrong))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.com"])
def test_settings_refuse_to_bind_beyond_loopback_without_keys(host: str) -> None:
    with pytest.raises(ValidationError, match="would let anyone in"):
        Settings(server={"host": host})
    Settings(server={"host": host, "allow_unauthenticated": True})
    Settings(server={"host": host, "api_keys": SERVER["api_keys"]})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_settings_let_loopback_be_open(host: str) -> None:
    assert Settings(server={"host": host}).server.host == host


def test_settings_never_print_a_key() -> None:
    settings = Settings(server=SERVER)

    assert CLIENT not in repr(settings)
    assert CLIENT not in str(settings.model_dump())
    assert ADMIN not in settings.model_dump_json()
