"""Every response header of the contract, on whole and streamed answers and at each door."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.house import CRITICAL, house
from tests.contract.paced import TEN_WORDS, paced
from tests.routers.running import CHAT, COMPLETE, EMBED

pytestmark = pytest.mark.anyio

WAYS = [
    pytest.param(CHAT, {}, id="chat"),
    pytest.param(CHAT, {"stream": True}, id="chat streamed"),
    pytest.param(COMPLETE, {}, id="completion"),
    pytest.param(COMPLETE, {"stream": True}, id="completion streamed"),
    pytest.param(EMBED, {}, id="embedding"),
]


@pytest.mark.parametrize(("path", "body"), WAYS)
async def test_an_answer_says_who_gave_it_and_why_and_what_it_draws(path: str, body: dict[str, Any]) -> None:
    async with house() as home:
        await home.put("igpu", celsius=CRITICAL)
        headers = (await home.ask(path, {"X-Request-ID": "mine"}, **body)).headers

    assert headers["x-backend-used"] == "nvidia"
    assert headers["x-request-id"] == "mine"
    assert headers["x-estimated-power-watts"] == "55"
    assert headers["x-estimated-latency-ms"] == "unknown"
    assert headers["x-alternatives"] == "npu, cpu"
    assert "zone 'igpu' is critical: 86.0" in headers["x-routing-reason"]
    assert headers["x-routing-reason"].isascii()


async def test_watts_that_nobody_told_are_unknown() -> None:
    async with house({"npu": None}, zones=[]) as home:
        headers = (await home.ask()).headers

    assert headers["x-estimated-power-watts"] == "unknown"
    assert headers["x-alternatives"] == ""


async def test_an_estimated_latency_is_known_after_an_answer() -> None:
    """To the first token of a stream, to the end of a whole answer."""
    async with house({"npu": 4}) as home:
        server = home.servers["npu"]
        server.words = TEN_WORDS
        server.script = paced(server, home.clock, first_seconds=2, each_seconds=0.5)
        await home.ask()
        streamed = (await home.ask(stream=True)).headers["x-estimated-latency-ms"]
        whole = (await home.ask()).headers["x-estimated-latency-ms"]

    assert float(streamed) == 2000
    assert float(whole) == 2000 + 10 * 500
