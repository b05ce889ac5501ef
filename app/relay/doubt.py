"""What is thought of an answer while it is written, and of the drafts that came before it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from app.confidence.exchange import Exchange
from app.confidence.judge import Judge
from app.domain.backend import Capability
from app.domain.confidence import Attempt, Confidence, Forwarding, Judging, Opinion
from app.domain.decision import Route
from app.domain.job import Job
from app.relay.ear import Ear
from backends.lane import Lane

_LOOK_AFTER = 8  # tokens at least: a look takes as long as several of them
_HOPE = 0.25  # at most so many of those that are broken off would have been good enough
_TOP = 5  # alternatives of each token that are asked for: entropy and margins need some
_ASK: dict[Capability, dict[str, Any]] = {
    Capability.CHAT: {"logprobs": True, "top_logprobs": _TOP},
    Capability.COMPLETE: {"logprobs": _TOP},
}


@dataclass(frozen=True, slots=True)
class Draft:
    """A complete answer that was doubted; it is what the client gets if nothing better comes."""

    events: bytes
    usage: dict[str, Any] | None
    route: Route
    attempt: Attempt


class Doubt:
    """Of one answer. `risen` says that it is unlikely to become right; `attempts` are those of its record.

    `drafts` were complete, and `settled` says that one of them is the answer. `asks` means that log-probabilities were
    wished for on our own account. `forwarded` is how often another model took it, `refused` are backends that did not.
    `joules` and `cost` are what further attempts were expected to take, `opinions` what was asked of others about this
    one. `warming` lets a larger model read the prompt.
    """

    __slots__ = (
        *("_judge", "_look_at", "_route", "asks", "attempts", "cost", "drafts", "ear", "forwarded", "job", "joules"),
        *("opinions", "policy", "refused", "risen", "settled", "warming"),
    )

    def __init__(self, policy: Forwarding, judge: Judge, job: Job, attempts: list[Attempt]) -> None:
        self.policy = policy
        self.job = job
        self.attempts = attempts
        self.drafts: list[Draft] = []
        self.opinions: list[Opinion] = []
        self.ear = Ear(strips=False)
        self.risen = False
        self.refused: set[str] = set()
        self.forwarded = 0
        self.settled = False
        self.warming: asyncio.Task[None] | None = None
        self.asks = False
        self.joules = self.cost = 0.0
        self._judge = judge
        self._route: Route | None = None
        self._look_at = policy.hold_tokens

    @property
    def holds(self) -> bool:
        """Whether the first tokens of its stream are held back."""
        return self.job.stream and self.policy.min_confidence is not None and self.policy.mode is Judging.HOLD

    @property
    def withholds(self) -> bool:
        """Whether nothing is sent before all is judged: so it is with an answer that is no stream."""
        return not self.job.stream or (self.policy.min_confidence is not None and self.policy.mode is Judging.BUFFER)

    @property
    def may_retry(self) -> bool:
        """Whether the policy lets one more model be asked."""
        return self.policy.min_confidence is not None and self.forwarded < self.policy.max_retries

    def ask(self, job: Job, lane: Lane, *, wish: bool = True) -> Job:
        """The job, with a wish for log-probabilities where that backend can tell them and nobody asked yet."""
        wishes, honours = _ASK[job.capability], lane.profile.honours[job.capability]
        able = wish and "logprobs" in honours and job.body["model"] not in lane.silent
        self.asks = able and not any(job.body.get(name) for name in wishes)
        told = {name: value for name, value in wishes.items() if name in honours}
        return job.with_body(**told) if self.asks else job

    def listen(self, route: Route) -> None:
        """This backend writes from now on. What another one with the same model wrote is part of the same attempt."""
        if self._route is None or self._route.model != route.model:
            self.begin_anew()
        self._route = route
        self.ear.strips = self.asks

    def why(self, attempt: Attempt) -> str:
        """In words."""
        return f"right with a probability of {_probability(attempt):.2f}, and {self.policy.min_confidence:g} is wanted"

    def best_draft(self) -> Draft:
        """The one that is most likely right; it is the answer now."""
        draft = max(reversed(self.drafts), key=lambda draft: _probability(draft.attempt))
        draft.attempt.result = "best"
        self.settled = True
        return draft

    @property
    def model(self) -> str:
        """Whose answer it is at the moment."""
        return self._route.model if self._route is not None else ""

    def begin_anew(self) -> None:
        """What was heard counts no more."""
        self.ear = Ear(strips=self.asks)
        self.risen = False
        self._look_at = self.policy.hold_tokens

    def hear(self, block: bytes) -> bytes:
        """Events on their way to the client; doubt may rise."""
        ear = self.ear
        block = ear.feed(block)
        if ear.count >= self._look_at and self.may_retry:
            self._look_at = ear.count + max(self.policy.hold_tokens, _LOOK_AFTER)  # so much can be taken back then
            self.risen = self._hopeless(self._judge.beginning(self._exchange(ear.last_words()), self.job.workload))
        return block

    def _hopeless(self, confidence: Confidence) -> bool:
        """Whether an answer that is being written is unlikely to be good enough at its end.

        Calibrated estimates of a growing answer are a martingale, so that of those that stand at p, no more than p / m
        ever reach m. Source: Ville's inequality.
        """
        least = self.policy.min_confidence
        return least is not None and confidence.probability < least * _HOPE

    def doubted(self, confidence: Confidence) -> bool:
        least = self.policy.min_confidence
        return least is not None and confidence.probability < least

    def give_up(self) -> Attempt:
        """The attempt that is under way is doubted, and is not heard to its end."""
        confidence = self._judge.beginning(self._exchange(self.ear.last_words()), self.job.workload)
        return self._attempted(confidence, "doubted")

    def conclude(self, samples: tuple[str, ...] = (), verdict: float | None = None) -> Attempt:
        """The attempt has been heard to its end."""
        exchange = self._exchange(self.ear.text(), samples, verdict)
        confidence = self._judge.whole(exchange, self.job.workload)
        return self._attempted(confidence, "doubted" if self.doubted(confidence) else "accepted")

    def _attempted(self, confidence: Confidence, result: str) -> Attempt:
        if self._route is None:
            raise RuntimeError("nobody was heard")
        attempt = Attempt(
            self._route.backend, self._route.model, confidence, self.ear.count, result, tuple(self.opinions)
        )
        self.opinions.clear()
        self.attempts.append(attempt)
        return attempt

    def _exchange(self, text: str, samples: tuple[str, ...] = (), verdict: float | None = None) -> Exchange:
        ear, wanted = self.ear, self.job.body.get("response_format")
        return Exchange(
            question=self.job.question,
            text=text,
            model=self.model,
            finish_reason=ear.finish_reason,
            response_format=wanted if isinstance(wanted, dict) else None,
            calls=ear.calls,
            trace=ear.trace if ear.trace.count else None,
            samples=samples,
            verdict=verdict,
        )


def _probability(attempt: Attempt) -> float:
    return attempt.confidence.probability if attempt.confidence is not None else 0.0
