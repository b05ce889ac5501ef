"""An answer of sixty tokens, and the tokenizer that cuts it so."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WRITTEN = (
    "Grüße| from| the| kettle|:| in| 東|京| it| is| evening| 🙂|,| and| seven| naïve| swans| drift| over| Zürich|."
    "|\n\n|Nobody| counts| the| END| of| a| song| twice|;| the| caf|é| closes|,| an| 👩|\u200d🚀| waves|,"
    '| "|soft|"| snow| falls| on| every| quiet| roof|,| and| 明日| mor|ning| says| good| night| to| us!'
)

#: The answer, a token each: some are a part of a word, some a part of what looks like one character.
TOKENS = tuple(_WRITTEN.split("|"))
TEXT = "".join(TOKENS)

#: What is answered under a `response_format`, and with tools.
DOCUMENT = ('{"', "city", '": "', "Zür", "ich", '", "', "days", '": [', "1", ", ", "2", "]", "}")
LOOKING = ("Let", " me", " look", ".")
ARGUMENTS = ('{"', "city", '": "', "Zür", "ich", '", "', "days", '": ', "3", "}")

_MARKS = ("<|system|>", "<|user|>", "<|assistant|>", "<|tool|>", "<|end|>")
_WORDS = (*_MARKS, *sorted(set(TOKENS)))
_FIRST_WORD = 256  # under it each byte is a token
_KNOWN = re.compile("|".join(map(re.escape, sorted(_WORDS, key=len, reverse=True))))


def tokenise(text: str) -> list[int]:
    """The longest words first; what is in none of them goes byte by byte."""
    ids: list[int] = []
    at = 0
    for word in _KNOWN.finditer(text):
        ids += [*text[at : word.start()].encode(), _FIRST_WORD + _WORDS.index(word.group())]
        at = word.end()
    return [*ids, *text[at:].encode()]


def detokenise(ids: Sequence[int]) -> str:
    return b"".join(
        bytes([each]) if each < _FIRST_WORD else _WORDS[each - _FIRST_WORD].encode() for each in ids
    ).decode()


def rest_of(tokens: Sequence[str], written: str) -> list[str]:
    """What comes after that beginning; the first may be a part of a token. Raises ValueError when it is none."""
    if not "".join(tokens).startswith(written):
        raise ValueError("no beginning of the answer")
    rest, position = [], 0
    for token in tokens:
        left = token[max(0, len(written) - position) :]
        position += len(token)
        rest += [left] if left else []
    return rest
