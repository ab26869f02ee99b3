"""The README's promises: the lines that start and test the project, and the library example."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_library_example_runs_and_is_short() -> None:
    example = re.findall(r"```python\n(.*?)```", README, re.S)[0]
    assert len([line for line in example.splitlines() if line.strip()]) <= 8
    done = subprocess.run([sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    r, slope, certificate = (float(word) for word in done.stdout.split()[:3])
    assert r > 0.9
    assert 0.8 < slope < 1.5
    assert certificate <= 1e-6


@pytest.mark.parametrize("mark", ["own module", "own risk"])
def test_a_model_of_ones_own_takes_ten_lines(mark: str) -> None:
    (example,) = re.findall(rf"<!-- {mark} -->\n```python\n(.*?)```", README, re.S)
    assert len([line for line in example.splitlines() if line.strip()]) <= 10
    done = subprocess.run([sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    r = float(re.findall(r"0\.\d+", done.stdout)[0])
    assert r > (0.99 if mark == "own risk" else 0.5)


@pytest.mark.parametrize("mark", ["app line", "test line"])
def test_each_command_is_one_line_that_names_existing_files(mark: str) -> None:
    (block,) = re.findall(rf"<!-- {mark} -->\n```bash\n(.*?)```", README, re.S)
    (line,) = block.strip().splitlines()
    for name in re.findall(r"[\w/]+\.(?:txt|py)\b", line):
        assert (ROOT / name).exists()


def test_pictures_and_links_exist() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
