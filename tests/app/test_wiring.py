"""From settings to a gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.catalogue.cache import Cache
from app.catalogue.catalogue import Catalogue
from app.catalogue.model import Model
from app.domain.backend import ServedModel
from app.domain.errors import AuthenticationError, ConfigurationError
from app.gateway import Gateway
from app.loader import load
from app.relay.watch import Watchman
from app.routing.rule import KINDS as RULES
from app.telemetry.decisions import Decisions
from app.telemetry.energy import Share
from app.thermal.sensor import SensorLostError
from app.thermal.watched import WatchedZone
from app.wiring import Parts, build, model_finder, read_backends
from backends.base import Resources
from config.settings import Settings
from tests.app.builders import job
from tests.app.catalogue.builders import WEIGHTS, model_of
from tests.fakes.backend import KIND, ScriptedBackend
from tests.fakes.clock import FakeClock
from tests.fakes.sensor import KIND as SENSOR


def settings(*backends: dict[str, Any], **more: Any) -> Settings:
    return Settings(backends=backends, **more)


def scripted(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "kind": KIND, **more}


def parts_of_a_house() -> Parts:
    clock = FakeClock()
    return Parts.of(Resources(Path, Path()), Watchman(15.0, clock), Decisions(10), clock)


def gateway(told: Settings, previous: Gateway | None = None, parts: Parts | None = None) -> Gateway:
    return build(told, parts or parts_of_a_house(), previous)


def watched(made: Gateway) -> dict[str, WatchedZone]:
    return made.thermostat.monitor.watched


def zone(name: str, **keys: Any) -> dict[str, Any]:
    return {"id": name, "sensor": {"kind": SENSOR, "busy_seconds": 1, "idle_seconds": 9}, **keys}


def land(cache: Cache, model: Model, *contents: bytes) -> None:
    """Put the model's files where they belong."""
    cache.root.mkdir(exist_ok=True)
    for file, content in zip(model.files, contents, strict=True):
        part = cache.root / "part"
        part.write_bytes(content)
        cache.land(model, file, part)


