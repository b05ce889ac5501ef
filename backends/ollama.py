"""Ollama, by its own API: its OpenAI endpoint swallows errors in mid-stream and cuts long prompts in silence."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

import orjson
from pydantic import Field

from app.domain.backend import ServedModel
from app.domain.errors import BackendError, BackendRefusedError, BadRequestError, JobRejectedError
from app.domain.handoff import Begun, Continuation
from app.domain.job import Job
from backends.base import BackendSettings, Resources, Url
from backends.begun import check_no_thought
from backends.ollama_context import Contexts, Need, check_fits, need
from backends.ollama_events import Told, ToldChat, ToldFurther, ToldText
from backends.ollama_facts import Facts, facts, seconds
from backends.ollama_shape import (
    DEGREES,
    HONOURS,
    chat_request,
    complete_request,
    embed_request,
    embeddings,
    render_request,
)
from backends.upstream.client import Upstream
from backends.upstream.lines import stream_lines
from backends.upstream.refusal import safe

_TOO_LONG = "context_length_exceeded"

Request = dict[str, Any]
_REQUESTS: Mapping[str, Callable[[Mapping[str, Any], Facts], Request]] = {
    "/api/chat": lambda body, facts: chat_request(body, facts.family),
    "/api/generate": lambda body, _: complete_request(body),
    "/api/embed": lambda body, _: embed_request(body),
}


class OllamaSettings(BackendSettings):
    """A server that somebody else runs."""

    url: Url = Field(description="base URL, without /v1")
    keep_alive: str | float | None = Field(
        None, description="how long a model stays loaded; Ollama's own rule if unset"
    )


class Ollama:
    """What it found of each model in the last probe decides how much context a job asks for."""

    Settings = OllamaSettings
    continuations = frozenset({Continuation.PREFILL})
    keeps_constraints: frozenset[Continuation] = frozenset()  # its `format` begins again with the text that is to come

    def __init__(self, settings: OllamaSettings, resources: Resources) -> None:  # noqa: ARG002 (every kind is built alike)
        self.profile = settings.profile(dict(HONOURS))
        self._keep_alive = settings.keep_alive
        self._upstream = Upstream(
            settings.id, settings.url.rstrip("/"), headers={}, connect_seconds=settings.timeouts.connect
        )
        self._facts: dict[str, Facts] = {}
        self._contexts = Contexts()

    async def start(self) -> None:
        """Nothing to prepare: connections open when they are wanted."""

    async def stop(self) -> None:
        self._upstream.close()

    async def probe(self) -> tuple[ServedModel, ...]:
        answer = await self._upstream.get_json("/api/tags")
        listed = answer.get("models") if isinstance(answer, dict) else None
        if not isinstance(listed, list):
            raise BackendRefusedError(self.profile.id, "did not list its models")
        models = [item for item in listed if isinstance(item, dict) and isinstance(item.get("name"), str)]
        self._facts = {item["name"]: await self._look_up(item["name"], str(item.get("digest"))) for item in models}
        return tuple(self._served(item["name"], seconds(item.get("modified_at"))) for item in models)

    def chat(self, job: Job) -> AsyncGenerator[bytes, None]:
        return self._stream("/api/chat", job, ToldChat(job.body["model"], int(time.time())))

    def complete(self, job: Job) -> AsyncGenerator[bytes, None]:
        return self._stream("/api/generate", job, ToldText(job.body["model"], int(time.time())))

    async def embed(self, job: Job) -> dict[str, Any]:
        request, wanted = self._request("/api/embed", job.body)
        self._set_context(request, wanted, 1)
        told = embeddings(await self._upstream.post_json("/api/embed", request), job.body["model"])
        if told is None:
            raise BackendRefusedError(self.profile.id, "answered with JSON that is no list of embeddings")
        return told

    async def prefill(self, job: Job, begun: Begun) -> AsyncGenerator[bytes, None]:
        """By /api/generate, with the prompt that /api/chat would make: many templates close the assistant's turn."""
        check_no_thought(self.profile.id, begun)
        answer = self._further(job, await self._rendered(job, begun) + begun.text) if begun.text else self.chat(job)
        async with aclosing(answer) as blocks:
            async for block in blocks:
                yield block

    async def warm(self, job: Job, begun: Begun) -> None:
        """Into the runner's prompt cache, for one token."""
        async with aclosing(self.prefill(job.with_body(max_tokens=1, max_completion_tokens=None), begun)) as blocks:
            async for _ in blocks:
                """Nobody reads it."""

    def _further(self, job: Job, prompt: str) -> AsyncGenerator[bytes, None]:
        logprobs = (job.body.get("top_logprobs") or 0) if job.body.get("logprobs") else None
        told = ToldFurther(job.body["model"], int(time.time()))
        return self._stream("/api/generate", job.with_body(prompt=prompt, logprobs=logprobs), told)

    async def _rendered(self, job: Job, begun: Begun) -> str:
        """The prompt up to where the assistant begins to speak; it is asked with the context that all of it takes,
        so that the model is not loaded twice. Raises BackendError.
        """
        turn = {"role": "assistant", "content": begun.text}
        request, wanted = self._request("/api/chat", {**job.body, "messages": [*job.body["messages"], turn]})
        channels = self._known(job.body["model"]).family in DEGREES
        if request.get("tools") or request.get("format") or wanted.images or channels:
            raise JobRejectedError(self.profile.id, 400, "it can go on with plain text alone")
        self._set_context(request, wanted, 1)
        answer = await self._upstream.post_json("/api/chat", render_request(request))
        shown = answer.get("_debug_info") if isinstance(answer, dict) else None
        rendered = shown.get("rendered_template") if isinstance(shown, dict) else None
        if not isinstance(rendered, str) or not rendered:
            raise JobRejectedError(self.profile.id, 400, "it can't say how it renders its prompt")
        return rendered

    async def _stream(self, path: str, job: Job, told: Told) -> AsyncGenerator[bytes, None]:
        """Asks once more with twice the context, should the text take more tokens than texts usually do."""
        request, wanted = self._request(path, job.body)
        for times in (1, 2):
            more = self._set_context(request, wanted, times)
            try:
                async with aclosing(self._events(path, request, told)) as blocks:
                    async for block in blocks:
                        yield block
                return
            except JobRejectedError as error:
                if error.code != _TOO_LONG or not more or times == 2:
                    raise

    async def _events(self, path: str, request: Request, told: Told) -> AsyncGenerator[bytes, None]:
        context = request["options"]["num_ctx"]
        async with aclosing(stream_lines(self._upstream, path, request, end=b'"done":true')) as batches:
            async for lines in batches:
                events, failure = self._tell(told, lines, context)
                if events:
                    yield events
                if failure is not None:
                    raise failure
        if not told.ended:
            raise self._upstream.cut_short("ended before its answer did", began=told.began)

    def _tell(self, told: Told, lines: list[bytes], context: int) -> tuple[bytes, BackendError | None]:
        """What the lines say up to the first bad one: nothing that came before it may be lost."""
        events: list[bytes] = []
        for data in lines:
            try:
                line = orjson.loads(data)
                trouble = _trouble(line, context)
                if not trouble and not told.ended:
                    events.append(told.feed(line))
            except (ValueError, TypeError, KeyError, AttributeError):
                trouble = "sent a line that can't be understood"
            if trouble:
                return b"".join(events), self._upstream.cut_short(trouble, began=told.began)
        return b"".join(events), None

    def _request(self, path: str, body: Mapping[str, Any]) -> tuple[Request, Need]:
        """The body in Ollama's shape and what it takes. Raises JobRejectedError."""
        known, limit = self._known(body["model"]), self._limit(body["model"])
        try:
            request = _REQUESTS[path](body, known)
            wanted = need(request)
            check_fits(wanted, limit)
        except BadRequestError as error:
            raise JobRejectedError(self.profile.id, 400, error.message, param=error.param, code=error.code) from error
        if self._keep_alive is not None:
            request.setdefault("keep_alive", self._keep_alive)
        return request, wanted

    def _set_context(self, request: Request, wanted: Need, times: int) -> bool:
        """Sets `num_ctx`; says whether more could be had."""
        model, limit = request["model"], self._limit(request["model"])
        if wanted.asked is not None:
            request["options"]["num_ctx"] = wanted.asked if limit is None else min(wanted.asked, limit)
            return False
        context = self._contexts.hold(model, times * wanted.tokens, limit, time.monotonic())
        request["options"]["num_ctx"] = context
        return limit is None or context < limit

    def _known(self, model: str) -> Facts:
        return self._facts.get(model) or self._facts.get(f"{model}:latest") or Facts()

    def _limit(self, model: str) -> int | None:
        known = (self._known(model).context, self.profile.max_context)
        return min((tokens for tokens in known if tokens is not None), default=None)

    async def _look_up(self, model: str, digest: str) -> Facts:
        """What /api/show says, asked once for each digest."""
        known = self._facts.get(model)
        if known is not None and known.digest == digest:
            return known
        try:
            shown = await self._upstream.post_json("/api/show", {"model": model})
        except BackendRefusedError:  # this model is ill, perhaps; the others are not
            return Facts()
        return facts(shown, digest) if isinstance(shown, dict) else Facts()

    def _served(self, model: str, created: int) -> ServedModel:
        known = self._known(model)
        return ServedModel(model, self._limit(model), created, known.capabilities, known.sees)


def _trouble(line: Mapping[str, Any], context: int) -> str:
    """What is wrong with a line, empty when nothing is."""
    if line.get("error"):
        return f"gave up: {safe(str(line['error']))}"
    # Versions before 0.12.6 don't know `truncate`: they cut a prompt to exactly the context and answer what is left.
    if line.get("done") and (line.get("prompt_eval_count") or 0) >= context:
        return "cut the prompt to its context"
    return ""
