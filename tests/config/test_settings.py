"""What an operator may write, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from config.settings import Settings

KEY = {"name": "ada", "key": "sk-ada-secret"}


def settings(**tree: Any) -> Settings:
    return Settings(**tree)


def server(**keys: Any) -> Any:
    return settings(server=keys).server


def test_without_any_key_it_listens_on_loopback_only_and_knows_one_alias() -> None:
    told = settings()

    assert (told.server.host, told.server.port) == ("127.0.0.1", 8080)
    assert told.server.cors_origins == ()
    assert told.routing.aliases == {"auto": ("*",)}
    assert (told.backends, told.zones) == ((), ())


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_at_home_it_may_be_open(host: str) -> None:
    assert server(host=host).host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "gateway.local", "localhost.evil.example", "127.1"])
def test_beyond_loopback_it_is_refused_without_keys(host: str) -> None:
    with pytest.raises(ValidationError, match=r"binding to .* without keys would let anyone in"):
        server(host=host)


@pytest.mark.parametrize("guard", [{"api_keys": [KEY]}, {"admin_keys": [KEY]}, {"allow_unauthenticated": True}])
def test_beyond_loopback_it_takes_keys_or_somebodys_word(guard: dict[str, Any]) -> None:
    assert server(host="0.0.0.0", **guard).host == "0.0.0.0"


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": ""},
        {"port": -1},
        {"port": 65_536},
        {"port": "eighty"},
        {"max_body_bytes": 1023},
        {"keep_alive_seconds": 0},
        {"keep_alive_seconds": float("nan")},
        {"drain_seconds": -1},
        {"drain_seconds": float("inf")},
        {"api_keys": [{"name": "ada"}]},
        {"api_keys": [{"name": "ada", "key": "short"}]},
        {"api_keys": [{"name": "a b", "key": "long enough"}]},
        {"api_keys": [{**KEY, "requests_per_minute": 0}]},
        {"api_keys": [{**KEY, "models": []}]},
        {"api_keys": [KEY, KEY]},
        {"admin_keys": [{**KEY, "models": ["x"]}]},
        {"hots": "127.0.0.1"},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        server(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"sever": {}},
        {"telemetry": {"decisions": 0}},
        {"handoff": {"max_moves": -1}},
        {"handoff": {"cooldown_seconds": -1}},
        {"handoff": {"max_wait_seconds": float("inf")}},
        {"handoff": {"max_files": -1}},
        {"handoff": {"max_bytes": -1}},
        {"routing": {"aliases": {"auto": []}}},
        {"routing": {"aliases": {"auto": [""]}}},
        {"zones": [{"id": ""}]},
        {"backends": {"id": "x"}},
        {"backends": ["x"]},
    ],
    ids=str,
)
def test_what_makes_no_sense_elsewhere_is_refused_too(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**wrong)


def test_settings_never_change() -> None:
    told = settings()

    with pytest.raises(ValidationError):
        told.server.port = 1  # type: ignore[misc]
    with pytest.raises(ValidationError):
        told.telemetry = told.telemetry  # type: ignore[misc]


def test_a_key_is_never_printed() -> None:
    told = settings(server={"api_keys": [KEY], "admin_keys": [{"name": "boss", "key": "sk-boss-secret"}]})

    shown = f"{told!r} {told} {told.model_dump()} {told.model_dump_json()}"

    assert "sk-ada-secret" not in shown
    assert "sk-boss-secret" not in shown


def test_the_environment_wins_over_the_file_key_by_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOTHERM_SERVER__PORT", "9000")
    monkeypatch.setenv("isotherm_telemetry__decisions", "5")

    told = settings(server={"port": 8000, "drain_seconds": 3}, telemetry={"decisions": 7})

    assert (told.server.port, told.server.drain_seconds) == (9000, 3)
    assert told.telemetry.decisions == 5


def test_a_list_in_the_environment_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOTHERM_SERVER__API_KEYS", '[{"name": "ada", "key": "sk-ada-secret"}]')

    assert settings().server.api_keys[0].name == "ada"


def test_an_unknown_key_in_the_environment_is_an_error_below_a_known_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOTHERM_SERVER__PROT", "9000")

    with pytest.raises(ValidationError, match="prot"):
        settings()


def test_where_the_cache_lies_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOTHERM_CACHE", "/somewhere")

    settings()


def test_a_sensor_may_be_one_or_several() -> None:
    one = {"kind": "simulated", "celsius": 40}

    assert settings(zones=[{"id": "gpu", "sensor": one}]).zones[0].sensor == (one,)
    assert settings(zones=[{"id": "gpu", "sensor": [one, one]}]).zones[0].sensor == (one, one)
    assert settings(zones=[{"id": "gpu"}]).zones[0].sensor == ()


def test_the_watts_of_a_mode_may_be_without_a_limit_and_what_is_left_out_is_not_said() -> None:
    quiet = settings(routing={"modes": {"quiet": {"max_watts": None}}}).routing.modes["quiet"]

    assert quiet.model_fields_set == {"max_watts"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"zones": [{"id": "gpu", "sensor": [{"kind": "simulated"}] * 17}]},
        {"zones": [{"id": "gpu", "trips": {"warning": 85, "critical": 85}}]},
        {"zones": [{"id": "gpu", "trips": {"critical": 95}}]},
        {"zones": [{"id": "gpu", "trips": {"hysteresis": -1}}]},
        {"zones": [{"id": "gpu", "fans": {"moderate": 20}}]},
        {"zones": [{"id": "gpu", "fans": {"loud": 101}}]},
        {"zones": [{"id": "gpu", "unknown": "maybe"}]},
        {"zones": [{"id": "gpu", "stale_after_seconds": 0}]},
        {"zones": [{"id": "gpu", "dwell_seconds": -1}]},
        {"zones": [{"id": "a zone"}]},
        {"routing": {"modes": {"quiet": {"order": []}}}},
        {"routing": {"modes": {"quiet": {"max_watts": 0}}}},
        {"routing": {"max_watts": 0}},
        {"routing": {"pace": 0}},
        {"routing": {"pace": 1.1}},
        {"routing": {"on_no_candidate": "hope"}},
        {"routing": {"background": ""}},
        {"routing": {"auto": {"quiet_hours": "22-06"}}},
        {"routing": {"auto": {"battery_low_percent": 101}}},
        {"server": {"api_keys": [{**KEY, "max_watts": 0}]}},
        {"server": {"api_keys": [{**KEY, "watt_hours_per_day": 0}]}},
    ],
    ids=str,
)
def test_what_makes_no_sense_of_heat_and_power_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**wrong)


def models_of(model: type[BaseModel]) -> list[type[BaseModel]]:
    """The settings class and all those inside it."""
    found = [model]
    for field in model.model_fields.values():
        for inner in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                found += models_of(inner)
    return found


def test_every_key_says_what_it_is() -> None:
    unsaid = [
        f"{model.__name__}.{name}"
        for model in models_of(Settings)
        for name, field in model.model_fields.items()
        if not field.description
    ]

    assert unsaid == []


def test_every_part_is_frozen_and_refuses_unknown_keys() -> None:
    for model in models_of(Settings):
        assert model.model_config["frozen"], model
        assert model.model_config["extra"] == "forbid", model


@pytest.mark.parametrize("sensor", ["auto", {"kind": "auto"}, [{"kind": "auto"}]])
def test_a_sensor_may_be_a_word_a_mapping_or_a_list(sensor: object) -> None:
    settings = Settings.model_validate({"zones": [{"id": "soc", "sensor": sensor}]})

    assert settings.zones[0].sensor == ({"kind": "auto"},)
