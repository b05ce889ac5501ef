"""What we write for people is true: the README, the example configuration, the compose file."""

import ast
import importlib
import pkgutil
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import app.domain
from app.loader import load
from app.thermal.sensor import KINDS as SENSORS
from app.thermal.sensor import SensorSettings
from app.wiring import read_backends
from app.zones import read_sensors, regime
from backends.base import KINDS, BackendSettings
from config.load import load_settings
from config.settings import Settings
from tests.documents import keys

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
EXAMPLE = ROOT / "config" / "example.yaml"
_BY_NAME = ("routing.modes", "confidence.forwarding")  # what stands there is named by the operator
ENVIRONMENT = {name: f"a-secret-for-{name}" for name in re.findall(r"\$\{(\w+)\}", EXAMPLE.read_text())}


def test_the_example_configuration_can_be_used() -> None:
    told = load_settings(EXAMPLE, ENVIRONMENT)

    assert len(read_backends(told)) == len(KINDS) + 1  # llamacpp both ways
    assert {sensor.kind for sensors in read_sensors(told).values() for sensor in sensors} == set(SENSORS)
    assert regime(told.routing).mode == "balanced"


def test_the_default_configuration_can_be_used() -> None:
    assert read_backends(load_settings(ROOT / "config" / "isotherm.yaml"))


def test_the_example_configuration_has_every_key() -> None:
    written = set(_paths(yaml.safe_load(EXAMPLE.read_text())))
    known = {path for path in keys(Settings, "") if not path.startswith("backends")}
    known |= set(keys(BackendSettings, "backends[]."))
    known |= {path for kind in KINDS for path in keys(load(kind, KINDS).Settings, "backends[].")}
    assert _left_out(known, written) == set()


def test_the_example_configuration_has_every_key_of_every_sensor() -> None:
    told = load_settings(EXAMPLE, ENVIRONMENT)
    sensors = [sensor for zone in told.zones for sensor in zone.sensor]
    assert _left_out(set(keys(SensorSettings, "")), {key for sensor in sensors for key in sensor}) == set()
    for kind in SENSORS:
        written = {path for sensor in sensors if sensor["kind"] == kind for path in _paths(sensor)}
        own = set(keys(load(kind, SENSORS).Settings, "")) - set(SensorSettings.model_fields)
        assert _left_out(own, written) == set(), kind


def _left_out(known: set[str], written: set[str]) -> set[str]:
    return {path for path in known if not any(path == one or one.startswith(f"{path}.") for one in written)}


def _paths(tree: object, prefix: str = "") -> Iterator[str]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            named = f"{prefix}.*" if prefix in _BY_NAME else f"{prefix}.{key}" if prefix else key
            yield from _paths(value, named)
    elif isinstance(tree, list) and tree and isinstance(tree[0], dict):
        for item in tree:
            yield from _paths(item, f"{prefix}[]")
    else:
        yield prefix


def test_the_readmes_own_configuration_can_be_used(tmp_path: Path) -> None:
    (yaml_block,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    file = tmp_path / "mine.yaml"
    file.write_text(yaml_block)
    assert [backend.id for backend in read_backends(load_settings(file))] == ["eco", "ollama"]


def test_the_readmes_python_is_what_serve_prints() -> None:
    from app.commands.serve import READY

    (snippet,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    printed = READY.format(url="http://127.0.0.1:8080", auth_curl="", key="none")
    assert ast.dump(ast.parse(snippet)) == ast.dump(ast.parse(printed[printed.index("from openai") :]))


def test_the_glossary_has_every_word_of_the_domain() -> None:
    words = set(re.findall(r"\w+", " ".join(re.findall(r"^\| ([\w, ]+) \|", README, re.MULTILINE))))
    assert {name for name in _domain_words() if name not in words} == set()


def _domain_words() -> Iterator[str]:
    for module in pkgutil.iter_modules(app.domain.__path__, "app.domain."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, type) and value.__module__ == module.name and not name.endswith("Error"):
                yield name


def test_every_file_that_the_image_copies_is_there() -> None:
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text()
    copied = [
        word for line in re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, re.MULTILINE) for word in line.split()
    ]
    assert copied
    assert [name for name in copied if not (ROOT / name).exists()] == []


@pytest.mark.live
@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="needs Debian's docker-compose")
def test_the_compose_file_is_one() -> None:
    command = ["docker-compose", "--file", str(ROOT / "docker" / "compose.yaml"), "config", "--services"]
    services = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert set(services) == {"isotherm", "open-webui", "prometheus"}
