"""Claude in the cloud, or any server that speaks Anthropic's Messages API."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

import orjson
from pydantic import Field, SecretStr

from app.domain.backend import Capability, Hardware, ServedModel
from app.domain.errors import (
    BackendBusyError,
    BackendError,
    BackendRefusedError,
    BadRequestError,
    JobRejectedError,
    StreamBrokenError,
)
from app.domain.handoff import Begun, Continuation
from app.domain.job import Job
from app.domain.sse import payloads
from backends.anthropic_events import Translation
from backends.anthropic_lead import Lead
from backends.anthropic_request import HONOURS, SAMPLING, messages_request
from backends.base import BackendSettings, Resources, Url
from backends.begun import continued
from backends.upstream.client import Upstream
from backends.upstream.refusal import safe

#: The version that took the sampling parameters away; versions are dates, so their order is that of their text.
_WITHOUT_SAMPLING = "2026-10-21"
_PAGE = 1000
_MAX_PAGES = 20
_BUSY = frozenset({"overloaded_error", "rate_limit_error"})
_NOTHING = Begun("")


class AnthropicSettings(BackendSettings):
    """Somebody else's servers: what they draw and heat is not ours to know."""

    hardware: Hardware = Field(Hardware.CLOUD, description="what it runs on")
    url: Url = Field("https://api.anthropic.com/v1", description="base URL, up to and with /v1")
    api_key: SecretStr = Field(min_length=1, description="sent as x-api-key")
    version: str = Field(
        "2023-06-01",
        pattern=r"^\d{4}-\d{2}-\d{2}$",
        description=f"sent as anthropic-version; from {_WITHOUT_SAMPLING} on there is no temperature, top_p or top_k",
    )
    default_max_tokens: int = Field(4096, ge=1, description="length of an answer when the request sets none")
    prefill: bool = Field(
        False, description="its models go on with an answer that another backend began: Claude up to 4.5"
    )


class Anthropic:
    """Each request and each event is told in the other API's words; nothing goes through as it came."""

    Settings = AnthropicSettings

    def __init__(self, settings: AnthropicSettings, resources: Resources) -> None:  # noqa: ARG002 (every kind is built alike)
        self._sampling = settings.version < _WITHOUT_SAMPLING
        honours = HONOURS if self._sampling else HONOURS - SAMPLING
        self.profile = settings.profile({Capability.CHAT: honours})
        self._default_max_tokens = settings.default_max_tokens
        self._prefill = settings.prefill
        self._upstream = Upstream(
            settings.id,
            settings.url,
            headers={"x-api-key": settings.api_key.get_secret_value(), "anthropic-version": settings.version},
            connect_seconds=settings.timeouts.connect,
        )

    async def start(self) -> None:
        """Nothing to prepare: connections open when they are wanted."""

    async def stop(self) -> None:
        self._upstream.close()

    async def probe(self) -> tuple[ServedModel, ...]:
        """The models of the account, page after page."""
        models: list[ServedModel] = []
        after = ""
        for _ in range(_MAX_PAGES):
            answer = await self._upstream.get_json(f"/models?limit={_PAGE}{after}")
            data = answer.get("data") if isinstance(answer, dict) else None
            if not isinstance(data, list):
                raise BackendRefusedError(self.profile.id, "did not list its models")
            models += [_model(item) for item in data if isinstance(item, dict) and isinstance(item.get("id"), str)]
            if not answer.get("has_more") or not answer.get("last_id"):
                break
            after = f"&after_id={quote(str(answer['last_id']), safe='')}"
        return tuple(models)

    def chat(self, job: Job) -> AsyncGenerator[bytes, None]:
        return self._answer(job, _NOTHING)

    @property
    def continuations(self) -> frozenset[Continuation]:
        """None of it is known from a probe: newer models refuse it."""
        return frozenset({Continuation.PREFILL} if self._prefill else ())

    @property
    def keeps_constraints(self) -> frozenset[Continuation]:
        """None: it takes no text beside a schema."""
        return frozenset()

    def prefill(self, job: Job, begun: Begun) -> AsyncGenerator[bytes, None]:
        """The API takes no white space at the end of the text, so the model may write it again."""
        return self._answer(job, begun)

    async def _answer(self, job: Job, begun: Begun) -> AsyncGenerator[bytes, None]:
        text = begun.text.rstrip()
        body = continued(self.profile.id, job.body, replace(begun, text=text))
        translation = Translation(job.model, int(time.time()), Lead(begun.text[len(text) :]))
        stream = self._upstream.stream("/messages", self._request(body), end=b'"message_stop"')
        async with aclosing(stream) as blocks:
            try:
                async for block in blocks:
                    chunks, failure = self._translate(translation, payloads(block))
                    if chunks:
                        yield chunks
                    if failure is not None:
                        raise failure
            except StreamBrokenError as error:
                if translation.began:
                    raise
                raise BackendRefusedError(self.profile.id, "broke off before its answer began") from error
        if not translation.ended:
            raise self._upstream.cut_short("ended before its answer did", began=translation.began)

    def _request(self, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return messages_request(body, default_max_tokens=self._default_max_tokens, sampling=self._sampling)
        except BadRequestError as error:
            raise JobRejectedError(self.profile.id, error.status, error.message, param=error.param) from error

    def _translate(self, translation: Translation, events: list[bytes]) -> tuple[bytes, BackendError | None]:
        """What the events say up to the first bad one: nothing that came before it may be lost."""
        chunks: list[bytes] = []
        for data in events:
            try:
                event = orjson.loads(data)
            except ValueError:
                failure = self._upstream.cut_short("sent an event that is no JSON", began=translation.began)
                return b"".join(chunks), failure
            if isinstance(event, dict) and event.get("type") == "error":
                return b"".join(chunks), self._failure(event.get("error") or {}, began=translation.began)
            if isinstance(event, dict):
                chunks.append(translation.feed(event))
        return b"".join(chunks), None

    def _failure(self, error: Mapping[str, Any], *, began: bool) -> BackendError:
        """An error amid the events: it came after the 200, but perhaps before anything of the answer."""
        kind, detail = error.get("type"), safe(str(error.get("message") or "no reason given"))
        if began:
            return StreamBrokenError(self.profile.id, f"gave up: {detail}")
        if kind in _BUSY:
            return BackendBusyError(self.profile.id, "is busy")
        if kind == "invalid_request_error":
            return JobRejectedError(self.profile.id, 400, detail, code=kind)
        return BackendRefusedError(self.profile.id, f"gave up: {detail}")


def _model(item: Mapping[str, Any]) -> ServedModel:
    context = item.get("max_input_tokens")
    return ServedModel(
        name=item["id"],
        context=context if isinstance(context, int) and context > 0 else None,
        created=_seconds(item.get("created_at")),
        sees=_sees(item.get("capabilities")),
    )


def _sees(capabilities: Any) -> bool | None:
    images = capabilities.get("image_input") if isinstance(capabilities, dict) else None
    supported = images.get("supported") if isinstance(images, dict) else None
    return supported if isinstance(supported, bool) else None


def _seconds(moment: Any) -> int:
    try:
        return int(datetime.fromisoformat(moment).timestamp())
    except (TypeError, ValueError, OverflowError):  # an unknown date is no reason to lose the model
        return 0
