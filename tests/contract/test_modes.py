"""The contract's table of efficiency modes, row by row: order of preference, watts, fan, degrees."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.house import CRITICAL, HIGH_TRIPS, WATTS, house
from tests.routers.running import error_of

pytestmark = pytest.mark.anyio

#: mode: order of preference, most watts, most fan percent, most degrees Celsius
TABLE: dict[str, tuple[tuple[str, ...], float | None, float, float]] = {
    "performance": (("nvidia", "igpu", "npu", "cpu"), None, 100, 90),
    "balanced": (("igpu", "nvidia", "npu", "cpu"), 60, 80, 85),
    "efficiency": (("npu", "igpu", "nvidia"), 15, 60, 75),
    "quiet": (("npu", "igpu"), 15, 40, 70),
    "ultra-efficiency": (("npu",), 5, 30, 65),
}
REJECT = {"on_no_candidate": "reject"}
FRUGAL: dict[str, float | None] = dict.fromkeys(WATTS, 3)


def rows(column: int) -> list[Any]:
    """mode, its first choice, the cap in that column, and who is chosen once the first is beyond it (None: nobody)."""
    return [
        pytest.param(mode, row[0][0], row[column], (*row[0], None)[1], id=f"{mode}: {row[column]}")
        for mode, row in TABLE.items()
        if row[column] is not None
    ]


async def test_balanced_is_the_default() -> None:
    async with house() as home:
        assert (await home.mode())["in_force"] == "balanced"


@pytest.mark.parametrize(("mode", "row"), list(TABLE.items()), ids=list(TABLE))
async def test_a_mode_is_told_as_in_the_table(mode: str, row: tuple[Any, ...]) -> None:
    async with house() as home:
        told = {each["name"]: each for each in (await home.mode())["modes"]}[mode]

    order = tuple(hardware for hardware in told["order"] if hardware in WATTS)
    assert (order, told["max_watts"], told["max_fan_percent"], told["max_celsius"]) == row


@pytest.mark.parametrize(("mode", "first"), [(mode, row[0][0]) for mode, row in TABLE.items()], ids=list(TABLE))
async def test_while_everything_is_cool_a_mode_uses_its_first_choice(mode: str, first: str) -> None:
    async with house() as home:
        assert (await home.choose(mode)).json()["in_force"] == mode
        response = await home.ask()

        assert response.headers["x-backend-used"] == first
        assert (await home.record(response))["mode"] == mode


@pytest.mark.parametrize(
    ("mode", "order"), [pytest.param(mode, row[0], id=f"{mode}: {', '.join(row[0])}") for mode, row in TABLE.items()]
)
async def test_as_the_preferred_drop_out_a_mode_goes_down_its_order_and_no_further(
    mode: str, order: tuple[str, ...]
) -> None:
    used = []
    async with house(FRUGAL, routing={"mode": mode, **REJECT}) as home:
        while (response := await home.ask()).status_code == 200:
            used.append(response.headers["x-backend-used"])
            await home.put(used[-1], celsius=CRITICAL)

    assert tuple(used) == order
    error_of(response, 503)


@pytest.mark.parametrize(("mode", "first", "cap", "second"), rows(1))
async def test_a_mode_uses_nothing_that_draws_more_watts(mode: str, first: str, cap: float, second: str | None) -> None:
    routing = {"mode": mode, **REJECT}
    async with house({**FRUGAL, first: cap}, routing=routing) as home:
        assert await home.used() == first
    async with house({**FRUGAL, first: cap + 0.5}, routing=routing) as home:
        response = await home.ask()

    if second is None:
        assert f"allows {cap:g} W" in error_of(response, 503)["message"]
    else:
        assert response.headers["x-backend-used"] == second


async def test_performance_has_no_limit_of_watts() -> None:
    async with house({**WATTS, "nvidia": 900}, routing={"mode": "performance", **REJECT}) as home:
        assert await home.used() == "nvidia"


@pytest.mark.parametrize(
    ("mode", "watts", "used"),
    [("performance", 120, "nvidia"), ("balanced", 60, "nvidia"), ("balanced", 120, "npu")],
)
async def test_a_thirsty_card_stands_in_where_the_mode_allows_it(mode: str, watts: float, used: str) -> None:
    async with house({**WATTS, "nvidia": watts}, routing={"mode": mode}) as home:
        await home.put("igpu", celsius=CRITICAL)

        assert await home.used() == used


@pytest.mark.parametrize(("mode", "first", "cap", "second"), rows(2))
async def test_a_mode_uses_nothing_whose_fan_is_louder(mode: str, first: str, cap: float, second: str | None) -> None:
    async with house(FRUGAL, routing={"mode": mode, **REJECT}) as home:
        await home.put(first, fan_percent=cap)
        assert await home.used() == first
        if cap == 100:  # no fan turns faster
            return
        await home.put(first, fan_percent=cap + 1)
        response = await home.ask()

    if second is None:
        assert f"allows {cap:g} % fan" in error_of(response, 503)["message"]
    else:
        assert response.headers["x-backend-used"] == second


@pytest.mark.parametrize(("mode", "first", "cap", "second"), rows(3))
async def test_a_mode_uses_nothing_that_is_hotter(mode: str, first: str, cap: float, second: str | None) -> None:
    async with house(FRUGAL, zone={"trips": HIGH_TRIPS}, routing={"mode": mode, **REJECT}) as home:
        await home.put(first, celsius=cap)
        assert await home.used() == first
        await home.put(first, celsius=cap + 0.5)
        response = await home.ask()

    if second is None:
        assert f"allows {cap:g} °C" in error_of(response, 503)["message"]
    else:
        assert response.headers["x-backend-used"] == second


async def test_what_a_mode_allows_can_be_configured() -> None:
    quiet = {"order": ["cpu", "npu"], "max_watts": 25, "max_fan_percent": 55, "max_celsius": 50}
    async with house(routing={"mode": "quiet", "modes": {"quiet": quiet}, **REJECT}) as home:
        used = [await home.used()]
        await home.put("cpu", fan_percent=56)
        used.append(await home.used())
        await home.put("cpu", fan_percent=55, celsius=51)
        used.append(await home.used())
        await home.put("npu", celsius=51)
        response = await home.ask()

    assert used == ["cpu", "npu", "npu"]
    assert "allows 50 °C" in error_of(response, 503)["message"]


async def test_a_mode_that_is_none_is_refused_and_changes_nothing() -> None:
    async with house() as home:
        error = error_of(await home.choose("loud"), 400)

        assert (error["param"], error["code"]) == ("mode", "invalid_value")
        assert "ultra-efficiency, auto" in error["message"]
        assert (await home.mode())["in_force"] == "balanced"
