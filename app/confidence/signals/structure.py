"""Whether an answer has the form it was asked for: JSON that is JSON and fits its schema, and code that parses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

from app.confidence.code import Reading, parses, read_json
from app.confidence.exchange import Exchange
from app.confidence.fences import fenced
from app.confidence.schema import fits

_BLOCKS = 8
_LENGTH = 12_288  # characters of code in all
_QUESTION = 4000

_ASKS = re.compile(
    r"\b(?:answer|reply|respond|return|output|antworte\w*|répond\w*|responde|rispondi)\b[^.?!\n]{0,40}\bjson\b"
    r"|\b(?:as|in|im|als|en|with|only|valid|nur) (?:valid |plain |a |an )?json(?: object| array| only|-objekt)?"
    r"\s*[.!:]?\s*$|\bjson only\s*[.!:]?\s*$|\bonly (?:valid )?json\b",
    re.IGNORECASE | re.MULTILINE,
)
_PROGRAM = re.compile(
    r"\b(?:api|class|code|endpoint|funktion|function|fonction|how|is|library|method|pars\w+|program|script|what|why)\b",
    re.IGNORECASE,
)


def structure(exchange: Exchange) -> Mapping[str, float]:
    """`bad_json`, `bad_schema` (1 or 0) and `bad_code`, the share of the blocks that do not parse.

    Left out while the answer is being written: half an object is no fault. JSON that the request demands has to be the
    whole answer; what only the question asks for may stand in a fence.
    """
    if exchange.finish_reason is None:
        return {}
    return {**_form(exchange), **_code(exchange.text)}


def _form(exchange: Exchange) -> dict[str, float]:
    wanted = exchange.response_format or {}
    if exchange.calls and not exchange.text.strip():
        return {}
    if wanted.get("type") in ("json_object", "json_schema"):
        return _judged(read_json(exchange.text), _schema(wanted))
    if not wanted and _asks(exchange.question):
        return _judged(_loose(exchange.text), None)
    return {}


def _judged(reading: Reading, schema: Mapping[str, Any] | None) -> dict[str, float]:
    if reading.good is None:
        return {}
    values = {"bad_json": float(not reading.good)}
    fit = None if schema is None else reading.good and fits(schema, reading.value)
    return values if fit is None else {**values, "bad_schema": float(not fit)}


def _schema(wanted: Mapping[str, Any]) -> Mapping[str, Any] | None:
    inner = wanted.get("json_schema")
    schema = inner.get("schema") if isinstance(inner, Mapping) else None
    return schema if isinstance(schema, Mapping) else None


def _asks(question: str) -> bool:
    """Asked for JSON, and not about it or for a program that has to do with it."""
    end = question[-_QUESTION:]
    return _ASKS.search(end) is not None and _PROGRAM.search(end) is None


def _loose(text: str) -> Reading:
    block = next((block for block in fenced(text) if block.label in ("", "json")), None)
    return read_json(block.body if block else text)


def _code(text: str) -> dict[str, float]:
    """Of the first blocks only, so that the work is bounded whatever the model writes."""
    told, left = list[bool](), _LENGTH
    for block in islice(fenced(text), _BLOCKS):
        left -= len(block.body)
        good = parses(block) if left >= 0 else None
        if good is not None:
            told.append(good)
    return {"bad_code": told.count(False) / len(told)} if told else {}
