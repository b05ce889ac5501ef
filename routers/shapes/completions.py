"""The body of POST /v1/completions. Source: OpenAI's API description, CreateCompletionRequest."""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import Field, with_config
from typing_extensions import TypedDict

from routers.shapes.chat import StreamOptions
from routers.shapes.shape import OPEN, Bias, Count, Model, Penalty, Seed, Shape, Stops, TokenId

Token = Annotated[int, Field(ge=0, le=2**31 - 1)]
Tokens = Annotated[list[Token], Field(min_length=1)]
Prompt = (
    str
    | Annotated[list[str], Field(min_length=1, max_length=128)]
    | Tokens
    | Annotated[list[Tokens], Field(min_length=1, max_length=128)]
)


@with_config(OPEN)
class CompletionRequest(TypedDict):
    model: Model
    prompt: Prompt
    best_of: NotRequired[Annotated[int, Field(ge=1, le=20)] | None]
    echo: NotRequired[bool | None]
    frequency_penalty: NotRequired[Penalty | None]
    logit_bias: NotRequired[dict[TokenId, Bias] | None]
    logprobs: NotRequired[Annotated[int, Field(ge=0, le=5)] | None]
    max_tokens: NotRequired[Count | None]
    n: NotRequired[Annotated[int, Field(ge=1, le=128)] | None]
    presence_penalty: NotRequired[Penalty | None]
    seed: NotRequired[Seed | None]
    stop: NotRequired[str | Stops | None]
    stream: NotRequired[bool | None]
    stream_options: NotRequired[StreamOptions | None]
    suffix: NotRequired[str | None]
    temperature: NotRequired[Annotated[float, Field(ge=0, le=2)] | None]
    top_p: NotRequired[Annotated[float, Field(ge=0, le=1)] | None]
    user: NotRequired[str | None]


SHAPE = Shape(CompletionRequest)
