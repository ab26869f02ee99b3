"""The answer to a click reaches the browser although a poll comes before it has been sent."""

import asyncio
import inspect
import threading
import time
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from streamlit import config
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.script_data import ScriptData
from streamlit.runtime.scriptrunner.script_cache import ScriptCache

from pages.components.session import busy
from tests.waiting import PATIENCE

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


async def said_after_a_click_that_a_poll_meets(script: Path) -> list[str]:
    """The page, a click that ends while the loop is busy, and a poll that the loop reads before the click's words."""
    session = AppSession(ScriptData(str(script)), MagicMock(), ScriptCache(), None, {})
    session.request_rerun(None)
    messages = list[object]()

    async def ended(count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while sum(one.WhichOneof("type") == "script_finished" for one in messages) < count:  # type: ignore[attr-defined]
                messages.extend(session.flush_browser_queue())
                await asyncio.sleep(0.01)

    await ended(1)
    first, second = session._fragment_storage._fragments
    await asyncio.sleep(0.2)
    session.request_rerun(ClientState(fragment_id=first))
    runner = session._scriptrunner
    end = time.monotonic() + PATIENCE
    while runner._requests._state.name != "STOP" and time.monotonic() < end:  # the loop is busy meanwhile
        time.sleep(0.01)
    session.request_rerun(ClientState(fragment_id=second, is_auto_rerun=True))
    await ended(2)
    await asyncio.sleep(0.3)
    messages.extend(session.flush_browser_queue())
    session.shutdown()
    spoken = [one.delta.new_element.markdown.body for one in messages if one.WhichOneof("type") == "delta"]  # type: ignore[attr-defined]
    return [text for text in spoken if text]  # not the containers


def test_a_poll_takes_no_answer_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamlit.runtime.get_instance", MagicMock())
    monkeypatch.setattr(AppSession, "_create_scriptrunner", AppSession._create_scriptrunner)  # put back afterwards
    busy.settle()
    busy.settle()
    script = tmp_path / "page.py"
    script.write_text(PAGE)
    said = asyncio.run(said_after_a_click_that_a_poll_meets(script))
    assert said == ["answer 0", "still here", "answer 1", "still here"]


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
