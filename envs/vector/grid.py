"""The native vector environments of mazes on a grid: stepped by one compiled call."""

from __future__ import annotations

from typing import Any

from dynamaze.common.arrays import BoolArray, IntArray

from ..drifting import DynaMazeDriftingEnv
from ..generated import DynaMazeGeneratedEnv
from ..maze import DynaMazeEnv
from ..mazes.dynamics import NUM_ACTIONS
from ..mazes.layout import Cell
from ..vector_options import read_discrete_actions
from .base import UNIFORM_BLOCK, MazeVectorEnv
from .kernel import Ground, Lives, Moment, begin_episodes, step_worlds


class GridVectorEnv(MazeVectorEnv):
    """Many worlds of cells."""

    ground_class = Ground

    def _begin_lives(self) -> Lives:
        return Lives.begin(self.num_envs, UNIFORM_BLOCK)

    def _begin_episodes(self, mask: BoolArray) -> None:
        begin_episodes(self._ground, self._lives, mask)

    def _take_step(self, actions: IntArray) -> Moment:
        moment: Moment = step_worlds(
            self._ground,
            self._lives,
            actions,
            self.max_episode_steps,
            self._mode,
            self._course.changes_at_reset,
        )
        return moment

    def _read_actions(self, actions: Any) -> IntArray:
        return read_discrete_actions(actions, self.num_envs, NUM_ACTIONS)

    def _cell(self, i: int) -> Cell | None:
        state = int(self._lives.state[i])
        return None if state < 0 else self._worlds[i].layout.cell(state)

    def _final_state(self, moment: Moment, i: int) -> int:
        return int(moment.final_state[i])

    def _agent(self, i: int) -> int:
        return int(self._lives.state[i])

    def _set_agent(self, i: int, state: int) -> None:
        self._lives.state[i] = state


class DynaMazeVectorEnv(GridVectorEnv):
    """Many worlds of `DynaMazeEnv`."""

    single_class = DynaMazeEnv


class DynaMazeGeneratedVectorEnv(GridVectorEnv):
    """Many worlds of `DynaMazeGeneratedEnv`."""

    single_class = DynaMazeGeneratedEnv


class DynaMazeDriftingVectorEnv(GridVectorEnv):
    """Many worlds of `DynaMazeDriftingEnv`."""

    single_class = DynaMazeDriftingEnv
