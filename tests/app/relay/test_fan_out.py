"""Several answers of a backend that makes one at a time, told as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.backend import Capability
from app.domain.errors import BackendBusyError, StreamBrokenError
from app.domain.job import Job
from app.domain.sse import DONE, encode
from app.relay.collect import collect
from app.relay.fan_out import fan_out
from tests.app.builders import HEAD, USAGE, delta, event, job, told, usage_event
from tests.fakes.backend import ScriptedBackend, ScriptedSettings, Step

pytestmark = pytest.mark.anyio


def backend(*scripts: Iterable[Step]) -> ScriptedBackend:
    """Each job gets the next script."""
    made, left = ScriptedBackend(ScriptedSettings(id="box")), iter(scripts)
    made.script = lambda _: next(left)
    return made


def said(*words: str, usage: Mapping[str, Any] = USAGE) -> list[Step]:
    return [*map(delta, words), delta(finish_reason="stop"), usage_event(usage), DONE]


async def all_of(blocks: AsyncGenerator[bytes, None]) -> list[bytes]:
    return [block async for block in blocks]


async def test_each_choice_has_the_index_of_its_turn() -> None:
    box = backend(said("a", "A"), said("b"), said("c"))

    blocks = await all_of(fan_out(box.chat, job(body={"n": 3}), "box"))

    whole = collect(b"".join(blocks), None)
    assert [choice["message"]["content"] for choice in whole["choices"]] == ["aA", "b", "c"]
    assert [choice["index"] for choice in whole["choices"]] == [0, 1, 2]


async def test_they_share_one_id_one_time_and_one_model() -> None:
    box = backend(
        [event({"index": 0, "delta": {"content": "a"}}, id="first"), DONE],
        [event({"index": 0, "delta": {"content": "b"}}, id="second", created=1), DONE],
    )

    events = told(await all_of(fan_out(box.chat, job(body={"n": 2}), "box")))

    assert len(events) == 2
    assert {each["id"] for each in events} == {"first"}
    assert {each["created"] for each in events} == {HEAD["created"]}


async def test_the_usage_comes_last_and_counts_the_prompt_once() -> None:
    box = backend(said("a"), said("b"))

    blocks = await all_of(fan_out(box.chat, job(body={"n": 2}), "box"))

    last = told(blocks)[-1]
    assert last["choices"] == []
    assert last["object"] == "chat.completion.chunk"
    assert last["usage"] == {"prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11}
    assert blocks[-1] == DONE


async def test_without_any_usage_none_is_made_up() -> None:
    box = backend([delta("a"), DONE], [delta("b"), DONE])

    assert not any("usage" in each for each in told(await all_of(fan_out(box.chat, job(body={"n": 2}), "box"))))


async def test_several_prompts_are_numbered_in_the_order_of_the_api_and_each_is_counted() -> None:
    box = backend()
    box.script = lambda single: [
        encode(orjson.dumps({"object": "text_completion", "choices": [{"index": 0, "text": single.body["prompt"]}]})),
        encode(orjson.dumps({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 1}})),
        DONE,
    ]
    asked = job(Capability.COMPLETE, body={"prompt": ["x", "y"], "n": 2})

    blocks = await all_of(fan_out(box.complete, asked, "box"))

    assert [choice["text"] for choice in collect(b"".join(blocks), None)["choices"]] == ["x", "x", "y", "y"]
    last = told(blocks)[-1]
    assert last["object"] == "text_completion"
    assert last["usage"] == {"prompt_tokens": 20, "completion_tokens": 4, "total_tokens": 24}


@pytest.mark.parametrize(
    ("prompt", "singles"),
    [
        ("one", ["one"]),
        (["one", "two"], ["one", "two"]),
        ([1, 2, 3], [[1, 2, 3]]),
        ([[1, 2], [3]], [[1, 2], [3]]),
        (["one"], ["one"]),
    ],
)
async def test_a_list_of_tokens_is_one_prompt_and_a_list_of_lists_is_several(prompt: Any, singles: list[Any]) -> None:
    box = backend()
    box.script = lambda _: said("a")

    await all_of(fan_out(box.complete, job(Capability.COMPLETE, body={"prompt": prompt}), "box"))

    assert [each.body["prompt"] for each in box.asked] == singles


async def test_a_seed_moves_on_or_all_choices_would_be_the_same() -> None:
    box = backend(*[said("a")] * 3)

    await all_of(fan_out(box.chat, job(body={"n": 3, "seed": 40, "temperature": 0.5}), "box"))

    assert [each.body["seed"] for each in box.asked] == [40, 41, 42]
    assert all("n" not in each.body and each.body["temperature"] == 0.5 for each in box.asked)


async def test_without_a_seed_none_is_made_up() -> None:
    box = backend(*[said("a")] * 2)

    await all_of(fan_out(box.chat, job(body={"n": 2}), "box"))

    assert not any("seed" in each.body for each in box.asked)


async def test_the_jobs_keep_all_that_the_backend_may_want_to_know() -> None:
    asked = job(body={"n": 2}, key_name="ada", max_tokens=5, prompt_bytes=9)
    box = backend(*[said("a")] * 2)

    await all_of(fan_out(box.chat, asked, "box"))

    assert {
        (each.request_id, each.key_name, each.max_tokens, each.prompt_bytes, each.choices) for each in box.asked
    } == {("request-1", "ada", 5, 9, 1)}


async def test_words_come_as_they_are_said_not_choice_after_choice() -> None:
    rest = asyncio.Event()
    box = backend([delta("a"), rest, *said("A")], said("b"))

    async with aclosing(fan_out(box.chat, job(body={"n": 2}), "box")) as blocks:
        async for block in blocks:
            if any(choice["index"] == 1 and choice["finish_reason"] for choice in told([block])[0]["choices"]):
                break
        rest.set()
        later = told([block async for block in blocks])

    assert [choice["delta"] for each in later for choice in each["choices"] if choice["index"] == 0] == [
        {"content": "A"},
        {},
    ]


async def test_the_first_failure_is_everybodys_and_stops_the_others() -> None:
    box = backend([delta("a"), asyncio.Event()], [BackendBusyError("box", "is busy")])

    with pytest.raises(BackendBusyError):
        await all_of(fan_out(box.chat, job(body={"n": 2}), "box"))

    assert box.closed == 2


async def test_an_event_that_is_no_json_breaks_the_answer_and_the_backend_is_named() -> None:
    box = backend([encode(b"not JSON")], said("b"))

    with pytest.raises(StreamBrokenError, match="'box'"):
        await all_of(fan_out(box.chat, job(body={"n": 2}), "box"))


@pytest.mark.parametrize("garbage", [b"[1]", b'"?"', b'{"choices": [3]}', b'{"choices": 3}'])
async def test_an_event_that_is_none_of_an_answer_breaks_it_too(garbage: bytes) -> None:
    box = backend([encode(garbage)], said("b"))

    with pytest.raises(StreamBrokenError):
        await all_of(fan_out(box.chat, job(body={"n": 2}), "box"))


async def test_whatever_a_stream_raises_is_raised_and_nobody_waits_for_ever() -> None:
    box = backend([RuntimeError("a bug")], said("b"))

    async with asyncio.timeout(5):
        with pytest.raises(RuntimeError, match="a bug"):
            await all_of(fan_out(box.chat, job(body={"n": 2}), "box"))


async def test_closing_it_closes_them_all() -> None:
    held: list[Step] = [delta("a"), asyncio.Event()]
    box = backend(held, held, held)
    blocks = fan_out(box.chat, job(body={"n": 3}), "box")
    await anext(blocks)

    await blocks.aclose()

    assert box.closed == 3


async def test_a_slow_reader_holds_the_backends_back() -> None:
    count = 0

    async def talks(_: Job) -> AsyncGenerator[bytes, None]:
        nonlocal count
        while True:
            count += 1
            yield delta("a")
            await asyncio.sleep(0)

    blocks = fan_out(talks, job(body={"n": 2}), "box")
    await anext(blocks)
    for _ in range(2000):
        await asyncio.sleep(0)
    await blocks.aclose()

    assert count < 300


@st.composite
def scripts(draw: st.DrawFn) -> tuple[list[str], list[Step]]:
    """What a choice says, and its events in two blocks or more."""
    words = draw(st.lists(st.text(max_size=4), max_size=4))
    events = [*map(delta, words), delta(finish_reason="stop"), DONE]
    place = draw(st.integers(1, len(events)))
    return words, [b"".join(events[:place]), *events[place:]]


@given(st.lists(scripts(), min_size=1, max_size=4))
async def test_no_choice_is_mixed_up_with_another_whatever_the_blocks(
    choices: list[tuple[list[str], list[Step]]],
) -> None:
    box = backend(*(steps for _, steps in choices))

    blocks = await all_of(fan_out(box.chat, job(body={"n": len(choices)}), "box"))
    whole = collect(b"".join(blocks), None)

    assert [choice["message"]["content"] for choice in whole["choices"]] == ["".join(words) for words, _ in choices]
