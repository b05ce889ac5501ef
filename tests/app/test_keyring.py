"""Who comes in, and how often."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import AuthenticationError, PermissionDeniedError, RateLimitedError
from app.keyring import Client, Keyring
from tests.fakes.clock import FakeClock

ADA = "sk-ada-secret"
BOB = "sk-bob-secret"
BOSS = "sk-boss-secret"


def keyring(clock: FakeClock | None = None, *, limit: int | None = None) -> Keyring:
    clients = [
        (ADA, Client("ada", requests_per_minute=limit)),
        (BOB, Client("bob", models=("small*",))),
        (BOSS, Client("boss", admin=True)),
    ]
    return Keyring(clients, clock or FakeClock())


def bearer(key: str) -> bytes:
    return f"Bearer {key}".encode()


def test_without_keys_everybody_may_do_everything() -> None:
    door = Keyring([], FakeClock())

    for given_header in (None, b"", b"Bearer whatever"):
        assert door.enter(given_header).name is None
        assert door.enter(given_header).may_ask_for("anything")
        assert door.enter_as_admin(given_header).admin


def test_a_key_opens_and_says_whose_it_is() -> None:
    assert keyring().enter(bearer(ADA)).name == "ada"
    assert keyring().enter(bearer(BOB)).name == "bob"
    assert keyring().enter(bearer(BOSS)).name == "boss"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_read_in_any_case(scheme: str) -> None:
    assert keyring().enter(f"{scheme}  {ADA} ".encode()).name == "ada"


@pytest.mark.parametrize("header", [None, b""])
def test_with_any_key_set_nobody_comes_in_without_one(header: bytes | None) -> None:
    with pytest.raises(AuthenticationError) as caught:
        keyring().enter(header)

    assert caught.value.code == "missing_api_key"


@pytest.mark.parametrize(
    "header",
    [
        b"Bearer sk-eve-secret",
        b"Bearer",
        b"Bearer ",
        ADA.encode(),
        b"Basic " + ADA.encode(),
        b"Bearer " + ADA.encode()[:-1],
        b"Bearer " + ADA.encode() + b"x",
        b"Bearer " + ADA.upper().encode(),
        b"Bearer \xff\xfe",
        b"Bearer " + b"x" * 10_000,
    ],
)
def test_any_other_key_is_unknown_and_never_repeated(header: bytes) -> None:
    with pytest.raises(AuthenticationError) as caught:
        keyring().enter(header)

    assert caught.value.code == "invalid_api_key"
    assert "sk-" not in caught.value.message


def test_only_an_operators_key_opens_the_admin_door() -> None:
    assert keyring().enter_as_admin(bearer(BOSS)).name == "boss"
    with pytest.raises(PermissionDeniedError):
        keyring().enter_as_admin(bearer(ADA))
    with pytest.raises(AuthenticationError):
        keyring().enter_as_admin(None)


def test_a_key_may_be_for_some_models_only() -> None:
    bob, ada = keyring().enter(bearer(BOB)), keyring().enter(bearer(ADA))

    bob.check_model("small-2")
    ada.check_model("large")
    with pytest.raises(PermissionDeniedError, match="'large'") as caught:
        bob.check_model("large")
    assert (caught.value.param, caught.value.code) == ("model", "model_not_allowed")


def test_so_many_requests_a_minute_are_answered_and_the_next_is_told_when_to_come_back() -> None:
    clock = FakeClock()
    door = keyring(clock, limit=6)
    for _ in range(6):
        door.enter(bearer(ADA))

    with pytest.raises(RateLimitedError) as caught:
        door.enter(bearer(ADA))

    assert caught.value.retry_after_seconds == pytest.approx(10)
    clock.advance(caught.value.retry_after_seconds + 0.001)
    door.enter(bearer(ADA))


def test_one_key_at_its_limit_is_no_hindrance_to_another() -> None:
    door = keyring(limit=1)
    door.enter(bearer(ADA))

    door.enter(bearer(BOB))
    with pytest.raises(RateLimitedError):
        door.enter(bearer(ADA))


def test_waiting_for_hours_saves_up_no_more_than_a_minutes_requests() -> None:
    clock = FakeClock()
    door = keyring(clock, limit=2)
    clock.advance(36_000)
    door.enter(bearer(ADA))
    clock.advance(36_000)
    door.enter(bearer(ADA))
    door.enter(bearer(ADA))

    with pytest.raises(RateLimitedError):
        door.enter(bearer(ADA))


def test_one_who_keeps_trying_is_let_in_as_soon_as_one_who_waits() -> None:
    clock = FakeClock()
    door = keyring(clock, limit=1)
    door.enter(bearer(ADA))
    for _ in range(59):
        clock.advance(1)
        with pytest.raises(RateLimitedError):
            door.enter(bearer(ADA))

    clock.advance(1.001)
    door.enter(bearer(ADA))


@given(st.integers(1, 30), st.lists(st.floats(0, 30), max_size=120))
def test_no_minute_sees_more_than_a_burst_and_what_has_been_refilled(limit: int, gaps: list[float]) -> None:
    clock, answered = FakeClock(), list[float]()
    door = keyring(clock, limit=limit)
    for gap in gaps:
        clock.advance(gap)
        try:
            door.enter(bearer(ADA))
        except RateLimitedError:
            continue
        answered.append(clock())

    for start in answered:
        assert sum(start <= at < start + 60 for at in answered) <= 2 * limit


def test_nothing_that_it_shows_holds_a_key() -> None:
    door = keyring()

    assert ADA not in f"{door!r} {door} {door.enter(bearer(ADA))!r}"
