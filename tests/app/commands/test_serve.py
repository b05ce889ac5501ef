"""`isotherm serve`, as a process of its own with a fake behind it."""

from __future__ import annotations

import asyncio
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from tests.app.process import Serving, isotherm, serving
from tests.fakes.answers import Stream
from tests.fakes.openai_server import OpenAiServer

pytestmark = pytest.mark.anyio

BODY = {"model": "small", "messages": [{"role": "user", "content": "Hi"}]}
CHAT = "/v1/chat/completions"
MEGABYTE = 1024 * 1024


def write(path: Path, server: OpenAiServer, *, front: Mapping[str, Any] | None = None, **more: Any) -> Path:
    told = {"id": "box", "kind": "openai", "url": f"{server.url}/v1", **more}
    path.write_text(yaml.safe_dump({"server": {"port": 0, **(front or {})}, "backends": [told]}))
    return path


@pytest.fixture(scope="module")
async def answering() -> AsyncIterator[OpenAiServer]:
    """Behind the one process that most of these tests share."""
    async with OpenAiServer() as server:
        yield server


@pytest.fixture(scope="module")
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        number: int = free.getsockname()[1]
    return number


@pytest.fixture(scope="module")
async def served(
    answering: OpenAiServer, port: int, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Serving]:
    file = write(tmp_path_factory.mktemp("served") / "isotherm.yaml", answering)
    environ = {"ISOTHERM_SERVER__PORT": "1", "ISOTHERM_SERVER__MAX_BODY_BYTES": str(4 * MEGABYTE)}
    async with serving(file, "--port", str(port), environ=environ) as gateway:
        yield gateway


@pytest.fixture
async def upstream() -> AsyncIterator[OpenAiServer]:
    async with OpenAiServer() as server:
        yield server


@pytest.fixture
def file(tmp_path: Path, upstream: OpenAiServer) -> Path:
    return write(tmp_path / "isotherm.yaml", upstream)


async def test_the_last_lines_are_a_curl_command_and_a_python_snippet(served: Serving) -> None:
    lines = served.out.partition("\ncurl ")[2].splitlines()

    assert served.out.startswith("\nIsotherm listens on http://127.0.0.1:")
    assert lines[0].startswith(f"{served.url}/v1/chat/completions ")
    assert f'base_url="{served.url}/v1"' in served.out
    assert lines[-1] == '        print(chunk.choices[0].delta.content or "", end="", flush=True)'


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
async def test_the_curl_command_works_when_pasted(served: Serving, answering: OpenAiServer) -> None:
    command = served.out.partition("\ncurl ")[2].partition("\n\n")[0]
    answer = await _pasted("sh", "-c", f"curl --silent --show-error {command}")

    assert answering.words[0] in answer
    assert answer.endswith("data: [DONE]\n\n")


@pytest.mark.live
async def test_the_python_snippet_works_when_pasted(served: Serving, answering: OpenAiServer) -> None:
    snippet = served.out.partition("\ncurl ")[2].partition("\n\n")[2]

    assert await _pasted(sys.executable, "-c", snippet) == "".join(answering.words)


async def test_the_snippets_ask_for_a_key_where_one_is_needed_and_never_show_it(
    tmp_path: Path, upstream: OpenAiServer
) -> None:
    keys = {"api_keys": [{"name": "ann", "key": "${ANNS_KEY}"}]}
    file = write(tmp_path / "keys.yaml", upstream, front=keys, api_key="${UPSTREAMS_KEY}")
    secrets = {"ANNS_KEY": "sk-the-key-of-ann", "UPSTREAMS_KEY": "sk-the-key-of-upstream"}
    async with serving(file, environ=secrets) as gateway, httpx.AsyncClient(base_url=gateway.url) as client:
        refused = await client.post(CHAT, json=BODY)
        served = await client.post(CHAT, json=BODY, headers={"Authorization": "Bearer sk-the-key-of-ann"})
        gateway.ask_to_stop()
        ended = await gateway.ended()

    assert (refused.status_code, served.status_code) == (401, 200)
    assert upstream.requests[-1].headers["authorization"] == "Bearer sk-the-key-of-upstream"
    assert ended.out.count("YOUR_KEY") == 2
    for secret in secrets.values():
        assert secret not in ended.out + ended.err


async def test_the_environment_and_the_command_line_win_over_the_file(served: Serving, port: int) -> None:
    async with httpx.AsyncClient(base_url=served.url) as client:
        too_long = await client.post(CHAT, json={**BODY, "user": "x" * 4 * MEGABYTE})

    assert served.port == port
    assert too_long.status_code == 413


