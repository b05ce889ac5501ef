"""Everything that a door may use, in one frozen value: a reload makes a new one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.domain.decision import Decision
from app.domain.job import Job
from app.keyring import Keyring
from app.relay.directory import Directory
from app.relay.relay import Relay
from app.routing.decide import decide
from app.routing.rule import Rule
from app.telemetry.decisions import Decisions
from app.telemetry.metrics import Metrics
from backends.lane import Lane
from config.settings import Settings


@dataclass(frozen=True, slots=True)
class Gateway:
    """`lanes` by backend id, in the order of the configuration."""

    settings: Settings
    keyring: Keyring
    lanes: Mapping[str, Lane]
    directory: Directory
    rules: tuple[Rule, ...]
    relay: Relay
    decisions: Decisions
    metrics: Metrics
    clock: Callable[[], float]

    def decide(self, job: Job) -> Decision:
        """Which backends to try; an empty one has its reasons in `rejected`."""
        candidates, absent = self.directory.look(job)
        return decide(job, candidates, self.rules, absent)
