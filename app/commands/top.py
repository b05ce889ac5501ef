"""`isotherm top`: zones, backends and decisions of a running gateway in a terminal."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from app.commands.gateway_client import GatewayClient, add_arguments, client_of
from app.commands.screen import screen

_CLEAR = "\x1b[H\x1b[2J"
_DECISIONS = 200


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser], configuration: Path) -> None:  # noqa: ARG001
    parser = commands.add_parser("top", help="watch a running gateway in this terminal")
    add_arguments(parser)
    parser.add_argument("--once", action="store_true", help="print it once and end")
    parser.add_argument("--seconds", type=float, default=1.0, metavar="S", help="between two looks")
    parser.set_defaults(command=top)


def top(options: argparse.Namespace, pause: Callable[[float], None] = time.sleep) -> int:
    """Until Ctrl-C. Raises GatewayUnreachableError."""
    client = client_of(options)
    try:
        while True:
            size = shutil.get_terminal_size()
            lines = look(client, size.columns)
            if options.once:
                sys.stdout.write("\n".join(lines) + "\n")
                return 0
            sys.stdout.write(_CLEAR + "\n".join(lines[: size.lines - 1]) + "\n")
            sys.stdout.flush()
            pause(options.seconds)
    finally:
        client.close()


def look(client: GatewayClient, columns: int) -> list[str]:
    """The gateway as it stands, in lines of at most that many characters."""
    return screen(
        client.url,
        client.get("/admin/mode"),
        client.get("/admin/zones")["data"],
        client.get("/admin/backends")["data"],
        client.get(f"/admin/decisions?limit={_DECISIONS}")["data"],
        columns,
    )
