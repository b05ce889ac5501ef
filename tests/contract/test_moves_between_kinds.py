"""An answer moves between backends of different kinds: each begins it, and each goes on with what another began."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from tests.backends.kinds import KINDS_UNDER_TEST
from tests.contract.handoff import assert_seamless
from tests.fakes.answers import RESET, Answer, Stream
from tests.fakes.model_server import ModelServer
from tests.fakes.sixty_tokens import TEXT, TOKENS
from tests.fakes.wire import Request
from tests.routers.running import CHAT, RunningGateway, backend, running

pytestmark = pytest.mark.anyio

#: How each kind goes on with a chat, and what it has to be told for that.
CONTINUATION = {"anthropic": "prefill", "llamacpp": "tokens", "ollama": "prefill", "openai": "tokens"}
TOLD: dict[str, dict[str, Any]] = {"anthropic": {"prefill": True, "hardware": "cpu"}}

#: Ollama's models have a tag.
ANY = {"aliases": {"any": ["small*"]}}


def cut(server: ModelServer, pieces: int) -> None:
    """Every chat that it is asked for from now on breaks off after so many pieces."""

    def answer(request: Request) -> Answer:
        if not request.path.endswith(("/chat/completions", "/api/chat", "/messages")):
            return server.answer(request)
        return Stream([*server.pieces(request)[:pieces], RESET], server.stream_type, apart=True)

    server.script = answer


@pytest.mark.parametrize(("first", "then"), list(permutations(KINDS_UNDER_TEST, 2)))
async def test_the_second_kind_goes_on_where_the_first_was_cut(first: str, then: str) -> None:
    async with KINDS_UNDER_TEST[first].server() as source, KINDS_UNDER_TEST[then].server() as target:
        source.words = target.words = TOKENS
        told = [
            backend(first, source, id="first", tier=0, **TOLD.get(first, {})),
            backend(then, target, id="then", tier=1, **TOLD.get(then, {})),
        ]
        async with running(*told, handoff={}, routing=ANY) as gateway:
            cut(source, 25)
            streamed = await gateway.stream(CHAT, model="any")
            handoff = await last_handoff(gateway)

    assert_seamless(streamed)
    assert streamed.text == TEXT
    assert (handoff["from"], handoff["to"], handoff["result"]) == ("first", "then", "completed")
    assert handoff["continuation"] == CONTINUATION[then]
    assert 0 < handoff["at_chars"] < len(TEXT)


async def last_handoff(gateway: RunningGateway) -> dict[str, Any]:
    records = (await gateway.get("/admin/decisions")).json()["data"]
    handoff: dict[str, Any] = records[0]["handoffs"][-1]
    return handoff
