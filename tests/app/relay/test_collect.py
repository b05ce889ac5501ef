"""A stream as the one object that it tells."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.sse import DONE, encode
from app.relay.collect import collect
from backends.upstream.whole import as_events
from tests.app.builders import HEAD, USAGE, delta, event, usage_event

WEATHER = {"name": "get_weather", "arguments": '{"city": "Köln"}'}


def collected(blocks: Iterable[bytes], usage: dict[str, Any] | None) -> dict[str, Any]:
    return collect(b"".join(blocks), usage)


def call(index: int, **said: Any) -> dict[str, Any]:
    return {"index": index, **said}


def message(*blocks: bytes) -> dict[str, Any]:
    """The message of the first choice."""
    found: dict[str, Any] = collected(blocks, None)["choices"][0]["message"]
    return found


def test_pieces_of_text_become_one_message_with_every_field_that_the_api_promises() -> None:
    blocks = [delta("", role="assistant"), delta("Grüße"), delta(" 日本"), delta(finish_reason="stop"), DONE]

    assert collected(blocks, USAGE) == {
        **HEAD,
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Grüße 日本", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE,
    }


def test_usage_is_what_the_answer_knows_of_it_and_absent_when_it_knows_nothing() -> None:
    blocks = [delta("Hi", finish_reason="stop"), usage_event({"prompt_tokens": 99})]

    assert collected(blocks, USAGE)["usage"] == USAGE
    assert "usage" not in collected(blocks, None)


def test_an_answer_without_words_is_empty_text() -> None:
    assert message(delta("", role="assistant"), delta(finish_reason="stop"))["content"] == ""
    assert message(delta(finish_reason="stop"))["content"] == ""


def test_a_refusal_is_kept() -> None:
    assert message(delta(refusal="I "), delta(refusal="won't.", finish_reason="stop"))["refusal"] == "I won't."


def test_a_tool_call_in_pieces_is_one_call_and_its_index_is_gone() -> None:
    first = call(0, id="call_1", type="function", function={"name": "get_weather", "arguments": ""})
    blocks = [
        delta(role="assistant", content=None, tool_calls=[first]),
        delta(tool_calls=[call(0, function={"arguments": '{"city":'})]),
        delta(tool_calls=[call(0, function={"arguments": ' "Köln"}'})]),
        delta(finish_reason="tool_calls"),
    ]

    assert message(*blocks) == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": WEATHER}],
    }


def test_tool_calls_side_by_side_are_told_apart_by_their_index_even_within_one_event() -> None:
    both = [call(0, id="a", function={"arguments": "1"}), call(1, id="b", function={"arguments": "2"})]
    later = [call(1, function={"arguments": "!"}), call(0, function={"arguments": "?"})]

    calls = message(delta(tool_calls=both), delta(tool_calls=later, finish_reason="tool_calls"))["tool_calls"]

    assert [(each["id"], each["function"]["arguments"]) for each in calls] == [("a", "1?"), ("b", "2!")]


def test_what_is_repeated_with_each_piece_does_not_grow() -> None:
    piece = call(0, id="call_1", type="function", function={"arguments": "x"})
    blocks = [delta(role="assistant", tool_calls=[piece]), delta(role="assistant", tool_calls=[piece])]

    told = message(*blocks)

    assert told["role"] == "assistant"
    assert told["tool_calls"] == [{"id": "call_1", "type": "function", "function": {"arguments": "xx"}}]


def test_log_probabilities_come_one_after_the_other() -> None:
    def said(token: str) -> bytes:
        return event({"index": 0, "delta": {"content": token}, "logprobs": {"content": [{"token": token}]}})

    whole = collected([said("a"), said("b"), delta(finish_reason="stop")], None)

    assert whole["choices"][0]["logprobs"] == {"content": [{"token": "a"}, {"token": "b"}]}


def test_choices_that_come_mixed_are_told_in_order() -> None:
    blocks = [delta("b", index=1), delta("a", index=0), delta("B", index=1), delta("A", index=0)]

    whole = collected(blocks, None)

    assert [(each["index"], each["message"]["content"]) for each in whole["choices"]] == [(0, "aA"), (1, "bB")]


def test_the_first_id_and_time_stand_and_other_facts_may_come_later() -> None:
    blocks = [
        event(system_fingerprint=None),
        event({"index": 0, "delta": {}}, id="other", created=1, system_fingerprint="fp", timings={"predicted_n": 2}),
        event(system_fingerprint=None),
    ]

    whole = collected(blocks, None)

    assert (whole["id"], whole["created"]) == (HEAD["id"], HEAD["created"])
    assert (whole["system_fingerprint"], whole["timings"]) == ("fp", {"predicted_n": 2})


def test_fields_that_are_no_part_of_the_api_are_kept_and_texts_among_them_grow() -> None:
    told = message(delta(reasoning_content="Let me"), delta(reasoning_content=" think"), delta("Hi"))

    assert told["reasoning_content"] == "Let me think"


def test_a_completion_stays_one() -> None:
    def said(text: str, reason: str | None = None) -> bytes:
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": reason}
        return encode(orjson.dumps({"id": "cmpl-1", "object": "text_completion", "choices": [choice]}))

    assert collected([said("a"), said("b"), said("", "length")], None) == {
        "id": "cmpl-1",
        "object": "text_completion",
        "choices": [{"index": 0, "text": "ab", "logprobs": None, "finish_reason": "length"}],
    }


@pytest.mark.parametrize("garbage", [b"not JSON", b"[1]", b'"?"', b'{"choices": [3]}', b'{"choices": 3}'])
def test_an_event_that_makes_no_sense_is_a_value_error(garbage: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        collected([delta("Hi"), encode(garbage), delta(finish_reason="stop")], None)


@pytest.mark.parametrize("choices", ["null", "[]"])
def test_an_event_without_choices_adds_none(choices: str) -> None:
    odd = encode(b'{"choices": %b}' % choices.encode())

    assert len(collected([delta("Hi"), odd], None)["choices"]) == 1


words = st.lists(st.text(max_size=6), max_size=5)


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[bytes], list[str]]:
    """Events of several choices in any order between them, and the text that each choice says."""
    said = draw(st.lists(words, min_size=1, max_size=3))
    turns = draw(st.permutations([index for index, pieces in enumerate(said) for _ in pieces]))
    left = [list(pieces) for pieces in said]
    events = [delta(left[index].pop(0), index=index) for index in turns]
    ends = [delta(index=index, finish_reason="stop") for index in range(len(said))]
    return [*events, *ends], ["".join(pieces) for pieces in said]


@given(streams(), st.data())
def test_the_whole_is_the_sum_of_its_pieces_whatever_the_blocks(
    stream: tuple[list[bytes], list[str]], data: st.DataObject
) -> None:
    events, texts = stream
    cuts = data.draw(st.sets(st.integers(0, len(events))))
    blocks = [b"".join(events[start:end]) for start, end in pairwise([0, *sorted(cuts), len(events)])]

    whole = collected(blocks, None)

    assert [choice["message"]["content"] for choice in whole["choices"]] == texts


messages = st.fixed_dictionaries(
    {"role": st.just("assistant"), "content": st.text(max_size=20), "refusal": st.none()},
    optional={
        "tool_calls": st.lists(
            st.fixed_dictionaries(
                {
                    "id": st.text(max_size=4),
                    "type": st.just("function"),
                    "function": st.fixed_dictionaries({"name": st.text(max_size=4), "arguments": st.text(max_size=8)}),
                }
            ),
            min_size=1,
            max_size=3,
        ),
    },
)


@given(st.lists(messages, min_size=1, max_size=3))
def test_a_whole_answer_told_as_events_is_the_same_answer_again(said: list[dict[str, Any]]) -> None:
    choices = [
        {"index": index, "message": each, "logprobs": None, "finish_reason": "stop"} for index, each in enumerate(said)
    ]
    answer = {**HEAD, "object": "chat.completion", "choices": choices, "usage": USAGE}

    told = collected([as_events("box", orjson.loads(orjson.dumps(answer)))], USAGE)

    for choice in choices:
        each = choice["message"]
        assert isinstance(each, dict)
        each["content"] = each["content"] or ("" if "tool_calls" not in each else None)
    assert told == answer
