"""A headless Chromium and a Streamlit server for the tests that need a real page."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
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


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A fresh page, 1280 pixels wide, that fails the test on an uncaught error in the page."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    errors: list[str] = []
    tab = context.new_page()
    tab.on("pageerror", lambda error: errors.append(str(error)))
    yield tab
    context.close()
    assert not errors


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
        process.wait(10)


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
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2) as answer:
                if answer.status == 200:
                    return f"http://127.0.0.1:{port}"
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"{app.name} did not start:\n{log.read_text(errors='replace')[-2000:]}")
