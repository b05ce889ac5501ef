"""Two backends' events as one answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.domain.sse import DONE, encode
from app.domain.stops import Stops
from app.relay.collect import collect
from app.relay.overlap import Overlap
from app.relay.seam import Opening, Seam, SeamRefusedError
from app.relay.tail import Tail
from app.relay.transcript import Transcript, Written
from tests.app.builders import HEAD, USAGE, delta, event, told, usage_event

ROLE = delta("", role="assistant")
OTHER = {"id": "other", "object": "chat.completion.chunk", "created": 1, "model": "large", "system_fingerprint": "fp"}
NOTHING = Written("", "", 0, calls=False, in_reasoning=False, head={}, finished=False)


def written(*blocks: bytes) -> Written:
    transcript = Transcript()
    for block in blocks:
        transcript.events += block
    return transcript.written()


def seam(
    text: str = "", stops: tuple[str, ...] = (), tokens: int = 0, opening: Opening | None = None, **facts: Any
) -> Seam:
    """What goes on with a chat of which the client has this text."""
    return Seam(replace(written(ROLE, delta(text)), **facts), stops, tokens, opening)


def said(events: Iterable[Mapping[str, Any]]) -> str:
    choices = [choice for each in events for choice in each["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def reasons(events: Iterable[Mapping[str, Any]]) -> list[str]:
    choices = [choice for each in events for choice in each["choices"]]
    return [choice["finish_reason"] for choice in choices if choice["finish_reason"]]


def completion(text: str, reason: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "text": text, "finish_reason": reason, **more}
    return encode(orjson.dumps({"id": "cmpl-1", "object": "text_completion", "choices": [choice]}))


def test_every_event_has_the_head_of_the_first_backend() -> None:
    blocks = [event({"index": 0, "delta": {"content": "b"}}, **OTHER), usage_event(), event(usage=USAGE, **OTHER)]

    events = told([seam("a").feed(b"".join(blocks))])

    assert [{key: each[key] for key in HEAD} for each in events] == [HEAD] * 3
    assert not any("system_fingerprint" in each for each in events)


def test_what_the_head_does_not_have_stays_away_and_whatever_is_no_part_of_it_passes() -> None:
    head = {"id": "a", "system_fingerprint": None}

    (told_now,) = told([seam("a", head=head).feed(event({"index": 0, "delta": {"content": "b"}}, **OTHER, timings=1))])

    assert told_now == {**head, "choices": [{"index": 0, "delta": {"content": "b"}}], "timings": 1}


def test_of_an_answer_of_which_the_client_has_nothing_the_head_and_the_role_are_left() -> None:
    going_on = Seam(NOTHING, (), 0, None)
    block = event({"index": 0, "delta": {"role": "assistant", "content": ""}}, **OTHER)

    assert told([going_on.feed(block)]) == told([block])


@pytest.mark.parametrize(
    "block",
    [
        *(ROLE, delta(None, role="assistant"), delta(None), delta(""), event({"index": 0, "delta": {"content": None}})),
        *(event(), event(usage=None), event({"index": 0, "finish_reason": None}), encode(b"{}")),
        event({"index": 0, "delta": {"content": ""}, "logprobs": {"content": [], "refusal": None}}),
    ],
)
def test_what_says_nothing_is_left_out(block: bytes) -> None:
    assert seam("a").feed(block) == b""


def test_a_second_role_is_taken_out_of_an_event_that_says_something() -> None:
    (told_now,) = told([seam("a").feed(delta("b", role="assistant"))])

    assert told_now["choices"] == [{"index": 0, "delta": {"content": "b"}, "finish_reason": None}]


def test_tool_calls_and_refusals_pass() -> None:
    for more in ({"tool_calls": [{"index": 0, "id": "x"}]}, {"refusal": "No."}):
        (told_now,) = told([seam("a").feed(delta(None, **more))])
        assert told_now["choices"][0]["delta"] == more


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_goes_on_until_the_first_word_and_is_left_out_after_it(field: str) -> None:
    thought: dict[str, Any] = {field: "Hm"}
    block = delta(None, **thought) + delta("Hi", **thought)

    for has_no_text in (seam("", reasoning="Let me see", in_reasoning=True), seam("")):
        assert told([has_no_text.feed(block)]) == told([block])
    assert told([seam("a").feed(block)]) == told([delta("Hi")])


def test_a_stop_string_that_spans_the_seam_ends_the_answer() -> None:
    going_on = seam("one, tw", ("two",))

    block = going_on.feed(delta("o, three", logprobs=1) + delta("four") + usage_event() + DONE)

    (told_now,) = told([block])
    assert told_now["choices"] == [{"index": 0, "delta": {"content": "", "logprobs": 1}, "finish_reason": "stop"}]
    assert block.endswith(DONE)
    assert going_on.ended
    assert going_on.feed(delta("five")) == b""


def test_the_text_before_a_stop_string_comes_with_the_end() -> None:
    events = told([seam("a", ("STOP",)).feed(delta("b ST") + delta("OP c") + delta(finish_reason="length"))])

    assert (said(events), reasons(events)) == ("b ", ["stop"])


def test_what_was_held_back_comes_before_the_backends_own_end() -> None:
    going_on = seam("a", ("STOP",))

    events = told([going_on.feed(delta("b S") + delta("T") + delta(finish_reason="length"))])

    assert (said(events), reasons(events)) == ("b ST", ["length"])
    assert not going_on.ended
    assert (going_on.feed(DONE), going_on.ended) == (DONE, True)


def test_what_the_opening_held_back_meets_the_stop_strings_too() -> None:
    text = "all of it, and on"
    going_on = seam(text, ("of",), opening=Overlap(text))

    events = told([going_on.feed(delta("all ") + delta("of") + delta(finish_reason="length"))])

    assert (said(events), reasons(events)) == ("all ", ["stop"])
    assert going_on.ended


def test_after_a_finish_reason_only_the_usage_and_the_end_pass() -> None:
    going_on = seam("a")
    late = delta("c") + delta(finish_reason="length") + event({"index": 0, "delta": {"content": "d"}}, usage=USAGE)

    block = going_on.feed(delta("b", finish_reason="stop") + late + usage_event() + DONE)

    events = told([block])
    assert [len(each["choices"]) for each in events] == [1, 0, 0]
    assert [each.get("usage") for each in events] == [None, USAGE, USAGE]
    assert (said(events), reasons(events)) == ("b", ["stop"])
    assert block.endswith(DONE)


def test_an_answer_that_was_finished_gets_no_second_end() -> None:
    assert seam("a", finished=True).feed(delta("b", finish_reason="stop")) == b""


def test_nothing_follows_the_end() -> None:
    going_on = seam("a")

    assert going_on.feed(delta("b", finish_reason="stop") + DONE + usage_event()).endswith(DONE)
    assert going_on.feed(DONE) == b""


def test_an_error_passes_as_it_is() -> None:
    error = encode(b'{"error": {"message": "no more",  "code": 500}}')

    assert seam("a").feed(error) == error
    assert seam("a", finished=True).feed(error) == error


def test_what_was_written_before_the_seam_counts_as_completion_and_not_as_prompt() -> None:
    usage = {"prompt_tokens": 30, "completion_tokens": 5, "total_tokens": 35, "completion_tokens_details": {"x": 1}}

    (told_now,) = told([seam("a", tokens=12).feed(usage_event(usage))])

    assert told_now["usage"] == {**usage, "prompt_tokens": 18, "completion_tokens": 17}


def test_a_prompt_is_never_less_than_nothing_and_the_sum_stays() -> None:
    (told_now,) = told([seam("a", tokens=12).feed(usage_event(USAGE))])

    assert told_now["usage"] == {"prompt_tokens": 0, "completion_tokens": 9, "total_tokens": 9}


def test_usage_with_the_last_choice_is_counted_too() -> None:
    (told_now,) = told([seam("a", tokens=2).feed(event({"index": 0, "finish_reason": "stop"}, usage=USAGE))])

    assert told_now["usage"] == {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9}
    assert told_now["choices"][0]["finish_reason"] == "stop"


def test_counts_that_are_not_told_are_not_made_up() -> None:
    usage = {"prompt_tokens": None, "completion_tokens": 3}

    assert told([seam("a", tokens=2).feed(usage_event(usage))])[0]["usage"] == usage


@pytest.mark.parametrize(
    ("details", "cached"), [({"cached_tokens": 6}, 6), ({"cached_tokens": 0}, 0), ({}, None), (None, None)]
)
def test_what_the_cache_gave_is_remembered(details: dict[str, int] | None, cached: int | None) -> None:
    going_on = seam("a")

    (told_now,) = told([going_on.feed(usage_event({**USAGE, "prompt_tokens_details": details}))])

    assert going_on.cached_tokens == cached
    assert told_now["usage"]["prompt_tokens_details"] == details


def test_log_probabilities_pass_where_the_text_does_and_are_null_where_it_was_changed() -> None:
    def likely(text: str, reason: str | None = None) -> bytes:
        logprobs = {"content": [{"token": text, "logprob": -1.0}]}
        return event({"index": 0, "delta": {"content": text}, "logprobs": logprobs, "finish_reason": reason})

    events = told([seam("a", ("STOP",)).feed(likely("b") + likely("cS") + likely("d") + likely("e", "stop"))])

    assert [each["choices"][0]["delta"]["content"] for each in events] == ["b", "c", "Sd", "e"]
    assert [bool(each["choices"][0]["logprobs"]) for each in events] == [True, False, False, True]


def test_log_probabilities_of_a_token_without_text_pass() -> None:
    block = event({"index": 0, "delta": {"content": ""}, "logprobs": {"content": [{"token": "", "logprob": -1.0}]}})

    assert told([seam("a").feed(block)]) == told([block])


def test_log_probabilities_of_reasoning_that_is_left_out_are_left_out() -> None:
    logprobs = {"content": [{"token": "Hm"}]}
    block = event({"index": 0, "delta": {"reasoning_content": "Hm"}, "logprobs": logprobs})

    assert seam("a").feed(block) == b""


def test_a_completion_goes_on_as_text_and_places_in_it_count_from_the_beginning_of_all() -> None:
    going_on = Seam(written(completion("one ")), ("STOP",), 0, None)
    first = completion("two", logprobs={"tokens": ["two"], "text_offset": [0]})
    second = completion(" S", logprobs={"tokens": [" S"], "text_offset": [3]})
    third = completion("o", "length")

    events = told([going_on.feed(first + second + third)])

    choices = [each["choices"][0] for each in events]
    assert [choice["text"] for choice in choices] == ["two", " ", "So"]
    assert choices[0]["logprobs"] == {"tokens": ["two"], "text_offset": [4]}
    assert choices[1]["logprobs"] is None
    assert choices[2]["finish_reason"] == "length"
    assert not any("delta" in choice for choice in choices)


def test_places_in_a_completion_do_not_count_an_echo() -> None:
    text = "one and two and "
    going_on = Seam(written(completion(text)), (), 0, Overlap(text))
    new = completion("three", logprobs={"text_offset": [len(text + "so ")]})

    (told_now,) = told([going_on.feed(completion(text) + completion("") + completion("so ") + new)])[1:]

    assert told_now["choices"][0]["logprobs"] == {"text_offset": [len(text + "so ")]}


def test_an_opening_that_refuses_refuses_the_seam() -> None:
    with pytest.raises(SeamRefusedError):
        seam("The end", opening=Tail("The end")).feed(delta("Once"))
    with pytest.raises(SeamRefusedError):
        seam("The end", opening=Tail("The end")).feed(delta("The", finish_reason="stop"))


@pytest.mark.parametrize("choices", [[{"index": 1, "delta": {"content": "b"}}], [{"index": 0}, {"index": 1}]])
def test_several_choices_are_refused(choices: list[dict[str, Any]]) -> None:
    with pytest.raises(SeamRefusedError, match="several"):
        seam("a").feed(event(*choices))


@pytest.mark.parametrize(
    "content",
    [
        *(b"no JSON", b"[1]", b"3", b"null", b'{"choices": 3}', b'{"choices": [3]}', b'{"choices": {"0": 1}}'),
        *(b'{"choices": [{"delta": "a"}]}', b'{"choices": [{"delta": null}]}', b'{"choices": [{"text": 3}]}'),
        *(b'{"choices": [{"delta": {"content": [{"type": "text"}]}}]}', b'{"choices": [], "usage": 3}'),
        *(b'{"usage": {"prompt_tokens": "many", "completion_tokens": 1}}', b'{"choices":[{"text":"","logprobs":3}]}'),
    ],
)
def test_events_that_are_none_of_an_answer_are_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        seam("a").feed(delta("Hi") + encode(content))


TEXT = st.text("abS\n\u00fc\U0001f642", max_size=12)


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[str], list[bytes]]:
    """The pieces of a second backend's text, and its events in blocks of one or more."""
    pieces = draw(st.lists(TEXT, max_size=6))
    events = [ROLE, *(delta(piece) for piece in pieces), delta(finish_reason="length"), usage_event(), DONE]
    cuts = sorted(draw(st.sets(st.integers(0, len(events)))))
    return pieces, [b"".join(events[i:j]) for i, j in zip([0, *cuts], [*cuts, len(events)], strict=True)]


