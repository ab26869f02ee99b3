"""Accounts: where a provider is configured, no page shows anything without one, deep links included."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Block

from pages.components.review import opening
from pages.components.session import cached
from tests.pages.test_login_first import FILES
from tests.pages.test_mislabels_page import DIGITS, has, until, words
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
PROVIDER = {"auth": {"client_id": "x", "server_metadata_url": "https://login.example/.well-known/openid-configuration"}}


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("INFLUENCE_DB_URL", raising=False)
    yield
    cached.store().close()


def visited(page: str, user: dict[str, object] | None = None, **query: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / page), default_timeout=PATIENCE)
    app.secrets = PROVIDER
    app.user = user or {"is_logged_in": False}
    for name, value in query.items():
        app.query_params[name.replace("__", ".")] = value
    return app.run()


def shown(app: AppTest) -> list[str]:
    """The kinds of everything on the page and in the sidebar."""
    assert not app.exception and not app.toast
    elements = [element for block in (app.main, app.sidebar) for element in block]
    return sorted(type(element).__name__ for element in elements if not isinstance(element, Block))


@pytest.mark.parametrize("page", FILES)
def test_no_page_shows_anything_without_an_account(page: str) -> None:
    app = visited(page, test="3", data__name="digits")
    assert shown(app) == ["Button", "Markdown", "Title", "UnknownElement"]  # the last brings one back after the login
    assert app.title[0].value == "Influence Explorer" and app.button[0].key == "log-in"
    assert words(app) == "This server is for people with an account."
    assert "settings" not in app.session_state


def test_a_page_that_forgets_the_login_would_be_seen(tmp_path: Path) -> None:
    page = tmp_path / "7_Forgotten.py"
    page.write_text("import streamlit as st\nst.caption('secret')\n", encoding="utf-8")
    assert shown(visited(str(page))) == ["Caption"]


def test_an_account_is_the_name_and_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "DEMO", DIGITS)
    monkeypatch.setenv("INFLUENCE_LEADS", "ada@example.org")
    app = visited("pages/4_Mislabels.py", {"is_logged_in": True, "email": "ada@example.org", "sub": "1"})
    assert "Who are you?" not in words(app)
    app.button(key="review-demo").click().run()
    until(app, lambda app: has(app, "review-Q"))
    assert "Team" in str(app.get("button_group")[0].proto)
    with cached.store().reading() as connection:
        (said,) = connection.exec_driver_sql("SELECT annotator, detail FROM event WHERE kind = 'login'").all()
    assert said[0] == "ada@example.org" and "oidc" in said[1] and "lead" in said[1]


def test_an_address_that_nobody_verified_makes_no_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFLUENCE_LEADS", "ada@example.org")
    user = {"is_logged_in": True, "email": "ada@example.org", "email_verified": False, "sub": "stranger-7"}
    app = visited("pages/4_Mislabels.py", user, data__name="digits", data__digits="3,5", model__name="logistic")
    assert "ask a lead" in words(app)
    with cached.store().reading() as connection:
        assert connection.exec_driver_sql("SELECT annotator FROM event").scalars().all() == ["stranger-7"]
