"""Other opinions of a complete answer, where a policy asks for them: more samples of it, and what a verifier thinks."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from app.domain.backend import Capability
from app.domain.confidence import Opinion
from app.domain.decision import Route
from app.domain.errors import BackendError, BackendRefusedError
from app.domain.job import Job
from app.relay.answer import Answer
from app.relay.course import Course
from app.relay.doubt import Doubt
from app.relay.ear import Ear
from app.relay.passage import Passage
from backends.lane import Lane

_SAMPLING: Mapping[str, Any] = {"temperature": 0.7}  # Wang et al. sample at 0.5 to 0.7

_ASK = "Question:\n{question}\n\nAnswer:\n{answer}\n\nIs this answer right? Reply with one word: yes or no."
_ONE_WORD: Mapping[str, Any] = {"temperature": 0, "max_tokens": 2, "logprobs": True, "top_logprobs": 20}


class Opinions:
    """Each is asked for with a place of its own, and its energy is part of the answer's."""

    def __init__(self, clock: Callable[[], float], passage: Passage) -> None:
        self._clock = clock
        self._passage = passage

    async def gather(self, answer: Answer, course: Course, doubt: Doubt) -> tuple[tuple[str, ...], float | None]:
        """Samples, and the verifier's verdict, as far as the policy wants them and they could be had."""
        policy, told = doubt.policy, doubt.opinions
        asks = [self._sample(answer.route, course, told, number) for number in range(policy.samples)]
        samples = await asyncio.gather(*asks)
        verdict = None
        if policy.verifier is not None:
            verdict = await self._verdict(course, policy.verifier, doubt)
        return tuple(text for text in samples if text is not None), verdict

    async def _sample(self, route: Route, course: Course, told: list[Opinion], number: int) -> str | None:
        """Another answer of the same model to the same question; None when there is none.

        Source: Wang et al., Self-Consistency (arXiv 2203.11171).
        """
        seed = course.job.body.get("seed")
        changes = dict(_SAMPLING) if seed is None else {**_SAMPLING, "seed": seed + number + 1}
        job = course.job.to(route.model).with_body(**changes)
        ear = await self._ask(course, route, job, "sample", told)
        return None if ear is None else ear.text()

    async def _verdict(self, course: Course, model: str, doubt: Doubt) -> float | None:
        """How likely the verifier finds it right; None when nobody could be asked, or nothing was made of it.

        Source: P(True) of Kadavath et al., Language Models (Mostly) Know What They Know (arXiv 2207.05221).
        """
        asked = _ASK.format(question=course.job.question, answer=doubt.ear.text())
        body = {"model": model, "messages": [{"role": "user", "content": asked}]}
        job = replace(
            course.job, capability=Capability.CHAT, model=model, body=body, parameters=frozenset(), extras=frozenset(),
            prompt_bytes=len(asked.encode()), max_tokens=2, question=asked,
        )  # fmt: skip
        for route in self._passage.around.decide(job).routes:
            honours = self._passage.around.lanes[route.backend].profile.honours[Capability.CHAT]
            wanted = {name: value for name, value in _ONE_WORD.items() if name in honours}
            ear = await self._ask(course, route, job.to(route.model).with_body(**wanted), "verifier", doubt.opinions)
            if ear is not None:
                return _yes(ear)
        return None

    async def _ask(self, course: Course, route: Route, job: Job, kind: str, told: list[Opinion]) -> Ear | None:
        """A whole answer; None when the backend would not, which the record tells."""
        lane, since = self._passage.around.lanes.get(route.backend), self._clock()
        if lane is None:
            return None
        ear = Ear(strips=False)
        try:
            async with asyncio.timeout(lane.settings.timeouts.total):
                await lane.enter(course.job.priority)
                await self._heard(course, route, lane, job, ear)
        except (BackendError, TimeoutError) as error:
            course.record.attempts.append((route.backend, str(error) or "gave no opinion in time"))
            return None
        told.append(Opinion(kind, route.backend, route.model, ear.count, self._clock() - since))
        return ear

    async def _heard(self, course: Course, route: Route, lane: Lane, job: Job, ear: Ear) -> None:
        now = self._clock()
        if lane.hot or not lane.breaker.admit(now):
            lane.leave()
            raise BackendRefusedError(route.backend, "takes no work now")
        stay = self._passage.landing.stay(route, lane, course.record, now)
        try:
            async with aclosing(lane.stream(job)) as blocks:
                async for block in blocks:
                    ear.feed(block)
            lane.breaker.succeeded()
        except BaseException:
            lane.breaker.abandoned()
            raise
        finally:
            stay.end(self._clock())


def _yes(ear: Ear) -> float | None:
    """The probability of "yes" beside "no", of the first word; its own word counts fully where that is all there is."""
    shares = {"yes": 0.0, "no": 0.0}
    for word, probability in ear.first:
        if word.strip().lower() in shares:
            shares[word.strip().lower()] += probability
    said = ear.text().strip().lower()
    if not any(shares.values()):
        return next((float(word == "yes") for word in shares if said.startswith(word)), None)
    return shares["yes"] / math.fsum(shares.values())
