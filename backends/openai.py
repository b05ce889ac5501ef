"""Anything that speaks OpenAI's API: vLLM, LM Studio, OpenVINO Model Server, Lemonade, LiteLLM, the cloud."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from pydantic import Field, SecretStr

from app.domain.backend import ServedModel
from app.domain.errors import BackendRefusedError, JobRejectedError
from app.domain.handoff import Begun, Continuation
from app.domain.job import Job
from app.domain.parameters import OFFICIAL
from backends.as_chat import AfterSurplus, AsChat
from backends.base import BackendSettings, Resources, Url
from backends.openai_continue import (
    KNOWN,
    Way,
    chat_body,
    completion_body,
    fits_tokens,
    prompt_request,
    text_request,
)
from backends.openai_wire import embed, listed, served, streamed
from backends.upstream.client import Upstream

_NO_SUCH_THING = frozenset({404, 405, 501})


class OpenAiSettings(BackendSettings):
    """A server that somebody else runs."""

    url: Url = Field(description="base URL, up to and with /v1")
    api_key: SecretStr | None = Field(None, description="sent as a bearer token")
    continues: Way = Field(
        "auto",
        description="how it goes on with an answer that another backend began; auto: continue_final_message where its "
        "list of models names vLLM or SGLang as their owner, else none; prefix is Mistral's and DeepSeek's",
    )


class OpenAi:
    """Bytes go through as they came; only the model's name and the wish for a stream with usage are set."""

    Settings = OpenAiSettings

    def __init__(self, settings: OpenAiSettings, resources: Resources) -> None:  # noqa: ARG002 (every kind is built alike)
        self.profile = settings.profile(dict(OFFICIAL), passes_extras=True)
        key = settings.api_key
        headers = {"authorization": f"Bearer {key.get_secret_value()}"} if key else {}
        connect = settings.timeouts.connect
        self._upstream = Upstream(settings.id, settings.url, headers=headers, connect_seconds=connect)
        root = settings.url.rstrip("/").removesuffix("/v1")
        self._root = Upstream(settings.id, root, headers=headers, connect_seconds=connect)
        self._continues = settings.continues
        self._owners: frozenset[Any] = frozenset()

    async def start(self) -> None:
        """Nothing to prepare: connections open when they are wanted."""

    async def stop(self) -> None:
        self._upstream.close()
        self._root.close()

    async def probe(self) -> tuple[ServedModel, ...]:
        try:
            models = await listed(self._upstream)
        except BackendRefusedError as error:
            if error.status in _NO_SUCH_THING:  # it answers, so it is well; what it has is in `models`
                return ()
            raise
        self._owners = frozenset(str(model.get("owned_by")) for model in models)
        return tuple(map(served, models))

    def chat(self, job: Job) -> AsyncGenerator[bytes, None]:
        return self._upstream.stream("/chat/completions", streamed(job.body))

    def complete(self, job: Job) -> AsyncGenerator[bytes, None]:
        return self._upstream.stream("/completions", streamed(job.body))

    async def embed(self, job: Job) -> dict[str, Any]:
        return await embed(self._upstream, job.body)

    @property
    def continuations(self) -> frozenset[Continuation]:
        """`tokens` with vLLM alone: it takes the ids of a prompt, and tells those of a text."""
        if self._way == "none":
            return frozenset()
        if self._way == "continue_final_message" and self._owners == {"vllm"}:
            return frozenset({Continuation.TOKENS, Continuation.PREFILL})
        return frozenset({Continuation.PREFILL})

    @property
    def keeps_constraints(self) -> frozenset[Continuation]:
        """None: a schema begins again with the text that is to come."""
        return frozenset()

    async def prefill(self, job: Job, begun: Begun) -> AsyncGenerator[bytes, None]:
        body = streamed(chat_body(self.profile.id, job.body, begun, self._way))
        async with aclosing(self._upstream.stream("/chat/completions", body)) as blocks:
            async for block in blocks:
                yield block

    async def replay(self, job: Job, begun: Begun) -> AsyncGenerator[bytes, None]:
        """By /completions. Raises JobRejectedError for what that can't say, such as tools: `prefill` can."""
        if not fits_tokens(job.body, begun):
            raise JobRejectedError(self.profile.id, 400, "this job can't be told as token ids")
        tokens, surplus = begun.tokens, begun.surplus
        if tokens is None:
            tokens, surplus = await self._tokens(job.body, begun.text), ""
        whole, chat, began = AfterSurplus(surplus), AsChat(), False
        body = streamed(completion_body(job.body, tokens))
        async with aclosing(self._upstream.stream("/completions", body)) as blocks:
            async for block in blocks:
                try:
                    yield chat.feed(whole.feed(block))
                except ValueError as error:
                    raise self._upstream.cut_short("sent an event that is none", began=began) from error
                began = True

    async def warm(self, job: Job, begun: Begun) -> None:
        """Into the server's prefix cache, for one token; clouds are not asked, for they count it."""
        if self._way != "continue_final_message":
            raise JobRejectedError(self.profile.id, 400, "nobody knows that it keeps what it read")
        async with aclosing(self.prefill(job.with_body(max_tokens=1, max_completion_tokens=None), begun)) as blocks:
            async for _ in blocks:
                """Nobody reads it."""

    @property
    def _way(self) -> Way:
        """How it can be asked to go on, as the last probe found it."""
        if self._continues != "auto":
            return self._continues
        return "continue_final_message" if self._owners and self._owners <= KNOWN else "none"

    async def _tokens(self, body: Mapping[str, Any], text: str) -> tuple[int, ...]:
        """The ids of the prompt and the text after it, as /tokenize tells them. Raises BackendError."""
        tokens: list[int] = []
        for request in (prompt_request(body), text_request(body, text)):
            try:
                answer = await self._root.post_json("/tokenize", request)
            except BackendRefusedError as error:
                if error.status not in _NO_SUCH_THING:
                    raise
                answer = None  # it is well, but something before it keeps that to itself
            found = answer.get("tokens") if isinstance(answer, dict) else None
            if not isinstance(found, list) or not found:
                raise JobRejectedError(self.profile.id, 400, "it does not tell the tokens of a text")
            tokens += found
        return tuple(tokens)
