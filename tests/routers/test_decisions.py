"""GET /admin/decisions and /admin/decisions/{request_id}; POST /admin/decisions/{request_id}/feedback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.domain.confidence import Attempt, Confidence
from tests.fakes.answers import RESET, Json, Stream
from tests.fakes.openai_server import OpenAiServer
from tests.routers.running import CHAT, COMPLETE, EMBED, RunningGateway, backend, error_of, running

pytestmark = pytest.mark.anyio


async def find(gateway: RunningGateway, request_id: str) -> dict[str, Any]:
    response = await gateway.get(f"/admin/decisions/{request_id}")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def test_a_decision_tells_the_whole_story_of_a_request() -> None:
    async with OpenAiServer() as first, OpenAiServer() as second, OpenAiServer() as third:
        third.model = "other"
        told = (
            backend("openai", first),
            backend("openai", second, id="spare", tier=2),
            backend("openai", third, id="other"),
        )
        async with running(*told) as gateway:
            first.script = lambda _: Json({}, 500)
            await gateway.post(CHAT, headers={"X-Request-ID": "mine"})
            record = await find(gateway, "mine")

    expected = {
        **{"request_id": "mine", "endpoint": "chat", "model_asked": "small", "key": None, "stream": False},
        **{"outcome": "completed", "error": None, "backend": "spare", "model": "small"},
        "failed_attempts": [{"backend": "box", "reason": "backend 'box' answered 500"}],
    }
    assert {key: record[key] for key in expected} == expected
    assert record["seconds"] >= record["first_chunk_seconds"] > 0
    assert record["usage"]["total_tokens"] == 12
    assert [route["backend"] for route in record["routes"]] == ["box", "spare"]
    assert record["routes"][1]["verdicts"] == [
        {"rule": "mode-order", "reason": "cpu is choice 4 of balanced", "penalty": 30.0, "reject": False},
        {"rule": "prefer-tier", "reason": "tier 2", "penalty": 2.0, "reject": False},
    ]
    (rejected,) = record["rejected"]
    assert rejected["backend"] == "other"
    assert rejected["verdicts"][-1]["rule"] == "serves-model"
    assert rejected["verdicts"][-1]["reject"]


async def test_a_request_that_nobody_could_take_is_remembered_too(gateway: RunningGateway) -> None:
    await gateway.post(CHAT, model="nothing", headers={"X-Request-ID": "lost"})
    record = await find(gateway, "lost")

    assert (record["outcome"], record["backend"], record["routes"]) == ("failed", None, [])
    assert "does not exist" in record["error"]


async def test_a_broken_answer_is_remembered_with_its_reason(upstream: OpenAiServer) -> None:
    async with running(backend("openai", upstream), handoff={"max_wait_seconds": 0}) as gateway:
        upstream.script = lambda request: Stream([*upstream.pieces(request)[:2], RESET], apart=True)
        await gateway.post(CHAT, headers={"X-Request-ID": "broken"}, stream=True)
        record = await find(gateway, "broken")

    assert record["outcome"] == "broken"
    assert "broke off" in record["error"]
    (handoff,) = record["handoffs"]
    assert (handoff["reason"], handoff["from"], handoff["to"]) == ("fault", "box", None)
    assert (handoff["continuation"], handoff["result"]) == (None, "failed")


async def test_an_answer_that_its_client_left_is_remembered_as_left(
    gateway: RunningGateway, upstream: OpenAiServer
) -> None:
    upstream.script = lambda request: Stream([*upstream.pieces(request)[:2], asyncio.Event()])
    async with gateway.client.stream(
        "POST",
        CHAT,
        json={"model": "small", "messages": [{"role": "user", "content": "Hi"}], "stream": True},
        headers={"X-Request-ID": "left"},
    ):
        assert (await find(gateway, "left"))["outcome"] == "running"
    await gateway.until_idle("box")

    assert (await find(gateway, "left"))["outcome"] == "left"


async def test_the_newest_comes_first_and_the_list_can_be_short(gateway: RunningGateway) -> None:
    for path in (CHAT, COMPLETE, EMBED):
        await gateway.post(path)
    everything = (await gateway.get("/admin/decisions")).json()
    newest = (await gateway.get("/admin/decisions?limit=1")).json()

    assert everything["object"] == "list"
    assert [record["endpoint"] for record in everything["data"]] == ["embed", "complete", "chat"]
    assert newest["data"] == everything["data"][:1]


async def test_only_the_last_ones_are_kept(upstream: OpenAiServer) -> None:
    async with running(backend("openai", upstream), telemetry={"decisions": 2}) as gateway:
        for number in range(3):
            await gateway.post(CHAT, headers={"X-Request-ID": f"n{number}"})
        listed = (await gateway.get("/admin/decisions")).json()["data"]
        forgotten = await gateway.get("/admin/decisions/n0")

    assert [record["request_id"] for record in listed] == ["n2", "n1"]
    assert error_of(forgotten, 404)["code"] == "not_found"


async def test_a_request_id_that_comes_twice_finds_the_newer_one(gateway: RunningGateway) -> None:
    await gateway.post(CHAT, headers={"X-Request-ID": "twice"})
    await gateway.post(COMPLETE, headers={"X-Request-ID": "twice"})

    assert (await find(gateway, "twice"))["endpoint"] == "complete"
    assert len((await gateway.get("/admin/decisions")).json()["data"]) == 1


async def test_what_was_said_is_not_remembered(gateway: RunningGateway, upstream: OpenAiServer) -> None:
    await gateway.post(CHAT, messages=[{"role": "user", "content": "a secret of mine"}])
    text = (await gateway.get("/admin/decisions")).text

    assert "a secret of mine" not in text
    assert upstream.words[0] not in text


SURE = Confidence(0.8125, "small text: log-probabilities", {"logprob_mean": -0.25, "empty": 0.0})


@pytest.fixture
async def keeping(upstream: OpenAiServer, tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """A gateway that has answered the request "mine", and keeps what is said of it in a file of the test."""
    async with running(backend("openai", upstream), telemetry={"feedback": tmp_path / "kept.sqlite3"}) as gateway:
        await gateway.post(CHAT, headers={"X-Request-ID": "mine"})
        yield gateway


def judged(gateway: RunningGateway, *attempts: Attempt) -> None:
    record = gateway.gateway.decisions.find("mine")
    assert record is not None
    record.judged[:] = attempts


def everything_in(directory: Path) -> bytes:
    return b"".join(file.read_bytes() for file in directory.iterdir())


async def say(gateway: RunningGateway, request_id: str = "mine", **told: Any) -> httpx.Response:
    return await gateway.client.post(f"/admin/decisions/{request_id}/feedback", json=told)


@pytest.mark.parametrize("correct", [True, False])
async def test_what_is_said_of_an_answer_is_kept_with_what_was_seen_of_it(
    keeping: RunningGateway, correct: bool
) -> None:
    judged(keeping, Attempt("box", "small", SURE, 9, "accepted"))
    response = await say(keeping, correct=correct)
    (kept,) = keeping.gateway.feedback.rows()

    assert response.status_code == 200, response.text
    assert response.json() == {
        **{"request_id": "mine", "created": int(kept.told_at), "model": "small", "workload": "text", "backend": "box"},
        **{"confidence": 0.8125, "correct": correct, "signals": {"logprob_mean": -0.25, "empty": 0.0}},
    }
    assert (kept.request_id, kept.correct, kept.confidence, kept.signals) == ("mine", correct, 0.8125, SURE.signals)
    assert abs(kept.told_at - time.time()) < 60


async def test_what_is_said_is_said_of_the_attempt_that_was_answered_with(keeping: RunningGateway) -> None:
    doubted = Confidence(0.1, "prior", {"logprob_mean": -3.0})
    judged(
        keeping,
        Attempt("npu", "tiny", doubted, 9, "doubted"),
        Attempt("box", "small", SURE, 9, "best"),
        Attempt("cloud", "large", doubted, 0, "failed"),
    )
    told = (await say(keeping, correct=True)).json()

    assert (told["backend"], told["model"], told["confidence"]) == ("box", "small", 0.8125)


async def test_an_answer_that_nobody_judged_is_kept_without_signals(keeping: RunningGateway) -> None:
    judged(keeping, Attempt("box", "small"))
    unjudged = (await say(keeping, correct=True)).json()
    judged(keeping)
    unheard_of = (await say(keeping, correct=True)).json()

    for told in (unjudged, unheard_of):
        assert (told["backend"], told["model"], told["confidence"], told["signals"]) == ("box", "small", None, {})


async def test_a_second_opinion_takes_the_place_of_the_first(keeping: RunningGateway) -> None:
    await say(keeping, correct=True)
    await say(keeping, correct=False)

    assert [kept.correct for kept in keeping.gateway.feedback.rows()] == [False]


async def test_many_may_say_something_at_once(keeping: RunningGateway) -> None:
    for number in range(20):
        await keeping.post(CHAT, headers={"X-Request-ID": f"n{number}"})
    said = await asyncio.gather(*(say(keeping, f"n{number}", correct=True) for number in range(20)))

    assert {response.status_code for response in said} == {200}
    assert len(list(keeping.gateway.feedback.rows())) == 20


@pytest.mark.parametrize(
    "told", [{}, {"correct": 1}, {"correct": "true"}, {"correct": None}, {"correct": True, "why": "I know"}]
)
async def test_an_opinion_is_true_or_false_and_nothing_else(keeping: RunningGateway, told: dict[str, Any]) -> None:
    error = error_of(await say(keeping, **told), 400)

    assert error["param"] in ("correct", "why")


async def test_nothing_can_be_said_of_what_was_never_asked(keeping: RunningGateway) -> None:
    assert error_of(await say(keeping, "yours", correct=True), 404)["code"] == "not_found"


async def test_nothing_can_be_said_of_an_answer_that_is_still_written(
    keeping: RunningGateway, upstream: OpenAiServer
) -> None:
    upstream.script = lambda request: Stream([*upstream.pieces(request)[:2], asyncio.Event()])
    body = {"model": "small", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    async with keeping.client.stream("POST", CHAT, json=body, headers={"X-Request-ID": "now"}):
        error = error_of(await say(keeping, "now", correct=True), 409)

    assert error["code"] == "still_running"


async def test_nothing_can_be_said_of_an_answer_that_never_was(keeping: RunningGateway) -> None:
    await keeping.post(CHAT, model="nothing", headers={"X-Request-ID": "lost"})

    assert error_of(await say(keeping, "lost", correct=True), 409)["code"] == "no_answer"


async def test_only_an_operator_may_say_something(upstream: OpenAiServer, tmp_path: Path) -> None:
    keys = {
        "admin_keys": [{"name": "boss", "key": "sk-boss-secret"}],
        "api_keys": [{"name": "ada", "key": "sk-ada-secret"}],
    }
    kept = {"feedback": tmp_path / "kept.sqlite3"}
    async with running(backend("openai", upstream), server=keys, telemetry=kept) as gateway:
        ada = {"authorization": "Bearer sk-ada-secret"}
        await gateway.post(CHAT, headers={"X-Request-ID": "mine", **ada})
        path = "/admin/decisions/mine/feedback"
        nobody = await gateway.client.post(path, json={"correct": True})
        client = await gateway.client.post(path, json={"correct": True}, headers=ada)
        boss = await gateway.client.post(
            path, json={"correct": True}, headers={"authorization": "Bearer sk-boss-secret"}
        )

    assert [response.status_code for response in (nobody, client, boss)] == [401, 403, 200]


async def test_a_file_that_can_not_be_written_is_503_and_says_why(upstream: OpenAiServer, tmp_path: Path) -> None:
    (tmp_path / "kept.sqlite3").write_bytes(b"This is no database. " * 100)
    async with running(backend("openai", upstream), telemetry={"feedback": tmp_path / "kept.sqlite3"}) as gateway:
        await gateway.post(CHAT, headers={"X-Request-ID": "mine"})
        error = error_of(await say(gateway, correct=True), 503)

    assert (error["type"], error["code"]) == ("service_unavailable_error", "storage_failed")
    assert "not a database" in error["message"]
    assert str(tmp_path) not in error["message"]


async def test_words_are_never_kept(keeping: RunningGateway, upstream: OpenAiServer, tmp_path: Path) -> None:
    secret = [{"role": "user", "content": "a secret of mine"}]
    await keeping.post(CHAT, messages=secret, headers={"X-Request-ID": "mine"})
    await say(keeping, correct=True)

    content = everything_in(tmp_path)
    assert b"mine" in content
    assert b"secret" not in content
    assert upstream.words[0].strip().encode() not in content
