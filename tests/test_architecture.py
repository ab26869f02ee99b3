"""The arrows of the house: who may import whom, and the budgets."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LEVELS = (
    {"settings", "cells", "compute"},
    {"data"},
    {"models"},
    {"curvature"},
    {"solvers"},
    {"influence"},
    {"estimators"},
    {"effects"},
    {"diagnostics", "evidence", "fastif", "trials", "trust"},
    {"analysis"},
    {"figures"},
    {"lessons"},
    {"wrapping"},
    {"cli"},
    {"__main__"},
)
ASIDE = {
    "retraining": {"settings", "compute", "data", "models"},
    "agreement": {"compute"},
    "annotations": {"settings", "cells", "compute"},
    "neighbours": {"compute"},
    "mislabels": {"compute", "agreement"},
    "trust": {"agreement", "compute", "models", "solvers"},
}
CALLBACK = re.compile(r"on_(click|change|select|submit|\w+_change)")
LAZY = {"pages/components/cached.py"}


def _modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def _imports(path: Path) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: list[str] = []
    typing_only = {id(n) for block in ast.walk(tree) if _type_checking(block) for n in ast.walk(block)}
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            joined = [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "influence_core" else []
            found += joined or [node.module]
    return found


def _allowed(room: str) -> set[str]:
    if room in ASIDE:
        return ASIDE[room] | {room}
    below: set[str] = set()
    for level in LEVELS:
        if room in level:
            beside = {"agreement", "mislabels", "retraining"} if room in {"analysis", "figures", "lessons"} else set()
            beside |= {"annotations"} if room == "cli" else set()
            beside |= {"neighbours"} if room == "fastif" else set()
            return below | level | beside
        below |= level
    raise AssertionError(f"{room} has no place in the house: add it to LEVELS or ASIDE.")


def _room(path: Path) -> str:
    return path.relative_to(ROOT / "influence_core").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", _modules("influence_core"), ids=lambda path: str(path.relative_to(ROOT)))
def test_core_imports_only_what_lies_below(path: Path) -> None:
    room = _room(path)
    for name in _imports(path):
        top = name.split(".")[0]
        assert top not in {"streamlit", "plotly", "pages", "pickle", "joblib"}, f"{path} imports {name}"
        if name.startswith("influence_core.") and room != "__init__":
            assert name.split(".")[1] in _allowed(room), f"{room} may not import {name}"


@pytest.mark.parametrize("folder", ["influence_core", "pages"])
def test_no_function_local_or_wildcard_imports(folder: str) -> None:
    for path in _modules(folder):
        if str(path.relative_to(ROOT)) in LAZY:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function in (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)):
            inner = [n for n in ast.walk(function) if isinstance(n, ast.Import | ast.ImportFrom)]
            assert not inner, f"{path}:{inner[0].lineno} imports inside a function"
        stars = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.names[0].name == "*"]
        assert not stars, f"{path} has a wildcard import"


def test_pages_reach_the_core_through_settings_and_analysis_only() -> None:
    for path in [*_modules("pages"), ROOT / "app.py"]:
        for name in _imports(path):
            if name.startswith("influence_core"):
                allowed = {
                    f"influence_core.{room}" for room in ("settings", "analysis", "annotations", "figures", "lessons")
                }
                assert name in allowed, f"{path} imports {name}"


def _type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _functions() -> list[tuple[str, ast.FunctionDef]]:
    return [
        (f"{path.relative_to(ROOT)}:{node.name}", node)
        for path in [*_modules("influence_core"), *_modules("pages"), ROOT / "app.py"]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    ]


def _body_lines(node: ast.FunctionDef) -> int:
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0  # type: ignore[operator]


def test_budgets() -> None:
    for path in [*_modules("influence_core"), *_modules("pages"), ROOT / "app.py"]:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, f"{path} is over 300 lines"
    sizes = {name: _body_lines(node) for name, node in _functions()}
    assert not [f"{name}: {size}" for name, size in sizes.items() if size > 40]
    assert sorted(sizes.values())[len(sizes) // 2] <= 8


def test_no_class_of_ours_inherits_from_another_of_ours() -> None:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in _modules("influence_core")]
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    ours = {node.name for node in classes}
    for node in classes:
        bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
        assert not bases & ours, f"{node.name} inherits from {bases & ours}"


def test_every_callback_is_safe_and_every_fragment_guarded() -> None:
    for path in [*_modules("pages"), ROOT / "app.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for value in _callbacks(node):
                wrapped = isinstance(value, ast.Call) and getattr(value.func, "id", "") == "safely"
                assert wrapped or isinstance(value, ast.Constant), f"{path}:{value.lineno}: wrap it in safely(…)"
            if isinstance(node, ast.FunctionDef) and any("fragment" in ast.unparse(d) for d in node.decorator_list):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                assert ast.unparse(body[0]).startswith("with guarded()") and len(body) == 1, f"{path}:{node.lineno}"


def _callbacks(node: ast.AST) -> list[ast.expr]:
    """What a widget is told to call, as a keyword or as an entry of a dict of keywords."""
    if isinstance(node, ast.Call):
        return [word.value for word in node.keywords if CALLBACK.fullmatch(word.arg or "")]
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return [v for k, v in pairs if isinstance(k, ast.Constant) and CALLBACK.fullmatch(str(k.value))]
    return []
