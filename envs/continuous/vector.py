"""Native vector environment of points in a maze, stepped by one compiled call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from dynamaze.common.arrays import FloatArray

from ..mazes.dynamics import NUM_ACTIONS
from ..mazes.layout import Cell
from ..options import check_discrete_actions
from ..vector.base import MazeVectorEnv
from ..vector.kernel import BatchedEnvState, StepResult
from .actions import ACTION_VECTORS, check_actions
from .env import DynaMazeContinuousEnv
from .kernel import NUMBERS_PER_STEP, PointMazeTables, step_point_batch


class DynaMazeContinuousVectorEnv(MazeVectorEnv):
    """Vector environment of `DynaMazeContinuousEnv`.

    It is stepped on one core: a step is too short to gain from threads.
    """

    single_class: ClassVar[Callable[..., Any]] = DynaMazeContinuousEnv
    tables_class = PointMazeTables
    numbers_per_step = NUMBERS_PER_STEP

    def _initial_batch(self) -> BatchedEnvState:
        state: Any = np.full((self.num_envs, 4), np.nan, dtype=np.float32)
        return super()._initial_batch()._replace(state=state)

    def _needs_random_numbers(self) -> bool:
        return bool(self._single_env.motion.noise > 0)

    def _step_batch(self, actions: FloatArray, result: StepResult) -> int:
        marks: int = step_point_batch(
            tuple(self._tables),
            tuple(self._single_env.motion),
            *self._step_arguments(actions, result),
        )
        return marks

    def _check_actions(self, actions: Any) -> FloatArray:
        if self._single_env.action == "discrete":
            checked = check_discrete_actions(actions, self.num_envs, NUM_ACTIONS)
            return ACTION_VECTORS.take(checked, axis=0)
        return check_actions(actions, self.num_envs)

    def _cell(self, i: int) -> Cell | None:
        y, x = self._batch.state[i, :2].tolist()
        return None if np.isnan(y) else (int(y), int(x))

    def _trail_entry(self, i: int) -> tuple[float, float]:
        y, x = self._batch.state[i, :2].tolist()
        return y, x

    def _agent_state(self, i: int) -> Any:
        state = self._batch.state[i].copy()
        return None if np.isnan(state[0]) else state

    def _set_agent_state(self, i: int, state: Any) -> None:
        self._batch.state[i] = np.nan if state is None else state
