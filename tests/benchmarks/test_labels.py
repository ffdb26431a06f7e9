"""What soft labels and weights are worth: the judge, the teacher, and the experiment run small."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from dynamaze.benchmarks import labels
from dynamaze.benchmarks.judging import GAMMA
from dynamaze.benchmarks.labels import FEW, LABELS, TINY, WEIGHTS, Ground, Labels
from dynamaze.distill.losses import Targets
from dynamaze.distill.students.mlp import MLP
from dynamaze.envs.generation import MazeRecipe
from dynamaze.envs.questions import steps_to_goal

RECIPE = MazeRecipe(4, "obstacles", density=0.2)
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))

SMALL = Labels(runs=2, labelled=(20, 60), few_steps=15, tiny_steps=15, seed=3)


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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
    ground = Ground(RECIPE, range(3), "planes", slip)
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
    ground = Ground(RECIPE, range(4), "planes")
    assert ground.kept(ground.values) == pytest.approx(1, abs=1e-6)
    up = np.tile([1.0, 0.0, 0.0, 0.0], (len(ground.values), 1))
    assert ground.kept(np.zeros_like(up)) == ground.kept(up) < 0.9


def test_without_slips_values_are_those_of_the_steps_to_the_goal() -> None:
    ground = Ground(RECIPE, [2], "planes", 0.0)
    maze = RECIPE.make(2)
    planes = np.stack([maze.walls, ~maze.walls, np.zeros_like(maze.walls)])[None].astype(np.float32)
    planes[(0, 1, *maze.goal)], planes[(0, 2, *maze.goal)] = 0.0, 1.0
    steps = steps_to_goal(planes, ground.values.argmax(axis=1))
    np.testing.assert_allclose(ground.values.max(axis=1), GAMMA ** (steps - 1.0), rtol=1e-12)


def test_the_teachers_logits_are_action_values_divided_by_the_temperature() -> None:
    ground = Ground(RECIPE, range(2), "planes")
    np.testing.assert_allclose(ground.labelled_by(0.05), ground.values / 0.05, rtol=1e-6)
    rows = labels.stored(ground, TINY._replace(temperature=0.5)).rows
    np.testing.assert_allclose(rows.logits, 2 * ground.values, rtol=1e-6)
    np.testing.assert_array_equal(rows.observations, ground.observations)
    assert (rows.weights == 1).all()


def test_a_state_is_seen_as_the_environment_shows_it() -> None:
    import gymnasium as gym

    ground = Ground(FEW.recipe, [7], FEW.observation)
    env = gym.make(
        "DynaMazeGenerated-v0", size=8, algorithm="empty", observation=dict(FEW.observation)
    )
    seen, _ = env.reset(seed=0, options={"level": 7})
    maze = FEW.recipe.make(7)
    cells = [cell for cell in np.ndindex(8, 8) if cell != maze.goal]
    np.testing.assert_array_equal(ground.observations[cells.index(maze.start)], seen)


def test_weights_by_margin_leave_out_what_is_all_the_same() -> None:
    clear, open_ = [4.0, 0.0, 0.0, 0.0], [4.0, 4.0, 0.0, 0.0]
    targets = Targets(torch.tensor([clear, open_]), torch.ones(2))
    answers = torch.tensor([clear, [0.0, 9.0, 0.0, 0.0]])
    assert float(WEIGHTS["by margin"](answers, targets)) == pytest.approx(0, abs=1e-6)
    assert float(WEIGHTS["alike"](answers, targets)) > 0.5


def test_the_students_have_the_sizes_that_are_told() -> None:
    assert MLP((3, 5, 5), 4, TINY.width).num_parameters == 324


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
    labels.main(replace(config, redraw=True))
    with pytest.raises(ValueError, match="runs=1; expected at least 2"):
        labels.main(replace(config, runs=1))
    with pytest.raises(ValueError, match="labelled=0; expected between 1 and 18900 states"):
        labels.main(replace(config, labelled=(0,)))
