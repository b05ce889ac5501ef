"""The batteries of real laptops, as sysfs has them, and those of other systems."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from app.domain.thermal import Battery
from app.thermal.sensor import SensorLostError, Surroundings
from app.thermal.sensors.battery import BatterySensor, BatterySettings, find
from tests.fakes.sysfs import plant

#: A ThinkPad's first battery, which counts energy; `voltage_now` is there for nothing but to be ignored.
BY_ENERGY = {
    "type": "Battery",
    "present": 1,
    "status": "Discharging",
    "energy_now": 30_000_000,
    "energy_full": 40_000_000,
    "power_now": 8_500_000,
    "voltage_now": 11_800_000,
    "capacity": 75,
}
#: A Dell's battery, which counts charge.
BY_CHARGE = {
    "type": "Battery",
    "present": 1,
    "status": "Discharging",
    "charge_now": 1_500_000,
    "charge_full": 3_000_000,
    "current_now": 1_000_000,
    "voltage_now": 12_000_000,
    "voltage_min_design": 10_000_000,
    "capacity": 50,
}
MAINS = {"type": "Mains", "online": 1}
UNPLUGGED = {"type": "Mains", "online": 0}
MOUSE = {"type": "Battery", "scope": "Device", "status": "Discharging", "capacity": 5}


def near(percent: float) -> Any:
    return pytest.approx(percent, abs=0.001)


def supplies(root: Path, **each: Mapping[str, object]) -> Path:
    (root / "class" / "power_supply").mkdir(parents=True, exist_ok=True)
    return plant(
        root, {f"class/power_supply/{name}/{key}": text for name, one in each.items() for key, text in one.items()}
    )


def nobody_else() -> Any:
    raise AssertionError("asked psutil although there is a sysfs")


def read(root: Path) -> Battery | None:
    sensor = BatterySensor(BatterySettings(root=root), Surroundings("laptop"), elsewhere=nobody_else)
    try:
        return sensor.read(5.0).battery
    finally:
        sensor.close()


def elsewhere(tmp_path: Path, battery: Any) -> Battery | None:
    """On a system without sysfs, where psutil says this."""
    settings = BatterySettings(root=tmp_path / "nowhere")
    return BatterySensor(settings, Surroundings("mac"), elsewhere=lambda: battery).read(5.0).battery


def test_a_battery_that_counts_energy_gives_its_power(tmp_path: Path) -> None:
    assert read(supplies(tmp_path, BAT0=BY_ENERGY, AC=UNPLUGGED)) == Battery(75.0, plugged=False, watts=8.5)


def test_a_battery_that_counts_charge_gives_current_times_voltage(tmp_path: Path) -> None:
    assert read(supplies(tmp_path, BAT0=BY_CHARGE, ADP1=UNPLUGGED)) == Battery(50.0, plugged=False, watts=12.0)


def test_the_reading_is_of_the_instant_that_was_asked_for(tmp_path: Path) -> None:
    sensor = BatterySensor(BatterySettings(root=supplies(tmp_path, BAT0=BY_ENERGY)), Surroundings("laptop"))

    assert sensor.read(77.0).at == 77.0
    sensor.close()


def test_several_batteries_count_by_their_energy_and_their_watts_are_summed(tmp_path: Path) -> None:
    # 30 of 40 Wh, and half of 3 Ah at 10 V
    battery = read(supplies(tmp_path, BAT0=BY_ENERGY, BAT1=BY_CHARGE, AC=UNPLUGGED))

    assert battery == Battery(near(100 * (30 + 15) / (40 + 30)), plugged=False, watts=20.5)


def test_batteries_count_alike_if_one_of_them_does_not_say_how_large_it_is(tmp_path: Path) -> None:
    bare = {"type": "Battery", "status": "Full", "capacity": 100}
    battery = read(supplies(tmp_path, BAT0={**BY_ENERGY, "status": "Charging"}, BAT1=bare))

    assert battery == Battery(near((75 + 100) / 2), plugged=True, watts=0)


def test_only_those_that_discharge_give_watts(tmp_path: Path) -> None:
    idle = {**BY_CHARGE, "status": "Not charging"}

    assert read(supplies(tmp_path, BAT0=BY_ENERGY, BAT1=idle, AC=UNPLUGGED)) == Battery(
        near(64.2857), plugged=False, watts=8.5
    )


def test_a_battery_that_is_charged_gives_nothing(tmp_path: Path) -> None:
    battery = read(supplies(tmp_path, BAT0={**BY_ENERGY, "status": "Charging"}, AC=MAINS))

    assert battery == Battery(75.0, plugged=True, watts=0)


def test_power_that_leaves_may_be_counted_as_negative(tmp_path: Path) -> None:
    battery = read(supplies(tmp_path, BAT0={**BY_ENERGY, "power_now": -8_500_000}, AC=UNPLUGGED))

    assert battery is not None
    assert battery.watts == 8.5


@pytest.mark.parametrize("silent", [{"power_now": 0}, {"power_now": "unknown"}])
def test_watts_that_the_firmware_does_not_know_are_unknown_and_not_zero(
    tmp_path: Path, silent: Mapping[str, object]
) -> None:
    mute = {key: text for key, text in BY_ENERGY.items() if not key.startswith("voltage")}

    assert read(supplies(tmp_path, BAT0={**mute, **silent}, AC=UNPLUGGED)) == Battery(75.0, plugged=False, watts=None)


@pytest.mark.parametrize("missing", ["current_now", "voltage_now"])
def test_half_of_what_makes_watts_makes_none(tmp_path: Path, missing: str) -> None:
    half = {key: text for key, text in BY_CHARGE.items() if key != missing}

    assert read(supplies(tmp_path, BAT0=half, AC=UNPLUGGED)) == Battery(50.0, plugged=False, watts=None)


def test_an_empty_battery_is_empty_and_not_unknown(tmp_path: Path) -> None:
    battery = read(supplies(tmp_path, BAT0={**BY_ENERGY, "energy_now": 0}))

    assert battery is not None
    assert battery.percent == 0.0


def test_an_old_battery_that_holds_more_than_full_is_full(tmp_path: Path) -> None:
    battery = read(supplies(tmp_path, BAT0={**BY_ENERGY, "energy_now": 41_000_000}))

    assert battery is not None
    assert battery.percent == 100.0


def test_percents_do_where_nothing_else_is_told(tmp_path: Path) -> None:
    bare = {"type": "Battery", "status": "Discharging", "capacity": 31}

    assert read(supplies(tmp_path, macsmc=bare)) == Battery(31.0, plugged=False, watts=None)


def test_a_battery_that_does_not_say_how_full_it_is_is_lost(tmp_path: Path) -> None:
    with pytest.raises(SensorLostError, match="BAT0 does not say how full it is"):
        read(supplies(tmp_path, BAT0={"type": "Battery", "status": "Discharging"}))


def test_the_battery_of_a_mouse_and_an_empty_bay_do_not_count(tmp_path: Path) -> None:
    root = supplies(tmp_path, BAT0=BY_ENERGY, BAT1={**BY_CHARGE, "present": 0}, hidpp_battery_0=MOUSE)

    assert read(root) == Battery(75.0, plugged=False, watts=8.5)


@pytest.mark.parametrize(
    ("status", "plugged"), [("Charging", True), ("Full", True), ("Not charging", True), ("Discharging", False)]
)
def test_without_a_word_of_the_mains_the_battery_says_whether_it_is_plugged(
    tmp_path: Path, status: str, plugged: bool
) -> None:
    battery = read(supplies(tmp_path, BAT0={**BY_ENERGY, "status": status}))

    assert battery is not None
    assert battery.plugged is plugged


def test_one_battery_that_rests_while_another_gives_is_no_plug(tmp_path: Path) -> None:
    battery = read(supplies(tmp_path, BAT0=BY_ENERGY, BAT1={**BY_CHARGE, "status": "Not charging"}))

    assert battery is not None
    assert not battery.plugged


@pytest.mark.parametrize("missing", ["charge_full", "voltage_min_design"])
def test_what_does_not_say_all_of_its_size_says_nothing_of_it(tmp_path: Path, missing: str) -> None:
    other = {key: text for key, text in BY_CHARGE.items() if key != missing}
    battery = read(supplies(tmp_path, BAT0=BY_ENERGY, BAT1=other))

    assert battery is not None
    assert battery.percent == near((75 + 50) / 2)


@pytest.mark.parametrize("usb", [{"type": "USB", "online": 1}, {"type": "USB", "online": 2}])
def test_a_charger_on_usb_is_a_plug_too(tmp_path: Path, usb: Mapping[str, object]) -> None:
    battery = read(supplies(tmp_path, BAT0=BY_ENERGY, AC=UNPLUGGED, ucsi=usb))

    assert battery is not None
    assert battery.plugged  # a weak one: the battery gives its watts all the same
    assert battery.watts == 8.5


def test_a_plug_that_feeds_something_else_is_none(tmp_path: Path) -> None:
    source = {"type": "USB", "online": 1, "scope": "Device"}
    battery = read(supplies(tmp_path, BAT0=BY_ENERGY, AC=UNPLUGGED, ucsi=source))

    assert battery is not None
    assert not battery.plugged


def test_nobody_knowing_of_a_plug_is_not_no_plug(tmp_path: Path) -> None:
    with pytest.raises(SensorLostError, match="nothing says whether the machine is plugged in"):
        read(supplies(tmp_path, BAT0={**BY_ENERGY, "status": "Unknown"}))


@pytest.mark.parametrize("each", [{}, {"AC": MAINS}, {"mouse": MOUSE}])
def test_a_machine_without_a_battery_says_so(tmp_path: Path, each: Mapping[str, Any]) -> None:
    with pytest.raises(SensorLostError, match="this machine has no battery"):
        read(supplies(tmp_path, **each))


def test_a_battery_that_was_taken_out_and_put_back_is_read_again(tmp_path: Path) -> None:
    root = supplies(tmp_path, BAT0={"type": "Battery", "status": "Discharging"})
    sensor = BatterySensor(BatterySettings(root=root), Surroundings("laptop"), elsewhere=nobody_else)
    with pytest.raises(SensorLostError):
        sensor.read(1.0)

    supplies(tmp_path, BAT0={"capacity": 88})

    battery = sensor.read(2.0).battery
    sensor.close()
    assert battery is not None
    assert battery.percent == 88


def test_other_systems_tell_it_through_psutil(tmp_path: Path) -> None:
    assert elsewhere(tmp_path, SimpleNamespace(percent=42, power_plugged=False)) == Battery(42.0, plugged=False)


@pytest.mark.parametrize(
    ("battery", "why"), [(None, "no battery"), (SimpleNamespace(percent=42, power_plugged=None), "plugged in")]
)
def test_what_psutil_does_not_know_is_lost(tmp_path: Path, battery: Any, why: str) -> None:
    with pytest.raises(SensorLostError, match=why):
        elsewhere(tmp_path, battery)


def test_the_real_psutil_is_asked_where_there_is_no_sysfs(tmp_path: Path) -> None:
    sensor = BatterySensor(BatterySettings(root=tmp_path / "nowhere"), Surroundings("mac"))
    known = psutil.sensors_battery()

    if known is None:
        with pytest.raises(SensorLostError, match="this machine has no battery"):
            sensor.read(1.0)
    else:
        battery = sensor.read(1.0).battery
        assert battery is not None
        assert battery.percent == pytest.approx(known.percent, abs=2)


def test_nothing_stays_open(tmp_path: Path) -> None:
    root, before = supplies(tmp_path, BAT0=BY_ENERGY), set(Path("/proc/self/fd").iterdir())
    read(root)
    list(find(root))

    assert set(Path("/proc/self/fd").iterdir()) == before


def test_it_is_found_where_there_is_one(tmp_path: Path) -> None:
    assert list(find(supplies(tmp_path / "desktop", AC=MAINS))) == []
    laptop = supplies(tmp_path / "laptop", BAT0=BY_ENERGY)
    assert list(find(laptop)) == [BatterySettings(root=laptop)]


def test_one_that_can_not_be_read_is_found_all_the_same(tmp_path: Path) -> None:
    root = supplies(tmp_path, BAT0={"type": "Battery"})

    assert list(find(root)) == [BatterySettings(root=root)]


def test_a_rate_that_acpi_refuses_leaves_the_rest_known(tmp_path: Path) -> None:
    """The kernel answers ENODEV for `power_now` when the firmware has no figure; so does this directory EISDIR."""
    root = supplies(tmp_path, BAT0={key: text for key, text in BY_ENERGY.items() if key != "power_now"}, AC=UNPLUGGED)
    (root / "class/power_supply/BAT0/power_now").mkdir()

    assert read(root) == Battery(75.0, plugged=False, watts=None)
