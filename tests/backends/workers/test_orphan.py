"""Programs that stand still when the gateway is killed do not stay behind."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from backends.workers.orphan import CAN_END_WITH_PARENT
from tests.backends.workers.processes import gone, until_stopped

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[3]
FAKES = ROOT / "tests" / "fakes"

GATEWAY = """
import asyncio, json, os, sys
from pathlib import Path
from app.domain.errors import BackendRefusedError
from app.loader import load
from backends.base import KINDS, Paces, Resources
from tests.backends.workers.processes import until_stopped

async def main(kind, model):
    made = load(kind, KINDS)
    settings = made.Settings.model_validate({"id": "box", "kind": kind, "model": model})
    backend = made(settings, Resources(find_model=Path, scratch=Path(model).parent))
    assert isinstance(backend, Paces) and backend.paceable
    backend.pace(0.01)
    await backend.start()
    while True:
        try:
            await backend.probe()
        except BackendRefusedError:
            await asyncio.sleep(0.01)
        else:
            break
    await until_stopped(backend.pid)
    print(json.dumps(backend.pid), flush=True)
    sys.stdin.readline()
    os.kill(os.getpid(), 9)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize(("kind", "fakes"), [("llamacpp", "tellers"), ("openvino", "engines")])
async def test_a_gateway_that_is_killed_takes_its_stopped_program_with_it(
    kind: str, fakes: str, tmp_path: Path
) -> None:
    gateway = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", GATEWAY, kind, str(tmp_path / "smol.gguf")),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(FAKES / fakes)])},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert gateway.stdout is not None
    async with asyncio.timeout(60):
        pid = json.loads(await gateway.stdout.readline())
    await until_stopped(pid)  # it may have had its turn since

    await gateway.communicate(b"\n")

    assert gateway.returncode == -9
    await gone(pid)


def test_a_kernel_that_can_do_it_is_known_by_its_name() -> None:
    assert CAN_END_WITH_PARENT is (sys.platform == "linux")
