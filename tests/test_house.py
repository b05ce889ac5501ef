"""The rules of the house that a program can check."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

from app.loader import load

ROOT = Path(__file__).parents[1]
PACKAGES = ("app", "backends", "config", "routers")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MOST_LINES = 250
WORDS_THAT_NAME_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "lib", "manager", "managers"}

of_every_module = pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))


def tree_of(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"))


def tables() -> dict[str, dict[str, str]]:
    """Every table of kinds, by the module that it stands in."""
    found = {}
    for module in MODULES:
        names = [
            target.id for node in tree_of(module).body for target in _targets(node) if isinstance(target, ast.Name)
        ]
        if "KINDS" in names:
            name = ".".join(module.relative_to(ROOT).with_suffix("").parts)
            found[name] = importlib.import_module(name).KINDS
    return found


def _targets(node: ast.stmt) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, ast.AnnAssign) else []


def test_there_is_something_to_look_at() -> None:
    assert len(MODULES) > 50


@of_every_module
def test_the_first_line_of_a_module_says_its_one_idea_in_a_sentence(module: Path) -> None:
    first = (ast.get_docstring(tree_of(module)) or "").partition("\n")[0]

    assert first.endswith("."), first
    assert len(first) > 10, first


@of_every_module
def test_no_module_is_longer_than_a_person_reads_at_once(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@of_every_module
def test_a_modules_name_names_something(module: Path) -> None:
    assert not WORDS_THAT_NAME_NOTHING & set(module.relative_to(ROOT).with_suffix("").parts)


@of_every_module
def test_no_class_is_called_router_or_manager(module: Path) -> None:
    classes = [node.name for node in ast.walk(tree_of(module)) if isinstance(node, ast.ClassDef)]

    assert not [name for name in classes if name.endswith(("Router", "Manager"))]


TABLES = tables()


def test_the_tables_that_a_newcomer_adds_a_line_to_are_there() -> None:
    assert {"backends.base", "app.routing.rule"} <= set(TABLES)


@pytest.mark.parametrize(("table", "kind"), [(table, kind) for table, kinds in TABLES.items() for kind in kinds])
def test_every_kind_of_every_table_is_there(table: str, kind: str) -> None:
    assert callable(load(kind, TABLES[table]))


@pytest.mark.parametrize("folder", ["routing/rules"])
def test_every_rule_stands_in_its_table(folder: str) -> None:
    files = {path.stem for path in (ROOT / "app" / folder).glob("*.py") if path.stem != "__init__"}

    assert files == {target.partition(":")[0].rpartition(".")[2] for target in TABLES["app.routing.rule"].values()}


def test_tests_that_are_patches_are_few() -> None:
    """Fakes, not patches: only the environment is patched."""
    tests = [path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__)]
    patches = [
        str(path.relative_to(ROOT)) for path in tests if "monkeypatch.setattr" in path.read_text(encoding="utf-8")
    ]

    assert patches == []
