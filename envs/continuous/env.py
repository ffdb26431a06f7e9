"""Environment of a point in a maze."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, ClassVar, Unpack

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from dynamaze.common.arrays import BoolArray, Float32Array, FloatArray
from dynamaze.common.deprecation import renamed_method
from dynamaze.common.validation import checked_choice, checked_number, naming, shown

from ..base import MazeEnv
from ..changing_maze import ChangingMaze
from ..generation import MazeGenerator
from ..generation.levels import LevelSet
from ..maze_config import MazeConfig
from ..mazes.dynamics import NUM_ACTIONS
from ..mazes.layout import Cell, Layout, LayoutError
from ..mazes.random_changes import RandomChanges
from ..mazes.schedule import LayoutArgument, TimedChangesLike, read_timed_changes
from ..observations import describe_observation, make_encoder
from ..options import (
    AFTER_GOAL,
    MazeOptions,
    StepRules,
    check_discrete_actions,
    clock_ended,
    invalid_action,
    split_options,
    with_options,
)
from ..timing.times import LAST_STEP
from .actions import ACTION_VECTORS, ActionVector, check_action, check_actions
from .kernel import Motion, PointMazeTables, motion_of, step_point, step_points_apart
from .observations import PositionObservation, PositionVelocityObservation, point_observations

MAX_SIDE = 4096
"""Maximum rows and columns: beyond, float32 positions are coarser than 1/2048 of a cell."""

MAX_LENGTH = 1e6
"""Maximum step size and noise, in cells."""

DISCRETE_ACTION_VECTORS: list[ActionVector] = [
    (float(down), float(right)) for down, right in ACTION_VECTORS
]


@with_options(MazeOptions)
class DynaMazeContinuousEnv(MazeEnv):
    """Environment of a point in a maze whose walls may change while the agent learns.

    ## Description
    The same mazes, changes and clock as on the grid, but the agent is a point that moves through
    the free cells in any direction. Positions are [row, col] in units of cells: cell (r, c) covers
    [r, r + 1) x [c, c + 1), and row 0 is on top. Gaussian noise is added to each step.

    A wall stops only the component of the motion that goes into it; the other one continues, so
    the point slides along the wall. However long a step is, the point never passes a wall, not even
    between two that meet at a corner. Positions are float32 numbers: the observation is the exact
    state, and `position.astype(int)` is the agent's cell, always free (unless a wall appeared
    there) and inside the maze. A point stopped by a wall below or to the right stands on the
    largest number of its cell.

    | id | maze |
    | --- | --- |
    | `DynaMazeContinuous-v0` | example 8.1 of Sutton & Barto (2018): does not change |

    ## Action Space
    Chosen by `action`:

    | name | space | meaning |
    | --- | --- | --- |
    | `"continuous"` | `Box(-1, 1, (2,), float32)` | down and right, times `step_size`; clipped |
    | `"discrete"` | `Discrete(4)` | 0 up, 1 right, 2 down, 3 left, by `step_size` |

    With `inertia` the action is an acceleration: the velocity, in cells per step, becomes
    `inertia * velocity + step_size * action`, and the point moves by it. A wall that stops a
    component of the motion sets that component of the velocity to 0.

    ## Observation Space
    Chosen by `observation`:

    | name | space | meaning |
    | --- | --- | --- |
    | `"position"` | `Box(0, [rows, cols], (2,), float32)` | row and column |
    | `"position_velocity"` | `Box((4,), float32)` | position and velocity |
    | `"rays"` | `Box((16,), float32)` | in eight directions, clockwise from up, the exact \
