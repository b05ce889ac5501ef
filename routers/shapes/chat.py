"""The body of POST /v1/chat/completions. Source: OpenAI's API description, CreateChatCompletionRequest."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field, with_config
from typing_extensions import TypedDict

from routers.shapes.shape import OPEN, Bias, Count, Model, Penalty, Seed, Shape, Stops, TokenId


@with_config(OPEN)
class TextPart(TypedDict):
    type: Literal["text"]
    text: str


@with_config(OPEN)
class ImageUrl(TypedDict):
    url: Annotated[str, Field(min_length=1)]
    detail: NotRequired[Literal["auto", "low", "high"] | None]


@with_config(OPEN)
class ImagePart(TypedDict):
    type: Literal["image_url"]
    image_url: ImageUrl


@with_config(OPEN)
class InputAudio(TypedDict):
    data: str
    format: str


@with_config(OPEN)
class AudioPart(TypedDict):
    type: Literal["input_audio"]
    input_audio: InputAudio


@with_config(OPEN)
class FilePart(TypedDict):
    type: Literal["file"]
    file: dict[str, Any]


@with_config(OPEN)
class RefusalPart(TypedDict):
    type: Literal["refusal"]
    refusal: str


Part = Annotated[TextPart | ImagePart | AudioPart | FilePart | RefusalPart, Field(discriminator="type")]


@with_config(OPEN)
class CalledFunction(TypedDict):
    name: str
    arguments: str


@with_config(OPEN)
class ToolCall(TypedDict):
    id: str
    type: NotRequired[str]
    function: NotRequired[CalledFunction]


@with_config(OPEN)
class Message(TypedDict):
    role: Literal["developer", "system", "user", "assistant", "tool", "function"]
    content: NotRequired[str | list[Part] | None]
    name: NotRequired[str | None]
    refusal: NotRequired[str | None]
    tool_calls: NotRequired[list[ToolCall] | None]
    tool_call_id: NotRequired[str | None]


@with_config(OPEN)
class FunctionDefinition(TypedDict):
    name: Annotated[str, Field(min_length=1, max_length=256)]
    description: NotRequired[str | None]
    parameters: NotRequired[dict[str, Any] | None]
    strict: NotRequired[bool | None]


@with_config(OPEN)
class FunctionTool(TypedDict):
    type: Literal["function"]
    function: FunctionDefinition


@with_config(OPEN)
class CustomTool(TypedDict):
    type: Literal["custom"]
    custom: dict[str, Any]


Tool = Annotated[FunctionTool | CustomTool, Field(discriminator="type")]


@with_config(OPEN)
class JsonSchema(TypedDict):
    name: Annotated[str, Field(min_length=1)]
    schema: NotRequired[dict[str, Any]]
    strict: NotRequired[bool | None]


@with_config(OPEN)
class PlainFormat(TypedDict):
    type: Literal["text", "json_object"]


@with_config(OPEN)
class SchemaFormat(TypedDict):
    type: Literal["json_schema"]
    json_schema: JsonSchema


ResponseFormat = Annotated[PlainFormat | SchemaFormat, Field(discriminator="type")]


@with_config(OPEN)
class StreamOptions(TypedDict):
    include_usage: NotRequired[bool | None]
    include_obfuscation: NotRequired[bool | None]


@with_config(OPEN)
class ChatRequest(TypedDict):
    model: Model
    messages: Annotated[list[Message], Field(min_length=1, max_length=10_000)]
    frequency_penalty: NotRequired[Penalty | None]
    logit_bias: NotRequired[dict[TokenId, Bias] | None]
    logprobs: NotRequired[bool | None]
    max_completion_tokens: NotRequired[Count | None]
    max_tokens: NotRequired[Count | None]
    metadata: NotRequired[Annotated[dict[str, str], Field(max_length=16)] | None]
    modalities: NotRequired[list[Literal["text", "audio"]] | None]
    n: NotRequired[Annotated[int, Field(ge=1, le=128)] | None]
    parallel_tool_calls: NotRequired[bool | None]
    presence_penalty: NotRequired[Penalty | None]
    reasoning_effort: NotRequired[str | None]
    response_format: NotRequired[ResponseFormat | None]
    seed: NotRequired[Seed | None]
    service_tier: NotRequired[str | None]
    stop: NotRequired[str | Stops | None]
    store: NotRequired[bool | None]
    stream: NotRequired[bool | None]
    stream_options: NotRequired[StreamOptions | None]
    temperature: NotRequired[Annotated[float, Field(ge=0, le=2)] | None]
    tool_choice: NotRequired[Literal["none", "auto", "required"] | dict[str, Any] | None]
    tools: NotRequired[Annotated[list[Tool], Field(max_length=128)] | None]
    top_logprobs: NotRequired[Annotated[int, Field(ge=0, le=20)] | None]
    top_p: NotRequired[Annotated[float, Field(ge=0, le=1)] | None]
    user: NotRequired[str | None]


SHAPE = Shape(ChatRequest)
