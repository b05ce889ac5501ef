"""POST /v1/completions."""

from __future__ import annotations

from starlette.routing import Route

from app.domain.backend import Capability
from app.domain.errors import BadRequestError
from app.domain.job import Job
from routers.door import Door
from routers.job import Caller, make_job
from routers.shapes.completions import SHAPE

_MAX_CHOICES = 128


def read(content: bytes, caller: Caller) -> Job:
    """Raises BadRequestError naming the field."""
    body = SHAPE.read(content)
    prompt = body["prompt"]
    prompts = prompt if isinstance(prompt, list) and isinstance(prompt[0], str | list) else [prompt]
    choices = len(prompts) * (body.get("n") or 1)
    if choices > _MAX_CHOICES:
        raise BadRequestError(f"{choices} choices are more than {_MAX_CHOICES}.", param="n", code="invalid_value")
    longest = max((text for text in prompts if isinstance(text, str)), key=len, default="")
    return make_job(Capability.COMPLETE, body, caller, texts=[longest], last_words=longest, choices=choices)


route = Route("/v1/completions", Door(Capability.COMPLETE, read), methods=["POST"])
