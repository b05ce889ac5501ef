"""Embeddings out of a table of token vectors (wordllama, model2vec), in a child process: microseconds a text."""

from __future__ import annotations

import base64
import os
import struct
from contextlib import aclosing
from pathlib import Path
from typing import Any

from pydantic import Field

from app.domain.backend import Capability, ServedModel
from app.domain.errors import BackendRefusedError, JobRejectedError
from app.domain.job import Job
from backends.base import BackendSettings, Resources
from backends.workers.jobs import Jobs

_PROGRAM = Path(__file__).parent / "workers" / "static_embeddings_worker.py"
#: documented to be trained so that the first part of a vector is a smaller embedding
_MATRYOSHKA = ("wordllama",)


class StaticEmbeddingsSettings(BackendSettings):
    """A directory with `model.safetensors` (one table) and `tokenizer.json`."""

    model: str = Field(min_length=1, description="a name from the catalogue, or a path to a directory")
    matryoshka: bool | None = Field(
        None, description="whether its vectors may be cut short, as `dimensions` asks; known for wordllama"
    )

    def model_needed(self) -> str | None:
        return self.model

    @property
    def name(self) -> str:
        """What clients call it: its name in the catalogue, or its directory's."""
        return Path(self.model).name if os.sep in self.model else self.model

    @property
    def can_be_cut(self) -> bool:
        known = self.name.startswith(_MATRYOSHKA)
        return known if self.matryoshka is None else self.matryoshka


class StaticEmbeddings:
    """Texts go to the worker as they are, vectors come back as packed floats."""

    Settings = StaticEmbeddingsSettings

    def __init__(self, settings: StaticEmbeddingsSettings, resources: Resources) -> None:
        honoured = frozenset(["dimensions"]) if settings.can_be_cut else frozenset[str]()
        self.profile = settings.profile({Capability.EMBED: honoured})
        self._settings = settings
        self._resources = resources
        self._jobs: Jobs | None = None

    async def start(self) -> None:
        model = self._resources.find_model(self._settings.model)
        self._jobs = Jobs(self._settings.id, _PROGRAM, {"model": str(model)})
        await self._jobs.start()

    async def stop(self) -> None:
        if self._jobs is not None:
            await self._jobs.stop()

    async def probe(self) -> tuple[ServedModel, ...]:
        self._running().ready()
        return (ServedModel(self._settings.name, capabilities=frozenset([Capability.EMBED])),)

    async def embed(self, job: Job) -> dict[str, Any]:
        jobs = self._running()
        full = jobs.ready()["width"]
        texts, width = self._texts(job.body["input"]), self._width(job.body.get("dimensions"), full)
        vectors: list[list[float]] = []
        counts: list[int] = []
        async with aclosing(jobs.run({"texts": texts, "width": width})) as lines:
            async for line in lines:
                vectors += _unpacked(line["vectors"], width)
                counts += line["counts"]
        if 0 in counts:
            raise self._rejected(f"input[{counts.index(0)}] has nothing in it that the model knows", "input")
        return _answer(vectors, self._settings.name, sum(counts))

    @property
    def pid(self) -> int | None:
        """The process id of the worker, None while there is none."""
        return self._jobs.pid if self._jobs is not None else None

    def _texts(self, given: Any) -> list[str]:
        texts = [given] if isinstance(given, str) else given
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise self._rejected(
                "this model takes texts, not token ids (LangChain: OpenAIEmbeddings(check_embedding_ctx_length=False))",
                "input",
            )
        if not texts or "" in texts:
            raise self._rejected("input must not be empty, nor have an empty text in it", "input")
        return texts

    def _width(self, wanted: int | None, full: int) -> int:
        if wanted is None or wanted == full:
            return full
        if not self._settings.can_be_cut:
            raise self._rejected(f"this model's vectors have {full} dimensions and can't be cut", "dimensions")
        if not 1 <= wanted <= full:
            raise self._rejected(f"dimensions must be from 1 to {full}", "dimensions")
        return wanted

    def _rejected(self, detail: str, param: str) -> JobRejectedError:
        return JobRejectedError(self._settings.id, 400, detail, param=param)

    def _running(self) -> Jobs:
        if self._jobs is None:
            raise BackendRefusedError(self._settings.id, "is not started")
        return self._jobs


def _unpacked(data: str, width: int) -> list[list[float]]:
    return [list(vector) for vector in struct.iter_unpack(f"<{width}f", base64.b64decode(data))]


def _answer(vectors: list[list[float]], model: str, tokens: int) -> dict[str, Any]:
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model, "usage": usage}
