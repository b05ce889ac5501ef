"""The `isotherm` command: serve, check, explain, models, sensors, top, demo, bench, calibrate."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from app.commands import bench, calibrate, check, demo, explain, models, sensors, serve, top
from app.domain.errors import IsothermError

_CONFIGURATION = Path(__file__).parent.parent / "config" / "isotherm.yaml"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; an error is one line on stderr and exit code 1."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        code = command(options)
    except IsothermError as error:
        print(f"isotherm: {error}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="isotherm", description="One address in front of all your local AI.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (serve, check, explain, models, sensors, top, demo, bench, calibrate):
        module.add_to(commands, _CONFIGURATION)
    return parser


if __name__ == "__main__":
    main()
