"""The arrows of the house: who may import whom, and the budgets."""

from __future__ import annotations

import ast
import re
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LEVELS = (
    {"version", "settings", "cells", "files", "compute"},
    {"data"},
    {"models"},
    {"curvature"},
    {"solvers"},
    {"influence"},
    {"analysis"},
    {"teaching", "reviewing"},
    {"wrapping"},
    {"cli"},
    {"__main__"},
)
ASIDE = {
    "retraining": {"settings", "compute", "data", "models"},
    "agreement": {"compute"},
    "annotations": {"version", "settings", "cells", "files", "compute"},
    "mislabels": {"compute", "agreement"},
    "wording": {"settings", "models"},
    "streamed": {"settings", "compute", "data", "models", "curvature", "solvers", "influence", "retraining"},
}
BESIDE = {
    "analysis": {"agreement", "mislabels", "retraining", "wording"},
    "teaching": {"agreement", "mislabels", "retraining", "wording"},
    "reviewing": {"annotations"},
    "cli": {"annotations", "wording", "streamed"},
}
FLOORS = (
    {"session", "charts"},
    {"browser"},
    {"widgets", "lenses", "frame"},
    {"problem"},
    {"data", "explore", "model", "solvers", "review", "home"},
    {"lessons"},
)
DOOR = "pages/components/session/door.py"
CALLBACK = re.compile(r"on_(click|change|select|submit|\w+_change)")


def _modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


