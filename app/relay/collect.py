"""A stream of chunks as the one object that a client gets who did not ask for a stream."""

from __future__ import annotations

from typing import Any

import orjson

from app.domain.sse import payloads

Event = dict[str, Any]
_OBJECTS = {"chat.completion.chunk": "chat.completion"}


def collect(events: bytes, usage: Event | None) -> Event:
    """The `chat.completion` or `text_completion` that whole events tell. Raises ValueError when they make no sense.

    Strings grow, lists with an `index` are merged by it, other lists are joined, whatever else is said later
    counts; fields that are no part of the API are kept.
    """
    try:
        return _collected(events, usage)
    except (AttributeError, TypeError) as error:  # something is not of the type that the API says
        raise ValueError("an event is none of a completion") from error


def _collected(events: bytes, usage: Event | None) -> Event:
    whole: Event = {}
    identity: Event = {}
    choices: dict[int, Event] = {}
    for data in payloads(events):
        if data == b"[DONE]":
            continue
        event = orjson.loads(data)
        for choice in event.pop("choices", ()) or ():
            index = choice.get("index", 0)
            if index in choices:
                _merge(choices[index], choice)
            else:
                choices[index] = choice
        identity = identity or {key: event[key] for key in ("id", "created") if key in event}
        if None in event.values():  # it tells nothing new
            event = {key: value for key, value in event.items() if value is not None or key not in whole}
        whole.update(event)
    whole.update(identity)
    whole["object"] = _OBJECTS.get(whole.get("object", ""), whole.get("object"))
    whole["choices"] = [_finished(index, choices[index]) for index in sorted(choices)]
    whole.pop("usage", None)
    if usage is not None:
        whole["usage"] = usage
    return whole


def _finished(index: int, choice: Event) -> Event:
    """A choice with all the fields that the API promises."""
    choice["index"] = index
    choice.setdefault("logprobs", None)
    if "delta" not in choice:
        return choice
    message = choice.pop("delta")
    content = message.get("content")
    calls = message.get("tool_calls")
    message = {
        "role": "assistant",
        "refusal": None,
        **message,
        "content": None if calls and not content else content or "",
    }
    if calls:
        message["tool_calls"] = [{key: value for key, value in call.items() if key != "index"} for call in calls]
    return {**choice, "message": message}


def _merge(into: Event, change: Event) -> None:
    for key, value in change.items():
        known = into.get(key)
        if known is None:
            into[key] = value
        elif value is None:
            continue
        elif isinstance(known, dict) and isinstance(value, dict):
            _merge(known, value)
        elif isinstance(known, list) and isinstance(value, list):
            _join(known, value)
        elif isinstance(known, str) and isinstance(value, str) and key not in _WHOLE:
            into[key] = known + value
        else:
            into[key] = value


_WHOLE = frozenset({"id", "type", "role", "finish_reason", "object"})


def _join(known: list[Any], more: list[Any]) -> None:
    """Tool calls are told in pieces that belong together by their `index`; anything else comes one after the other."""
    for item in more:
        index = item.get("index") if isinstance(item, dict) else None
        same = next((old for old in known if index is not None and old.get("index") == index), None)
        if same is None:
            known.append(item)
        else:
            _merge(same, item)
