"""The state of a running answer leaves in a file and is taken up from it, and no file outlives its use."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.domain.backend import Capability
from app.domain.errors import BackendBusyError, BackendError, BackendRefusedError, JobRejectedError, StreamBrokenError
from app.domain.handoff import Begun, Snapshot
from app.domain.job import Job
from backends.base import Resources
from backends.llamacpp import LlamaCpp
from backends.llamacpp_settings import LlamaCppSettings
from backends.shelf import Shelf
from tests.backends.kinds import events, job, stream, text
from tests.fakes.answers import Answer, Json, Script
from tests.fakes.llamacpp_server import LlamaCppServer, detokenise, tokenise
from tests.fakes.wire import Request

pytestmark = pytest.mark.anyio

WORDS = ("Grüße", " aus", " 日本", " 🙂", "!", " And", " bye", ".")
WHOLE = "".join(WORDS)
WAYS = (Capability.CHAT, Capability.COMPLETE)


class Box:
    """A fake server, a backend for it, and an answer that leaves it."""

    def __init__(self, server: LlamaCppServer, backend: LlamaCpp, directory: Path, shelf: Shelf) -> None:
        self.server = server
        self.backend = backend
        self.directory = directory
        self.shelf = shelf
        self.closed = 0

    async def begin(self, asked: Job, words: int) -> tuple[Begun, Any]:
        """What is read when so many words have come, and the stream."""
        self.server.writes, read = words, b""
        blocks = stream(self.backend, asked)
        while len(text(events(read))) < len("".join(WORDS[:words])):
            read += await anext(blocks)
        return Begun(text(events(read)), written=words), blocks

    async def save(self, asked: Job, words: int = 3) -> Snapshot:
        begun, blocks = await self.begin(asked, words)
        return await self.saved(asked, begun, blocks)

    async def saved(self, asked: Job, begun: Begun, blocks: Any) -> Snapshot:
        async def stop() -> None:
            self.closed += 1
            await blocks.aclose()

        return await self.backend.save(asked, begun, stop)

    async def asked_to_save(self) -> None:
        """The request for it has come."""
        async with asyncio.timeout(5):
            for times in itertools.count(1):
                await self.server.asked(times)
                if self.asked_of("/slots"):
                    return

    async def tidied(self) -> None:
        """Whatever went on in the background has ended."""
        if going := [task for task in asyncio.all_tasks() if task.get_name() == "state box"]:
            await asyncio.wait(going, timeout=5)
        await asyncio.sleep(0)

    @property
    def files(self) -> list[Path]:
        return list(self.directory.iterdir())

    def asked_of(self, path: str) -> list[Any]:
        return [request.body for request in self.server.requests if request.path.startswith(path)]


@asynccontextmanager
async def box(directory: Path, shelf: Shelf | None = None) -> AsyncIterator[Box]:
    """Probed; its server has not been asked anything since."""
    shelf = shelf or Shelf()
    async with LlamaCppServer(WORDS) as server:
        server.slot_directory = directory
        told = {"id": "box", "kind": "llamacpp", "url": server.url, "slot_directory": directory}
        backend = LlamaCpp(LlamaCppSettings.model_validate(told), Resources(Path, directory, shelf))
        await backend.start()
        try:
            await backend.probe()
            server.requests.clear()
            yield Box(server, backend, directory, shelf)
        finally:
            await backend.stop()


async def rest_of(backend: LlamaCpp, asked: Job, snapshot: Snapshot) -> list[dict[str, Any]]:
    return events(b"".join([block async for block in backend.restore(asked, snapshot)]))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("words", range(1, len(WORDS)))
@pytest.mark.parametrize("ahead", [0, 1, 2, 3, 4])
async def test_an_answer_goes_on_at_another_server_to_the_letter(
    tmp_path: Path, way: Capability, words: int, ahead: int
) -> None:
    asked = job(way)
    async with box(tmp_path) as hot, box(tmp_path) as cool:
        assert hot.backend.state_kind == cool.backend.state_kind
        hot.server.ahead = ahead
        snapshot = await hot.save(asked, words)
        rest = await rest_of(cool.backend, asked, snapshot)
        snapshot.delete()

    begun = snapshot.begun
    assert begun.text == "".join(WORDS[:words])
    assert begun.text + text(rest) == WHOLE
    assert text(rest).startswith(begun.surplus)
    assert begun.tokens is not None
    assert detokenise(begun.tokens[-begun.written :]) == begun.text + begun.surplus
    assert rest[-1]["usage"]["prompt_tokens_details"]["cached_tokens"] >= len(begun.tokens) - 2
    assert {each["object"] for each in rest} == {"chat.completion.chunk" if way is WAYS[0] else "text_completion"}


async def test_the_file_is_for_nobody_else_and_gone_when_it_is_deleted(tmp_path: Path) -> None:
    async with box(tmp_path) as hot:
        snapshot = await hot.save(job(Capability.CHAT))

        assert hot.files == [snapshot.file]
        assert snapshot.size_bytes == snapshot.file.stat().st_size == hot.shelf.size_bytes
        assert len(snapshot.file.stem) == 32
        snapshot.delete()
        snapshot.delete()

        assert hot.files == []
        assert hot.shelf.size_bytes == 0
        assert hot.closed == 1


async def test_the_stream_is_closed_before_its_slot_is_saved(tmp_path: Path) -> None:
    async with box(tmp_path) as hot:
        asked = job(Capability.CHAT)
        begun, blocks = await hot.begin(asked, 2)

        async def stop() -> None:
            assert hot.asked_of("/slots") == []
            await blocks.aclose()

        (await hot.backend.save(asked, begun, stop)).delete()

        (chatted,) = hot.asked_of("/v1/chat")
        assert [request.path for request in hot.server.requests if "/slots" in request.path] == [
            f"/slots/{chatted['id_slot']}?action=save"
        ]


async def test_a_slot_is_nobody_elses_until_it_is_saved(tmp_path: Path) -> None:
    async with box(tmp_path) as hot:
        asked = job(Capability.CHAT)
        begun, blocks = await hot.begin(asked, 2)
        hot.server.saves.clear()
        hot.server.writes = None
        saving = asyncio.create_task(hot.saved(asked, begun, blocks))
        await hot.asked_to_save()
        for _ in range(3):
            async for _block in hot.backend.chat(job(Capability.CHAT)):
                """Only where it runs counts."""
        hot.server.saves.set()
        (await saving).delete()
        async for _block in hot.backend.chat(job(Capability.CHAT)):
            """As before."""

    first, *others, last = [body["id_slot"] for body in hot.asked_of("/v1/chat")]
    assert first not in others
    assert last in (first, *others)


async def test_a_save_that_nobody_waits_for_any_more_keeps_its_slot_and_leaves_no_file(tmp_path: Path) -> None:
    async with box(tmp_path) as hot:
        asked = job(Capability.CHAT)
        begun, blocks = await hot.begin(asked, 2)
        hot.server.saves.clear()
        hot.server.writes = None
        saving = asyncio.create_task(hot.saved(asked, begun, blocks))
        await hot.asked_to_save()
        saving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await saving
        assert hot.shelf.size_bytes > 0  # the server has yet to write it
        async for _block in hot.backend.chat(job(Capability.CHAT)):
            """Only where it runs counts."""

        hot.server.saves.set()
        await hot.tidied()

        first, second = [body["id_slot"] for body in hot.asked_of("/v1/chat")]
        assert first != second
        assert hot.files == []
        assert hot.shelf.size_bytes == 0


async def test_a_backend_that_stops_amid_a_save_leaves_no_file(tmp_path: Path) -> None:
    async with box(tmp_path) as hot:
        asked = job(Capability.CHAT)
        begun, blocks = await hot.begin(asked, 2)
        hot.server.saves.clear()
        saving = asyncio.create_task(hot.saved(asked, begun, blocks))
        await hot.asked_to_save()

        await hot.backend.stop()

        with pytest.raises(BackendError):
            await saving
        assert hot.files == []
        assert hot.shelf.size_bytes == 0


@pytest.mark.parametrize("said", ["something else", "Grüße an"])
async def test_a_state_that_says_something_else_is_thrown_away(tmp_path: Path, said: str) -> None:
    async with box(tmp_path) as hot:
        asked = job(Capability.CHAT)
        _, blocks = await hot.begin(asked, 3)
        with pytest.raises(StreamBrokenError, match="says another text"):
            await hot.saved(asked, Begun(said), blocks)

        assert hot.files == []
        assert hot.shelf.size_bytes == 0


def without_a_file(server: LlamaCppServer) -> Script:
    told = Json({"n_written": 10})
    return lambda request: told if request.path.endswith("save") else server.answer(request)


def without_a_whole_file(server: LlamaCppServer) -> Script:
    def cut(request: Request) -> Answer:
        if not request.path.endswith("save"):
            return server.answer(request)
        assert server.slot_directory is not None
        (server.slot_directory / request.body["filename"]).write_bytes(b"short")
        return Json({"n_written": 10})

    return cut


def refusing(server: LlamaCppServer, path: str) -> Script:
    told = Json(server.error("no"), status=400)
    return lambda request: told if path in request.path else server.answer(request)


@pytest.mark.parametrize(
    "script",
    [
        without_a_file,
        without_a_whole_file,
        lambda server: refusing(server, "save"),
        lambda server: refusing(server, "/apply-template"),
        lambda server: refusing(server, "/detokenize"),
    ],
)
async def test_a_server_that_can_not_save_leaves_no_file_and_nobody_is_at_fault(tmp_path: Path, script: Any) -> None:
    async with box(tmp_path) as hot:
        asked = job(Capability.CHAT)
        begun, blocks = await hot.begin(asked, 3)
        hot.server.script = script(hot.server)
        with pytest.raises(BackendRefusedError) as raised:
            await hot.saved(asked, begun, blocks)
        await hot.tidied()

        assert not isinstance(raised.value, JobRejectedError)
        assert hot.files == []
        assert hot.closed == 1


async def test_without_room_nothing_is_saved_but_the_stream_is_closed(tmp_path: Path) -> None:
    async with box(tmp_path, Shelf(max_files=1)) as hot:
        first = await hot.save(job(Capability.CHAT))
        with pytest.raises(BackendBusyError):
            await hot.save(job(Capability.CHAT))

        assert hot.closed == 2
        assert hot.files == [first.file]
        first.delete()
        (await hot.save(job(Capability.CHAT))).delete()


async def test_a_file_that_turns_out_too_large_is_removed(tmp_path: Path) -> None:
    async with box(tmp_path, Shelf(max_bytes=300)) as hot:
        with pytest.raises(BackendBusyError):
            await hot.save(job(Capability.CHAT, messages=[{"role": "user", "content": "word " * 20}]), 1)

        assert hot.files == []
        assert hot.shelf.size_bytes == 0


async def test_an_answer_that_is_not_running_here_has_no_state(tmp_path: Path) -> None:
    async with box(tmp_path) as hot:
        asked = job(Capability.CHAT)
        begun, blocks = await hot.begin(asked, 3)
        with pytest.raises(BackendRefusedError):
            await hot.saved(job(Capability.CHAT), begun, blocks)

        assert hot.closed == 1
        assert hot.asked_of("/slots") == []


async def test_a_server_whose_slots_are_all_taken_takes_no_state_up(tmp_path: Path) -> None:
    async with box(tmp_path) as hot, box(tmp_path) as cool:
        snapshot = await hot.save(job(Capability.CHAT))
        busy = [(await cool.begin(job(Capability.CHAT), 1))[1] for _ in range(2)]
        with pytest.raises(BackendBusyError):
            await rest_of(cool.backend, job(Capability.CHAT), snapshot)
        for blocks in busy:
            await blocks.aclose()

        cool.server.writes = None
        assert text(await rest_of(cool.backend, job(Capability.CHAT), snapshot)) == "".join(WORDS[3:])
        snapshot.delete()


async def test_an_answer_that_was_taken_up_can_be_saved_again(tmp_path: Path) -> None:
    async with box(tmp_path) as hot, box(tmp_path) as cool:
        first, asked = await hot.save(job(Capability.CHAT), 2), job(Capability.CHAT)
        cool.server.writes, read = 1, b""
        blocks = cool.backend.restore(asked, first)
        while not text(events(read)):
            read += await anext(blocks)
        second = await cool.saved(asked, Begun(first.begun.text + text(events(read))), blocks)
        hot.server.writes = None
        rest = await rest_of(hot.backend, asked, second)
        first.delete()
        second.delete()

    assert second.begun.text == "".join(WORDS[:3])
    assert second.begun.text + text(rest) == WHOLE


@pytest.mark.parametrize("method", ["replay", "prefill"])
async def test_what_was_read_ahead_is_gone_on_with_in_the_same_slot(tmp_path: Path, method: str) -> None:
    begun = Begun(WORDS[0])
    async with box(tmp_path) as cool:
        for _ in range(3):  # each slot has had this prompt
            async for _block in cool.backend.chat(job(Capability.CHAT)):
                """Nobody reads it."""
        await cool.backend.warm(job(Capability.CHAT), begun)
        async for _block in getattr(cool.backend, method)(job(Capability.CHAT), begun):
            """Only where it runs counts."""

        warmed, gone_on = [request.body["id_slot"] for request in cool.server.requests if "/v1" in request.path][-2:]
    assert warmed == gone_on


async def test_a_file_in_another_directory_is_brought_and_that_one_deleted_too(tmp_path: Path) -> None:
    (tmp_path / "hot").mkdir()
    (tmp_path / "cool").mkdir()
    async with box(tmp_path / "hot") as hot, box(tmp_path / "cool") as cool:
        snapshot = await hot.save(job(Capability.CHAT))
        rest = await rest_of(cool.backend, job(Capability.CHAT), snapshot)

        assert snapshot.begun.text + text(rest) == WHOLE
        assert cool.files == []
        assert hot.files == [snapshot.file]
        snapshot.delete()


async def test_a_file_that_is_gone_is_refused_so_that_something_else_is_tried(tmp_path: Path) -> None:
    (tmp_path / "cool").mkdir()
    async with box(tmp_path) as hot, box(tmp_path / "cool") as cool:
        snapshot = await hot.save(job(Capability.CHAT))
        snapshot.delete()
        for backend in (hot.backend, cool.backend):
            with pytest.raises(BackendRefusedError) as raised:
                await rest_of(backend, job(Capability.CHAT), snapshot)
            assert not isinstance(raised.value, JobRejectedError)

        assert cool.files == []


CONSTRAINED = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"properties": {"a": {}}}}}


@pytest.mark.parametrize("more", [{"tools": []}, {"response_format": {"type": "text"}}, {"response_format": None}])
async def test_what_asks_for_nothing_special_goes_by_its_tokens(tmp_path: Path, more: dict[str, Any]) -> None:
    async with box(tmp_path) as hot:
        snapshot = await hot.save(job(Capability.CHAT, **more))
        snapshot.delete()

    assert snapshot.begun.tokens is not None


async def test_a_constrained_answer_goes_on_as_a_chat_in_the_restored_slot(tmp_path: Path) -> None:
    asked = job(Capability.CHAT, response_format=CONSTRAINED)
    async with box(tmp_path) as hot, box(tmp_path) as cool:
        hot.server.ahead = 1
        snapshot = await hot.save(asked)
        rest = await rest_of(cool.backend, asked, snapshot)
        snapshot.delete()

    (body,) = cool.asked_of("/v1")
    (restored,) = [request.path for request in cool.server.requests if "restore" in request.path]
    assert snapshot.begun == Begun("".join(WORDS[:3]), written=3)
    assert body["response_format"] == CONSTRAINED
    assert body["messages"][-1] == {"role": "assistant", "content": snapshot.begun.text}
    assert f"/slots/{body['id_slot']}?" in restored
    assert snapshot.begun.text + text(rest) == WHOLE


@pytest.mark.parametrize("prompt_text", ["Hi there", "Hi"])
async def test_the_prompt_of_a_completion_may_be_tokens(tmp_path: Path, prompt_text: str) -> None:
    ids = tokenise(prompt_text)
    for prompt in (ids, [ids], [prompt_text], prompt_text):
        async with box(tmp_path) as hot:
            snapshot = await hot.save(job(Capability.COMPLETE, prompt=prompt))
            snapshot.delete()
        assert snapshot.begun.tokens is not None
        assert snapshot.begun.tokens[: len(ids)] == tuple(ids)
