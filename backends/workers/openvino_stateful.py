"""OpenVINO's stateful pipeline, the one for NPU: one job at a time, those that come meanwhile wait.

A prompt is read to its end before a cancel is heard, an answer stops within a token.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from backends.workers.openvino_engine import ENGINE_ERRORS, Answer, Engine, Job, Say, waiting, words


class Stateful(Engine):
    """One pipeline and the jobs that wait for it."""

    def __init__(self, genai: Any, wanted: Job, say: Say) -> None:
        super().__init__(genai, wanted, say)
        answer = self.context // 4
        own: dict[str, Any] = {"ATTENTION_BACKEND": "SDPA"}
        if wanted["device"] == "NPU":  # compiled for one size
            self.longest_prompt = self.context - answer
            own = {"MAX_PROMPT_LEN": self.longest_prompt, "MIN_RESPONSE_LEN": answer}
        self._pipeline = genai.LLMPipeline(wanted["model"], wanted["device"], **own, **self.properties)
        self.tokenizer = self._pipeline.get_tokenizer()
        self._pending: deque[Job] = deque()

    def serve(self, jobs: SimpleQueue[Job]) -> None:
        while True:
            self._take(jobs, wait=not self._pending)
            if self._pending:
                self._generate(self._pending.popleft(), jobs)

    def _take(self, jobs: SimpleQueue[Job], *, wait: bool = False, current: int | None = None) -> bool:
        """Whether the current job goes on."""
        goes_on = True
        for job in waiting(jobs, wait=wait):
            if "cancel" not in job:
                self._pending.append(job)
            elif job["cancel"] == current:
                goes_on = False
            else:
                self._pending = deque(one for one in self._pending if one["id"] != job["cancel"])
        return goes_on

    def _generate(self, job: Job, jobs: SimpleQueue[Job]) -> None:
        opened = self.open(job, self._pipeline.get_generation_config())
        if opened is None:
            return
        prompt, config, answer = opened
        listener = _listener(self.genai, lambda ids: self._heard(ids, answer, jobs))
        try:
            result = self._pipeline.generate(prompt, config, listener)
        except ENGINE_ERRORS as error:
            answer.say({"error": words(error)})
            return
        reason = result.finish_reasons[0].name
        if listener.failure:
            answer.say({"error": listener.failure})
        elif reason != "NONE":  # a cancelled job has none, and nobody listens to it
            answer.say({"end": reason.lower()})

    def _heard(self, ids: list[int], answer: Answer, jobs: SimpleQueue[Job]) -> bool:
        answer.tokens(ids, [])
        return self._take(jobs, current=answer.job["id"])


def _listener(genai: Any, heard: Callable[[list[int]], bool]) -> Any:
    """`heard` says whether to go on; an exception would not stop the generation, only a status does."""

    class Listener(genai.StreamerBase):  # type: ignore[misc]
        failure = ""

        def write(self, tokens: Any) -> Any:
            try:
                goes_on = heard(tokens if isinstance(tokens, list) else [tokens])
            except ENGINE_ERRORS as error:
                self.failure, goes_on = words(error), False
            return genai.StreamingStatus.RUNNING if goes_on else genai.StreamingStatus.CANCEL

        def end(self) -> None:
            """Nothing to tidy: each token was written as it came."""

    return Listener()
