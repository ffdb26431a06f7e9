"""The environment of every maze on a grid; its public forms say which maze it is."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

import gymnasium as gym
from gymnasium import spaces

from dynamaze.common.arrays import BoolArray, FloatArray

from .base import MazeEnv
from .changing_maze import Course
from .mazes.dynamics import NUM_ACTIONS, Dynamics, Outcome
from .mazes.layout import Cell
from .mazes.mdp import FiniteMDP, ToyText
from .mazes.optimal_values import optimal_action_values, optimal_policy, optimal_values
from .mazes.regret import phase_values, sequence_values
from .observations import make_observation
from .observations.dicts import action_masks
from .options import read_cell_state, refuse_action


class GridEnv(MazeEnv):
    """One agent in one world of cells, whose maze may change while it lives.

    Args:
        course: how the maze begins and changes.
        observation: the form of observation (see `observations`).
        notice: what is told of a change: "none", "change" or "cells".
        notice_in: where: "info" or "observation".
        render_mode: one of `metadata["render_modes"]`, or None.

    Raises:
        ValueError: for an observation, a notice or a render mode that does not exist.
    """

    def __init__(
        self,
        course: Course,
        *,
        observation: Any,
        notice: str,
        notice_in: str,
        render_mode: str | None,
    ) -> None:
        super().__init__(
            course,
            observation=make_observation(observation, course.first),
            action_space=spaces.Discrete(NUM_ACTIONS),
            nowhere=-1,
            notice=notice,
            notice_in=notice_in,
            render_mode=render_mode,
        )
        if observation == "index":
            self._observe = None

    # -- the agent -----------------------------------------------------------------------------

    @property
    def agent(self) -> Cell | None:
        """The cell (row, col) where the agent stands; None before the first reset."""
        return None if self._state < 0 else self.layout.cell(self._state)

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take a step.

        Args:
            action: 0 up, 1 right, 2 down, 3 left; any integer type, also a 0-d array.

        Returns:
            Observation, reward, terminated, truncated (never: the time limit is a wrapper's) and
            information.

        Raises:
            ValueError: for an action outside the space; TypeError if it is not an integer.
            gymnasium.error.ResetNeeded: before the first reset.
        """
        try:
            outcomes = self._outcomes[self._state][action]
            if action < 0:
                raise IndexError
        except (IndexError, TypeError, ValueError):
            if self._state < 0:
                message = "step() before the first reset(); call reset() first"
                raise gym.error.ResetNeeded(message) from None
            raise refuse_action(action) from None
        self._state, reward, terminated = (
            outcomes[0] if len(outcomes) == 1 else self._draw(outcomes)
        )
        self._world_step += 1
        if self._world_step == self._next_change or self._is_watched:
            self._catch_up()
        observation, info = self._seen()
        return observation, reward, terminated, False, info

    def action_masks(self) -> BoolArray:
        """(4,) whether each action leads to another cell; all, where none does.

        The name is that under which SB3-Contrib's maskable PPO asks.
        """
        assert self._state >= 0, "before the first reset"
        masks: BoolArray = action_masks(self.layout)[self._state] > 0
        return masks

    def get_keys_to_action(self) -> dict[tuple[str, ...], int]:
        """The keys of `gymnasium.utils.play`."""
        return {("w",): 0, ("d",): 1, ("s",): 2, ("a",): 3}

    def _draw(self, outcomes: tuple[Outcome, ...]) -> Outcome:
        return outcomes[bisect_right(self._thresholds, self._uniform())]

    def _settle(self) -> None:
        super()._settle()
        dynamics: Dynamics = self._world.dynamics
        self._outcomes, self._thresholds = dynamics.outcomes, dynamics.thresholds

    def _state_at(self, start: Cell) -> int:
        return self.layout.index(start)

    def _read_state(self, state: dict[str, Any]) -> int:
        return read_cell_state(state, self.layout.num_cells)

    # -- the truth -----------------------------------------------------------------------------

    @property
    def mdp(self) -> FiniteMDP:
        """The exact Markov decision process of the maze as it is now, as arrays."""
        return self._world.dynamics.mdp

    def phase_mdp(self, phase: int) -> FiniteMDP:
        """The exact Markov decision process of any phase of the schedule."""
        return self._course.phases[phase].mdp

    @property
    def P(self) -> ToyText:  # noqa: N802  # the name that toy-text environments gave it
        """The maze as it is now as toy-text: `P[s][a] = [(probability, s', reward, end)]`."""
        return self.mdp.to_toy_text()

    def optimal_values(self, gamma: float = 0.95) -> FloatArray:
        """(states,) optimal state values of the maze as it is now."""
        return optimal_values(self.layout, gamma)

    def optimal_action_values(self, gamma: float = 0.95) -> FloatArray:
        """(states, actions) optimal action values of the maze as it is now."""
        return optimal_action_values(self.layout, gamma)

    def optimal_policy(self, gamma: float = 0.95) -> FloatArray:
        """(states, actions) probabilities of the optimal actions in the maze as it is now."""
        return optimal_policy(self.layout, gamma)

    def regret(self, gamma: float = 0.95, *, foresight: bool = False) -> FloatArray:
        """(states, actions) what each action gives away in expectation: the best less its own.

        Args:
            gamma: discount in [0, 1].
            foresight: whether the best is that of who knows the whole schedule, as of now; False
                takes the maze as it is now for one that stays.

        Raises:
            ValueError: for a discount outside its range; with foresight also where the future is
                not known, or not told in steps: mazes that change at random, by episode or by
                call, and generated ones.
        """
        if not foresight:
            return phase_values(self.layout, gamma).regret(0)
        course, layouts = self._course, self.schedule.layouts
        known = course.levels is None and course.random_changes is None
        if not known or self.layout is not layouts[self.schedule.phase_at(self._world_step)]:
            raise ValueError(
                "regret with foresight in a maze that changes otherwise than by world steps; "
                "expected one that its schedule tells beforehand"
            )
        return sequence_values(self.schedule, gamma).regret(self._world_step)

    @property
    def shortest_path(self) -> tuple[Cell, ...]:
        """The cells of a shortest way from start to goal in the maze as it is now."""
        return self.layout.shortest_path

    @property
    def diameter(self) -> int:
        """Steps of the longest of all shortest ways between two free cells, as the maze is now."""
        return self.layout.diameter

    @property
    def shortest_path_length(self) -> int:
        """Steps of a shortest way from start to goal in the maze as it is now."""
        return self.layout.shortest_path_length
