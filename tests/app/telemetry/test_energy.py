"""What an answer cost in joules, and how well that is known."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.domain.thermal import Reading
from app.telemetry.energy import ESTIMATED, MEASURED, UNKNOWN, Energy, Meter, Share


class Told(list[Energy]):
    """What was settled, and the one thing of it when there is just one."""

    @property
    def only(self) -> Energy:
        (energy,) = self
        return energy


def begin(meter: Meter, now: float, backend: str = "eco", watts: float | None = None) -> tuple[Share, Told]:
    told = Told()
    share = Share(backend, watts, told.append)
    meter.begin(share, now)
    return share, told


def counted(at: float, joules: float, *, modelled: bool = False) -> Reading:
    return Reading(at, joules=joules, modelled=modelled)


def drawn(at: float, watts: float) -> Reading:
    return Reading(at, watts=watts)


def metered(*readings: Reading) -> Meter:
    meter = Meter()
    for reading in readings:
        meter.read(reading)
    return meter


def test_three_watts_for_one_second_are_three_joules() -> None:
    meter = Meter()
    share, told = begin(meter, 10.0, watts=3)

    meter.end(share, 11.0)

    assert told.only == Energy(ESTIMATED, 3.0, 1.5, 1.0)


def test_without_watts_and_without_a_sensor_it_is_unknown_and_not_zero() -> None:
    meter = Meter()
    share, told = begin(meter, 10.0)

    meter.end(share, 11.0)

    assert told.only == Energy(UNKNOWN, None, None, 1.0)


def test_a_counter_is_measured_as_well_as_such_sensors_can() -> None:
    meter = metered(counted(0.0, 100.0))
    share, told = begin(meter, 0.0, watts=999)
    meter.end(share, 10.0)
    meter.read(counted(10.0, 130.0))

    assert told.only == Energy(MEASURED, 30.0, 0.05 * 30, 10.0)


def test_a_modelled_counter_is_only_an_estimate() -> None:
    meter = metered(counted(0.0, 100.0, modelled=True))
    share, told = begin(meter, 0.0)
    meter.end(share, 10.0)
    meter.read(counted(10.0, 130.0, modelled=True))

    assert told.only == Energy(ESTIMATED, 30.0, 15.0, 10.0)


def test_power_is_integrated_and_may_be_off_by_half_of_its_change() -> None:
    meter = metered(drawn(0.0, 10.0))
    share, told = begin(meter, 0.0)
    meter.end(share, 4.0)
    meter.read(drawn(4.0, 20.0))

    assert told.only == Energy(MEASURED, 60.0, 20.0 + 0.05 * 60, 4.0)


def test_a_counter_counts_more_than_power() -> None:
    meter = metered(Reading(0.0, joules=0.0, watts=500.0))
    share, told = begin(meter, 0.0)
    meter.end(share, 2.0)
    meter.read(Reading(2.0, joules=30.0, watts=500.0))

    assert told.only.joules == 30.0


def test_it_is_settled_by_the_first_reading_after_its_end() -> None:
    meter = metered(counted(0.0, 0.0))
    share, told = begin(meter, 1.0)
    meter.end(share, 3.0)
    assert (told, meter.waits) == ([], True)

    meter.read(counted(2.0, 20.0))
    assert (told, meter.waits) == ([], True)

    meter.read(counted(4.0, 40.0))
    assert (len(told), meter.waits) == (1, False)
    assert told.only.seconds == pytest.approx(2.0)


def test_it_is_settled_once() -> None:
    meter = metered(counted(0.0, 0.0))
    share, told = begin(meter, 1.0)
    meter.end(share, 3.0)
    for second in range(4, 10):
        meter.read(counted(float(second), second * 10.0))
    meter.read(None)

    assert len(told) == 1


def test_a_long_answer_is_added_up_over_many_readings() -> None:
    meter = metered(counted(0.0, 0.0))
    share, told = begin(meter, 0.0)
    for second in range(1, 100):
        meter.read(counted(float(second), second * 7.0))
    meter.end(share, 99.5)
    meter.read(counted(100.0, 700.0))

    assert told.only.joules == pytest.approx(99.5 * 7, rel=1e-3)
    assert told.only.seconds == pytest.approx(99.5)


def test_two_that_run_together_all_the_time_pay_alike_whoever_they_are() -> None:
    meter = metered(counted(0.0, 0.0))
    (first, of_first), (second, of_second) = begin(meter, 0.0, "eco"), begin(meter, 0.0, "max", 300)
    meter.end(first, 10.0)
    meter.end(second, 10.0)
    meter.read(counted(10.0, 80.0))

    assert of_first.only == of_second.only == Energy(MEASURED, 40.0, 0.05 * 40, 5.0)


def test_nameplate_watts_are_shared_between_those_that_a_backend_works_for_at_once() -> None:
    meter = Meter()
    (first, of_first), (second, of_second) = begin(meter, 0.0, watts=10), begin(meter, 0.0, watts=10)
    other, of_other = begin(meter, 0.0, "max", watts=100)
    for share in (first, second, other):
        meter.end(share, 6.0)

    assert (of_first.only.joules, of_second.only.joules, of_other.only.joules) == (30.0, 30.0, 600.0)


def test_a_backend_that_works_half_of_the_time_draws_half_of_its_nameplate() -> None:
    meter = Meter()
    share, told = begin(meter, 0.0, watts=10)
    meter.end(share, 6.0, duty=0.5)

    assert told.only == Energy(ESTIMATED, 30.0, 15.0, 3.0)


def test_what_is_measured_is_measured_however_the_backend_is_paced() -> None:
    meter = metered(counted(0.0, 0.0))
    share, told = begin(meter, 0.0, watts=10)
    meter.end(share, 6.0, duty=0.5)
    meter.read(counted(6.0, 33.0))

    assert told.only.joules == 33.0


def test_idle_time_is_paid_first_at_the_power_that_was_seen_while_nobody_worked() -> None:
    meter = metered(counted(0.0, 0.0), counted(10.0, 50.0))  # 5 W
    share, told = begin(meter, 10.0)
    meter.end(share, 11.0)
    meter.read(counted(15.0, 50.0 + 20.0 + 40.0))  # 4 idle seconds, 40 J of work

    assert told.only.joules == pytest.approx(40.0)
    assert told.only.error_joules == pytest.approx(20.0 + 0.05 * 40)


def test_a_short_job_in_a_long_interval_says_how_little_is_known() -> None:
    """Nobody has seen this zone idle: of 34.5 J the job of 0.1 s may have had anything."""
    meter = metered(counted(0.0, 0.0))
    share, told = begin(meter, 2.0)
    meter.end(share, 2.1)
    meter.read(counted(5.0, 34.5))

    energy = told.only
    assert energy.joules == pytest.approx(34.5 * 0.1 / 5)
    assert energy.joules is not None
    assert energy.error_joules is not None
    assert energy.error_joules >= 34.5 * 4.9 / 5
    assert energy.joules + energy.error_joules >= 10.0  # what it really was: 0.1 s of 100 W


def test_idle_power_that_was_higher_than_now_costs_nobody_less_than_nothing() -> None:
    meter = metered(counted(0.0, 0.0), counted(10.0, 500.0))
    share, told = begin(meter, 10.0)
    meter.end(share, 11.0)
    meter.read(counted(15.0, 530.0))

    assert told.only == Energy(MEASURED, 0.0, 30.0, 1.0)


def test_a_sensor_that_is_lost_in_the_middle_leaves_the_nameplate_for_the_whole_answer() -> None:
    meter = metered(counted(0.0, 0.0))
    share, told = begin(meter, 0.0, watts=20)
    meter.read(counted(5.0, 500.0))
    meter.read(None)
    meter.read(counted(7.0, 700.0))
    meter.read(counted(8.0, 800.0))
    meter.end(share, 10.0)

    assert told.only == Energy(ESTIMATED, 200.0, 100.0, 10.0)


def test_a_sensor_that_is_lost_after_the_end_leaves_the_nameplate_too() -> None:
    meter = metered(counted(0.0, 0.0))
    (known, of_known), (unknown, of_unknown) = begin(meter, 0.0, watts=20), begin(meter, 0.0, "max")
    meter.end(known, 2.0)
    meter.end(unknown, 2.0)
    meter.read(None)

    assert of_known.only == Energy(ESTIMATED, 40.0, 20.0, 2.0)
    assert of_unknown.only == Energy(UNKNOWN, None, None, 2.0)


def test_a_device_that_says_nothing_of_energy_is_no_sensor_of_it() -> None:
    meter = metered(Reading(0.0, celsius=60.0), Reading(1.0, celsius=61.0))
    share, told = begin(meter, 1.0, watts=20)
    meter.end(share, 2.0)

    assert told.only.source == ESTIMATED
    assert not meter.waits


def test_what_began_before_the_sensor_was_there_goes_by_its_nameplate() -> None:
    meter = Meter()
    early, of_early = begin(meter, 0.0, watts=20)
    meter.read(counted(1.0, 0.0))
    late, of_late = begin(meter, 1.0)
    meter.end(early, 3.0)
    meter.end(late, 3.0)
    meter.read(counted(3.0, 60.0))

    assert of_early.only == Energy(ESTIMATED, 40.0, 20.0, 2.0)  # alone for one second, with "late" for two
    assert of_late.only == Energy(MEASURED, 30.0, 1.5, 1.0)


def test_a_counter_that_begins_anew_breaks_the_row_off() -> None:
    meter = metered(counted(0.0, 1000.0))
    (one, of_one), (two, of_two) = begin(meter, 0.0, watts=3), begin(meter, 0.0, watts=3)
    meter.read(counted(10.0, 5.0))
    meter.read(counted(11.0, 15.0))
    meter.end(one, 11.0)
    meter.end(two, 11.0)

    assert of_one.only == of_two.only == Energy(ESTIMATED, 16.5, 8.25, 5.5)


def test_counters_of_two_sensors_have_nothing_to_do_with_each_other() -> None:
    meter = Meter()
    meter.read(counted(0.0, 100.0), "rapl")
    share, told = begin(meter, 0.0, watts=3)
    meter.read(counted(1.0, 9_000_000.0), "nvml")
    meter.end(share, 2.0)

    assert told.only == Energy(ESTIMATED, 6.0, 3.0, 2.0)


def test_the_idle_power_of_one_sensor_is_not_that_of_another() -> None:
    meter = Meter()
    for at in (0.0, 1.0):
        meter.read(counted(at, at * 100.0), "rapl")
    meter.read(counted(2.0, 0.0), "nvml")
    share, told = begin(meter, 2.0)
    meter.end(share, 3.0)
    meter.read(counted(4.0, 10.0), "nvml")

    assert told.only.joules == 5.0  # nvml has not been seen idle yet


def test_the_same_reading_again_and_one_that_is_older_tell_nothing_new() -> None:
    meter = metered(counted(5.0, 50.0))
    share, told = begin(meter, 5.0)
    meter.end(share, 6.0)
    meter.read(counted(5.0, 50.0))
    meter.read(counted(4.0, 40.0))
    assert told == []
    meter.read(counted(6.0, 60.0))

    assert told.only == Energy(MEASURED, 10.0, 0.5, 1.0)


def test_a_job_that_began_after_the_newest_reading_was_taken_pays_only_from_then_on() -> None:
    """A reading is up to a tick old when the meter gets it."""
    meter = metered(counted(0.0, 0.0))
    before, of_before = begin(meter, 0.0)
    late, of_late = begin(meter, 1.2)
    meter.read(counted(1.0, 10.0))
    meter.end(before, 2.2)
    meter.end(late, 2.2)
    meter.read(counted(2.2, 22.0))

    assert of_before.only.joules == pytest.approx(10.0 + 12.0 * (0.2 + 0.5) / 1.2)
    assert of_late.only.joules == pytest.approx(12.0 * 0.5 / 1.2)


def test_two_parts_of_an_answer_are_as_well_known_as_the_worse_of_them() -> None:
    measured, estimated = Energy(MEASURED, 10.0, 1.0, 2.0), Energy(ESTIMATED, 5.0, 2.5, 1.0)

    assert measured + measured == Energy(MEASURED, 20.0, 2.0, 4.0)
    assert measured + estimated == estimated + measured == Energy(ESTIMATED, 15.0, 3.5, 3.0)
    assert measured + Energy(UNKNOWN, seconds=1.0) == Energy(UNKNOWN, None, None, 3.0)


@pytest.mark.parametrize(
    ("meter", "most"), [(Meter(), 1), (metered(counted(0.0, 0.0)), 3 * 4097)], ids=["no sensor", "one that hangs"]
)
def test_ten_thousand_jobs_without_a_reading_take_little_memory_and_all_are_settled(meter: Meter, most: int) -> None:
    settled: list[Energy] = []
    for second in range(10_000):
        share = Share("eco", 1.0, settled.append)
        meter.begin(share, float(second))
        meter.end(share, second + 0.5)
        assert len(meter._ended) + len(meter._zone._times) <= most
    meter.read(None)

    assert len(settled) == 10_000
    assert not meter.waits


def test_ten_thousand_jobs_with_readings_take_no_memory() -> None:
    meter = metered(counted(0.0, 0.0))
    for second in range(1, 10_000):
        share, _ = begin(meter, float(second))
        meter.end(share, second + 0.5)
        meter.read(counted(second + 0.75, second * 10.0))

    assert len(meter._ended) + len(meter._zone._times) <= 3


@st.composite
def stays(draw: st.DrawFn) -> list[tuple[float, float]]:
    """Begins and ends, in whole hundredths."""
    moment = st.integers(0, 3000).map(lambda hundredths: hundredths / 100)
    pairs = draw(st.lists(st.tuples(moment, moment), min_size=1, max_size=12))
    return [(min(pair), max(pair)) for pair in pairs]


def play(meter: Meter, made: list[tuple[float, float]], readings: list[Reading]) -> list[Told]:
    """Everything in the order of time; a reading counts a tick after it was taken."""
    told = [Told() for _ in made]
    shares = [Share(f"backend {index % 3}", 5.0, each.append) for index, each in enumerate(told)]
    events = [(begun, 0, index) for index, (begun, _) in enumerate(made)]
    events += [(ended, 1, index) for index, (_, ended) in enumerate(made)]
    events += [(reading.at + 0.25, 2, index) for index, reading in enumerate(readings)]
    for when, what, index in sorted(events):
        if what == 0:
            meter.begin(shares[index], when)
        elif what == 1:
            meter.end(shares[index], when)
        else:
            meter.read(readings[index])
    return told


def counter(moments: list[float], watts: list[float]) -> list[Reading]:
    """A counter that rises by so many watts between its moments."""
    readings = [counted(moments[0], 1000.0)]
    for at, power in zip(moments[1:], watts, strict=False):
        before = readings[-1]
        readings.append(counted(at, (before.joules or 0.0) + power * (at - before.at)))
    return readings


@given(
    stays(),
    st.lists(st.integers(1, 2990), min_size=1, max_size=12, unique=True).map(sorted),
    st.lists(st.floats(0, 500), min_size=13, max_size=13),
)
def test_all_shares_of_an_interval_add_up_to_the_energy_of_its_busy_part(
    made: list[tuple[float, float]], hundredths: list[int], watts: list[float]
) -> None:
    """Nothing is counted twice and nothing is lost, however begins, ends and readings fall."""
    made = [(1.0 + begun, 1.0 + ended) for begun, ended in made]
    moments = [0.0, *(1.0 + each / 100 for each in hundredths), 40.0]
    readings = counter(moments, watts)

    told = play(Meter(), made, readings)

    assert [len(each) for each in told] == [1] * len(made)
    joules = sum(each.only.joules or 0.0 for each in told)
    errors = sum(each.only.error_joules or 0.0 for each in told)
    assert joules == pytest.approx(expected_of(made, readings), abs=1e-6)
    assert joules + errors >= expected_of(made, readings) - 1e-6
    assert joules <= readings[-1].joules - readings[0].joules + 1e-6  # type: ignore[operator]
    assert sum(each.only.seconds for each in told) == pytest.approx(busy_between(made, 0.0, 40.0), abs=1e-6)


def expected_of(made: list[tuple[float, float]], readings: list[Reading]) -> float:
    """Of each interval the energy that is left when its idle time has been paid."""
    total, idle_watts = 0.0, None
    for before, after in pairwise(readings):
        joules = (after.joules or 0.0) - (before.joules or 0.0)
        seconds = after.at - before.at
        busy = busy_between(made, before.at, after.at)
        if busy == 0:
            idle_watts = joules / seconds
            continue
        power = joules / seconds if idle_watts is None else idle_watts
        total += joules - min(joules, power * (seconds - busy))
    return total


def busy_between(made: list[tuple[float, float]], since: float, until: float) -> float:
    """Seconds in which anybody worked: the union of the stays."""
    busy, reached = 0.0, since
    for begun, ended in sorted(made):
        start, end = max(begun, reached), min(ended, until)
        busy += max(0.0, end - start)
        reached = max(reached, end)
    return busy


@given(stays(), st.floats(0.1, 500), st.integers(2, 6))
def test_whoever_overlaps_alike_pays_alike(made: list[tuple[float, float]], watts: float, twins: int) -> None:
    begun, ended = made[0]
    assume(ended > begun)
    readings = counter([0.0, *(float(second) for second in range(2, 50, 3))], [watts] * 20)

    told = play(Meter(), [(1 + each[0], 1 + each[1]) for each in [(begun, ended)] * twins + made[1:]], readings)

    joules = [each.only.joules for each in told[:twins]]
    assert joules == [pytest.approx(joules[0])] * twins
    assert joules[0]


@given(stays(), st.floats(0, 30))
def test_a_loss_in_the_middle_never_settles_twice_or_mixes(made: list[tuple[float, float]], lost_at: float) -> None:
    """What ran when the sensor was lost is by nameplate; what had been told before is measured."""
    meter = Meter()
    readings = counter([0.0, *(float(second) for second in range(1, 40))], [10.0] * 40)
    lost = [None if lost_at <= reading.at < lost_at + 3 else reading for reading in readings]
    told = [Told() for _ in made]
    shares = [Share("eco", 5.0, each.append) for each in told]
    events = [(begun, 0, index) for index, (begun, _) in enumerate(made)]
    events += [(ended, 1, index) for index, (_, ended) in enumerate(made)]
    events += [(reading.at + 0.25, 2, index) for index, reading in enumerate(readings)]
    for when, what, index in sorted(events):
        if what == 0:
            meter.begin(shares[index], when)
        elif what == 1:
            meter.end(shares[index], when)
        else:
            meter.read(lost[index])

    assert [len(each) for each in told] == [1] * len(made)
    for (begun, ended), each in zip(made, told, strict=True):
        if ended > begun and begun < lost_at + 0.25 and ended > lost_at + 1.25:
            assert each.only.source == ESTIMATED
