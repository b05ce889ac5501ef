"""Proofs for the keys of config/settings.py."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from fastapi import FastAPI
from pydantic import ValidationError

from app.domain.errors import ConfigurationError
from app.lifecycle import Lifecycle
from app.server import make_server
from app.wiring import read_backends
from config.settings import Settings
from tests.config.proofs.proof import CHAT, HELLO, Proof, scripted, serving
from tests.fakes.clock import FakeClock

ADA = {"name": "ada", "key": "sk-ada-secret"}
BOSS = {"name": "boss", "key": "sk-boss-secret"}


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


async def url_bound_to(server: dict[str, Any]) -> httpx.URL:
    """Where a real server listens that was told so."""
    ready = asyncio.get_running_loop().create_future()

    async def on_ready(url: str) -> None:
        ready.set_result(url)

    uvicorn_server = make_server(FastAPI(), Settings(server=server).server, on_ready)
    running = asyncio.create_task(uvicorn_server.serve())
    url = httpx.URL(await ready)
    uvicorn_server.should_exit = True
    await running
    return url


async def host(value: str) -> str:
    return (await url_bound_to({"host": value, "port": 0})).host


async def port(value: str) -> bool:
    """Whether it listens on the port that was named."""
    finder = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    free = finder.sockets[0].getsockname()[1]
    finder.close()
    await finder.wait_closed()
    url = await url_bound_to({"port": {"that one": free, "any": 0}[value]})
    return url.port is not None and url.port == int(free)


async def name_of(key: str, keys: dict[str, Any]) -> str:
    """Whose request it was, in the record of the decision."""
    async with serving(server={**keys, "admin_keys": [*keys.get("admin_keys", ()), BOSS]}) as client:
        await client.post(CHAT, json=HELLO, headers=bearer(key))
        listed = (await client.get("/admin/decisions", headers=bearer(BOSS["key"]))).json()
    name: str = listed["data"][0]["key"]
    return name


async def api_key_name(value: str) -> str:
    return await name_of(ADA["key"], {"api_keys": [{**ADA, "name": value}]})


async def admin_key_name(value: str) -> str:
    return await name_of(ADA["key"], {"admin_keys": [{**ADA, "name": value}]})


async def status(server: dict[str, Any], *, times: int = 1, path: str = CHAT) -> int:
    """What the last of so many requests with Ada's key is answered."""
    async with serving(server=server) as client:
        for _ in range(times):
            if path == CHAT:
                answer = await client.post(path, json=HELLO, headers=bearer(ADA["key"]))
            else:
                answer = await client.get(path, headers=bearer(ADA["key"]))
    return answer.status_code


async def api_key(value: str) -> int:
    return await status({"api_keys": [{**ADA, "key": value}]})


async def requests_per_minute(value: int | None) -> int:
    return await status({"api_keys": [{**ADA, "requests_per_minute": value}]}, times=3)


async def models_of_key(value: list[str]) -> int:
    return await status({"api_keys": [{**ADA, "models": value}]})


async def admin_key(value: str) -> int:
    return await status({"admin_keys": [{**ADA, "key": value}]}, path="/admin/backends")


async def allow_unauthenticated(value: bool) -> str:
    try:
        return Settings(server={"host": "0.0.0.0", "allow_unauthenticated": value}).server.host
    except ValidationError:
        return "refused"


async def max_body_bytes(value: int) -> int:
    async with serving(server={"max_body_bytes": value}) as client:
        return (await client.post(CHAT, json={**HELLO, "user": "x" * 2000})).status_code


async def cors_origins(value: list[str]) -> str | None:
    async with serving(server={"cors_origins": value}) as client:
        answer = await client.get("/health/live", headers={"origin": "https://a.example"})
    allowed: str | None = answer.headers.get("access-control-allow-origin")
    return allowed


async def keep_alive_seconds(value: float) -> bool:
    """Whether 20 seconds of silence have been broken at the first look at the clocks after them."""
    clock, looked, broken = FakeClock(), asyncio.Event(), asyncio.Event()
    settings = Settings(server={"keep_alive_seconds": value})
    lifecycle = Lifecycle(settings, Path, lambda: settings, clock)
    await lifecycle.start()
    watch = lifecycle.gateway.relay.watch()
    watch.waiting_since = clock()
    watch.on_long, watch.on_silence = looked.set, broken.set
    clock.advance(20)
    await looked.wait()
    await lifecycle.stop()
    return broken.is_set()


