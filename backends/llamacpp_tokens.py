"""The tokens that an answer is made of: those that its slot was saved with, made to end where its reader is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

_HALF = "\N{REPLACEMENT CHARACTER}"


class Tokenizer(Protocol):
    """Of the model that wrote the answer."""

    async def ids(self, text: str) -> list[int]:
        """The tokens of a text."""

    async def text(self, ids: Sequence[int]) -> str:
        """U+FFFD stands for a character of which the tokens have only a part."""


async def continued_ids(
    tokenizer: Tokenizer, prompt: Sequence[int], saved: Sequence[int], text: str
) -> tuple[list[int], str]:
    """The ids of prompt and answer, and what they say beyond `text`.

    A slot lacks the last token that was sampled, or has some that the reader has not seen.
    Raises ValueError when what was saved does not say this text.
    """
    if list(saved[: len(prompt)]) != list(prompt):
        raise ValueError("does not begin with the prompt")
    written = list(saved[len(prompt) :])
    said = await tokenizer.text(written)
    while said.endswith(_HALF) and not text.startswith(said):
        written.pop()
        said = await tokenizer.text(written)
    if not said.startswith(text):
        if not text.startswith(said):
            raise ValueError("says another text")
        written, said = await _completed(tokenizer, written, said, text), text
    return [*prompt, *written], said[len(text) :]


async def _completed(tokenizer: Tokenizer, written: list[int], said: str, text: str) -> list[int]:
    """With the tokens of what is missing, which follow a word: some tokenizers put a space before what comes first."""
    missing = text[len(said) :]
    for before in ("", "\n"):
        skipped = len(await tokenizer.ids(before)) if before else 0
        whole = written + (await tokenizer.ids(before + missing))[skipped:]
        if await tokenizer.text(whole) == text:
            return whole
    raise ValueError("lacks tokens that can't be found")
