"""How a server that speaks OpenAI's API is asked to go on with an answer: each family has its own words for it.

Sources: vLLM and SGLang, `continue_final_message`, and vLLM's `/tokenize`; Mistral and DeepSeek, `prefix`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from app.domain.backend import Capability
from app.domain.handoff import Begun
from app.domain.parameters import OFFICIAL, needed
from backends.begun import continued

Way = Literal["auto", "continue_final_message", "prefix", "none"]

#: What servers that know `continue_final_message` call themselves as the owner of their models.
KNOWN = frozenset({"sglang", "vllm"})

_OF_CHAT = OFFICIAL[Capability.CHAT] - OFFICIAL[Capability.COMPLETE] | {"messages"}
_RENDERING = frozenset({"chat_template", "chat_template_kwargs"})
_TURNS = frozenset({"add_generation_prompt", "continue_final_message"})


def chat_body(backend: str, body: Mapping[str, Any], begun: Begun, way: Way) -> Mapping[str, Any]:
    """The body of a chat that goes on after the text. Raises JobRejectedError in the middle of a thought."""
    if way == "prefix":
        return continued(backend, body, begun, prefix=True)
    marks = {"reasoning_content": begun.reasoning} if begun.reasoning else {}
    asked = {"continue_final_message": True, "add_generation_prompt": False} if begun.text else {}
    return {**continued(backend, body, begun, **marks), **asked}


def fits_tokens(body: Mapping[str, Any], begun: Begun) -> bool:
    """Whether the job says the same as a completion of token ids: plain text that follows somebody else's turn."""
    of_chat = needed(body, Capability.CHAT)[0] & (_OF_CHAT | {"logprobs"}) - {"max_completion_tokens"}
    asked = body["messages"][-1].get("role") != "assistant"
    return asked and not of_chat and not begun.reasoning and (begun.tokens is not None or begun.text != "")


def prompt_request(body: Mapping[str, Any]) -> dict[str, Any]:
    """For /tokenize: the conversation, up to where the assistant begins to speak."""
    rendering = {name: body[name] for name in _RENDERING if name in body}
    return {"model": body["model"], "messages": body["messages"], "add_generation_prompt": True, **rendering}


def text_request(body: Mapping[str, Any], text: str) -> dict[str, Any]:
    """For /tokenize: a text in the middle of something."""
    return {"model": body["model"], "prompt": text, "add_special_tokens": False}


def completion_body(body: Mapping[str, Any], tokens: Sequence[int]) -> dict[str, Any]:
    """For /completions, which stops after 16 tokens where the body has no word on it."""
    kept = {name: value for name, value in body.items() if name not in _OF_CHAT | _RENDERING | _TURNS}
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    return {**kept, "prompt": list(tokens), "max_tokens": limit}
