"""Normalised returns in one known maze."""

import numpy as np
import pytest

from dynamaze.benchmarks.distillation import (
    single_maze,
)
from dynamaze.benchmarks.distillation.mazes import (
    GAMMA,
)
from dynamaze.envs.generation.planes import ShortestPathPolicy
from dynamaze.envs.mazes.schedule import PRESETS, Schedule


def test_normalised_return_in_book_mazes():
    before, after = Schedule.from_text(PRESETS["shortcut"]).layouts
    for layout in (before, after):
        logits = single_maze.scatter_logits(
            layout, ShortestPathPolicy().action_probabilities(single_maze.query_planes(layout))
        )
        assert single_maze.normalised_return(layout, logits) == 1.0
    old = single_maze.scatter_logits(
        before, ShortestPathPolicy().action_probabilities(single_maze.query_planes(before))
    )
    assert single_maze.normalised_return(after, old) == pytest.approx(
        GAMMA**6
    )  # 16 steps where 10 would do
    assert single_maze.normalised_return(after, np.zeros((54, 4))) == 0.0
