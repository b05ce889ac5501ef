"""Real little programs, started, watched, started again, and stopped."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.domain.errors import BackendRefusedError, BackendStartingError
from backends.workers.child import Child, Line
from tests.backends.workers.processes import gone, until_stopped
from tests.fakes.clock import FakeClock

pytestmark = pytest.mark.anyio

HEAD = """
import json, os, sys, time
configuration = json.loads(sys.stdin.readline())
def say(**line):
    print(json.dumps(line), flush=True)
"""
READY = HEAD + "say(ready=1)\nsay(go=1)\n"
ECHO = READY + "for line in sys.stdin: say(echo=json.loads(line))\n"
CRASH = HEAD + "sys.stderr.write('loading\\nno such model\\n')\nsys.exit(3)\n"


class Watched:
    """A child with what it told; `pauses` are the waits between two tries, each of which lasts until `go_on`."""

    def __init__(self, program: Path, configuration: dict[str, Any], stop_seconds: float) -> None:
        self.clock = FakeClock()
        self.lines: asyncio.Queue[Line] = asyncio.Queue()
        self.pauses: asyncio.Queue[float] = asyncio.Queue()
        self.exits = 0
        self.exited = asyncio.Event()
        self._go_on: asyncio.Queue[None] = asyncio.Queue()
        self.child = Child(
            "box",
            program,
            configuration,
            on_line=self.lines.put_nowait,
            on_exit=self._exited,
            stop_seconds=stop_seconds,
            pause=self._pause,
            clock=self.clock,
        )

    def go_on(self) -> None:
        self._go_on.put_nowait(None)

    def kill(self) -> None:
        assert self.child.pid is not None
        os.kill(self.child.pid, 9)

    async def line(self) -> Line:
        async with asyncio.timeout(10):
            return await self.lines.get()

    async def ended(self) -> float:
        """Wait until it has ended; the seconds that it will be left alone."""
        async with asyncio.timeout(10):
            return await self.pauses.get()

    async def _pause(self, seconds: float) -> None:
        self.pauses.put_nowait(seconds)
        await self._go_on.get()

    def _exited(self) -> None:
        self.exits += 1
        self.exited.set()


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return tmp_path / "program.py"


@asynccontextmanager
async def running(
    program: Path,
    text: str,
    configuration: dict[str, Any] | None = None,
    *,
    stop_seconds: float = 5.0,
    written: bool = True,
) -> AsyncIterator[Watched]:
    if written:
        write(program, text)
    watched = Watched(program, configuration or {}, stop_seconds)
    await watched.child.start()
    try:
        yield watched
    finally:
        await watched.child.stop()


def write(path: Path, text: str) -> None:
    path.write_text(text)


def read(path: Path) -> str:
    return path.read_text()


def alive(pid: int | None) -> bool:
    assert pid is not None
    return Path(f"/proc/{pid}").exists()


async def test_its_first_line_says_that_it_is_ready_and_the_others_are_handed_on(program: Path) -> None:
    async with running(program, READY + "say(n=2)\nsys.stdin.read()") as watched:
        assert watched.child.ready is None
        assert await watched.line() == {"go": 1}
        assert await watched.line() == {"n": 2}

        assert watched.child.ready == {"ready": 1}


async def test_its_configuration_is_its_first_line_of_input_and_no_secret_is_seen_from_outside(program: Path) -> None:
    tell = HEAD + "say()\nsay(got=configuration, argv=sys.argv, env=dict(os.environ))\nsys.stdin.read()"
    configuration = {"key": "sk-very-secret", "name": "Grüße"}

    async with running(program, tell, configuration) as watched:
        told = await watched.line()
        command_line = read(Path(f"/proc/{watched.child.pid}/cmdline"))

    assert told["got"] == configuration
    assert told["argv"] == [str(program)]
    assert "sk-very-secret" not in str(told["env"])
    assert "sk-very-secret" not in command_line


async def test_what_is_sent_arrives_line_by_line(program: Path) -> None:
    async with running(program, ECHO) as watched:
        await watched.line()

        watched.child.send({"text": "two\nlines"})
        watched.child.send({"n": 2})

        assert [await watched.line(), await watched.line()] == [{"echo": {"text": "two\nlines"}}, {"echo": {"n": 2}}]


async def test_a_line_of_megabytes_is_a_line(program: Path) -> None:
    async with running(program, READY + "say(text='x' * 4_000_000)\nsys.stdin.read()") as watched:
        await watched.line()

        assert len((await watched.line())["text"]) == 4_000_000


async def test_before_it_is_ready_it_is_starting(program: Path) -> None:
    async with running(program, HEAD + "sys.stdin.read()") as watched:
        with pytest.raises(BackendStartingError):
            watched.child.send({})


async def test_one_that_was_never_started_is_starting_and_can_be_stopped(program: Path) -> None:
    child = Child("box", program, {})

    assert isinstance(child.absence(), BackendStartingError)
    assert child.pid is None
    await child.stop()


async def test_one_that_ends_is_no_longer_ready_and_its_last_words_say_why(program: Path) -> None:
    async with running(program, CRASH) as watched:
        await watched.ended()

        assert watched.child.ready is None
        assert watched.exits == 1
        absence = watched.child.absence()
        assert type(absence) is BackendRefusedError
        assert absence.message == "backend 'box' is not running; its last words: no such model"
        with pytest.raises(BackendRefusedError):
            watched.child.send({})


async def test_last_words_hold_no_paths(program: Path) -> None:
    async with running(program, HEAD + "sys.exit('no such file: /home/ada/models/x.gguf')") as watched:
        await watched.ended()

        assert "/home/ada" not in watched.child.absence().message


async def test_one_that_ends_is_started_again_and_is_as_good_as_new(program: Path) -> None:
    async with running(program, ECHO) as watched:
        await watched.line()
        first = watched.child.pid
        watched.kill()
        await watched.ended()

        watched.go_on()
        await watched.line()
        watched.child.send({"n": 1})

        assert await watched.line() == {"echo": {"n": 1}}
        assert watched.child.pid != first
        assert watched.child.ready == {"ready": 1}


async def test_each_time_it_is_left_alone_twice_as_long_up_to_half_a_minute(program: Path) -> None:
    async with running(program, "raise SystemExit") as watched:
        pauses = []
        for _ in range(7):
            pauses.append(await watched.ended())
            watched.go_on()

    assert pauses == [1, 2, 4, 8, 16, 30, 30]


async def test_one_that_ran_well_for_a_while_is_tried_again_at_once(program: Path) -> None:
    async with running(program, ECHO) as watched:
        for _ in range(2):
            await watched.line()
            watched.kill()
            pause = await watched.ended()
            watched.go_on()
        assert pause == 2

        await watched.line()
        watched.clock.advance(61)
        watched.kill()

        assert await watched.ended() == 1


@pytest.mark.parametrize("garbage", ["not JSON", "[1, 2]", "3", "\\xff"])
@pytest.mark.parametrize("beginning", [HEAD, READY])
async def test_one_that_talks_nonsense_is_ended_and_started_again(program: Path, beginning: str, garbage: str) -> None:
    speak = f"sys.stdout.buffer.write(b'{garbage}\\n'); sys.stdout.flush(); sys.stdin.read()"

    async with running(program, beginning + speak) as watched:
        await watched.ended()
        pid = watched.child.pid

        assert pid is not None
        await gone(pid)
        assert "no line of JSON" in watched.child.absence().message
        assert watched.exits == 1
        watched.go_on()
        assert await watched.ended() == 2


async def test_one_that_closes_its_output_is_ended(program: Path) -> None:
    async with running(program, READY + "os.close(1)\nsys.stdin.read()") as watched:
        await watched.ended()

        assert watched.child.ready is None


async def test_one_that_can_not_be_started_is_tried_again(program: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))  # too many open files
    try:
        async with running(program, "", written=False) as watched:
            assert await watched.ended() == 1
            assert "could not be started: Too many open files" in watched.child.absence().message

            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            write(program, ECHO)
            watched.go_on()
            assert await watched.line() == {"go": 1}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_stopping_lets_it_leave_at_the_end_of_its_input(program: Path, tmp_path: Path) -> None:
    note = tmp_path / "note"
    farewell = READY + f"sys.stdin.read()\nopen({str(note)!r}, 'w').write('left in peace')"

    async with running(program, farewell) as watched:
        await watched.line()
        pid = watched.child.pid

    assert read(note) == "left in peace"
    assert not alive(pid)
    assert watched.exits == 1


async def test_one_that_does_not_leave_is_made_to(program: Path) -> None:
    stubborn = HEAD + "import signal; signal.signal(15, signal.SIG_IGN)\nsay()\nsay(go=1)\nwhile True: time.sleep(60)"

    async with running(program, stubborn, stop_seconds=0.05) as watched:
        await watched.line()
        pid = watched.child.pid

    assert not alive(pid)


async def test_stopping_amid_its_end_waits_until_it_is_gone(program: Path) -> None:
    stubborn = READY + "say(say='[')\nprint('[', flush=True)\nwhile True: time.sleep(60)"

    async with running(program, stubborn, stop_seconds=0.05) as watched:
        await watched.exited.wait()
        pid = watched.child.pid
        await watched.child.stop()

        assert not alive(pid)


async def test_stopping_while_it_is_left_alone_ends_the_waiting(program: Path) -> None:
    async with running(program, CRASH) as watched:
        await watched.ended()

        async with asyncio.timeout(5):
            await watched.child.stop()
        await watched.child.stop()


async def test_it_does_not_hear_the_gateways_ctrl_c(program: Path) -> None:
    async with running(program, HEAD + "say()\nsay(group=os.getpgid(0))\nsys.stdin.read()") as watched:
        assert (await watched.line())["group"] != os.getpgid(0)


def duty_cycles() -> int:
    """How many tasks slow something; one that was just told to end counts no more."""
    return sum(task.get_name() == "duty cycle" and not task.cancelling() for task in asyncio.all_tasks())


async def test_one_that_is_slowed_stands_still_for_the_rest_of_each_period(program: Path) -> None:
    async with running(program, ECHO) as watched:
        await watched.line()

        watched.child.pace(0.2)
        for _ in range(2):
            assert await watched.ended() == pytest.approx(0.1)
            await until_stopped(watched.child.pid, False)
            watched.go_on()
            assert await watched.ended() == pytest.approx(0.4)
            await until_stopped(watched.child.pid)
            watched.go_on()


async def slowed_and_stopped(watched: Watched) -> None:
    """Let it work half of the time, and wait until it stands still."""
    await watched.line()
    watched.child.pace(0.5)
    await watched.ended()
    watched.go_on()
    await watched.ended()
    await until_stopped(watched.child.pid)


async def test_one_that_stands_still_goes_on_at_once_when_it_is_slowed_no_more(program: Path) -> None:
    async with running(program, ECHO) as watched:
        await slowed_and_stopped(watched)

        watched.child.pace(1)
        watched.child.send({"n": 1})

        assert await watched.line() == {"echo": {"n": 1}}
        assert duty_cycles() == 0


async def test_stopping_one_that_stands_still_lets_it_leave_in_peace(program: Path, tmp_path: Path) -> None:
    note = tmp_path / "note"
    farewell = READY + f"sys.stdin.read()\nopen({str(note)!r}, 'w').write('left in peace')"

    async with running(program, farewell, stop_seconds=60) as watched:
        await slowed_and_stopped(watched)
        pid = watched.child.pid
        async with asyncio.timeout(10):
            await watched.child.stop()

    assert read(note) == "left in peace"
    assert not alive(pid)
    assert duty_cycles() == 0


async def test_one_that_stands_still_when_it_is_to_be_ended_leaves_in_peace_too(program: Path, tmp_path: Path) -> None:
    flag, note = tmp_path / "flag", tmp_path / "note"
    beginning = (
        "say(ready=1)\n"
        "if os.fork() == 0:\n"
        f"    while not os.path.exists({str(flag)!r}): time.sleep(0.005)\n"
        "    print('[', flush=True)\n"
        "    os._exit(0)\n"
        "say(go=1)\n"
    )
    farewell = f"sys.stdin.read()\nopen({str(note)!r}, 'w').write('left in peace')"

    async with running(program, HEAD + beginning + farewell, stop_seconds=60) as watched:
        await slowed_and_stopped(watched)
        pid = watched.child.pid
        assert pid is not None
        flag.touch()  # nonsense in its name, while it can't do anything

        await gone(pid)

    assert read(note) == "left in peace"


async def begun(child: Child) -> None:
    async with asyncio.timeout(10):
        while True:
            if child.pid is not None:
                return
            await asyncio.sleep(0.005)  # it says nothing before it is ready


async def test_one_that_is_not_ready_yet_is_not_held_up(program: Path, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    loading = HEAD + f"while not os.path.exists({str(flag)!r}): time.sleep(0.005)\nsay(ready=1)\nsay(go=1)\n"

    async with running(program, loading + "sys.stdin.read()") as watched:
        await begun(watched.child)
        watched.child.pace(0.5)
        await watched.ended()
        watched.go_on()
        await watched.ended()
        flag.touch()

        assert await watched.line() == {"go": 1}


async def test_one_that_was_started_again_is_as_slow_as_the_one_before(program: Path) -> None:
    async with running(program, ECHO) as watched:
        await slowed_and_stopped(watched)
        watched.kill()
        assert await watched.ended() == 1

        watched.go_on()  # a period without a program
        await watched.ended()
        watched.go_on()  # the program
        await watched.line()
        watched.go_on()
        await watched.ended()

        await until_stopped(watched.child.pid)


async def test_only_one_that_runs_is_slowed(program: Path) -> None:
    write(program, ECHO)
    child = Child("box", program, {})

    child.pace(0.5)
    assert duty_cycles() == 0
    await child.start()
    child.pace(0.5)
    assert duty_cycles() == 1
    await child.stop()
    child.pace(0.5)

    assert duty_cycles() == 0


@pytest.mark.live
async def test_a_program_that_computes_gets_its_share_of_the_processor(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    write(program, READY + "while True: pass")
    up = asyncio.Event()
    child = Child("box", program, {}, on_line=lambda _: up.set(), stop_seconds=0.05)
    await child.start()

    async def share() -> float:
        """Processor time a second, for four seconds."""
        used, began = process.cpu_times().user, time.monotonic()
        await asyncio.sleep(4)
        computed: float = process.cpu_times().user - used
        return computed / (time.monotonic() - began)

    try:
        await up.wait()
        process = psutil.Process(child.pid)
        free = await share()
        child.pace(0.3)
        slowed = await share()
        child.pace(1)
        free_again = await share()
    finally:
        await child.stop()

    assert slowed / ((free + free_again) / 2) == pytest.approx(0.3, abs=0.15)


async def test_it_imports_nothing_from_where_its_program_lies(program: Path, tmp_path: Path) -> None:
    write(tmp_path / "json.py", "raise SystemExit('hijacked')")

    async with running(program, READY + "sys.stdin.read()") as watched:
        assert await watched.line() == {"go": 1}


async def test_when_the_gateway_is_killed_it_leaves_too(program: Path, tmp_path: Path) -> None:
    write(program, READY + "sys.stdin.read()")
    gateway = tmp_path / "gateway.py"
    write(
        gateway,
        "import asyncio, os, sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[3])!r})\n"
        "from pathlib import Path\n"
        "from backends.workers.child import Child\n"
        "async def main():\n"
        "    up = asyncio.Event()\n"
        f"    child = Child('box', Path({str(program)!r}), {{}}, on_line=lambda _: up.set())\n"
        "    await child.start()\n"
        "    await up.wait()\n"
        "    print(child.pid, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())\n",
    )

    process = await asyncio.create_subprocess_exec(sys.executable, str(gateway), stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()

    assert process.returncode == -9
    await gone(json.loads(said))
