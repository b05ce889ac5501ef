"""Stop strings and events, without any process."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from app.domain.sse import payloads
from backends.openvino_events import CHAT, COMPLETION, Events, Stops

LETTERS = st.text("ab", max_size=12)


def fed(stops: tuple[str, ...], pieces: list[str]) -> str:
    matcher, out = Stops(stops), ""
    for piece in pieces:
        out += matcher.feed(piece)
        if matcher.hit:
            return out
    return out + matcher.rest()


@given(st.lists(LETTERS), st.lists(st.text("ab", min_size=1, max_size=4), max_size=3))
def test_text_is_cut_at_the_same_place_however_it_comes_in_pieces(pieces: list[str], stops: list[str]) -> None:
    text = "".join(pieces)
    assert fed(tuple(stops), pieces) == fed(tuple(stops), list(text)) == fed(tuple(stops), [text])


@given(st.lists(LETTERS), st.text("ab", min_size=1, max_size=4))
def test_no_stop_string_gets_through_and_nothing_before_it_is_lost(pieces: list[str], stop: str) -> None:
    assert fed((stop,), pieces) == "".join(pieces).partition(stop)[0]


def test_log_probabilities_wait_for_the_text_that_they_belong_to() -> None:
    events = Events(CHAT, "m", ("STOP",))
    held = payloads(events.block({"text": "S", "tokens": 1, "prompt_tokens": 3, "logprobs": [["S", -1.0]]}))
    assert [orjson.loads(data)["choices"][0]["delta"] for data in held] == [{"role": "assistant", "content": ""}]
    (out,) = payloads(events.block({"text": "o", "tokens": 1, "logprobs": [["o", -2.0]]}))
    content = orjson.loads(out)["choices"][0]["logprobs"]["content"]
    assert [(entry["token"], entry["logprob"]) for entry in content] == [("S", -1.0), ("o", -2.0)]


def test_a_completion_that_says_nothing_still_ends() -> None:
    found = payloads(Events(COMPLETION, "m").block({"end": "stop", "prompt_tokens": 2}))
    assert orjson.loads(found[0])["choices"] == [{"index": 0, "text": "", "logprobs": None, "finish_reason": "stop"}]
    assert orjson.loads(found[1])["usage"] == {"prompt_tokens": 2, "completion_tokens": 0, "total_tokens": 2}
    assert found[2] == b"[DONE]"
