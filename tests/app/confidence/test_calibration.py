"""What a calibration may say, and what is none."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.confidence.calibration import Calibration, Curve, Feature, Fit, UnusableCalibrationError, read_calibration

FIT: dict[str, Any] = {
    "name": "any",
    "features": {"a": {"weight": 2, "mean": -0.5, "scale": 0.25}},
    "intercept": 1.5,
    "curve": {"scores": [-1, 2], "probabilities": [0.1, 0.9]},
    "models": ["smol*"],
    "workloads": ["*"],
    "beginnings": True,
    "labels": 600,
}
TREE: dict[str, Any] = {
    "version": 1,
    "fits": [FIT],
    "defects": {"loop": {"factor": 0.1, "labels": 12}},
    "priors": {"*": {"right": 0.4, "labels": 600}},
}


def read(tree: Any) -> Calibration:
    return read_calibration(json.dumps(tree).encode())


def test_all_of_it_is_read() -> None:
    expected = Fit(
        "any", {"a": Feature(2.0, -0.5, 0.25)}, 1.5, Curve((-1.0, 2.0), (0.1, 0.9)), ("smol*",), ("*",), True, 600
    )

    assert read(TREE) == Calibration((expected,), {"loop": 0.1}, priors={"*": 0.4})


def test_what_it_says_beside_that_is_for_people() -> None:
    assert read({**TREE, "fitted_on": {"source": "capitals"}}) == read(TREE)


def test_a_fit_may_say_its_share_of_right_answers_or_not() -> None:
    shares = [read({**TREE, "fits": [{**FIT, **told}]}).fits[0].right for told in ({}, {"right": 0.25}, {"right": 0})]

    assert shares == [None, 0.25, 0.0]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b"7", b'"version"', b"null", b"{}", b"[" * 100_000])
def test_what_is_no_calibration_is_said_to_be_none(content: bytes) -> None:
    with pytest.raises(UnusableCalibrationError, match=r"^it is no calibration$"):
        read_calibration(content)


@pytest.mark.parametrize("version", [0, 2, "1", None, [1]])
def test_another_version_is_named_with_what_to_do(version: Any) -> None:
    with pytest.raises(UnusableCalibrationError, match=r"^it is of version .*, not 1; `isotherm calibrate` makes"):
        read({**TREE, "version": version})


WRONG: dict[str, Any] = {
    **{
        f"no {name}": {key: value for key, value in TREE.items() if key != name}
        for name in ("fits", "defects", "priors")
    },
    **{f"a fit without {name}": {**TREE, "fits": [{k: v for k, v in FIT.items() if k != name}]} for name in FIT},
    "fits that are no list": {**TREE, "fits": 7},
    "a scale of nothing": {**TREE, "fits": [{**FIT, "features": {"a": {"weight": 1, "mean": 0, "scale": 0}}}]},
    "a weight of infinity": {**TREE, "fits": [{**FIT, "features": {"a": {"weight": 1e999, "mean": 0, "scale": 1}}}]},
    "an intercept that is none": {**TREE, "fits": [{**FIT, "intercept": "much"}]},
    "a curve that falls back": {**TREE, "fits": [{**FIT, "curve": {"scores": [2, 1], "probabilities": [0, 1]}}]},
    "a curve with one end": {**TREE, "fits": [{**FIT, "curve": {"scores": [2, 3], "probabilities": [0.5]}}]},
    "a probability of more": {**TREE, "fits": [{**FIT, "curve": {"scores": [2], "probabilities": [1.5]}}]},
    "a factor under nothing": {**TREE, "defects": {"loop": {"factor": -0.1}}},
    **{
        f"a fit of which {right!r} are right": {**TREE, "fits": [{**FIT, "right": right}]}
        for right in (None, "many", -0.1, 1.1, 1e999, [0.5])
    },
    "a share that is none": {**TREE, "priors": {"*": {"right": None}}},
}


@pytest.mark.parametrize("what", WRONG)
def test_what_makes_no_sense_is_refused(what: str) -> None:
    with pytest.raises(UnusableCalibrationError, match=r"^it makes no sense: "):
        read(WRONG[what])


JUNK = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*FIT, *TREE]), inner, max_size=4),
    max_leaves=10,
)


@given(st.sampled_from(list(TREE)), JUNK)
def test_whatever_is_in_it_is_read_or_refused(name: str, junk: Any) -> None:
    with suppress(UnusableCalibrationError):
        assert isinstance(read({**TREE, name: junk}), Calibration)


@given(st.sampled_from([*FIT, "right"]), JUNK)
def test_whatever_is_in_a_fit_is_read_or_refused(name: str, junk: Any) -> None:
    with suppress(UnusableCalibrationError):
        assert isinstance(read({**TREE, "fits": [{**FIT, name: junk}]}), Calibration)


@pytest.mark.parametrize(
    ("model", "workload", "suits"), [("smol", "text", True), ("smollm2", "code", True), ("qwen", "text", False)]
)
def test_a_fit_suits_by_globs(model: str, workload: str, suits: bool) -> None:
    assert read(TREE).fits[0].suits(model, workload) is suits
