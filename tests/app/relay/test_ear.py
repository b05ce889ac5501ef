"""What is heard of an answer, and what of it is kept from its client."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.confidence.trace import KEPT
from app.domain.sse import DONE, encode, payloads
from app.relay.ear import Ear
from tests.app.builders import delta, event, told, usage_event

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["content", "logprob", "top_logprobs", "token_logprobs", "x"]), inner)
    ),
    max_leaves=12,
)


def chat(word: Any, logprobs: Any) -> bytes:
    return event({"index": 0, "delta": {"content": word}, "logprobs": logprobs, "finish_reason": None})


def text(word: str, logprobs: Any) -> bytes:
    return event({"index": 0, "text": word, "logprobs": logprobs, "finish_reason": None})


def token(logprob: Any, *top: Any) -> dict[str, Any]:
    told_of = [{"token": "a", "logprob": each} for each in top]
    return {"content": [{"token": "a", "logprob": logprob, "top_logprobs": told_of}]}


def test_words_and_their_log_probabilities_are_heard_in_the_shape_of_chat() -> None:
    ear = Ear(strips=False)
    ear.feed(delta("", role="assistant") + chat("Hi", token(-0.5, -0.5, -1.5)))
    ear.feed(chat(" you", token(-1.5, -0.25, -1.5)) + delta(finish_reason="stop") + usage_event() + DONE)

    assert (ear.text(), ear.last_words(), ear.finish_reason, ear.count) == ("Hi you", "Hi you", "stop", 2)
    assert list(ear.trace.logprobs) == [-0.5, -1.5]
    assert list(ear.trace.margins) == [1.0, 1.25]
    assert ear.trace.untold == 0
    assert ear.calls is False


def test_they_are_heard_in_the_shape_of_completions() -> None:
    ear = Ear(strips=False)
    ear.feed(
        text(
            "Hi you",
            {"token_logprobs": [-0.5, -1.5], "top_logprobs": [{"b": -1.5, "a": -0.5}, {"a": -0.25, "b": -1.5}]},
        )
    )

    assert (ear.text(), ear.count) == ("Hi you", 2)
    assert list(ear.trace.logprobs) == [-0.5, -1.5]
    assert list(ear.trace.margins) == [1.0, 1.25]


@pytest.mark.parametrize("tops", [None, [], [None], [{}], [None, {"a": -0.5, "b": -1.0}], ["no"], 7])
def test_alternatives_that_are_missing_take_nothing_from_the_tokens(tops: Any) -> None:
    ear = Ear(strips=True)
    ear.feed(text("Hi you", {"token_logprobs": [-0.5, -1.5], "top_logprobs": tops}))

    assert ear.trace.count == 2 or ear.trace.untold
    assert ear.text() == "Hi you"


@pytest.mark.parametrize("name", ["tool_calls", "function_call"])
def test_a_call_is_heard(name: str) -> None:
    ear = Ear(strips=True)
    ear.feed(event({"index": 0, "delta": {name: [{"index": 0}]}, "finish_reason": None}))

    assert ear.calls


def test_what_nobody_asked_for_is_kept_from_the_client_and_the_rest_is_as_it_came() -> None:
    plain = [delta("", role="assistant"), usage_event(), b'data: {"odd" :  [1,2]}\n\n', b"data: no JSON\n\n", DONE]
    ear = Ear(strips=True)

    out = ear.feed(plain[0] + chat("Hi", token(-0.5)) + b"".join(plain[1:]))

    (said,) = [
        each
        for each in told([out.replace(b"data: no JSON\n\n", b"")])
        if each.get("choices") and each["choices"][0]["delta"].get("content")
    ]
    assert said["choices"] == [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}]
    assert all(each in out for each in plain)
    assert b"logprob" not in out


def test_a_client_that_asked_gets_the_very_bytes() -> None:
    block = chat("Hi", token(-0.5)) + b'data: {"odd" :  [1,2]}\n\n' + DONE

    assert Ear(strips=False).feed(block) == block


def test_tokens_of_which_nothing_is_told_count_once_something_was() -> None:
    ear = Ear(strips=True)
    ear.feed(chat("a", None))
    assert ear.trace.untold == 0
    ear.feed(chat("b", token(-0.5)) + chat("c", None) + delta("", role="assistant"))

    assert (ear.trace.count, ear.trace.untold, ear.count) == (1, 1, 3)


@given(JSON, st.booleans(), st.booleans())
def test_whatever_is_told_of_a_token_its_word_is_heard_and_nothing_of_it_gets_out(
    logprobs: Any, legacy: bool, first: bool
) -> None:
    ear = Ear(strips=True)
    if not first:
        ear.feed(chat("Hi", token(-0.5, -0.5, -1.0)))
    out = ear.feed(text(" you", logprobs) if legacy else chat(" you", logprobs))

    assert ear.text().endswith(" you")
    (said,) = told([out])
    assert "logprobs" not in said["choices"][0]


@given(JSON)
def test_whatever_an_event_is_it_passes(junk: Any) -> None:
    block = encode(orjson.dumps(junk))
    ear = Ear(strips=True)

    assert ear.feed(block) == block
    assert isinstance(ear.text(), str)


@given(
    st.recursive(
        st.none() | st.integers(0, 3) | st.text(max_size=3),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["text", "delta", "content", "index", "finish_reason"]), inner)
        ),
        max_leaves=8,
    )
)
def test_whatever_a_choice_is_it_passes_as_it_came(choice: Any) -> None:
    block = encode(orjson.dumps({"choices": [choice]}))
    ear = Ear(strips=True)

    assert ear.feed(block) == block
    assert isinstance(ear.text(), str)


@pytest.mark.parametrize("literal", [b"NaN", b"-Infinity", b"Infinity"])
def test_numbers_that_json_does_not_have_count_as_not_told(literal: bytes) -> None:
    ear = Ear(strips=True)
    out = ear.feed(chat("Hi", token(-77.5)).replace(b"-77.5", literal))

    assert (ear.text(), ear.trace.count, ear.trace.untold) == ("Hi", 0, 1)
    assert orjson.loads(payloads(out)[0])["choices"][0]["delta"] == {"content": "Hi"}


@pytest.mark.parametrize(
    "odd",
    [b'data: {"a": NaN, "b": "\\ud83d"}\n\n', b'data: {"a": NaN, "b": 99999999999999999999}\n\n', b'data: {"NaN\n\n'],
)
def test_what_is_no_json_even_with_such_numbers_passes_as_it_came(odd: bytes) -> None:
    assert Ear(strips=True).feed(odd) == odd


def test_the_words_that_might_have_come_first_are_kept_with_their_probabilities() -> None:
    ear = Ear(strips=True)
    ear.feed(
        chat(
            "Yes",
            {
                "content": [
                    {
                        "token": "Yes",
                        "logprob": 0.0,
                        "top_logprobs": [{"token": "Yes", "logprob": 0.0}, {"token": "No", "logprob": None}],
                    }
                ]
            },
        )
    )
    ear.feed(chat(".", token(-1.0, -1.0)))

    assert ear.first == [("Yes", 1.0)]


def test_a_hundred_thousand_tokens_are_heard_in_bounded_time_and_memory() -> None:
    blocks = [chat("word ", token(-0.5, -0.5, -1.5, -2.5))] * 100_000
    ear = Ear(strips=True)
    tracemalloc.start()
    for block in blocks[: 2 * KEPT]:
        ear.feed(block)
    tracemalloc.stop()
    began = time.perf_counter()
    for block in blocks[2 * KEPT :]:
        ear.feed(block)
    seconds = time.perf_counter() - began

    assert ear.count == 100_000
    assert len(ear.trace.logprobs) == KEPT
    assert len(ear.last_words()) <= 256 * len("word ")
    assert seconds / (100_000 - 2 * KEPT) < 100e-6
