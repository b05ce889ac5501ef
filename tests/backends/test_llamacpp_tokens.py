"""Ids and text of an answer: whatever the slot had, together they say what the reader has, and what comes next."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.llamacpp_tokens import continued_ids
from tests.fakes.llamacpp_server import detokenise, tokenise

pytestmark = pytest.mark.anyio

PROMPT = tokenise("<|user|>Hi<|assistant|>")
TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\N{REPLACEMENT CHARACTER}")))


class Words:
    """Of the fake server."""

    async def ids(self, text: str) -> list[int]:
        return tokenise(text)

    async def text(self, ids: Sequence[int]) -> str:
        return detokenise(ids)


class SpaceBeforeTheFirst(Words):
    """As the tokenizers of Llama 2 and Mistral do it."""

    async def ids(self, text: str) -> list[int]:
        return tokenise(" ") + [number for part in re.split("(\n)", text) if part for number in tokenise(part)]


@given(words=TEXTS, data=st.data())
async def test_wherever_reader_and_slot_are_nothing_is_lost_or_doubled(words: list[str], data: st.DataObject) -> None:
    whole = "".join(words)
    generated = [number for word in words for number in tokenise(word)]
    evaluated = generated[: data.draw(st.integers(0, len(generated)), "evaluated")]
    text = whole[: data.draw(st.integers(0, len(whole)), "read")]

    ids, surplus = await continued_ids(Words(), PROMPT, PROMPT + evaluated, text)

    assert ids[: len(PROMPT)] == PROMPT
    assert detokenise(ids[len(PROMPT) :]) == text + surplus
    assert whole.startswith(text + surplus)


async def test_the_ids_of_the_slot_are_kept_as_the_model_chose_them() -> None:
    chosen = tokenise("ab") + tokenise("cd")
    assert chosen != tokenise("abcd")

    ids, surplus = await continued_ids(Words(), PROMPT, PROMPT + chosen, "abc")

    assert (ids, surplus) == (PROMPT + chosen, "d")


async def test_half_a_character_is_left_to_be_written_again() -> None:
    chosen = tokenise("ab") + tokenise("🙂")[:1]

    assert await continued_ids(Words(), PROMPT, PROMPT + chosen, "a") == (PROMPT + tokenise("ab"), "b")


async def test_a_model_that_writes_replacement_characters_is_not_taken_for_one_that_was_cut() -> None:
    class Counting(Words):
        asked = 0

        async def text(self, ids: Sequence[int]) -> str:
            self.asked += 1
            return await super().text(ids)

    tokenizer, odd = Counting(), "a" + "\N{REPLACEMENT CHARACTER}" * 30
    saved = PROMPT + tokenise(odd)

    assert await continued_ids(tokenizer, PROMPT, saved, odd) == (saved, "")
    assert tokenizer.asked == 1


async def test_what_is_missing_is_found_where_a_space_is_put_before_what_comes_first() -> None:
    ids, surplus = await continued_ids(SpaceBeforeTheFirst(), PROMPT, PROMPT + tokenise("ab"), "abcd")

    assert (detokenise(ids[len(PROMPT) :]), surplus) == ("abcd", "")


@pytest.mark.parametrize(
    ("saved", "fault"),
    [
        (tokenise("<|user|>Ho<|assistant|>abc"), "prompt"),
        (PROMPT[:2], "prompt"),
        (PROMPT + tokenise("xyz"), "another text"),
        (PROMPT + tokenise("abx"), "another text"),
    ],
)
async def test_a_state_of_something_else_is_not_trusted(saved: list[int], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        await continued_ids(Words(), PROMPT, saved, "abc")
