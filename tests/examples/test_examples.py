"""The scripts of `examples/`, each in a fresh process and an empty folder."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from PIL import Image

from ..test_readme import ROOT, libraries_of, run_script

FOLDER = ROOT / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))


def run_example(name: str, folder: Path) -> str:
    """Run an example in a folder; return what it prints."""
    path = FOLDER / f"{name}.py"
    for library in libraries_of(path.read_text(encoding="utf-8")):
        pytest.importorskip(library)
    return run_script([str(path)], folder)


def numbers(pattern: str, text: str) -> list[int]:
    """Return the whole numbers that a pattern finds."""
    return [int(found) for found in re.findall(pattern, text)]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_short_and_says_what_it_does(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring is not None
    assert len(docstring) <= 200
    code = [line for line in text.splitlines()[1:] if line.strip()]
    assert len(code) <= 25
    files = re.findall(r'"([\w.]+\.(?:gif|h))"', text)
    assert all(name in docstring for name in files)


def test_quickstart_finds_shortcut(tmp_path: Path) -> None:
    path, shortest = numbers(r"(\d+)(?: steps;|$)", run_example("quickstart", tmp_path).strip())
    assert path == shortest == 10


def test_own_maze_is_learned_in_both_phases(tmp_path: Path) -> None:
    goals = numbers(r"(\d+) goals", run_example("own_maze", tmp_path))
    assert len(goals) == 2
    assert min(goals) > 20


def test_own_observation_is_learned(tmp_path: Path) -> None:
    printed = run_example("own_observation", tmp_path)
    first, last = numbers(r": (\d+)(?: steps)?", printed)
    assert 14 <= last < first
    assert "starts at [2 8]" in printed


def test_own_model_finds_new_path(tmp_path: Path) -> None:
    goals = numbers(r"(\d+) goals", run_example("own_model", tmp_path))
    assert len(goals) == 2
    assert min(goals) > 10


def test_own_planner_reaches_goal(tmp_path: Path) -> None:
    goals = numbers(r"(\d+) goals", run_example("own_planner", tmp_path))
    assert len(goals) == 2
    assert min(goals) > 50


def test_own_agent_is_in_table(tmp_path: Path) -> None:
    printed = run_example("own_agent", tmp_path)
    assert re.search(r"^\W*mine\b", printed, re.M)
    assert re.search(r"^\W*Dyna-Q\b", printed, re.M)
    assert "regret" in printed


def test_sb3_ppo_learns(tmp_path: Path) -> None:
    (steps,) = re.findall(r"episodes: ([\d.]+) steps", run_example("sb3_ppo", tmp_path))
    assert 14 <= float(steps) < 200  # of a random policy: some 900


def test_dyna_dqn_finds_goal(tmp_path: Path) -> None:
    goals = numbers(r"(\d+) goals", run_example("dyna_dqn", tmp_path))
    assert len(goals) == 2
    assert goals[1] > 0


def test_distil_to_c_is_small_and_reaches_goal(tmp_path: Path) -> None:
    printed = run_example("distil_to_c", tmp_path)
    sizes, shares = numbers(r"(\d+) parameters", printed), numbers(r"(\d+)%", printed)
    assert sizes[0] > 500 * sizes[1]
    assert min(shares) >= 80
    assert "float" in (tmp_path / "student.h").read_text(encoding="utf-8")


def test_record_film_has_frames(tmp_path: Path) -> None:
    printed = run_example("record_film", tmp_path)
    (frames,) = numbers(r"(\d+) frames", printed)
    with Image.open(tmp_path / "film.gif") as film:
        assert 1 < film.n_frames <= frames


def test_every_example_is_run() -> None:
    tested = re.findall(r'run_example\("(\w+)"', Path(__file__).read_text(encoding="utf-8"))
    assert sorted(tested) == [path.stem for path in EXAMPLES]
    assert len(EXAMPLES) == 10
