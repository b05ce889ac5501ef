"""What no client should send: a clear 4xx in OpenAI's shape, at once, and nothing kept or logged."""

from __future__ import annotations

import asyncio
import logging
import tracemalloc
from collections.abc import AsyncIterator
from time import perf_counter
from typing import Any

import orjson
import pytest

from tests.fakes.openai_server import OpenAiServer
from tests.routers.running import (
    ASKED,
    CHAT,
    COMPLETE,
    EMBED,
    HELLO,
    RunningGateway,
    backend,
    error_of,
    head,
    logged,
    running,
)

pytestmark = pytest.mark.anyio

DOORS = pytest.mark.parametrize("path", [CHAT, COMPLETE, EMBED])
SECRET = "my-very-private-words"

NOT_JSON: dict[str, bytes] = {
    "nothing": b"",
    "spaces": b"   ",
    "words": SECRET.encode(),
    "cut short": b'{"model": "small", "messages": [',
    "two objects": b"{}{}",
    "a trailing comma": b'{"model": "small",}',
    "single quotes": b"{'model': 'small'}",
    "a raw NUL": b'{"model": "sm\x00all"}',
    "only NULs": bytes(64),
    "invalid UTF-8": b'{"model": "\xff\xfe"}',
    "half a character": '{"model": "é"}'.encode()[:-3] + b'"}',
    "UTF-16": '{"model": "small"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + b'{"model": "small"}',
    "half a surrogate pair": b'{"model": "\\ud800"}',
    "a form": b"model=small&prompt=Hi",
    "an image": b"\x89PNG\r\n\x1a\n",
}
NOT_AN_OBJECT = [b"null", b"7", b'"words"', b"[]", b"true", b'[{"model": "small"}]']


@pytest.fixture(scope="module")
async def upstream() -> AsyncIterator[OpenAiServer]:
    async with OpenAiServer() as server:
        yield server


@pytest.fixture(scope="module")
async def gateway(upstream: OpenAiServer) -> AsyncIterator[RunningGateway]:
    """One for all of these tests: nothing that they send may change anything."""
    async with running(backend("openai", upstream)) as gateway:
        yield gateway


@DOORS
@pytest.mark.parametrize("what", NOT_JSON)
async def test_what_is_no_json_is_400(gateway: RunningGateway, path: str, what: str) -> None:
    response = await gateway.client.post(path, content=NOT_JSON[what])

    assert error_of(response, 400)["code"] == "invalid_json"
    assert SECRET not in response.text


@DOORS
@pytest.mark.parametrize("content", NOT_AN_OBJECT)
async def test_what_is_no_object_is_400(gateway: RunningGateway, path: str, content: bytes) -> None:
    assert error_of(await gateway.client.post(path, content=content), 400)["code"] == "invalid_value"


@DOORS
@pytest.mark.parametrize("escaped", [r"a\u0000b", r"\u0000", r"\\\u0000", r"\n\u0000"])
async def test_an_escaped_nul_is_400(gateway: RunningGateway, path: str, escaped: str) -> None:
    words = escaped.join('""')
    messages = f'[{{"role": "user", "content": {words}}}]'
    content = f'{{"model": "small", "messages": {messages}, "prompt": {words}, "input": {words}}}'
    response = await gateway.client.post(path, content=content.encode())

    assert "NUL" in error_of(response, 400)["message"]


async def test_a_backslash_before_u0000_is_only_text(gateway: RunningGateway, upstream: OpenAiServer) -> None:
    content = rb'{"model": "small", "messages": [{"role": "user", "content": "write \\u0000 in C"}]}'
    response = await gateway.client.post(CHAT, content=content)

    assert response.status_code == 200
    assert upstream.requests[-1].body["messages"][0]["content"] == r"write \u0000 in C"


DEEP: dict[str, bytes] = {
    "lists": b"[" * 100_000,
    "closed lists": b"[" * 50_000 + b"]" * 50_000,
    "objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "a deep field": b'{"model": "small", "x": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "a deep schema": b'{"model": "small", "messages": [{"role": "user", "content": "Hi"}], "tools": ['
    b'{"type": "function", "function": {"name": "f", "parameters": '
    + b'{"properties": {"a": ' * 2000
    + b"{}"
    + b"}}" * 2000
    + b"}}]}",
}


@DOORS
@pytest.mark.parametrize("what", DEEP)
async def test_deep_nesting_is_400_at_once(gateway: RunningGateway, path: str, what: str) -> None:
    started = perf_counter()
    response = await gateway.client.post(path, content=DEEP[what])

    error_of(response, 400)
    assert perf_counter() - started < 2


@pytest.mark.parametrize("depth", [10, 60, 120, 180, 190, 198, 250, 300])
async def test_nesting_is_either_passed_on_or_refused(gateway: RunningGateway, depth: int) -> None:
    content = orjson.dumps({**ASKED[CHAT]})[:-1] + b', "x": ' + b"[" * depth + b"]" * depth + b"}"
    response = await gateway.client.post(CHAT, content=content)

    assert response.status_code in (200, 400)


