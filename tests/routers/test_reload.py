"""POST /admin/reload: a valid file takes effect, an invalid one is refused, and no running answer is dropped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.load import load_settings
from tests.fakes.answers import Silence, Stream
from tests.fakes.openai_server import OpenAiServer
from tests.routers.running import CHAT, RunningGateway, backend, error_of, serving, until

pytestmark = pytest.mark.anyio


class File:
    """The configuration on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, *backends: Mapping[str, Any], **sections: Any) -> None:
        server = {"port": 0, **sections.pop("server", {})}
        self.path.write_text(yaml.safe_dump({"server": server, "backends": list(backends), **sections}))

    @asynccontextmanager
    async def served(self) -> AsyncIterator[RunningGateway]:
        async with serving(load_settings(self.path), lambda: load_settings(self.path)) as gateway:
            yield gateway


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path / "isotherm.yaml")


async def reload(gateway: RunningGateway) -> dict[str, Any]:
    response = await gateway.client.post("/admin/reload")
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def test_a_backend_can_be_added_changed_and_taken_away(file: File) -> None:
    async with OpenAiServer() as first, OpenAiServer() as second:
        second.model = "large"
        file.write(backend("openai", first))
        async with file.served() as gateway:
            before = (await gateway.post(CHAT, model="large")).status_code
            file.write(backend("openai", first, watts=9), backend("openai", second, id="second"))
            answer = await reload(gateway)
            await gateway.until_health("second", "closed")
            added = await gateway.post(CHAT, model="large")
            changed = await gateway.post(CHAT)
            file.write(backend("openai", second, id="second"))
            await reload(gateway)
            gone = await gateway.post(CHAT)

    assert answer == {"status": "reloaded", "backends": ["box", "second"]}
    assert before == 404
    assert added.headers["x-backend-used"] == "second"
    assert changed.headers["x-estimated-power-watts"] == "9"
    assert gone.status_code == 404


async def test_a_running_stream_of_a_backend_that_goes_is_finished_first(file: File) -> None:
    async with OpenAiServer() as old, OpenAiServer() as new:
        file.write(backend("openai", old))
        async with file.served() as gateway:
            rest = asyncio.Event()
            old.script = lambda request: Stream([*old.pieces(request)[:2], rest, *old.pieces(request)[2:]])
            async with gateway.opened(CHAT) as response:
                file.write(backend("openai", new, id="new"))
                await reload(gateway)
                await gateway.until_health("new", "closed")
                other = await gateway.post(CHAT)
                rest.set()
                text = (await response.aread()).decode()

    assert other.headers["x-backend-used"] == "new"
    assert text.count("data: ") == len(old.words) + 3
    assert text.endswith("data: [DONE]\n\n")
    assert '"error"' not in text


async def test_a_job_in_line_for_a_backend_that_goes_is_not_lost(file: File) -> None:
    async with OpenAiServer() as old, OpenAiServer() as new:
        file.write(backend("openai", old, concurrency=1))
        async with file.served() as gateway:
            asked, rest = len(old.requests), asyncio.Event()
            old.script = lambda request: Silence(rest, Stream(old.pieces(request)))
            jobs = [asyncio.ensure_future(gateway.post(CHAT)) for _ in range(2)]
            await old.asked(asked + 1)
            lane = gateway.gateway.lanes["box"]
            await until(lambda: bool(lane.waiting()))
            file.write(backend("openai", new, id="new"))
            await reload(gateway)
            rest.set()

            assert [(await job).status_code for job in jobs] == [200, 200]


async def test_a_backend_that_did_not_change_keeps_what_it_learned(file: File) -> None:
    async with OpenAiServer() as server:
        file.write(backend("openai", server))
        async with file.served() as gateway:
            await gateway.post(CHAT)
            lane = gateway.gateway.lanes["box"]
            file.write(backend("openai", server), telemetry={"decisions": 5}, routing={"aliases": {"fast": ["small"]}})
            await reload(gateway)

            assert gateway.gateway.lanes["box"] is lane
            assert (await gateway.post(CHAT, model="fast")).status_code == 200
            assert (await gateway.post(CHAT, model="auto")).status_code == 404
            assert server.connections == 1


async def test_keys_take_effect_at_once(file: File) -> None:
    async with OpenAiServer() as server:
        file.write(backend("openai", server))
        async with file.served() as gateway:
            file.write(backend("openai", server), server={"api_keys": [{"name": "ann", "key": "sk-new-key"}]})
            await reload(gateway)

            assert (await gateway.post(CHAT)).status_code == 401
            assert (await gateway.post(CHAT, headers={"Authorization": "Bearer sk-new-key"})).status_code == 200


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"backends": [{"id": "box", "kind": "openai"}]}, "backends[0].url"),
        ({"backends": [{"id": "box", "kind": "opnai", "url": "http://localhost/v1"}]}, "backends[0].kind"),
        ({"backends": [{"id": "x", "kind": "openai", "url": "http://h/v1", "thraeds": 2}]}, "backends[0].thraeds"),
        ({"server": {"port": 0, "keep_alive_seconds": -1}}, "server.keep_alive_seconds"),
        ({"routng": {}}, "routng"),
        ({"server": {"port": 0, "host": "0.0.0.0"}}, "server"),
        ({"server": {"port": 1}}, "server.port"),
        ({"server": {"port": 0, "api_keys": [{"name": "a", "key": "${NOT_SET}"}]}}, "server.api_keys[0].key"),
        ("{broken", "isotherm.yaml is no YAML: "),
        ("a: 1\na: 2\n", "`a` stands twice (line 2)"),
        ("a: !!python/object:os.system {}", "isotherm.yaml is no YAML: "),
        ("- just\n- a list", "isotherm.yaml holds no keys"),
        ("", "isotherm.yaml holds no keys"),
        ("\x00", "isotherm.yaml is no YAML: "),
    ],
)
async def test_an_invalid_file_is_refused_with_its_path_and_the_old_one_goes_on(
    file: File, wrong: dict[str, Any] | str, path: str
) -> None:
    async with OpenAiServer() as server:
        file.write(backend("openai", server))
        async with file.served() as gateway:
            file.path.write_text(wrong if isinstance(wrong, str) else yaml.safe_dump({"server": {"port": 0}, **wrong}))
            response = await gateway.client.post("/admin/reload")
            still = await gateway.post(CHAT)

    error = error_of(response, 400)
    assert error["code"] == "invalid_configuration"
    assert error["message"].startswith(path)
    assert str(file.path.parent) not in error["message"]
    assert still.status_code == 200


async def test_a_file_that_is_gone_is_refused_without_saying_where_it_was(file: File) -> None:
    async with OpenAiServer() as server:
        file.write(backend("openai", server))
        async with file.served() as gateway:
            file.path.unlink()
            response = await gateway.client.post("/admin/reload")
            still = await gateway.post(CHAT)

    error = error_of(response, 400)
    assert str(file.path.parent) not in error["message"]
    assert still.status_code == 200


async def test_many_reloads_at_once_do_no_harm(file: File) -> None:
    async with OpenAiServer() as server:
        file.write(backend("openai", server))
        async with file.served() as gateway:
            responses = await asyncio.gather(*(gateway.client.post("/admin/reload") for _ in range(8)))
            still = await gateway.post(CHAT)

    assert {response.status_code for response in responses} == {200}
    assert still.status_code == 200
    assert server.connections <= 2
