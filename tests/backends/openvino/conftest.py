"""The stand-in library, the real one, and backends that are stopped when their test ends."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from backends.openvino import OpenVino
from tests.backends.local_models import local_model
from tests.backends.openvino.running import make, until_ready

ENGINES = Path(__file__).parents[2] / "fakes" / "engines"


def real_model() -> Path:
    if importlib.util.find_spec("openvino_genai") is None:
        pytest.skip("pip install 'isotherm[openvino]'")
    return local_model("smollm2-135m")


@pytest.fixture
def real() -> Path:
    return real_model()


@pytest.fixture(
    params=[
        "stand-in",
        pytest.param("real", marks=pytest.mark.live),
    ]
)
def model(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    if request.param == "stand-in":
        monkeypatch.setenv("PYTHONPATH", str(ENGINES))
        return tmp_path / "smol.gguf"
    return real_model()


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(ENGINES))
    return tmp_path / "smol.gguf"


@pytest.fixture(params=[True, False], ids=["batching", "stateful"])
def batching(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    started: list[OpenVino] = []

    async def _start(model: Path, **given: Any) -> OpenVino:
        backend = make(model, tmp_path, **given)
        started.append(backend)
        await backend.start()
        await until_ready(backend)
        return backend

    yield _start
    for backend in started:
        await backend.stop()