@given(TEXT, streams(), st.lists(st.text("abS", min_size=1, max_size=3), max_size=2).map(tuple))
def test_an_answer_of_two_backends_is_one_answer(
    text: str, stream: tuple[list[str], list[bytes]], stops: tuple[str, ...]
) -> None:
    pieces, blocks = stream
    assume(not any(stop in text for stop in stops))
    uninterrupted = Stops(stops)
    expected = uninterrupted.feed(text + "".join(pieces)) + uninterrupted.rest()
    begun = ROLE + delta(text)
    going_on = Seam(written(begun), stops, 0, None)

    block = b"".join([going_on.feed(each) for each in blocks])

    whole = collect(begun + block, None)["choices"][0]
    assert whole["message"]["content"] == (text + "".join(pieces))[: max(len(text), len(expected))]
    assert whole["finish_reason"] == ("stop" if uninterrupted.hit else "length")
    assert len(reasons(told([block]))) == 1
    assert block.count(b"[DONE]") == 1
    assert b'"role"' not in block
    assert going_on.ended


@given(TEXT, st.lists(TEXT, max_size=5), st.booleans())
def test_not_a_character_is_lost_or_doubled_however_often_an_answer_moves(
    text: str, rest: list[str], echoes: bool
) -> None:
    sent = ROLE + delta("Once upon a time, in a land far away, " + text)
    for number, piece in enumerate(rest):
        has = written(sent)
        new = f"<{number}>{piece}"
        going_on = Seam(has, ("NEVER",), 0, Overlap(has.text))
        sent += going_on.feed(ROLE + delta((has.text if echoes else "") + new) + delta("."))

    expected = "".join(f"<{number}>{piece}." for number, piece in enumerate(rest))
    assert written(sent).text == "Once upon a time, in a land far away, " + text + expected
