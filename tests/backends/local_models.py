"""Where the models for live tests are: named by the environment, or in the catalogue's cache."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.catalogue.cache import Cache, default_root
from app.catalogue.catalogue import load_catalogue

_CATALOGUE = Path(__file__).parents[2] / "config" / "models.yaml"


def local_model(name: str, variable: str) -> Path:
    """The model's file, or its directory when it has several; skips the test when it isn't on this machine."""
    if given := os.environ.get(variable):
        return Path(given)
    model = load_catalogue(_CATALOGUE).find(name)
    cache = Cache(default_root(os.environ))
    if not cache.present(model):
        pytest.skip(f"set {variable}, or run `isotherm models pull {name}`")
    return cache.file(model, model.files[0].name) if len(model.files) == 1 else cache.directory(model)
