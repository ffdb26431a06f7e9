"""A point in a maze: the single environment of every maze without a grid of steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from dynamaze.common.arrays import Float32Array
from dynamaze.common.validation import checked_number, did_you_mean

from ..base import MazeEnv
from ..changing_maze import Course
from ..generation import MazeRecipe
from ..generation.levels import Levels
from ..mazes.dynamics import NUM_ACTIONS
from ..mazes.layout import Cell, Layout, LayoutError, Rewards
from ..mazes.random_changes import RandomChanges
from ..mazes.schedule import ChangesLike, LayoutLike, Schedule, read_schedule
from ..observations import make_observation
from ..options import refuse_action
from ..rendering.scene import Scene
from .actions import PUSHES, Push, read_push
from .kernel import Motion, Terrain, move, move_apart
from .observations import Position, PositionVelocity, point_forms

ACTION_KINDS = ("continuous", "discrete")

MAX_SIDE = 4096
"""Rows and columns: beyond, positions in float32 are coarser than 1/2048 of a cell."""

MAX_LENGTH = 1e6
"""Cells: of the longest step and of the widest noise."""

DISCRETE_PUSHES: list[Push] = [(float(down), float(right)) for down, right in PUSHES]


class DynaMazeContinuousEnv(MazeEnv):
    """A point in a maze whose walls may change while the agent learns.

    ## Description
    The same mazes, changes and clock as on the grid, but the agent is a point that moves through
    the free cells in any direction. Positions are [row, col] in units of cells: cell (r, c) covers
    [r, r + 1) x [c, c + 1), and row 0 is on top. Gaussian noise is added to each step.

    A wall stops exactly the component of the motion that goes into it; the other one goes on, so
    the point slides along the wall. However long a step is, the point never passes a wall, not even
    between two that meet at a corner. Positions are numbers of float32: what is observed is the
    very state, and `position.astype(int)` is the agent's cell, always free (unless a wall fell on
    the agent) and inside the maze. Where a wall below or to the right stops the point, it stands on
    the last number of its cell before the wall.

    | id | maze |
    | --- | --- |
    | `DynaMazeContinuous-v0` | example 8.1 of Sutton & Barto (2018): does not change |

    ## Action Space
    Chosen by `action`:

    | name | space | what it is |
    | --- | --- | --- |
    | `"continuous"` | `Box(-1, 1, (2,), float32)` | down and right, times `step_size`; clipped |
    | `"discrete"` | `Discrete(4)` | 0 up, 1 right, 2 down, 3 left, by `step_size` |

    With `inertia` the action is an acceleration: the velocity, in cells a step, becomes
    `inertia * velocity + step_size * action`, and the point moves by it. A wall that stops a
    component of the motion makes that component of the velocity 0.

    ## Observation Space
    Chosen by `observation`:

    | name | space | what it is |
    | --- | --- | --- |
    | `"position"` | `Box(0, [rows, cols], (2,), float32)` | row and column |
    | `"position_velocity"` | `Box((4,), float32)` | these, and the velocity |
    | `"rays"` | `Box((16,), float32)` | in eight directions, clockwise from up, the exact \
