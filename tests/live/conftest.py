"""The default configuration, served with its real models, and the official client in front of it."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest

from tests.live.gateway import Gateway, eventually, serving


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One for all tests that leave it as it was."""
    with serving(tmp_path_factory.mktemp("gateway")) as running:
        eventually(lambda: running.get("/health/ready").status_code == 200, "the gateway is ready")
        eventually(lambda: running.healthy() >= {"eco", "max", "embed"}, "all its backends are healthy")
        yield running


@pytest.fixture(scope="session")
def client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=gateway.api, api_key="none", max_retries=0) as opened:
        yield opened
