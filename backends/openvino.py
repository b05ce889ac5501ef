"""OpenVINO GenAI in a child process: one model, kept warm, on an Intel NPU, a GPU or the CPU.

On CPU, GPU and AUTO the model runs under continuous batching: several jobs at once, each cancelled within a
step, with the chosen token's log probability. On NPU (or with `batching: false`) it is the stateful pipeline:
one job at a time, the others wait in the worker, no log probabilities.

Seen with 2026.4.1 on two CPU cores: continuous batching loads a GGUF (SmolLM2 135M Q4_1: 5 s, 0.5 GB); one job
gets 55 to 75 tokens a second, four together about 230; the stateful pipeline 64. GPU and NPU: not tried here.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from app.domain.backend import Capability, ServedModel
from app.domain.errors import BackendRefusedError
from app.domain.handoff import Begun, Continuation
from app.domain.job import Job
from backends.base import BackendSettings, Resources
from backends.begun import continued
from backends.openvino_events import CHAT, COMPLETION, Events, Shape
from backends.openvino_request import of_chat, of_completion, stops
from backends.workers.jobs import Jobs
from backends.workers.orphan import CAN_END_WITH_PARENT

_PROGRAM = Path(__file__).parent / "workers" / "openvino_worker.py"
_SAMPLING = frozenset(["frequency_penalty", "max_tokens", "presence_penalty", "seed", "stop", "temperature", "top_p"])
AsRequest = Callable[[str, Mapping[str, Any]], dict[str, Any]]
_CHAT = _SAMPLING | {"max_completion_tokens", "response_format"}
_NOTHING = Begun("")


class OpenVinoSettings(BackendSettings):
    """`device` is where OpenVINO runs it; `hardware` stays what routing calls it."""

    model: str = Field(min_length=1, description="a name from the catalogue, or a path to a GGUF or an OpenVINO model")
    device: str = Field("CPU", pattern=r"^(AUTO|CPU|NPU|GPU(\.\d+)?)$", description="NPU, GPU, GPU.1, CPU or AUTO")
    batching: bool = Field(True, description="several jobs at once; NPU never does")
    threads: int | None = Field(None, ge=1, le=1024, description="CPU threads; OpenVINO decides when left out")
    compile_cache: Path | None = Field(
        None, description="directory for compiled models: a quicker start on NPU and GPU"
    )
    concurrency: int = Field(4, ge=1, le=256, description="jobs that it takes at once; 1 where it can't batch")

    @model_validator(mode="before")
    @classmethod
    def _one_at_a_time(cls, given: Any) -> Any:
        stateful = isinstance(given, dict) and (given.get("device") == "NPU" or given.get("batching") is False)
        return {"concurrency": 1, **given} if stateful else given

    @property
    def stateful(self) -> bool:
        return self.device == "NPU" or not self.batching

    def model_needed(self) -> str | None:
        return self.model


class OpenVino:
    """The worker renders, tokenizes and generates; here its lines become events."""

    Settings = OpenVinoSettings
    paceable = CAN_END_WITH_PARENT
    continuations = frozenset({Continuation.PREFILL})
    keeps_constraints: frozenset[Continuation] = frozenset()  # a schema begins again with the text that is to come

    def __init__(self, settings: OpenVinoSettings, resources: Resources) -> None:
        chat = _CHAT if settings.stateful else _CHAT | {"logprobs"}
        self.profile = settings.profile({Capability.CHAT: chat, Capability.COMPLETE: _SAMPLING}, managed=True)
        self._settings = settings
        self._resources = resources
        self._name = Path(settings.model).name.removesuffix(".gguf") if os.sep in settings.model else settings.model
        self._jobs: Jobs | None = None
        self._duty = 1.0

    async def start(self) -> None:
        self._jobs = Jobs(self._settings.id, _PROGRAM, self._configuration())
        await self._jobs.start()
        self._jobs.pace(self._duty)

    async def stop(self) -> None:
        if self._jobs is not None:
            await self._jobs.stop()

    async def probe(self) -> tuple[ServedModel, ...]:
        ready = self._running().ready()
        able = frozenset(self.profile.honours) if ready["chat"] else frozenset([Capability.COMPLETE])
        return (ServedModel(self._name, context=ready["context"], capabilities=able),)

    def chat(self, job: Job) -> AsyncGenerator[bytes, None]:
        return self._answer(CHAT, of_chat, job.body)

    def complete(self, job: Job) -> AsyncGenerator[bytes, None]:
        return self._answer(COMPLETION, of_completion, job.body)

    def prefill(self, job: Job, begun: Begun) -> AsyncGenerator[bytes, None]:
        """The worker leaves the assistant's turn open when it is the last one."""
        return self._answer(CHAT, of_chat, job.body, begun)

    def pace(self, duty: float) -> None:
        self._duty = duty
        if self._jobs is not None:
            self._jobs.pace(duty)

    @property
    def pid(self) -> int | None:
        """The process id of the worker, None while there is none."""
        return self._jobs.pid if self._jobs is not None else None

    async def _answer(
        self, shape: Shape, as_request: AsRequest, body: Mapping[str, Any], begun: Begun = _NOTHING
    ) -> AsyncGenerator[bytes, None]:
        request = as_request(self._settings.id, continued(self._settings.id, body, begun))
        events = Events(shape, self._name, stops(body))
        async with aclosing(self._running().run(request)) as lines:
            async for line in lines:
                if block := events.block(line):
                    yield block
                if events.ended:
                    return

    def _configuration(self) -> dict[str, Any]:
        settings = self._settings
        return {
            "model": str(self._resources.find_model(settings.model)),
            "device": settings.device,
            "stateful": settings.stateful,
            "slots": settings.concurrency,
            "context": settings.max_context or 4096,
            "threads": settings.threads,
            "compile_cache": str(settings.compile_cache) if settings.compile_cache else None,
        }

    def _running(self) -> Jobs:
        if self._jobs is None:
            raise BackendRefusedError(self._settings.id, "is not started")
        return self._jobs
