"""What an installed package brings, and that each list of packages says what the others say."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Callable
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from influence_core.analysis import EXPECTED_ERRORS
from influence_core.annotations import open_store
from influence_core.influence.index import index
from influence_core.version import __version__
from tests.conftest import SLOW

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
PINS = {
    canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
    for pin in map(Requirement, (ROOT / "requirements.txt").read_text(encoding="utf-8").split("\n")[:-1])
}
LOCK = (ROOT / ".ci" / "requirements.lock").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel in an environment of its own, which borrows everything else from this one."""
    home = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    wheel = [*pip, "wheel", "--no-deps", "--no-index", "--no-build-isolation", "-w", home, ROOT]
    subprocess.run(wheel, check=True, capture_output=True, timeout=300)
    venv.create(home / "env", symlinks=os.name != "nt")
    scheme = {"base": str(home / "env"), "platbase": str(home / "env")}
    site = Path(sysconfig.get_path("purelib", "venv", vars=scheme))
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    scripts = Path(sysconfig.get_path("scripts", "venv", vars=scheme))
    into = [*pip, "--python", scripts / "python", "install", "--no-deps", "--no-index", "--ignore-installed"]
    subprocess.run([*into, *home.glob("*.whl")], check=True, capture_output=True, timeout=300)
    return scripts


def _run(folder: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    """A command far from the checkout, with a data folder of its own."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment = {**kept, "INFLUENCE_DATA_DIR": str(folder / "data"), "PYTHONUTF8": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_the_wheel_runs_the_readme_example_away_from_the_checkout(installed: Path, tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    example = re.findall(r"```python\n(.*?)```", readme, re.S)[0]
    done = _run(
        tmp_path, installed / "python", "-c", f"{example}\nimport influence_core\nprint(influence_core.__file__)"
    )
    assert done.returncode == 0, done.stderr
    numbers, file = done.stdout.splitlines()
    assert float(numbers.split()[0]) > 0.9
    assert Path(file).is_relative_to(installed.parent)
    assert (Path(file).parent / "py.typed").exists()


@pytest.mark.slow
def test_the_wheel_has_its_command_and_tells_its_version(installed: Path, tmp_path: Path) -> None:
    command = installed / "influence-explorer"
    assert _run(tmp_path, command, "--version").stdout == f"influence-explorer {__version__}\n"
    done = _run(tmp_path, command, "scores", "--set", "data.name=mnist", "--test", "7", "--out", "scores.csv")
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "scores.manifest.json").read_text(encoding="utf-8"))
    assert manifest["versions"]["influence-explorer"] == __version__


@pytest.mark.slow
def test_the_wheel_brings_the_bundled_data_with_their_licences(installed: Path) -> None:
    brought = {path.name for path in installed.parent.rglob("sample_data/*")}
    assert {"README.md", "forestfires.csv", "mnist_5000.npz"} <= brought


@pytest.mark.slow
def test_the_metadata_carries_the_readme_the_version_and_the_extras(installed: Path, tmp_path: Path) -> None:
    code = "from importlib.metadata import metadata; print(metadata('influence-explorer').as_string())"
    told = _run(tmp_path, installed / "python", "-c", code).stdout
    assert f"Version: {__version__}\n" in told
    assert "# Influence Explorer" in told
    assert set(re.findall(r"Provides-Extra: (\w+)", told)) == set(EXTRAS)


@pytest.mark.parametrize(
    ("missing", "extra", "ask"),
    [
        ("faiss", "search", lambda: index(np.ones((3, 2)))),
        ("psycopg", "postgres", lambda: open_store("postgresql://user@localhost/name")),
    ],
)
def test_a_package_that_is_seldom_needed_is_missed_with_a_sentence(
    missing: str, extra: str, ask: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(EXPECTED_ERRORS, match=rf"needs the package {missing}.*'influence-explorer\[{extra}\]'\.$"):
        ask()


def test_every_import_of_the_core_is_declared() -> None:
    wanted = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    owners = packages_distributions()
    for path in (ROOT / "influence_core").rglob("*.py"):
        for name in _imported(path) - sys.stdlib_module_names - {"influence_core"}:
            assert wanted & {canonicalize_name(owner) for owner in owners[name]}, (
                f"{path} imports {name}: declare its package in pyproject.toml"
            )


def _imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def test_the_pins_lie_in_the_ranges_and_nothing_is_in_one_list_only() -> None:
    tried = (ROOT / "tests" / "requirements.txt").read_text(encoding="utf-8")
    assert all(f"\n{Requirement(line).name}==" in tried for line in EXTRAS["embedding"])  # large, so not of every app
    lists = [lines for name, lines in EXTRAS.items() if name != "embedding"]
    ranges = [Requirement(line) for line in [*PROJECT["dependencies"], *sum(lists, [])]]
    for one in ranges:
        assert one.specifier.contains(PINS[canonicalize_name(one.name)]), one
    assert {canonicalize_name(one.name) for one in ranges} == set(PINS)


def test_the_lock_has_every_pin_and_a_hash_for_each_package() -> None:
    blocks = re.findall(r"^([\w.-]+)==([\w.+!-]+)(.*?)(?=^\S|\Z)", LOCK, re.S | re.M)
    locked = {canonicalize_name(name): version for name, version, _ in blocks}
    assert {name: locked.get(name) for name in PINS} == PINS
    assert len(locked) > 2 * len(PINS)
    assert not [name for name, _, rest in blocks if "--hash=sha256:" not in rest]


def test_the_checks_before_a_commit_and_the_workflow_are_those_of_ci() -> None:
    _, _, after_tests = (ROOT / ".ci" / "run").read_text(encoding="utf-8").partition('bash -c "$line"\n')
    checks = [check for line in after_tests.splitlines() if (check := line.partition("#")[0].strip())]
    before = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert checks
    assert [line for line in checks if f"entry: {line}\n" not in before] == []
    assert "- run: .ci/run\n" in (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")


def test_the_slow_tests_are_where_their_list_says() -> None:
    assert [name for name in SLOW if not [*(ROOT / "tests").glob(f"{name}*")]] == []
