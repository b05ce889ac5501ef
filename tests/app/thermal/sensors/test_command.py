"""A user's own program: what it may say, and everything that it may do instead."""

from __future__ import annotations

import json
import os
import select
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, count, repeat
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.domain.thermal import Battery, Reading
from app.thermal.sensor import SensorLostError, Surroundings
from app.thermal.sensors.command import CommandSensor, CommandSettings

BOX = Surroundings("box")


def sensor(program: str, *arguments: str, **keys: Any) -> CommandSensor:
    """Runs that Python program."""
    command = (sys.executable, "-S", "-c", program, *arguments)
    return CommandSensor(CommandSettings(command=command, **{"timeout_seconds": 20, **keys}), BOX)


def says(answer: object) -> CommandSensor:
    return sensor("import sys; print(sys.argv[1])", json.dumps(answer))


def refusal(watched: CommandSensor) -> str:
    with pytest.raises(SensorLostError) as refused:
        watched.read(1.0)
    return refused.value.message


def descriptors() -> set[Path]:
    return set(Path("/proc/self/fd").iterdir())


def ended(pid: int) -> bool:
    """Whether it has ended, or does so now."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([process], [], [], 20)[0])
    finally:
        os.close(process)


def test_what_it_says_is_the_reading() -> None:
    answer = {"celsius": 61.5, "fan_rpm": 900, "throttling": False, "battery": {"percent": 40, "plugged": True}}

    assert says(answer).read(7.0) == Reading(
        7.0, celsius=61.5, fan_rpm=900, throttling=False, battery=Battery(40, plugged=True)
    )


def test_null_is_unknown() -> None:
    assert says({"celsius": 50, "watts": None}).read(1.0) == Reading(1.0, celsius=50)


def test_it_runs_once_for_every_reading(tmp_path: Path) -> None:
    file = tmp_path / "runs"
    watched = sensor("import sys; print('x', file=open(sys.argv[1], 'a')); print('{\"celsius\": 1}')", str(file))

    assert not file.exists()
    watched.read(1.0)
    watched.read(2.0)
    assert file.read_text() == "x\nx\n"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"celcius": 50}, "celcius: a reading has no such field"),
        ({"celsius": "50"}, "celsius: input should be a valid number"),
        ({"celsius": True}, "celsius: input should be a valid number"),
        ({"throttling": 1}, "throttling: input should be a valid boolean"),
        ({"utilisation": 55}, "utilisation: input should be less than or equal to 1"),
        ({"battery": {"percent": 5}}, "battery.plugged: field required"),
        ({"modelled": True}, "modelled: a reading has no such field"),
        ({}, "its answer says nothing: no field has a value"),
        ({"celsius": None}, "its answer says nothing: no field has a value"),
        ([{"celsius": 50}], "input should be an object"),
        (50, "input should be an object"),
    ],
)
def test_an_answer_that_makes_no_sense_is_said(answer: object, said: str) -> None:
    assert refusal(says(answer)) == said


@pytest.mark.parametrize("program", ["", "print('warm')", "print('{}{}')", "print('{\"celsius\": NaN}')"])
def test_an_answer_that_is_no_json_is_said(program: str) -> None:
    assert "JSON" in refusal(sensor(program)) or "finite" in refusal(sensor(program))


def test_an_exit_code_is_said_whatever_was_printed() -> None:
    assert refusal(sensor("print('{\"celsius\": 50}'); raise SystemExit(3)")) == "it ended with exit code 3"


def test_a_program_that_is_not_there_is_said() -> None:
    missing = CommandSensor(CommandSettings(command=("no-such-program",)), BOX)

    assert refusal(missing) == "no-such-program can't be started: No such file or directory"


def test_too_much_is_said_and_not_read_to_its_end() -> None:
    assert refusal(sensor("while True: print('x' * 1000)")) == "it says more than 64 KiB"


def test_as_much_as_is_allowed_is_read_and_not_a_byte_more() -> None:
    def fill(size: int) -> str:
        return f"import sys; sys.stdout.write('{{\"celsius\": 5}}'.rjust({size}))"

    assert sensor(fill(64 * 1024)).read(1.0).celsius == 5
    assert refusal(sensor(fill(64 * 1024 + 1))) == "it says more than 64 KiB"


FORKING = (
    "import os, sys, time\n"
    "if child := os.fork():\n"
    "    open(sys.argv[1], 'w').write(f'{os.getpid()} {child}')\n"
    "    print('{}', flush=True)\n"
)


@pytest.mark.parametrize(
    ("ending", "instants"), [("time.sleep(60)", [0, 0, 100]), ("os.close(1); time.sleep(60)", [0, 0, 0, 100])]
)
def test_one_that_takes_too_long_is_ended_with_all_that_it_started(
    tmp_path: Path, ending: str, instants: list[float]
) -> None:
    """The time is over once it has spoken, or once it has closed its output and goes on."""
    file, clock = tmp_path / "pids", chain(instants, repeat(100))
    settings = CommandSettings(command=(sys.executable, "-S", "-c", FORKING + ending, str(file)), timeout_seconds=60)
    watched = CommandSensor(settings, BOX, clock=lambda: next(clock))

    assert refusal(watched) == "it took longer than 60 s"
    pids = [int(pid) for pid in file.read_text().split()]
    assert len(pids) == 2
    assert all(ended(pid) for pid in pids)


def test_it_gets_no_more_of_the_environment_than_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOTHERM_SECRET", "hush")
    monkeypatch.setenv("LANG", "C.UTF-8")
    program = (
        "import os, json\n"
        "more = set(os.environ) - {'PATH', 'HOME', 'LANG', 'LC_CTYPE'}\n"
        "print(json.dumps({'celsius': len(more), 'fan_rpm': len(os.environ['LANG'])}))"
    )

    reading = sensor(program).read(1.0)
    assert (reading.celsius, reading.fan_rpm) == (0, len("C.UTF-8"))


def test_it_can_read_nothing_from_the_gateway_and_its_complaints_are_dropped(capfd: pytest.CaptureFixture[str]) -> None:
    program = "import sys; print('grumble', file=sys.stderr); print('{\"fan_rpm\": %d}' % len(sys.stdin.read()))"

    assert sensor(program).read(1.0).fan_rpm == 0
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("program", ["print('{\"celsius\": 5}')", "print('x' * 99999)", "raise SystemExit(1)"])
def test_nothing_is_left_behind(program: str) -> None:
    watched = sensor(program)
    before = (descriptors(), psutil.Process().children())

    for second in range(3):
        try:
            watched.read(float(second))
        except SensorLostError:
            """As it should."""

    assert (descriptors(), psutil.Process().children()) == before
    watched.close()


def test_the_time_is_that_of_the_whole_run_and_not_of_each_word() -> None:
    """The clock says that a second passes with every word: the third one is too late."""
    seconds = count()
    command = (sys.executable, "-S", "-c", "import time\nwhile True: print('.', flush=True); time.sleep(0.01)")
    settings = CommandSettings(command=command, timeout_seconds=2)
    watched = CommandSensor(settings, BOX, clock=lambda: float(next(seconds)))

    assert refusal(watched) == "it took longer than 2 s"


@pytest.mark.parametrize("command", [(), ("a\0b",), "sensors -j"])
def test_a_command_is_a_list_of_words(command: Any) -> None:
    with pytest.raises(ValueError, match="command"):
        CommandSettings(command=command)


def test_a_run_that_is_interrupted_ends_at_once_and_says_so(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    os.mkfifo(told)
    watched = sensor("import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)", str(told))
    with ThreadPoolExecutor(1) as reader:
        reading = reader.submit(refusal, watched)
        pid = int(told.read_text())
        watched.interrupt()

        assert reading.result(20) == "it ended with exit code -9"
    assert ended(pid)


def test_there_may_be_nothing_to_interrupt() -> None:
    quiet = says({"celsius": 40})
    quiet.interrupt()
    quiet.read(1.0)
    quiet.interrupt()
