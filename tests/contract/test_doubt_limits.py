"""How far a doubted answer may go: how often, to whom, how warm, for how much; and what its client gets anyway."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.contract.doubt import (
    ALSO_TRUE,
    FAIR,
    FALSE,
    HALF,
    LIKELY,
    LITTLE,
    MODELS,
    SURE,
    UNLIKELY,
    UNSURE,
    WATCHED,
    Doubting,
    Heard,
    doubting,
)
from tests.contract.handoff import turns
from tests.contract.house import CRITICAL, WARM
from tests.fakes.answers import RESET
from tests.routers.running import CHAT, Streamed, error_of, until

pytestmark = pytest.mark.anyio

#: Too short to be doubted before it is complete: a draft, then.
SHORT = FALSE[:5]
EVERYBODY = ("tiny", "big", "huge")
ways = pytest.mark.parametrize(
    ("stream", "mode"), [(False, "hold"), (True, "hold"), (True, "buffer")], ids=["whole", "hold", "buffer"]
)


def drafts(home: Doubting, **sure: float) -> None:
    """Each of these says something short, and is so sure of it."""
    for name, logprob in sure.items():
        home.servers[name].words, home.servers[name].sure = (name, *SHORT), [logprob]


def assert_draft(got: Heard, name: str) -> None:
    got.assert_says((name, *SHORT), MODELS[name])


# --- attempts


@ways
@pytest.mark.parametrize(
    ("max_retries", "results"),
    [
        (0, [("tiny", "best")]),
        (1, [("tiny", "doubted"), ("big", "best")]),
        (2, [("tiny", "doubted"), ("big", "doubted"), ("huge", "accepted")]),
        (9, [("tiny", "doubted"), ("big", "doubted"), ("huge", "accepted")]),
    ],
)
async def test_no_more_is_tried_than_may_be(
    max_retries: int, results: list[tuple[str, str]], stream: bool, mode: str, tmp_path: Path
) -> None:
    policy = {**WATCHED, "mode": mode, "max_retries": max_retries}
    async with doubting(tmp_path, *EVERYBODY, policy=policy) as home:
        drafts(home, tiny=UNSURE, big=FAIR)
        got = await home.get(stream=stream)

        assert home.busy() == 0
    assert got.results == results
    assert sum(home.asked_to_write()) == len(results)
    if results[-1][1] == "accepted":
        got.assert_is("huge")
    else:
        assert_draft(got, results[-1][0])
    assert got.headers["x-attempts"] == str(len(results)) or (stream and mode == "hold")


async def test_a_backend_that_was_passed_over_is_no_attempt(tmp_path: Path) -> None:
    async with doubting(tmp_path, *EVERYBODY, policy={**WATCHED, "max_retries": 1}) as home:
        home.servers["big"].rejecting = True
        got = await home.get()

    got.assert_is("huge")
    assert got.results == [("tiny", "doubted"), ("huge", "accepted")]


async def test_a_request_may_ask_for_other_attempts(tmp_path: Path) -> None:
    async with doubting(tmp_path, *EVERYBODY) as home:
        got = await home.get(headers={"X-Max-Retries": "0"})

        assert home.asked_to_write() == [1, 0, 0]
    assert got.results == [("tiny", "best")]


# --- whom


async def test_without_a_path_the_smallest_of_the_larger_ones_is_asked_first(tmp_path: Path) -> None:
    async with doubting(tmp_path, *EVERYBODY) as home:
        home.servers["big"].sure = [UNSURE]
        got = await home.get()

    got.assert_is("huge")
    assert [name for name, _ in got.results] == ["tiny", "big", "huge"]


async def test_without_a_path_nobody_smaller_is_asked(tmp_path: Path) -> None:
    async with doubting(tmp_path, *EVERYBODY, routing={"aliases": {"fast": ["big*", "tiny*", "huge*"]}}) as home:
        home.servers["big"].sure, home.servers["huge"].sure = [UNSURE], [UNSURE]
        got = await home.get()

    assert [name for name, _ in got.results] == ["big", "huge"]


async def test_where_names_tell_no_size_the_tier_does(tmp_path: Path) -> None:
    async with doubting(tmp_path, routing={"aliases": {"fast": ["*"]}}) as home:
        names = {"tiny": "ada", "big": "eve"}
        for name, model in names.items():
            home.servers[name].model = model
            lane = home.gateway.gateway.lanes[name]
            lane.found(await lane.backend.probe())
        got = await home.get()

    assert [each["model"] for each in got.attempts] == ["ada", "eve"]


@pytest.mark.parametrize(
    ("path", "order"),
    [
        (["huge-70b", "big-8b"], ["tiny", "huge", "big"]),
        (["big-8b", "huge-70b"], ["tiny", "big", "huge"]),
        (["best", "big-8b"], ["tiny", "huge", "big"]),
        (["tiny-1b", "huge-70b"], ["tiny", "huge"]),
        (["nobody", "huge-70b"], ["tiny", "huge"]),
        (["big-8b", "big-8b", "best"], ["tiny", "big", "huge"]),
        (["nobody"], ["tiny"]),
    ],
)
@pytest.mark.parametrize("asked_by", ["policy", "header"])
async def test_a_path_says_who_is_asked_and_in_which_order(
    path: list[str], order: list[str], asked_by: str, tmp_path: Path
) -> None:
    policy = {**WATCHED, "escalation_path": path} if asked_by == "policy" else WATCHED
    headers = {"X-Escalation-Path": ", ".join(path)} if asked_by == "header" else {}
    aliases = {"fast": list(MODELS.values()), "best": ["huge*"]}
    async with doubting(tmp_path, *EVERYBODY, policy=policy, routing={"aliases": aliases}) as home:
        for server in home.servers.values():
            server.sure = [UNSURE]
        got = await home.get(headers=headers)

    assert [name for name, _ in got.results] == order


async def test_no_model_is_asked_twice_wherever_it_is(tmp_path: Path) -> None:
    async with doubting(tmp_path, *EVERYBODY, policy={**WATCHED, "escalation_path": ["big-8b", "fast"]}) as home:
        lane, server = home.gateway.gateway.lanes["huge"], home.servers["huge"]
        server.model = MODELS["big"]
        lane.found(await lane.backend.probe())
        home.servers["big"].sure = server.sure = [UNSURE]
        got = await home.get()

        assert sum(home.asked_to_write("big", "huge")) == 1
    assert [each["model"] for each in got.attempts] == ["tiny-1b", "big-8b"]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_request_for_one_backend_stays_there(stream: bool, tmp_path: Path) -> None:
    async with doubting(tmp_path) as home:
        got = await home.get(stream=stream, headers={"X-Target-Backend": "tiny"})

        assert home.asked_to_write() == [1, 0]
    got.assert_is("tiny")
    assert got.results == [("tiny", "best")]


async def test_a_key_may_ask_for_no_path_to_models_that_it_may_not_use(tmp_path: Path) -> None:
    keys = {"api_keys": [{"name": "ada", "key": "sk-ada-secret", "models": ["fast", "big-*"]}]}
    admin = {"admin_keys": [{"name": "boss", "key": "sk-boss-secret"}]}
    ada = {"authorization": "Bearer sk-ada-secret"}
    async with doubting(tmp_path, *EVERYBODY, server={**keys, **admin}) as home:
        refused = await home.ask(headers={**ada, "X-Escalation-Path": "big-8b, huge-70b"}, model="fast")
        allowed = await home.ask(headers={**ada, "X-Escalation-Path": "big-8b"}, model="fast")

        assert home.asked_to_write() == [1, 1, 0]
    assert error_of(refused, 403)["type"] == "permission_error"
    assert allowed.headers["x-backend-used"] == "big"


# --- heat


@ways
@pytest.mark.parametrize(
    ("celsius", "respected", "answers"),
    [
        (40, True, "big"),
        (WARM, True, "tiny"),
        (WARM, False, "big"),
        (CRITICAL, True, "tiny"),
        (CRITICAL, False, "tiny"),
    ],
)
async def test_a_warm_backend_gets_no_doubted_answer_unless_that_does_not_matter(
    celsius: float, respected: bool, answers: str, stream: bool, mode: str, tmp_path: Path
) -> None:
    policy = {**WATCHED, "mode": mode, "respect_thermal_limits": respected}
    async with doubting(tmp_path, policy=policy, zoned=["big"]) as home:
        await home.put("big", celsius=celsius)
        home.tick()
        got = await home.get(stream=stream)

        assert home.busy() == 0
    got.assert_is(answers)


@pytest.mark.parametrize(("respected", "answers"), [(True, "tiny"), (False, "big")])
async def test_a_limit_of_the_mode_may_be_of_no_matter(respected: bool, answers: str, tmp_path: Path) -> None:
    policy = {**WATCHED, "respect_thermal_limits": respected}
    loud = {"modes": {"balanced": {"max_celsius": 60}}, "aliases": {"fast": list(MODELS.values())}}
    async with doubting(tmp_path, policy=policy, zoned=["big"], routing=loud) as home:
        await home.put("big", celsius=65)
        home.tick()
        got = await home.get()

    got.assert_is(answers)


@pytest.mark.parametrize("max_moves", [1, 4])
async def test_heat_and_doubt_move_the_same_answer(max_moves: int, tmp_path: Path) -> None:
    """It collapses and goes to the larger model; there it becomes too hot, and the largest goes on."""
    gate = asyncio.Event()
    words = ("One", " two", " three", " four", " five", " six", " seven", ".", *(f" so{each}" for each in range(60)))
    policy = {**WATCHED, "mode": "watch"}
    handoff = {"max_moves": max_moves, "max_wait_seconds": 0}
    async with doubting(tmp_path, *EVERYBODY, policy=policy, zoned=EVERYBODY, handoff=handoff) as home:
        tiny, big, huge = (home.servers[name] for name in EVERYBODY)
        tiny.words, tiny.sure = words, [SURE] * 8 + [-8.0]
        big.rest, huge.rest = [f" {each}" for each in range(40)], (" The", " end", ".")
        big.gates = {20: gate}
        asking = asyncio.create_task(home.ask(model="fast", stream=True))
        await until(lambda: len(big.asked_to_write) == 1)
        await turns(100)
        await home.put("big", celsius=99)
        home.tick()
        await turns(100)
        gate.set()
        streamed = Streamed(await asking)
        record = await home.record(streamed.response)

        assert home.busy() == 0
    reasons = [move["reason"] for move in record["handoffs"]]
    assert reasons == ["doubt", "heat"][:max_moves]
    if max_moves > 1:
        assert streamed.error is None
        assert streamed.text.endswith(" 18 19 20 The end.")
        assert [move["to"] for move in record["handoffs"]] == ["big", "huge"]
        assert streamed.finish_reasons == ["stop"]


# --- the best of several, or none


@ways
@pytest.mark.parametrize(
    ("sure", "best", "confidence"),
    [
        ({"tiny": FAIR, "big": UNSURE, "huge": UNSURE}, "tiny", HALF),
        ({"tiny": UNSURE, "big": FAIR, "huge": UNSURE}, "big", HALF),
        ({"tiny": UNSURE, "big": UNSURE, "huge": FAIR}, "huge", HALF),
        ({"tiny": UNSURE, "big": UNSURE, "huge": UNSURE}, "huge", UNLIKELY),
        ({"tiny": FAIR, "big": FAIR, "huge": UNSURE}, "big", HALF),
    ],
)
async def test_the_best_of_several_is_the_answer_where_none_is_good_enough(
    sure: dict[str, float], best: str, confidence: float, stream: bool, mode: str, tmp_path: Path
) -> None:
    async with doubting(tmp_path, *EVERYBODY, policy={**WATCHED, "mode": mode}) as home:
        drafts(home, **sure)
        got = await home.get(stream=stream)

        assert home.busy() == 0
    assert_draft(got, best)
    assert got.logprobs == []
    assert got.headers["x-backend-used"] == best
    assert got.headers["x-attempts"] == "3"
    assert float(got.headers["x-confidence"]) == pytest.approx(confidence)
    assert sorted(result for _, result in got.results) == ["best", "doubted", "doubted"]
    assert (best, "best") in got.results
    assert (got.record["outcome"], got.record["backend"], got.record["model"]) == ("completed", best, MODELS[best])


@ways
async def test_none_may_be_better_than_the_best(stream: bool, mode: str, tmp_path: Path) -> None:
    policy = {**WATCHED, "mode": mode, "return_best_attempt": False}
    async with doubting(tmp_path, policy=policy) as home:
        drafts(home, tiny=UNSURE, big=FAIR)
        response = await home.ask(model="fast", stream=stream)
        record = await home.record(response)

        assert home.busy() == 0
    error = error_of(response, 422)
    assert (error["type"], error["code"], error["param"]) == (
        "low_confidence_error",
        "low_confidence",
        "X-Min-Confidence",
    )
    assert (
        error["message"] == "The best answer is right with a probability of 0.60, less than the 0.7 that was asked for."
    )
    assert (record["outcome"], record["error"]) == ("failed", error["message"])
    assert [each["backend"] for each in record["answers"]] == ["tiny", "big"]


@ways
async def test_a_good_answer_is_not_refused(stream: bool, mode: str, tmp_path: Path) -> None:
    policy = {**WATCHED, "mode": mode, "return_best_attempt": False}
    async with doubting(tmp_path, policy=policy) as home:
        (await home.get(stream=stream)).assert_is("big")


@ways
async def test_a_request_may_rather_have_none(stream: bool, mode: str, tmp_path: Path) -> None:
    async with doubting(tmp_path, "tiny", policy={**WATCHED, "mode": mode}) as home:
        drafts(home, tiny=UNSURE)
        refused = await home.ask(model="fast", stream=stream, headers={"X-Return-Best-Attempt": "false"})
        best = await home.get(stream=stream)

    assert error_of(refused, 422)["code"] == "low_confidence"
    assert_draft(best, "tiny")


# --- the larger one fails


@ways
@pytest.mark.parametrize("failure", ["down", "rejects", "breaks off at once", "breaks off", "breaks off late"])
@pytest.mark.parametrize("early", [True, False], ids=["doubted early", "doubted at its end"])
async def test_the_small_models_answer_is_better_than_none(
    early: bool, failure: str, stream: bool, mode: str, tmp_path: Path
) -> None:
    handoff = {"max_wait_seconds": 0}
    async with doubting(tmp_path, policy={**WATCHED, "mode": mode}, handoff=handoff) as home:
        tiny, big = home.servers["tiny"], home.servers["big"]
        tiny.words = words = FALSE if early else SHORT
        if failure == "down":
            big.refuse()
        big.rejecting = failure == "rejects"
        breaks = {"breaks off at once": -1, "breaks off": 3, "breaks off late": 12}
        big.faults.extend([(breaks[failure], RESET)] * 99 if failure in breaks else [])
        got = await home.get(stream=stream)

        assert home.busy() == 0
        assert not home.gateway.gateway.relay.mover.courses
    if got.model == "tiny-1b":
        got.assert_says(words, "tiny-1b")
    assert got.record["outcome"] == "completed"
    assert got.finish_reasons == ["stop"]


@ways
async def test_a_draft_is_the_answer_when_the_larger_model_is_not_there(
    stream: bool, mode: str, tmp_path: Path
) -> None:
    async with doubting(tmp_path, policy={**WATCHED, "mode": mode}) as home:
        drafts(home, tiny=UNSURE)
        home.servers["big"].refuse()
        got = await home.get(stream=stream)
        counted = await home.counted("isotherm_forwardings_total", source="tiny", target="big", result="refused")

    assert_draft(got, "tiny")
    assert got.results == [("tiny", "best")]
    assert counted == 1


@pytest.mark.parametrize("stream", [True, False])
async def test_a_draft_waits_in_line_for_the_larger_model(stream: bool, tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with doubting(tmp_path, more={"big": {"concurrency": 1}}, policy={**WATCHED, "mode": "buffer"}) as home:
        drafts(home, tiny=UNSURE)
        home.servers["big"].gates = {0: gate}
        other = asyncio.create_task(home.ask(model=MODELS["big"]))
        await until(lambda: home.gateway.gateway.lanes["big"].busy == 1)
        asking = asyncio.create_task(home.get(stream=stream))
        await until(lambda: home.gateway.gateway.lanes["big"].waiting() == 1)
        gate.set()
        got = await asking
        await other

        assert home.busy() == 0
    got.assert_is("big")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("limits", [{"concurrency": 1, "queue": 0}, {"concurrency": 1, "queue": 8}])
async def test_a_draft_is_the_answer_when_there_is_no_place_in_time(
    limits: dict[str, int], stream: bool, tmp_path: Path
) -> None:
    gate, handoff = asyncio.Event(), {"max_wait_seconds": 0.02}
    policy = {**WATCHED, "mode": "buffer"}
    async with doubting(tmp_path, more={"big": limits}, policy=policy, handoff=handoff) as home:
        drafts(home, tiny=UNSURE)
        home.servers["big"].gates = {0: gate}
        other = asyncio.create_task(home.ask(model=MODELS["big"]))
        await until(lambda: home.gateway.gateway.lanes["big"].busy == 1)
        got = await home.get(stream=stream)
        gate.set()
        await other

        assert home.busy() == 0
        assert home.gateway.gateway.lanes["big"].waiting() == 0
    assert_draft(got, "tiny")


async def test_of_two_larger_models_the_one_with_a_place_is_asked(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with doubting(tmp_path, *EVERYBODY, more={"big": {"concurrency": 1}}) as home:
        home.servers["big"].gates = {0: gate}
        other = asyncio.create_task(home.ask(model=MODELS["big"]))
        await until(lambda: home.gateway.gateway.lanes["big"].busy == 1)
        early = await home.get()
        drafts(home, tiny=UNSURE)
        late = await home.get()
        gate.set()
        await other

    early.assert_says(ALSO_TRUE, MODELS["huge"])
    late.assert_says(ALSO_TRUE, MODELS["huge"])


# --- budgets

#: Fourteen hundred tokens at the price of a million make an answer of one thousandth, roughly.
PRICED: dict[str, Any] = {"price": {"prompt": 0, "completion": 100}}


@ways
@pytest.mark.parametrize(
    ("budget", "answers"), [(None, "big"), (0.01, "big"), (0.009, "tiny")], ids=["none", "enough", "too little"]
)
async def test_a_budget_of_money_is_kept(
    budget: float | None, answers: str, stream: bool, mode: str, tmp_path: Path
) -> None:
    policy = {**WATCHED, "mode": mode, "max_cost": budget}
    async with doubting(tmp_path, policy=policy, more={"big": PRICED}) as home:
        got = await home.get(stream=stream, max_tokens=100)

    got.assert_is(answers)


async def test_all_further_attempts_share_a_budget(tmp_path: Path) -> None:
    policy = {**WATCHED, "max_cost": 0.015}
    async with doubting(tmp_path, *EVERYBODY, policy=policy, more={"big": PRICED, "huge": PRICED}) as home:
        drafts(home, big=UNSURE)
        got = await home.get(max_tokens=100)

        assert home.asked_to_write() == [1, 1, 0]
    assert_draft(got, "big")


async def test_what_nobody_knows_is_not_within_a_budget(tmp_path: Path) -> None:
    cloud = {"big": {"hardware": "cloud"}}
    async with doubting(tmp_path, policy={**WATCHED, "max_cost": 1000}, more=cloud) as home:
        unpriced = await home.get(max_tokens=100)
    async with doubting(tmp_path, policy={**WATCHED, "max_cost": 1000}, more={"big": PRICED}) as home:
        endless = await home.get()
    async with doubting(tmp_path, policy={**WATCHED, "max_joules": 1e9}) as home:
        unmetered = await home.get(max_tokens=100)

    for got in (unpriced, endless, unmetered):
        got.assert_is("tiny")


async def test_what_is_at_home_costs_no_money(tmp_path: Path) -> None:
    async with doubting(tmp_path, policy={**WATCHED, "max_cost": 0.0001}) as home:
        (await home.get()).assert_is("big")


@pytest.mark.parametrize(("joules", "answers"), [(1201, "big"), (1199, "tiny")])
async def test_a_budget_of_energy_is_kept_by_what_is_known_of_the_larger_model(
    joules: float, answers: str, tmp_path: Path
) -> None:
    async with doubting(tmp_path, policy={**WATCHED, "max_joules": joules}, more={"big": {"watts": 60}}) as home:
        lane = home.gateway.gateway.lanes["big"]
        lane.began(MODELS["big"], 0.0)
        lane.ended(MODELS["big"], 99.0, 100, 99.0)  # a token a second; of a hundred tokens, then
        lane.cost(MODELS["big"], 1200.0, 100, 99.0)
        got = await home.get(max_tokens=100)

    got.assert_is(answers)


@pytest.mark.parametrize(
    ("configured", "asked", "answers"),
    [(1.0, 0.005, "tiny"), (0.005, 1.0, "tiny"), (None, 0.005, "tiny"), (1.0, 0.02, "big"), (None, 0.02, "big")],
)
async def test_a_request_can_only_lower_a_budget(
    configured: float | None, asked: float, answers: str, tmp_path: Path
) -> None:
    policy = {**WATCHED, "max_cost": configured}
    async with doubting(tmp_path, policy=policy, more={"big": PRICED}) as home:
        got = await home.get(headers={"X-Max-Cost": str(asked)}, max_tokens=100)

    got.assert_is(answers)


def test_the_figures_of_these_tests_are_what_their_names_say() -> None:
    least = WATCHED["min_confidence"]
    assert 0 < UNLIKELY < least / 4 < LITTLE < HALF < least < LIKELY
    assert CHAT.endswith("/chat/completions")
