"""Once the models are here, a start needs no network and little time."""

from __future__ import annotations

import time
from pathlib import Path

import openai
import pytest

from tests.live.gateway import CHAT_MODEL, EMBEDDING_MODEL, Gateway, eventually, serving

pytestmark = pytest.mark.live

NOWHERE = "http://127.0.0.1:9"
NO_NETWORK = {
    "HTTP_PROXY": NOWHERE,
    "HTTPS_PROXY": NOWHERE,
    "ALL_PROXY": NOWHERE,
    "http_proxy": NOWHERE,
    "https_proxy": NOWHERE,
    "all_proxy": NOWHERE,
    "no_proxy": "",
    "NO_PROXY": "",
    "PIP_INDEX_URL": f"{NOWHERE}/simple",
    "PIP_EXTRA_INDEX_URL": "",
    "UV_INDEX_URL": f"{NOWHERE}/simple",
    "HF_ENDPOINT": NOWHERE,
}


def test_a_second_start_needs_no_network(gateway: Gateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    with serving(tmp_path, environ=NO_NETWORK) as running:  # `gateway` has fetched the models
        eventually(lambda: running.healthy() >= {"eco", "max", "embed"}, "all its backends are healthy")
        seconds = time.monotonic() - began
        with openai.OpenAI(base_url=running.api, api_key="none", max_retries=0) as client:
            said = client.chat.completions.create(
                model=CHAT_MODEL, messages=[{"role": "user", "content": "Say hello."}], max_tokens=4
            )
            vectors = client.embeddings.create(model=EMBEDDING_MODEL, input="hello")
        said_of_models = running.log

    with capsys.disabled():
        print(f"\nready {seconds:.1f} s after the start", end="")  # noqa: T201 (for a person: no test of a clock)
    assert said.choices[0].message.content
    assert vectors.data[0].embedding
    assert "MB/s" not in said_of_models
