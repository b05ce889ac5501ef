"""What becomes of texts, roles, characters and log probabilities, and what the kind says of itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from app.domain.backend import Capability
from app.domain.errors import BackendRefusedError, JobRejectedError
from app.domain.handoff import Begun, Continuation
from app.domain.job import Job
from backends.base import Continues, Warms
from tests.backends.openvino.running import STORY, job, logprobs, make, says, settings, tell

pytestmark = pytest.mark.anyio


async def test_each_token_has_its_log_probability(stand_in: Path, start: Callable[..., Any]) -> None:
    backend = await start(stand_in)
    told = await tell(backend, says("say:größer than", logprobs=True, stop=[" than"]))
    entries = logprobs(told)
    assert "".join(entry["token"] for entry in entries) == told.text == "größer"
    assert [entry["bytes"] for entry in entries if entry["token"] == "ö"] == [[0xC3, 0xB6]]
    assert all(entry["logprob"] == -0.5 for entry in entries)


async def test_the_stateful_pipeline_does_not_promise_log_probabilities(tmp_path: Path) -> None:
    for given in ({"device": "NPU"}, {"batching": False}):
        profile = make(tmp_path, tmp_path, **given).profile
        assert "logprobs" not in profile.honours[Capability.CHAT]
        assert profile.concurrency == 1
    profile = make(tmp_path, tmp_path).profile
    assert "logprobs" in profile.honours[Capability.CHAT]
    assert profile.concurrency == 4


async def test_characters_of_several_tokens_come_whole(
    stand_in: Path, batching: bool, start: Callable[..., Any]
) -> None:
    backend = await start(stand_in, batching=batching)
    told = await tell(backend, says("say:日本 🦄!"))
    assert told.text == "日本 🦄!"
    assert told.finish == ["stop"]


async def test_the_template_sees_plain_texts_and_known_roles(stand_in: Path, start: Callable[..., Any]) -> None:
    backend = await start(stand_in)
    parts = [{"type": "text", "text": "echo:|a"}, {"type": "text", "text": "b"}]
    messages = [
        {"role": "developer", "content": "be kind"},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": "so far"},
    ]
    told = await tell(backend, job(messages=messages))
    assert told.text == "<system>be kind<user>echo:|ab<assistant>so far"


def test_it_goes_on_with_a_text_and_keeps_no_constraint(tmp_path: Path) -> None:
    backend = make(tmp_path, tmp_path)
    assert isinstance(backend, Continues)
    assert not isinstance(backend, Warms)
    assert backend.continuations == {Continuation.PREFILL}
    assert not backend.keeps_constraints


async def test_an_answer_that_is_cut_anywhere_goes_on_to_the_same_whole(
    stand_in: Path, batching: bool, start: Callable[..., Any]
) -> None:
    backend, whole = await start(stand_in, batching=batching), "Grüße aus\n\n 日本 🙂 ! "
    for place in range(len(whole) + 1):
        told = await tell(backend, says("say:" + whole, logprobs=batching), Begun(whole[:place]))
        assert whole[:place] + told.text == whole
        assert told.usage["completion_tokens"] == len(whole[place:].encode()) + 1
        assert [choice["delta"].get("role") for choice in told.choices].count("assistant") == 1
        if batching:
            assert "".join(entry["token"] for entry in logprobs(told)) == whole[place:]


async def test_the_middle_of_a_thought_is_refused(stand_in: Path, start: Callable[..., Any]) -> None:
    backend = await start(stand_in)
    with pytest.raises(JobRejectedError, match="thought"):
        await tell(backend, says("say:Hm"), Begun("", reasoning="Hm"))


async def test_what_the_caller_had_the_assistant_begin_with_stays_before_the_text(
    stand_in: Path, start: Callable[..., Any]
) -> None:
    backend = await start(stand_in)
    asked = [{"role": "user", "content": "echo:|"}, {"role": "assistant", "content": "so "}]
    told = await tell(backend, job(messages=asked), Begun("far"))
    assert told.text == "<user>echo:|<assistant>so far"


@pytest.mark.parametrize(
    ("wanted", "param"),
    [
        (job(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]), "messages"),
        (job(messages=[{"role": "clown", "content": "ha"}]), "messages"),
        (job(messages=STORY, response_format={"type": "grammar"}), "response_format"),
        (job(Capability.COMPLETE, prompt=["a", "b"]), "prompt"),
        (job(Capability.COMPLETE, prompt=[1, 2]), "prompt"),
        (job(Capability.COMPLETE, prompt=""), "prompt"),
    ],
)
async def test_what_it_cannot_do_is_the_callers_to_mend(
    stand_in: Path, start: Callable[..., Any], wanted: Job, param: str
) -> None:
    backend = await start(stand_in)
    with pytest.raises(JobRejectedError) as caught:
        await tell(backend, wanted)
    assert (caught.value.status, caught.value.param) == (400, param)


async def test_before_it_is_started_it_refuses(tmp_path: Path) -> None:
    backend = make(tmp_path, tmp_path)
    with pytest.raises(BackendRefusedError, match="not started"):
        await backend.probe()
    await backend.stop()


def test_settings_refuse_a_device_that_openvino_does_not_have() -> None:
    with pytest.raises(ValidationError):
        settings(device="TPU")
