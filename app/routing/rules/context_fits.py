"""A prompt that can't fit a model's context is not sent there; one that might not is sent elsewhere if possible."""

from __future__ import annotations

from app.domain.backend import Candidate, Capability
from app.domain.decision import Verdict
from app.domain.job import Job
from app.domain.mode import Conditions
from app.routing.weights import DOUBTFUL

# Only the model's tokenizer knows how many tokens a text has. English runs at about four bytes a token; no
# common tokenizer packs ordinary text into fewer than one token per twelve.
_TYPICAL_BYTES_PER_TOKEN = 4
_MOST_BYTES_PER_TOKEN = 12
_HOLDS_THE_PROMPT = {Capability.CHAT: "messages", Capability.COMPLETE: "prompt", Capability.EMBED: "input"}


def judge(job: Job, candidate: Candidate, conditions: Conditions) -> Verdict | None:  # noqa: ARG001 (all are asked alike)
    context = candidate.model.context or candidate.profile.max_context
    if context is None:
        return None
    least = job.prompt_bytes // _MOST_BYTES_PER_TOKEN
    if least > context:
        reason = f"the prompt has at least {least} tokens, and '{candidate.model.name}' takes {context}"
        return Verdict("context-fits", reason, reject=True, param=_HOLDS_THE_PROMPT[job.capability])
    likely = job.prompt_bytes // _TYPICAL_BYTES_PER_TOKEN + (job.max_tokens or 0)
    if likely > context:
        return Verdict("context-fits", f"about {likely} tokens may not fit its {context}", penalty=DOUBTFUL)
    return None
