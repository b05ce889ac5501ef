"""Whether the code in an answer parses, as far as that can be told of a piece of code in a text."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from app.confidence import grammars
from app.confidence.fences import Block

_PYTHON_LENGTH = 8192
_JSON_LENGTH = 262_144
_SIGNS = 1000  # of those that stand one before another; each is a step down the parser's stack

_SIGN = re.compile(r"[-+~]\s*(?=[-+~])|\blambda\b|\bnot\s+(?=not\b)")
_LEFT_OUT = re.compile(r"(?<!\w)\.\.\.(?![\w\[{(])|…")
_FRAGMENT = re.compile(r"\s*(?:elif|else|except|finally|case)\b")
_MAGIC = re.compile(r"^\s*[!%]", re.MULTILINE)
_PLACE = re.compile(r"<[A-Za-z][\w -]*>")
_PROMPT = re.compile(r"(?:>>>|\.\.\.)(?: |$)")
_SHELLS = frozenset({"bash", "sh", "shell"})


@dataclass(frozen=True, slots=True)
class Reading:
    """`good` is None where it can't be told; `value` is what was read."""

    good: bool | None
    value: Any = None


def parses(block: Block) -> bool | None:
    """None where it can't be told: an unknown language, too much of it, or plainly a part of something."""
    if not block.body.strip():
        return None
    check = _CHECKS.get(block.label, _other)
    good = check(block)
    return None if good is False and _partial(block) else good


def read_json(text: str) -> Reading:
    """JSON as RFC 8259 has it, so without NaN and Infinity."""
    if len(text) > _JSON_LENGTH:
        return Reading(None)
    try:
        return Reading(True, json.loads(text, parse_constant=_no_constant))
    except json.JSONDecodeError:
        return Reading(False)
    except (RecursionError, ValueError):  # deeper, or a longer number, than can be read here
        return Reading(None)


def _no_constant(name: str) -> NoReturn:
    raise json.JSONDecodeError("no JSON", name, 0)


def _python(block: Block) -> bool | None:
    """Bounded before it is parsed: what nests thousands deep can end the process where the stack is small."""
    source = _typed(block.body)
    if len(source) > _PYTHON_LENGTH or len(_SIGN.findall(source)) > _SIGNS:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes and numbers that will not be allowed one day
            ast.parse(source)
    except SyntaxError:
        return False
    except (MemoryError, RecursionError, ValueError):
        return None
    return True


def _typed(body: str) -> str:
    """What was typed at the prompts, where there are any; what was answered there is no code."""
    if not body.lstrip().startswith(">>>"):
        return body
    lines = (line.lstrip() for line in body.splitlines())
    return "\n".join(line[4:] for line in lines if _PROMPT.match(line))


def _json(block: Block) -> bool | None:
    return read_json(block.body).good


def _shell(block: Block) -> bool | None:
    if block.body.lstrip().startswith("$ "):
        return grammars.stands(block.label, _commands(block.body))
    return grammars.stands(block.label, block.body)


def _commands(body: str) -> str:
    """What was typed after `$`, with the lines that a backslash joins to it."""
    kept, joined = list[str](), False
    for line in body.splitlines():
        typed = line.lstrip().startswith("$ ")
        if typed or joined:
            kept.append(line.lstrip()[2:] if typed else line)
        joined = (typed or joined) and line.endswith("\\")
    return "\n".join(kept)


def _other(block: Block) -> bool | None:
    return grammars.stands(block.label, block.body)


_CHECKS: dict[str, Callable[[Block], bool | None]] = {
    **dict.fromkeys(("python", "python3", "py", "pycon"), _python),
    "json": _json,
    **dict.fromkeys(sorted(_SHELLS), _shell),
}


def _partial(block: Block) -> bool:
    """Something was left out of it on purpose, or it begins in the middle."""
    if _LEFT_OUT.search(block.body):
        return True
    if _CHECKS.get(block.label) is _python:
        return bool(_FRAGMENT.match(block.body) or _MAGIC.search(block.body))
    return block.label in _SHELLS and _PLACE.search(block.body) is not None
