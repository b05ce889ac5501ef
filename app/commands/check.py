"""`isotherm check`: says whether a configuration can be used, and if not, what is wrong where."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from app.catalogue.catalogue import load_catalogue
from app.commands.serve import CATALOGUE
from app.wiring import read_backends
from app.zones import read_sensors, regime
from config.load import load_settings


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser], configuration: Path) -> None:
    parser = commands.add_parser("check", help="validate a configuration")
    parser.add_argument("file", type=Path, nargs="?", default=configuration, metavar="FILE", help="the configuration")
    parser.set_defaults(command=check)


def check(options: argparse.Namespace) -> int:
    """Raises ConfigurationError with the YAML path."""
    load_catalogue(CATALOGUE)
    settings = load_settings(options.file)
    backends, zones = read_backends(settings), read_sensors(settings)
    regime(settings.routing)
    sys.stdout.write(f"{options.file} is good: {_named('backend', [one.id for one in backends])}")
    sys.stdout.write(f", {_named('zone', list(zones))}, mode {settings.routing.mode}\n")
    return 0


def _named(what: str, names: list[str]) -> str:
    count = f"{len(names) or 'no'} {what}{'' if len(names) == 1 else 's'}"
    return f"{count} ({', '.join(names)})" if names else count
