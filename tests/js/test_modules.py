"""The browser modules, one by one, under node: what they are given here is what Python sends and computes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from pages.components.browser.bridge import FOLDER, ensure_static, pack, starter
from pages.components.charts import colours
from pages.components.charts.scale import marker_sizes, plain

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def node() -> str:
    """Node.js from 20 on; without it the tests are skipped, except in CI, where that would hide them."""
    found = shutil.which("node")
    said = subprocess.run([found, "--version"], capture_output=True, text=True).stdout if found else "none"
    if found and int(said.strip("v\n").split(".")[0]) >= 20:
        return found
    words = f"The browser modules are tested with Node.js 20 or newer, and this machine has {said.strip()}."
    if os.environ.get("CI"):
        pytest.fail(words)
    pytest.skip(words)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a server serves it, with what Python says of the same things."""
    folder = tmp_path_factory.mktemp("site")
    ensure_static(folder / "app" / "static")
    (folder / "package.json").write_text('{"type": "module"}')
    for name in ("parcel", "missing"):
        (folder / f"{name}.js").write_text(starter(f"{name}/component.js"))
    values = np.array([0.1, -2.5, np.nan, 1e-30], np.float32)
    message = pack({"fingerprint": "ä “1”", "n": None}, x=values, none=np.zeros(0), at=np.array([7, -1]))
    (folder / "message.bin").write_bytes(message)
    scores = np.array([0.0, 1e-4, -0.02, 0.5, -3.0])
    text = "<b>1 & 2</b>"
    facts = {
        "scores": scores.tolist(),
        "sizes": {n: marker_sizes(np.resize(scores, n), 0.5)[:5].tolist() for n in (5, 5000)},
        "text": [text, plain(text)],
        "ends": [colours.HARMFUL, colours.HELPFUL],
        "values": [None if np.isnan(v) else float(v) for v in values],
    }
    (folder / "facts.json").write_text(json.dumps(facts))
    return folder


@pytest.mark.parametrize("file", sorted(HERE.glob("*.test.mjs")), ids=lambda file: file.name.split(".")[0])
def test_modules(node: str, site: Path, file: Path) -> None:
    env = os.environ | {"SITE": str(site), "MODULES": str(site / "app" / "static" / FOLDER)}
    done = subprocess.run(
        [node, "--test", "--test-reporter=tap", file], env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "# pass 0" not in done.stdout