@cache
def _nodes(path: Path) -> tuple[ast.AST, ...]:
    """All of a file's syntax tree, read and walked once for all tests."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def _imports(path: Path, typing_too: bool = False) -> list[str]:
    found: list[str] = []
    typing_only = {id(n) for block in _nodes(path) if _type_checking(block) for n in ast.walk(block)}
    for node in _nodes(path):
        if id(node) in typing_only and not typing_too:
            continue
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            joined = [f"{node.module}.{alias.name}" for alias in node.names]
            found += joined if node.module in {"influence_core", "pages.components"} else [node.module]
    return found


def _allowed(room: str) -> set[str]:
    if room in ASIDE:
        return ASIDE[room] | {room}
    below: set[str] = set()
    for level in LEVELS:
        if room in level:
            return below | {room} | BESIDE.get(room, set()) | (level if level == LEVELS[0] else set())
        below |= level
    raise AssertionError(f"{room} has no place in the house: add it to LEVELS or ASIDE.")


def _room(path: Path) -> str:
    return path.relative_to(ROOT / "influence_core").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", _modules("influence_core"), ids=lambda path: str(path.relative_to(ROOT)))
def test_core_imports_only_what_lies_below(path: Path) -> None:
    room = _room(path)
    for name in _imports(path):
        top = name.split(".")[0]
        assert top not in {"streamlit", "plotly", "pages"}, f"{path} imports {name}"
        # Values go to worker processes as pickles; nothing else makes or reads any, and no file is one.
        own = {"pickle": "packing.py", "joblib": "serving.py"}
        assert top not in own or path.name == own[top] and room == "compute", f"{path} imports {name}"
        if name.startswith("influence_core.") and room != "__init__":
            assert name.split(".")[1] in _allowed(room), f"{room} may not import {name}"


@pytest.mark.parametrize("folder", ["influence_core", "pages"])
def test_no_function_local_or_wildcard_imports(folder: str) -> None:
    for path in _modules(folder):
        for function in (n for n in _nodes(path) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)):
            inner = [n for n in ast.walk(function) if isinstance(n, ast.Import | ast.ImportFrom)]
            assert not inner, f"{path}:{inner[0].lineno} imports inside a function"
        stars = [n for n in _nodes(path) if isinstance(n, ast.ImportFrom) and n.names[0].name == "*"]
        assert not stars, f"{path} has a wildcard import"


def test_pages_take_settings_from_the_core_and_everything_else_through_the_door() -> None:
    for path in [*_modules("pages"), ROOT / "app.py"]:
        for name in _imports(path):
            light = name in {f"influence_core.{name}" for name in ("settings", "cells", "files")}
            assert light or not name.startswith("influence_core"), f"{path} imports {name}: use {DOOR}"


@pytest.mark.parametrize("path", _modules("pages/components"), ids=lambda path: str(path.relative_to(ROOT)))
def test_page_rooms_import_only_what_lies_below(path: Path) -> None:
    floors = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
    room = path.relative_to(ROOT / "pages" / "components").parts[0]
    for name in _imports(path, typing_too=True):
        if name.startswith("pages.components."):
            other = name.split(".")[2]
            assert other == room or floors[other] < floors[room], f"{room} may not import {name}"


def test_lessons_and_figures_are_made_of_parts_and_know_nothing_of_each_other() -> None:
    floors, top = {"parts": 0, "topics": 1, "figures": 1}, 2
    lessons = ROOT / "pages" / "components" / "lessons"
    for path in _modules("pages/components/lessons"):
        room = path.relative_to(lessons).parts[0]
        for name in _imports(path, typing_too=True):
            if name.startswith("pages.components.lessons.") and floors.get(room, top) < top:
                other = name.split(".")[3]
                assert other == room or floors.get(other, top) < floors[room], f"{path} imports {name}"


def test_only_lenses_ask_for_the_images_of_examples() -> None:
    for path in [*_modules("pages"), ROOT / "app.py"]:
        if {"lenses", "browser"} & {*path.relative_to(ROOT).parts}:
            continue
        for node in _nodes(path):
            asks = isinstance(node, ast.Attribute) and node.attr == "images"
            # What a file holds that is being uploaded is no set of examples yet, and has no kind.
            assert not asks or ast.unparse(node) == "raw.images", f"{path}:{node.lineno}: ask lens_of(…)"


def test_a_browser_component_is_a_folder_that_imports_itself_and_what_is_shared() -> None:
    browser = ROOT / "pages" / "components" / "browser"
    for script in browser.glob("*/*.js"):
        assert (script.parent / "component.js").exists() or script.parent.name == "shared", f"{script.parent} has none"
        for name in re.findall(r"(?:from|import\() ?'([^']+)'", script.read_text(encoding="utf-8")):
            assert name.startswith("./") or re.match(r"\.\./shared/[\w.]+$", name), f"{script} imports {name}"
    for path in _modules("pages"):
        assert "components.v2" not in path.read_text(encoding="utf-8") or path.name == "bridge.py", path


def test_no_circle_of_modules_typing_imports_counted() -> None:
    files = {_dotted(path): path for folder in ("influence_core", "pages") for path in _modules(folder)}
    graph = {name: {_module_of(taken, files) for taken in _taken(path)} - {"", name} for name, path in files.items()}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from error


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _module_of(taken: str, files: dict[str, Path]) -> str:
    """The longest beginning of a dotted name that is a module of ours."""
    parts = taken.split(".")
    return next((name for k in range(len(parts), 0, -1) if (name := ".".join(parts[:k])) in files), "")


def _taken(path: Path) -> list[str]:
    found: list[str] = []
    for node in _nodes(path):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def _type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _functions() -> list[tuple[str, ast.FunctionDef]]:
    return [
        (f"{path.relative_to(ROOT)}:{node.name}", node)
        for path in [*_modules("influence_core"), *_modules("pages"), ROOT / "app.py"]
        for node in _nodes(path)
        if isinstance(node, ast.FunctionDef)
    ]


def _body_lines(node: ast.FunctionDef) -> int:
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0  # type: ignore[operator]


def test_budgets() -> None:
    for path in [*_modules("influence_core"), *_modules("pages"), ROOT / "app.py"]:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, f"{path} is over 300 lines"
    for path in [*(ROOT / "pages").rglob("*.js"), *(ROOT / "tests").rglob("*.mjs")]:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, f"{path} is over 300 lines"
    for path in (ROOT / "tests").rglob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 600, f"{path} is over 600 lines: split it by kind"
    sizes = {name: _body_lines(node) for name, node in _functions()}
    assert not [f"{name}: {size}" for name, size in sizes.items() if size > 40]
    assert sorted(sizes.values())[len(sizes) // 2] <= 8


def test_no_class_of_ours_inherits_from_another_of_ours() -> None:
    classes = [node for path in _modules("influence_core") for node in _nodes(path) if isinstance(node, ast.ClassDef)]
    ours = {node.name for node in classes}
    for node in classes:
        bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
        assert not bases & ours, f"{node.name} inherits from {bases & ours}"


def test_public_class_names_are_unique() -> None:
    homes: dict[str, list[str]] = {}
    for path in [*_modules("influence_core"), *_modules("pages")]:
        for node in _nodes(path):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert not {name: found for name, found in homes.items() if len(found) > 1}, "one word stands for one thing"


def test_init_files_of_the_core_only_hand_names_on() -> None:
    for path in (ROOT / "influence_core").rglob("__init__.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            made = isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            assert not made or node.name == "__getattr__", f"{path}:{node.lineno}: {node.name} belongs into a file"


def test_every_callback_is_safe_and_every_fragment_guarded() -> None:
    for path in [*_modules("pages"), ROOT / "app.py"]:
        for node in _nodes(path):
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


ENTRIES = {"Estimator", "SolverEntry", "Kind", "ModelEntry", "Quantity", "Source", "Signal", "Lens", "Preset"}
STEPS = {"Step", "Lesson", "FigurePage", "FigureEntry", "Tool"}


def test_entries_of_registries_and_steps_of_lessons_are_made_by_keywords() -> None:
    found = set()
    for path in [*_modules("influence_core"), *_modules("pages")]:
        for node in _nodes(path):
            if isinstance(node, ast.ClassDef) and node.name in ENTRIES | STEPS:
                found.add(node.name)
                assert "kw_only=True" in ast.unparse(node.decorator_list[0]), f"{path}:{node.lineno}: {node.name}"
    assert found == ENTRIES | STEPS
