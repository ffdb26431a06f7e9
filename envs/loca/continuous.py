"""The corridor of LoCA without a grid: a point that moves along it."""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.common.arrays import Float32Array

from ..continuous.env import DynaMazeContinuousEnv
from ..continuous.kernel import PADDING, WALL
from ..mazes.layout import Cell, Layout
from .tasks import (
    EXIT_T2,
    T2_REWARD,
    ZONE,
    PhasesLike,
    as_changes,
    asked_for,
    check_observation,
    corridor,
    reset_into,
    starts_of,
    task_of,
)


class DynaMazeLoCAContinuousEnv(DynaMazeContinuousEnv):
    """A point in a corridor with two exits, of which one comes to pay less.

    ## Description
    The corridor, the two tasks and the phases of `DynaMazeLoCAEnv`, for a point that moves as in
    `DynaMazeContinuousEnv`. Columns [1, 26) are the corridor; beyond lie the exits, T2 on the left
    and T1 on the right. The zone of T1 is columns [25, 26): for a point in it the corridor has a
    wall on the left at column 25, which also stops what noise would do.

    As the rows make no difference, what is optimal depends on the column alone.

    | id | world |
    | --- | --- |
    | `DynaMazeLoCAContinuous-v0` | the corridor for a point |

    ## Action Space
    Chosen by `action`, by default `"discrete"`: `Discrete(4)`, 0 up, 1 right, 2 down, 3 left, by
    `step_size`; `"continuous"`: `Box(-1, 1, (2,), float32)`, down and right, times `step_size`.

    ## Observation Space
    Chosen by `observation`, by default `"position"`: `Box(0, [4, 27], (2,), float32)`, row and
    column. The forms are those of `DynaMazeContinuousEnv`, but for "goal".

    ## Starting State
    Anywhere in the corridor, each place as likely; with `starts="T1"` anywhere in T1's zone.

    ## Rewards
    On reaching T1 4 in task A and 1 in task B; on reaching T2 2; otherwise 0.

    ## Episode End
    Terminated in an exit. Truncated after 100 steps (`gym.make(..., max_episode_steps=n)`; -1 for
    no limit).

    ## Information
    `reset` and `step` give `world_step`, the steps of the whole life so far, and `phase`, the
    number of changes so far; the task is not told.

    A world goes from phase to phase by `reset(options=...)`, `set_task` or `changes`, as in
    `DynaMazeLoCAEnv`.

    ## Arguments
    Args:
        task: "A" or "B".
        starts: "all" or "T1".
        changes: when -> a mapping of "task" and "starts"; when is a world step or "episode N".
        action: "discrete" or "continuous".
        step_size: how far an action moves the point, in cells, in (0, 1e6].
        noise: the standard deviation of what is added to each component of a displacement, in
            cells, in [0, 1e6].
        observation: see above.
        notice: what is told of a change: "none", "change" or "cells" (see `DynaMazeEnv`).
        notice_in: where it is told: "info" or "observation".
        render_mode: "human" (a pygame window), "rgb_array" (a frame as uint8), "ansi" or
            "ansi_color" (text), "svg" (a drawing).

    Raises:
        ValueError: for a name that does not exist, or a number outside its range; TypeError for
            what is not a number.

    ## Version History
    * v0: the first.
    """

    def __init__(
        self,
        task: str = "A",
        starts: str = "all",
        *,
        changes: PhasesLike | None = None,
        action: str = "discrete",
        step_size: float = 1.0,
        noise: float = 0.1,
        observation: Any = "position",
        notice: str = "none",
        notice_in: str = "info",
        render_mode: str | None = None,
    ) -> None:
        self._walled: Layout | None = None  # the layout of the two terrains
        super().__init__(
            corridor(task, starts),
            as_changes(changes),
            action=action,
            step_size=step_size,
            noise=noise,
            observation=check_observation(observation),
            notice=notice,
            notice_in=notice_in,
            render_mode=render_mode,
        )

    # -- phases --------------------------------------------------------------------------------

    @property
    def task(self) -> str | None:
        """The task as it is now; None where T1 was changed to pay otherwise."""
        return task_of(self.layout)

    @property
    def starts(self) -> str | None:
        """Where episodes begin now; None where the starts were changed to others."""
        return starts_of(self.layout)

    def set_task(self, task: str | None = None, starts: str | None = None) -> None:
        """Go on in another phase from now on; arguments and errors as of `DynaMazeLoCAEnv`."""
        change = asked_for(task, starts).change
        if not self._started:
            self.world_step = 0  # the life begins now, or the first reset would undo the change
        self.change(change)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; arguments and errors as of `DynaMazeLoCAEnv`."""
        begun: tuple[Any, dict[str, Any]] = reset_into(super().reset, self.change, seed, options)
        return begun

    # -- the agent -----------------------------------------------------------------------------

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take a step; arguments and errors as of `DynaMazeContinuousEnv`."""
        before = self.agent
        in_zone = before is not None and before[1] == ZONE
        self._terrain = self._in_zone if in_zone else self._open
        observation, reward, terminated, truncated, info = super().step(action)
        after = self.agent
        assert before is not None
        assert after is not None
        if before[1] != EXIT_T2 == after[1]:
            reward = T2_REWARD
        return observation, reward, terminated, truncated, info

    def imagine(
        self, observations: Any, actions: Any, rng: np.random.Generator
    ) -> tuple[Any, Any, Any]:
        """What follows; arguments and errors as of `DynaMazeContinuousEnv`."""
        seen, pushes = np.asarray(observations, dtype=np.float32), np.asarray(actions)
        columns = seen[:, 1].astype(np.int64)
        following, rewards = seen.copy(), np.zeros(len(seen))
        ended, here = np.zeros(len(seen), dtype=np.bool_), self._terrain
        for terrain, those in (
            (self._open, columns != ZONE),
            (self._in_zone, columns == ZONE),
        ):
            self._terrain = terrain
            found = super().imagine(seen[those], pushes[those], rng)
            following[those], rewards[those], ended[those] = found
        self._terrain = here
        rewards[(columns != EXIT_T2) & (following[:, 1].astype(np.int64) == EXIT_T2)] = T2_REWARD
        return following, rewards, ended

    def _settle(self) -> None:
        super()._settle()
        if self._walled is not self.layout:
            self._open, self._walled = self._terrain, self.layout
            cells = self._open.cells.copy()
            cells[:, :, PADDING + ZONE - 1] = WALL
            self._in_zone = self._open._replace(cells=cells)

    def _state_at(self, start: Cell) -> Float32Array:
        """Anywhere in the start's cell, at rest."""
        place = np.array([*start, 0.0, 0.0], dtype=np.float32)
        for axis, cell in enumerate(start):
            # Rounded to float32, a number just below the border would lie beyond it.
            last = np.nextafter(np.float32(cell + 1), np.float32(cell))
            place[axis] = min(np.float32(cell + self._uniform()), last)
        return place
