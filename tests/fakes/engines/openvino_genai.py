"""A stand-in for openvino_genai: byte tokens, and answers that the prompt itself orders.

Put this directory on PYTHONPATH and the worker imports it. It keeps to what version 2026.4.1 was seen to do:
decode() leaves incomplete characters out, a batching pipeline that failed once fails ever after, an exception in
a streamer does not stop the generation.
"""

from __future__ import annotations

import copy
import os
import re
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy

EOS = 256
_ASSISTANT = "<assistant>"
StreamingStatus = Enum("StreamingStatus", "RUNNING STOP CANCEL")
GenerationFinishReason = Enum("GenerationFinishReason", "NONE STOP LENGTH")
GenerationStatus = Enum("GenerationStatus", "RUNNING FINISHED IGNORED CANCEL")
_ORDER = re.compile(r"(say|endless|die|fail|echo):(.*?)\|", re.DOTALL)


class SchedulerConfig(SimpleNamespace):
    pass


class StructuredOutputConfig(SimpleNamespace):
    pass


class StreamerBase:
    def write(self, tokens: Any) -> Any:
        raise NotImplementedError


class GenerationConfig(SimpleNamespace):
    def validate(self) -> None:
        if self.max_new_tokens < 1:
            raise RuntimeError("Check failed at /build/generation_config.cpp:323:\n'max_new_tokens' must be positive\n")


def _config() -> GenerationConfig:
    return GenerationConfig(
        eos_token_id=EOS,
        stop_token_ids={EOS},
        temperature=1.0,
        top_p=1.0,
        frequency_penalty=0.0,
        presence_penalty=0.0,
    )


class Tokenizer:
    chat_template = "a template"

    def encode(self, text: str, add_special_tokens: bool = True) -> Any:
        ids = numpy.array([list(text.encode())], dtype=numpy.int64)
        return SimpleNamespace(input_ids=SimpleNamespace(data=ids))

    def decode(self, ids: list[int]) -> str:
        return bytes(one for one in ids if one != EOS).decode(errors="ignore")

    def apply_chat_template(self, history: list[dict[str, Any]], *, add_generation_prompt: bool) -> str:
        if any(message["role"] == "clown" for message in history):
            raise RuntimeError("Exception from /build/tokenizer.cpp:7:\nno such role: clown\n")
        return "".join(f"<{message['role']}>{message['content']}" for message in history) + _ASSISTANT


class _Run:
    """One generation: `next` gives its tokens, one at a time."""

    def __init__(self, prompt: Any, config: GenerationConfig) -> None:
        text = bytes(prompt.data[0].tolist()).decode()
        orders = _ORDER.findall(text)
        order, said = orders[-1] if orders else ("endless", "la ")
        self.order: str = order
        self._text = (text if self.order == "echo" else said).encode()
        begun = text.rpartition(_ASSISTANT)[2].encode()
        if order == "say" and self._text.startswith(begun):  # a model that is given the beginning of its answer
            self._text = self._text[len(begun) :]
        self._limit = config.max_new_tokens
        self._made = 0
        self.reason = GenerationFinishReason.NONE

    def next(self) -> int:
        if self.order in ("die", "fail") and self._made == len(self._text):
            if self.order == "die":
                os._exit(3)
            raise RuntimeError("Exception from /build/engine.cpp:1:\nthe engine is on fire\n")
        cycle = self.order == "endless"
        token = self._text[self._made % len(self._text)] if cycle or self._made < len(self._text) else EOS
        self._made += 1
        if token == EOS:
            self.reason = GenerationFinishReason.STOP
        elif self._made >= self._limit:
            self.reason = GenerationFinishReason.LENGTH
        return token


class _Handle:
    def __init__(self, run: _Run) -> None:
        self.run = run
        self._status = GenerationStatus.RUNNING
        self._out: list[int] = []

    def step(self) -> None:
        self._out.append(self.run.next())
        if self.run.reason is not GenerationFinishReason.NONE:
            self._status = GenerationStatus.FINISHED

    def can_read(self) -> bool:
        return bool(self._out)

    def read(self) -> dict[int, Any]:
        ids, self._out = self._out, []
        logprobs = [-0.5 for _ in ids]
        return {0: SimpleNamespace(generated_ids=ids, generated_log_probs=logprobs, finish_reason=self.run.reason)}

    def get_status(self) -> GenerationStatus:
        return self._status

    def cancel(self) -> None:
        self._status = GenerationStatus.CANCEL


def _check(model: str) -> None:
    if "broken" in Path(model).name:
        raise RuntimeError(f"Exception from /build/core.cpp:117:\nFailed to read the model '{model}'\n\n")


class ContinuousBatchingPipeline:
    def __init__(self, model: str, scheduler: SchedulerConfig, device: str, properties: dict[str, Any]) -> None:
        _check(model)
        self._slots = scheduler.max_num_seqs
        self._handles: list[_Handle] = []
        self._broken = False

    def get_tokenizer(self) -> Tokenizer:
        return Tokenizer()

    def get_config(self) -> GenerationConfig:
        return _config()

    def add_request(self, request_id: int, prompt: Any, config: GenerationConfig) -> _Handle:
        handle = _Handle(_Run(prompt, copy.copy(config)))
        self._handles.append(handle)
        return handle

    def has_non_finished_requests(self) -> bool:
        return bool(self._handles)

    def step(self) -> None:
        if self._broken:
            raise RuntimeError("this function cannot be called when we are already in scheduling phase")
        self._broken = True
        running = [handle for handle in self._handles if handle.get_status() is GenerationStatus.RUNNING]
        for handle in running[: self._slots]:
            handle.step()
        self._handles = [handle for handle in running if handle.get_status() is GenerationStatus.RUNNING]
        self._broken = False


class LLMPipeline:
    def __init__(self, model: str, device: str, **properties: Any) -> None:
        _check(model)

    def get_tokenizer(self) -> Tokenizer:
        return Tokenizer()

    def get_generation_config(self) -> GenerationConfig:
        return _config()

    def generate(self, prompt: Any, config: GenerationConfig, streamer: StreamerBase) -> Any:
        run = _Run(prompt, copy.copy(config))
        while run.reason is GenerationFinishReason.NONE:
            if streamer.write(run.next()) is StreamingStatus.CANCEL:
                break
        return SimpleNamespace(finish_reasons=[run.reason])