async def test_a_hangup_reloads_the_file_and_drops_no_running_stream(file: Path, upstream: OpenAiServer) -> None:
    async with OpenAiServer() as new, serving(file) as gateway, httpx.AsyncClient(base_url=gateway.url) as client:
        new.model, rest = "new", asyncio.Event()
        upstream.script = lambda request: Stream([*upstream.pieces(request)[:2], rest, *upstream.pieces(request)[2:]])
        async with client.stream("POST", CHAT, json={**BODY, "stream": True}) as running:
            write(file, new, id="fresh")
            gateway.hang_up()
            await gateway.said("configuration reloaded: 1 backends")
            await gateway.said("backend fresh: unknown -> closed")
            served = await client.post(CHAT, json={**BODY, "model": "new"})
            write(file, new, id="fresh", front={"prot": 8080})
            gateway.hang_up()
            await gateway.said("server.prot: there is no such key; did you mean `port`?")
            still = await client.post(CHAT, json={**BODY, "model": "new"})
            rest.set()
            text = (await running.aread()).decode()

    assert served.headers["x-backend-used"] == "fresh"
    assert still.status_code == 200
    assert text.endswith("data: [DONE]\n\n")
    assert "Traceback" not in gateway.err
    assert str(file.parent) not in gateway.err


async def test_a_running_stream_is_finished_before_the_gateway_stops(file: Path, upstream: OpenAiServer) -> None:
    async with serving(file) as gateway, httpx.AsyncClient(base_url=gateway.url) as client:
        rest = asyncio.Event()
        upstream.script = lambda request: Stream([*upstream.pieces(request)[:2], rest, *upstream.pieces(request)[2:]])
        async with client.stream("POST", CHAT, json={**BODY, "stream": True}) as running:
            gateway.ask_to_stop()
            await _refuses(gateway)
            rest.set()
            text = (await running.aread()).decode()
        ended = await gateway.ended()

    assert text.endswith("data: [DONE]\n\n")
    assert ended.code in (0, -15)
    assert "Traceback" not in ended.err


async def test_an_answer_that_never_ends_does_not_keep_the_gateway_from_stopping(
    tmp_path: Path, upstream: OpenAiServer
) -> None:
    file = write(tmp_path / "isotherm.yaml", upstream, front={"drain_seconds": 0})
    async with serving(file) as gateway, httpx.AsyncClient(base_url=gateway.url) as client:
        upstream.script = lambda request: Stream([*upstream.pieces(request)[:2], asyncio.Event()])
        async with client.stream("POST", CHAT, json={**BODY, "stream": True}) as running:
            gateway.ask_to_stop()
            with pytest.raises(httpx.RemoteProtocolError):
                await running.aread()
        ended = await gateway.ended()

    assert ended.code in (0, -15)
    assert "Traceback" not in ended.err


async def test_a_body_of_100_mb_takes_no_memory_to_speak_of(served: Serving) -> None:
    part, parts = b"x" * MEGABYTE, 100
    ways = {
        "transfer-encoding: chunked": b"%x\r\n%b\r\n" % (len(part), part),
        f"content-length: {parts * MEGABYTE}": part,
    }
    process = psutil.Process(served.pid)
    before = peak = process.memory_info().rss
    for way, piece in ways.items():
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(f"POST {CHAT} HTTP/1.1\r\nhost: x\r\n{way}\r\n\r\n".encode())
        for _ in range(parts):
            writer.write(piece)
            await writer.drain()
            peak = max(peak, process.memory_info().rss)
        assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
        writer.close()

    assert peak - before < 32 * MEGABYTE


async def test_a_bad_configuration_is_one_line_and_no_server(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("server: {host: 0.0.0.0}")
    ended = await isotherm("serve", "--config", str(file))

    assert ended.code == 1
    assert ended.err.startswith("isotherm: server: binding to 0.0.0.0 without keys would let anyone in")
    assert ended.err.count("\n") == 1
    assert ended.out == ""


async def test_a_backend_that_can_not_be_built_is_said_without_a_trace(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("{server: {port: 0}, backends: [{id: a, kind: llamacpp, model: /none/such.gguf}]}")
    ended = await isotherm("serve", "--config", str(file))

    assert ended.code not in (0, None)
    assert "there is no file" in ended.err
    assert "Traceback" not in ended.err


async def test_a_port_that_is_taken_is_said_and_no_trace_shown(file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = await isotherm("serve", "--config", str(file), "--port", str(taken.getsockname()[1]))

    assert ended.code not in (0, None)
    assert "address already in use" in ended.err
    assert "Traceback" not in ended.err


async def _pasted(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def _refuses(gateway: Serving) -> None:
    """Wait until it takes no more connections."""
    async with asyncio.timeout(5):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            except ConnectionRefusedError:
                return
            writer.close()
            await asyncio.sleep(0.01)
