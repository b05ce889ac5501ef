"""The catalogue's models for live tests, fetched when they are not here yet."""

from __future__ import annotations

import os
from pathlib import Path

from app.catalogue.cache import Cache, default_root
from app.catalogue.catalogue import load_catalogue
from app.catalogue.fetch import fetch
from app.catalogue.progress import SilentProgress

_CATALOGUE = Path(__file__).parents[2] / "config" / "models.yaml"


def local_model(name: str) -> Path:
    """The model's file, or its directory when it has several."""
    model, cache = load_catalogue(_CATALOGUE).find(name), Cache(default_root(os.environ))
    fetch(model, cache, SilentProgress())
    return cache.file(model, model.files[0].name) if len(model.files) == 1 else cache.directory(model)
