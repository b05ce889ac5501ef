"""The gateway's own request headers: what they mean, and what is no value."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.confidence import Judging
from app.domain.errors import BadRequestError
from app.domain.job import NO_WISHES, Priority, Wishes, Workload
from routers.wishes import SCHEMAS, read_wishes
from tests.fakes.openai_server import OpenAiServer
from tests.routers.running import CHAT, COMPLETE, EMBED, RunningGateway, backend, error_of, running

pytestmark = pytest.mark.anyio

of_a_door = pytest.mark.parametrize("door", [CHAT, COMPLETE, EMBED])


def read(name: str, value: str) -> Wishes:
    return read_wishes({name.lower().encode(): value.encode()})


def test_without_them_nothing_is_wished_and_nothing_is_made() -> None:
    assert read_wishes({b"x-request-id": b"one"}) is NO_WISHES


@pytest.mark.parametrize(
    ("name", "value", "wishes"),
    [
        ("X-Target-Backend", "eco", Wishes(target="eco")),
        ("X-Target-Backend", " eco ", Wishes(target="eco")),
        ("X-Latency-Critical", "true", Wishes(latency_critical=True)),
        ("X-Latency-Critical", "0", Wishes()),
        ("X-Power-Efficient", "Yes", Wishes(power_efficient=True)),
        ("X-Power-Efficient", "off", Wishes()),
        ("X-Power-Efficient", "", Wishes()),
        ("X-Max-Latency-Ms", "250", Wishes(max_latency_seconds=0.25)),
        ("X-Max-Power-Watts", "12.5", Wishes(max_watts=12.5)),
        ("X-Media-Type", "Audio", Wishes(media_type=Workload.AUDIO)),
        ("X-Priority", "best-effort", Wishes(priority=Priority.BEST_EFFORT)),
        ("X-Priority", "CRITICAL", Wishes(priority=Priority.CRITICAL)),
    ],
)
def test_each_says_what_it_means(name: str, value: str, wishes: Wishes) -> None:
    assert read(name, value) == wishes


@pytest.mark.parametrize(
    ("name", "value", "forwarding"),
    [
        ("X-Min-Confidence", "0", {"min_confidence": 0.0}),
        ("X-Min-Confidence", " 0.75 ", {"min_confidence": 0.75}),
        ("X-Min-Confidence", "1", {"min_confidence": 1.0}),
        ("X-Judging-Mode", "hold", {"mode": Judging.HOLD}),
        ("X-Judging-Mode", "Watch", {"mode": Judging.WATCH}),
        ("X-Judging-Mode", "BUFFER", {"mode": Judging.BUFFER}),
        ("X-Max-Retries", "0", {"max_retries": 0}),
        ("X-Max-Retries", "10", {"max_retries": 10}),
        ("X-Escalation-Path", "large", {"escalation_path": ("large",)}),
        ("X-Escalation-Path", " qwen3:8b , ,large, ", {"escalation_path": ("qwen3:8b", "large")}),
        ("X-Respect-Thermal-Limits", "no", {"respect_thermal_limits": False}),
        ("X-Return-Best-Attempt", "true", {"return_best_attempt": True}),
        ("X-Return-Best-Attempt", "0", {"return_best_attempt": False}),
        ("X-Max-Joules", "250", {"max_joules": 250.0}),
        ("X-Max-Cost", "0.002", {"max_cost": 0.002}),
    ],
)
def test_each_changes_one_thing_of_the_policy_of_forwarding(name: str, value: str, forwarding: dict[str, Any]) -> None:
    assert read(name, value) == Wishes(forwarding=forwarding)


def test_a_wish_of_another_kind_leaves_the_policy_of_forwarding_as_it_is() -> None:
    assert read("X-Priority", "high").forwarding is None


@pytest.mark.parametrize("word", ["1", "true", "TRUE", "yes", "on"])
def test_every_way_to_say_yes(word: str) -> None:
    assert read("X-Latency-Critical", word).latency_critical


def test_several_at_once_are_all_heard() -> None:
    wishes = read_wishes({b"x-target-backend": b"eco", b"x-priority": b"high", b"x-max-power-watts": b"9"})

    assert wishes == Wishes(target="eco", priority=Priority.HIGH, max_watts=9.0)


NUMBERS = ("", "0", "-1", "nan", "inf", "-inf", "1e999", "ten", "1 2", "0x10", "1,5", "²")
WRONG: list[tuple[str, str]] = [
    ("X-Target-Backend", ""),
    ("X-Target-Backend", "  "),
    ("X-Latency-Critical", "maybe"),
    ("X-Power-Efficient", "2"),
    *((name, value) for name in ("X-Max-Latency-Ms", "X-Max-Power-Watts") for value in NUMBERS),
    ("X-Media-Type", "video"),
    ("X-Media-Type", ""),
    ("X-Priority", "urgent"),
    ("X-Priority", "3"),
    ("X-Priority", "best_effort"),
    *(("X-Min-Confidence", value) for value in ("", "-0.1", "1.01", "nan", "inf", "high", "75%", "0,7")),
    *(("X-Judging-Mode", value) for value in ("", "1", "held", "hold, watch")),
    *(("X-Max-Retries", value) for value in ("", "-1", "11", "1.5", "one", "\u00b2", "1e1", "9" * 40)),
    *(("X-Escalation-Path", value) for value in ("", " ", ",", " , ,", ",".join(["large"] * 17))),
    *((name, value) for name in ("X-Respect-Thermal-Limits", "X-Return-Best-Attempt") for value in ("maybe", "2")),
    *((name, value) for name in ("X-Max-Joules", "X-Max-Cost") for value in NUMBERS),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_what_makes_no_sense_is_refused_with_its_name(name: str, value: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        read(name, value)

    assert (caught.value.param, caught.value.code) == (name, "invalid_value")
    assert caught.value.message.startswith(f"{name} ")


def test_what_could_be_said_instead_is_told() -> None:
    with pytest.raises(BadRequestError, match=r"one of best-effort, normal, high, critical\."):
        read("X-Priority", "urgent")
    with pytest.raises(BadRequestError, match=r"one of realtime, audio, code, image, text\."):
        read("X-Media-Type", "video")
    with pytest.raises(BadRequestError, match=r"one of watch, hold, buffer\."):
        read("X-Judging-Mode", "never")
    with pytest.raises(BadRequestError, match=r"a number from 0 to 1\."):
        read("X-Min-Confidence", "75")
    with pytest.raises(BadRequestError, match=r"a number from 0 to 10\."):
        read("X-Max-Retries", "11")
    with pytest.raises(BadRequestError, match=r"one to 16 models, with commas between them\."):
        read("X-Escalation-Path", ",")


@pytest.mark.parametrize("name", SCHEMAS)
def test_what_the_api_describes_is_read(name: str) -> None:
    is_one_of_several_words = "enum" in SCHEMAS[name]
    with pytest.raises(BadRequestError) if is_one_of_several_words else nullcontext():
        assert read(name, "1") is not NO_WISHES


@given(st.sampled_from(sorted(SCHEMAS)), st.binary(max_size=40))
def test_whatever_comes_is_understood_or_refused(name: str, value: bytes) -> None:
    with suppress(BadRequestError):
        assert isinstance(read_wishes({name.lower().encode(): value}), Wishes)


@of_a_door
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("X-Priority", "urgent"), ("X-Max-Power-Watts", "-3"), ("X-Min-Confidence", "2"), ("X-Judging-Mode", "off")),
        *(("X-Max-Retries", "many"), ("X-Escalation-Path", ","), ("X-Max-Joules", "0"), ("X-Max-Cost", "free")),
        *(("X-Respect-Thermal-Limits", "perhaps"), ("X-Return-Best-Attempt", "perhaps")),
    ],
)
async def test_every_door_refuses_what_makes_no_sense(
    gateway: RunningGateway, upstream: OpenAiServer, door: str, name: str, value: str
) -> None:
    asked = len(upstream.requests)

    error = error_of(await gateway.post(door, headers={name: value}), 400)

    assert (error["param"], error["code"]) == (name, "invalid_value")
    assert len(upstream.requests) == asked


@of_a_door
async def test_every_door_uses_the_backend_that_was_asked_for(door: str) -> None:
    async with OpenAiServer() as first, OpenAiServer() as second:
        told = (backend("openai", first, id="first"), backend("openai", second, id="second", tier=5))
        async with running(*told) as gateway:
            used = [
                (await gateway.post(door, headers={"X-Target-Backend": name})).headers["x-backend-used"]
                for name in ("first", "second")
            ]

    assert used == ["first", "second"]


@of_a_door
async def test_a_backend_that_is_not_there_is_refused_with_those_that_are(gateway: RunningGateway, door: str) -> None:
    error = error_of(await gateway.post(door, headers={"X-Target-Backend": "bx"}), 400)

    assert (error["param"], error["code"]) == ("X-Target-Backend", "backend_not_found")
    assert "box" in error["message"]


async def last_decision(gateway: RunningGateway) -> dict[str, Any]:
    decision: dict[str, Any] = (await gateway.get("/admin/decisions")).json()["data"][0]
    return decision


@of_a_door
async def test_kind_of_work_and_priority_are_in_the_record(gateway: RunningGateway, door: str) -> None:
    await gateway.post(door, headers={"X-Media-Type": "code", "X-Priority": "high"})
    told = await last_decision(gateway)

    assert (told["workload"], told["priority"]) == ("code", "high")


async def test_a_key_limits_the_watts_and_the_smaller_limit_counts() -> None:
    keys = {"api_keys": [{"name": "ada", "key": "sk-ada-secret", "max_watts": 20}]}
    admin = {"admin_keys": [{"name": "boss", "key": "sk-boss-secret"}]}
    async with OpenAiServer() as small, OpenAiServer() as large:
        told = (
            backend("openai", large, id="large", watts=50, hardware="igpu"),
            backend("openai", small, id="small", watts=15, hardware="cpu"),
        )
        async with running(*told, server={**keys, **admin}) as gateway:
            used = {
                (key, watts): (
                    await gateway.post(
                        CHAT,
                        headers={"authorization": f"Bearer sk-{key}-secret"}
                        | ({} if watts is None else {"X-Max-Power-Watts": watts}),
                    )
                ).headers["x-backend-used"]
                for key, watts in [("boss", None), ("boss", "20"), ("ada", None), ("ada", "100"), ("ada", "16")]
            }

    assert used == {
        ("boss", None): "large",
        ("boss", "20"): "small",
        ("ada", None): "small",
        ("ada", "100"): "small",
        ("ada", "16"): "small",
    }
