"""How llama.cpp is asked to go on with an answer: by its tokens, or by its text as the beginning of a turn."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.backend import Capability
from app.domain.errors import BackendRefusedError, JobRejectedError
from app.domain.handoff import Begun
from backends.llamacpp_asked import after_ids, after_text, goes_by_ids
from tests.backends.kinds import events, job, text
from tests.backends.running import running
from tests.fakes.answers import Answer, Stream
from tests.fakes.llamacpp_server import tokenise
from tests.fakes.model_server import WORDS, ModelServer
from tests.fakes.wire import Request

pytestmark = pytest.mark.anyio

WHOLE = "".join(WORDS)
BEGUN = Begun("".join(WORDS[:2]), written=2)
TOOL: dict[str, Any] = {"type": "function", "function": {"name": "get_weather"}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"properties": {"a": {}}}}}
METHODS = ("replay", "prefill")


async def further(backend: Any, method: str, begun: Begun, way: Capability = Capability.CHAT, **more: Any) -> list[Any]:
    return events(b"".join([block async for block in getattr(backend, method)(job(way, **more), begun)]))


def last(server: ModelServer) -> dict[str, Any]:
    body: dict[str, Any] = server.requests[-1].body
    return body


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("place", range(1, len(WHOLE)))
async def test_a_cut_anywhere_makes_the_same_whole(method: str, place: int) -> None:
    async with running("llamacpp") as (_, backend):
        assert WHOLE[:place] + text(await further(backend, method, Begun(WHOLE[:place]))) == WHOLE


async def test_tokens_that_are_given_are_used_and_the_surplus_comes_first() -> None:
    ids = (*tokenise("<|user|>Hi<|assistant|>"), *tokenise(WORDS[0]), *tokenise(WORDS[1]))
    async with running("llamacpp") as (server, backend):
        told = await further(backend, "replay", Begun(WORDS[0], tokens=ids, surplus=WORDS[1]))

    assert [request.path for request in server.requests] == ["/v1/completions"]
    assert last(server)["prompt"] == list(ids)
    assert told[0]["choices"][0]["delta"] == {"content": WORDS[1]}
    assert WORDS[0] + text(told) == WHOLE
    assert {each["object"] for each in told} == {"chat.completion.chunk"}
    assert len({(each["id"], each["created"]) for each in told}) == 1


async def test_tokens_that_are_not_known_are_asked_for() -> None:
    async with running("llamacpp") as (server, backend):
        await further(backend, "replay", BEGUN)

    assert last(server)["prompt"] == tokenise("<|user|>Hi<|assistant|>") + tokenise(BEGUN.text)


async def test_a_completion_is_replayed_as_one() -> None:
    async with running("llamacpp") as (server, backend):
        told = await further(backend, "replay", BEGUN, Capability.COMPLETE, logprobs=1)

    assert last(server)["prompt"] == tokenise("Hi") + tokenise(BEGUN.text)
    assert BEGUN.text + text(told) == WHOLE
    assert {each["object"] for each in told} == {"text_completion"}
    offsets = [
        each["choices"][0]["logprobs"]["text_offset"]
        for each in told
        if each["choices"][0:1] and "logprobs" in each["choices"][0]
    ]
    assert offsets[0] == [len(BEGUN.text)]


def test_what_is_asked_of_a_chat_is_asked_of_its_completion_too() -> None:
    more = {
        "temperature": 0.5,
        "seed": 3,
        "stop": ["x"],
        "logit_bias": {"5": 1},
        "top_k": 4,
        "max_completion_tokens": 9,
    }
    asked = job(Capability.CHAT, "small", tools=[], response_format={"type": "text"}, **more)

    body = after_ids(asked, "box", Begun("a", tokens=(1, 2))).body

    assert body == {
        "model": "small",
        **{key: more[key] for key in ("temperature", "seed", "stop", "top_k")},
        "logit_bias": [[5, 1]],
        "max_tokens": 9,
        "prompt": [1, 2],
        "cache_prompt": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ({"logprobs": True}, 20),
        ({"logprobs": True, "top_logprobs": 0}, 0),
        ({"logprobs": True, "top_logprobs": 3}, 3),
        ({"logprobs": False}, None),
        ({}, None),
    ],
)
def test_a_completion_is_asked_for_as_many_logprobs_as_the_chat_was(given: dict[str, Any], number: int | None) -> None:
    assert after_ids(job(Capability.CHAT, **given), "box", Begun("a")).body.get("logprobs") == number


async def test_the_logprobs_of_a_chat_keep_their_shape_when_all_events_come_at_once() -> None:
    async with running("llamacpp") as (server, backend):

        def at_once(request: Request) -> Answer:
            streams = request.path.startswith("/v1")
            return Stream([b"".join(server.pieces(request))]) if streams else server.answer(request)

        server.script = at_once
        told = await further(backend, "replay", BEGUN, logprobs=True, top_logprobs=1)

    found = [each["choices"][0].get("logprobs") for each in told if each["choices"]]
    assert [each and set(each) for each in found] == [{"content", "refusal"}] * 3 + [None]


@pytest.mark.parametrize(
    ("more", "begun", "by_ids"),
    [
        ({}, BEGUN, True),
        ({"tools": [], "response_format": None}, BEGUN, True),
        ({}, Begun(""), False),
        ({}, Begun("a", reasoning="Hm"), False),
        ({"tools": [TOOL]}, BEGUN, False),
        ({"response_format": SCHEMA}, BEGUN, False),
        ({"response_format": {"type": "json_object"}}, BEGUN, False),
        ({"messages": [{"role": "tool", "content": "5"}]}, BEGUN, False),
    ],
)
def test_only_plain_text_goes_on_by_its_tokens(more: dict[str, Any], begun: Begun, by_ids: bool) -> None:
    assert goes_by_ids(job(Capability.CHAT, **more), begun) is by_ids
    assert goes_by_ids(job(Capability.COMPLETE), begun)


@pytest.mark.parametrize("method", METHODS)
async def test_a_constrained_answer_goes_on_as_a_chat(method: str) -> None:
    async with running("llamacpp") as (server, backend):
        told = await further(backend, method, BEGUN, response_format=SCHEMA)

    assert last(server)["messages"][-1] == {"role": "assistant", "content": BEGUN.text}
    assert (last(server)["continue_final_message"], last(server)["add_generation_prompt"]) == (True, False)
    assert last(server)["response_format"] == SCHEMA
    assert BEGUN.text + text(told) == WHOLE


async def test_thoughts_that_are_over_go_with_the_turn() -> None:
    async with running("llamacpp") as (server, backend):
        await further(backend, "prefill", Begun("Grüße", reasoning="Hm."))

    assert last(server)["messages"][-1] == {"role": "assistant", "content": "Grüße", "reasoning_content": "Hm."}


async def test_the_middle_of_a_thought_is_refused() -> None:
    async with running("llamacpp") as (server, backend):
        with pytest.raises(JobRejectedError):
            await further(backend, "prefill", Begun("", reasoning="Hm"))

    assert server.requests == []


@pytest.mark.parametrize("method", METHODS)
async def test_without_a_word_written_it_is_an_ordinary_chat(method: str) -> None:
    async with running("llamacpp") as (server, backend):
        assert text(await further(backend, method, Begun(""))) == WHOLE
        [block async for block in backend.chat(job(Capability.CHAT))]

    first, second = server.requests
    assert first.body == second.body


async def test_tools_in_words_stay_and_what_began_as_words_is_no_call() -> None:
    words = ("Well, ", '<tool_call>{"name": "get_weather", "arguments": {}}', "</tool_call>")
    async with running("llamacpp") as (server, backend):
        server.words = words
        server.props = {"chat_template_caps": {"supports_tools": False}}  # type: ignore[attr-defined]
        told = await further(backend, "prefill", Begun(words[0]), tools=[TOOL])

    assert "get_weather" in last(server)["messages"][0]["content"]
    assert "tools" not in last(server)
    assert text(told) == "".join(words[1:])


def test_a_call_that_is_required_is_not_gone_on_with() -> None:
    asked = job(Capability.CHAT, tools=[TOOL], tool_choice="required")
    with pytest.raises(BackendRefusedError):
        after_text(asked, "box", BEGUN, knows_tools=False)

    after_text(asked, "box", Begun(""), knows_tools=False)


@pytest.mark.parametrize("field", ["grammar", "json_schema"])
@pytest.mark.parametrize("method", METHODS)
async def test_what_a_grammar_constrains_is_not_gone_on_with(method: str, field: str) -> None:
    async with running("llamacpp") as (_, backend):
        with pytest.raises(BackendRefusedError, match="grammar"):
            await further(backend, method, BEGUN, Capability.CHAT, **{field: "x"})


@pytest.mark.parametrize("begun", [BEGUN, Begun("")])
@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
async def test_warming_reads_the_same_and_writes_one_token(begun: Begun, limit: str) -> None:
    async with running("llamacpp") as (server, backend):
        await backend.probe()
        await backend.warm(job(Capability.CHAT, "small", **{limit: 50}), begun)
        warmed = last(server)
        await further(backend, "replay", begun, Capability.CHAT, **{limit: 50})

    limits = ("max_tokens", "max_completion_tokens")
    assert (warmed["max_tokens"], "max_completion_tokens" in warmed) == (1, False)
    same = [{key: value for key, value in body.items() if key not in limits} for body in (warmed, last(server))]
    assert same[0] == same[1]
