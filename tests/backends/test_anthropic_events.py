"""The events of the Messages API come out as OpenAI's chunks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
import pytest

from app.domain.sse import payloads
from backends.anthropic_events import Translation
from tests.fakes.anthropic_server import Block, events, text, thinking, tool_use


def translated(story: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The chunks of a whole answer, without its `[DONE]`."""
    translation = Translation("asked", 1700000000)
    *chunks, done = payloads(b"".join(translation.feed(event) for event in story))
    assert done == b"[DONE]"
    return [orjson.loads(chunk) for chunk in chunks]


def deltas(chunks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [choice["delta"] for chunk in chunks for choice in chunk["choices"]]


def test_an_answer_has_one_id_one_time_one_model_a_role_an_end_and_its_usage() -> None:
    chunks = translated(events([text("Hel", "lo")]))
    heads = [{name: chunk[name] for name in ("id", "object", "created", "model")} for chunk in chunks]
    head = {"id": "msg_01", "object": "chat.completion.chunk", "created": 1700000000, "model": "small"}
    assert heads == [head] * 5
    assert deltas(chunks) == [{"role": "assistant", "content": ""}, {"content": "Hel"}, {"content": "lo"}, {}]
    assert [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]] == [None, None, None, "stop"]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["total_tokens"] == 15


def test_prompt_tokens_count_the_cached_ones_and_later_counts_win() -> None:
    usage = {"input_tokens": 10, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 30, "output_tokens": 1}
    end = {"output_tokens": 7, "input_tokens": None, "output_tokens_details": {"thinking_tokens": 4}}
    assert translated(events([text("a")], usage=usage, output=end))[-1]["usage"] == {
        "prompt_tokens": 60,
        "completion_tokens": 7,
        "total_tokens": 67,
        "prompt_tokens_details": {"cached_tokens": 30},
        "completion_tokens_details": {"reasoning_tokens": 4},
    }


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("pause_turn", "stop"),
        ("a_reason_of_tomorrow", "stop"),
    ],
)
def test_each_stop_reason_has_its_finish_reason(reason: str, finish: str) -> None:
    assert translated(events([text("a")], stop_reason=reason))[-2]["choices"][0]["finish_reason"] == finish


def test_thoughts_are_reasoning_content_and_their_signature_is_left_out() -> None:
    assert deltas(translated(events([thinking("Hm", "..."), text("Yes.")]))) == [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "Hm"},
        {"reasoning_content": "..."},
        {"content": "Yes."},
        {},
    ]


def test_tool_calls_are_counted_from_zero_and_one_without_arguments_gets_an_empty_object() -> None:
    content: list[Block] = [text("Look."), tool_use("toolu_1", "weather", '{"ci', 'ty":1}'), tool_use("toolu_2", "now")]
    assert [delta["tool_calls"] for delta in deltas(translated(events(content))) if "tool_calls" in delta] == [
        [{"index": 0, "id": "toolu_1", "type": "function", "function": {"name": "weather", "arguments": ""}}],
        [{"index": 0, "function": {"arguments": '{"ci'}}],
        [{"index": 0, "function": {"arguments": 'ty":1}'}}],
        [{"index": 1, "id": "toolu_2", "type": "function", "function": {"name": "now", "arguments": ""}}],
        [{"index": 1, "function": {"arguments": "{}"}}],
    ]


def test_arguments_that_come_all_at_once_are_told_too() -> None:
    block = Block({"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Bonn"}}, [])
    assert deltas(translated(events([block])))[2]["tool_calls"][0]["function"] == {"arguments": '{"city":"Bonn"}'}


def test_an_empty_answer_still_has_a_role_and_an_end() -> None:
    assert deltas(translated(events([]))) == [{"role": "assistant", "content": ""}, {}]


def test_events_deltas_and_blocks_of_tomorrow_are_passed_over() -> None:
    tomorrow = [
        {"type": "message_hologram", "light": 1},
        {},
        {"type": "content_block_delta", "index": 7, "delta": {"type": "input_json_delta", "partial_json": "{"}},
    ]
    block = Block({"type": "hologram"}, [{"type": "light_delta", "light": 1}])
    *body, end = events([block, text("a")])
    assert deltas(translated([*tomorrow, *body, *tomorrow, end])) == deltas(translated(events([text("a")])))
