"""The `logprobs` of the old completions API, from those of chat: the servers only know the new ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def legacy_logprobs(entries: Sequence[Mapping[str, Any]], offset: int) -> dict[str, Any]:
    """`offset` is how many characters of the completion came before the first of these tokens."""
    tokens = [entry.get("token") or "" for entry in entries]
    return {
        "tokens": tokens,
        "token_logprobs": [entry.get("logprob") for entry in entries],
        "top_logprobs": [
            {top["token"]: top["logprob"] for top in entry.get("top_logprobs") or ()} for entry in entries
        ],
        "text_offset": [offset + sum(map(len, tokens[:index])) for index in range(len(tokens))],
    }
