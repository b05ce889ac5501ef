"""What is thought of an answer while it is written, and what follows from that."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.confidence.calibration import Calibration, Curve, Feature, Fit
from app.confidence.judge import Judge
from app.domain.backend import Capability
from app.domain.confidence import Attempt, Confidence, Forwarding, Judging
from app.domain.decision import Route
from app.relay.doubt import Doubt, Draft
from tests.app.builders import candidate, delta, event, job, lane

CURVE = Curve((-4.0, 0.0), (0.0, 1.0))
JUDGE = Judge(
    Calibration(
        (
            Fit("whole", {"logprob_mean": Feature(1.0, 0.0, 1.0)}, 0.0, CURVE),
            Fit("begun", {"group_min": Feature(1.0, 0.0, 1.0)}, 0.0, CURVE, beginnings=True),
        )
    ),
    0.8,
)
WATCHED = Forwarding(min_confidence=0.7)
#: Right with one eighth: under a quarter of what is wanted.
LOST = -3.5


def route(name: str = "eco", model: str = "small") -> Route:
    return Route(candidate(name, model), (), 0.0)


def doubting(policy: Forwarding = WATCHED, *, strips: bool = False, **facts: Any) -> Doubt:
    doubt = Doubt(policy, JUDGE, job(**facts), [])
    doubt.asks = strips
    doubt.listen(route())
    return doubt


def word(logprob: float | None, text: str = " a") -> bytes:
    told = None if logprob is None else {"content": [{"token": text, "logprob": logprob, "top_logprobs": []}]}
    return event({"index": 0, "delta": {"content": text}, "logprobs": told, "finish_reason": None})


def hear(doubt: Doubt, *logprobs: float | None) -> list[int]:
    """After how many tokens doubt was seen to have risen."""
    risen = []
    for place, logprob in enumerate(logprobs, start=1):
        doubt.hear(word(logprob))
        if doubt.risen:
            risen.append(place)
            doubt.risen = False
    return risen


# --- looking


@given(st.integers(1, 24))
def test_the_first_look_is_when_the_held_tokens_are_there(hold_tokens: int) -> None:
    doubt = doubting(Forwarding(min_confidence=0.7, hold_tokens=hold_tokens))

    assert hear(doubt, *[LOST] * 40)[0] == hold_tokens


def test_then_it_looks_whenever_so_many_more_have_come_but_not_more_often_than_at_every_eighth_token() -> None:
    assert hear(doubting(Forwarding(min_confidence=0.7, hold_tokens=5)), *[LOST] * 30) == [5, 13, 21, 29]
    assert hear(doubting(Forwarding(min_confidence=0.7, hold_tokens=12)), *[LOST] * 40) == [12, 24, 36]


def test_without_another_wish_the_first_look_is_at_the_sixteenth_token() -> None:
    assert hear(doubting(), *[LOST] * 50) == [16, 32, 48]


@pytest.mark.parametrize("logprob", [-1.3, -2.0, -3.0, -3.2])
def test_an_answer_that_may_still_become_good_enough_is_not_broken_off_but_doubted_at_its_end(logprob: float) -> None:
    doubt = doubting()

    assert hear(doubt, *[logprob] * 40) == []
    attempt = doubt.conclude()
    assert (attempt.result, attempt.tokens) == ("doubted", 40)


@given(st.floats(0.01, 1.0), st.floats(0.0, 1.0))
def test_a_running_answer_is_broken_off_under_a_quarter_of_what_is_wanted_and_a_whole_one_doubted_under_all_of_it(
    least: float, probability: float
) -> None:
    assume(min(abs(probability - least / 4), abs(probability - least)) > 1e-6)
    doubt = doubting(Forwarding(min_confidence=least))
    broken_off = hear(doubt, *[4 * (probability - 1)] * 16)

    assert broken_off == ([16] if probability < least / 4 else [])
    assert doubt.conclude().result == ("doubted" if probability < least else "accepted")


def test_a_later_collapse_is_seen_at_the_next_look() -> None:
    assert hear(doubting(), *[-0.1] * 16, *[-9.0] * 32) == [32, 48]


def test_a_good_answer_raises_none() -> None:
    assert hear(doubting(), *[-0.1] * 100) == []


@pytest.mark.parametrize("policy", [Forwarding(), Forwarding(min_confidence=0.7, max_retries=0)])
def test_where_nothing_can_follow_nobody_looks(policy: Forwarding) -> None:
    assert hear(doubting(policy), *[-9.0] * 100) == []


def test_no_more_models_are_asked_than_may_be() -> None:
    doubt = doubting(Forwarding(min_confidence=0.7, max_retries=2))
    allowed = []
    for forwarded in range(4):
        doubt.forwarded = forwarded
        allowed.append(doubt.may_retry)

    assert allowed == [True, True, False, False]


# --- asking


@pytest.mark.parametrize(
    ("capability", "wish"),
    [(Capability.CHAT, {"logprobs": True, "top_logprobs": 5}), (Capability.COMPLETE, {"logprobs": 5})],
)
def test_log_probabilities_are_wished_for_in_the_words_of_the_endpoint(
    capability: Capability, wish: dict[str, Any]
) -> None:
    (box, _), asked = lane(), job(capability)
    doubt = doubting()

    placed = doubt.ask(asked, box)

    assert placed.body == {**asked.body, **wish}
    assert doubt.asks is True
    assert "logprobs" not in asked.body


@pytest.mark.parametrize(
    ("capability", "told"),
    [
        (Capability.CHAT, {"logprobs": True}),
        (Capability.CHAT, {"logprobs": True, "top_logprobs": 2}),
        (Capability.COMPLETE, {"logprobs": 1}),
    ],
)
def test_who_asked_already_gets_what_was_asked_for(capability: Capability, told: dict[str, Any]) -> None:
    (box, _), asked = lane(), job(capability, body={"messages": [], **told})
    doubt = doubting()

    assert doubt.ask(asked, box) is asked
    assert doubt.asks is False


def test_a_model_that_refuses_to_tell_is_not_asked_to_and_others_are() -> None:
    box, _ = lane()
    box.silent.add("small")
    doubt = doubting()

    assert "logprobs" not in doubt.ask(job(), box).body
    assert doubt.asks is False
    assert "logprobs" in doubt.ask(job(model="large"), box).body


def test_a_backend_that_can_not_tell_is_not_asked_to() -> None:
    box, _ = lane()
    box.profile.honours[Capability.CHAT] -= {"logprobs"}  # type: ignore[index]
    asked = job()

    assert doubting().ask(asked, box) is asked


def test_nothing_is_wished_for_where_that_is_not_wanted() -> None:
    (box, _), asked, doubt = lane(), job(), doubting()

    assert doubt.ask(asked, box, wish=False) is asked
    assert doubt.asks is False


# --- judging


def test_an_answer_that_is_heard_to_its_end_is_accepted_or_doubted() -> None:
    for logprob, result in ((-0.4, "accepted"), (-2.0, "doubted")):
        doubt = doubting()
        hear(doubt, logprob, logprob)
        attempt = doubt.conclude()

        assert (attempt.backend, attempt.model, attempt.tokens, attempt.result) == ("eco", "small", 2, result)
        assert attempt.confidence is not None
        assert attempt.confidence.probability == pytest.approx(1 + logprob / 4)
        assert doubt.attempts == [attempt]


def test_without_a_least_confidence_nothing_is_doubted() -> None:
    doubt = doubting(Forwarding())
    hear(doubt, -9.0)

    assert doubt.conclude().result == "accepted"


def test_an_answer_that_is_given_up_is_doubted_whatever_its_end_might_have_been() -> None:
    doubt = doubting()
    hear(doubt, *[-3.0] * 8)
    attempt = doubt.give_up()

    assert (attempt.result, attempt.tokens) == ("doubted", 8)
    assert doubt.why(attempt) == "right with a probability of 0.25, and 0.7 is wanted"


def test_another_model_is_another_attempt_and_the_same_one_elsewhere_is_not() -> None:
    doubt = doubting()
    hear(doubt, -3.0, -3.0)
    doubt.listen(route("other"))
    hear(doubt, -0.1)
    assert (doubt.ear.count, doubt.model) == (3, "small")

    doubt.listen(route("max", "large"))
    assert (doubt.ear.count, doubt.model) == (0, "large")


def test_what_is_stripped_is_up_to_who_asked() -> None:
    strict, open_handed = doubting(strips=True), doubting()

    assert b"logprob" not in strict.hear(word(-0.1))
    assert open_handed.hear(word(-0.1)) == word(-0.1)


@pytest.mark.parametrize(
    ("probabilities", "best"),
    [
        ((0.2, 0.6, None, 0.5), 1),
        ((0.7, 0.6, 0.65), 0),
        ((0.2, 0.3, 0.6), 2),
        ((0.2, 0.6, None, 0.6), 3),  # as likely: the larger model's
        ((0.6, 0.6, 0.1), 1),
        ((None, None), 1),
    ],
)
def test_the_best_draft_is_the_one_that_is_most_likely_right_and_of_equals_the_last(
    probabilities: tuple[float | None, ...], best: int
) -> None:
    doubt = doubting()
    for name, probability in zip("abcd", probabilities, strict=False):
        confidence = None if probability is None else Confidence(probability, "any")
        attempt = Attempt(name, "small", confidence, 1, "doubted")
        doubt.drafts.append(Draft(delta(name), None, route(name), attempt))

    found = doubt.best_draft()

    assert found.route.backend == "abcd"[best]
    results = [draft.attempt.result for draft in doubt.drafts]
    assert results == ["best" if place == best else "doubted" for place in range(len(probabilities))]
    assert doubt.settled


def test_nobody_is_judged_who_was_not_heard() -> None:
    with pytest.raises(RuntimeError):
        Doubt(WATCHED, JUDGE, job(), []).conclude()


@pytest.mark.parametrize(
    ("stream", "mode", "least", "holds", "withholds"),
    [
        (False, Judging.HOLD, 0.7, False, True),
        (False, Judging.WATCH, None, False, True),
        (True, Judging.HOLD, 0.7, True, False),
        (True, Judging.WATCH, 0.7, False, False),
        (True, Judging.BUFFER, 0.7, False, True),
        (True, Judging.HOLD, None, False, False),
        (True, Judging.BUFFER, None, False, False),
    ],
)
def test_what_is_kept_from_the_client_is_up_to_the_mode(
    stream: bool, mode: Judging, least: float | None, holds: bool, withholds: bool
) -> None:
    doubt = doubting(Forwarding(min_confidence=least, mode=mode), stream=stream)

    assert (doubt.holds, doubt.withholds) == (holds, withholds)


def test_a_hundred_thousand_tokens_are_watched_without_growing_slower() -> None:
    doubt = doubting()
    block = word(-0.1)
    for _ in range(100_000):
        doubt.hear(block)

    assert doubt.conclude().tokens == 100_000