distances to the next wall or the edge; then whether a goal lies before it |
    | `"goal"` | `Dict` | `observation` (the position), `achieved_goal` (too), `desired_goal` (the \
goal's centre); with `compute_reward`, for HER |
    | `"rgb"` | `Box(0, 255, (rows * 8, cols * 8, 3), uint8)` | a picture |

    `{"kind": "goal", "of": "position_velocity"}` puts another form into the dictionary,
    `{"kind": "rgb", "cell_size": 4}` makes smaller pictures.

    ## Starting State
    At rest in the middle of the start, `S`; where there are several, of one of them at random.

    ## Rewards
    `goal_reward` (1) on entering a goal's cell, `step_reward` (0) otherwise; `wall_reward` where
    something stopped a component of the motion, if it is not None.

    ## Episode End
    Terminated on entering a goal's cell, which then holds the point. Truncated after 500 steps
    (`gym.make(..., max_episode_steps=n)`; -1 for no limit).

    ## Information
    `reset` and `step` give `world_step`, the steps of the whole life so far, and `phase`, the
    number of changes so far; more with `random_changes`, generated mazes and `notice`. The clock
    and `reset(options=...)` are those of `DynaMazeEnv`.

    A wall that falls on the agent does not move it: it may move inside the wall's cell and leave it
    for any free neighbour, but not come back.

    ## Arguments
    Args:
        layout: a maze in any form that `DynaMazeEnv` takes; or a mapping of the arguments of
            `DynaMazeGeneratedEnv` that make a new maze for each episode, such as
            `{"size": 9, "algorithm": "rooms", "levels": 100}`.
        changes: world step -> change, as of `DynaMazeEnv`; not with generated mazes.
        action: "continuous" or "discrete".
        step_size: how far an action of 1 moves the point at rest, in cells, in (0, 1e6].
        inertia: the share of the velocity that is kept from step to step, in [0, 1).
        noise: the standard deviation of what is added to each component of a displacement, in
            cells, in [0, 1e6].
        random_changes: how the maze changes at random (see `DynaMazeEnv`).
        slip_probability: with this probability an action is turned by a right angle to one of the
            two sides, each half as likely.
        goal_reward: paid on entering a goal's cell.
        step_reward: paid for any other step.
        wall_reward: paid for a step in which a wall or the edge stopped a component; None pays
            `step_reward`.
        observation: see above.
        notice: what is told of a change: "none", "change" or "cells" (see `DynaMazeEnv`).
        notice_in: where it is told: "info" or "observation".
        render_mode: "human" (a pygame window), "rgb_array" (a frame as uint8), "ansi" or
            "ansi_color" (text), "svg" (a drawing).

    Raises:
        LayoutError: (a ValueError) for a maze or a schedule that cannot be, or one of more than
            4096 rows or columns.
        ValueError: for a name that does not exist, or a number outside its range; TypeError for
            what is not a number.

    ## Version History
    * v0: the first.
    """

    def __init__(  # noqa: PLR0913  # what a user may want to say
        self,
        layout: LayoutLike | Mapping[str, Any] = "dyna",
        changes: ChangesLike | None = None,
        *,
        action: str = "continuous",
        step_size: float = 0.5,
        inertia: float = 0.0,
        noise: float = 0.05,
        random_changes: RandomChanges | Mapping[str, Any] | None = None,
        slip_probability: float = 0.0,
        goal_reward: float = 1.0,
        step_reward: float = 0.0,
        wall_reward: float | None = None,
        observation: Any = "position",
        notice: str = "none",
        notice_in: str = "info",
        render_mode: str | None = None,
    ) -> None:
        rewards = Rewards.of(goal_reward, step_reward, wall_reward)
        if isinstance(layout, Mapping):
            schedule, levels = _generated(layout, changes, rewards, slip_probability)
        else:
            levels = None
            schedule = read_schedule(
                layout, changes, rewards=rewards, slip_probability=slip_probability
            )
        course = Course(schedule, levels, RandomChanges.read(random_changes))
        _check_size(course.first)
        self.action = _checked_kind(action)
        self.motion = read_motion(step_size, inertia, noise)
        self._terrain, self._loaded = Terrain.of(course.phases[:1]), course.first
        super().__init__(
            course,
            observation=make_observation(
                observation, course.first, point_forms(self.motion.max_speed)
            ),
            action_space=(
                spaces.Discrete(NUM_ACTIONS)
                if action == "discrete"
                else spaces.Box(-1.0, 1.0, (2,), np.float32)
            ),
            nowhere=None,
            notice=notice,
            notice_in=notice_in,
            render_mode=render_mode,
        )

    # -- the agent -----------------------------------------------------------------------------

    @property
    def position(self) -> tuple[float, float] | None:
        """Where the agent is, (row, col) in cells; None before the first reset."""
        return None if self._state is None else (float(self._state[0]), float(self._state[1]))

    @property
    def velocity(self) -> tuple[float, float] | None:
        """How fast the agent is, (down, right) in cells a step; None before the first reset."""
        return None if self._state is None else (float(self._state[2]), float(self._state[3]))

    @property
    def agent(self) -> Cell | None:
        """The cell (row, col) in which the agent is; None before the first reset."""
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
                finite; TypeError for another dtype.
            gymnasium.error.ResetNeeded: before the first reset.
        """
        if self._state is None:
            raise gym.error.ResetNeeded("step() before the first reset(); call reset() first")
        push = self._read_push(action)
        motion, slip = self.motion, self.layout.slip_probability
        to_slip = self._uniform() if slip > 0 else 0.0
        first, second = (self._uniform(), self._uniform()) if motion.noise > 0 else (0.0, 0.0)
        self._state = self._state.copy()
        terrain = self._terrain
        reward, terminated = move(
            terrain.cells, terrain.reward, self._state, slip, *motion, *push, to_slip, first, second
        )
        self._world_step += 1
        if self._world_step == self._next_change or self._is_watched:
            self._catch_up()
        observation, info = self._seen()
        return observation, reward, terminated, False, info

    def imagine(
        self, observations: Any, actions: Any, rng: np.random.Generator
    ) -> tuple[Any, Any, Any]:
        """What follows positions and actions in the maze as it is now; the agent stays where it is.

        For planners: the true world as a model. A position must say all: a point with inertia has a
        velocity, too, and is imagined by "position_velocity".

        Args:
            observations: (batch, 2) positions, or (batch, 4) positions and velocities, as the
                environment gives them.
            actions: (batch, 2) real numbers, or (batch,) integers where actions are discrete.
            rng: draws slips and noise.

        Returns:
            The observations that follow, (batch,) rewards and (batch,) terminated.

        Raises:
            ValueError: for another form of observation, or a position that does not say all.
        """
        size = {Position: 2, PositionVelocity: 4}.get(type(self._observation), 0)
        is_whole = size == 4 or (size == 2 and self.motion.inertia == 0)
        if not is_whole or not isinstance(self.observation_space, spaces.Box):
            raise ValueError(
                f"{type(self._observation).__name__} with inertia {self.motion.inertia:g} does not "
                'say all of a point; expected observation="position_velocity", or "position" '
                "without inertia"
            )
        given = np.asarray(observations, dtype=np.float32)
        states = np.zeros((len(given), 4), dtype=np.float32)
        states[:, :size] = given
        pushes = np.asarray(actions, dtype=np.float64)
        if self.action == "discrete":
            pushes = PUSHES[np.asarray(actions)]
        pays, ends = np.zeros(len(states)), np.zeros(len(states), dtype=np.bool_)
        numbers = rng.random((len(states), 3))
        move_apart(self._terrain, self.motion, states, pushes, numbers, pays, ends)
        return states[:, :size], pays, ends

    def get_keys_to_action(self) -> dict[tuple[str, ...], Any]:
        """The keys of `gymnasium.utils.play`."""
        if self.action == "discrete":
            return {("w",): 0, ("d",): 1, ("s",): 2, ("a",): 3}
        keys = {(key,): PUSHES[i] for i, key in enumerate("wdsa")}
        return {key: push.astype(np.float32) for key, push in keys.items()}

    # -- pictures ------------------------------------------------------------------------------

    def scene(self) -> Scene:
        """What a picture of this moment shows, as data."""
        scene = super().scene()
        return scene._replace(trail=(), position=self.position, path=tuple(self._trail))

    # -- inside --------------------------------------------------------------------------------

    def _read_push(self, action: Any) -> Push:
        if self.action == "continuous":
            return read_push(action)
        try:
            if action < 0:
                raise IndexError
            push: Push = DISCRETE_PUSHES[action]
        except (IndexError, TypeError, ValueError):
            raise refuse_action(action) from None
        return push

    def _settle(self) -> None:
        super()._settle()
        if self._loaded is not self.layout:  # a new one: copies of this environment share the old
            self._terrain, self._loaded = Terrain.of([self._world.dynamics]), self.layout

    def _state_at(self, start: Cell) -> Float32Array:
        return np.array([start[0] + 0.5, start[1] + 0.5, 0.0, 0.0], dtype=np.float32)

    def _mark(self) -> Any:
        return self.position

    def _write_state(self) -> list[float] | None:
        return None if self._state is None else self._state.tolist()

    def _read_state(self, state: dict[str, Any]) -> Float32Array | None:
        given = state.get("state", ())
        if given is None:
            return None
        try:
            own = np.array([float(number) for number in given], dtype=np.float32)
        except (OverflowError, TypeError, ValueError) as error:
            raise ValueError(f"not a state that get_state() returned: {error!r}") from None
        shape, fastest = self.layout.walls.shape, np.float32(self.motion.max_speed)
        inside = own.shape == (4,) and bool(((own[:2] >= 0) & (own[:2] < shape)).all())
        if not inside or not (np.abs(own[2:]) <= fastest).all():
            raise ValueError(
                f"state {given!r}; expected a position in the {self.layout.rows}x"
                f"{self.layout.cols} maze and a velocity of at most {self.motion.max_speed:g}"
            )
        return own


def read_motion(step_size: float, inertia: float, noise: float) -> Motion:
    """How a point answers to an action.

    Raises:
        ValueError: for a number outside its range; TypeError for what is not a number.
    """
    step_size = checked_number("step_size", step_size, 0, MAX_LENGTH, above=True)
    inertia = checked_number("inertia", inertia, 0, 1)
    if inertia == 1:
        raise ValueError(f"inertia={inertia!r}; expected a number in [0, 1)")
    noise = checked_number("noise", noise, 0, MAX_LENGTH)
    return Motion(step_size, inertia, float(np.float32(step_size / (1 - inertia))), noise)


def _generated(
    maze: Mapping[str, Any], changes: ChangesLike | None, rewards: Rewards, slip: float
) -> tuple[Schedule, Levels]:
    """The first of the mazes that are made anew for each episode, and where they come from."""
    if changes is not None:
        raise ValueError("changes with a generated layout; expected None, or random_changes")
    recipe = {name: value for name, value in maze.items() if name not in ("levels", "first_level")}
    levels = Levels(
        MazeRecipe(**recipe).make,
        levels=maze.get("levels"),
        first_level=maze.get("first_level", 0),
        rewards=rewards,
        slip_probability=slip,
    )
    return Schedule((levels.layout(levels.first_level),)), levels


def _checked_kind(action: str) -> str:
    if action not in ACTION_KINDS:
        raise ValueError(
            f"action={action!r}; expected one of {', '.join(ACTION_KINDS)}"
            f"{did_you_mean(action, ACTION_KINDS)}"
        )
    return action


def _check_size(layout: Layout) -> None:
    if max(layout.rows, layout.cols) > MAX_SIDE:
        raise LayoutError(
            f"a maze of {layout.rows} rows and {layout.cols} columns; "
            f"expected at most {MAX_SIDE} of each"
        )
