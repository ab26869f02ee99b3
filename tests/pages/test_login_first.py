"""Nobody is let in by forgetting a line: every page file asks for the login before it can show anything."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from pages.components.frame.sidebar import PAGES

ROOT = Path(__file__).parents[2]
FILES = ["app.py", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "pages").glob("*.py"))]
COMPONENTS = sorted((ROOT / "pages" / "components").rglob("*.py"))
ENTRANCE = {"bootstrap": "pages.components.frame.bootstrap", "guarded": "pages.components.session.net"}
PREPARES = {"fragment", "dialog", "cache_resource", "cache_data", "components"}  # of streamlit, and draws nothing
GOOD = """
import streamlit as st
from pages.components.frame.bootstrap import bootstrap
from pages.components.session.net import guarded

def draw():
    st.write("secret")

bootstrap("A", "B")
with guarded():
    draw()
"""


def complaint(source: str) -> str:
    """Why a page with this source might show something to somebody who is not logged in; nothing if it cannot."""
    body = ast.parse(source).body
    bound = _bound(body)
    if any(bound.get(name) != module for name, module in ENTRANCE.items()):
        return f"expected bootstrap and guarded from {' and '.join(ENTRANCE.values())}"
    start = next((k for k, node in enumerate(body) if _calls(node, "bootstrap")), None)
    if start is None:
        return "no line of its own calls bootstrap(…)"
    drawing = {name for name, module in bound.items() if module.split(".")[0] in {"streamlit", "pages"}}
    for node in body[:start]:
        if early := _executed_names(node) & drawing:
            return f"line {node.lineno} uses {', '.join(sorted(early))} before bootstrap(…)"
    for node in body[start + 1 :]:
        if not (isinstance(node, ast.With) and ast.unparse(node.items[0].context_expr) == "guarded()"):
            return f"line {node.lineno} stands outside of `with guarded():`"
    return ""


def _bound(body: list[ast.stmt]) -> dict[str, str]:
    """The names of a page and where they come from; what the page defines itself may draw, like what it imports."""
    found = {}
    for node in body:
        if isinstance(node, ast.Import):
            found |= {alias.asname or alias.name.split(".")[0]: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: node.module or "" for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = "pages"
    return found


def _calls(node: ast.stmt, name: str) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == name


def _executed_names(node: ast.AST) -> set[str]:
    return {one.id for one in _executed(node) if isinstance(one, ast.Name)}


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when the file does: no bodies of functions, no annotations, and nothing of streamlit that prepares."""
    if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "st" and node.attr in PREPARES:
        return
    yield node
    skipped = ("body", "returns", "annotation") if isinstance(node, ast.FunctionDef) else ("annotation",)
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and name not in skipped:
                yield from _executed(child)


@pytest.mark.parametrize("path", FILES)
def test_a_page_asks_for_the_login_before_it_can_draw(path: str) -> None:
    assert complaint((ROOT / path).read_text(encoding="utf-8")) == ""


@pytest.mark.parametrize(
    ("line", "instead", "words"),
    [
        ('bootstrap("A", "B")', "", "no line"),
        ('bootstrap("A", "B")', 'st.title("secret")\nbootstrap("A", "B")', "uses st before"),
        ('bootstrap("A", "B")', 'draw()\nbootstrap("A", "B")', "uses draw before"),
        ('bootstrap("A", "B")', 'SHOWN = [draw() for _ in "ab"]\nbootstrap("A", "B")', "uses draw before"),
        ('bootstrap("A", "B")', 'if st.session_state:\n    bootstrap("A", "B")', "no line"),
        ('bootstrap("A", "B")', 'bootstrap("A", "B")\ndraw()', "outside of"),
        ("with guarded():", "if True:", "outside of"),
        ("def draw():", "@st.cache_data(1)\ndef draw(x=st.title('secret')):", "uses st before"),
        ("from pages.components.frame.bootstrap import bootstrap", "def bootstrap(*_): ...", "expected bootstrap"),
        ("from pages.components.frame.bootstrap import bootstrap", "", "expected bootstrap"),
        ("from pages.components.session.net import guarded", "from contextlib import suppress as guarded", "expected"),
    ],
)
def test_a_page_that_forgets_the_line_is_refused(line: str, instead: str, words: str) -> None:
    assert line in GOOD and complaint(GOOD) == ""
    assert words in complaint(GOOD.replace(line, instead, 1))


def drawn_by_import(source: str) -> list[int]:
    """The lines that use streamlit when a component is imported: whoever imports it first would see what they draw."""
    return [node.lineno for node in ast.parse(source).body if "st" in _executed_names(node)]


def test_nothing_is_drawn_by_importing_a_component() -> None:
    found = {str(path): drawn_by_import(path.read_text(encoding="utf-8")) for path in COMPONENTS}
    assert len(found) > 60 and not {path: lines for path, lines in found.items() if lines}
    assert drawn_by_import("import streamlit as st\n@st.fragment\ndef f():\n    st.write()\nst.title('x')") == [5]


def test_the_sidebar_knows_every_page() -> None:
    assert list(PAGES) == FILES
