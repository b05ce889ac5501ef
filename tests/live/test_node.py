"""The official Node SDK with the real model; `node/ask.mjs` asks, and what came of it is looked at here."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.answers import Json
from tests.fakes.openai_server import OpenAiServer
from tests.live.fake_backend import failing, in_front_of
from tests.live.gateway import CHAT_MODEL, EMBEDDING_MODEL, ENVIRON, Gateway, eventually

pytestmark = pytest.mark.live

HERE = Path(__file__).parent / "node"


@pytest.fixture(scope="session")
def node() -> str:
    """Where node is; the SDK is installed as the lock file says."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None or npm is None:
        if os.environ.get("CI"):
            pytest.fail("node and npm are not installed, and CI is there to test with them")
        pytest.skip("node and npm are not installed: apt-get install nodejs npm")
    installed, lock = HERE / "node_modules" / ".package-lock.json", HERE / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        subprocess.run([npm, "ci", "--silent"], cwd=HERE, env=ENVIRON, check=True, timeout=300)
    return program


def ask(node: str, base_url: str, what: str) -> Any:
    answer = subprocess.run(
        [node, str(HERE / "ask.mjs"), base_url, what], capture_output=True, text=True, timeout=120, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def test_a_question_is_answered(node: str, gateway: Gateway) -> None:
    answer = ask(node, gateway.api, "chat")

    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["content"]
    assert 0 < answer["usage"]["completion_tokens"] <= 8


def test_a_stream_begins_with_the_role_and_ends_with_its_usage(node: str, gateway: Gateway) -> None:
    *chunks, last = ask(node, gateway.api, "stream")

    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert chunks[-1]["choices"][0]["finish_reason"] in ("stop", "length")
    assert all("role" not in chunk["choices"][0]["delta"] for chunk in chunks[1:])
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] > 0


def test_the_sdks_own_stream_helper_puts_the_answer_together(node: str, gateway: Gateway) -> None:
    assert ask(node, gateway.api, "helper")


def test_a_stream_that_its_reader_leaves_frees_its_place(node: str, gateway: Gateway) -> None:
    assert ask(node, gateway.api, "left") is True

    eventually(lambda: gateway.busy() == 0, "its place is free", within_seconds=1)


@pytest.mark.parametrize("what", ["tools", "streamed_tools"])
def test_a_function_is_called_with_its_parameters(node: str, gateway: Gateway, what: str) -> None:
    (choice,) = ask(node, gateway.api, what)["choices"]

    assert choice["finish_reason"] == "tool_calls"
    (call,) = choice["message"]["tool_calls"]
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"])["city"] in ("Paris", "Rome")


def test_a_strict_schema_is_kept_to(node: str, gateway: Gateway) -> None:
    city = json.loads(ask(node, gateway.api, "schema")["choices"][0]["message"]["content"])

    assert city["city"] in ("日本語", "👩‍🚀")
    assert isinstance(city["large"], bool)


def test_a_text_is_gone_on_with(node: str, gateway: Gateway) -> None:
    assert "Paris" in ask(node, gateway.api, "completion")["choices"][0]["text"]


def test_the_sdks_own_encoding_and_plain_numbers_are_the_same_vectors(node: str, gateway: Gateway) -> None:
    answer = ask(node, gateway.api, "embeddings")

    packed, plain = answer["packed"]["data"], answer["plain"]["data"]
    assert [len(item["embedding"]) for item in packed] == [256, 256]
    assert packed[0]["embedding"] == pytest.approx(plain[0]["embedding"], rel=1e-6)


def test_every_model_and_alias_is_listed_and_can_be_retrieved(node: str, gateway: Gateway) -> None:
    answer = ask(node, gateway.api, "models")

    assert {model["id"] for model in answer["listed"]} == {"auto", CHAT_MODEL, EMBEDDING_MODEL}
    assert answer["retrieved"]["id"] == "auto"


def test_what_goes_wrong_arrives_as_the_sdks_own_errors(node: str, gateway: Gateway) -> None:
    errors = ask(node, gateway.api, "errors")

    assert (errors["bad"]["class"], errors["bad"]["param"]) == ("BadRequestError", "messages")
    assert (errors["unknown"]["class"], errors["unknown"]["code"]) == ("NotFoundError", "model_not_found")
    assert (errors["streamed"]["class"], errors["streamed"]["param"]) == ("BadRequestError", "temperature")
    assert errors["elsewhere"]["class"] == "NotFoundError"
    assert all(errors[what]["requestID"] for what in ("bad", "unknown", "streamed"))


@pytest.mark.anyio
async def test_a_busy_backend_is_asked_again_after_the_time_that_it_named(node: str, tmp_path: Path) -> None:
    busy = Json({"error": {"message": "busy"}}, status=429, headers={"Retry-After": "1"})
    async with OpenAiServer() as upstream, in_front_of(upstream, tmp_path) as gateway:
        chats = failing(upstream, busy, busy)
        answer = await asyncio.to_thread(ask, node, gateway.api, "retried")

    assert answer["choices"][0]["message"]["content"] == "".join(upstream.words)
    assert len(chats) == 3
