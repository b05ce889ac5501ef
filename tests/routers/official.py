"""The official API description, where it lies beside the checkout: each schema is read when it is wanted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

FILE = Path(__file__).parents[3] / "shared" / "data" / "openai-openapi.yaml"
_REF = "#/components/schemas/"


class OfficialApi:
    """Whole, it takes YAML many seconds to read: the text is cut where a schema begins and ends."""

    def __init__(self) -> None:
        text = FILE.read_text(encoding="utf-8")
        self._text = text[text.index("\ncomponents:\n") :]
        self._validators: dict[str, Draft202012Validator] = {}

    def validate(self, answer: Any, name: str) -> None:
        """Raises ValidationError when the answer is not of that schema."""
        if name not in self._validators:
            self._validators[name] = self._validator(name)
        self._validators[name].validate(answer)

    def _validator(self, name: str) -> Draft202012Validator:
        schemas: dict[str, Any] = {}
        wanted = [name]
        while wanted:
            each = wanted.pop()
            if each not in schemas:
                schemas[each] = _of_json_schema(self._read(each))
                wanted += _refs(schemas[each])
        return Draft202012Validator({"$ref": f"{_REF}{name}", "components": {"schemas": schemas}})

    def _read(self, name: str) -> Any:
        found = re.search(rf"^    {name}:\n((?:      .*\n|\s*\n)+)", self._text, re.MULTILINE)
        assert found, f"there is no {name}"
        return yaml.load(found[0], yaml.CSafeLoader)[name]


def _refs(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        for each in schema:
            yield from _refs(each)
    elif isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].removeprefix(_REF)
        for each in schema.values():
            yield from _refs(each)


def _of_json_schema(schema: Any) -> Any:
    """`nullable`, which OpenAPI 3.0 had, in words of JSON Schema; prose and examples are left out."""
    if isinstance(schema, list):
        return [_of_json_schema(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _of_json_schema(value) for key, value in schema.items() if key not in ("nullable", "x-oaiMeta")}
    return {"anyOf": [kept, {"type": "null"}]} if schema.get("nullable") is True else kept
