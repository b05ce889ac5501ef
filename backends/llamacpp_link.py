"""One llama.cpp server as it listens now: its addresses, its slots, what it says of its model, what a test found."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.domain.errors import BackendRefusedError
from backends.llamacpp_native import Native
from backends.llamacpp_selftest import SelfTest, Tested
from backends.llamacpp_slots import Slots
from backends.llamacpp_state import StateFiles
from backends.shelf import Shelf
from backends.upstream.client import Upstream

logger = logging.getLogger(__name__)

_PROBE_WAITS_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Model:
    """What the server says of itself; older servers say nothing."""

    sees: bool | None = None
    knows_tools: bool = True
    slots: int = 0
    file: Path | None = None


class Link:
    """`directory` is where its slots can be saved; None where that, or which slot is whose, is not for us to say.

    `files` is None until the server has said how many slots it has.
    """

    def __init__(self, api: Upstream, native: Native, directory: Path | None, shelf: Shelf) -> None:
        self.api = api
        self.native = native
        self.slots = Slots(0)
        self.files: StateFiles | None = None
        self.tested = Tested()
        self._directory = directory
        self._shelf = shelf
        self._model: Model | None = None
        self._testing: asyncio.Task[None] | None = None

    async def model(self) -> Model:
        """What the server says of its model: asked once. Raises BackendError when it can't be asked."""
        if self._model is None:
            try:
                said = _model(await self.native.props())
            except BackendRefusedError as error:
                if error.status is None:
                    raise
                said = Model()
            if self._model is None:  # else another one asked too and was quicker: its slots are in use
                self._model = said
                self._arrange(said)
        return self._model

    async def test(self, name: str, model: Model) -> None:
        """Once; goes on in the background when it takes long, and never fails."""
        if self._testing is None:
            self._testing = asyncio.create_task(self._test(name, model), name=f"self-test {self.native.backend}")
        await asyncio.wait([self._testing], timeout=_PROBE_WAITS_SECONDS)

    async def close(self) -> None:
        """Let go of everything."""
        if self._testing is not None:
            self._testing.cancel()
            await asyncio.wait([self._testing])
        if self.files is not None:
            await self.files.close()
        self.disconnect()

    def disconnect(self) -> None:
        """End every exchange; whoever waits for one is told."""
        self.api.close()
        self.native.close()

    def _arrange(self, model: Model) -> None:
        if self._directory is not None:
            self.slots = Slots(model.slots)
            self.files = StateFiles(self.native, self.slots, self._directory, self._shelf)

    async def _test(self, name: str, model: Model) -> None:
        with self.slots.any() as slot:
            self.tested = await SelfTest(self.api, self.native, name, slot).run(self.files, model.file)
        if self.tested.faults:
            faults = "; ".join(self.tested.faults)
            logger.warning("backend %s: running answers can't be gone on with by %s", self.native.backend, faults)


def _model(said: dict[str, Any]) -> Model:
    """Of the answer of GET /props."""
    modalities, template = said.get("modalities"), said.get("chat_template_caps")
    slots, path = said.get("total_slots"), said.get("model_path")
    file = Path(path) if isinstance(path, str) else None
    return Model(
        sees=modalities.get("vision") if isinstance(modalities, dict) else None,
        knows_tools=template.get("supports_tools") is not False if isinstance(template, dict) else True,
        slots=slots if isinstance(slots, int) else 0,
        file=file if file is not None and file.is_file() else None,
    )
