"""The contract's row of the mode `auto`: what it is derived from, in which order, and that it is derived live."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.contract.house import House, house
from tests.routers.running import logged, until

pytestmark = pytest.mark.anyio

AUTO = {"mode": "auto"}
UNPLUGGED = {"plugged": False}

#: By name: what happens in the zone of the CPU, the time of day, and the mode that follows with its first choice.
CONDITIONS: dict[str, tuple[dict[str, Any], str, str]] = {
    "battery 15 %": ({"battery_percent": 15, **UNPLUGGED}, "12:00", "ultra-efficiency"),
    "battery 19 %": ({"battery_percent": 19, **UNPLUGGED}, "12:00", "ultra-efficiency"),
    "battery 20 %": ({"battery_percent": 20, **UNPLUGGED}, "12:00", "efficiency"),
    "battery 49 %": ({"battery_percent": 49, **UNPLUGGED}, "12:00", "efficiency"),
    "battery 50 %": ({"battery_percent": 50, **UNPLUGGED}, "12:00", "balanced"),
    "battery 100 %": ({"battery_percent": 100, **UNPLUGGED}, "12:00", "balanced"),
    "battery 15 %, but plugged in": ({"battery_percent": 15, "plugged": True}, "12:00", "performance"),
    "21:59": ({}, "21:59", "performance"),
    "22:00": ({}, "22:00", "quiet"),
    "midnight": ({}, "00:00", "quiet"),
    "05:59": ({}, "05:59", "quiet"),
    "06:00": ({}, "06:00", "performance"),
    "75 °C": ({"celsius": 75}, "12:00", "performance"),
    "75.5 °C": ({"celsius": 75.5}, "12:00", "efficiency"),
    "fan at 70 %": ({"fan_percent": 70}, "12:00", "performance"),
    "fan at 71 %": ({"fan_percent": 71}, "12:00", "quiet"),
    "nothing of all that": ({}, "12:00", "performance"),
    # who wins where two of them hold
    "battery under 20 % before quiet hours": ({"battery_percent": 15, **UNPLUGGED}, "23:00", "ultra-efficiency"),
    "battery under 50 % before quiet hours": ({"battery_percent": 40, **UNPLUGGED}, "23:00", "efficiency"),
    "quiet hours before heat": ({"celsius": 78}, "23:00", "quiet"),
    "heat before noise": ({"celsius": 78, "fan_percent": 90}, "12:00", "efficiency"),
    "noise before battery": ({"fan_percent": 90, "battery_percent": 80, **UNPLUGGED}, "12:00", "quiet"),
}
FIRST_CHOICE = {
    "performance": "nvidia",
    "balanced": "igpu",
    "efficiency": "npu",
    "quiet": "npu",
    "ultra-efficiency": "npu",
}


@pytest.mark.parametrize(("values", "time_of_day", "mode"), list(CONDITIONS.values()), ids=list(CONDITIONS))
async def test_auto_goes_by_battery_hour_heat_and_noise(values: dict[str, Any], time_of_day: str, mode: str) -> None:
    async with house(routing=AUTO) as home:
        home.wall.turn(time_of_day)
        await home.put("cpu", **values)
        told = await home.mode()
        response = await home.ask()

        assert (told["mode"], told["in_force"]) == ("auto", mode)
        assert response.headers["x-backend-used"] == FIRST_CHOICE[mode]
        assert (await home.record(response))["mode"] == mode


async def test_auto_is_derived_anew_whenever_something_changes() -> None:
    modes = []
    async with house(routing=AUTO) as home:
        for values in (
            {"battery_percent": 60, "plugged": False},
            {"battery_percent": 45},
            {"battery_percent": 10},
            {"plugged": True},
            {"fan_percent": 90},
            {"fan_percent": 20},
        ):
            await home.put("cpu", **values)
            modes.append((await home.mode())["in_force"])

    assert modes == ["balanced", "efficiency", "ultra-efficiency", "performance", "quiet", "performance"]


async def test_quiet_hours_begin_and_end_without_a_request() -> None:
    async with house(routing=AUTO) as home:
        for time_of_day, mode in (("22:30", "quiet"), ("06:30", "performance")):
            home.wall.turn(time_of_day)

            async def is_so(mode: str = mode) -> bool:
                return bool((await home.mode())["in_force"] == mode)

            await until(is_so)


@pytest.mark.parametrize(
    ("auto", "values", "mode"),
    [
        pytest.param({"battery_low_percent": 10}, {"battery_percent": 15, **UNPLUGGED}, "efficiency", id="battery low"),
        pytest.param({"battery_half_percent": 30}, {"battery_percent": 35, **UNPLUGGED}, "balanced", id="battery half"),
        pytest.param({"quiet_hours": "11:00-13:00"}, {}, "quiet", id="quiet at noon"),
        pytest.param({"hot_celsius": 60}, {"celsius": 61}, "efficiency", id="hot"),
        pytest.param({"loud_fan_percent": 40}, {"fan_percent": 41}, "quiet", id="loud"),
    ],
)
async def test_what_auto_goes_by_can_be_configured(auto: dict[str, Any], values: dict[str, Any], mode: str) -> None:
    async with house(routing={**AUTO, "auto": auto}) as home:
        await home.put("cpu", **values)

        assert (await home.mode())["in_force"] == mode


async def test_quiet_hours_can_be_turned_off() -> None:
    async with house(routing={**AUTO, "auto": {"quiet_hours": None}}) as home:
        home.wall.turn("23:00")
        await home.put("cpu")

        assert (await home.mode())["in_force"] == "performance"


async def test_a_change_of_auto_is_logged_once_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    async with house(routing=AUTO) as home:
        caplog.set_level(logging.INFO)
        for _ in range(3):
            await home.put("igpu", celsius=76)
        why = (await home.mode())["why"]

    changes = [line for line in logged(caplog).splitlines() if "mode " in line]
    assert changes == ["app.thermostat mode performance -> efficiency: zone 'igpu' reached 76.0 °C, over 75"]
    assert why == "zone 'igpu' reached 76.0 °C, over 75"


async def test_another_reason_for_the_same_mode_is_told_but_is_no_change(caplog: pytest.LogCaptureFixture) -> None:
    async with house(routing=AUTO) as home:
        await home.put("igpu", celsius=76)
        caplog.set_level(logging.INFO, "app.thermostat")
        await home.put("cpu", battery_percent=45, plugged=False)
        told = await home.mode()

    assert (told["in_force"], told["why"]) == ("efficiency", "on battery at 45 %, under 50")
    assert not [record for record in caplog.records if record.name == "app.thermostat"]


async def test_a_mode_that_was_chosen_stays_whatever_happens() -> None:
    async with house(routing={"mode": "performance"}) as home:
        await home.put("cpu", battery_percent=5, plugged=False, fan_percent=95, celsius=80)

        assert (await home.mode())["in_force"] == "performance"


async def test_auto_can_be_chosen_and_left_while_it_runs() -> None:
    async with house() as home:
        await home.put("cpu", battery_percent=10, plugged=False)
        modes = [(await home.choose(mode)).json()["in_force"] for mode in ("auto", "quiet", "auto")]

    assert modes == ["ultra-efficiency", "quiet", "ultra-efficiency"]


@pytest.mark.parametrize(
    ("name", "around", "mode"),
    [
        pytest.param("celsius", (76, 74), "efficiency", id="74 to 76 °C"),
        pytest.param("fan_percent", (71, 69), "quiet", id="fan at 69 to 71 %"),
        pytest.param("battery_percent", (19, 21), "ultra-efficiency", id="battery at 19 to 21 %"),
    ],
)
async def test_auto_does_not_flap_when_a_value_wobbles_around_its_threshold(
    name: str, around: tuple[float, float], mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with house(routing=AUTO) as home:
        await home.put("cpu", battery_percent=80, plugged=name != "battery_percent")
        caplog.set_level(logging.INFO, "app.thermostat")
        modes = await _wobble(home, name, around)

    assert set(modes) == {mode}
    assert len([record for record in caplog.records if record.name == "app.thermostat"]) == 1


async def _wobble(home: House, name: str, around: tuple[float, float]) -> list[str]:
    modes = []
    for _ in range(10):
        for value in around:
            home.clock.advance(1)
            await home.put("cpu", **{name: value})
            modes.append((await home.mode())["in_force"])
    return modes
