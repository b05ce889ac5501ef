"""Workloads: by header, by the facts of the request, by whole words; the seed's false positives; work for nobody."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.house import COOL, WARM, WATTS, house
from tests.routers.running import CHAT, COMPLETE

pytestmark = pytest.mark.anyio

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
AUDIO = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


def says(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


def shows(part: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, part]}]}


#: By name: headers, the body, what kind of work that is, and who does it (in balanced, everything cool).
WORKLOADS: dict[str, tuple[dict[str, str], dict[str, Any], str, str]] = {
    # by header
    "X-Media-Type: realtime": ({"X-Media-Type": "realtime"}, {}, "realtime", "nvidia"),
    "X-Media-Type: audio": ({"X-Media-Type": "audio"}, {}, "audio", "npu"),
    "X-Media-Type: code": ({"X-Media-Type": "code"}, {}, "code", "nvidia"),
    "X-Media-Type: image": ({"X-Media-Type": "image"}, {}, "image", "nvidia"),
    "X-Media-Type: text": ({"X-Media-Type": "text"}, {}, "text", "igpu"),
    "X-Media-Type wins over code fences": ({"X-Media-Type": "audio"}, says("```x = 1```"), "audio", "npu"),
    "X-Media-Type wins over an image": ({"X-Media-Type": "text"}, shows(IMAGE), "text", "igpu"),
    # by the facts of the request
    "an image part": ({}, shows(IMAGE), "image", "nvidia"),
    "an audio part": ({}, shows(AUDIO), "audio", "npu"),
    "a spoken answer": ({}, {"modalities": ["text", "audio"]}, "audio", "npu"),
    "streamed and latency-critical": ({"X-Latency-Critical": "1"}, {"stream": True}, "realtime", "nvidia"),
    "an image before the words about code": (
        {},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Debug this Python traceback"}, IMAGE]}]},
        "image",
        "nvidia",
    ),
    "tools alone": ({}, {"tools": [TOOL]}, "text", "igpu"),
    "JSON as the format": ({}, {"response_format": {"type": "json_object"}}, "text", "igpu"),
    # by whole words and code fences
    "a code fence": ({}, says("What does this do?\n```\nx += 1\n```"), "code", "nvidia"),
    "a traceback": ({}, says("Why this traceback? IndexError: list index out of range"), "code", "nvidia"),
    "a language": ({}, says("Sort a list in Python"), "code", "nvidia"),
    "a podcast": ({}, says("Transcribe my podcast, please"), "audio", "npu"),
    "a picture": ({}, says("Draw a picture of a lighthouse"), "image", "nvidia"),
    # the seed's false positives: "go" in good, "hear" in heart, and their like
    "good is not Go": ({}, says("Good heavens, what a good day!"), "text", "igpu"),
    "to go is not Go": ({}, says("Where shall we go tonight?"), "text", "igpu"),
    "heart does not hear": ({}, says("My heart is in the highlands"), "text", "igpu"),
    "a rusty gate is not Rust": ({}, says("How do I paint a rusty gate?"), "text", "igpu"),
    "a classical function is no code": ({}, says("The function of the middle class in Rome"), "text", "igpu"),
    "imagine is no image": ({}, says("Imagine there's no heaven"), "text", "igpu"),
    "a big picture is no image": ({}, says("Give me the big picture of the war"), "text", "igpu"),
    "a speech is no audio": ({}, says("Who gave the speech at Gettysburg?"), "text", "igpu"),
    "Java and Swift are not always languages": ({}, says("A swift ferry from Bali to Java"), "text", "igpu"),
}


@pytest.mark.parametrize(("headers", "body", "workload", "used"), list(WORKLOADS.values()), ids=list(WORKLOADS))
async def test_work_of_a_kind_goes_to_the_hardware_that_is_good_at_it(
    headers: dict[str, str], body: dict[str, Any], workload: str, used: str
) -> None:
    async with house() as home:
        response = await home.ask(headers=headers, **body)

        assert (await home.record(response))["workload"] == workload
        assert response.headers["x-backend-used"] == used


async def test_a_completion_is_looked_at_too() -> None:
    async with house() as home:
        assert await home.used(COMPLETE, prompt="def fib(n):\n    # write this function in Python") == "nvidia"


async def test_only_what_the_user_said_last_counts() -> None:
    messages = [
        {"role": "system", "content": "You are a Python debugger."},
        {"role": "user", "content": "Fix this: ```x = ```"},
        {"role": "assistant", "content": "```x = 1```"},
        {"role": "user", "content": "Thank you. And how are you?"},
    ]
    async with house() as home:
        assert await home.used(CHAT, messages=messages) == "igpu"


async def test_which_hardware_is_good_at_what_can_be_configured() -> None:
    async with house(routing={"workloads": {"code": ["cpu"]}}) as home:
        assert await home.used(headers={"X-Media-Type": "code"}) == "igpu"  # it is two places before the CPU
        await home.put("igpu", celsius=WARM)

        assert await home.used(headers={"X-Media-Type": "code"}) == "cpu"


#: What Open WebUI asks by itself has this shape, whatever its words: a task, the JSON to answer with, the conversation.
TASK = """### Task:
{task}
### Guidelines:
- Write it in the language of the conversation.
### Output:
JSON format: {{ "{field}": {example} }}
### Chat History:
<chat_history>
USER: How do I write a Python function?
ASSISTANT: Like this: ```def f(): ...```
</chat_history>"""

BACKGROUND = {
    "title": TASK.format(task="Find a title of three words.", field="title", example='"three words"'),
    "tags": TASK.format(task="Name one to three tags.", field="tags", example='["one", "two"]'),
    "follow-ups": TASK.format(task="Suggest questions to ask next.", field="follow_ups", example='["What?", "Why?"]'),
}
QUERIES = TASK.format(task="What should be searched for?", field="queries", example='["first"]')

#: The CPU has the smallest of all, and would be last by the order of the mode.
TIERS = {"cpu": {"tier": 0}, "npu": {"tier": 1}, "igpu": {"tier": 2}, "nvidia": {"tier": 3}}


@pytest.mark.parametrize("task", BACKGROUND)
async def test_what_nobody_waits_for_goes_to_the_smallest_at_best_effort(task: str) -> None:
    async with house(more=TIERS) as home:
        used = await home.used(**says("How are you?"))
        response = await home.ask(**says(BACKGROUND[task]))
        record = await home.record(response)

    assert used == "igpu"
    assert response.headers["x-backend-used"] == "cpu"
    assert (record["background"], record["priority"]) == (True, "best-effort")


async def test_search_queries_are_waited_for_and_no_background() -> None:
    async with house(more=TIERS) as home:
        record = await home.record(await home.ask(**says(QUERIES)))

    assert (record["background"], record["priority"]) == (False, "normal")
    assert record["backend"] != "cpu"


async def test_what_nobody_waits_for_goes_to_the_smallest_that_is_cool() -> None:
    used = []
    async with house(more=TIERS) as home:
        for zone in ("cpu", "npu", "igpu"):
            used.append(await home.used(**says(BACKGROUND["title"])))
            await home.put(zone, celsius=72)

    assert used == ["cpu", "npu", "igpu"]


async def test_what_nobody_waits_for_does_not_go_where_the_mode_forbids_it() -> None:
    async with house(more=TIERS, routing={"mode": "efficiency"}) as home:
        assert await home.used(**says(BACKGROUND["title"])) == "npu"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({**says(BACKGROUND["title"]), "stream": True}, id="streamed"),
        pytest.param({"messages": says(BACKGROUND["title"])["messages"] * 2}, id="in the middle of a conversation"),
        pytest.param(says("### Task:\nWrite a haiku about tags and titles."), id="a person's own task"),
        pytest.param(says("Find a title for <chat_history>this</chat_history>"), id="a person's own words"),
    ],
)
async def test_what_only_looks_like_it_is_not_for_nobody(body: dict[str, Any]) -> None:
    async with house(more=TIERS) as home:
        record = await home.record(await home.ask(**body))

    assert (record["background"], record["priority"]) == (False, "normal")


async def test_somebody_who_says_a_priority_gets_it_even_for_a_title() -> None:
    async with house(more=TIERS) as home:
        response = await home.ask(headers={"X-Priority": "high"}, **says(BACKGROUND["title"]))

        assert (await home.record(response))["priority"] == "high"


async def test_best_effort_goes_to_the_smallest_as_well() -> None:
    async with house(more=TIERS) as home:
        assert await home.used(headers={"X-Priority": "best-effort"}) == "cpu"


async def test_what_nobody_waits_for_can_have_a_model_of_its_own() -> None:
    models = {**dict.fromkeys(WATTS, "large"), "nvidia": "tiny"}
    async with house(models=models, routing={"background": "tiny"}) as home:
        title = await home.ask(model="large", **says(BACKGROUND["title"]))
        person = await home.ask(model="large", **says("How are you?"))
        record = await home.record(title)

    assert (title.headers["x-backend-used"], title.json()["model"]) == ("nvidia", "tiny")
    assert (person.headers["x-backend-used"], person.json()["model"]) == ("igpu", "large")
    assert (record["model_asked"], record["model"]) == ("large", "tiny")


async def test_where_that_model_can_not_answer_the_one_that_was_asked_for_does() -> None:
    models = {**dict.fromkeys(WATTS, "large"), "nvidia": "tiny"}
    async with house(models=models, routing={"background": "tiny"}) as home:
        await home.put("nvidia", celsius=90)
        title = await home.ask(model="large", **says(BACKGROUND["title"]))
        await home.put("nvidia", celsius=COOL)

    assert title.json()["model"] == "large"
