"""The program around one OpenVINO GenAI pipeline: it loads a model, answers jobs line by line, leaves with the gateway.

Reads its configuration as one line of JSON: model, device, stateful, slots, context, threads, compile_cache.
Says {"context", "chat"} when the model is loaded: the tokens that fit, and whether it has a chat template.
Jobs: {"id", "messages" or "prompt", "seed", "max_tokens", "logprobs"?, "schema"?, sampling...} or {"cancel": id}.
Answers: {"id", "text", "tokens", "prompt_tokens", "logprobs"?} a step, {"id", "end": "stop" or "length"} at last,
or {"id", "error", "status"?, "param"?, "code"?}.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

Job = dict[str, Any]
Say = Callable[[Job], None]
#: what the binding raises: the library's own errors, and values that don't fit its types
_ENGINE_ERRORS = (RuntimeError, ValueError, TypeError, OverflowError)
_GREEDY = 1e-3  # below it, a division by the temperature leaves the range of floats and picks at random
_BLOCK = {"CPU": 32}  # tokens in a block of the KV cache, 16 elsewhere
_METADATA_BYTES = 1 << 20
_TAIL = 6  # prompt tokens that a tokenizer needs to see to write the first space right


class Rejected(Exception):  # noqa: N818 (said to the caller, not a failure of ours)
    """The job's own fault."""

    def __init__(self, message: str, param: str, code: str | None = None) -> None:
        super().__init__(message)
        self.fields = {"error": message, "status": 400, "param": param, "code": code}


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever the library prints is no answer

    def say(line: Job) -> None:
        print(json.dumps(line), file=answers, flush=True)

    wanted = json.loads(sys.stdin.readline())
    jobs: SimpleQueue[Job] = SimpleQueue()
    threading.Thread(target=_listen, args=(jobs,), daemon=True).start()
    try:
        engine = (Stateful if wanted["stateful"] else Batching)(wanted, say)
    except ImportError as error:
        _leave(f"openvino-genai can't be loaded ({error}): pip install 'isotherm[openvino]'")
    except _ENGINE_ERRORS as error:
        _leave(f"can't load {Path(wanted['model']).name} on {wanted['device']}: {_words(error)}")
    say({"context": engine.context, "chat": bool(engine.tokenizer.chat_template)})
    engine.serve(jobs)


def _listen(jobs: SimpleQueue[Job]) -> None:
    for line in sys.stdin:
        jobs.put(json.loads(line))
    os._exit(0)  # the gateway has gone, or wants us to go: nothing is left to be saved


