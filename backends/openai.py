"""Anything that speaks OpenAI's API: vLLM, LM Studio, OpenVINO Model Server, Lemonade, LiteLLM, the cloud."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from pydantic import Field, SecretStr

from app.domain.backend import ServedModel
from app.domain.errors import BackendRefusedError
from app.domain.job import Job
from app.domain.parameters import OFFICIAL
from backends.base import BackendSettings, Resources, Url
from backends.openai_wire import embed, list_models, streamed
from backends.upstream.client import Upstream

_NO_SUCH_LIST = frozenset({404, 405, 501})


class OpenAiSettings(BackendSettings):
    """A server that somebody else runs."""

    url: Url = Field(description="base URL, up to and with /v1")
    api_key: SecretStr | None = Field(None, description="sent as a bearer token")


class OpenAi:
    """Bytes go through as they came; only the model's name and the wish for a stream with usage are set."""

    Settings = OpenAiSettings

    def __init__(self, settings: OpenAiSettings, resources: Resources) -> None:  # noqa: ARG002 (every kind is built alike)
        self.profile = settings.profile(dict(OFFICIAL), passes_extras=True)
        key = settings.api_key
        self._upstream = Upstream(
            settings.id,
            settings.url,
            headers={"authorization": f"Bearer {key.get_secret_value()}"} if key else {},
            connect_seconds=settings.timeouts.connect,
        )

    async def start(self) -> None:
        """Nothing to prepare: connections open when they are wanted."""

    async def stop(self) -> None:
        self._upstream.close()

    async def probe(self) -> tuple[ServedModel, ...]:
        try:
            return await list_models(self._upstream)
        except BackendRefusedError as error:
            if error.status in _NO_SUCH_LIST:  # it answers, so it is well; what it has is in `models`
                return ()
            raise

    def chat(self, job: Job) -> AsyncGenerator[bytes, None]:
        return self._upstream.stream("/chat/completions", streamed(job.body))

    def complete(self, job: Job) -> AsyncGenerator[bytes, None]:
        return self._upstream.stream("/completions", streamed(job.body))

    async def embed(self, job: Job) -> dict[str, Any]:
        return await embed(self._upstream, job.body)
