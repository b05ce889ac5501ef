"""OpenVINO's continuous batching: every job moves on by a token in each step, and can be cancelled between two."""

from __future__ import annotations

from queue import SimpleQueue
from typing import Any

from backends.workers.openvino_engine import ENGINE_ERRORS, Answer, Engine, Job, Say, waiting, words

_BLOCK = {"CPU": 32}  # tokens in a block of the KV cache, 16 elsewhere


class Batching(Engine):
    """Continuous batching: every job moves on by a token in each step."""

    def __init__(self, genai: Any, wanted: Job, say: Say) -> None:
        super().__init__(genai, wanted, say)
        scheduler = genai.SchedulerConfig()
        scheduler.max_num_seqs = wanted["slots"]
        scheduler.num_kv_blocks = wanted["slots"] * (self.context // _BLOCK.get(wanted["device"], 16) + 2)
        scheduler.enable_prefix_caching = True  # the next turn of a conversation reads only what is new
        self._pipeline = genai.ContinuousBatchingPipeline(wanted["model"], scheduler, wanted["device"], self.properties)
        self.tokenizer = self._pipeline.get_tokenizer()
        self._running: dict[int, tuple[Any, Answer]] = {}

    def serve(self, jobs: SimpleQueue[Job]) -> None:
        while True:
            for job in waiting(jobs, wait=not self._pipeline.has_non_finished_requests()):
                self._admit(job)
            try:
                self._pipeline.step()
            except ENGINE_ERRORS as error:  # seen: after this, every further step fails as well
                for number in self._running:
                    self.say({"id": number, "error": words(error)})
                raise
            for number in list(self._running):
                self._tell(number)

    def _admit(self, job: Job) -> None:
        if "cancel" in job:
            if found := self._running.pop(job["cancel"], None):
                found[0].cancel()
            return
        opened = self.open(job, self._pipeline.get_config())
        if opened is None:
            return
        prompt, config, answer = opened
        try:
            self._running[job["id"]] = self._pipeline.add_request(job["id"], prompt, config), answer
        except ENGINE_ERRORS as error:
            answer.say({"error": words(error)})

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
