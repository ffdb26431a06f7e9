"""Speed of the planners: the rows of the table and the measured problem."""

from __future__ import annotations

import numpy as np

from dynamaze.agents.core.sparse_mdp import SparseMDP
from dynamaze.agents.planning.dynamic_programming import value_iteration
from dynamaze.agents.planning.prioritised_sweeping import PrioritisedSweeping
from dynamaze.agents.values.table import TableValues
from dynamaze.benchmarks.figures.example_8_4 import enlarged_maze
from dynamaze.benchmarks.speed.planners import GAMMA, complete_model, sweeping, tree_search


def test_measurements_give_rows() -> None:
    (swept,) = sweeping(1)
    assert "1350 cells" in swept.measurement
    rows = tree_search(1)
    assert len(rows) == 6
    assert all(row.speed.endswith("M/s") for row in (swept, *rows))
    assert sum(row.target == ">= 1 M/s" for row in rows) == 3


def test_sweeping_covers_maze() -> None:
    model, seen, _ = complete_model(enlarged_maze(5))
    planning = PrioritisedSweeping(10_000_000)
    values = TableValues(model.num_states, model.num_actions, learning_rate=1.0, gamma=GAMMA)
    planning.record_transition(values, model, seen)
    planning.plan(values, model, np.random.Generator(np.random.SFC64(0)))
    truth = value_iteration(SparseMDP.of_model(model), GAMMA).action_values
    assert np.abs(values.q - truth).max() < 1e-4
