"""The fenced blocks of a text: what each says it is written in, and what stands in it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

_FENCE = re.compile(r"[ \t>]*(`{3,}|~{3,})(.*)")
_LABEL = re.compile(r"[{.\s]*([\w+#-]+)")


@dataclass(frozen=True, slots=True)
class Block:
    """`label` is the first word after the fence in small letters, empty where there is none."""

    label: str
    body: str


def fenced(text: str) -> Iterator[Block]:
    """Only blocks whose fence was closed. Source: CommonMark 0.31.2, section 4.5."""
    mark, label, lines = "", "", list[str]()
    for line in text.splitlines():
        fence = _FENCE.match(line)
        if not mark:
            if fence and "`" not in fence[2]:
                mark, label, lines = fence[1], _label(fence[2]), []
        elif fence and fence[1].startswith(mark) and not fence[2].strip():
            yield Block(label, textwrap.dedent("\n".join(lines)))
            mark = ""
        else:
            lines.append(line)


def _label(info: str) -> str:
    found = _LABEL.match(info)
    return found[1].lower() if found else ""
