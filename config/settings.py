"""The settings as they are written: YAML first, the environment wins, nothing changes afterwards."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.domain.backend import Hardware
from app.domain.job import Workload
from config.confidence import Confidence
from config.frozen import Frozen, Name, Pattern


class ApiKey(Frozen):
    """A client's key."""

    name: Name = Field(description="who it belongs to; in logs and records instead of the key")
    key: SecretStr = Field(min_length=8, description="the secret; best written as `${ENV_NAME}`")
    requests_per_minute: int | None = Field(None, ge=1, description="more are answered 429; no limit when left out")
    models: tuple[Pattern, ...] = Field(("*",), min_length=1, description="globs of the models that it may ask for")
    max_watts: float | None = Field(None, gt=0, description="what a backend that works for it may draw")
    watt_hours_per_day: float | None = Field(
        None, gt=0, description="energy of its answers from midnight to midnight; more is answered 429"
    )


class AdminKey(Frozen):
    """An operator's key: opens `/admin` and `/metrics`, and everything else too."""

    name: Name = Field(description="who it belongs to")
    key: SecretStr = Field(min_length=8, description="the secret; best written as `${ENV_NAME}`")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Server(Frozen):
    """The front door."""

    host: str = Field("127.0.0.1", min_length=1, description="address to bind to")
    port: int = Field(8080, ge=0, le=65_535, description="port to listen on; 0 takes a free one")
    api_keys: tuple[ApiKey, ...] = Field((), description="keys of clients; with any key set, nothing is open")
    admin_keys: tuple[AdminKey, ...] = Field((), description="keys of operators")
    allow_unauthenticated: bool = Field(False, description="bind beyond loopback without keys all the same")
    max_body_bytes: int = Field(32 * 1024 * 1024, ge=1024, le=1 << 32, description="longer requests are answered 413")
    cors_origins: tuple[str, ...] = Field((), description="origins whose pages may call; none by default")
    keep_alive_seconds: float = Field(15, gt=0, le=300, description="of silence before a comment keeps a stream open")
    drain_seconds: float = Field(10, ge=0, le=3600, description="that running answers get when the gateway stops")

    @model_validator(mode="after")
    def _open_only_at_home(self) -> Self:
        keys = self.api_keys or self.admin_keys
        if not keys and not self.allow_unauthenticated and not _is_loopback(self.host):
            raise ValueError(
                f"binding to {self.host} without keys would let anyone in: set `api_keys`, "
                "or `allow_unauthenticated: true` if something else guards it"
            )
        return self

    @field_validator("api_keys", "admin_keys")
    @classmethod
    def _names_differ(cls, keys: tuple[Any, ...]) -> tuple[Any, ...]:
        names = [key.name for key in keys]
        if len(set(names)) < len(names):
            raise ValueError("two keys have the same name")
        return keys


class Trips(Frozen):
    """Where a zone's states begin, in degrees Celsius."""

    warning: float = Field(70, gt=-40, le=150, description="degrees from which other zones get the work first")
    critical: float = Field(85, gt=-40, le=150, description="degrees from which it gets no new work")
    shutdown: float = Field(95, gt=-40, le=150, description="degrees at which nothing may go on there")
    hysteresis: float = Field(5, ge=0, le=50, description="degrees under a trip point at which its state is left")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.warning < self.critical < self.shutdown:
            raise ValueError("warning, critical and shutdown must rise in this order")
        return self


class Fans(Frozen):
    """How loud a fan is, by percent of its top speed."""

    quiet: float = Field(30, ge=0, le=100, description="percent up to which it counts as quiet")
    moderate: float = Field(
        60, ge=0, le=100, description="percent up to which it counts little; then ever more, up to loud"
    )
    loud: float = Field(85, ge=0, le=100, description="percent from which it counts as loud")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.quiet <= self.moderate <= self.loud:
            raise ValueError("quiet, moderate and loud must rise in this order")
        return self


def _as_list(value: Any) -> Any:
    """One sensor is as good as a list of one, and `sensor: auto` says all that there is to say."""
    if isinstance(value, str):
        value = {"kind": value}
    return (value,) if isinstance(value, dict) else value


class Zone(Frozen):
    """A piece of hardware that heats as one. Each `sensor` is checked by its kind, which knows its own keys."""

    id: Name = Field(description="its name")
    sensor: Annotated[tuple[dict[str, Any], ...], BeforeValidator(_as_list)] = Field(
        (), max_length=16, description="what measures it: one sensor, or a list; without one nobody knows how it is"
    )
    trips: Trips = Field(Trips(), description="where its states begin")
    fans: Fans = Field(Fans(), description="how loud its fan is")
    unknown: Literal["allow", "avoid"] = Field("allow", description="whether it gets work while nothing measures it")
    dwell_seconds: float = Field(10, ge=0, le=3600, description="that a state lasts before a cooler one may follow")
    stale_after_seconds: float = Field(15, gt=0, le=3600, description="after which a reading counts no more")


