"""The official API's request parameters: which of them an answer depends on, and which only label or hint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.domain.backend import Capability

#: Labels, accounting and hints: the answer is as good without them, so any backend may take the job.
HINTS = frozenset(
    {
        "metadata",
        "prediction",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "user",
    }
)

#: Parameters of the gateway itself: it answers for them whatever the backend can do.
OURS = frozenset({"model", "messages", "prompt", "input", "stream", "stream_options", "n", "encoding_format"})

#: Values that ask for nothing beyond what happens anyway.
NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "best_of": (1,),
    "echo": (False,),
    "frequency_penalty": (0,),
    "function_call": ("none",),
    "functions": ([],),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "parallel_tool_calls": (True,),
    "presence_penalty": (0,),
    "response_format": ({"type": "text"},),
    "service_tier": ("auto", "default"),
    "stop": ([], ""),
    "store": (False,),
    "suffix": ("",),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
    "top_logprobs": (0,),
    "verbosity": ("medium",),
}

_CHAT = """
audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens metadata
modalities moderation parallel_tool_calls prediction presence_penalty prompt_cache_key prompt_cache_options
prompt_cache_retention reasoning_effort response_format safety_identifier seed service_tier stop store temperature
tool_choice tools top_logprobs top_p user verbosity web_search_options
"""
_COMPLETE = """
best_of echo frequency_penalty logit_bias logprobs max_tokens presence_penalty seed stop suffix temperature top_p user
"""

#: Every parameter of the official API, by what it asks for.
OFFICIAL: Mapping[Capability, frozenset[str]] = {
    Capability.CHAT: OURS | frozenset(_CHAT.split()),
    Capability.COMPLETE: OURS | frozenset(_COMPLETE.split()),
    Capability.EMBED: OURS | frozenset({"dimensions", "user"}),
}


def needed(body: Mapping[str, Any], capability: Capability) -> tuple[frozenset[str], frozenset[str]]:
    """The official parameters that this answer depends on, and the fields that are not of the API.

    `None`, a neutral value and a hint ask for nothing. `tool_choice` matters only beside tools.
    """
    official = OFFICIAL[capability]
    wanted, extras = [], []
    for name, value in body.items():
        if value is None or name in OURS or name in HINTS:
            continue
        if name not in official:
            extras.append(name)
        elif not _neutral(value, NEUTRAL.get(name, ())):
            wanted.append(name)
    return frozenset(wanted), frozenset(extras)


def _neutral(value: Any, neutral: tuple[Any, ...]) -> bool:
    # `logprobs: 0` of a completion asks for something, though 0 == False
    return any(value == other and isinstance(value, bool) is isinstance(other, bool) for other in neutral)