NUMBERS: dict[str, list[bytes]] = {
    "max_tokens": [b"-1", b"0", b"1.5", b"1e400", b"99999999999999999999", b'"7"', b"true", b"NaN", b"-Infinity"],
    "n": [b"0", b"-1", b"129", b"1e9", b'"2"', b"[1]"],
    "temperature": [b"-0.1", b"2.1", b"1e400", b"-1e400", b"NaN", b"Infinity", b'"hot"', b"{}"],
    "top_p": [b"-0.1", b"1.1", b"NaN"],
    "frequency_penalty": [b"-2.1", b"2.1", b"1e30"],
    "presence_penalty": [b"-2.1", b"2.1", b"null2"],
    "seed": [b"1e400", b"9223372036854775808", b"-9223372036854775809", b"1.5", b"9" * 5000],
    "top_logprobs": [b"-1", b"21"],
    "logit_bias": [b'{"x": 1}', b'{"1": 101}', b'{"1": "much"}', b"[1]", b'{"-1": 1}', b'{"1": NaN}'],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in NUMBERS.items() for value in values])
async def test_a_number_out_of_range_is_400_and_named(gateway: RunningGateway, name: str, value: bytes) -> None:
    content = orjson.dumps(ASKED[CHAT])[:-1] + b', "logprobs": true, "%b": %b}' % (name.encode(), value)
    error = error_of(await gateway.client.post(CHAT, content=content), 400)

    assert error["code"] == "invalid_json" or error["param"].partition(".")[0] == name
    assert len(error["message"]) < 500


