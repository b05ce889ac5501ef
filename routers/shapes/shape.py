"""Reads a body into a dict that keeps the API's promises, or says which field does not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from app.domain.errors import BadRequestError

#: Types are taken as they are written, and fields that are not of the API are kept.
OPEN = ConfigDict(extra="allow", strict=True)

Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
Model = Annotated[str, Field(min_length=1, max_length=256)]
Penalty = Annotated[float, Field(ge=-2, le=2)]
Seed = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
Bias = Annotated[float, Field(ge=-100, le=100)]
TokenId = Annotated[str, Field(pattern=r"^\d{1,10}$")]
Stops = Annotated[list[str], Field(max_length=64)]

_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_UNION_TAGS = frozenset({"bool", "dict", "float", "int", "none", "str"})


class Shape:
    """One endpoint's body; `kind` is a TypedDict."""

    def __init__(self, kind: Any) -> None:
        self._adapter: TypeAdapter[dict[str, Any]] = TypeAdapter(kind)

    def read(self, body: bytes) -> dict[str, Any]:
        """Raises BadRequestError naming the field."""
        if b"\\u0000" in body and _NUL.search(body):
            raise BadRequestError("The body holds a NUL character, which no model can read.", code="invalid_value")
        try:
            return self._adapter.validate_json(body)
        except ValidationError as error:
            raise _first(error.errors(include_url=False, include_input=False, include_context=False)) from None

    def schema(self) -> dict[str, Any]:
        """JSON Schema, its definitions under `#/components/schemas`."""
        return self._adapter.json_schema(ref_template="#/components/schemas/{model}")


def _first(findings: list[ErrorDetails]) -> BadRequestError:
    """The finding that is deepest in the body: of a union's branches the one that came furthest."""
    finding = max(findings, key=lambda found: len(found["loc"]))
    if finding["type"] == "json_invalid":
        return BadRequestError(f"The body is no valid JSON: {finding['msg']}", code="invalid_json")
    field = ".".join(map(str, _path(finding["loc"])))
    message = finding["msg"].removeprefix("Value error, ")
    if not field:
        return BadRequestError(f"The body must be a JSON object: {message}", code="invalid_value")
    code = "missing_required_parameter" if finding["type"] == "missing" else "invalid_value"
    return BadRequestError(f"'{field}': {message}", param=field, code=code)


def _path(location: tuple[int | str, ...]) -> Iterator[int | str]:
    """Without the names of a union's branches; one that is told by its `type` is called as its field is."""
    before: int | str = ""
    for part in location:
        if not _is_tag(part) and (isinstance(part, int) or part != before):
            yield part
        before = part


def _is_tag(part: int | str) -> bool:
    return isinstance(part, str) and (part in _UNION_TAGS or "[" in part or part[:1].isupper())
