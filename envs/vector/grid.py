"""Native vector environments of mazes on a grid, stepped by one compiled call."""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.common.arrays import BoolArray, IntArray
from dynamaze.common.validation import checked_integer, checked_number

from ..adaptation import DynaMazeAdaptationEnv
from ..generated import DynaMazeGeneratedEnv
from ..maze import DynaMazeDriftingEnv, DynaMazeEnv
from ..mazes.dynamics import NUM_ACTIONS
from ..mazes.layout import Cell
from ..observations.experience import NO_ACTION, after_step, after_steps
from ..options import check_discrete_actions, reading_state
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


class DynaMazeAdaptationVectorEnv(GridVectorEnv):
    """Vector environment of `DynaMazeAdaptationEnv`."""

    single_class = DynaMazeAdaptationEnv

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._last_action = np.full(self.num_envs, NO_ACTION)
        self._last_reward = np.zeros(self.num_envs)

    def get_state(self) -> dict[str, Any]:
        """Return everything that the future depends on, and the last actions and rewards."""
        last = {"last_actions": self._last_action, "last_rewards": self._last_reward}
        return {**super().get_state(), **{name: array.tolist() for name, array in last.items()}}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore a result of `get_state`.

        Raises:
            ValueError: as `MazeVectorEnv.set_state`; nothing is changed then.
        """
        self._parse_state(state)
        with reading_state(f"get_state() of {self.num_envs} environments"):
            given = zip(state["last_actions"], state["last_rewards"], strict=True)
            last = [
                (
                    checked_integer("last action", action, 0, NO_ACTION),
                    checked_number("last", reward),
                )
                for action, reward in given
            ]
            if len(last) != self.num_envs:
                raise ValueError(f"{len(last)} last actions; expected {self.num_envs}")
        super().set_state(state)
        self._last_action[:], self._last_reward[:] = zip(*last, strict=True)

    def _step_batch(self, actions: IntArray, result: StepResult) -> int:
        marks = super()._step_batch(actions, result)
        self._last_action[:], self._last_reward[:] = actions, result.reward
        return marks

    def _begin_episodes(self, mask: BoolArray, *args: Any, **kwargs: Any) -> None:
        super()._begin_episodes(mask, *args, **kwargs)
        self._last_action[mask], self._last_reward[mask] = NO_ACTION, 0.0

    def _observations(self) -> Any:
        return after_steps(super()._observations(), self._last_action, self._last_reward)

    def _final_info(self, result: StepResult) -> dict[str, Any]:
        final = super()._final_info(result)
        observations = final["final_obs"]
        for i in np.flatnonzero(final["_final_obs"]).tolist():
            last = self._last_action[i], self._last_reward[i]
            observations[i] = after_step(observations[i], *last)
        return final
