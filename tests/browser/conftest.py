"""A headless Chromium and a Streamlit server for the tests that need a real page."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.helpers import APP, DEMO, ROOT, healthy, profile
from tests.waiting import PATIENCE, until

FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium_path() -> str:
    """The installed browser; without one the tests are skipped, except in CI, where that would hide them."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    if os.environ.get("CI"):
        pytest.fail("No Chromium on this machine: install one, or the browser tests do not run.")
    pytest.skip("no Chromium on this machine")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium."""
    sync_api = pytest.importorskip("playwright.sync_api")
    executable = chromium_path()
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def shared_context(browser: Any) -> Any:
    """One browser profile: the front end's scripts are fetched and compiled once."""
    return profile(browser)


@pytest.fixture
def page(shared_context: Any) -> Iterator[Any]:
    """A new tab, 1280 pixels wide; an uncaught error in it fails the test, and nothing stays."""
    tab, errors = _watched(shared_context)
    yield tab
    if tab.url.startswith("http"):
        tab.evaluate("localStorage.clear()")
    shared_context.clear_cookies()
    tab.close()
    assert not errors


@pytest.fixture
def stranger(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a tab in a profile that knows nothing: another browser, or a first visit.  Options: of a context."""
    opened: list[Any] = []
    errors: list[list[str]] = []

    def tab(**options: Any) -> Any:
        opened.append(profile(browser, **options))
        made, faults = _watched(opened[-1])
        errors.append(faults)
        return made

    yield tab
    for context in opened:
        context.close()
    assert not any(errors)


def _watched(context: Any) -> tuple[Any, list[str]]:
    errors: list[str] = []
    tab = context.new_page()
    tab.on("pageerror", lambda error: errors.append(str(error)))
    return tab, errors


@pytest.fixture(scope="session")
def app(serve: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of the app on an empty data folder of its own."""
    return serve(APP, env={"INFLUENCE_DATA_DIR": str(tmp_path_factory.mktemp("data"))})


@pytest.fixture(scope="session")
def demo(serve: Callable[..., str]) -> str:
    """Address of the page of components."""
    return serve(DEMO)


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Start a Streamlit app on a free port and return its address; all servers end with the tests."""
    running: list[subprocess.Popen[bytes]] = []
    known: dict[tuple[str, ...], str] = {}

    def start(app: Path, *options: str, env: dict[str, str] | None = None) -> str:
        name = (str(app), *options, *sorted(f"{k}={v}" for k, v in (env or {}).items()))
        if name not in known:
            known[name] = _start(app, options, env or {}, running, tmp_path_factory.mktemp("server") / "log.txt")
        return known[name]

    yield start
    for process in running:
        process.terminate()
    for process in running:
        process.wait(PATIENCE)


def _start(
    app: Path, options: tuple[str, ...], env: dict[str, str], running: list[subprocess.Popen[bytes]], log: Path
) -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(app), f"--server.port={port}", "--server.headless=true"]
    command += [
        "--server.address=127.0.0.1",
        "--server.fileWatcherType=none",
        "--browser.gatherUsageStats=false",
        *options,
    ]
    with log.open("wb") as file:
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | env, stdout=file, stderr=subprocess.STDOUT)
    running.append(process)
    base = "".join(f"/{o.partition('=')[2]}" for o in options if o.startswith("--server.baseUrlPath="))
    address = f"127.0.0.1:{port}{base}"
    until(lambda: healthy(address) or process.poll() is not None, lambda: log.read_text(errors="replace")[-2000:], 0.2)
    if process.poll() is not None:
        raise RuntimeError(f"{app.name} did not start:\n{log.read_text(errors='replace')[-2000:]}")
    return f"http://{address}"
