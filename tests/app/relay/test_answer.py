"""What of a backend's events the client gets, and when an answer is complete."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.decision import Route
from app.domain.errors import StreamBrokenError
from app.domain.sse import DONE, encode, payloads
from app.relay.answer import Answer
from app.relay.watch import Watchman
from tests.app.builders import USAGE, blocks_of, candidate, delta, event, usage_event
from tests.fakes.clock import FakeClock

pytestmark = pytest.mark.anyio

STOP = delta(finish_reason="stop")


async def written(blocks: Sequence[bytes]) -> AsyncGenerator[bytes, None]:
    for block in blocks:
        yield block


def answer(*blocks: bytes, include_usage: bool = False) -> Answer:
    watch = Watchman(15.0, FakeClock()).watch()
    return Answer(Route(candidate(), (), 0.0), written(blocks), watch, include_usage=include_usage)


async def read(what: Answer) -> bytes:
    """All that the client gets."""
    sent = b""
    while not what.complete:
        sent += await what.next()
    return sent


async def test_bytes_go_through_as_they_came() -> None:
    blocks = [delta("Hi"), b'data: {"odd" :  [1,2]}\n\n', STOP, DONE]

    assert await read(answer(*blocks)) == b"".join(blocks)


async def test_blocks_begin_with_the_first_one_and_end_with_done() -> None:
    told = answer(delta(" there"), STOP + DONE)
    told.first = delta("Hi")

    assert [block async for block in blocks_of(told)] == [delta("Hi"), delta(" there"), STOP + DONE]


async def test_an_answer_that_is_complete_with_its_first_block_has_no_others() -> None:
    told = answer(STOP + DONE)
    told.first = await told.next()

    assert [block async for block in blocks_of(told)] == [STOP + DONE]


async def test_done_is_said_even_when_the_backend_only_ends() -> None:
    assert await read(answer(delta("Hi"), STOP)) == delta("Hi") + STOP + DONE


async def test_usage_is_kept_from_a_client_that_did_not_ask_for_it_and_remembered_all_the_same() -> None:
    told = answer(STOP, usage_event(), DONE)

    assert await read(told) == STOP + DONE
    assert told.usage == USAGE


async def test_usage_goes_to_the_client_that_asked_for_it() -> None:
    told = answer(STOP, usage_event(), DONE, include_usage=True)

    assert await read(told) == STOP + usage_event() + DONE
    assert told.usage == USAGE


async def test_it_does_not_matter_how_the_usage_event_is_spaced() -> None:
    spaced = b'data: {"id": "1", "choices": [], "usage": {"prompt_tokens": 3}}\n\n'
    told = answer(STOP + spaced + DONE)

    assert await read(told) == STOP + DONE
    assert told.usage == {"prompt_tokens": 3}


async def test_an_event_without_choices_that_tells_no_usage_is_left_out() -> None:
    filters = event(prompt_filter_results=[])

    assert await read(answer(filters, STOP, DONE, include_usage=True)) == STOP + DONE


async def test_usage_that_came_with_the_last_words_is_remembered() -> None:
    last = event({"index": 0, "delta": {}, "finish_reason": "stop"}, usage=USAGE)
    told = answer(delta("Hi"), last, DONE)

    assert await read(told) == delta("Hi") + last + DONE
    assert told.usage == USAGE


async def test_words_about_errors_and_choices_are_words() -> None:
    blocks = [delta('{"error": "no"}'), delta('"choices":[]'), STOP, DONE]

    assert await read(answer(*blocks)) == b"".join(blocks)


async def test_an_error_of_null_is_none_and_not_passed_on() -> None:
    choice = {"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}

    assert await read(answer(event(choice, error=None), DONE)) == event(choice) + DONE


async def test_an_error_event_breaks_the_answer() -> None:
    told = answer(delta("Hi"), encode(b'{"error": {"message": "/secret/path"}}'), DONE)
    await told.next()

    with pytest.raises(StreamBrokenError, match="reported an error") as caught:
        await told.next()
    assert "secret" not in caught.value.message
    assert not told.complete


@pytest.mark.parametrize("ending", [(), (DONE,), (usage_event(), DONE), (usage_event() + DONE,)])
async def test_an_answer_without_a_finish_reason_is_broken_however_it_ends(ending: tuple[bytes, ...]) -> None:
    told = answer(delta("Hi"), *ending)
    assert await told.next()

    with pytest.raises(StreamBrokenError, match="without a finish_reason"):
        await read(told)
    assert not told.complete


async def test_done_in_the_middle_of_a_block_does_not_slip_through() -> None:
    told = answer(delta("Hi") + DONE + delta(" there"))
    assert await told.next() == delta("Hi")

    with pytest.raises(StreamBrokenError):
        await told.next()


async def test_what_comes_after_done_is_left_out() -> None:
    assert await read(answer(STOP + DONE + delta("more"), delta("and more"))) == STOP + DONE


@pytest.mark.parametrize("garbage", [b'"error" what?', b'["error"]', b'"choices":[]'])
async def test_an_event_that_has_to_be_read_and_makes_no_sense_breaks_the_answer(garbage: bytes) -> None:
    told = answer(encode(garbage))

    with pytest.raises(StreamBrokenError, match=r"no JSON|no object"):
        await told.next()


async def test_a_complete_answer_is_one_object_with_its_usage() -> None:
    told = answer(delta("Hi"), STOP, usage_event(), DONE)
    await read(told)

    whole = told.whole()

    assert whole["choices"][0]["message"]["content"] == "Hi"
    assert whole["usage"] == USAGE


async def test_garbage_in_the_middle_breaks_the_answer_after_what_came_before_it() -> None:
    told = answer(delta("Hi") + encode(b"not JSON") + STOP + DONE)
    assert await told.next() == delta("Hi")

    with pytest.raises(StreamBrokenError, match="backend 'box'"):
        await told.next()


async def test_an_answer_with_an_event_of_another_shape_is_no_whole_one() -> None:
    told = answer(encode(b'{"choices": [7]}'), STOP, DONE)
    await read(told)

    with pytest.raises(StreamBrokenError, match="backend 'box'"):
        told.whole()


async def test_a_second_role_and_words_after_the_end_are_left_out() -> None:
    again = delta("", role="assistant")
    told = answer(delta("Hi"), again, delta(" there", role="assistant"), STOP, delta("more"), DONE)
    await told.start(chat=True)

    assert await read(told) == delta(" there") + STOP + DONE


async def test_a_fault_after_the_finish_reason_is_none() -> None:
    async def broken() -> AsyncGenerator[bytes, None]:
        yield delta("Hi")
        yield STOP
        raise StreamBrokenError("box", "broke off")

    told = Answer(Route(candidate(), (), 0.0), broken(), Watchman(15.0, FakeClock()).watch(), include_usage=False)

    assert await read(told) == delta("Hi") + STOP + DONE


async def test_closing_closes_the_backends_stream() -> None:
    blocks = written([delta("Hi"), STOP])
    told = Answer(Route(candidate(), (), 0.0), blocks, Watchman(15.0, FakeClock()).watch(), include_usage=False)
    await told.next()

    await told.aclose()

    with pytest.raises(StopAsyncIteration):
        await anext(blocks)


EVENTS = (delta("", role="assistant"), delta("Grüße"), delta(" 日本"), delta('"error"'), STOP, usage_event())


@given(cuts=st.sets(st.integers(1, len(EVENTS)), max_size=6), include_usage=st.booleans())
async def test_it_does_not_matter_how_events_come_in_blocks(cuts: set[int], include_usage: bool) -> None:
    events = [*EVENTS, DONE]
    bounds = [0, *sorted(cuts), len(events)]
    blocks = [b"".join(events[start:end]) for start, end in pairwise(bounds)]
    told = answer(*blocks, include_usage=include_usage)

    sent = await read(told)

    kept = EVENTS if include_usage else EVENTS[:-1]
    assert payloads(sent) == [*(payload for each in kept for payload in payloads(each)), b"[DONE]"]
    assert told.usage == USAGE
