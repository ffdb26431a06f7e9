"""Native vector environments of mazes on a grid, stepped by one compiled call."""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.common.arrays import IntArray

from ..generated import DynaMazeGeneratedEnv
from ..maze import DynaMazeDriftingEnv, DynaMazeEnv
from ..mazes.dynamics import NUM_ACTIONS
from ..mazes.layout import Cell
from ..options import check_discrete_actions
from .base import MazeVectorEnv
from .kernel import MazeTables, StepResult, step_batch


class GridVectorEnv(MazeVectorEnv):
    """Vector environment of agents on a grid."""

    tables_class = MazeTables

    def _step_batch(self, actions: IntArray, result: StepResult) -> int:
        marks: int = step_batch(tuple(self._tables), *self._step_arguments(actions, result))
        return marks

    def _check_actions(self, actions: Any) -> IntArray:
        return check_discrete_actions(actions, self.num_envs, NUM_ACTIONS)

    def _cell(self, i: int) -> Cell | None:
        state = int(self._batch.state[i])
        return None if state < 0 else self._mazes[i].layout.cell(state)

    def distances_to_goal(self) -> IntArray:
        """Return (n,) each agent's distance to the nearest goal in its present maze.

        It is -1 where no goal can be reached, and before the first reset.
        """
        cells = [self._cell(i) for i in range(self.num_envs)]
        return np.array(
            [
                -1 if cell is None else maze.layout.distances[cell]
                for cell, maze in zip(cells, self._mazes, strict=True)
            ]
        )

    def _final_state(self, result: StepResult, i: int) -> int:
        return int(result.final_state[i])

    def _agent_state(self, i: int) -> int:
        return int(self._batch.state[i])

    def _set_agent_state(self, i: int, state: int) -> None:
        self._batch.state[i] = state


class DynaMazeVectorEnv(GridVectorEnv):
    """Vector environment of `DynaMazeEnv`."""

    single_class = DynaMazeEnv


class DynaMazeGeneratedVectorEnv(GridVectorEnv):
    """Vector environment of `DynaMazeGeneratedEnv`."""

    single_class = DynaMazeGeneratedEnv


class DynaMazeDriftingVectorEnv(GridVectorEnv):
    """Vector environment of `DynaMazeDriftingEnv`."""

    single_class = DynaMazeDriftingEnv
