"""The answer to a click reaches the browser although a poll comes before it has been sent."""

import asyncio
import gc
import inspect
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import MagicMock

import pytest
from streamlit import config
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.script_data import ScriptData
from streamlit.runtime.scriptrunner.script_cache import ScriptCache

from pages.components.session import busy
from tests.waiting import PATIENCE

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
PAGE = """
import streamlit as st

@st.fragment
def clicked():
    st.markdown(f"answer {st.session_state.setdefault('count', 0)}")
    st.session_state["count"] += 1

@st.fragment
def polled():
    st.markdown("still here")

clicked()
polled()
"""


class Browser:
    """A session as its server sees it, whose loop is busy while a run ends."""

    def __init__(self, script: Path) -> None:
        self.session = AppSession(ScriptData(str(script)), MagicMock(), ScriptCache(), None, {})
        self.messages = list[Any]()

    async def ended(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while sum(one.WhichOneof("type") == "script_finished" for one in self.messages) < count:
                self.messages.extend(self.session.flush_browser_queue())
                await asyncio.sleep(0.01)

    async def click_that_a_poll_meets(self) -> None:
        """The poll is read before the words of the click have left the loop."""
        self.session.request_rerun(None)
        await self.ended(1)
        await asyncio.sleep(0.2)
        clicked, polled = self.session._fragment_storage._fragments
        self.session.request_rerun(ClientState(fragment_id=clicked))
        end = time.monotonic() + PATIENCE
        while self.session._scriptrunner._requests._state.name != "STOP" and time.monotonic() < end:
            time.sleep(0.01)
        self.session.request_rerun(ClientState(fragment_id=polled, is_auto_rerun=True))

    @property
    def said(self) -> list[str]:
        spoken = [one.delta.new_element.markdown.body for one in self.messages if one.WhichOneof("type") == "delta"]
        return [text for text in spoken if text]  # not the containers


def alone(work: Coroutine[Any, Any, T]) -> T:
    """In a thread of its own: that of a test with a browser has a loop already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


async def answered(script: Path) -> list[str]:
    browser = Browser(script)
    await browser.click_that_a_poll_meets()
    await browser.ended(3)
    browser.session.shutdown()
    return browser.said


async def left(script: Path) -> bool:
    """Whether something still runs after the browser has gone."""
    browser = Browser(script)
    await browser.click_that_a_poll_meets()
    before = browser.session._scriptrunner
    browser.session.shutdown()
    await asyncio.sleep(0.2)
    return browser.session._scriptrunner not in {before, None}


HOLDING = """
import streamlit as st

class Large:
    pass

@st.fragment
def shown(large):
    st.markdown(f"{large}")

def page():
    large = Large()
    st.button("Look", on_click=print, args=(large,))
    st.session_state["seen"] = large
    shown(large)

page()
"""


async def held(script: Path) -> int:
    """How many large objects there are while somebody is here; returns when none is, to a loop that remembers."""
    browser = Browser(script)
    browser.session.request_rerun(None)
    await browser.ended(1)
    before = large()
    browser.session.shutdown()
    async with asyncio.timeout(PATIENCE):
        while large():
            browser.session.flush_browser_queue()
            await asyncio.sleep(0.05)
    return before


def large() -> int:
    gc.collect()
    return sum(type(one).__name__ == "Large" for one in gc.get_objects())


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("streamlit.runtime.get_instance", MagicMock())
    for name in ("_create_scriptrunner", "shutdown"):
        monkeypatch.setattr(AppSession, name, getattr(AppSession, name))  # put back afterwards
    busy.settle()
    busy.settle()
    script = tmp_path / "page.py"
    script.write_text(PAGE)
    return script


def test_a_poll_takes_no_answer_away(script: Path) -> None:
    assert alone(answered(script)) == ["answer 0", "still here", "answer 1", "still here"]


def test_nothing_begins_for_a_browser_that_has_gone(script: Path) -> None:
    assert not alone(left(script))


def test_a_session_that_ended_holds_nothing_of_what_its_page_had(script: Path) -> None:
    script.write_text(HOLDING)
    assert alone(held(script)) == 1


def test_options_are_read_as_they_are_and_an_unknown_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    config.get_option("server.port")  # are read
    locked = inspect.unwrap(config.get_option)
    monkeypatch.setattr(config, "get_option", locked)  # put back afterwards
    busy.settle()
    assert config.get_option is not locked
    with config._config_lock:  # an RLock: another thread could not read an option now
        found = list[object]()
        reader = threading.Thread(target=lambda: found.append(config.get_option("server.port")))
        reader.start()
        reader.join(PATIENCE)
    assert found == [locked("server.port")]
    with pytest.raises(RuntimeError, match="not defined"):
        config.get_option("server.no_such_thing")


HEAPS = """
import ctypes, re, sys, threading
from pages.components.session import busy
{}
ready = threading.Barrier(9)
for _ in range(8):
    threading.Thread(target=lambda: (bytearray(100_000), ready.wait()), daemon=True).start()
ready.wait()
library = ctypes.CDLL("libc.so.6")
library.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(library.fopen(sys.argv[1].encode(), b"w"))
library.malloc_info(0, file)
library.fclose(file)
print(len(re.findall("<heap nr", open(sys.argv[1]).read())))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the heaps are glibc's")
def test_threads_share_two_heaps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")  # no threads but those of the test, however many cores there are

    def heaps(settled: str) -> int:
        command = [sys.executable, "-c", HEAPS.format(settled), str(tmp_path / "heaps.xml")]
        return int(subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout)

    assert heaps("") > 4 and heaps("busy.settle()") <= 4  # two, and those of threads that were there before
