"""The bodies of OpenAI's API as those of Ollama's own.

What can't be told in Ollama's API raises BadRequestError, which names the parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.domain.backend import Capability
from app.domain.errors import BadRequestError
from backends.ollama_messages import conversation

#: The same name and meaning in both; those of the second line are Ollama's own.
_OPTIONS = frozenset({"frequency_penalty", "presence_penalty", "seed", "temperature", "top_p"}) | {
    *("min_p", "num_ctx", "repeat_penalty", "top_k"),
}
_SAMPLING = _OPTIONS | {"keep_alive", "logprobs", "max_tokens", "options", "stop"}
HONOURS = {
    Capability.CHAT: _SAMPLING
    | {"max_completion_tokens", "reasoning_effort", "response_format", "think", "tools", "top_logprobs"},
    Capability.COMPLETE: _SAMPLING,
    Capability.EMBED: frozenset({"dimensions", "keep_alive", "num_ctx", "options"}),
}

#: Families that know degrees of thinking; for others Ollama takes only yes or no.
DEGREES = frozenset({"gptoss", "gpt-oss"})
_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}

Body = Mapping[str, Any]


def chat_request(body: Body, family: str = "") -> dict[str, Any]:
    """For /api/chat. `family` is what Ollama calls the model's kin."""
    tools = None if body.get("tool_choice") == "none" else body.get("tools")
    if any(tool.get("type") != "function" for tool in tools or ()):
        raise BadRequestError("Ollama only knows tools of type 'function'.", param="tools")
    optional = {
        "tools": tools or None,
        "format": _format(body.get("response_format")),
        "think": _think(body, family),
        "logprobs": body.get("logprobs") or None,
        "top_logprobs": body.get("top_logprobs") if body.get("logprobs") else None,
    }
    return {**_streamed(body), "messages": conversation(body.get("messages") or ()), **_given(optional)}


def complete_request(body: Body) -> dict[str, Any]:
    """For /api/generate: the prompt as it is, in no template."""
    prompt = body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise BadRequestError("Ollama takes a prompt as text, not as token ids.", param="prompt")
    alternatives = body.get("logprobs")
    asked = {"logprobs": True, "top_logprobs": alternatives} if alternatives is not None else {}
    return {**_streamed(body), "prompt": prompt, "raw": True, "think": False, **asked}


def render_request(request: Body) -> dict[str, Any]:
    """For /api/chat: not the answer but the prompt, of a request of its own without its last message.

    Servers before 0.11.5 answer all the same, and with one token at most.
    """
    shown = {"stream": False, "think": False, "_debug_render_only": True}
    options = {**request["options"], "num_predict": 1}
    return {**request, "messages": request["messages"][:-1], "options": options, **shown}


def embed_request(body: Body) -> dict[str, Any]:
    """For /api/embed."""
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise BadRequestError(
            "Ollama takes input as text, not as token ids (LangChain: check_embedding_ctx_length=False).",
            param="input",
        )
    optional = {"dimensions": body.get("dimensions"), "keep_alive": body.get("keep_alive")}
    return {
        "model": body["model"],
        "input": texts,
        "truncate": False,
        "options": _options(body),
        **_given(optional),
    }


def embeddings(answer: Any, model: str) -> dict[str, Any] | None:
    """The answer of /api/embed in OpenAI's shape, None when it is none."""
    vectors = answer.get("embeddings") if isinstance(answer, dict) else None
    if not isinstance(vectors, list):
        return None
    tokens = answer.get("prompt_eval_count") or 0
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": index, "embedding": each} for index, each in enumerate(vectors)],
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _streamed(body: Body) -> dict[str, Any]:
    """What chat and generate have in common: never a prompt cut short, never its beginning pushed out."""
    head = {"model": body["model"], "stream": True, "truncate": False, "shift": False, "options": _options(body)}
    return {**head, **_given({"keep_alive": body.get("keep_alive")})}


def _options(body: Body) -> dict[str, Any]:
    """The caller's own `options`, under what the body itself says."""
    own = body.get("options")
    if own is not None and not isinstance(own, dict):
        raise BadRequestError("'options' must be an object.", param="options")
    stop, most = body.get("stop"), body.get("max_completion_tokens")
    mapped = {
        "stop": [stop] if isinstance(stop, str) else stop,
        "num_predict": most if most is not None else body.get("max_tokens"),
        **{name: body.get(name) for name in _OPTIONS},
    }
    options = {**(own or {}), **_given(mapped)}
    if type(options.get("num_ctx", 1)) is not int or options.get("num_ctx", 1) < 1:
        raise BadRequestError("'num_ctx' must be a positive number of tokens.", param="num_ctx")
    return options


def _format(wanted: Any) -> Any:
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind == "json_object":
        return "json"
    if kind != "json_schema":
        return None
    schema = (wanted.get("json_schema") or {}).get("schema")
    if not isinstance(schema, dict):
        raise BadRequestError("'response_format' has no schema.", param="response_format")
    return schema


def _think(body: Body, family: str) -> Any:
    """What the caller says in Ollama's own word, or the effort: none, or as much as the model can tell apart."""
    effort = body.get("reasoning_effort")
    if body.get("think") is not None or effort is None:
        return body.get("think")
    if effort == "none":
        return False
    return _EFFORTS.get(effort, "medium") if family in DEGREES else True


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
