"""The settings of doubt: which answers are judged, and what follows when they are not good enough."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from app.domain.confidence import Judging
from config.frozen import Frozen, Pattern


class Forwarding(Frozen):
    """When doubt sends an answer on to a larger model."""

    min_confidence: float | None = Field(
        0.75, ge=0, le=1, description="probability of being right under which a larger model is asked; null: never"
    )
    mode: Judging = Field(
        Judging.HOLD,
        description="streams: hold (the first tokens are judged before they are sent), watch, buffer (all)",
    )
    max_retries: int = Field(3, ge=0, le=10, description="further attempts for one answer")
    escalation_path: tuple[Pattern, ...] = Field(
        (), max_length=16, description="models or aliases to ask, in order; larger ones of the same alias when left out"
    )
    respect_thermal_limits: bool = Field(True, description="never forward to a warm zone, or beyond the mode's limits")
    return_best_attempt: bool = Field(True, description="answer with the best where none is good enough; false: 422")
    max_joules: float | None = Field(None, gt=0, description="that further attempts may take; no limit when left out")
    max_cost: float | None = Field(None, gt=0, description="that further attempts may cost; no limit when left out")
    hold_tokens: int = Field(16, ge=1, le=64, description="tokens that are held back in the mode hold")
    hold_seconds: float = Field(1, gt=0, le=60, description="that a token is held back at most")
    samples: int = Field(
        0, ge=0, le=16, description="more answers of the same model to ask for, whose agreement counts; not in streams"
    )
    verifier: Pattern | None = Field(
        None, description="model or alias that is asked whether an answer is right; not in streams"
    )
    warm: bool = Field(False, description="let the larger model read the prompt while the small one writes")


class Confidence(Frozen):
    """How likely answers are right, and what is to follow from it."""

    estimates: Literal["local", "always", "never"] = Field(
        "local", description="answers that are judged without a policy too: of backends that the gateway runs, or all"
    )
    calibration: Path | None = Field(
        None, description="what `isotherm calibrate` has made of labelled answers; the one that comes along if left out"
    )
    prior: float = Field(
        0.8, gt=0, lt=1, description="share of right answers of a model that tells nothing and that nobody has measured"
    )
    forwarding: dict[Pattern, Forwarding] = Field(
        default={}, description="policies, by glob of the model or alias that is asked for; the first that fits counts"
    )
