"""Everything that a door may use, in one frozen value: a reload makes a new one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from app.domain.decision import Decision
from app.domain.job import Job
from app.keyring import Keyring
from app.relay.directory import Directory
from app.relay.relay import Relay
from app.routing.decide import decide
from app.routing.rule import Rule
from app.telemetry.decisions import Decisions
from app.telemetry.feedback import Feedback
from app.telemetry.ledger import Ledger
from app.telemetry.metrics import Metrics
from app.thermostat import Thermostat
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
    thermostat: Thermostat
    decisions: Decisions
    feedback: Feedback
    ledger: Ledger
    metrics: Metrics
    clock: Callable[[], float]

    def decide(self, job: Job) -> Decision:
        """Which backends to try; an empty one has its reasons in `rejected`."""
        instead = self.settings.routing.background
        if job.background and instead is not None:
            decision = self._decide(replace(job, model=instead))
            if decision.routes:
                return decision
        return self._decide(job)

    def _decide(self, job: Job) -> Decision:
        thermostat = self.thermostat
        candidates, absent = self.directory.look(job, thermostat.zones)
        return decide(job, candidates, thermostat.conditions, self.rules, absent)