def wrong(*backends: dict[str, Any], **more: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read_backends(settings(*backends, **more))
    return caught.value.message


def test_backends_come_in_the_order_in_which_they_are_written() -> None:
    assert list(gateway(settings(scripted("b"), scripted("a"))).lanes) == ["b", "a"]


def test_each_is_built_by_its_kind_with_its_own_settings() -> None:
    made = gateway(settings(scripted("box", tier=3), {"id": "far", "kind": "openai", "url": "http://box/v1"}))

    assert isinstance(made.lanes["box"].backend, ScriptedBackend)
    assert made.lanes["box"].profile.tier == 3
    assert made.lanes["far"].profile.kind == "openai"


def test_all_rules_are_asked_in_the_order_of_their_table() -> None:
    assert gateway(settings()).rules == tuple(load(name, RULES) for name in RULES)


def test_a_decision_looks_at_the_lanes_as_they_are() -> None:
    made = gateway(settings(scripted("box", models=["small"])))
    assert made.decide(job()).routes == ()

    made.lanes["box"].breaker.probed()

    assert [route.backend for route in made.decide(job(model="auto")).routes] == ["box"]


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ({"id": "x"}, "backends[0]: `kind` is missing: one of anthropic, llamacpp, ollama, openai"),
        ({"id": "x", "kind": 3}, "backends[0]: `kind` is missing"),
        ({"id": "x", "kind": "olama"}, "backends[0].kind: the kind olama is unknown; did you mean ollama?"),
        ({"id": "x", "kind": "no.such:Thing"}, "backends[0].kind: no.such:Thing cannot be loaded"),
        ({"id": "x", "kind": "json:loads"}, "backends[0].kind: json:loads is no backend"),
        ({"id": "x", "kind": "openai"}, "backends[0].url: field required"),
        ({"kind": "openai", "url": "http://x/v1"}, "backends[0].id: field required"),
        (
            {"id": "x", "kind": "openai", "url": "http://x", "thread": 1},
            "backends[0].thread: there is no such key; did you",
        ),
        (
            {"id": "x", "kind": "llamacpp", "model": "m", "url": "http://x"},
            "backends[0]: needs either `model` or `url`",
        ),
        ({"id": "x", "kind": "ollama", "url": "http://x", "keep_alive": [1]}, "backends[0].keep_alive: "),
        (
            {"id": "x", "kind": KIND, "timeouts": {"stal": 1}},
            "backends[0].timeouts.stal: there is no such key; did you",
        ),
        ({"id": "x", "kind": KIND, "zone": "gpu0"}, "backends[0].zone: there is no zone 'gpu0' under `zones`"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_is_wrong_with_a_backend_is_said_with_its_path(backend: dict[str, Any], said: str) -> None:
    assert wrong(backend).startswith(said)


def test_two_backends_of_one_name_are_refused() -> None:
    assert wrong(scripted("a"), scripted("a")) == "backends[1].id: another backend is called 'a' already"


def test_a_zone_that_is_there_may_be_heated() -> None:
    assert read_backends(settings(scripted("a", zone="gpu0"), zones=[{"id": "gpu0"}]))[0].zone == "gpu0"


def test_a_backends_secret_is_never_part_of_what_is_said() -> None:
    for broken in ({"api_key": ["sk-very-secret"]}, {"api_key": "sk-very-secret", "tier": "x"}):
        assert "sk-very-secret" not in wrong({"id": "x", "kind": "openai", "url": "http://x/v1", **broken})


def test_what_did_not_change_is_taken_over_as_it_runs_and_the_rest_is_new() -> None:
    old = gateway(settings(scripted("same"), scripted("changed", tier=1), scripted("gone")))

    new = gateway(settings(scripted("new"), scripted("changed", tier=2), scripted("same")), old)

    assert list(new.lanes) == ["new", "changed", "same"]
    assert new.lanes["same"] is old.lanes["same"]
    assert new.lanes["changed"] is not old.lanes["changed"]


def test_a_backend_that_changed_its_kind_is_new() -> None:
    old = gateway(settings({"id": "x", "kind": "openai", "url": "http://x/v1"}))
    new = gateway(settings({"id": "x", "kind": "ollama", "url": "http://x/v1"}), old)

    assert new.lanes["x"].profile.kind == "ollama"
    assert new.lanes["x"] is not old.lanes["x"]


def test_every_zone_is_watched_and_told_to_whoever_decides() -> None:
    made = gateway(settings(scripted("box", zone="gpu"), zones=[zone("soc"), zone("gpu")]))

    assert list(made.thermostat.zones) == ["soc", "gpu"]
    made.lanes["box"].found((ServedModel("small"),))
    (candidate,), _ = made.directory.look(job(), made.thermostat.zones)
    assert candidate.zone is made.thermostat.zones["gpu"]


def test_a_zone_that_did_not_change_goes_on_as_it_is_watched() -> None:
    old = gateway(settings(zones=[zone("same"), zone("changed"), zone("gone")]))
    new = gateway(settings(zones=[zone("new"), zone("changed", unknown="avoid"), zone("same")]), old)

    assert list(watched(new)) == ["new", "changed", "same"]
    assert watched(new)["same"] is watched(old)["same"]
    assert watched(new)["changed"] is not watched(old)["changed"]


def test_a_zone_whose_hardware_changed_is_watched_anew() -> None:
    """What measures it may be another sensor now."""
    old = gateway(settings(scripted("box", zone="gpu", hardware="igpu"), zones=[zone("gpu")]))
    same = gateway(settings(scripted("other", zone="gpu", hardware="igpu"), zones=[zone("gpu")]), old)
    changed = gateway(settings(scripted("box", zone="gpu", hardware="nvidia"), zones=[zone("gpu")]), old)

    assert watched(same)["gpu"] is watched(old)["gpu"]
    assert watched(changed)["gpu"] is not watched(old)["gpu"]


def test_backends_of_a_zone_share_its_meter_and_one_in_no_zone_has_its_own_even_by_the_same_name() -> None:
    parts = parts_of_a_house()
    gateway(
        settings(scripted("a", zone="gpu"), scripted("b", zone="gpu"), scripted("gpu"), zones=[zone("gpu")]),
        parts=parts,
    )

    assert len(parts.meters) == 2
    assert "gpu" in parts.meters


def test_meters_outlive_a_reload() -> None:
    parts = parts_of_a_house()
    old = gateway(settings(scripted("a")), parts=parts)
    before = dict(parts.meters)
    gateway(settings(scripted("a"), scripted("b")), old, parts)

    assert before.items() <= parts.meters.items()
    assert len(parts.meters) == 2


@pytest.mark.anyio
async def test_a_zone_is_watched_closely_while_it_works_or_an_answer_waits_for_its_energy() -> None:
    parts = parts_of_a_house()
    made = gateway(settings(scripted("box", zone="gpu"), zones=[zone("soc"), zone("gpu")]), parts=parts)

    def busy() -> list[str]:
        made.thermostat.look(parts.clock())
        return [name for name, each in watched(made).items() if each.pollers[0].interval_seconds == 1]

    assert busy() == []
    await made.lanes["box"].enter()
    assert busy() == ["gpu"]

    (poller,) = watched(made)["gpu"].pollers
    poller.sensor.says = {"joules": 1.0}  # type: ignore[attr-defined]
    poller.read()
    made.thermostat.look(parts.clock())
    share = Share("box", None, lambda _: None)
    parts.meters["gpu"].begin(share, parts.clock())
    parts.meters["gpu"].end(share, parts.clock())
    made.lanes["box"].leave()
    assert busy() == ["gpu"]

    poller.sensor.says = SensorLostError("gone")  # type: ignore[attr-defined]
    parts.clock.advance(16)  # type: ignore[attr-defined]
    made.thermostat.look(parts.clock())
    assert busy() == []


def test_a_mode_that_a_person_chose_outlives_all_reloads_until_another_is_configured() -> None:
    made = gateway(settings())
    made.thermostat.choose("quiet")
    for _ in range(3):
        made = gateway(settings(), made)
        assert (made.thermostat.mode, made.thermostat.conditions.mode.name) == ("quiet", "quiet")

    made = gateway(settings(routing={"mode": "performance"}), made)
    assert made.thermostat.mode == "performance"
    made = gateway(settings(), made)
    assert made.thermostat.mode == "balanced"


def test_what_is_wrong_with_zones_or_modes_is_told_before_anything_changes() -> None:
    for broken in ({"zones": [zone("a", sensor={"kind": "nvlm"})]}, {"routing": {"mode": "fast"}}):
        with pytest.raises(ConfigurationError):
            gateway(settings(**broken))


def test_keys_open_the_doors_that_they_are_for() -> None:
    limits = {"max_watts": 20, "watt_hours_per_day": 3}
    keys = {
        "api_keys": [{"name": "ada", "key": "sk-ada-secret", "models": ["small"], "requests_per_minute": 5, **limits}],
        "admin_keys": [{"name": "boss", "key": "sk-boss-secret"}],
    }
    keyring = gateway(settings(server=keys)).keyring

    ada = keyring.enter(b"Bearer sk-ada-secret")
    assert (ada.name, ada.admin, ada.models, ada.requests_per_minute) == ("ada", False, ("small",), 5)
    assert (ada.max_watts, ada.watt_hours_per_day) == (20, 3)
    assert keyring.enter_as_admin(b"Bearer sk-boss-secret").name == "boss"
    with pytest.raises(AuthenticationError):
        keyring.enter(None)


def test_a_model_may_be_a_path(tmp_path: Path) -> None:
    here = tmp_path / "tiny.gguf"
    here.touch()
    find = model_finder(Catalogue({}), Cache(tmp_path / "cache"))

    assert find(str(here)) == here
    assert find(str(tmp_path)) == tmp_path
    with pytest.raises(ConfigurationError, match=r"there is no file .*gone\.gguf"):
        find(str(tmp_path / "gone.gguf"))
    with pytest.raises(ConfigurationError, match="there is no file"):
        find("gone.gguf")


def test_a_model_of_the_catalogue_has_to_be_fetched_first(tmp_path: Path) -> None:
    model, cache = model_of(), Cache(tmp_path)
    find = model_finder(Catalogue({model.name: model}), cache)
    with pytest.raises(ConfigurationError, match="isotherm models pull tiny"):
        find("tiny")

    land(cache, model, WEIGHTS)

    assert find("tiny").read_bytes() == WEIGHTS


def test_a_model_of_several_files_is_its_directory(tmp_path: Path) -> None:
    model, cache = model_of(files={"a": b"1", "b": b"2"}), Cache(tmp_path)
    land(cache, model, b"1", b"2")

    assert {"a", "b"} <= {path.name for path in model_finder(Catalogue({"tiny": model}), cache)("tiny").iterdir()}


def test_an_unknown_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no-such-model"):
        model_finder(Catalogue({}), Cache(tmp_path))("no-such-model")


def test_feedback_is_kept_where_the_settings_say_and_a_reload_may_say_otherwise() -> None:
    parts = parts_of_a_house()
    first = gateway(settings(telemetry={"feedback": "/var/one.sqlite3"}), parts=parts)
    second = gateway(settings(telemetry={"feedback": "~/two.sqlite3"}), first, parts)

    assert first.feedback.file == Path("/var/one.sqlite3")
    assert second.feedback.file == Path.home() / "two.sqlite3"


def test_feedback_is_kept_with_other_state_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    assert gateway(settings()).feedback.file == tmp_path / "isotherm" / "feedback.sqlite3"
