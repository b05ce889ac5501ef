"""All zones as they stand: one immutable snapshot behind one attribute, renewed a few times a second."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from app.domain.thermal import Zone
from app.thermal.watched import WatchedZone


class Monitor:
    """`zones` is the snapshot: whoever reads it does so with one attribute read, and nobody else touches a sensor."""

    def __init__(self, watched: Iterable[WatchedZone], busy: Callable[[str], bool]) -> None:
        self.watched = {each.plan.id: each for each in watched}
        self._busy = busy
        self.zones: Mapping[str, Zone] = {}
        self._publish()

    def look(self, now: float) -> None:
        """Turn what was measured since the last time into the state of the zones."""
        changed = [each.look(now, busy=self._busy(name)) for name, each in self.watched.items()]
        if any(changed):
            self._publish()

    def hold(self, zone_id: str, values: Mapping[str, object], now: float) -> None:
        """Tell a settable zone's sensor what to measure, and take it in at once. Raises LookupError for another."""
        if not self.watched[zone_id].hold(values):
            raise LookupError(f"zone '{zone_id}' is measured, not simulated: its readings can't be set")
        self.look(now)

    def _publish(self) -> None:
        self.zones = MappingProxyType({name: each.zone for name, each in self.watched.items()})