@DOORS
@pytest.mark.parametrize("value", [b"9" * 30, b"-" + b"9" * 30, b"9" * 4000, b"[1, 18446744073709551616]"])
async def test_a_number_that_no_server_can_read_is_400_in_a_field_of_nobody_too(
    gateway: RunningGateway, path: str, value: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    content = orjson.dumps(ASKED[path])[:-1] + b', "x_big": %b}' % value
    response = await gateway.client.post(path, content=content)

    assert error_of(response, 400)["param"] in ("x_big", None)
    assert "mistake" not in logged(caplog)


@pytest.mark.parametrize("value", [b"1e308", b"-1e308", b"1e-320", b"NaN", b"Infinity", b"18446744073709551615"])
async def test_other_numbers_in_a_field_of_nobody_do_no_harm(gateway: RunningGateway, value: bytes) -> None:
    content = orjson.dumps(ASKED[CHAT])[:-1] + b', "x_big": %b}' % value

    assert (await gateway.client.post(CHAT, content=content)).status_code in (200, 400)


#: A field that is wrong, and how an error calls it.
SHAPES: list[tuple[dict[str, Any], str]] = [
    ({"messages": []}, "messages"),
    ({"messages": None}, "messages"),
    ({"messages": {}}, "messages"),
    ({"messages": "Hi"}, "messages"),
    ({"messages": [None]}, "messages.0"),
    ({"messages": ["Hi"]}, "messages.0"),
    ({"messages": [{}]}, "messages.0.role"),
    ({"messages": [{"role": "robot", "content": "Hi"}]}, "messages.0.role"),
    ({"messages": [{"role": "user", "content": 7}]}, "messages.0.content"),
    ({"messages": [{"role": "user", "content": [7]}]}, "messages.0.content.0"),
    ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "messages.0.content.0"),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content.0.text"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]},
        "messages.0.content.0.image_url",
    ),
    ({"messages": [{"role": "assistant", "tool_calls": [{"id": 7}]}]}, "messages.0.tool_calls.0.id"),
    ({"messages": HELLO * 10_001}, "messages"),
    ({"model": ""}, "model"),
    ({"model": None}, "model"),
    ({"model": ["small"]}, "model"),
    ({"model": "x" * 257}, "model"),
    ({"stream": "yes"}, "stream"),
    ({"stream": 1}, "stream"),
    ({"stream": True, "stream_options": "usage"}, "stream_options"),
    ({"stream": True, "stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
    ({"stop": 7}, "stop"),
    ({"stop": [7]}, "stop.0"),
    ({"stop": ["x"] * 65}, "stop"),
    ({"response_format": "json"}, "response_format"),
    ({"response_format": {"type": "xml"}}, "response_format"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ({"response_format": {"type": "json_schema", "json_schema": {}}}, "response_format.json_schema.name"),
    ({"tools": "all"}, "tools"),
    ({"tools": [{"type": "function"}]}, "tools.0.function"),
    ({"tools": [{"type": "robot"}]}, "tools.0"),
    ({"tools": [{"type": "custom"}]}, "tools.0.custom"),
    ({"tools": [{"type": "function", "function": {"name": ""}}]}, "tools.0.function.name"),
    ({"tools": [{"type": "function", "function": {"name": "f"}}] * 1000}, "tools"),
    ({"tool_choice": 7}, "tool_choice"),
    ({"user": 7}, "user"),
    ({"metadata": {"a": 1}}, "metadata.a"),
    ({"metadata": {str(number): "" for number in range(17)}}, "metadata"),
]


@pytest.mark.parametrize(("changes", "param"), SHAPES)
async def test_a_wrong_type_or_shape_is_400_and_named(
    gateway: RunningGateway, upstream: OpenAiServer, changes: dict[str, Any], param: str
) -> None:
    asked = len(upstream.requests)
    error = error_of(await gateway.post(CHAT, **changes), 400)

    assert error["param"] == param
    assert len(error["message"]) < 500
    assert len(upstream.requests) == asked


@DOORS
@pytest.mark.parametrize(
    "model", ["nothing", "../../etc/passwd", "small\n", "SMALL", "*", "sm*", "\u202esmall", "🙂" * 64]
)
async def test_an_unknown_model_is_404_whatever_its_name(gateway: RunningGateway, path: str, model: str) -> None:
    assert error_of(await gateway.post(path, model=model), 404)["code"] == "model_not_found"


@pytest.fixture
async def narrow(upstream: OpenAiServer) -> AsyncIterator[RunningGateway]:
    async with running(backend("openai", upstream), server={"max_body_bytes": 1024 * 1024}) as gateway:
        yield gateway


HUGE = 100 * 1024 * 1024


@DOORS
async def test_a_body_of_100_mb_is_413_before_it_is_sent(narrow: RunningGateway, path: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", narrow.port)
    writer.write(head(path, f"content-length: {HUGE}"))
    async with asyncio.timeout(2):
        answer = await reader.readuntil(b"}}")
    writer.close()

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert orjson.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "request_too_large"


@DOORS
@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "with its length"])
async def test_a_body_of_100_mb_takes_no_memory(narrow: RunningGateway, path: str, chunked: bool) -> None:
    part = b"x" * 256 * 1024
    tracemalloc.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", narrow.port)
    try:
        writer.write(head(path, "transfer-encoding: chunked" if chunked else f"content-length: {HUGE}"))
        for _ in range(HUGE // len(part)):
            writer.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
            await writer.drain()
        async with asyncio.timeout(5):
            status = await reader.readline()
        _, peak = tracemalloc.get_traced_memory()
    except ConnectionError:  # hung up on, which is an answer too
        status, (_, peak) = b"HTTP/1.1 413 ", tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        writer.close()

    assert status.startswith(b"HTTP/1.1 413 ")
    assert peak < 16 * 1024 * 1024


@pytest.mark.parametrize("length", ["-1", "x", "1, 2", "99999999999999999999999", "0x10"])
async def test_a_length_that_is_none_is_400(gateway: RunningGateway, length: str) -> None:
    answer = await gateway.raw(head(CHAT, f"content-length: {length}") + b"{}")

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert orjson.loads(answer.partition(b"\r\n\r\n")[2])["error"]["type"] == "invalid_request_error"


@DOORS
async def test_a_client_that_goes_in_the_middle_of_its_body_leaves_nothing(
    gateway: RunningGateway, upstream: OpenAiServer, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    asked = len(upstream.requests)
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(head(path, "content-length: 1000") + b'{"model": ')
    await writer.drain()
    writer.close()
    await writer.wait_closed()

    assert (await gateway.post(path)).status_code == 200
    assert len(upstream.requests) == asked + 1
    assert "mistake" not in logged(caplog)


@pytest.mark.parametrize("method", ["BREW", "PROPFIND", "TRACE", "CONNECT"])
async def test_an_odd_method_is_a_4xx(gateway: RunningGateway, method: str) -> None:
    answer = await gateway.raw(head(CHAT, "connection: close", method=method))

    assert answer[9:12] in (b"400", b"405")
    assert set(orjson.loads(answer.partition(b"\r\n\r\n")[2])) == {"error"}


@pytest.mark.parametrize(
    "path", ["/v1/%00", "/v1/models/%00", "/v1/models/%ff%fe", "//", "/v1/../admin/backends", "/%2e%2e/x"]
)
async def test_an_odd_path_is_a_404(gateway: RunningGateway, path: str) -> None:
    answer = await gateway.raw(head(path, "connection: close", method="GET"))

    assert answer.startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 400 "))
    assert set(orjson.loads(answer.partition(b"\r\n\r\n")[2])) == {"error"}


async def test_nothing_private_is_logged_of_bad_input(
    gateway: RunningGateway, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        for content in (
            SECRET.encode(),
            orjson.dumps({"model": SECRET}),
            orjson.dumps({SECRET: 1, "messages": SECRET}),
        ):
            for path in (CHAT, COMPLETE, EMBED):
                await gateway.client.post(path, content=content, headers={"X-Token": SECRET})
        await gateway.raw(b"GET /" + SECRET.encode() + b" \x00\r\n\r\n")

    assert SECRET not in logged(caplog)


async def test_the_gateway_still_answers_after_all_that(gateway: RunningGateway) -> None:
    for content in (*NOT_JSON.values(), *NOT_AN_OBJECT, *DEEP.values()):
        await gateway.client.post(CHAT, content=content)

    assert (await gateway.post(CHAT)).status_code == 200
    assert (await gateway.backends())["box"]["busy"] == 0
