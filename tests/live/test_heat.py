"""Heat on real models: the demo as a person runs it, the terminal's view, metrics that Prometheus' own tool reads."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.live.gateway import ENVIRON, ROOT, Gateway, eventually, serving

pytestmark = pytest.mark.live

DEMO = ROOT / "config" / "demo.yaml"
ASKED = {"model": "auto", "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 16, "temperature": 0}
_MINUTES = 180


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serving(tmp_path_factory.mktemp("demo"), DEMO) as running:
        eventually(lambda: running.healthy() >= {"card", "chip"}, "both backends are healthy", within_seconds=60)
        yield running


def ask(gateway: Gateway, **headers: str) -> httpx.Response:
    answer = httpx.post(
        f"{gateway.api}/chat/completions", json=ASKED, headers=headers, trust_env=False, timeout=_MINUTES
    )
    assert answer.status_code == 200, answer.text
    return answer


def heat(gateway: Gateway, zone: str, celsius: float | None) -> None:
    answer = httpx.put(f"{gateway.url}/admin/zones/{zone}", json={"celsius": celsius}, trust_env=False, timeout=10)
    assert answer.status_code == 200, answer.text


def state(gateway: Gateway, zone: str) -> str:
    return str(gateway.get(f"/admin/zones/{zone}").json()["state"])


def isotherm(*arguments: str) -> str:
    """What the command prints."""
    command = [sys.executable, "-m", "app", *arguments]
    ended = subprocess.run(
        command, cwd=ROOT, env=ENVIRON, capture_output=True, text=True, timeout=_MINUTES, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_work_leaves_a_hot_zone_and_comes_back_when_it_has_cooled(demo: Gateway) -> None:
    assert ask(demo).headers["x-backend-used"] == "card"

    heat(demo, "card", 91)
    moved = ask(demo)
    heat(demo, "card", None)
    eventually(lambda: state(demo, "card") == "nominal", "the card has cooled down", within_seconds=60)

    assert moved.headers["x-backend-used"] == "chip"
    assert "keep-cool" in moved.headers["x-routing-reason"]
    assert ask(demo).headers["x-backend-used"] == "card"


def test_real_work_heats_a_zone_and_an_idle_one_cools(demo: Gateway) -> None:
    def celsius() -> float:
        return float(demo.get("/admin/zones/card").json()["celsius"])

    before = celsius()
    ask(demo, **{"X-Target-Backend": "card"})
    eventually(lambda: celsius() > before, "the card is warmer")
    warm = celsius()
    eventually(lambda: celsius() < warm, "the card is cooler")


def test_an_answer_tells_its_joules_and_how_they_are_known(demo: Gateway) -> None:
    request_id = ask(demo, **{"X-Target-Backend": "chip"}).headers["x-request-id"]

    energy = eventually(lambda: demo.get(f"/admin/decisions/{request_id}").json()["energy"], "the energy is settled")

    assert energy["source"] == "estimated"  # a model's heat is no measurement
    assert 0 < energy["error_joules"] <= energy["joules"]


def test_promtool_finds_nothing_wrong_with_the_metrics(demo: Gateway) -> None:
    ask(demo)
    text = demo.get("/metrics").text

    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False, timeout=60
    )

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    assert re.search(r'^isotherm_zone_temperature_celsius\{zone="card"\} \d', text, re.MULTILINE)
    assert re.search(r'^isotherm_energy_joules_total\{backend="card",source="estimated"\} \d', text, re.MULTILINE)


def test_top_shows_zones_backends_and_decisions(demo: Gateway) -> None:
    request_id = ask(demo).headers["x-request-id"]

    lines = isotherm("top", "--once", "--url", demo.url).splitlines()

    assert lines[0].startswith(f"Isotherm at {demo.url}   mode balanced")
    assert [line.split()[0] for line in lines if line.startswith(("card", "chip"))] == ["card", "chip", "card", "chip"]
    assert any(line.startswith(request_id[-8:]) and "completed" in line for line in lines)


def test_the_demo_tells_its_story() -> None:
    told = isotherm("demo")

    assert "The dashboard is at http://127.0.0.1:" in told
    assert "card -> chip -> card: the conversation went on" in told
    assert told.count("J, give or take") == 4


def test_sensors_says_what_this_machine_has(tmp_path: Path) -> None:
    assert isotherm("sensors")
    assert "simulated" in isotherm("sensors", "--root", str(tmp_path))
