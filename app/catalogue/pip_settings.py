"""The package index that this person has set up for pip, which is where wheels come from."""

import ast
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

DEFAULT_INDEX = "https://pypi.org/simple/"
SECTIONS = ("global", "download", ":env:")  # as pip ranks them: the later one wins
TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class PipSettings:
    indexes: tuple[str, ...] = (DEFAULT_INDEX,)
    find_links: tuple[str, ...] = ()
    certificates: str | None = None


def list_pip_config(environ: Mapping[str, str]) -> str | None:
    """What the pip of this interpreter says that it is set up with; None where there is no pip."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    try:
        done = subprocess.run(
            command, env=dict(environ), capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def read_pip_settings(listing: str | None, environ: Mapping[str, str]) -> PipSettings:
    """From pip's own listing, or without one from the variables that pip would read."""
    return settings_from(options_in_environment(environ) if listing is None else options_in_listing(listing))


def settings_from(options: Mapping[str, str]) -> PipSettings:
    indexes = [options.get("index-url", DEFAULT_INDEX), *options.get("extra-index-url", "").split()]
    without_index = options.get("no-index", "").lower() in {"1", "true", "yes", "on"}
    return PipSettings(
        indexes=() if without_index else tuple(indexes),
        find_links=tuple(options.get("find-links", "").split()),
        certificates=options.get("cert") or None,
    )


def options_in_listing(listing: str) -> dict[str, str]:
    """Merge the lines of `pip config list`, such as `global.index-url='https://...'`."""
    ranked: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for line in listing.splitlines():
        key, _, value = line.partition("=")
        section, _, option = key.rpartition(".")
        if section in ranked:
            ranked[section][option] = _text(value)
    return {option: value for section in SECTIONS for option, value in ranked[section].items()}


def options_in_environment(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name.removeprefix("PIP_").lower().replace("_", "-"): value
        for name, value in environ.items()
        if name.startswith("PIP_")
    }


def _text(quoted: str) -> str:
    try:
        value = ast.literal_eval(quoted)
    except (SyntaxError, ValueError):
        return quoted
    return str(value)
