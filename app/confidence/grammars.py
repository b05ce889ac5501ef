"""Whether a piece of code stands in its language's grammar, for the languages that have one installed."""

from __future__ import annotations

import importlib
import re

#: The module and function that have a grammar, and the labels of the blocks that it is for.
GRAMMARS: dict[str, tuple[str, ...]] = {
    "tree_sitter_bash:language": ("bash", "sh", "shell"),
    "tree_sitter_c:language": ("c",),
    "tree_sitter_cpp:language": ("cpp", "c++", "cc", "cxx", "hpp"),
    "tree_sitter_css:language": ("css",),
    "tree_sitter_go:language": ("go", "golang"),
    "tree_sitter_html:language": ("html",),
    "tree_sitter_java:language": ("java",),
    "tree_sitter_javascript:language": ("javascript", "js", "jsx", "mjs", "cjs"),
    "tree_sitter_rust:language": ("rust", "rs"),
    "tree_sitter_typescript:language_tsx": ("tsx",),
    "tree_sitter_typescript:language_typescript": ("typescript", "ts"),
}

#: What statements are put into where they do not stand alone.
_AROUND = {
    "tree_sitter_c:language": (b"void f() {\n", b"\n}"),
    "tree_sitter_cpp:language": (b"void f() {\n", b"\n}"),
    "tree_sitter_css:language": (b"a {\n", b"\n}"),
    "tree_sitter_go:language": (b"func f() {\n", b"\n}"),
}

_BYTES = 4096

#: What is no code, and would take a parser time that grows with the square of its length.
_DRONE = re.compile(r"((?![-#*=/_~+])\S{1,4}?)\1{63}")


def stands(label: str, body: str) -> bool | None:
    """None where it can't be told: no grammar for it, too long, or one thing over and over."""
    source = body.encode("utf-8", "replace")
    target = next((target for target, labels in GRAMMARS.items() if label in labels), None)
    if target is None or len(source) > _BYTES or _DRONE.search(body):
        return None
    good = _parse(target, source)
    if good is False and target in _AROUND:
        before, after = _AROUND[target]
        return _parse(target, before + source + after)
    return good


def _parse(target: str, source: bytes) -> bool | None:
    module, _, function = target.partition(":")
    try:
        import tree_sitter

        language = tree_sitter.Language(getattr(importlib.import_module(module), function)())
    except ImportError:  # a grammar is an extra
        return None
    return not tree_sitter.Parser(language).parse(source).root_node.has_error
