"""Tools as llama.cpp takes them: by name, and for a model whose chat template knows none, in words and a schema.

llama.cpp drops tools without a word where the template has no place for them, lets a model talk as long as it
likes before a call that is required, and takes a function that is asked for by name for "auto".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from app.domain.errors import JobRejectedError

_NO_PARAMETERS = {"type": "object", "properties": {}, "additionalProperties": False}
_NEVER = frozenset(["parallel_tool_calls", "tool_choice", "tools"])
_TOLD = """# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{tools}
</tools>

For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:
<tool_call>
{{"name": <function-name>, "arguments": <args-json-object>}}
</tool_call>"""

Body = dict[str, Any]


def chosen(body: Mapping[str, Any], backend: str) -> Body:
    """The body with only those tools that may be chosen, and a word for `tool_choice`. Raises JobRejectedError."""
    tools, choice = body.get("tools") or [], body.get("tool_choice")
    if any(tool["type"] != "function" or not tool.get("function") for tool in tools):
        raise JobRejectedError(backend, 400, "llama.cpp only knows tools of type 'function'.", param="tools")
    if not isinstance(choice, dict):
        return dict(body)
    names, mode = _allowed(choice)
    known = {tool["function"]["name"] for tool in tools}
    if not names or not names <= known:
        raise JobRejectedError(backend, 400, "'tool_choice' must name functions of 'tools'.", param="tool_choice")
    kept = [tool for tool in tools if tool["function"]["name"] in names]
    return {**body, "tools": kept, "tool_choice": mode}


def in_words(body: Mapping[str, Any]) -> Body:
    """The body for a model that knows no tools; a call that is required becomes the schema of the whole answer."""
    tools, choice = body.get("tools") or [], body.get("tool_choice")
    kept = {key: value for key, value in body.items() if key not in _NEVER}
    kept["messages"] = list(map(_flat, body["messages"]))
    if not tools or choice == "none":
        return kept
    kept["messages"] = _told(kept["messages"], tools)
    if choice == "required":
        schema = {"name": "call", "strict": True, "schema": schema_of_a_call(tools)}
        kept["response_format"] = {"type": "json_schema", "json_schema": schema}
    return kept


def schema_of_a_call(tools: Sequence[Mapping[str, Any]]) -> Body:
    """What a call of one of the tools looks like; references inside a tool's parameters lead to where they are now."""
    definitions, calls = {}, []
    for place, tool in enumerate(tools):
        function, here = tool["function"], f"tool{place}"
        definitions[here] = _moved(function.get("parameters") or _NO_PARAMETERS, f"#/$defs/{here}")
        properties = {"name": {"const": function["name"]}, "arguments": {"$ref": f"#/$defs/{here}"}}
        calls.append({"type": "object", "properties": properties, "required": ["name", "arguments"]})
    return {"$defs": definitions, "anyOf": [{**call, "additionalProperties": False} for call in calls]}


def _allowed(choice: Mapping[str, Any]) -> tuple[set[str], str]:
    """The names that a `tool_choice` allows, and whether one of them must be called."""
    allowed = choice.get("allowed_tools")
    if choice.get("type") == "allowed_tools" and isinstance(allowed, dict):
        tools = allowed.get("tools")
        return set(_names(tools if isinstance(tools, list) else [])), str(allowed.get("mode", "auto"))
    return set(_names([choice])), "required"


def _names(tools: Sequence[Any]) -> Iterator[str]:
    for tool in tools:
        function = tool.get("function") if isinstance(tool, dict) else None
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            yield function["name"]


def _told(messages: Sequence[Body], tools: Sequence[Mapping[str, Any]]) -> list[Body]:
    """The tools at the end of what the system says."""
    words = _TOLD.format(tools="\n".join(orjson.dumps(tool).decode() for tool in tools))
    first = messages[0]
    if first["role"] not in ("system", "developer"):
        return [{"role": "system", "content": words}, *messages]
    return [{**first, "content": f"{_text(first)}\n\n{words}"}, *messages[1:]]


def _flat(message: Mapping[str, Any]) -> Body:
    """A call, or what came of it, in the words that the model was told to use."""
    if message["role"] == "tool":
        return {"role": "user", "content": f"<tool_response>\n{_text(message)}\n</tool_response>"}
    calls = [call["function"] for call in message.get("tool_calls") or () if call.get("function")]
    if not calls:
        return dict(message)
    told = [
        f'<tool_call>\n{{"name": {orjson.dumps(call["name"]).decode()}, "arguments": {call["arguments"] or "{}"}}}\n'
        "</tool_call>"
        for call in calls
    ]
    return {"role": message["role"], "content": "\n".join(filter(None, [_text(message), *told]))}


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part["type"] == "text")


def _moved(schema: Any, base: str) -> Any:
    if isinstance(schema, list):
        return [_moved(item, base) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: base + value[1:] if key == "$ref" and isinstance(value, str) and value[:1] == "#" else _moved(value, base)
        for key, value in schema.items()
    }
