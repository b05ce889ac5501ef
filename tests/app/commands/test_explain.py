"""`isotherm explain`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from tests.app.process import isotherm
from tests.fakes.openai_server import OpenAiServer

pytestmark = pytest.mark.anyio


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[Path]:
    """Two backends that are well, one of them larger, and one that is dead."""
    path = tmp_path / "isotherm.yaml"
    async with OpenAiServer() as first, OpenAiServer() as second, OpenAiServer() as dead:
        dead.refuse()
        told = [
            {"id": "large", "kind": "openai", "url": f"{first.url}/v1", "tier": 2},
            {"id": "small", "kind": "openai", "url": f"{second.url}/v1", "tier": 1},
            {"id": "dead", "kind": "openai", "url": f"{dead.url}/v1", "models": ["small"]},
        ]
        path.write_text(yaml.safe_dump({"backends": told}))
        yield path


async def test_the_decision_about_auto_is_printed_with_every_verdict(file: Path) -> None:
    ended = await isotherm("explain", "--config", str(file), "--prompt", "Hi")

    lines = ended.out.splitlines()
    assert ended.code == 0
    assert lines[0] == "mode balanced"
    assert lines[1] == "1. small with small: penalty 31"
    assert lines[2].split()[:2] == ["mode-order", "+30"]
    assert lines[3].split() == ["prefer-tier", "+1", "tier", "1"]
    assert lines[4] == "2. large with small: penalty 32"
    assert lines[7] == "-  dead with small: rejected"
    assert "healthy" in lines[8]
    assert "can't be reached: Connection refused" in lines[8]


async def test_a_model_that_nobody_serves_is_said_and_the_command_fails(file: Path) -> None:
    ended = await isotherm("explain", "--config", str(file), "--model", "huge", "--prompt", "Hi")

    assert ended.code == 1
    assert "does not serve 'huge'" in ended.out
    assert "The model 'huge' does not exist here" in ended.out
    assert "Traceback" not in ended.err
