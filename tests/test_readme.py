"""What the README and the guide promise: lines that start and test it, examples that run, links that lead on."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAPERS = ("README.md", ".github/GUIDE.md", ".github/CONTRIBUTING.md", ".docker/README.md", "tests/benchmarks/README.md")


def test_a_newcomer_reads_it_whole() -> None:
    assert len(README.splitlines()) <= 180


def test_the_library_example_runs_and_is_short() -> None:
    example = re.findall(r"```python\n(.*?)```", README, re.S)[0]
    assert len([line for line in example.splitlines() if line.strip()]) <= 8
    done = subprocess.run([sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    r, slope, certificate = (float(word) for word in done.stdout.split()[:3])
    assert r > 0.9
    assert 0.8 < slope < 1.5
    assert certificate <= 1e-6


def test_an_estimator_of_scikit_learn_takes_eight_lines() -> None:
    (example,) = re.findall(r"<!-- own estimator -->\n```python\n(.*?)```", README, re.S)
    assert len([line for line in example.splitlines() if line.strip()]) <= 8
    done = subprocess.run([sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "C = 1 is l2 = 1/(n·C) = 0.002" in done.stdout
    assert float(re.findall(r"‖∇J\(θ̂\)‖ = (\S+)", done.stdout)[0]) < 1e-7


@pytest.mark.parametrize("mark", ["own module", "own risk"])
def test_a_model_of_ones_own_takes_ten_lines(mark: str) -> None:
    guide = (ROOT / ".github" / "GUIDE.md").read_text(encoding="utf-8")
    (example,) = re.findall(rf"<!-- {mark} -->\n```python\n(.*?)```", guide, re.S)
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


@pytest.mark.parametrize("paper", PAPERS)
def test_pictures_links_and_headings_exist(paper: str) -> None:
    path = ROOT / paper
    for target in re.findall(r"\]\((?!http)([^)]+)\)", path.read_text(encoding="utf-8")):
        name, _, heading = target.partition("#")
        found = path.parent / name if name else path
        assert found.exists(), target
        assert not heading or heading in _headings(found), target


def _headings(path: Path) -> set[str]:
    """The anchors that a Markdown file offers, as code hosts make them."""
    titles = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}
