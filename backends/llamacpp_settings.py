"""What the llama.cpp kind can be told, and which parameters of a request it acts on."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from app.domain.backend import Capability
from backends.base import BackendSettings, Url

_SAMPLING = frozenset(
    [
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "max_tokens",
        "presence_penalty",
        "seed",
        "stop",
        "temperature",
        "top_p",
    ]
)
_CHAT = _SAMPLING | frozenset(
    ["max_completion_tokens", "parallel_tool_calls", "response_format", "tool_choice", "tools", "top_logprobs"]
)
HONOURS = {Capability.CHAT: _CHAT, Capability.COMPLETE: _SAMPLING}


class LlamaCppSettings(BackendSettings):
    """Either `model` (we run the server) or `url` (the user does)."""

    model: str | None = Field(None, min_length=1, description="a name from the catalogue, or a path to a GGUF")
    url: Url | None = Field(None, description="base URL of a server that runs already, without /v1")
    api_key: SecretStr | None = Field(None, description="the key of the server at `url`")
    slot_directory: Path | None = Field(
        None,
        description="the --slot-save-path of the server at `url`, where this machine can read it; "
        "lets running answers move with their state",
    )
    threads: int | None = Field(None, ge=1, le=1024, description="CPU threads; all cores when left out")
    embeddings: bool = Field(False, description="serve embeddings, and nothing else")
    concurrency: int = Field(2, ge=1, le=256, description="jobs that it takes at once: the server's slots")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.model is None) == (self.url is None):
            raise ValueError("needs either `model` or `url`")
        if self.url is not None and self.threads is not None:
            raise ValueError("`threads` is for a server that Isotherm runs; the one at `url` has its own")
        if self.url is None and self.slot_directory is not None:
            raise ValueError("`slot_directory` is for a server at `url`; one that Isotherm runs has its own")
        return self

    def model_needed(self) -> str | None:
        return self.model
