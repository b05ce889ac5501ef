"""The steps of the container image, run in a clean virtual environment: no container engine is needed for that."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[2]
_, BUILD, _ = (ROOT / "docker" / "Dockerfile").read_text().split("\nFROM ")


def test_what_the_image_installs_works_without_the_source_tree(tmp_path: Path) -> None:
    build, prefix = tmp_path / "isotherm", tmp_path / "venv"
    for names in re.findall(r"^COPY (?!--from)(.*) \S+$", BUILD, re.MULTILINE):
        for name in names.split():
            _copy(ROOT / name, build / name)
    for step in re.findall(r"^RUN (.*)$", BUILD, re.MULTILINE):
        command = step.replace("/venv", str(prefix)).replace("python -m venv", f"{sys.executable} -m venv")
        subprocess.run(command.split(), check=True, cwd=build)
    environment = {"PATH": f"{prefix}/bin:{os.environ['PATH']}", "ISOTHERM_CACHE": str(tmp_path / "models")}
    run = subprocess.run(
        [prefix / "bin" / "isotherm", "models", "list"],
        check=True,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert "smollm2-135m" in run.stdout
    subprocess.run(
        [prefix / "bin" / "isotherm", "check", str(ROOT / "config" / "isotherm.yaml")],
        check=True,
        cwd=tmp_path,
        env=environment,
    )


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy2(source, target)
