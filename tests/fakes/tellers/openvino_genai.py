"""A stand-in for openvino_genai that can load no model, and says in its error what it was told.

Put this directory on PYTHONPATH and the worker imports it.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NoReturn


class SchedulerConfig(SimpleNamespace):
    pass


class ContinuousBatchingPipeline:
    def __init__(self, model: str, scheduler: SchedulerConfig, device: str, properties: dict[str, Any]) -> None:
        _tell("batching", device, slots=scheduler.max_num_seqs, **properties)


class LLMPipeline:
    def __init__(self, model: str, device: str, **properties: Any) -> None:
        _tell("stateful", device, **properties)


def _tell(way: str, device: str, **properties: Any) -> NoReturn:
    raise RuntimeError(f"told: {way} on {device} with {sorted(properties.items())}")