async def drain_seconds(value: float) -> bool:
    """Whether an answer that runs when the gateway is told to stop may come to its end."""
    app, asked, stopping, ready = FastAPI(), asyncio.Event(), asyncio.Event(), asyncio.Event()
    urls: list[str] = []

    @app.get("/")
    async def slow() -> str:
        asked.set()
        await stopping.wait()
        return "the end"

    async def on_ready(url: str) -> None:
        urls.append(url)
        ready.set()

    server = make_server(app, Settings(server={"port": 0, "drain_seconds": value}).server, on_ready)
    running = asyncio.create_task(server.serve())
    await ready.wait()
    async with httpx.AsyncClient(base_url=urls[0], timeout=10) as client:
        answering = asyncio.create_task(client.get("/"))
        await asked.wait()
        server.should_exit = True
        done, _ = await asyncio.wait([answering, running], timeout=0.5)  # as long as it takes to see nothing happen
        stopping.set()
        await asyncio.wait([answering, running])
    return not done and answering.exception() is None


async def zone_id(value: str) -> bool:
    try:
        return bool(read_backends(Settings(zones=[{"id": value}], backends=[scripted(zone="gpu0")])))
    except ConfigurationError:
        return False


async def backends(value: list[dict[str, Any]]) -> list[str]:
    async with serving(backends=value) as client:
        return [each["id"] for each in (await client.get("/admin/backends")).json()["data"]]


async def aliases(value: dict[str, list[str]]) -> list[str]:
    async with serving(routing={"aliases": value}) as client:
        return [each["id"] for each in (await client.get("/v1/models")).json()["data"]]


async def decisions(value: int) -> int:
    async with serving(telemetry={"decisions": value}) as client:
        for _ in range(3):
            await client.post(CHAT, json=HELLO)
        return len((await client.get("/admin/decisions")).json()["data"])


def holds(directory: str, name: str) -> bool:
    return Path(directory, name).exists()


async def feedback(value: str) -> bool:
    """Whether a file of that name holds what was said of an answer."""
    with TemporaryDirectory() as directory:
        async with serving(telemetry={"feedback": f"{directory}/{value}"}) as client:
            request_id = (await client.post(CHAT, json=HELLO)).headers["x-request-id"]
            await client.post(f"/admin/decisions/{request_id}/feedback", json={"correct": True})
        return holds(directory, "mine.sqlite3")


PROOFS: dict[str, Proof] = {
    "server.host": Proof(host, [("127.0.0.1", "127.0.0.1"), ("127.0.0.2", "127.0.0.2")]),
    "server.port": Proof(port, [("that one", True), ("any", False)]),
    "server.api_keys.name": Proof(api_key_name, [("ada", "ada"), ("eve", "eve")]),
    "server.api_keys.key": Proof(api_key, [("sk-ada-secret", 200), ("sk-eve-secret", 401)]),
    "server.api_keys.requests_per_minute": Proof(requests_per_minute, [(None, 200), (3, 200), (2, 429)]),
    "server.api_keys.models": Proof(models_of_key, [(["sm*"], 200), (["large"], 403)]),
    "server.admin_keys.name": Proof(admin_key_name, [("ada", "ada"), ("eve", "eve")]),
    "server.admin_keys.key": Proof(admin_key, [("sk-ada-secret", 200), ("sk-eve-secret", 401)]),
    "server.allow_unauthenticated": Proof(allow_unauthenticated, [(False, "refused"), (True, "0.0.0.0")]),
    "server.max_body_bytes": Proof(max_body_bytes, [(4096, 200), (1024, 413)]),
    "server.cors_origins": Proof(cors_origins, [([], None), (["https://a.example"], "https://a.example")]),
    "server.keep_alive_seconds": Proof(keep_alive_seconds, [(15, True), (30, False)]),
    "server.drain_seconds": Proof(drain_seconds, [(0, False), (30, True)]),
    "zones.id": Proof(zone_id, [("gpu0", True), ("gpu1", False)]),
    "backends": Proof(backends, [([], []), ([scripted("a"), scripted("b")], ["a", "b"])]),
    "routing.aliases": Proof(aliases, [({}, ["small"]), ({"fast": ["*"]}, ["fast", "small"])]),
    "telemetry.decisions": Proof(decisions, [(1, 1), (2, 2), (10, 3)]),
    "telemetry.feedback": Proof(feedback, [("mine.sqlite3", True), ("yours.sqlite3", False)]),
}
