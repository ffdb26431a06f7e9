"""The native vector environment of points in a maze: stepped by one compiled call."""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.common.arrays import BoolArray, FloatArray

from ..mazes.dynamics import NUM_ACTIONS
from ..mazes.layout import Cell
from ..vector.base import UNIFORM_BLOCK, MazeVectorEnv
from ..vector.kernel import Lives, Moment
from ..vector_options import read_discrete_actions
from .actions import PUSHES, read_pushes
from .env import DynaMazeContinuousEnv
from .kernel import NUMBERS_A_STEP, Terrain, begin_episodes, step_points


class DynaMazeContinuousVectorEnv(MazeVectorEnv):
    """Many worlds of `DynaMazeContinuousEnv`.

    They are stepped on one core. A step of 1024 worlds took 75 microseconds, 48 of them compiled:
    two threads of Numba brought these down to 33, two of a pool up to 85. So a keyword for them
    would make a step 1.25 times as fast at best.
    """

    single_class = DynaMazeContinuousEnv
    ground_class = Terrain
    numbers_a_step = NUMBERS_A_STEP

    def _begin_lives(self) -> Any:
        lives = Lives.begin(self.num_envs, UNIFORM_BLOCK)
        return lives._replace(state=np.full((self.num_envs, 4), np.nan, dtype=np.float32))

    def _needs_numbers(self) -> bool:
        return bool(self._maze.motion.noise > 0)

    def _begin_episodes(self, mask: BoolArray) -> None:
        begin_episodes(self._ground, self._lives, mask)

    def _take_step(self, actions: FloatArray) -> Moment:
        moment: Moment = step_points(
            self._ground,
            self._maze.motion,
            self._lives,
            actions,
            self.max_episode_steps,
            self._mode,
            self._course.changes_at_reset,
        )
        return moment

    def _read_actions(self, actions: Any) -> FloatArray:
        if self._maze.action == "discrete":
            checked = read_discrete_actions(actions, self.num_envs, NUM_ACTIONS)
            return PUSHES.take(checked, axis=0)
        return read_pushes(actions, self.num_envs)

    def _cell(self, i: int) -> Cell | None:
        y, x = self._lives.state[i, :2].tolist()
        return None if np.isnan(y) else (int(y), int(x))

    def _agent(self, i: int) -> Any:
        state = self._lives.state[i].copy()
        return None if np.isnan(state[0]) else state

    def _set_agent(self, i: int, state: Any) -> None:
        self._lives.state[i] = np.nan if state is None else state
