"""A conversation comes out as a system prompt and turns that alternate."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.errors import BadRequestError
from backends.anthropic_turns import conversation

USER = {"role": "user", "content": "hi"}


def said(content: str) -> dict[str, Any]:
    return {"type": "text", "text": content}


def call(arguments: str, id: str = "call_1") -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": "weather", "arguments": arguments}}


def test_system_and_developer_messages_become_the_system_prompt() -> None:
    assert conversation(
        [
            {"role": "system", "content": "Be brief."},
            USER,
            {"role": "developer", "content": [said("Be"), said("kind.")]},
        ]
    ) == ("Be brief.\n\nBe\n\nkind.", [{"role": "user", "content": [said("hi")]}])


def test_turns_of_one_role_are_merged_and_tool_results_belong_to_the_user() -> None:
    _, turns = conversation(
        [
            USER,
            {"role": "assistant", "content": "\n\n", "tool_calls": [call('{"city":"Bonn"}'), call("", "call.2:x")]},
            {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
            {"role": "tool", "tool_call_id": "call.2:x", "content": ""},
            {"role": "user", "content": "and?"},
            {"role": "assistant", "content": [said("Rain."), {"type": "refusal", "refusal": "No more."}]},
            {"role": "assistant", "content": None, "refusal": "Really."},
        ]
    )
    assert turns == [
        {"role": "user", "content": [said("hi")]},
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Bonn"}},
                {"type": "tool_use", "id": "call_2_x", "name": "weather", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": [said("rain")]},
                {"type": "tool_result", "tool_use_id": "call_2_x"},
                said("and?"),
            ],
        },
        {"role": "assistant", "content": [said("Rain."), said("No more."), said("Really.")]},
    ]


def test_a_turn_that_says_nothing_is_left_out() -> None:
    empty = {"role": "assistant", "content": ""}
    assert conversation([empty, USER, empty, USER])[1] == [{"role": "user", "content": [said("hi"), said("hi")]}]


def test_a_trailing_assistant_message_stays_as_prefill() -> None:
    _, turns = conversation([USER, {"role": "assistant", "content": "Once upon "}])
    assert turns[-1] == {"role": "assistant", "content": [said("Once upon ")]}


def image(url: Any) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url, "detail": "high"}}]}


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("https://x.test/a.png", {"type": "url", "url": "https://x.test/a.png"}),
        ("data:image/png;base64,iVBO", {"type": "base64", "media_type": "image/png", "data": "iVBO"}),
        ("data:IMAGE/JPEG;name=a.jpg;base64,/9j/", {"type": "base64", "media_type": "image/jpeg", "data": "/9j/"}),
    ],
)
def test_images_are_sources(url: str, source: dict[str, str]) -> None:
    assert conversation([image(url)])[1][0]["content"] == [{"type": "image", "source": source}]


def part(kind: str, role: str = "user") -> dict[str, Any]:
    return {"role": role, "content": [{"type": kind, kind: {}}]}


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "tool_calls": [call("{")]},
        {"role": "assistant", "tool_calls": [call("[]")]},
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "custom"}]},
        {"role": "function", "name": "f", "content": "x"},
        "hi",
        part("input_audio"),
        part("file"),
        part("image_url", role="system"),
        image("ftp://x.test/a.png"),
        image("data:image/tiff;base64,AAAA"),
        image("data:image/png,AAAA"),
        image(None),
    ],
)
def test_what_has_no_counterpart_is_refused(message: Any) -> None:
    with pytest.raises(BadRequestError) as caught:
        conversation([USER, message])
    assert caught.value.param == "messages"