class ModeLimits(Frozen):
    """What a mode allows; what is left out stays as it is."""

    order: tuple[Hardware, ...] | None = Field(None, min_length=1, description="hardware it uses, best first")
    max_watts: float | None = Field(None, gt=0, description="that a backend may draw; no limit when null")
    max_fan_percent: float | None = Field(None, ge=0, le=100, description="that a zone's fan may turn")
    max_celsius: float | None = Field(None, gt=-40, le=150, description="that a zone may be hot")

    @field_validator("order", "max_fan_percent", "max_celsius")
    @classmethod
    def _only_watts_may_be_without_a_limit(cls, value: Any) -> Any:
        if value is None:
            raise ValueError("null is no limit; leave it out to keep that of the mode")
        return value


class Auto(Frozen):
    """What the mode `auto` goes by."""

    battery_low_percent: float = Field(20, ge=0, le=100, description="on battery under this: ultra-efficiency")
    battery_half_percent: float = Field(50, ge=0, le=100, description="on battery under this: efficiency")
    quiet_hours: str | None = Field(
        "22:00-06:00",
        pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$",
        description="local time in which it is quiet; null for never",
    )
    hot_celsius: float = Field(75, gt=-40, le=150, description="the hottest zone over this: efficiency")
    loud_fan_percent: float = Field(70, ge=0, le=100, description="the loudest fan over this: quiet")


class Routing(Frozen):
    """Choosing a backend."""

    mode: str = Field("balanced", description="performance, balanced, efficiency, quiet, ultra-efficiency, or auto")
    modes: dict[str, ModeLimits] = Field(default={}, description="what a mode allows, where that is to differ")
    auto: Auto = Field(Auto(), description="what the mode `auto` goes by")
    on_no_candidate: Literal["relax", "reject"] = Field(
        "relax", description="when limits exclude everything: let them give way, or answer 503"
    )
    max_watts: float | None = Field(None, gt=0, description="that all zones together may draw; no limit when left out")
    pace: float = Field(
        0.1,
        gt=0,
        le=1,
        description="smallest share of time that a warm backend works if nothing is cooler; 1: no pause",
    )
    workloads: dict[Workload, tuple[Hardware, ...]] = Field(
        default={}, description="hardware that is best for a kind of work, where that is to differ"
    )
    background: Pattern | None = Field(
        None, description="model or alias for work that nobody waits for; the one it asks for when left out"
    )
    aliases: dict[str, Annotated[tuple[Pattern, ...], Field(min_length=1)]] = Field(
        default={"auto": ("*",)}, description="names that stand for models: globs, best first"
    )


class Handoffs(Frozen):
    """Moving running answers from one backend to another."""

    max_moves: int = Field(4, ge=0, le=100, description="moves of one answer; 0 lets none move")
    cooldown_seconds: float = Field(120, ge=0, le=86_400, description="that a zone left for heat is not returned to")
    max_wait_seconds: float = Field(60, ge=0, le=3600, description="that an answer waits when nothing can take it")
    max_files: int = Field(16, ge=0, le=1024, description="states of models that may be in memory at once, for moves")
    max_bytes: int = Field(2 << 30, ge=0, le=1 << 44, description="bytes that they may take together")


class Telemetry(Frozen):
    """What is remembered."""

    decisions: int = Field(1000, ge=1, le=1_000_000, description="how many decisions /admin/decisions keeps")
    feedback: Path | None = Field(
        None, description="SQLite file of what people say of answers; under $XDG_STATE_HOME when left out"
    )


class Settings(BaseSettings):
    """Everything. `backends` are checked by their kinds, which know their own keys."""

    model_config = SettingsConfigDict(
        env_prefix="ISOTHERM_", env_nested_delimiter="__", frozen=True, extra="forbid", case_sensitive=False
    )

    server: Server = Field(Server(), description="the front door")
    zones: tuple[Zone, ...] = Field((), description="what heats as one")
    backends: tuple[dict[str, Any], ...] = Field((), description="what runs models")
    routing: Routing = Field(Routing(), description="choosing a backend")
    handoff: Handoffs = Field(Handoffs(), description="moving running answers")
    confidence: Confidence = Field(Confidence(), description="doubting answers")
    telemetry: Telemetry = Field(Telemetry(), description="what is remembered")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 (pydantic-settings calls it so)
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings
