"""What the head of a request may say, and what the head of every answer says."""

from __future__ import annotations

import re

import pytest

from tests.fakes.openai_server import OpenAiServer
from tests.routers.running import CHAT, COMPLETE, EMBED, RunningGateway, backend, error_of, running

pytestmark = pytest.mark.anyio

EVERYWHERE = ["/v1/models", "/v1/models/small", "/health/live", "/health/ready", "/metrics", "/admin/backends"]
EVERYWHERE += ["/admin/decisions", "/admin/decisions/none", "/openapi.json", "/nowhere", CHAT]


@pytest.mark.parametrize("path", [CHAT, COMPLETE, EMBED])
async def test_a_request_id_goes_in_and_comes_out(gateway: RunningGateway, path: str) -> None:
    given = await gateway.post(path, headers={"X-Request-ID": "Mine.1:2_3-4"})
    refused = await gateway.post(path, headers={"X-Request-ID": "mine"}, model=7)
    ours = [(await gateway.post(path)).headers["x-request-id"] for _ in range(2)]

    assert given.headers["x-request-id"] == "Mine.1:2_3-4"
    assert refused.headers["x-request-id"] == "mine"
    assert all(re.fullmatch(r"req_[0-9a-f]{24}", each) for each in ours)
    assert ours[0] != ours[1]


async def test_every_answer_has_a_request_id(gateway: RunningGateway) -> None:
    for path in EVERYWHERE:
        given = await gateway.client.get(path, headers={"X-Request-ID": "mine"})
        ours = await gateway.client.get(path)
        bad = await gateway.client.get(path, headers={"X-Request-ID": "a b"})

        assert given.headers.get_list("x-request-id") == ["mine"], path
        assert ours.headers["x-request-id"].startswith("req_")
        assert error_of(bad, 400)["param"] == "X-Request-ID"


@pytest.mark.parametrize("bad", ["", "a b", "é", "x" * 129, "a\tb", "<script>", 'a"b', "a/b", "a,b"])
async def test_a_request_id_that_can_not_stand_in_a_header_is_refused(gateway: RunningGateway, bad: str) -> None:
    for path in (CHAT, EMBED):
        response = await gateway.client.post(path, json={}, headers=[(b"x-request-id", bad.encode())])

        assert error_of(response, 400)["param"] == "X-Request-ID"
        assert len(bad) < 2 or bad not in response.text


async def test_the_head_says_who_answers_and_why_and_who_else_could() -> None:
    async with OpenAiServer() as first, OpenAiServer() as second, OpenAiServer() as third:
        told = (
            backend("openai", first, id="large", tier=2, watts=28),
            backend("openai", second, id="small", tier=1, watts=3.5, hardware="npu"),
            backend("openai", third, id="other", models=["nothing"]),
        )
        async with running(*told) as gateway:
            whole = await gateway.post(CHAT)
            streamed = (await gateway.stream(CHAT)).response

    for response in (whole, streamed):
        assert response.headers["x-backend-used"] == "small"
        assert response.headers["x-routing-reason"] == (
            "mode-order: npu is choice 3 of balanced; before large: mode-order: cpu is choice 4 of balanced"
        )
        assert response.headers["x-estimated-power-watts"] == "3.5"
        assert response.headers["x-alternatives"] == "large"
    assert whole.headers["x-estimated-latency-ms"] == "unknown"
    assert float(streamed.headers["x-estimated-latency-ms"]) > 0


async def test_what_nobody_knows_is_called_unknown(gateway: RunningGateway) -> None:
    headers = (await gateway.post(CHAT)).headers

    assert headers["x-estimated-power-watts"] == "unknown"
    assert headers["x-estimated-latency-ms"] == "unknown"
    assert headers["x-alternatives"] == ""


async def test_an_answer_never_repeats_a_header(gateway: RunningGateway) -> None:
    for response in (await gateway.post(CHAT), (await gateway.stream(CHAT)).response, await gateway.post(EMBED)):
        names = [name for name, _ in response.headers.multi_items()]
        assert len(names) == len(set(names))


async def test_a_stream_is_not_to_be_cached_or_held_back(gateway: RunningGateway) -> None:
    headers = (await gateway.stream(CHAT)).response.headers

    assert headers["cache-control"] == "no-cache"
    assert headers["x-accel-buffering"] == "no"
    assert "content-length" not in headers


async def test_a_model_name_of_any_kind_can_not_break_the_head(upstream: OpenAiServer) -> None:
    upstream.model = "größe\r\nx-evil: 1"
    aliases = {"auto": ["nothing", "gr*"]}
    async with running(backend("openai", upstream), routing={"aliases": aliases}) as gateway:
        response = await gateway.post(CHAT, model="auto")

    assert response.status_code == 200
    assert "x-evil" not in response.headers
    assert response.headers["x-routing-reason"].isascii()


@pytest.mark.parametrize(
    ("headers", "shown"),
    [
        ({"Origin": "http://evil.example"}, None),
        ({"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}, None),
    ],
)
async def test_pages_of_other_origins_may_not_call_by_default(
    gateway: RunningGateway, headers: dict[str, str], shown: None
) -> None:
    method = "OPTIONS" if len(headers) > 1 else "GET"
    response = await gateway.client.request(method, "/v1/models", headers=headers)

    assert response.headers.get("access-control-allow-origin") is shown


async def test_pages_of_named_origins_may_call_every_door(upstream: OpenAiServer) -> None:
    page = {"Origin": "http://chat.example"}
    async with running(backend("openai", upstream), server={"cors_origins": ["http://chat.example"]}) as gateway:
        preflight = await gateway.client.options(CHAT, headers={**page, "Access-Control-Request-Method": "POST"})
        answer = await gateway.post(CHAT, headers=page)
        other = await gateway.post(CHAT, headers={"Origin": "http://evil.example"})
        error = await gateway.post(CHAT, headers=page, model="nothing")

    for response in (preflight, answer, error):
        assert response.headers["access-control-allow-origin"] == "http://chat.example"
    assert "access-control-allow-origin" not in other.headers
    assert error_of(error, 404)["code"] == "model_not_found"
    assert answer.headers.get_list("x-request-id") == [answer.headers["x-request-id"]]
