"""`isotherm models`: what the catalogue has, and fetching it."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from app.catalogue.cache import Cache, default_root
from app.catalogue.catalogue import load_catalogue
from app.catalogue.fetch import fetch
from app.catalogue.progress import TerminalProgress
from app.commands.serve import CATALOGUE


def add_to(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    configuration: Path,  # noqa: ARG001 (the catalogue is one for all)
) -> None:
    parser = commands.add_parser("models", help="list or fetch models")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    actions.add_parser("list", help="what the catalogue has").set_defaults(command=list_models)
    pull = actions.add_parser("pull", help="fetch a model")
    pull.add_argument("name", metavar="NAME")
    pull.set_defaults(command=pull_model)


def list_models(options: argparse.Namespace) -> int:  # noqa: ARG001 (every command is called alike)
    """Name, capability, licence, size, and whether it is here."""
    cache = Cache(default_root(os.environ))
    for model in load_catalogue(CATALOGUE).models.values():
        megabytes = sum(file.bytes for file in model.files) / 1e6
        here = "here" if cache.present(model) else "not fetched"
        sys.stdout.write(f"{model.name:24} {model.capability:11} {model.licence:12} {megabytes:8.1f} MB  {here}\n")
    return 0


def pull_model(options: argparse.Namespace) -> int:
    """Raises ConfigurationError for an unknown name, ModelFetchError when it can't be had."""
    model = load_catalogue(CATALOGUE).find(options.name)
    directory = fetch(model, Cache(default_root(os.environ)), TerminalProgress(sys.stderr))
    sys.stdout.write(f"{model.name} is in {directory}\n")
    return 0
