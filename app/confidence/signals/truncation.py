"""Whether an answer was cut off: by its length, within a code fence, or in the middle of JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from app.confidence.exchange import Exchange

_FENCE = re.compile(r"^[ \t>]*(`{3,}|~{3,})([^\n`]*)$", re.MULTILINE)
_JSON_BEGINS = re.compile(r'\{\s*(?:"|\}|\Z)|\[\s*(?:["{\[\]]|-?\d+\s*(?:,|\Z)|\Z)')
_JSON_FORMATS = frozenset(("json_object", "json_schema"))

_LAST_LINE, _FEW_WORDS = 2000, 5  # characters, words
_ENDS = ".!?…。！？।؟:)]}>\"'`*_~|”’»"  # noqa: RUF001
_MARKED = ("- ", "* ", "+ ", "#", "|", "•")

#: What may be left of a value when the text ends: nothing, or the beginning of a word, a number or an escape.
_REST = re.compile(r"\s*(?:-|\.|[eE][-+]?|t(?:ru?)?|f(?:al?s?)?|n(?:ul?)?|u[0-9a-fA-F]{0,4})?\s*")

#: Numbers of thousands of digits are no whole numbers to the parser, which refuses them.
_DECODER = json.JSONDecoder(parse_int=float)


def truncation(exchange: Exchange) -> Mapping[str, float]:
    """`truncated`: the backend stopped at its token limit. `unclosed`: a fence is open, or JSON ends in the middle.
    `unended`: the last line is a sentence that does not end.

    Nothing while the answer is being written. JSON nested so deep that it can't be read is left out.
    """
    if exchange.finish_reason is None:
        return {}
    values = {"truncated": float(exchange.finish_reason == "length"), "unended": float(_is_unended(exchange.text))}
    unclosed = False if exchange.calls else _is_unclosed(exchange)
    if unclosed is not None:
        values["unclosed"] = float(unclosed)
    return values


def _is_unended(text: str) -> bool:
    """A few words need no full stop: they may be a name, a title or an item of a list."""
    last = text[-_LAST_LINE:].rstrip().rpartition("\n")[2]
    return len(last.split()) > _FEW_WORDS and last[-1] not in _ENDS and not last.lstrip().startswith(_MARKED)


def _is_unclosed(exchange: Exchange) -> bool | None:
    text = exchange.text.strip()
    asked = exchange.response_format is not None and exchange.response_format.get("type") in _JSON_FORMATS
    if _JSON_BEGINS.match(text) or (asked and text[:1] in ("{", "[")):
        return _ends_within_json(text)
    return ("```" in text or "~~~" in text) and _has_open_fence(text)


def _has_open_fence(text: str) -> bool:
    """A fence is closed by as many of the same marks or more, with nothing behind them. Source: CommonMark 4.5."""
    fence = ""
    for line in _FENCE.finditer(text):
        marks, info = line[1], line[2].strip()
        if not fence:
            fence = marks
        elif marks.startswith(fence) and not info:
            fence = ""
    return bool(fence)


def _ends_within_json(text: str) -> bool | None:
    try:
        _DECODER.decode(text)
    except json.JSONDecodeError as error:
        if error.msg.startswith("Extra data"):
            return False
        return error.msg.startswith("Unterminated string") or _REST.fullmatch(text, error.pos) is not None
    except RecursionError:
        return None
    return False
