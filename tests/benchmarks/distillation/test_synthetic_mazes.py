"""Search of two mazes from which fresh networks learn to plan."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from dynamaze.benchmarks.distillation import synthetic_mazes as subject
from dynamaze.benchmarks.distillation.synthetic_mazes import (
    GOAL,
    PAIR,
    SIDE,
    WALL,
    Candidate,
    Search,
    as_planes,
    as_text,
    crossed,
    from_text,
    mutated,
    random_mazes,
)


def test_mutation_changes_a_copy_and_keeps_a_goal() -> None:
    rng = np.random.default_rng(0)
    mazes = random_mazes(rng)
    for _ in range(300):
        before = mazes.copy()
        changed = mutated(mazes, rng)
        np.testing.assert_array_equal(mazes, before)
        assert (changed == GOAL).any(axis=(1, 2)).all()
        mazes = changed
    assert (mazes != random_mazes(np.random.default_rng(0))).any()


def test_child_has_a_maze_of_each_parent() -> None:
    zeros, ones = np.zeros((PAIR, SIDE, SIDE), np.uint8), np.ones((PAIR, SIDE, SIDE), np.uint8)
    child = crossed(zeros, ones, np.random.default_rng(0))
    assert child[0].max() == 0
    assert child[1].min() == 1


def test_text_and_planes_hold_the_mazes() -> None:
    mazes = random_mazes(np.random.default_rng(1))
    np.testing.assert_array_equal(from_text(as_text(mazes)), mazes)
    planes = as_planes(mazes)
    np.testing.assert_array_equal(planes.sum(axis=1), 1.0)  # a wall, a query or a goal
    np.testing.assert_array_equal(planes[:, 0] == 1, mazes == WALL)
    np.testing.assert_array_equal(planes[:, 2] == 1, mazes == GOAL)


def test_score_of_few_networks_counts_less() -> None:
    mazes = random_mazes(np.random.default_rng(0))
    assert Candidate(mazes, [1.0] * 2).score < Candidate(mazes, [1.0] * 20).score
    assert Candidate(mazes, [0.98] * 20).score < Candidate(mazes, [0.99] * 20).score


def test_best_of_a_generation_is_first_and_scored_again(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, number in {"FIRST": 4, "MUTANTS": 2, "CHILDREN": 1, "NEWCOMERS": 1}.items():
        monkeypatch.setattr(subject, name, number)
    monkeypatch.setattr(subject, "ROUNDS", ((2, 1),))
    searches = [Search(np.random.default_rng(5), steps=2, larger=5) for _ in range(2)]
    for search in searches:
        for _ in range(2):
            search.generation()
    found, again = ([each.score for each in search.population] for search in searches)
    assert found == again
    assert found == sorted(found, reverse=True)
    assert len(found) == 8
    assert max(len(each.rates) for each in searches[0].population) >= 3


def test_command_writes_the_best_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "FIRST", 2)
    monkeypatch.setattr(subject, "ROUNDS", ())
    monkeypatch.setattr(Search.__init__, "__kwdefaults__", {"steps": 1, "larger": 5})
    output = tmp_path / "mazes.txt"
    subject.main(subject.SyntheticMazesConfig(output, generations=1))
    assert from_text(output.read_text()).shape == (PAIR, SIDE, SIDE)
    with pytest.raises(ValueError, match="generations"):
        subject.main(subject.SyntheticMazesConfig(tmp_path / "none.txt", generations=0))
    assert not (tmp_path / "none.txt").exists()
