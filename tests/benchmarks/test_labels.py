"""What soft labels and weights are worth: the judge, the teacher, and the experiment run small."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from dynamaze.benchmarks.distillation import labels
from dynamaze.benchmarks.distillation.judging import GAMMA
from dynamaze.benchmarks.distillation.labelled_states import Ground, crossings
from dynamaze.benchmarks.distillation.labels import (
    FEW,
    LABELS,
    OPEN_GROUND,
    STARTS,
    TINY,
    WEIGHTS,
    Labels,
    tiny_ground,
)
from dynamaze.distill.core.losses import Targets
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import steps_to_goal

RECIPE = MazeGenerator(4, "obstacles", density=0.2)
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))

SMALL = Labels(runs=2, labelled=(20, 60), few_steps=15, tiny_steps=15, seed=3)


def played_out(maze: Any, actions: dict[tuple[int, int], int], slip: float) -> dict[Any, float]:
    """The return from every free cell: sweeps over the cells until nothing changes."""
    rows, cols = maze.walls.shape
    values = dict.fromkeys(actions, 0.0)
    for _ in range(3000):
        newer = {}
        for (row, col), action in actions.items():
            total = 0.0
            for turn, chance in ((0, 1 - slip), (1, slip / 2), (-1, slip / 2)):
                down, right = MOVES[(action + turn) % 4]
                there = (row + down, col + right)
                inside = 0 <= there[0] < rows and 0 <= there[1] < cols
                if not inside or maze.walls[there]:
                    there = (row, col)
                total += chance * (1.0 if there == maze.goal else GAMMA * values[there])
            newer[row, col] = total
        values = newer
    return values


@pytest.mark.parametrize("slip", [0.0, 0.2])
def test_what_is_kept_is_what_sweeps_over_every_cell_give(slip: float) -> None:
    ground = Ground(map(RECIPE.make, range(3)), "planes", slip)
    logits = np.random.default_rng(5).normal(size=(len(ground.values), 4))
    # Half of the answers are good, so that much is kept and not all.
    good = np.random.default_rng(6).random(len(logits)) < 0.7
    logits[good] = ground.values[good]
    shares, at = [], 0
    for level in range(3):
        maze = RECIPE.make(level)
        cells = [(r, c) for r, c in np.argwhere(~maze.walls).tolist() if (r, c) != maze.goal]
        answers = logits[at : at + len(cells)].argmax(axis=1).tolist()
        best = ground.values[at : at + len(cells)].max(axis=1).sum()
        played = played_out(maze, dict(zip(cells, answers, strict=True)), slip)
        shares.append(sum(played.values()) / best)
        at += len(cells)
    assert at == len(logits)
    assert 0.05 < np.mean(shares) < 0.95
    assert ground.kept(logits) == pytest.approx(np.mean(shares), abs=1e-9)


def test_the_best_actions_keep_everything_and_equal_logits_mean_up() -> None:
    ground = Ground(map(RECIPE.make, range(4)), "planes", 0.2)
    assert ground.kept(ground.values) == pytest.approx(1, abs=1e-6)
    up = np.tile([1.0, 0.0, 0.0, 0.0], (len(ground.values), 1))
    assert ground.kept(np.zeros_like(up)) == ground.kept(up) < 0.9


def test_without_slips_values_are_those_of_the_steps_to_the_goal() -> None:
    maze = RECIPE.make(2)
    ground = Ground([maze], "planes", 0.0)
    planes = np.stack([maze.walls, ~maze.walls, np.zeros_like(maze.walls)])[None].astype(np.float32)
    planes[(0, 1, *maze.goal)], planes[(0, 2, *maze.goal)] = 0.0, 1.0
    steps = steps_to_goal(planes, ground.values.argmax(axis=1))
    np.testing.assert_allclose(ground.values.max(axis=1), GAMMA ** (steps - 1.0), rtol=1e-12)


def test_the_teachers_logits_are_action_values_divided_by_the_temperature() -> None:
    ground = Ground(map(RECIPE.make, range(2)), "planes", 0.2)
    np.testing.assert_allclose(ground.labelled_by(0.05), ground.values / 0.05, rtol=1e-6)
    rows = labels.stored(ground, TINY._replace(temperature=0.5)).rows
    np.testing.assert_allclose(rows.logits, 2 * ground.values, rtol=1e-6)
    np.testing.assert_array_equal(rows.observations, ground.observations)
    assert (rows.weights == 1).all()


def test_a_state_is_seen_as_the_environment_shows_it() -> None:
    import gymnasium as gym

    maze = OPEN_GROUND.make(7)
    ground = Ground([maze], FEW.observation, 0.2)
    env = gym.make(
        "DynaMazeGenerated-v0", size=8, algorithm="empty", observation=dict(FEW.observation)
    )
    seen, _ = env.reset(seed=0, options={"level": 7})
    cells = [cell for cell in np.ndindex(8, 8) if cell != maze.goal]
    np.testing.assert_array_equal(ground.observations[cells.index(maze.start)], seen)


def test_the_crossings_are_all_mazes_with_one_wall_and_one_gap() -> None:
    mazes = crossings(7)
    assert len({maze.walls.tobytes() for maze in mazes}) == len(mazes) == 2 * 3 * 7
    for maze in mazes:
        upright, lying = maze.walls.sum(axis=0), maze.walls.sum(axis=1)
        assert sorted(upright.tolist() + lying.tolist()) == [0] * 7 + [1] * 6 + [6]
        assert max(*upright[::2], *lying[::2]) == 1
        assert (maze.start, maze.goal) == ((0, 0), (6, 6))
    assert len(tiny_ground().values) == 42 * (49 - 6 - 1)


def test_ways_that_are_alike_count_a_fifth_and_a_single_one_six_times_as_much() -> None:
    clear, open_ = [30.0, 0.0, 0.0, 0.0], [30.0, 30.0, 0.0, 0.0]
    targets = Targets(torch.tensor([clear, open_]), torch.ones(2))
    answers = torch.tensor([clear, [0.0, 9.0, 0.0, 0.0]])
    alike = float(WEIGHTS["alike"](answers, targets))
    assert alike > 0.5
    # Weights 1.2 and 0.2, and only the second row pays.
    assert float(WEIGHTS["by margin"](answers, targets)) == pytest.approx(alike * 2 / 7, rel=1e-5)


def test_where_several_ways_are_alike_the_teacher_shares_alike() -> None:
    ground = tiny_ground()
    logits = ground.labelled_by(TINY.temperature)
    shares = torch.softmax(torch.tensor(logits), 1).sort(dim=1, descending=True).values
    two = np.isclose(ground.values, ground.values.max(axis=1, keepdims=True)).sum(axis=1) == 2
    assert 0.4 < two.mean() < 0.7
    np.testing.assert_allclose(shares[two, 0], shares[two, 1], atol=1e-4)
    assert (shares[two, :2].sum(dim=1) > 0.95).all()


def test_the_students_have_the_sizes_that_are_told() -> None:
    assert labels.beginner(labels.stored(tiny_ground(), TINY), TINY, 0).num_parameters == 313


def test_a_tiny_student_goes_on_with_first_weights_that_its_own_loss_chose(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen: list[tuple[bytes, ...]] = []

    def best_restart(candidates: Any, source: Any, **told: Any) -> tuple[int, list[float]]:
        chosen.append(
            tuple(each.layers[0].weight.detach().numpy().tobytes() for each in candidates)
        )
        assert (told["steps"], told["total_steps"]) == (8, 15)
        return 4, [0.0] * len(candidates)

    trained = []
    monkeypatch.setattr(labels, "best_restart", best_restart)
    monkeypatch.setattr(labels, "taught", lambda student, *_: trained.append(student) or student)
    labels.trial(SMALL, "tiny", 0)
    assert len(chosen) == len(trained) == len(WEIGHTS)
    assert len(set(chosen)) == 1
    assert len(set(chosen[0])) == STARTS
    for student in trained:
        assert student.layers[0].weight.detach().numpy().tobytes() == chosen[0][4]


def test_the_same_seeds_give_the_same_numbers() -> None:
    tables = labels.run(SMALL)
    again = labels.run(SMALL)
    for name, table in tables.items():
        for column, values in table.items():
            np.testing.assert_array_equal(values, again[name][column])
    rows = tables["labels"]
    assert len(rows["kept"]) == 2 * 2 * len(LABELS)
    assert len(tables["labels_weights"]["kept"]) == 2 * len(WEIGHTS)
    one, other = (rows["kept"][rows["run"] == run] for run in (0, 1))
    assert (one != other).any()
    assert ((rows["kept"] >= 0) & (rows["kept"] <= 1)).all()


def test_the_command_stores_tables_and_picture_and_refuses_what_cannot_be(tmp_path: Any) -> None:
    config = replace(SMALL, output=tmp_path, labelled=(20,), few_steps=2, tiny_steps=2)
    labels.main(config)
    found = {path.name for path in (tmp_path / "results").iterdir()}
    assert found == {"labels.csv", "labels_weights.csv", "labels.png"}
    labels.main(replace(config, plot_only=True))
    with pytest.raises(ValueError, match="runs=1; expected at least 2"):
        labels.main(replace(config, runs=1))
    with pytest.raises(ValueError, match="labelled=0; expected between 1 and 18900 states"):
        labels.main(replace(config, labelled=(0,)))
    with pytest.raises(ValueError, match="tiny_steps=0; expected"):
        labels.main(replace(config, tiny_steps=0))
