"""The model is an input of routing: supported, preferred and excluded patterns, and how large a model may be."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.house import WATTS, house
from tests.routers.running import error_of

pytestmark = pytest.mark.anyio

#: By name: the model, what is set for the integrated card (which would be first), and who answers.
PATTERNS: dict[str, tuple[str, dict[str, Any], str]] = {
    "supported: *:0.5b, asked for qwen:0.5b": ("qwen:0.5b", {"models": ["*:0.5b"]}, "igpu"),
    "supported: *:0.5b, asked for llama3:8b": ("llama3:8b", {"models": ["*:0.5b"]}, "nvidia"),
    "supported: llama3:*, asked for llama3:8b": ("llama3:8b", {"models": ["llama3:*"]}, "igpu"),
    "supported: llama3:*, asked for llama2:7b": ("llama2:7b", {"models": ["llama3:*"]}, "nvidia"),
    "excluded: *70b*, asked for llama3:70b": ("llama3:70b", {"excluded": ["*70b*"]}, "nvidia"),
    "excluded: *70b*, asked for llama3:8b": ("llama3:8b", {"excluded": ["*70b*"]}, "igpu"),
    "at most 8 billion, asked for llama3:8b": ("llama3:8b", {"max_model_billions": 8}, "igpu"),
    "at most 8 billion, asked for llama3:70b": ("llama3:70b", {"max_model_billions": 8}, "nvidia"),
    "at most 8 billion, asked for mixtral:8x7b": ("mixtral:8x7b", {"max_model_billions": 8}, "nvidia"),
    "at most 8 billion, asked for qwen:500m": ("qwen:500m", {"max_model_billions": 8}, "igpu"),
    "at most 8 billion, asked for one that does not say": ("mistral", {"max_model_billions": 8}, "igpu"),
}


@pytest.mark.parametrize(("model", "settings", "used"), list(PATTERNS.values()), ids=list(PATTERNS))
async def test_a_backend_gets_the_models_that_it_may_serve(model: str, settings: dict[str, Any], used: str) -> None:
    async with house(more={"igpu": settings}, models=dict.fromkeys(WATTS, model)) as home:
        assert await home.used(model=model) == used


async def test_a_model_that_is_too_large_for_everybody_is_the_callers_error() -> None:
    async with house({"npu": 4}, more={"npu": {"max_model_billions": 8}}, models={"npu": "llama3:70b"}) as home:
        error = error_of(await home.ask(model="llama3:70b"), 400)

    assert error["param"] == "model"
    assert "70 billion parameters, and 'npu' takes 8" in error["message"]


async def test_a_preferred_model_tells_two_apart_that_are_as_good_as_each_other() -> None:
    watts = {"igpu": 12.0, "cpu": 12.0}
    preferred = {"igpu": ["llama3:*"], "cpu": ["qwen:*"]}
    more = {name: {"hardware": "igpu", "preferred": patterns} for name, patterns in preferred.items()}
    async with house(watts, more=more, models=dict.fromkeys(watts, "qwen:0.5b")) as home:
        assert await home.used(model="qwen:0.5b") == "cpu"


async def test_the_first_choice_of_an_alias_is_preferred_whatever_has_it() -> None:
    models = {"npu": "qwen:0.5b", "igpu": "llama3:8b"}
    async with house({"npu": 4, "igpu": 12}, models=models, routing={"aliases": {"small": ["*:0.5b", "*"]}}) as home:
        response = await home.ask(model="small")

    assert response.headers["x-backend-used"] == "npu"
    assert home.servers["npu"].requests[-1].body["model"] == "qwen:0.5b"
