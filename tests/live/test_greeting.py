"""What `serve` prints for a person to try works when it is pasted."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from tests.live.gateway import Gateway

pytestmark = pytest.mark.live


def test_the_curl_command_streams_an_answer(gateway: Gateway) -> None:
    found = re.search(r"^curl .*?(?=\n\n)", gateway.said, re.MULTILINE | re.DOTALL)
    assert found is not None

    answer = subprocess.run(["bash", "-c", found[0]], capture_output=True, text=True, timeout=120, check=True)

    *events, done = [line.removeprefix("data: ") for line in answer.stdout.splitlines() if line]
    assert done == "[DONE]"
    assert "".join(json.loads(event)["choices"][0]["delta"].get("content") or "" for event in events)


def test_the_python_snippet_prints_an_answer(gateway: Gateway) -> None:
    snippet = gateway.said[gateway.said.index("from openai import") :]

    answer = subprocess.run(
        [sys.executable, "-c", snippet], capture_output=True, text=True, timeout=120, check=True, cwd="/"
    )

    assert answer.stdout.strip()
    assert answer.stderr == ""
