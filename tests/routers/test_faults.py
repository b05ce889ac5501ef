"""What a client gets when backends fail: another backend's answer, or an honest error, and never a broken 200."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from tests.backends.kinds import KEY
from tests.fakes.answers import CLOSE, RESET, Answer, Json, Raw, Silence, Stream
from tests.fakes.full_server import FullServer
from tests.fakes.llamacpp_server import LlamaCppServer
from tests.fakes.openai_server import OpenAiServer, event
from tests.fakes.wire import Wire
from tests.routers.running import CHAT, COMPLETE, EMBED, RunningGateway, backend, error_of, logged, running, until

pytestmark = pytest.mark.anyio

STREAMED_OR_NOT = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])

#: Answers that are none, and what the client gets when there is no other backend.
REFUSALS: dict[str, tuple[Answer, int]] = {
    "a reset": (RESET, 502),
    "a close": (CLOSE, 502),
    "a reset after the head": (Stream([RESET]), 502),
    "nothing after the head": (Stream([]), 502),
    "only comments": (Stream([b": ping\n\n"]), 502),
    "half a head": (Raw([b"HTTP/1.1 200 OK\r\nContent-"]), 502),
    "no HTTP": (Raw([b"220 smtp.example.com ESMTP\r\n"]), 502),
    "garbage": (Raw([bytes(range(256)) * 16]), 502),
    "garbage as events": (Stream([b"data: \xff\xfe{not json\n\n", b"data: [DONE]\n\n"]), 502),
    "events that are no objects": (Stream([b"data: 7\n\n", b"data: []\n\n", b"data: [DONE]\n\n"]), 502),
    "events of another kind": (Stream([event({"choices": "many"}), b"data: [DONE]\n\n"]), 502),
    "an error event": (Stream([event({"error": {"message": "out of memory"}})]), 502),
    "done at once": (Stream([b"data: [DONE]\n\n"]), 502),
    "a web page": (Json(b"<html>hello</html>", content_type="text/html"), 502),
    "an empty object": (Json({}), 502),
    "a 500": (Json({"error": {"message": "boom"}}, 500), 502),
    "a 404": (Json({"error": "gone"}, 404), 502),
    "a 401": (Json({"error": {"message": f"Incorrect API key: {KEY}"}}, 401), 502),
    "a redirect": (Json({}, 302, {"Location": "http://192.0.2.1/"}), 502),
    "a 429": (Json({"error": "slow down"}, 429, {"Retry-After": "7"}), 429),
    "a 503": (Json({"error": "loading"}, 503), 503),
    "an endless head": (Raw([b"HTTP/1.1 200 OK\r\n", b"x-filler: " + b"y" * 100_000]), 502),
}


@pytest.mark.parametrize("fault", REFUSALS)
async def test_the_second_backend_answers_when_the_first_one_fails(fault: str) -> None:
    async with (
        OpenAiServer() as ill,
        OpenAiServer() as well,
        running(backend("openai", ill), backend("openai", well, id="spare", tier=2)) as gateway,
    ):
        ill.script = lambda _: REFUSALS[fault][0]
        responses = [await gateway.post(CHAT, stream=stream) for stream in (True, False)]

    for response in responses:
        assert response.status_code == 200
        assert response.headers["x-backend-used"] == "spare"
        assert well.words[0] in response.text


@pytest.mark.parametrize("fault", REFUSALS)
async def test_an_answer_is_never_200_when_every_backend_fails(fault: str, caplog: pytest.LogCaptureFixture) -> None:
    answer, status = REFUSALS[fault]
    async with OpenAiServer() as ill, running(backend("openai", ill)) as gateway:
        ill.script = lambda _: answer
        with caplog.at_level(logging.DEBUG):
            responses = [await gateway.post(CHAT, stream=stream) for stream in (True, False)]

        assert (await gateway.backends())["box"]["busy"] == 0
    for response in responses:
        assert error_of(response, status)["message"]
        for secret in (KEY, "Traceback", str(ill.url), "/home", "/work"):
            assert secret not in response.text
            assert secret not in logged(caplog)


@pytest.mark.parametrize("path", [COMPLETE, EMBED])
async def test_the_other_doors_try_the_next_backend_too(path: str) -> None:
    async with (
        OpenAiServer() as ill,
        OpenAiServer() as well,
        running(backend("openai", ill), backend("openai", well, id="spare", tier=2)) as gateway,
    ):
        ill.script = lambda _: Json({}, 500)
        response = await gateway.post(path)

    assert response.headers["x-backend-used"] == "spare"


async def test_an_upstream_that_refuses_connections_is_502_and_then_503() -> None:
    async with OpenAiServer() as dead:
        probing = {"failures": 2, "cooldown_seconds": 60}
        async with running(backend("openai", dead, health=probing)) as gateway:
            dead.refuse()
            responses = [await gateway.post(CHAT) for _ in range(3)]

    assert [response.status_code for response in responses] == [502, 502, 503]
    error = error_of(responses[2], 503)
    assert error["code"] == "no_route"
    assert error["type"] == "service_unavailable_error"
    assert 1 <= int(responses[2].headers["retry-after"]) <= 60
    assert "x-should-retry" not in responses[2].headers
    assert responses[0].headers["x-should-retry"] == "false"


async def test_a_backend_that_was_never_there_is_503_from_the_start() -> None:
    async with OpenAiServer() as dead:
        dead.refuse()
        async with running(backend("openai", dead, models=["small"])) as gateway:
            response = await gateway.post(CHAT)

    assert error_of(response, 503)["code"] == "no_route"


@STREAMED_OR_NOT
@pytest.mark.parametrize("spare", [True, False])
async def test_an_upstream_that_can_not_be_reached_in_time_is_504_or_anothers_work(spare: bool, stream: bool) -> None:
    with FullServer() as full:
        hung = {
            "id": "box",
            "kind": "openai",
            "url": f"{full.url}/v1",
            "models": ["small"],
            "timeouts": {"connect": 0.1},
        }
        async with OpenAiServer() as well:
            others = [backend("openai", well, id="spare", tier=2)] if spare else []
            async with running(hung, *others) as gateway:
                gateway.gateway.lanes["box"].breaker.succeeded()  # it was well a moment ago
                response = await gateway.post(CHAT, stream=stream)

    if spare:
        assert response.headers["x-backend-used"] == "spare"
    else:
        assert error_of(response, 504)["code"] == "backend_timeout"


SILENCES: dict[str, Callable[[], Answer]] = {
    "no head": Silence,
    "no event": lambda: Stream([b": still loading\n\n", asyncio.Event()]),
}


@STREAMED_OR_NOT
@pytest.mark.parametrize("silence", SILENCES)
async def test_an_upstream_that_never_begins_is_left_for_another(silence: str, stream: bool) -> None:
    slow = {"timeouts": {"first_token": 0.1}}
    async with (
        OpenAiServer() as ill,
        OpenAiServer() as well,
        running(backend("openai", ill, **slow), backend("openai", well, id="spare", tier=2)) as gateway,
    ):
        ill.script = lambda _: SILENCES[silence]()
        response = await gateway.post(CHAT, stream=stream)

        async with asyncio.timeout(1):
            await ill.client_left.wait()
    assert response.headers["x-backend-used"] == "spare"


async def test_an_upstream_that_never_begins_is_504_when_it_is_the_only_one(upstream: OpenAiServer) -> None:
    async with running(backend("openai", upstream, timeouts={"first_token": 0.1})) as gateway:
        upstream.script = lambda _: Silence()
        responses = [await gateway.post(CHAT), await gateway.post(EMBED)]

    assert [error_of(response, 504)["code"] for response in responses] == ["backend_timeout"] * 2
    assert all(response.headers["x-should-retry"] == "false" for response in responses)


def _half(upstream: OpenAiServer) -> Any:
    """The first words, and then nothing."""
    return lambda request: Stream([*upstream.pieces(request)[:2], asyncio.Event()])


async def test_a_stream_that_stalls_ends_with_an_error_event(upstream: OpenAiServer) -> None:
    async with running(backend("openai", upstream, timeouts={"stall": 0.1})) as gateway:
        upstream.script = _half(upstream)
        answer = await gateway.stream(CHAT)

        async with asyncio.timeout(1):
            await upstream.client_left.wait()
    assert answer.text == upstream.words[0]
    assert answer.finish_reasons == []
    assert answer.error is not None
    assert answer.error["code"] == "backend_timeout"
    assert answer.data[-1] == "[DONE]"


async def test_a_stall_is_504_for_whoever_did_not_ask_for_a_stream(upstream: OpenAiServer) -> None:
    async with running(backend("openai", upstream, timeouts={"stall": 0.1})) as gateway:
        upstream.script = _half(upstream)
        response = await gateway.post(CHAT)

    assert error_of(response, 504)["code"] == "backend_timeout"


async def test_an_answer_that_takes_longer_than_the_total_is_cut(upstream: OpenAiServer) -> None:
    async with running(backend("openai", upstream, timeouts={"total": 0.1})) as gateway:
        upstream.script = _half(upstream)
        answer = await gateway.stream(CHAT)

    assert answer.error is not None
    assert "for the whole answer" in answer.error["message"]


async def test_an_endless_event_is_cut_off_before_it_fills_the_memory(
    gateway: RunningGateway, upstream: OpenAiServer
) -> None:
    class Endless:
        async def send(self, wire: Wire) -> None:
            wire.head(200, {"Content-Type": "text/event-stream"})
            await wire.write(upstream_first)
            while True:
                await wire.write(b"data: " + b"x" * 1_000_000)

    upstream_first = event({"id": "1", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hi"}}]})
    upstream.script = lambda _: Endless()
    answer = await gateway.stream(CHAT)

    assert answer.text == "Hi"
    assert answer.error is not None
    async with asyncio.timeout(1):
        await upstream.client_left.wait()


@STREAMED_OR_NOT
@pytest.mark.parametrize(
    "garbage",
    [
        b"data: {broken\n\n",
        b"data: 7\n\n",
        b"data: null\n\n",
        b"data: \xff\xfe\n\n",
        b'data: {"choices": 7}\n\n',
        b'data: {"choices": [7]}\n\n',
        b'data: {"choices": [{"index": "x"}]}\n\n',
        b'data: {"choices": [{"index": 0, "delta": {"tool_calls": [7]}}]}\n\n',
        b'data: {"choices": [{"index": 0, "delta": [7]}]}\n\n',
    ],
)
async def test_garbage_amid_an_answer_is_no_mistake_of_isotherm(
    gateway: RunningGateway,
    upstream: OpenAiServer,
    garbage: bytes,
    stream: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    upstream.script = lambda request: Stream(
        [*upstream.pieces(request)[:2], garbage, *upstream.pieces(request)[2:]], apart=True
    )
    response = await gateway.post(CHAT, stream=stream)

    assert response.status_code in (200, 502)
    assert "mistake" not in response.text
    assert "mistake" not in logged(caplog)


@pytest.mark.parametrize("garbage", [b"data: {broken\n\n", b"data: 7\n\n", b'data: {"choices": [7]}\n\n'])
async def test_garbage_in_one_of_several_choices_is_no_mistake_of_isotherm(
    garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with LlamaCppServer() as server, running(backend("llamacpp", server)) as gateway:
        server.script = lambda request: Stream([*server.pieces(request)[:2], garbage, *server.pieces(request)[2:]])
        response = await gateway.post(CHAT, n=2)

    assert error_of(response, 502)["code"] == "backend_failed"
    assert "mistake" not in logged(caplog)


@STREAMED_OR_NOT
async def test_a_fault_of_the_request_is_told_in_the_upstreams_words_and_not_tried_elsewhere(stream: bool) -> None:
    fault = {"error": {"message": "bad schema at /srv/models/x.gguf", "param": "tools[0]", "code": "bad_schema"}}
    async with (
        OpenAiServer() as first,
        OpenAiServer() as second,
        running(backend("openai", first), backend("openai", second, id="spare", tier=2)) as gateway,
    ):
        listed = len(second.requests)
        first.script = lambda _: Json(fault, 400)
        response = await gateway.post(CHAT, stream=stream)

        assert len(second.requests) == listed
        assert (await gateway.backends())["box"]["health"] == "closed"
    error = error_of(response, 400)
    assert error == {
        "message": "bad schema at [path]",
        "type": "invalid_request_error",
        "param": "tools[0]",
        "code": "bad_schema",
    }


async def test_a_prompt_that_is_too_long_for_one_backend_goes_to_the_next() -> None:
    fault = {"error": {"message": "This model's maximum context length is 8 tokens.", "code": 400}}
    async with (
        OpenAiServer() as small,
        OpenAiServer() as large,
        running(backend("openai", small), backend("openai", large, id="large", tier=2)) as gateway,
    ):
        small.script = lambda _: Json(fault, 400)
        served = await gateway.post(CHAT)
        large.script = lambda _: Json(fault, 400)
        alone = await gateway.post(CHAT)

    assert served.headers["x-backend-used"] == "large"
    assert error_of(alone, 400)["code"] == "context_length_exceeded"


async def test_a_busy_upstream_says_when_to_come_back(gateway: RunningGateway, upstream: OpenAiServer) -> None:
    upstream.script = lambda _: Json({"error": "slow down"}, 429, {"Retry-After": "7"})
    response = await gateway.post(CHAT)

    assert error_of(response, 429)["type"] == "rate_limit_error"
    assert response.headers["retry-after"] == "7"
    upstream.script = None
    assert (await gateway.post(CHAT)).status_code == 200


async def test_a_full_queue_is_429_and_a_place_in_it_is_waited_for(upstream: OpenAiServer) -> None:
    async with running(backend("openai", upstream, concurrency=1, queue=1)) as gateway:
        asked, rest = len(upstream.requests), asyncio.Event()
        upstream.script = lambda request: Silence(rest, Stream(upstream.pieces(request)))
        working = asyncio.ensure_future(gateway.post(CHAT))
        await upstream.asked(asked + 1)
        waiting = asyncio.ensure_future(gateway.post(CHAT))
        await until(lambda: bool(gateway.gateway.lanes["box"].waiting()))
        turned_away = await gateway.post(CHAT)
        rest.set()

        assert error_of(turned_away, 429)["code"] == "rate_limit_exceeded"
        assert int(turned_away.headers["retry-after"]) >= 1
        assert [(await each).status_code for each in (working, waiting)] == [200, 200]
        assert (await gateway.backends())["box"]["busy"] == 0


async def test_a_client_that_leaves_the_queue_gives_its_place_up(upstream: OpenAiServer) -> None:
    async with running(backend("openai", upstream, concurrency=1)) as gateway:
        asked, rest = len(upstream.requests), asyncio.Event()
        upstream.script = lambda request: Silence(rest, Stream(upstream.pieces(request)))
        working = asyncio.ensure_future(gateway.post(CHAT))
        await upstream.asked(asked + 1)
        waiting = asyncio.ensure_future(gateway.post(CHAT))
        lane = gateway.gateway.lanes["box"]
        await until(lambda: bool(lane.waiting()))
        waiting.cancel()
        await until(lambda: not lane.waiting())
        rest.set()

        assert (await working).status_code == 200
        assert len(upstream.requests) == asked + 1
        await gateway.until_idle("box")


async def test_the_breaker_opens_and_half_opens_and_closes_again(upstream: OpenAiServer) -> None:
    probing = {"failures": 3, "cooldown_seconds": 0.3, "interval_seconds": 60}
    async with running(backend("openai", upstream, health=probing)) as gateway:
        upstream.script = lambda _: Json({}, 500)
        failed = [(await gateway.post(CHAT)).status_code for _ in range(3)]
        asked = len(upstream.requests)
        refused = await gateway.post(CHAT)
        seen = (await gateway.backends())["box"]["health"]
        spared = len(upstream.requests) == asked
        await gateway.until_health("box", "half_open")
        again = (await gateway.post(CHAT)).status_code
        reopened = (await gateway.backends())["box"]["health"]
        upstream.script = None
        await gateway.until_health("box", "half_open")
        served = await gateway.post(CHAT)
        healed = (await gateway.backends())["box"]["health"]

    assert failed == [502, 502, 502]
    assert error_of(refused, 503)["code"] == "no_route"
    assert (seen, spared) == ("open", True)
    assert (again, reopened) == (502, "open")
    assert (served.status_code, healed) == (200, "closed")


async def test_a_half_open_breaker_lets_one_job_through_at_a_time(upstream: OpenAiServer) -> None:
    probing = {"failures": 1, "cooldown_seconds": 0.1, "interval_seconds": 60}
    async with running(backend("openai", upstream, health=probing)) as gateway:
        upstream.script = lambda _: Json({}, 500)
        await gateway.post(CHAT)
        await gateway.until_health("box", "half_open")
        asked, rest = len(upstream.requests), asyncio.Event()
        upstream.script = lambda request: Silence(rest, Stream(upstream.pieces(request)))
        trying = asyncio.ensure_future(gateway.post(CHAT))
        await upstream.asked(asked + 1)
        others = [await gateway.post(CHAT) for _ in range(3)]
        rest.set()

        assert (await trying).status_code == 200
    assert all(response.status_code in (502, 503) for response in others)
    assert len(upstream.requests) == asked + 1


async def test_a_backend_that_comes_back_is_found_by_its_probe() -> None:
    async with OpenAiServer() as server:
        server.script = lambda _: Json({}, 500)
        probing = {"interval_seconds": 0.05, "cooldown_seconds": 60}
        async with running(backend("openai", server, health=probing)) as gateway:
            down = await gateway.post(CHAT)
            server.script = None
            await gateway.until_health("box", "half_open")
            up = await gateway.post(CHAT)

    assert down.status_code in (404, 503)
    assert up.status_code == 200


async def test_a_faulty_choice_of_several_fails_them_all() -> None:
    """An answer with two choices of three would look like a success."""
    async with LlamaCppServer() as server, running(backend("llamacpp", server)) as gateway:
        listed = len(server.requests)
        server.script = lambda request: (
            Stream([*server.pieces(request)[:3], RESET])
            if len(server.requests) == listed + 2
            else Stream(server.pieces(request))
        )
        response = await gateway.post(CHAT, n=3)
        await gateway.until_idle("box")

    assert error_of(response, 502)["code"] == "backend_failed"
