"""POST /v1/completions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from app.domain.backend import Capability
from app.domain.parameters import OFFICIAL, OURS
from tests.backends.kinds import KINDS_UNDER_TEST, capabilities
from tests.fakes.anthropic_server import AnthropicServer
from tests.fakes.llamacpp_server import LlamaCppServer
from tests.fakes.ollama_server import OllamaServer
from tests.fakes.openai_server import OpenAiServer
from tests.routers.running import COMPLETE, RunningGateway, backend, error_of, running

pytestmark = pytest.mark.anyio

KINDS = [kind for kind in KINDS_UNDER_TEST if Capability.COMPLETE in capabilities(kind)]
of_every_kind = pytest.mark.parametrize("kind", KINDS)
one_by_one = pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "openai"])

ASKING: Mapping[str, Any] = {
    "best_of": 3,
    "echo": True,
    "frequency_penalty": 0.375,
    "logit_bias": {"50256": -97},
    "logprobs": 2,
    "max_tokens": 371,
    "presence_penalty": 0.625,
    "seed": 419,
    "stop": ["ENDE"],
    "suffix": "zebra",
    "temperature": 0.4375,
    "top_p": 0.5625,
    "user": "somebody",
}


def test_every_official_parameter_is_looked_at() -> None:
    assert set(ASKING) == OFFICIAL[Capability.COMPLETE] - OURS


async def test_a_server_that_speaks_the_api_gets_every_parameter_as_it_came(
    gateway: RunningGateway, upstream: OpenAiServer
) -> None:
    for name, value in ASKING.items():
        response = await gateway.post(COMPLETE, **{name: value})

        assert response.status_code == 200, name
        assert upstream.requests[-1].body[name] == value


@one_by_one
@pytest.mark.parametrize("name", ["best_of", "echo", "suffix", "logit_bias"])
async def test_a_parameter_is_mapped_or_refused_by_name(kind: str, name: str) -> None:
    async with KINDS_UNDER_TEST[kind].server() as server, running(backend(kind, server)) as gateway:
        response = await gateway.post(COMPLETE, model=server.model, **{name: ASKING[name]})

    if response.status_code == 200:
        assert ("-97" if name == "logit_bias" else "zebra") in str(server.requests[-1].body)
    else:
        assert error_of(response, 400)["param"] == name


@of_every_kind
async def test_a_whole_answer_has_everything_that_the_api_promises(kind: str) -> None:
    async with KINDS_UNDER_TEST[kind].server() as server, running(backend(kind, server)) as gateway:
        answer = (await gateway.post(COMPLETE, model=server.model)).json()

    assert answer["object"] == "text_completion"
    assert answer["model"] == server.model
    (choice,) = answer["choices"]
    assert choice == {"index": 0, "text": "".join(server.words), "logprobs": None, "finish_reason": "stop"}
    assert answer["usage"]["completion_tokens"] == len(server.words)


@one_by_one
async def test_each_prompt_of_several_and_each_choice_of_it_has_its_own_index(kind: str) -> None:
    async with KINDS_UNDER_TEST[kind].server() as server, running(backend(kind, server)) as gateway:
        listed = len(server.requests)
        answer = (await gateway.post(COMPLETE, model=server.model, prompt=["one", "two"], n=2)).json()

    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2, 3]
    asked = sorted(request.body["prompt"] for request in server.requests[listed:])
    assert asked == ["one", "one", "two", "two"]
    words, prompt_tokens = len(server.words), 1 if kind == "llamacpp" else 7
    assert answer["usage"]["completion_tokens"] == 4 * words
    assert answer["usage"]["prompt_tokens"] == 2 * prompt_tokens


async def test_a_server_that_speaks_the_api_gets_the_prompts_as_they_came(
    gateway: RunningGateway, upstream: OpenAiServer
) -> None:
    prompts: list[Any] = ["Hi", ["one", "two"], [1, 2, 3], [[1, 2], [3]]]
    for prompt in prompts:
        await gateway.post(COMPLETE, prompt=prompt, n=2)

    assert [request.body["prompt"] for request in upstream.requests[-4:]] == prompts
    assert all(request.body["n"] == 2 for request in upstream.requests[-4:])


async def test_token_ids_go_to_a_backend_that_takes_them() -> None:
    async with OllamaServer() as ollama, OpenAiServer() as able:
        able.model = ollama.model
        async with running(backend("ollama", ollama)) as gateway:
            alone = await gateway.post(COMPLETE, model=ollama.model, prompt=[1, 2, 3])
        async with running(backend("ollama", ollama), backend("openai", able, id="able", tier=5)) as gateway:
            served = await gateway.post(COMPLETE, model=ollama.model, prompt=[1, 2, 3])

    assert error_of(alone, 400)["param"] == "prompt"
    assert served.headers["x-backend-used"] == "able"


async def test_the_old_log_probabilities_have_their_own_shape() -> None:
    async with LlamaCppServer() as server, running(backend("llamacpp", server)) as gateway:
        answer = (await gateway.post(COMPLETE, logprobs=1)).json()
        nothing_more = await gateway.post(COMPLETE, logprobs=0)

    logprobs = answer["choices"][0]["logprobs"]
    assert logprobs["tokens"] == list(server.words)
    assert logprobs["token_logprobs"] == [-0.25] * len(server.words)
    assert logprobs["text_offset"][1] == len(server.words[0])
    assert nothing_more.json()["choices"][0]["logprobs"]["tokens"] == list(server.words)


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"prompt": ["x"] * 65, "n": 2}, "n"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [[]]}, "prompt"),
        ({"prompt": [-1]}, "prompt"),
        ({"prompt": ["x", 1]}, "prompt"),
        ({"logprobs": 6}, "logprobs"),
        ({"logprobs": True}, "logprobs"),
        ({"best_of": 21}, "best_of"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
    ],
)
async def test_a_bad_field_is_named(gateway: RunningGateway, changes: dict[str, Any], param: str) -> None:
    assert error_of(await gateway.post(COMPLETE, **changes), 400)["param"].partition(".")[0] == param


async def test_a_backend_that_only_chats_is_no_choice() -> None:
    async with AnthropicServer() as claude, running(backend("anthropic", claude)) as gateway:
        response = await gateway.post(COMPLETE)

    error = error_of(response, 400)
    assert error["param"] == "model"
    assert "can't complete a text" in error["message"]
