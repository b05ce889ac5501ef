"""What kind of work a job is, by the facts of its request first and then by whole words of its prompt."""

from __future__ import annotations

import re

from app.domain.backend import Capability
from app.domain.job import Workload

_LOOKED_AT = 2000  # characters of the last user message: what a person wants stands at its beginning
_TASK_LOOKED_AT = 4000  # Open WebUI's longest instructions have half as many

_WORD = re.compile(r"[a-z0-9+#]+")


def _words(text: str) -> frozenset[str]:
    """Whole words in small letters: "go" is not in "good"."""
    return frozenset(_WORD.findall(text.lower()))


# One of these is enough.
_CODE = _words("""
attributeerror bytecode cmake codebase css debugger debugging django dockerfile fastapi fortran gcc git golang graphql
haskell html importerror indexerror javascript jquery keyerror kotlin kubernetes kubectl makefile mysql nameerror nginx
nodejs npm nullpointerexception nullptr numpy php postgres postgresql powershell pytest python refactor refactoring
referenceerror regex regexes regexp runtimeerror segfault sql sqlite stacktrace stdin stdout syntaxerror terraform
traceback typeerror typescript unittest unittests valueerror webpack
""")

# Of these it takes two that say different things. "A class of wine", "an array of programs", "the function of the
# middle class" and "the zip code of my class" are ordinary English, however many words of one kind they have.
_HINTS_AT_CODE = (
    _words("""
    array arrays class classes code function functions integer integers loop loops method methods module modules
    parameter program programs script scripts snippet string strings variable variables
    """),
    _words("bash c# c++ java lua perl rust"),
    _words("bug bugs compiled compiler compiles debug parse parses parsing recursion recursive recursively"),
    _words("algorithm api backend boolean database frontend json linux repository websocket"),
)

# Phrases, and lines that begin as code does; each is only looked for where one of its words is.
_LOOKS_LIKE_CODE = (
    (
        _words("go ruby scala swift"),  # languages that are other words when written small
        re.compile(
            r"\b(?:in|using) (?:Go|Ruby|Scala|Swift)\b"
            r"|\b(?:Go|Ruby|Scala|Swift) (?:code|function|interface|module|package|program|script|struct)s?\b"
        ),
    ),
    (
        _words("bug bugs function functions method methods tests"),
        re.compile(
            r"\b(?:[Ff]ix|[Ii]mplement|[Ww]rite)"
            r"(?: (?:a|all|an|failing|me|my|new|our|short|simple|small|some|the|these|this)){0,3}"
            r" (?:bugs?|functions?|methods?|unit tests?)\b"
        ),
    ),
    (_words("code"), re.compile(r"\b(?:source|some|[Tt]his|following) code\b")),
    (_words("compile"), re.compile(r"n[o']t (?:it |this )?compile\b")),
    (
        _words("#include class const def fn func let select var"),
        re.compile(
            r"\n *(?:#include\b|class \w+[(:{]|def \w+\(|fn \w+[(<]|func \w+\(|SELECT\b.+\bFROM\b"
            r"|(?:const|let|var) \w+ = )"
        ),
    ),
)

_AUDIO = _words("""
audiobook dictation mp3 podcast podcasts transcribe transcribed transcribes transcribing transcription transcriptions
voicemail voicemails
""")

_PICTURES = _words("""
drawing drawings icon icons illustration illustrations image images logo logos painting paintings photo photos
photograph photographs picture pictures portrait portraits sketch sketches wallpaper
""")
_DRAWS = _words("draw draws illustrate paint sketch")
_MAKES = _words("create design generate make render")
_MAKES_A_PICTURE = re.compile(
    r"(?:[Cc]reate|[Dd]esign|[Gg]enerate|[Mm]ake|[Rr]ender)(?: \w+){0,3}"
    r" (?:drawing|icon|illustration|image|logo|photo|picture)s?\b"
)

# Open WebUI asks for titles, tags and follow-up questions by itself, each in one whole (not streamed) request of one
# message: a task, the JSON to answer with, and the conversation between tags. Its emojis have a task of another shape.
# For its search queries and autocompletions, of the same shape, a person does wait. Source:
# github.com/open-webui/open-webui, DEFAULT_*_PROMPT_TEMPLATE in backend/open_webui/config.py, and how
# backend/open_webui/routers/tasks.py sends them. The words change from version to version and can be configured, so
# the shape counts.
_ANSWER = re.compile(r"\"(?:title|tags|follow_ups)\"\s*:")


def detect(
    capability: Capability,
    *,
    media_type: Workload | None = None,
    latency_critical: bool = False,
    stream: bool = False,
    has_images: bool = False,
    has_audio: bool = False,
    text: str = "",
) -> Workload:
    """`media_type` is what the caller said it is, `text` the last user message.

    Tools and a response format are no sign of code: assistants of all kinds use them.
    """
    if media_type is not None:
        return media_type
    if has_audio:
        return Workload.AUDIO
    if has_images:
        return Workload.IMAGE
    if latency_critical and stream:
        return Workload.REALTIME
    if capability is Capability.EMBED:
        return Workload.TEXT
    text = text[:_LOOKED_AT]
    return Workload.CODE if "```" in text else _by_words(text)


def _by_words(text: str) -> Workload:
    words = _words(text)
    if not words.isdisjoint(_CODE) or _hints(words) >= 2 or _looks_like_code(text, words):
        return Workload.CODE
    if not words.isdisjoint(_AUDIO):
        return Workload.AUDIO
    return Workload.IMAGE if _wants_a_picture(text, words) else Workload.TEXT


def _hints(words: frozenset[str]) -> int:
    return sum([not words.isdisjoint(kind) for kind in _HINTS_AT_CODE])


def _looks_like_code(text: str, words: frozenset[str]) -> bool:
    return any(phrase.search(f"\n{text}") for needed, phrase in _LOOKS_LIKE_CODE if not words.isdisjoint(needed))


def _wants_a_picture(text: str, words: frozenset[str]) -> bool:
    if words.isdisjoint(_PICTURES):
        return False
    if not words.isdisjoint(_DRAWS):
        return True
    return not words.isdisjoint(_MAKES) and _MAKES_A_PICTURE.search(text) is not None


def background(text: str, *, stream: bool, turns: int) -> bool:
    """Whether nobody waits for the answer: `text` is the last user message, `turns` how many there are of anyone.

    A message of the system is no turn.
    """
    if stream or turns != 1:
        return False
    head = text[:_TASK_LOOKED_AT]
    if head.startswith("### Task:"):
        instructions, tag, _ = head.partition("<chat_history>")
        return bool(tag) and _ANSWER.search(instructions) is not None
    task, _, message = head.partition("\n")
    return task.startswith("Your task is to ") and "emoji" in task and message.lstrip().startswith("Message: ```")
