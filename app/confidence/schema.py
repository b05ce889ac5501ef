"""Whether a JSON value is what a JSON schema asks for, in bounded work and without fetching anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WORK = 1_000_000  # looks at a value; about 15 ns each
_REGEX_BYTES = 65_536


def fits(schema: Mapping[str, Any], value: Any) -> bool | None:
    """None where it can't be told: no valid schema, one that points outside itself, or too much work.

    Patterns are matched in linear time, so those with lookaround or back references can't be told. What `format` says
    is a note and not a demand. Source: JSON Schema 2020-12, core section 8.2.3 and validation section 7.2.
    """
    import jsonschema_rs

    try:
        if _work(schema, value) > _WORK:
            return None
        validator = jsonschema_rs.validator_for(
            dict(schema),
            offline=True,
            validate_formats=False,
            pattern_options=jsonschema_rs.RegexOptions(size_limit=_REGEX_BYTES, dfa_size_limit=_REGEX_BYTES),
        )
        return validator.is_valid(value)
    except (LookupError, RecursionError, ValueError):  # ValidationError and ReferencingError among them
        return None


def _work(schema: Mapping[str, Any], value: Any) -> float:
    """The most looks that it can take: every value at every part of the schema, references written out; one that
    leads back to where it stands is written out again at each level of the value.
    """
    written_out = _WrittenOut(schema)
    size, loops = written_out.measure(schema)
    values, depth = _extent(value)
    return float(size) * values * float(max(loops, 1)) ** min(depth, 64)


def _extent(value: Any) -> tuple[int, int]:
    """How many values there are in a value, and how deep they lie."""
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    count = depth = 1
    for one in inner:
        more, down = _extent(one)
        count += more
        depth = max(depth, down + 1)
    return count, depth


class _WrittenOut:
    """How long a schema is when each reference in it is replaced by what it names."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._open: set[int] = set()
        self._done: dict[int, tuple[int, int]] = {}

    def measure(self, node: Any) -> tuple[int, int]:
        """Its parts, and how many references among them lead back to what they stand in.

        Raises LookupError for a reference that names nothing here.
        """
        if not isinstance(node, Mapping | list):
            return 1, 0
        if id(node) in self._open:
            return 1, 1
        if id(node) not in self._done:
            self._open.add(id(node))
            self._done[id(node)] = self._inside(node)
            self._open.discard(id(node))
        return self._done[id(node)]

    def _inside(self, node: Mapping[str, Any] | list[Any]) -> tuple[int, int]:
        parts, loops = 1, 0
        for key, inner in node.items() if isinstance(node, Mapping) else enumerate(node):
            reference = key in ("$ref", "$dynamicRef", "$recursiveRef") and isinstance(inner, str)
            more, back = self.measure(self._named(inner) if reference else inner)
            parts += more
            loops += back
        return parts, loops

    def _named(self, pointer: str) -> Any:
        """Source: JSON Pointer, RFC 6901."""
        if pointer == "#":
            return self._schema
        if not pointer.startswith("#/") or "%" in pointer:
            raise LookupError(pointer)
        node: Any = self._schema
        for step in pointer[2:].split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(node, Mapping | list):
                raise LookupError(pointer)
            node = node[int(name)] if isinstance(node, list) else node[name]
        return node
