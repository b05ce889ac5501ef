"""What a person's program or file may say of a reading."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from app.domain.thermal import Battery, Reading
from app.thermal.said import Said, SaidBattery, lost

ONLY_A_SENSOR_KNOWS = {"at", "asleep", "modelled"}


def test_every_field_of_a_reading_can_be_said() -> None:
    assert set(Said.model_fields) == set(Reading.__dataclass_fields__) - ONLY_A_SENSOR_KNOWS
    assert set(SaidBattery.model_fields) == set(Battery.__dataclass_fields__)


def test_what_is_said_becomes_a_reading() -> None:
    said = Said(celsius=61.5, memory_used_bytes=5, battery=SaidBattery(percent=80, plugged=True))

    assert said.reading(7.0) == Reading(7.0, celsius=61.5, memory_used_bytes=5, battery=Battery(80, plugged=True))
    assert said.reading(7.0, modelled=True).modelled


def test_the_edges_of_what_makes_sense_are_part_of_it() -> None:
    lowest = {"celsius": -100, "watts": 0, "fan_percent": 0, "utilisation": 0, "memory_used_bytes": 0}
    highest = {"celsius": 1000, "fan_percent": 100, "utilisation": 1}

    assert Said.model_validate(lowest).model_dump(exclude_none=True) == lowest
    assert Said.model_validate(highest).model_dump(exclude_none=True) == highest


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"celcius": 1}, "celcius: a reading has no such field"),
        ({"celsius": float("nan")}, "celsius: input should be a finite number"),
        ({"utilisation": 40}, "utilisation: input should be less than or equal to 1"),
        ({"celsius": -101}, "celsius: input should be greater than or equal to -100"),
        ({"celsius": 1001}, "celsius: input should be less than or equal to 1000"),
        ({"fan_percent": -1}, "fan_percent: input should be greater than or equal to 0"),
        ({"battery": {"percent": 3}}, "battery.plugged: field required"),
        ([], "input should be a valid dictionary or instance of Said"),
    ],
)
def test_what_makes_no_sense_is_said_with_its_field(value: object, words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Said.model_validate(value)

    assert lost(refused.value).message == words
