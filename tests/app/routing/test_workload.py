"""What kind of work a prompt is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.backend import Capability
from app.domain.job import Workload
from app.routing.workload import background, detect


def by_words(text: str) -> Workload:
    return detect(Capability.CHAT, text=text)


def test_what_the_caller_says_wins() -> None:
    found = detect(
        Capability.CHAT,
        media_type=Workload.TEXT,
        latency_critical=True,
        stream=True,
        has_images=True,
        has_audio=True,
        text="```python```",
    )

    assert found is Workload.TEXT


def test_parts_of_the_message_come_before_its_words() -> None:
    assert detect(Capability.CHAT, has_audio=True, has_images=True, text="debug this Python") is Workload.AUDIO
    assert detect(Capability.CHAT, has_images=True, text="debug this Python") is Workload.IMAGE


def test_a_stream_in_a_hurry_is_real_time_and_a_whole_answer_is_not() -> None:
    assert detect(Capability.CHAT, latency_critical=True, stream=True, text="some Python") is Workload.REALTIME
    assert detect(Capability.CHAT, latency_critical=True, stream=False, text="some Python") is Workload.CODE
    assert detect(Capability.CHAT, latency_critical=False, stream=True, text="some Python") is Workload.CODE


def test_to_embed_code_is_not_to_write_it() -> None:
    assert detect(Capability.EMBED, text="```python```") is Workload.TEXT


@pytest.mark.parametrize("capability", [Capability.CHAT, Capability.COMPLETE])
def test_conversations_and_completions_are_read_alike(capability: Capability) -> None:
    assert detect(capability, text="a Python script") is Workload.CODE


@pytest.mark.parametrize(
    "text",
    [
        "What does this do?\n```\nx = 1\n```",
        "What does this traceback mean?",
        "Show me a snippet of a website's sticky header in CSS and JavaScript.",
        "Please refactor this.",
        "What is a goroutine in golang?",
        "How do I write a SQL query that joins two tables?",
        "Why do I get a TypeError here?",
        "Fix the bug in my program",
        "How do I split a string in Rust?",
        "Is this C# method any good?",
        "Write a Java program that plays chess.",
        "Write a bash script that counts files.",
        "Why does my C++ code crash?",
        "Write a function that reverses a list.",
        "write me a short function for this",
        "Fix the failing unit tests, please.",
        "Implement quicksort in Go.",
        "How is this done in idiomatic Go code?",
        "Explain this code: x = x or 1",
        "Why won't it compile?",
        "Go on:\ndef greet(name):\n    print(name)",
        "const x = 4;",
        "SELECT name FROM users WHERE age > 3",
    ],
)
def test_code_is_code(text: str) -> None:
    assert by_words(text) is Workload.CODE


@pytest.mark.parametrize(
    "text",
    [
        "Transcribe what was said, with names.",
        "Make an outline for the next podcast.",
        "Turn this voicemail into an e-mail.",
        "This dictation has no commas: add them.",
    ],
)
def test_speech_is_audio(text: str) -> None:
    assert by_words(text) is Workload.AUDIO


@pytest.mark.parametrize(
    "text",
    [
        "Draw me a picture of a cat.",
        "Sketch a portrait of my mother.",
        "Generate an image of a sunset.",
        "Create a simple logo for my café.",
        "make a nice little photo of it",
    ],
)
def test_a_picture_to_be_made_is_an_image(text: str) -> None:
    assert by_words(text) is Workload.IMAGE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Say hello.",
        "Is this a good idea?",
        "My heart is full. Can you hear it?",
        "Imagine there's no heaven.",
        "Let's go to the park.",
        "Let's go to class and hear the program.",
        "a class of wine from a good year",
        "What does the scripture say of mercy?",
        "Decode the message of the poem.",
        "What is the zip code of my school's class venue?",
        "What is the function of the middle class?",
        "Compile a list of summer programs for kids.",
        "Explain string theory to my physics class.",
        "The university offers an array of programs and classes.",
        "The drama class wrote a script; its method is new.",
        "Who recalls the function of the heart?",
        "Write about the methods of the Stasi.",
        "She is the picture of health. Make her a present.",
        "Can you picture yourself in ten years?",
        "Paint my kitchen?",
        "Draw a conclusion from these numbers.",
        "Answer as JSON.",
        "Which of them would you select from the menu, and let me know?",
        "Tell me a random fun fact about the Roman Empire.",
        "Wie spät ist es? 今何時ですか。",
    ],
)
def test_ordinary_words_are_text(text: str) -> None:
    assert by_words(text) is Workload.TEXT


def test_a_word_counts_whatever_its_case_and_the_signs_around_it() -> None:
    assert by_words("(PYTHON!)") is Workload.CODE


def test_what_a_person_wants_stands_at_the_beginning() -> None:
    far = "word " * 1000

    assert by_words("Python " + far) is Workload.CODE
    assert by_words(far + "Python") is Workload.TEXT


@given(st.text(max_size=5000))
def test_any_text_is_some_kind_of_work(text: str) -> None:
    assert isinstance(by_words(text), Workload)


def task(answer: str) -> str:
    """As Open WebUI shapes its tasks, in other words."""
    return f"""### Task:
Look at this talk and answer for it.

### Output:
JSON format: {answer}

### Chat History:
<chat_history>
USER: What is a monad in Python?
</chat_history>"""


_EMOJI = "Your task is to answer with the emoji that fits this best (🙂).\n\nMessage: ```what a day```"
_TITLE = task('{ "title": "three words" }')


@pytest.mark.parametrize(
    "text",
    [
        _TITLE,
        task('{ "tags": ["tag1", "tag2"] }'),
        task('{ "follow_ups": ["Question 1?"] }'),
        task('{"title":"three words"}'),
        _EMOJI,
    ],
)
def test_what_open_webui_asks_by_itself_is_background(text: str) -> None:
    assert background(text, stream=False, turns=1)


@pytest.mark.parametrize("text", [_TITLE, _EMOJI])
def test_what_is_streamed_or_part_of_a_conversation_somebody_waits_for(text: str) -> None:
    assert not background(text, stream=True, turns=1)
    assert not background(text, stream=False, turns=3)


@pytest.mark.parametrize(
    "text",
    [
        "Say hello.",
        "### Task:\nSummarise what follows.\n### Text:\nOnce upon a time",
        '### Task:\nFill in this JSON: { "title": "" }',
        "### Task:\nWhat is said here?\n<chat_history>hello</chat_history>",
        '### Task:\nWhat is said here?\n<chat_history>{ "title": "x" }</chat_history>',
        task('{ "prompt": "a picture" }'),
        task('{\n  "queries": ["query1"]\n}'),
        task('`{ "text": "<your_completion>" }`'),
        f"Is this prompt any good?\n{_TITLE}",
        "Your task is to find an emoji for my brand.",
        "Your task is to cook.\nMessage: ```hello```",
        "What does this emoji mean?\nMessage: ```hello```",
    ],
)
def test_what_a_person_or_a_program_asks_is_no_background(text: str) -> None:
    assert not background(text, stream=False, turns=1)


def test_a_long_conversation_makes_no_difference() -> None:
    assert background(_TITLE.replace("USER:", "USER: " + "word " * 10_000), stream=False, turns=1)
