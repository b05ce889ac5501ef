"""What is asked of llama.cpp for a job, and who reads the answer: from its beginning, or from where it was left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from app.domain.backend import Capability
from app.domain.errors import BackendRefusedError, JobRejectedError
from app.domain.handoff import Begun
from app.domain.job import Job
from app.domain.parameters import OFFICIAL
from backends.as_chat import AfterSurplus, AsChat
from backends.begun import continued
from backends.llamacpp_calls import PossibleCalls, RequiredCall
from backends.llamacpp_events import Legacy, OneCreated
from backends.llamacpp_tools import chosen, in_words
from backends.openai_wire import streamed

_OF_CHAT = OFFICIAL[Capability.CHAT] - OFFICIAL[Capability.COMPLETE] | {"logprobs", "messages"}
_BEGIN_ANEW = ("grammar", "json_schema")
_TOP_LOGPROBS = 20  # what llama.cpp gives a chat that names no number

Body = dict[str, Any]


class Reader(Protocol):
    """Makes OpenAI's events of llama.cpp's."""

    def feed(self, block: bytes) -> bytes:
        """Raises ValueError, TypeError, KeyError or AttributeError for an event that is none."""


@dataclass(frozen=True, slots=True)
class Asked:
    """`body` is nobody else's, so a slot can still be put in; the readers read one after the other."""

    path: str
    body: Body
    readers: tuple[Reader, ...]


def uses_tools(body: Mapping[str, Any]) -> bool:
    return bool(body.get("tools")) or any(
        message.get("tool_calls") or message["role"] == "tool" for message in body["messages"]
    )


def conversation(job: Job, backend: str, *, knows_tools: bool) -> Asked:
    """A chat; a model whose template `knows_tools` not is told of them in words. Raises JobRejectedError."""
    body = _body(job, backend)
    tools = body.get("tools") or []
    if tools:
        body = chosen(body, backend)
        tools = body["tools"]
    if knows_tools or not uses_tools(body):
        return Asked("/chat/completions", body, (OneCreated(),))
    choice = body.get("tool_choice")
    readers: tuple[Reader, ...] = (OneCreated(),)
    if tools and choice != "none":
        names = [tool["function"]["name"] for tool in tools]
        readers = (OneCreated(), RequiredCall() if choice == "required" else PossibleCalls(names))
    return Asked("/chat/completions", in_words(body), readers)


def completion(job: Job, backend: str) -> Asked:
    """Raises JobRejectedError."""
    return Asked("/completions", _body(job, backend), (OneCreated(), _legacy(job)))


def goes_by_ids(job: Job, begun: Begun) -> bool:
    """Whether the tokens alone say how to go on: raw text, which neither a parser nor a grammar looks at."""
    if job.capability is Capability.COMPLETE:
        return True
    format_ = job.body.get("response_format") or {}
    plain = not job.has_images and format_.get("type", "text") == "text" and not uses_tools(job.body)
    return plain and bool(begun.text) and not begun.reasoning


def after_ids(job: Job, backend: str, begun: Begun) -> Asked:
    """Go on after these tokens; `begun.surplus` comes first. Raises BackendRefusedError where a grammar forbids it."""
    body = _that_goes_on(job, backend)
    readers: tuple[Reader, ...] = (OneCreated(), AfterSurplus(begun.surplus))
    if job.capability is Capability.CHAT:
        body = _as_completion(body)
        readers += (Legacy(logprobs=False), AsChat())
    else:
        readers += (_legacy(job, len(begun.text)),)
    return Asked("/completions", {**body, "prompt": list(begun.tokens or ()), "cache_prompt": True}, readers)


def after_text(job: Job, backend: str, begun: Begun, *, knows_tools: bool) -> Asked:
    """Go on after this text as the beginning of the assistant's turn. Raises as `after_ids` does."""
    _that_goes_on(job, backend)
    asked = conversation(job, backend, knows_tools=knows_tools)
    marks = {"reasoning_content": begun.reasoning} if begun.reasoning else {}
    body = continued(backend, asked.body, begun, **marks)
    if not begun.text:
        return asked
    if any(isinstance(reader, RequiredCall) for reader in asked.readers):
        raise BackendRefusedError(backend, "can't go on in the middle of a call")
    plain = asked.readers[:1]  # what began as plain words is no call
    return Asked(asked.path, {**body, "continue_final_message": True, "add_generation_prompt": False}, plain)


def _as_completion(body: Body) -> Body:
    """A chat's body without what only a chat has."""
    kept = {key: value for key, value in body.items() if key not in _OF_CHAT}
    limit = body.get("max_completion_tokens")
    if limit is not None:
        kept["max_tokens"] = limit
    if body.get("logprobs"):
        top = body.get("top_logprobs")
        kept["logprobs"] = _TOP_LOGPROBS if top is None else top
    return kept


def _that_goes_on(job: Job, backend: str) -> Body:
    if any(job.body.get(field) for field in _BEGIN_ANEW):
        raise BackendRefusedError(backend, "can't go on in the middle of what a grammar constrains")
    return _body(job, backend)


def _legacy(job: Job, offset: int = 0) -> Legacy:
    return Legacy(logprobs=job.body.get("logprobs") is not None, offset=offset)


def _body(job: Job, backend: str) -> Body:
    """What to ask for, with `logit_bias` as the pairs that llama.cpp takes."""
    body, bias = streamed(job.body), job.body.get("logit_bias")
    if not isinstance(bias, dict):
        return body
    try:
        return {**body, "logit_bias": [[int(token), value] for token, value in bias.items()]}
    except ValueError as error:
        detail = "The keys of 'logit_bias' must be token ids."
        raise JobRejectedError(backend, 400, detail, param="logit_bias") from error
