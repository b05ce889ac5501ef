"""An OpenAI chat body as the body of Anthropic's Messages API.

What can't be told in that API raises BadRequestError, which names the parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.domain.errors import BadRequestError
from backends.anthropic_turns import Block, conversation, json_object

#: Gone from the API with version 2026-10-21; before it, models from Claude 4.7 on refuse them.
SAMPLING = frozenset({"temperature", "top_k", "top_p"})

#: What is mapped below; `thinking` and `top_k` are Anthropic's own and go through as they came.
HONOURS = SAMPLING | frozenset(
    {
        "max_completion_tokens",
        "max_tokens",
        "parallel_tool_calls",
        "reasoning_effort",
        "response_format",
        "stop",
        "thinking",
        "tool_choice",
        "tools",
        "user",
    }
)

_CHOICES = {"auto": "auto", "none": "none", "required": "any"}
#: Both scales in order; Anthropic's begins at low.
_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}


def messages_request(body: Mapping[str, Any], *, default_max_tokens: int, sampling: bool) -> Block:
    """The request to stream; `sampling` says whether the version of the API knows `temperature` and its like."""
    system, messages = conversation(body.get("messages") or ())
    effort = body.get("reasoning_effort")
    optional = {
        "system": system or None,
        "metadata": {"user_id": body["user"]} if body.get("user") else None,
        "stop_sequences": _stop_sequences(body.get("stop")) or None,
        "thinking": body.get("thinking") or ({"type": "disabled"} if effort == "none" else None),
        "output_config": {**_effort(effort), **_format(body.get("response_format"))} or None,
        **(_sampling(body) if sampling else {}),
        **_tools(body),
    }
    return {
        "model": body["model"],
        "max_tokens": body.get("max_completion_tokens") or body.get("max_tokens") or default_max_tokens,
        "messages": messages,
        "stream": True,
        **{name: value for name, value in optional.items() if value is not None},
    }


def _stop_sequences(stop: Any) -> list[str]:
    return [sequence for sequence in ([stop] if isinstance(stop, str) else stop or ()) if sequence]


def _sampling(body: Mapping[str, Any]) -> Block:
    temperature = body.get("temperature")
    if isinstance(temperature, int | float) and temperature > 1:
        raise BadRequestError("temperature goes from 0 to 1 for this model.", param="temperature")
    # 1 is where both stand anyway: newer models refuse to hear of either, some older ones of both at once
    asked = {name: value for name in ("temperature", "top_p") if (value := body.get(name)) != 1}
    return {**asked, "top_k": body.get("top_k")}


def _effort(effort: Any) -> Block:
    if effort in (None, "none"):
        return {}
    if effort not in _EFFORTS:
        raise BadRequestError(f"reasoning_effort is none or one of {', '.join(_EFFORTS)}.", param="reasoning_effort")
    return {"effort": _EFFORTS[effort]}


def _format(wanted: Any) -> Block:
    wanted = json_object(wanted)
    if wanted.get("type", "text") == "text":
        return {}
    schema = json_object(wanted.get("json_schema")).get("schema")
    if wanted.get("type") != "json_schema" or not isinstance(schema, dict):
        raise BadRequestError("response_format must be json_schema with a schema.", param="response_format")
    return {"format": {"type": "json_schema", "schema": schema}}


def _tools(body: Mapping[str, Any]) -> Block:
    tools = [_tool(tool) for tool in body.get("tools") or ()]
    if not tools:  # a choice without tools is an error there
        return {}
    choice = _choice(body.get("tool_choice"))
    if body.get("parallel_tool_calls") is False and choice != {"type": "none"}:
        choice = {**(choice or {"type": "auto"}), "disable_parallel_tool_use": True}
    return {"tools": tools, "tool_choice": choice}


def _tool(tool: Any) -> Block:
    function = json_object(json_object(tool).get("function"))
    if not function.get("name"):
        raise BadRequestError("only tools of type function can be used.", param="tools")
    mapped = {"name": function["name"], "input_schema": {"type": "object", **json_object(function.get("parameters"))}}
    if function.get("description"):
        mapped["description"] = function["description"]
    if function.get("strict"):
        mapped["strict"] = True
    return mapped


def _choice(choice: Any) -> Block | None:
    if choice is None:
        return None
    if isinstance(choice, str) and choice in _CHOICES:
        return {"type": _CHOICES[choice]}
    if name := json_object(json_object(choice).get("function")).get("name"):
        return {"type": "tool", "name": name}
    raise BadRequestError("tool_choice must be auto, none, required or a function.", param="tool_choice")
