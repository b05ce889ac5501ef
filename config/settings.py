"""The settings as they are written: YAML first, the environment wins, nothing changes afterwards."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Pattern = Annotated[str, Field(min_length=1, max_length=256)]


class Frozen(BaseModel):
    """Settings are read once and never change."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ApiKey(Frozen):
    """A client's key."""

    name: Name = Field(description="who it belongs to; in logs and records instead of the key")
    key: SecretStr = Field(min_length=8, description="the secret; best written as `${ENV_NAME}`")
    requests_per_minute: int | None = Field(None, ge=1, description="more are answered 429; no limit when left out")
    models: tuple[Pattern, ...] = Field(("*",), min_length=1, description="globs of the models that it may ask for")


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


class Zone(Frozen):
    """A piece of hardware that heats as one."""

    id: Name = Field(description="its name")


class Routing(Frozen):
    """Choosing a backend."""

    aliases: dict[str, Annotated[tuple[Pattern, ...], Field(min_length=1)]] = Field(
        default={"auto": ("*",)}, description="names that stand for models: globs, best first"
    )


class Telemetry(Frozen):
    """What is remembered."""

    decisions: int = Field(1000, ge=1, le=1_000_000, description="how many decisions /admin/decisions keeps")


class Settings(BaseSettings):
    """Everything. `backends` are checked by their kinds, which know their own keys."""

    model_config = SettingsConfigDict(
        env_prefix="ISOTHERM_", env_nested_delimiter="__", frozen=True, extra="forbid", case_sensitive=False
    )

    server: Server = Field(Server(), description="the front door")
    zones: tuple[Zone, ...] = Field((), description="what heats as one")
    backends: tuple[dict[str, Any], ...] = Field((), description="what runs models")
    routing: Routing = Field(Routing(), description="choosing a backend")
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
