"""What both OpenVINO pipelines share: how a job becomes token ids and a configuration, and tokens become lines."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

Job = dict[str, Any]
Say = Callable[[Job], None]

#: what the binding raises: the library's own errors, and values that don't fit its types
ENGINE_ERRORS = (RuntimeError, ValueError, TypeError, OverflowError)

_GREEDY = 1e-3  # below it, a division by the temperature leaves the range of floats and picks at random
_METADATA_BYTES = 1 << 20
_TAIL = 6  # tokens of the prompt that a tokenizer needs to see to write the first space right


class Rejected(Exception):  # noqa: N818 (said to the caller, not a failure of ours)
    """The job's own fault."""

    def __init__(self, message: str, param: str, code: str | None = None) -> None:
        super().__init__(message)
        self.fields = {"error": message, "status": 400, "param": param, "code": code}


class Engine:
    """A loaded model: `say` writes a line, `genai` is the library."""

    tokenizer: Any

    def __init__(self, genai: Any, wanted: Job, say: Say) -> None:
        trained = _trained_context(Path(wanted["model"]))
        self.genai = genai
        self.say = say
        self.wanted = wanted
        self.context: int = min(wanted["context"], trained or wanted["context"])
        self.longest_prompt = self.context - 1
        named = {"INFERENCE_NUM_THREADS": wanted["threads"], "CACHE_DIR": wanted["compile_cache"]}
        self.properties = {name: value for name, value in named.items() if value is not None}

    def open(self, job: Job, config: Any) -> tuple[Any, Any, Answer] | None:
        """(token ids, configuration, answer); None when the job was refused."""
        try:
            prompt = self._prompt(job)
            self._configure(config, job, self._room(prompt.data.shape[1], job))
            config.validate()
        except Rejected as error:
            self.say({"id": job["id"], **error.fields})
            return None
        except ENGINE_ERRORS as error:
            self.say({"id": job["id"], "error": words(error), "status": 400})
            return None
        return prompt, config, Answer(self, job, prompt, config)

    def _prompt(self, job: Job) -> Any:
        if "prompt" in job:
            ids = self.tokenizer.encode(job["prompt"]).input_ids
        else:
            ids = self.tokenizer.encode(self._render(job["messages"]), add_special_tokens=False).input_ids
        if not ids.data.shape[1]:
            raise Rejected("the prompt is empty", _field(job))
        return ids

    def _render(self, messages: list[Job]) -> str:
        """The template's text. An assistant's turn at the end is gone on with: templates would close it."""
        begun = messages[-1]["content"] if messages and messages[-1].get("role") == "assistant" else ""
        history = messages[:-1] if begun else messages
        try:
            return str(self.tokenizer.apply_chat_template(history, add_generation_prompt=True)) + begun
        except ENGINE_ERRORS as error:
            raise Rejected(f"the model's chat template refuses these messages: {words(error)}", "messages") from error

    def _room(self, size: int, job: Job) -> int:
        if size > self.longest_prompt:
            message = f"the prompt has {size} tokens and exceeds the context window of {self.longest_prompt + 1}"
            raise Rejected(message, _field(job), "context_length_exceeded")
        return self.context - size

    def _configure(self, config: Any, job: Job, room: int) -> None:
        """A model without sampling settings of its own samples at the API's default: temperature 1."""
        config.max_new_tokens = min(job.get("max_tokens") or room, room)
        config.apply_chat_template = False
        config.logprobs = int(bool(job.get("logprobs")))
        config.frequency_penalty = job.get("frequency_penalty", config.frequency_penalty)
        config.presence_penalty = job.get("presence_penalty", config.presence_penalty)
        temperature, top_p = job.get("temperature", config.temperature), job.get("top_p", config.top_p)
        config.do_sample = temperature >= _GREEDY and top_p > 0
        if config.do_sample:
            config.temperature, config.top_p, config.rng_seed = temperature, top_p, job["seed"]
        if job.get("schema"):
            config.structured_output_config = self.genai.StructuredOutputConfig(json_schema=job["schema"])


class Answer:
    """One job that runs: tokens in, lines out."""

    def __init__(self, engine: Engine, job: Job, prompt: Any, config: Any) -> None:
        self.job = job
        self._tokenizer = engine.tokenizer
        self._say = engine.say
        self._silent = {config.eos_token_id, *config.stop_token_ids}
        self._ids: list[int] = prompt.data[0][-_TAIL:].tolist()
        self._from, self._to = 0, len(self._ids)
        self._prompt_tokens = prompt.data.shape[1]

    def tokens(self, ids: list[int], logprobs: list[float]) -> None:
        texts = [self._text(token) for token in ids]
        line = {"text": "".join(texts), "tokens": len(ids), "prompt_tokens": self._prompt_tokens}
        if self.job.get("logprobs"):
            told = zip(ids, texts, logprobs, strict=True)
            line["logprobs"] = [[text, logprob] for token, text, logprob in told if token not in self._silent]
        self.say(line)

    def say(self, line: Job) -> None:
        self._say({"id": self.job["id"], **line})

    def _text(self, token: int) -> str:
        """What the token adds; nothing while a character is incomplete."""
        self._ids.append(token)
        decode = self._tokenizer.decode
        before, now = decode(self._ids[self._from : self._to]), decode(self._ids[self._from :])
        if len(now) <= len(before) or now.endswith("\N{REPLACEMENT CHARACTER}"):
            return ""
        self._from, self._to = self._to, len(self._ids)
        return str(now[len(before) :])


def waiting(jobs: SimpleQueue[Job], *, wait: bool) -> Iterator[Job]:
    """The jobs that have come; with `wait`, at least one."""
    if wait:
        yield jobs.get()
    while not jobs.empty():
        yield jobs.get()


def words(error: Exception) -> str:
    """The line that says what is wrong: the last, those before tell where in the library."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _field(job: Job) -> str:
    return "messages" if "messages" in job else "prompt"


def _trained_context(model: Path) -> int | None:
    """The tokens that the model was trained for, out of the head of a GGUF or the config.json beside an IR."""
    if model.is_file():
        with model.open("rb") as file:
            found = re.search(rb"\.context_length\x04\0\0\0(.{4})", file.read(_METADATA_BYTES), re.DOTALL)
        return int.from_bytes(found[1], "little") if found else None
    config = model / "config.json"
    trained = json.loads(config.read_text(encoding="utf-8")).get("max_position_embeddings") if config.exists() else None
    return trained if isinstance(trained, int) else None