def _leave(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
    os._exit(1)


def _words(error: Exception) -> str:
    """The line that says what is wrong: the last, those before tell where in the library."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _waiting(jobs: SimpleQueue[Job], *, wait: bool) -> Iterator[Job]:
    if wait:
        yield jobs.get()
    while not jobs.empty():
        yield jobs.get()


def _trained_context(model: Path) -> int | None:
    """The tokens that the model was trained for, out of the head of a GGUF or the config.json beside an IR."""
    if model.is_file():
        with model.open("rb") as file:
            found = re.search(rb"\.context_length\x04\0\0\0(.{4})", file.read(_METADATA_BYTES), re.DOTALL)
        return int.from_bytes(found[1], "little") if found else None
    config = model / "config.json"
    trained = json.loads(config.read_text(encoding="utf-8")).get("max_position_embeddings") if config.exists() else None
    return trained if isinstance(trained, int) else None


class Answer:
    """One job that runs: tokens in, lines out."""

    def __init__(self, engine: Engine, job: Job, prompt: Any, config: Any) -> None:
        self.job = job
        self._engine = engine
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
        self._engine.say({"id": self.job["id"], **line})

    def _text(self, token: int) -> str:
        """What the token adds; nothing while a character is incomplete."""
        self._ids.append(token)
        decode = self._engine.tokenizer.decode
        before, now = decode(self._ids[self._from : self._to]), decode(self._ids[self._from :])
        if len(now) <= len(before) or now.endswith("\N{REPLACEMENT CHARACTER}"):
            return ""
        self._from, self._to = self._to, len(self._ids)
        return str(now[len(before) :])


class Engine:
    """What both pipelines share: how a job becomes token ids and a configuration."""

    tokenizer: Any
    pipeline: Any

    def __init__(self, wanted: Job, say: Say) -> None:
        trained = _trained_context(Path(wanted["model"]))
        self.say = say
        self.wanted = wanted
        self.context = min(wanted["context"], trained or wanted["context"])
        named = {"INFERENCE_NUM_THREADS": wanted["threads"], "CACHE_DIR": wanted["compile_cache"]}
        self.properties = {name: value for name, value in named.items() if value is not None}

    def open(self, job: Job, config: Any) -> tuple[Any, Any, Answer] | None:
        """(token ids, configuration, answer); None when the job was refused."""
        try:
            prompt = self._prompt(job)
            self._configure(config, job, self._room(prompt.data.shape[1]))
            config.validate()
        except Rejected as error:
            self.say({"id": job["id"], **error.fields})
            return None
        except _ENGINE_ERRORS as error:
            self.say({"id": job["id"], "error": _words(error), "status": 400})
            return None
        return prompt, config, Answer(self, job, prompt, config)

    def _prompt(self, job: Job) -> Any:
        if "prompt" in job:
            ids = self.tokenizer.encode(job["prompt"]).input_ids
        else:
            ids = self.tokenizer.encode(self._render(job["messages"]), add_special_tokens=False).input_ids
        if not ids.data.shape[1]:
            raise Rejected("the prompt is empty", "messages" if "messages" in job else "prompt")
        return ids

    def _render(self, messages: list[Job]) -> str:
        """The template's text. An assistant's turn at the end is gone on with: templates would close it."""
        begun = messages[-1]["content"] if messages and messages[-1].get("role") == "assistant" else ""
        history = messages[:-1] if begun else messages
        try:
            return str(self.tokenizer.apply_chat_template(history, add_generation_prompt=True)) + begun
        except _ENGINE_ERRORS as error:
            raise Rejected(f"the model's chat template refuses these messages: {_words(error)}", "messages") from error

    def _room(self, size: int) -> int:
        if size >= self.context:
            message = f"the prompt has {size} tokens and exceeds the context window of {self.context}"
            raise Rejected(message, "messages", "context_length_exceeded")
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
            import openvino_genai

            config.structured_output_config = openvino_genai.StructuredOutputConfig(json_schema=job["schema"])

    def serve(self, jobs: SimpleQueue[Job]) -> None:
        raise NotImplementedError


class Batching(Engine):
    """Continuous batching: every job moves on by a token in each step."""

    def __init__(self, wanted: Job, say: Say) -> None:
        import openvino_genai

        super().__init__(wanted, say)
        scheduler = openvino_genai.SchedulerConfig()
        scheduler.max_num_seqs = wanted["slots"]
        scheduler.num_kv_blocks = wanted["slots"] * (self.context // _BLOCK.get(wanted["device"], 16) + 2)
        scheduler.enable_prefix_caching = True  # the next turn of a conversation reads only what is new
        self.pipeline = openvino_genai.ContinuousBatchingPipeline(
            wanted["model"], scheduler, wanted["device"], self.properties
        )
        self.tokenizer = self.pipeline.get_tokenizer()
        self._running: dict[int, tuple[Any, Answer]] = {}

    def serve(self, jobs: SimpleQueue[Job]) -> None:
        while True:
            for job in _waiting(jobs, wait=not self.pipeline.has_non_finished_requests()):
                self._admit(job)
            try:
                self.pipeline.step()
            except _ENGINE_ERRORS as error:  # seen: after this, every further step fails as well
                for number in self._running:
                    self.say({"id": number, "error": _words(error)})
                _leave(f"the engine failed: {_words(error)}")
            for number in list(self._running):
                self._tell(number)

    def _admit(self, job: Job) -> None:
        if "cancel" in job:
            if found := self._running.pop(job["cancel"], None):
                found[0].cancel()
            return
        if opened := self.open(job, self.pipeline.get_config()):
            prompt, config, answer = opened
            self._running[job["id"]] = self.pipeline.add_request(job["id"], prompt, config), answer

    def _tell(self, number: int) -> None:
        handle, answer = self._running[number]
        reason = ""
        while handle.can_read():
            for output in handle.read().values():
                reason = output.finish_reason.name
                answer.tokens(output.generated_ids, output.generated_log_probs)
        status = handle.get_status().name
        if status == "RUNNING":
            return
        del self._running[number]
        answer.say({"end": reason.lower()} if status == "FINISHED" else {"error": "no room for it in the KV cache"})


class Stateful(Engine):
    """One job at a time; those that come meanwhile wait. A prompt is read to its end before a cancel is heard."""

    def __init__(self, wanted: Job, say: Say) -> None:
        import openvino_genai

        super().__init__(wanted, say)
        answer = self.context // 4
        shape = {"MAX_PROMPT_LEN": self.context - answer, "MIN_RESPONSE_LEN": answer}
        own = shape if wanted["device"] == "NPU" else {"ATTENTION_BACKEND": "SDPA"}
        self.pipeline = openvino_genai.LLMPipeline(wanted["model"], wanted["device"], **own, **self.properties)
        self.tokenizer = self.pipeline.get_tokenizer()
        self._pending: deque[Job] = deque()

    def serve(self, jobs: SimpleQueue[Job]) -> None:
        while True:
            self._take(jobs, wait=not self._pending)
            if self._pending:
                self._generate(self._pending.popleft(), jobs)

    def _take(self, jobs: SimpleQueue[Job], *, wait: bool = False, current: int | None = None) -> bool:
        """Whether the current job goes on."""
        goes_on = True
        for job in _waiting(jobs, wait=wait):
            if "cancel" not in job:
                self._pending.append(job)
            elif job["cancel"] == current:
                goes_on = False
            else:
                self._pending = deque(one for one in self._pending if one["id"] != job["cancel"])
        return goes_on

    def _generate(self, job: Job, jobs: SimpleQueue[Job]) -> None:
        opened = self.open(job, self.pipeline.get_generation_config())
        if opened is None:
            return
        prompt, config, answer = opened
        try:
            result = self.pipeline.generate(prompt, config, _streamer(lambda ids: self._heard(ids, answer, jobs)))
        except _ENGINE_ERRORS as error:
            answer.say({"error": _words(error)})
            return
        reason = result.finish_reasons[0].name
        if reason != "NONE":  # a cancelled job has none, and nobody listens to it
            answer.say({"end": reason.lower()})

    def _heard(self, ids: list[int], answer: Answer, jobs: SimpleQueue[Job]) -> bool:
        answer.tokens(ids, [])
        return self._take(jobs, current=answer.job["id"])


def _streamer(heard: Callable[[list[int]], bool]) -> Any:
    """`heard` says whether to go on. An exception in here would not stop the generation, only a status does."""
    import openvino_genai

    class Streamer(openvino_genai.StreamerBase):  # type: ignore[misc]
        def write(self, tokens: Any) -> Any:
            ids = list(tokens) if isinstance(tokens, list) else [tokens]
            try:
                goes_on = heard(ids)
            except OSError:  # the gateway has gone
                goes_on = False
            status = openvino_genai.StreamingStatus
            return status.RUNNING if goes_on else status.CANCEL

        def end(self) -> None:
            pass

    return Streamer()


if __name__ == "__main__":
    main()
