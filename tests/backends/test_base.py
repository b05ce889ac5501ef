"""What every kind of backend can be told, and the table of kinds."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from app.domain.backend import Capability, Hardware
from app.loader import load
from backends.base import KINDS, BackendSettings


def settings(**told: Any) -> BackendSettings:
    return BackendSettings.model_validate({"id": "box", "kind": "some", **told})


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_settings_of_its_own_and_a_capability(kind: str) -> None:
    backend = load(kind, KINDS)

    assert issubclass(backend.Settings, BackendSettings)
    assert any(hasattr(backend, method) for method in ("chat", "complete", "embed"))
    assert all(hasattr(backend, method) for method in ("start", "stop", "probe"))


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_of_every_kind_says_what_it_is(kind: str) -> None:
    fields = load(kind, KINDS).Settings.model_fields
    groups = ("timeouts", "health")

    assert [name for name, field in fields.items() if not field.description and name not in groups] == []


def test_what_is_not_said_has_a_default_that_works_anywhere() -> None:
    told = settings()

    assert (told.hardware, told.tier, told.watts, told.zone) == (Hardware.CPU, 1, None, None)
    assert (told.models, told.preferred, told.excluded) == (("*",), (), ())
    assert (told.max_model_billions, told.ageing_seconds) == (None, 30)
    assert told.model_needed() is None
    assert told.timeouts.connect < told.timeouts.stall < told.timeouts.first_token < told.timeouts.total


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": ""},
        {"id": "has space"},
        {"id": "-dash"},
        {"id": "x" * 65},
        {"id": "naïve"},
        {"id": "a\nb"},
        {"id": "box\n"},
        {"hardware": "gpu"},
        {"tier": -1},
        {"tier": 10},
        {"watts": -0.1},
        {"watts": float("nan")},
        {"watts": float("inf")},
        {"models": []},
        {"models": [""]},
        {"excluded": ["*"]},
        {"max_context": 0},
        {"max_model_billions": 0},
        {"max_model_billions": float("inf")},
        {"concurrency": 0},
        {"queue": -1},
        {"ageing_seconds": 0},
        {"timeouts": {"connect": 0}},
        {"timeouts": {"total": float("inf")}},
        {"timeouts": {"stall": float("nan")}},
        {"timeouts": {"stal": 5}},
        {"health": {"failures": 0}},
        {"health": {"interval_seconds": -1}},
        {"health": {"cooldown_seconds": float("nan")}},
        {"unknown": 1},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**wrong)


def test_settings_never_change() -> None:
    with pytest.raises(ValidationError):
        settings().tier = 3  # type: ignore[misc]


@pytest.mark.parametrize("kind", ["anthropic", "ollama", "openai"])
@pytest.mark.parametrize("url", ["localhost:11434", "ftp://box/v1", "http://", "http:// /v1", "file:///etc/passwd", ""])
def test_a_url_is_one_that_http_can_reach(kind: str, url: str) -> None:
    with pytest.raises(ValidationError, match="url"):
        load(kind, KINDS).Settings.model_validate({"id": "box", "kind": kind, "api_key": "secret-key", "url": url})


def test_the_profile_tells_routing_all_that_it_may_know() -> None:
    told = settings(
        hardware="npu",
        tier=3,
        watts=3.5,
        zone="npu0",
        models=["a*"],
        preferred=["ab"],
        excluded=["ac"],
        max_context=4096,
        max_model_billions=8,
        concurrency=2,
        queue=5,
    )

    profile = told.profile({Capability.CHAT: frozenset({"seed"})}, passes_extras=True)

    assert (profile.id, profile.kind, profile.hardware, profile.tier) == ("box", "some", "npu", 3)
    assert (profile.watts, profile.zone, profile.max_context) == (3.5, "npu0", 4096)
    assert profile.max_model_billions == 8
    assert (profile.concurrency, profile.queue, profile.passes_extras) == (2, 5, True)
    assert profile.honours == {Capability.CHAT: {"seed"}}
    assert (profile.patterns.allow("ab"), profile.patterns.allow("ac"), profile.patterns.prefer("ab")) == (
        True,
        False,
        True,
    )


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "api_key" in load(kind, KINDS).Settings.model_fields])
def test_a_key_is_never_printed(kind: str) -> None:
    told = load(kind, KINDS).Settings.model_validate(
        {"id": "box", "kind": kind, "url": "http://box/v1", "api_key": "sk-very-secret"}
    )

    assert "sk-very-secret" not in f"{told!r} {told} {told.model_dump()} {told.model_dump_json()}"
