"""Events, without any process."""

from __future__ import annotations

import orjson

from app.domain.sse import payloads
from backends.openvino_events import CHAT, COMPLETION, Events


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
