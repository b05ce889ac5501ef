"""Doubted answers of a real small model, through the front door: asked of another real one, streamed and not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from app.catalogue.cache import Cache, default_root
from app.catalogue.catalogue import load_catalogue
from app.commands.serve import CATALOGUE
from tests.live.gateway import CHAT_MODEL, ENVIRON, Gateway, eventually, serving

pytestmark = pytest.mark.live

LARGER = "larger-7b"  # the same file by another name: no larger one can be had from a package
CONFIG = """
server: {{host: 127.0.0.1, port: 8080}}
confidence:
  calibration: {calibration}
  forwarding:
    brief: {{min_confidence: null, hold_tokens: 8}}
    "*": {{min_confidence: null, hold_tokens: 24}}
routing:
  aliases: {{auto: ["*"], brief: ["smollm2-*"]}}
backends:
  - {{id: small, kind: llamacpp, model: {small}, threads: 1, tier: 1, watts: 9}}
  - {{id: large, kind: llamacpp, model: {large}, threads: 1, tier: 3, watts: 60}}
"""
STORY = "Tell me a short story about a fox and a crow."


def _fit(*, beginnings: bool) -> dict[str, Any]:
    """Sure of the first words of an answer of this model, and of no whole one: a logistic of nothing but its length."""
    return {
        "name": "short is sure",
        "features": {"log_tokens": {"weight": -40.0, "mean": 3.0, "scale": 1.0}},
        "intercept": 0.0,
        "curve": {"scores": [], "probabilities": []},
        "models": ["*135m*"],
        "workloads": ["*"],
        "beginnings": beginnings,
        "labels": 0,
    }


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    directory = tmp_path_factory.mktemp("doubt")
    cache, entry = Cache(default_root(ENVIRON)), load_catalogue(CATALOGUE).find(CHAT_MODEL)
    large, calibration = directory / f"{LARGER}.gguf", directory / "calibration.json"
    large.symlink_to(cache.file(entry, entry.files[0].name))
    fits = [_fit(beginnings=False), _fit(beginnings=True)]
    calibration.write_text(json.dumps({"version": 1, "fits": fits, "defects": {}, "priors": {}}))
    config = directory / "doubt.yaml"
    config.write_text(CONFIG.format(small=CHAT_MODEL, large=large, calibration=calibration))
    with serving(directory, config) as running:
        eventually(lambda: running.healthy() >= {"small", "large"}, "both are ready", within_seconds=120)
        yield running


def ask(gateway: Gateway, question: str = STORY, **more: Any) -> httpx.Response:
    headers = more.pop("headers", {})
    body = {"model": CHAT_MODEL, "messages": [{"role": "user", "content": question}], "temperature": 0, **more}
    body.setdefault("max_tokens", 60)
    path = {"X-Escalation-Path": LARGER} if "X-Min-Confidence" in headers else {}
    return httpx.post(f"{gateway.api}/chat/completions", json=body, headers={**path, **headers}, timeout=60)


def record(gateway: Gateway, answer: httpx.Response) -> dict[str, Any]:
    told: dict[str, Any] = gateway.get(f"/admin/decisions/{answer.headers['x-request-id']}").json()
    return told


def pieces(answer: httpx.Response) -> list[str]:
    """What a client reads of a stream; it has one role, one end, and nothing that was not asked for."""
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    assert answer.text.endswith("data: [DONE]\n\n")
    assert answer.text.count("[DONE]") == 1
    assert "logprobs" not in answer.text.replace('"logprobs":null', "")
    deltas = [event["choices"][0]["delta"] for event in events if event["choices"]]
    assert sum("role" in delta for delta in deltas) == 1
    assert sum(bool(event["choices"][0]["finish_reason"]) for event in events if event["choices"]) == 1
    return [delta["content"] for delta in deltas if delta.get("content")]


def test_a_doubted_whole_answer_is_asked_of_the_larger_model(gateway: Gateway) -> None:
    answer = ask(gateway, headers={"X-Min-Confidence": "0.5"})
    told = record(gateway, answer)

    assert answer.headers["x-backend-used"] == "large"
    assert answer.headers["x-attempts"] == "2"
    assert 0 <= float(answer.headers["x-confidence"]) <= 1
    assert LARGER in answer.json()["model"]
    assert answer.json()["choices"][0].get("logprobs") is None
    assert [attempt["result"] for attempt in told["answers"]] == ["doubted", "accepted"]
    assert told["answers"][0]["signals"]["logprob_mean"] < 0
    assert told["energy"]["source"] == "estimated"
    assert gateway.busy() == 0


def test_without_a_policy_a_local_answer_says_how_sure_it_is(gateway: Gateway) -> None:
    answer = ask(gateway, "What is the capital of France?", max_tokens=16)

    assert answer.headers["x-backend-used"] == "small"
    assert answer.headers["x-attempts"] == "1"
    assert 0 <= float(answer.headers["x-confidence"]) <= 1
    assert answer.json()["choices"][0].get("logprobs") is None


def test_a_doubted_beginning_is_never_seen(gateway: Gateway) -> None:
    held = ask(gateway, stream=True, headers={"X-Min-Confidence": "0.5", "X-Judging-Mode": "hold"})
    larger = ask(gateway, stream=True, model=LARGER)
    told = record(gateway, held)

    assert held.headers["x-backend-used"] == "large"
    assert "".join(pieces(held)) == "".join(pieces(larger))
    assert told["answers"][0]["result"] == "doubted"
    assert told["answers"][0]["tokens"] == 24
    assert (told["handoffs"][0]["reason"], told["handoffs"][0]["at_tokens"]) == ("doubt", 0)


def test_when_doubt_rises_later_the_larger_model_goes_on_after_what_was_good(gateway: Gateway) -> None:
    alone = ask(gateway, stream=True)
    held = ask(gateway, stream=True, model="brief", headers={"X-Min-Confidence": "0.5", "X-Judging-Mode": "hold"})
    told = record(gateway, held)

    move, sent = told["handoffs"][0], "".join(pieces(held))
    assert held.headers["x-backend-used"] == "small"
    assert (move["reason"], move["from"], move["to"], move["result"]) == ("doubt", "small", "large", "completed")
    assert sent[: move["at_chars"]] == "".join(pieces(alone))[: move["at_chars"]]
    assert len(sent) > move["at_chars"] > 0
    assert move["at_tokens"] < told["answers"][0]["tokens"]  # what was held back was written anew
    assert gateway.busy() == 0


def test_a_watched_answer_goes_on_from_what_was_sent(gateway: Gateway) -> None:
    alone = ask(gateway, stream=True)
    watched = ask(gateway, stream=True, headers={"X-Min-Confidence": "0.5", "X-Judging-Mode": "watch"})
    told = record(gateway, watched)

    move = told["handoffs"][0]
    assert (move["reason"], move["from"], move["to"], move["result"]) == ("doubt", "small", "large", "completed")
    sent = "".join(pieces(watched))
    assert sent[: move["at_chars"]] == "".join(pieces(alone))[: move["at_chars"]]
    assert len(sent) > move["at_chars"] > 0
    assert told["usage"]["completion_tokens"] <= 60


def test_a_buffered_answer_is_judged_before_a_byte_is_sent(gateway: Gateway) -> None:
    buffered = ask(gateway, stream=True, headers={"X-Min-Confidence": "0.5", "X-Judging-Mode": "buffer"})
    larger = ask(gateway, stream=True, model=LARGER)

    assert buffered.headers["x-backend-used"] == "large"
    assert buffered.headers["x-attempts"] == "2"
    assert float(buffered.headers["x-confidence"]) >= 0.5
    assert "".join(pieces(buffered)) == "".join(pieces(larger))


def test_the_sdk_sees_nothing_of_it(gateway: Gateway) -> None:
    with openai.OpenAI(base_url=gateway.api, api_key="none", max_retries=0) as client:
        stream = client.chat.completions.create(
            model=CHAT_MODEL,
            messages=[{"role": "user", "content": STORY}],
            max_tokens=40,
            stream=True,
            stream_options={"include_usage": True},
            extra_headers={"X-Min-Confidence": "0.5", "X-Escalation-Path": LARGER},
        )
        chunks = list(stream)

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert all(chunk.choices[0].logprobs is None for chunk in chunks if chunk.choices)
    assert chunks[-1].usage is not None


def test_a_client_that_asks_for_log_probabilities_gets_them_as_it_asked(gateway: Gateway) -> None:
    answer = ask(gateway, "Hi", max_tokens=8, logprobs=True, top_logprobs=2)

    told = answer.json()["choices"][0]["logprobs"]["content"]
    assert told
    assert all(len(token["top_logprobs"]) == 2 for token in told)


def test_what_people_say_of_an_answer_is_kept(gateway: Gateway) -> None:
    answer = ask(gateway, "What is the capital of France?", max_tokens=16)
    path = f"{gateway.url}/admin/decisions/{answer.headers['x-request-id']}/feedback"
    kept = httpx.post(path, json={"correct": True}, timeout=10)

    assert kept.status_code == 200
    assert kept.json()["correct"] is True
    assert kept.json()["signals"]["logprob_mean"] < 0
