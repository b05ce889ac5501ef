"""What is found out about a llama.cpp server before its answers are moved, and what is not relied on then."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.domain.backend import Capability
from app.domain.errors import BackendRefusedError
from app.domain.handoff import Begun, Continuation
from backends.base import Continues, Warms
from tests.backends.kinds import job
from tests.backends.running import running
from tests.fakes.answers import Json
from tests.fakes.llamacpp_server import STATE_BYTES, LlamaCppServer

pytestmark = pytest.mark.anyio

KV, TOKENS, PREFILL = Continuation.KV, Continuation.TOKENS, Continuation.PREFILL


@asynccontextmanager
async def probed(
    directory: Path | None, spoil: Callable[[LlamaCppServer], None] = lambda _: None, **settings: Any
) -> AsyncIterator[tuple[LlamaCppServer, Any]]:
    told = {**settings, "slot_directory": directory} if directory else settings
    async with running("llamacpp", **told) as (server, backend):
        assert isinstance(server, LlamaCppServer)
        server.slot_directory = directory
        spoil(server)
        assert await backend.probe()
        yield server, backend


async def test_nothing_is_relied_on_before_the_test() -> None:
    async with running("llamacpp") as (_, backend):
        assert all(isinstance(backend, each) for each in (Continues, Warms))
        assert backend.continuations == backend.keeps_constraints == frozenset()
        assert (backend.state_kind, backend.move_seconds) == (None, None)


@pytest.fixture
def slots(tmp_path: Path) -> Iterator[Path]:
    """A directory in which nothing is left."""
    yield tmp_path
    assert list(tmp_path.iterdir()) == []


async def test_a_server_that_can_do_everything_is_found_to(slots: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with probed(slots) as (_, backend):
        assert backend.continuations == backend.keeps_constraints == {KV, TOKENS, PREFILL}
        assert backend.state_kind is not None
        assert backend.move_seconds > 0

    assert caplog.messages == []


async def test_it_is_tested_once(tmp_path: Path) -> None:
    async with probed(tmp_path) as (server, backend):
        server.requests.clear()
        await backend.probe()

    assert [request.path for request in server.requests] == ["/v1/models"]


async def test_without_a_slot_directory_no_state_moves_and_the_server_chooses_the_slot(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with probed(None) as (server, backend):
        assert backend.continuations == {TOKENS, PREFILL}
        assert backend.state_kind is None
        [block async for block in backend.chat(job(Capability.CHAT))]
        closed = []

        async def stop() -> None:
            closed.append(True)

        with pytest.raises(BackendRefusedError):
            await backend.save(job(Capability.CHAT), Begun("a"), stop)

    assert closed
    assert not any("id_slot" in (request.body or {}) for request in server.requests)
    assert caplog.messages == []


def forgetting(server: LlamaCppServer) -> None:
    server.forgets = True


def without_slots(server: LlamaCppServer) -> None:
    server.slot_directory = None


def without_props(server: LlamaCppServer) -> None:
    server.props = None


def with_a_model_elsewhere(server: LlamaCppServer) -> None:
    assert server.props is not None
    server.props["model_path"] = "/nowhere/model.gguf"


def writing_elsewhere(server: LlamaCppServer) -> None:
    assert server.slot_directory is not None
    server.slot_directory = server.slot_directory / "elsewhere"
    server.slot_directory.mkdir()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (forgetting, "a restored slot is read anew"),
        (without_slots, "answered 501"),
        (without_props, "nobody knows where"),
        (with_a_model_elsewhere, "nobody knows where"),
        (writing_elsewhere, "No such file"),
    ],
)
async def test_a_server_whose_state_can_not_move_says_why_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil: Callable[[LlamaCppServer], None], why: str
) -> None:
    async with probed(tmp_path, spoil) as (_, backend):
        await backend.probe()
        assert backend.continuations == {TOKENS, PREFILL}
        assert backend.state_kind is None

    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "backend box" in record.getMessage()
    assert "kv (" in record.getMessage()
    assert why in record.getMessage()


async def test_a_server_that_repeats_what_it_was_given_is_not_prefilled(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def echoing(server: LlamaCppServer) -> None:
        server.echoes = True

    async with probed(tmp_path, echoing) as (_, backend):
        assert backend.continuations == {KV, TOKENS}
        assert backend.keeps_constraints == frozenset()

    assert "prefill (" in caplog.text


async def test_a_server_that_forgets_the_schema_is_not_trusted_with_one(tmp_path: Path) -> None:
    def ignoring(server: LlamaCppServer) -> None:
        server.ignores_schemas = True

    async with probed(tmp_path, ignoring) as (_, backend):
        assert backend.continuations == {KV, TOKENS, PREFILL}
        assert backend.keeps_constraints == frozenset()


async def test_a_server_that_refuses_all_of_it_is_well_nevertheless(tmp_path: Path) -> None:
    def refusing(server: LlamaCppServer) -> None:
        server.script = lambda request: (
            Json({"error": "no"}, status=500) if request.method == "POST" else server.answer(request)
        )

    async with probed(tmp_path, refusing) as (_, backend):
        assert backend.continuations == frozenset()


async def test_a_server_for_embeddings_is_not_tested() -> None:
    async with probed(None, embeddings=True) as (server, backend):
        assert backend.continuations == frozenset()

    assert not any(request.method == "POST" for request in server.requests)


async def test_the_kind_of_state_tells_models_and_caches_apart(tmp_path: Path) -> None:
    def of_another_model(server: LlamaCppServer) -> None:
        assert server.props is not None
        server.props["model_path"] = pytest.__file__

    def with_a_smaller_cache(server: LlamaCppServer) -> None:
        server.state_bytes = STATE_BYTES // 2

    kinds = []
    for spoil in (lambda _: None, lambda _: None, of_another_model, with_a_smaller_cache):
        async with probed(tmp_path, spoil) as (_, backend):
            kinds.append(backend.state_kind)

    assert None not in kinds
    assert kinds[0] == kinds[1]
    assert len(set(kinds)) == 3
