"""The body of POST /v1/embeddings. Source: OpenAI's API description, CreateEmbeddingRequest."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field, with_config
from typing_extensions import TypedDict

from routers.shapes.completions import Tokens
from routers.shapes.shape import OPEN, Model, Shape

Input = (
    str
    | Annotated[list[str], Field(min_length=1, max_length=2048)]
    | Tokens
    | Annotated[list[Tokens], Field(min_length=1, max_length=2048)]
)


@with_config(OPEN)
class EmbeddingRequest(TypedDict):
    model: Model
    input: Input
    dimensions: NotRequired[Annotated[int, Field(ge=1, le=65_536)] | None]
    encoding_format: NotRequired[Literal["float", "base64"] | None]
    user: NotRequired[str | None]


SHAPE = Shape(EmbeddingRequest)
