"""The last decisions, and what became of them."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from app.domain.confidence import Attempt, Confidence, Opinion
from app.domain.decision import Decision, Precedence, Route, Verdict
from app.domain.handoff import Continuation, Handoff, Reason
from app.domain.job import Priority, Workload
from app.telemetry.decisions import Decisions, Record
from app.telemetry.energy import Energy
from tests.app.builders import USAGE, candidate, job


def record(request_id: str = "request-1", started: float = 10.0) -> Record:
    return Record(job(request_id=request_id, model="auto", stream=True, key_name="ada"), started)


def kept(decisions: Decisions) -> list[str]:
    return [each.describe()["request_id"] for each in decisions.newest()]


def test_a_job_that_runs_is_told_with_what_is_known_of_it() -> None:
    told = record().describe()

    assert told["created"] > 1_700_000_000
    assert {**told, "created": 0} == {
        "request_id": "request-1",
        "created": 0,
        "endpoint": "chat",
        "model_asked": "auto",
        "key": "ada",
        "stream": True,
        "workload": "text",
        "priority": "normal",
        "background": False,
        "mode": None,
        "relaxed": None,
        "queue": None,
        "outcome": "running",
        "error": None,
        "backend": None,
        "model": None,
        "first_chunk_seconds": None,
        "seconds": None,
        "usage": None,
        "energy": None,
        "failed_attempts": [],
        "answers": [],
        "handoffs": [],
        "routes": [],
        "rejected": [],
    }


def test_a_job_that_ended_is_told_with_its_whole_story_as_json() -> None:
    one = record()
    chosen = Route(candidate("eco"), (Verdict("prefer-tier", "tier 1", penalty=1.0),), 1.00049)
    barred = Route(candidate("ill"), (Verdict("healthy", "can't be reached", reject=True),), 0.0)
    one.decision = Decision((chosen,), (barred,))
    one.attempts.append(("max", "backend 'max' is busy"))
    one.backend, one.model, one.first_chunk_seconds, one.usage = "eco", "small", 0.123456, USAGE
    one.end("completed", 12.5)

    told = orjson.loads(orjson.dumps(one.describe()))

    assert (told["outcome"], told["seconds"], told["error"]) == ("completed", 2.5, None)
    assert (told["backend"], told["model"], told["first_chunk_seconds"]) == ("eco", "small", 0.1235)
    assert told["usage"] == USAGE
    assert told["failed_attempts"] == [{"backend": "max", "reason": "backend 'max' is busy"}]
    assert told["routes"] == [
        {
            "backend": "eco",
            "model": "small",
            "penalty": 1.0,
            "verdicts": [{"rule": "prefer-tier", "reason": "tier 1", "penalty": 1.0, "reject": False}],
        }
    ]
    assert told["rejected"][0]["verdicts"][0]["reject"] is True


def test_what_the_job_is_and_what_gave_way_for_it_is_told_in_words() -> None:
    one = Record(job(workload=Workload.CODE, priority=Priority.BEST_EFFORT, background=True), 0.0)
    one.decision = Decision((), (), "quiet", Precedence.MODE)

    told = orjson.loads(orjson.dumps(one.describe()))

    expected = {"workload": "code", "priority": "best-effort", "background": True, "mode": "quiet", "relaxed": "mode"}
    assert {key: told[key] for key in expected} == expected


def test_a_line_is_told_with_what_was_expected_of_it_and_how_it_was() -> None:
    one = record()
    one.line, one.waited_seconds = (3, None), 1.23456

    assert one.describe()["queue"] == {"ahead": 3, "estimated_wait_seconds": None, "waited_seconds": 1.2346}


def test_a_handoff_is_told_from_its_beginning_to_its_end() -> None:
    one, move = record(), Handoff(Reason.HEAT, "zone 'card' is critical", "gpu")
    one.handoffs.append(move)
    begun = orjson.loads(orjson.dumps(one.describe()))["handoffs"]
    move.target, move.continuation, move.prepared, move.result = "cpu", Continuation.KV, True, "completed"
    move.at_tokens, move.at_chars, move.stall_seconds, move.cache_reused_tokens = 40, 163, 0.0412567, 52
    ended = orjson.loads(orjson.dumps(one.describe()))["handoffs"]

    assert begun == [
        {
            "reason": "heat",
            "why": "zone 'card' is critical",
            "from": "gpu",
            "to": None,
            "continuation": None,
            "at_tokens": 0,
            "at_chars": 0,
            "prepared": False,
            "stall_ms": None,
            "cache_reused_tokens": None,
            "result": "running",
        }
    ]
    assert ended == [
        {
            **begun[0],
            "to": "cpu",
            "continuation": "kv",
            "at_tokens": 40,
            "at_chars": 163,
            "prepared": True,
            "stall_ms": 41.3,
            "cache_reused_tokens": 52,
            "result": "completed",
        }
    ]


def test_every_answer_is_told_with_what_spoke_for_and_against_it() -> None:
    one = record()
    doubted = Confidence(0.123456, "any", {"logprob_mean": -1.234567, "loop": 1.0}, ("2 tokens were not told",))
    asked = Opinion("sample", "eco", "small", 9, 1.23456)
    one.judged.append(Attempt("eco", "small", doubted, 12, "doubted", (asked,)))
    one.judged.append(Attempt("max", "large"))

    assert orjson.loads(orjson.dumps(one.describe()))["answers"] == [
        {
            "backend": "eco",
            "model": "small",
            "result": "doubted",
            "tokens": 12,
            "opinions": [{"kind": "sample", "backend": "eco", "model": "small", "tokens": 9, "seconds": 1.2346}],
            "confidence": 0.1235,
            "by": "any",
            "signals": {"logprob_mean": -1.2346, "loop": 1.0},
            "notes": ["2 tokens were not told"],
        },
        {
            "backend": "max",
            "model": "large",
            "result": "unjudged",
            "tokens": 0,
            "opinions": [],
            "confidence": None,
            "by": None,
            "signals": {},
            "notes": [],
        },
    ]


def test_energy_is_told_with_its_error_and_where_it_comes_from_and_unknown_is_null() -> None:
    one = record()
    one.energy = Energy("measured", 12.34567, 0.5, 2.0)
    assert one.describe()["energy"] == {"joules": 12.3457, "error_joules": 0.5, "source": "measured"}

    one.energy = Energy("unknown", seconds=2.0)
    assert one.describe()["energy"] == {"joules": None, "error_joules": None, "source": "unknown"}


def test_nothing_of_what_was_said_is_kept() -> None:
    secret = job(body={"messages": [{"role": "user", "content": "my password"}]})

    assert "my password" not in str(Record(secret, 0.0).describe())


def test_the_first_outcome_stands() -> None:
    one = record()

    one.end("broken", 11.0, "stalled")
    one.end("left", 99.0)

    assert (one.outcome, one.error, one.seconds) == ("broken", "stalled", 1.0)


def test_a_decision_is_found_by_its_request_id() -> None:
    decisions, one = Decisions(10), record("one")
    decisions.add(one)

    assert decisions.find("one") is one
    assert decisions.find("two") is None


def test_the_newest_comes_first_and_the_oldest_is_forgotten() -> None:
    decisions = Decisions(3)
    for name in "abcde":
        decisions.add(record(name))

    assert kept(decisions) == ["e", "d", "c"]
    assert decisions.find("a") is None


def test_one_that_repeats_a_request_id_takes_the_older_ones_place() -> None:
    decisions = Decisions(3)
    for name in "abca":
        decisions.add(record(name))
    decisions.add(record("d"))

    assert kept(decisions) == ["d", "a", "c"]


def test_a_smaller_limit_forgets_the_oldest_at_once_and_a_larger_one_forgets_nothing() -> None:
    decisions = Decisions(4)
    for name in "abcd":
        decisions.add(record(name))

    decisions.keep(2)
    assert kept(decisions) == ["d", "c"]
    decisions.keep(3)
    decisions.add(record("e"))

    assert kept(decisions) == ["e", "d", "c"]


@given(st.integers(1, 5), st.lists(st.sampled_from("abcdefgh"), max_size=30))
def test_the_last_different_ids_are_kept_whatever_comes(limit: int, names: list[str]) -> None:
    decisions = Decisions(limit)
    for name in names:
        decisions.add(record(name))

    assert kept(decisions) == list(dict.fromkeys(reversed(names)))[:limit]
