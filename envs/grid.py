"""Environment of an agent on a grid; its public subclasses select the maze."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

import gymnasium as gym
from gymnasium import spaces

from dynamaze.common.arrays import BoolArray, FloatArray
from dynamaze.common.deprecation import renamed_arguments
from dynamaze.common.validation import checked_integer

from .base import MazeEnv
from .changing_maze import ChangingMaze
from .maze_config import MazeConfig
from .mazes.dynamics import NUM_ACTIONS, Dynamics, OutcomeTuple
from .mazes.layout import Cell
from .mazes.mdp import FiniteMDP, ToyText
from .observations import EncoderKinds, describe_observation, make_encoder
from .options import AFTER_GOAL, EnvOptions, clock_ended, invalid_action
from .timing.times import LAST_STEP

# Exact values and regret are imported where they are computed: a step does not need them.


class GridEnv(MazeEnv):
    """Environment of one agent on a grid whose maze may change.

    Args:
        config: the initial maze and its changes.
        observation: the kind of observation (see `observations`).
        kinds: the kinds to choose from; None for all.
        **options: see `EnvOptions`.

    Raises:
        ValueError: for an unknown observation, `change_info` or render mode.
    """

    kind: ClassVar = "grid"

    def __init__(
        self,
        config: MazeConfig,
        *,
        observation: Any = "index",
        kinds: EncoderKinds | None = None,
        **options: Unpack[EnvOptions],
    ) -> None:
        super().__init__(
            config,
            observation=make_encoder(observation, config.first, kinds),
            description={"observation": describe_observation(observation, kinds)},
            action_space=spaces.Discrete(NUM_ACTIONS),
            no_state=-1,
            **options,
        )
        if observation == "index":
            self._encode = None

    # -- the agent -----------------------------------------------------------------------------

    @property
    def agent(self) -> Cell | None:
        """The agent's cell (row, col); None before the first reset."""
        return None if self._state < 0 else self.layout.cell(self._state)

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take a step.

        Args:
            action: 0 up, 1 right, 2 down, 3 left; any integer type, also a 0-d array.

        Returns:
            Observation, reward, terminated, truncated (never: the time limit is a wrapper's) and
            information.

        Raises:
            ValueError: for an action outside the space; TypeError if it is not an integer, or a
                bool.
            RuntimeError: at world step 2**53, the end of the clock.
            gymnasium.error.ResetNeeded: before the first reset; with goal observations also on a
                goal, where the episode has ended and `compute_reward` could not give the reward.
        """
        try:
            outcomes = self._outcomes[self._state][action]
            if action < 0 or action is True or action is False:
                raise IndexError
        except (IndexError, TypeError, ValueError):
            if self._state < 0:
                message = "step() before the first reset(); call reset() first"
                raise gym.error.ResetNeeded(message) from None
            if self._world_step >= LAST_STEP:
                raise clock_ended() from None
            if self.has_goals and self.agent in self.layout.goals:
                raise gym.error.ResetNeeded(AFTER_GOAL) from None
            raise invalid_action(action) from None
        self._state, reward, terminated = (
            outcomes[0] if len(outcomes) == 1 else self._draw_outcome(outcomes)
        )
        self._world_step += 1
        if self._world_step == self._next_change or self._is_watched:
            self._apply_due_changes()
        observation, info = self._observe()
        return observation, reward, terminated, False, info

    def action_masks(self) -> BoolArray:
        """Return (4,) bool, True for actions that lead to another cell; all True if none does.

        SB3-Contrib's maskable PPO calls a method of this name.
        """
        assert self._state >= 0, "before the first reset"
        masks: BoolArray = self._maze.dynamics.moves.next_state[self._state] != self._state
        return masks if masks.any() else ~masks

    def get_keys_to_action(self) -> dict[tuple[str, ...], int]:
        """Return the keys of `gymnasium.utils.play`."""
        return {("w",): 0, ("d",): 1, ("s",): 2, ("a",): 3}

    def _draw_outcome(self, outcomes: tuple[OutcomeTuple, ...]) -> OutcomeTuple:
        return outcomes[bisect_right(self._thresholds, self._uniform())]

    def _sync_maze(self) -> None:
        super()._sync_maze()
        dynamics: Dynamics = self._maze.dynamics
        self._thresholds = dynamics.thresholds
        # Without outcomes the next step fails, so that no other step has to look at the clock.
        outcomes = dynamics.outcomes_before_goals if self.has_goals else dynamics.outcomes
        self._outcomes: Any = () if self._world_step >= LAST_STEP else outcomes

    def _initial_state(self, start: Cell) -> int:
        return self.layout.index(start)

    def _state_from_json(self, state: Mapping[str, Any], maze: ChangingMaze) -> int:
        cell = checked_integer("state", state["state"], -1, maze.layout.num_cells - 1)
        if cell >= 0:
            maze.check_agent(maze.layout.cell(cell))
        return cell

    # -- the exact MDP -------------------------------------------------------------------------

    @property
    def mdp(self) -> FiniteMDP:
        """The exact Markov decision process of the present maze, as arrays."""
        return self._maze.dynamics.mdp

    def phase_mdp(self, phase: int) -> FiniteMDP:
        """Return the exact Markov decision process of any phase of the schedule.

        Raises:
            ValueError: for a phase that does not exist; TypeError for anything but a number.
        """
        return self._config.phases[self.schedule.check_phase(phase)].mdp

    @property
    def P(self) -> ToyText:  # noqa: N802  # the name that toy-text environments gave it
        """The present maze as toy-text: `P[s][a] = [(probability, s', reward, terminated)]`."""
        return self.mdp.to_toy_text()

    def optimal_values(self, gamma: float = 0.95) -> FloatArray:
        """Return (states,) the optimal state values of the present maze."""
        from .mazes.optimal_values import optimal_values

        return optimal_values(self.layout, gamma)

    def optimal_action_values(self, gamma: float = 0.95) -> FloatArray:
        """Return (states, actions) the optimal action values of the present maze."""
        from .mazes.optimal_values import optimal_action_values

        return optimal_action_values(self.layout, gamma)

    def optimal_policy(self, gamma: float = 0.95) -> FloatArray:
        """Return (states, actions) the probabilities of the optimal actions in the present maze."""
        from .mazes.optimal_values import optimal_policy

        return optimal_policy(self.layout, gamma)

    @renamed_arguments(foresight="clairvoyant")
    def regret(self, gamma: float = 0.95, *, clairvoyant: bool = False) -> FloatArray:
        """Return (states, actions) the expected regret of each action.

        It is the optimal state value minus the action's value.

        Args:
            gamma: discount in [0, 1].
            clairvoyant: True for the optimal values of an agent that knows the whole schedule
                from the present world step on; False for those of a maze that never changes
                again.

        Raises:
            ValueError: for a discount outside its range; with `clairvoyant` also for mazes that
                change at random, by episode or by call, and for generated ones.
        """
        from .mazes.regret import clairvoyant_values, stationary_values

        if not clairvoyant:
            return stationary_values(self.layout, gamma).regret(0)
        config, layouts = self._config, self.schedule.layouts
        if (
            not config.is_known
            or self.layout is not layouts[self.schedule.phase_at(self._world_step)]
        ):
            raise ValueError(
                "regret with clairvoyant=True in a maze that changes otherwise than by world "
                "steps; expected one whose schedule determines all changes"
            )
        return clairvoyant_values(self.schedule, gamma).regret(self._world_step)

    @property
    def shortest_path(self) -> tuple[Cell, ...]:
        """The cells of a shortest path from start to goal in the present maze."""
        return self.layout.shortest_path

    @property
    def diameter(self) -> int:
        """The length of the longest shortest path between two free cells of the present maze."""
        return self.layout.diameter

    @property
    def shortest_path_length(self) -> int:
        """The length of a shortest path from start to goal in the present maze."""
        return self.layout.shortest_path_length
