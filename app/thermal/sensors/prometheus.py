"""A zone of another machine, read from the exporter that already runs there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Annotated, Literal

import httpx
from pydantic import Field, SecretStr

from app.domain.thermal import Reading
from app.thermal.exporters import Labels, battery, chosen, cpus, fields, samples, together
from app.thermal.sensor import Seconds, SensorLostError, SensorSettings, Surroundings

_MOST_BYTES = 4 * 1024 * 1024
_HEADERS = {"accept": "text/plain; version=0.0.4", "accept-encoding": "identity"}


class PrometheusSettings(SensorSettings):
    """A page of metrics in Prometheus' text format."""

    kind: str = Field("prometheus", description="how it is measured")
    busy_seconds: Seconds = Field(1, description="between two readings while its zone is warm or busy")
    url: Annotated[str, Field(pattern=r"^https?://[^\s/]+(/\S*)?$", max_length=2048)] = Field(
        description="address of the page, such as `http://box:9100/metrics`"
    )
    api_key: SecretStr | None = Field(None, description="sent as a bearer token; best written as `${ENV_NAME}`")
    timeout_seconds: Seconds = Field(2, description="that the whole page may take")
    exporter: Literal["auto", "node_exporter", "dcgm", "isotherm"] = Field(
        "auto", description="whose metrics to read, where the page has those of several"
    )
    select: dict[str, str] = Field(
        default={}, description='labels that a metric must have, such as `{gpu: "0"}`; all together without'
    )


class PrometheusSensor:
    """One connection that is kept, one page a reading. The key never gets into an error."""

    Settings = PrometheusSettings

    def __init__(
        self,
        settings: PrometheusSettings,
        surroundings: Surroundings,  # noqa: ARG002 (every kind is built alike)
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._client: httpx.Client | None = None
        self._counters = Counters()

    def read(self, now: float) -> Reading:
        page = self._page()
        try:
            found = samples(page)
        except ValueError:
            raise SensorLostError("its page is not in Prometheus' text format") from None
        settings = self._settings
        told = fields(chosen(found, settings.select), settings.exporter)
        charge = battery(found) if settings.exporter in {"auto", "node_exporter"} else None
        if not told and (charge is None or settings.select):
            raise SensorLostError(self._nothing())
        joules = self._counters.count(told.get("joules", {}))
        return Reading(at=now, joules=joules, battery=charge, **together(told, cpus(found)))

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _nothing(self) -> str:
        select = ", ".join(f"{label}={value}" for label, value in self._settings.select.items())
        exporter = "" if self._settings.exporter == "auto" else f" of {self._settings.exporter}"
        return f"its page has no metric{exporter} that is known here" + (f" with {select}" if select else "")

    def _page(self) -> str:
        seconds = self._settings.timeout_seconds
        until = self._clock() + seconds
        try:
            with self._connected().stream("GET", self._settings.url) as response:
                if response.status_code != httpx.codes.OK:
                    raise SensorLostError(f"it answers {response.status_code}")
                return self._body(response, until).decode("utf-8", "replace")
        except httpx.TimeoutException:
            raise self._too_long() from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:  # the last for names too long for DNS
            raise SensorLostError(f"it can't be reached ({type(error).__name__})") from None

    def _body(self, response: httpx.Response, until: float) -> bytes:
        body = b""
        for block in response.iter_raw():
            body += block
            if len(body) > _MOST_BYTES:
                raise SensorLostError("its page is longer than 4 MiB")
            if self._clock() > until:
                raise self._too_long()
        return body

    def _too_long(self) -> SensorLostError:
        return SensorLostError(f"it took longer than {self._settings.timeout_seconds:g} s")

    def _connected(self) -> httpx.Client:
        if self._client is None:
            key = self._settings.api_key
            headers = _HEADERS if key is None else {**_HEADERS, "authorization": f"Bearer {key.get_secret_value()}"}
            self._client = httpx.Client(
                headers=headers, timeout=self._settings.timeout_seconds, trust_env=False, follow_redirects=False
            )
        return self._client


class Counters:
    """Joules since the first page, by series: one that starts anew, wraps or goes missing adds nothing by that."""

    def __init__(self) -> None:
        self._seen: dict[Labels, float] = {}
        self._joules = 0.0

    def count(self, values: Mapping[Labels, float]) -> float | None:
        for series, joules in values.items():
            self._joules += max(joules - self._seen.get(series, joules), 0.0)
        self._seen.update(values)
        return self._joules if values else None
