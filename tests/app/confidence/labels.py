"""Labelled answers whose truth depends on what is seen of them."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

from app.confidence.labelled import Labelled


def labelled(
    count: int, seed: int = 0, *, topics: int = 0, model: str = "small", strength: float = 2.0
) -> list[Labelled]:
    """Right with a probability that is the logistic function of `strength` times the signal `a`; `b` is noise."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        a, b = chance.gauss(0, 1), chance.gauss(0, 1)
        right = chance.random() < 1 / (1 + math.exp(-strength * a))
        topic = f"topic {number % topics}" if topics else None
        looks = tuple({"a": a + chance.gauss(0, 0.3), "b": b} for _ in range(1 + number % 3))
        made.append(Labelled(model, "text", topic, right, {"a": a, "b": b}, looks))
    return made


def token(logprob: Any = -0.1, *top: float) -> dict[str, Any]:
    return {"logprob": logprob, "top": list(top or (-0.1, -3.0))}


def line(**changes: Any) -> dict[str, Any]:
    """The smallest labelled answer, as it is written."""
    said = {"model": "small", "question": "Capital of France?", "answer": "Paris", "logprobs": None, "correct": True}
    return {**said, **changes}


def written(file: Path, *lines: Any) -> Path:
    file.write_text("".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in lines))
    return file
