"""What the mode allows."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.backend import Hardware, Learned
from app.domain.decision import Precedence, Verdict
from app.routing.rules.mode_limits import judge
from tests.app.builders import candidate, conditions, job, mode, zone

_QUIET = mode("quiet", order=(Hardware.NPU, Hardware.IGPU), max_watts=15, max_fan_percent=40, max_celsius=70)


def rejection(**facts: Any) -> Verdict:
    verdict = judge(job(), candidate(**{"hardware": Hardware.NPU, **facts}), conditions(_QUIET))
    assert verdict is not None
    assert verdict.reject
    return verdict


def test_what_is_within_the_limits_raises_no_objection() -> None:
    allowed = candidate(hardware=Hardware.IGPU, watts=15, zone=zone(celsius=70, fan_percent=40))

    assert judge(job(), allowed, conditions(_QUIET)) is None


def test_what_nobody_knows_is_not_over_a_limit() -> None:
    unknown = candidate(hardware=Hardware.NPU, zone=zone(celsius=None))

    assert judge(job(), unknown, conditions(_QUIET)) is None


def test_a_mode_without_a_limit_of_watts_allows_any() -> None:
    assert judge(job(), candidate(watts=900), conditions(mode(max_watts=None))) is None


@pytest.mark.parametrize(
    ("facts", "reason", "overshoot"),
    [
        ({"watts": 120}, "mode quiet allows 15 W, it draws 120", 7.0),
        ({"hardware": Hardware.CPU}, "mode quiet uses no cpu", 1.0),
        ({"zone": zone("gpu", fan_percent=50)}, "mode quiet allows 40 % fan, zone 'gpu' has 50", 0.25),
        ({"zone": zone("gpu", celsius=84)}, "mode quiet allows 70 °C, zone 'gpu' has 84.0", 0.2),
    ],
)
def test_a_limit_is_named_with_its_mode_and_how_far_it_is_broken(
    facts: dict[str, Any], reason: str, overshoot: float
) -> None:
    verdict = rejection(**facts)

    assert verdict.reason == reason
    assert verdict.penalty == pytest.approx(overshoot)
    assert verdict.precedence is Precedence.MODE
    assert verdict.param is None


def test_all_limits_that_are_broken_are_named_and_add_up() -> None:
    verdict = rejection(hardware=Hardware.NVIDIA, watts=30)

    assert verdict.reason == "mode quiet uses no nvidia, allows 15 W, it draws 30"
    assert verdict.penalty == pytest.approx(2.0)


def test_learned_watts_count_where_none_are_configured() -> None:
    assert rejection(learned=Learned(watts=54.321)).reason == "mode quiet allows 15 W, it draws 54.3"


def test_an_amd_card_takes_nvidias_place() -> None:
    card = candidate(hardware=Hardware.AMD)

    assert judge(job(), card, conditions(mode(order=(Hardware.NVIDIA,)))) is None
    assert judge(job(), card, conditions(mode(order=(Hardware.IGPU,)))) is not None
