"""A key that nothing reads must not exist: each one is shown to change what the gateway does.

A key without a proof fails here, and so does a proof without a key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from app.loader import load
from app.thermal.sensor import KINDS as SENSORS
from app.thermal.sensor import SensorSettings
from backends.base import KINDS, BackendSettings
from config.settings import Settings
from tests.config.proofs import backends, doubt, gateway, handoff, heat, kinds, sensors
from tests.config.proofs.proof import Proof

pytestmark = pytest.mark.anyio


def keys_of(model: type[BaseModel], names: set[str] | None = None, prefix: str = "") -> Iterator[str]:
    """The path of every key that holds a value, as a person writes it: `server.api_keys.name`."""
    for name, field in model.model_fields.items():
        if names is not None and name not in names:
            continue
        inner = model_in(field.annotation)
        if inner is None:
            yield prefix + name
        else:
            yield from keys_of(inner, prefix=f"{prefix}{name}.")


def model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for found in map(model_in, get_args(annotation)) if found is not None), None)


def own_keys(kind: str, kinds: Mapping[str, str], common: type[BaseModel]) -> Iterator[str]:
    """The keys that the kind has besides the common ones, and those that it says anew; its own name is none of them."""
    model = load(kind, kinds).Settings
    classes = [each for each in model.__mro__ if issubclass(each, common) and each is not common]
    return keys_of(model, {name for each in classes for name in each.__annotations__} - {"kind"})


OF_SETTINGS = {**gateway.PROOFS, **heat.PROOFS, **handoff.PROOFS, **doubt.PROOFS}
OF_BACKENDS = {**backends.PROOFS, **doubt.OF_BACKENDS}
ALL: dict[str, Proof] = {
    **OF_SETTINGS,
    **{f"backends.{key}": proof for key, proof in OF_BACKENDS.items()},
    **{f"{kind}.{key}": proof for kind, proofs in kinds.PROOFS.items() for key, proof in proofs.items()},
    **{f"zones.sensor.{key}": proof for key, proof in sensors.COMMON.items()},
    **{f"{kind}.{key}": proof for kind, proofs in sensors.PROOFS.items() for key, proof in proofs.items()},
}


def test_every_key_of_the_gateway_has_a_proof_and_every_proof_a_key() -> None:
    assert sorted(OF_SETTINGS) == sorted(keys_of(Settings))


def test_every_key_that_all_backends_have_has_a_proof_and_every_proof_a_key() -> None:
    assert sorted(OF_BACKENDS) == sorted(keys_of(BackendSettings))


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_of_a_kind_has_a_proof_and_every_proof_a_key(kind: str) -> None:
    assert sorted(kinds.PROOFS[kind]) == sorted(own_keys(kind, KINDS, BackendSettings))


def test_every_key_that_all_sensors_have_has_a_proof_and_every_proof_a_key() -> None:
    assert sorted(sensors.COMMON) == sorted(keys_of(SensorSettings))


@pytest.mark.parametrize("kind", SENSORS)
def test_every_key_of_a_kind_of_sensor_has_a_proof_and_every_proof_a_key(kind: str) -> None:
    assert sorted(sensors.PROOFS[kind]) == sorted(own_keys(kind, SENSORS, SensorSettings))


def test_no_proof_is_about_a_kind_that_is_gone() -> None:
    assert set(kinds.PROOFS) == set(KINDS)
    assert set(sensors.PROOFS) == set(SENSORS)


@pytest.mark.parametrize("key", ALL)
async def test_another_value_makes_a_difference(key: str) -> None:
    proof = ALL[key]
    expected = [seen for _, seen in proof.cases]
    assert any(seen != expected[0] for seen in expected), "all values are expected to do the same"

    seen = [await proof.observe(value) for value, _ in proof.cases]

    assert seen == expected
