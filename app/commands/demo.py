"""`isotherm demo`: a conversation, a zone that gets too hot in the middle of it, and where the work goes."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from app.commands.gateway_client import GatewayClient
from app.domain.errors import IsothermError

_CONFIGURATION = Path(__file__).parent.parent.parent / "config" / "demo.yaml"
_LISTENS = re.compile(r"Isotherm listens on (\S+)")
_QUESTIONS = (
    "Hello! Who are you?",
    "What can you tell me about the sea?",
    "And about the mountains?",
    "Which of the two would you visit first?",
)
_HOT_CELSIUS = 91
_PATIENCE_SECONDS = 60
_LOOKS_FOR_ENERGY = 20
_STOPPING_SECONDS = 20

Say = Callable[[str], None]


class DemoFailedError(IsothermError):
    """It did not go as it should."""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser], configuration: Path) -> None:  # noqa: ARG001
    parser = commands.add_parser("demo", help="show how work moves away from heat, and comes back")
    parser.add_argument("--config", type=Path, default=_CONFIGURATION, metavar="FILE", help="the configuration (YAML)")
    parser.add_argument("--port", default="0", metavar="N", help="port to listen on; a free one when left out")
    parser.add_argument("--stay", action="store_true", help="go on serving afterwards, until Ctrl-C")
    parser.set_defaults(command=demo)


def demo(options: argparse.Namespace) -> int:
    """Raises DemoFailedError, GatewayUnreachableError."""
    with _served(options.config, options.port) as url:
        client = GatewayClient(url, None)
        try:
            show(client, _say)
            if options.stay:
                _say(f"The gateway goes on at {url} until Ctrl-C.")
                while True:
                    time.sleep(1)
        finally:
            client.close()
    return 0


def show(client: GatewayClient, say: Say, pause: Callable[[float], None] = time.sleep) -> None:
    """The story, on a gateway with the zones and backends of config/demo.yaml."""
    say(f"The dashboard is at {client.url}/ - open it now, it shows what happens here.\n")
    talk = _Conversation(client, say, pause)
    say("Everything is cool: the mode's first choice answers.")
    first = talk.ask(_QUESTIONS[0])
    zone = _zone_of(client, first)
    say(f"\nNow zone '{zone}' is heated to {_HOT_CELSIUS} °C. It is critical, and gets no new work:")
    client.put(f"/admin/zones/{zone}", {"celsius": _HOT_CELSIUS})
    second = talk.ask(_QUESTIONS[1])
    third = talk.ask(_QUESTIONS[2])
    say(f"\nThe heat is let go; zone '{zone}' cools down, and the work comes back:")
    client.put(f"/admin/zones/{zone}", {"celsius": None})
    _until_cool(client, zone, pause)
    last = talk.ask(_QUESTIONS[3])
    if first in (second, third) or last != first:
        raise DemoFailedError(f"the answers came from {first}, {second}, {third}, {last}: the work did not move")
    say(f"\n{first} -> {second} -> {last}: the conversation went on, and nobody had to choose.")


class _Conversation:
    """Turns with a real model, each told with who answered, why, and what it cost."""

    def __init__(self, client: GatewayClient, say: Say, pause: Callable[[float], None]) -> None:
        self._client = client
        self._say = say
        self._pause = pause
        self._messages: list[dict[str, str]] = []

    def ask(self, question: str) -> str:
        """The backend that answered."""
        self._messages.append({"role": "user", "content": question})
        body = {"model": "auto", "messages": self._messages, "max_tokens": 40, "temperature": 0}
        answer = self._client.post("/v1/chat/completions", body)
        words = str(answer.json()["choices"][0]["message"]["content"])
        self._messages.append({"role": "assistant", "content": words})
        backend = answer.headers["x-backend-used"]
        self._say(f"  > {question}\n  {backend}: {' '.join(words.split())}")
        self._say(f"      because {answer.headers['x-routing-reason']}; {self._cost(answer.headers['x-request-id'])}")
        return backend

    def _cost(self, request_id: str) -> str:
        """Settled by the sensors' next reading."""
        for _ in range(_LOOKS_FOR_ENERGY):
            energy = self._client.get(f"/admin/decisions/{request_id}")["energy"]
            if energy is not None and energy["joules"] is not None:
                return f"{energy['joules']:.1f} J, give or take {energy['error_joules']:.1f} ({energy['source']})"
            self._pause(0.1)
        return "its energy is not known"


def _zone_of(client: GatewayClient, backend: str) -> str:
    found = [zone["id"] for zone in client.get("/admin/zones")["data"] if backend in zone["backends"]]
    if not found:
        raise DemoFailedError(f"backend '{backend}' is in no zone")
    return str(found[0])


def _until_cool(client: GatewayClient, zone: str, pause: Callable[[float], None]) -> None:
    for _ in range(_PATIENCE_SECONDS * 2):
        if client.get(f"/admin/zones/{zone}")["state"] == "nominal":
            return
        pause(0.5)
    raise DemoFailedError(f"zone '{zone}' did not cool down within {_PATIENCE_SECONDS} s")


@contextmanager
def _served(configuration: Path, port: str) -> Iterator[str]:
    """A gateway in a process of its own, as `isotherm serve` starts it; its URL."""
    command = [sys.executable, "-m", "app", "serve", "--config", str(configuration), "--port", port]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield _url_of(process)
        finally:
            process.terminate()
            try:
                process.wait(_STOPPING_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _url_of(process: subprocess.Popen[str]) -> str:
    for line in process.stdout or ():
        if (found := _LISTENS.search(line)) is not None:
            return found[1]
    raise DemoFailedError("the gateway could not be started; see above")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