distances to the next wall or the edge; then 1 if a goal lies before it, otherwise 0 |
    | `"goal"` | `Dict` | `observation` and `achieved_goal` (the position), `desired_goal` (the \
goal's centre); with `compute_reward`, for HER |
    | `"rgb"` | `Box(0, 255, (rows * 8, cols * 8, 3), uint8)` | an image |

    "goal" needs one goal that stays where it is during an episode, and rewards that never change.
    `{"kind": "goal", "of": "position_velocity"}` puts another observation into the dictionary,
    `{"kind": "rgb", "cell_size": 4}` makes smaller images.

    ## Starting State
    At rest in the middle of the start, `S`; with several starts, in one of them at random.

    ## Rewards
    `goal_reward` (1) on entering a goal's cell, `step_reward` (0) otherwise; `wall_reward` if a
    wall or the edge stopped a component of the motion and it is not None.

    ## Episode End
    Terminated on entering a goal's cell, which the point then cannot leave. Truncated after 500
    steps (`gym.make(..., max_episode_steps=n)`; -1 for no limit).

    ## Information
    `reset` and `step` return `world_step`, the number of steps over all episodes, and `phase`, the
    number of changes so far; more with `random_changes`, generated mazes and `change_info`. The
    clock and `reset(options=...)` are those of `DynaMazeEnv`.

    A wall that appears at the agent's cell does not move it: the agent may move inside the cell and
    leave it to any free neighbour, but cannot come back.

    ## Arguments
    Args:
        layout: a maze in any form that `DynaMazeEnv` takes; or a mapping of the arguments of
            `DynaMazeGeneratedEnv`, for a new maze in each episode, such as
            `{"size": 9, "algorithm": "rooms", "levels": 100}` (without the key "layout").
        changes: time -> change, or timed changes, as of `DynaMazeEnv`; not with generated mazes.
        action: "continuous" or "discrete".
        step_size: the displacement of a point at rest by an action of 1, in cells, in (0, 1e6].
        inertia: the factor of the velocity from step to step, in [0, 1).
        noise: the standard deviation of the noise of each component of a displacement, in cells,
            in [0, 1e6].
        random_changes: the process of random changes (see `DynaMazeEnv`).
        observation: see above.
        **options: those of `MazeOptions`.

    Raises:
        LayoutError: (a ValueError) for an invalid maze or schedule, or one of more than 4096 rows
            or columns.
        ValueError: for an unknown name, or a number outside its range; TypeError for anything but
            a number where one is expected.

    ## Version History
    * v0: the first.
    """

    kind: ClassVar = "point"

    def __init__(
        self,
        layout: LayoutArgument = "dyna",
        changes: TimedChangesLike | None = None,
        *,
        action: str = "continuous",
        step_size: float = 0.5,
        inertia: float = 0.0,
        noise: float = 0.05,
        random_changes: RandomChanges | Mapping[str, Any] | None = None,
        observation: Any = "position",
        **options: Unpack[MazeOptions],
    ) -> None:
        rules, rest = split_options(options)
        process = RandomChanges.from_argument(random_changes)
        if isinstance(layout, Mapping) and "layout" not in layout:
            config = MazeConfig.of_levels(_levels(layout, changes, rules), process)
        else:
            schedule, timed = read_timed_changes(layout, changes, **rules)
            config = MazeConfig(schedule, random_changes=process, timed=timed)
        _check_size(config.first)
        self.action = checked_choice("action", action, ("continuous", "discrete"))
        self.motion = check_motion(step_size, inertia, noise)
        self._tables, self._loaded = PointMazeTables.of(config.phases[:1]), config.first
        kinds = point_observations(self.motion.max_speed)
        super().__init__(
            config,
            observation=make_encoder(observation, config.first, kinds),
            description={
                "observation": describe_observation(observation, kinds),
                "action": self.action,
                "motion": self.motion._asdict(),
            },
            action_space=(
                spaces.Discrete(NUM_ACTIONS)
                if action == "discrete"
                else spaces.Box(-1.0, 1.0, (2,), np.float32)
            ),
            no_state=None,
            **rest,
        )

    # -- the agent -----------------------------------------------------------------------------

    @property
    def position(self) -> tuple[float, float] | None:
        """The agent's position, (row, col) in cells; None before the first reset."""
        return None if self._state is None else (float(self._state[0]), float(self._state[1]))

    @property
    def velocity(self) -> tuple[float, float] | None:
        """The agent's velocity, (down, right) in cells per step; None before the first reset."""
        return None if self._state is None else (float(self._state[2]), float(self._state[3]))

    @property
    def agent(self) -> Cell | None:
        """The agent's cell (row, col); None before the first reset."""
        return None if self._state is None else (int(self._state[0]), int(self._state[1]))

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take a step.

        Args:
            action: (2,) real numbers, clipped to [-1, 1]; or an integer from 0 to 3, where the
                actions are discrete.

        Returns:
            Observation, reward, terminated, truncated (never: the time limit is a wrapper's) and
            information.

        Raises:
            ValueError: for an action of another shape or outside the space, or one that is not
                finite; TypeError for another dtype, or a bool.
            RuntimeError: at world step 2**53, the end of the clock.
            gymnasium.error.ResetNeeded: before the first reset; with goal observations also on a
                goal.
        """
        if self._state is None:
            raise gym.error.ResetNeeded("step() before the first reset(); call reset() first")
        if self._world_step >= LAST_STEP:
            raise clock_ended()
        if self.has_goals and self.agent in self.layout.goals:
            raise gym.error.ResetNeeded(AFTER_GOAL)
        action = self._action_vector(action)
        motion, slip = self.motion, self.layout.slip_probability
        slip_number = self._uniform() if slip > 0 else 0.0
        first, second = (self._uniform(), self._uniform()) if motion.noise > 0 else (0.0, 0.0)
        self._state = self._state.copy()
        tables = self._tables
        reward, terminated = step_point(
            tables.cells,
            tables.reward,
            self._state,
            slip,
            motion.step_size,
            motion.inertia,
            motion.noise,
            *action,
            slip_number,
            first,
            second,
        )
        self._world_step += 1
        if self._world_step == self._next_change or self._is_watched:
            self._apply_due_changes()
        observation, info = self._observe()
        return observation, reward, terminated, False, info

    def sample_transitions(
        self, observations: Any, actions: Any, rng: np.random.Generator
    ) -> tuple[Any, Any, Any]:
        """Sample transitions in the present maze; the agent does not move.

        For planners: the true environment as a model. The observation must be the whole state: a
        point with inertia has a velocity, too, so it needs "position_velocity".

        Args:
            observations: (batch, 2) positions, or (batch, 4) positions and velocities, as the
                environment observes them.
            actions: (batch, 2) real numbers, or (batch,) integers where actions are discrete.
            rng: draws slips and noise.

        Returns:
            The next observations, (batch,) rewards and (batch,) terminated.

        Raises:
            ValueError: for another kind of observation, one that is not the whole state, a position
                outside the maze, or actions that `step` refuses; TypeError for another dtype.
        """
        encoder = self._encoder
        size = {PositionObservation: 2, PositionVelocityObservation: 4}.get(type(encoder), 0)
        is_whole = size == 4 or (size == 2 and self.motion.inertia == 0)
        if not is_whole or not isinstance(self.observation_space, spaces.Box):
            raise ValueError(
                f"{type(encoder).__name__} with inertia {self.motion.inertia:g} is not the whole "
                'state of a point; expected observation="position_velocity", or "position" '
                "without inertia"
            )
        given = np.asarray(observations, dtype=np.float32)
        if given.ndim != 2 or given.shape[1] != size:
            raise ValueError(f"observations of shape {given.shape}; expected (batch, {size})")
        states = np.zeros((len(given), 4), dtype=np.float32)
        states[:, :size] = given
        if not self._are_states(states, self.layout):
            raise ValueError(f"observations {shown(given)}; expected {self._expected_states()}")
        if self.action == "discrete":
            numbered = check_discrete_actions(actions, len(states), NUM_ACTIONS)
            vectors = ACTION_VECTORS.take(numbered, axis=0)
        else:
            vectors = check_actions(actions, len(states))
        return states[:, :size], *self._sample(states, vectors, rng)

    def _sample(
        self, states: Float32Array, vectors: FloatArray, rng: np.random.Generator
    ) -> tuple[FloatArray, BoolArray]:
        """Step the (batch, 4) states in place; return the rewards and terminated."""
        rewards, terminated = np.zeros(len(states)), np.zeros(len(states), dtype=np.bool_)
        numbers = rng.random((len(states), 3))
        step_points_apart(self._tables, self.motion, states, vectors, numbers, rewards, terminated)
        return rewards, terminated

    imagine = renamed_method("imagine", "sample_transitions")

    def get_keys_to_action(self) -> dict[tuple[str, ...], Any]:
        """Return the keys of `gymnasium.utils.play`."""
        if self.action == "discrete":
            return {("w",): 0, ("d",): 1, ("s",): 2, ("a",): 3}
        keys = {(key,): ACTION_VECTORS[i] for i, key in enumerate("wdsa")}
        return {key: action.astype(np.float32) for key, action in keys.items()}

    # -- rendering -----------------------------------------------------------------------------

    def scene(self) -> Any:
        """Return the `dynamaze.envs.rendering.Scene` of this moment."""
        scene = super().scene()
        return scene._replace(trail=(), position=self.position, path=tuple(self._trail))

    # -- inside --------------------------------------------------------------------------------

    def _action_vector(self, action: Any) -> ActionVector:
        if self.action == "continuous":
            return check_action(action)
        try:
            if action < 0 or action is True or action is False:
                raise IndexError
            vector: ActionVector = DISCRETE_ACTION_VECTORS[action]
        except (IndexError, TypeError, ValueError):
            raise invalid_action(action) from None
        return vector

    def _sync_maze(self) -> None:
        super()._sync_maze()
        if self._loaded is not self.layout:  # new tables: copies of this environment share the old
            self._tables, self._loaded = PointMazeTables.of([self._maze.dynamics]), self.layout

    def _initial_state(self, start: Cell) -> Float32Array:
        return np.array([start[0] + 0.5, start[1] + 0.5, 0.0, 0.0], dtype=np.float32)

    def _trail_entry(self) -> Any:
        return self.position

    def _state_to_json(self) -> list[float] | None:
        return None if self._state is None else self._state.tolist()

    def _state_from_json(self, state: Mapping[str, Any], maze: ChangingMaze) -> Float32Array | None:
        given = state.get("state", ())
        if given is None:
            return None
        with np.errstate(over="ignore"):  # infinity is refused below
            own = np.array([checked_number("state", each) for each in given], dtype=np.float32)
        if own.shape != (4,) or not self._are_states(own, maze.layout):
            raise ValueError(f"state {shown(given)}; expected {self._expected_states()}")
        maze.check_agent((int(own[0]), int(own[1])))
        return own

    def _are_states(self, states: Float32Array, layout: Layout) -> bool:
        """Return True if all of (..., 4) are positions in the maze and possible velocities."""
        places, speeds = states[..., :2], np.abs(states[..., 2:])
        inside = (places >= 0) & (places < layout.walls.shape)  # False for NaN
        return bool(inside.all() and (speeds <= np.float32(self.motion.max_speed)).all())

    def _expected_states(self) -> str:
        size = f"{self.layout.rows}x{self.layout.cols}"
        return f"positions in the {size} maze, velocities of at most {self.motion.max_speed:g}"


def check_motion(step_size: float, inertia: float, noise: float) -> Motion:
    """Return the parameters of the motion after checking them.

    Raises:
        ValueError: for a number outside its range; TypeError for anything but a number.
    """
    step_size = checked_number("step_size", step_size, 0, MAX_LENGTH, above=True)
    if checked_number("inertia", inertia, 0, 1) == 1:
        raise ValueError(f"inertia={shown(inertia)}; expected a number in [0, 1)")
    noise = checked_number("noise", noise, 0, MAX_LENGTH)
    motion: Motion = motion_of(step_size, float(inertia), noise)
    return motion


def _levels(
    maze: Mapping[str, Any], changes: TimedChangesLike | None, rules: StepRules
) -> LevelSet:
    """Return the levels of generated mazes."""
    if changes is not None:
        raise ValueError(
            f"changes={shown(changes)} with a generated layout; expected None, or random_changes"
        )
    options = dict(maze)
    known = [*(field.name for field in fields(MazeGenerator)), "levels", "first_level"]
    with naming("layout"):
        for name in options:
            checked_choice("key", name, known)
        levels, first_level = options.pop("levels", None), options.pop("first_level", 0)
        make = MazeGenerator(**options).make
        return LevelSet(make, levels=levels, first_level=first_level, **rules)


def _check_size(layout: Layout) -> None:
    if max(layout.rows, layout.cols) > MAX_SIDE:
        raise LayoutError(
            f"a maze of {layout.rows} rows and {layout.cols} columns; "
            f"expected at most {MAX_SIDE} of each"
        )
