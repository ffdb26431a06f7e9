"""LoCA environment of a point that moves along the corridor."""

from __future__ import annotations

from typing import Any, ClassVar, Unpack

import numpy as np

from dynamaze.common.arrays import BoolArray, Float32Array, FloatArray, IntArray, UInt8Array

from ..continuous.env import DynaMazeContinuousEnv
from ..continuous.kernel import PADDING, WALL
from ..mazes.layout import Cell, Layout
from ..options import EnvOptions, with_options
from . import tasks
from .tasks import EXIT_T2, T2_REWARD, ZONE, LoCAPhases, PhasesLike


@with_options(EnvOptions)
class DynaMazeLoCAContinuousEnv(LoCAPhases, DynaMazeContinuousEnv):
    """Corridor with two terminal states for a point; the reward of one is reduced in phase 2.

    ## Description
    The corridor, the two tasks and the phases of `DynaMazeLoCAEnv`, for a point that moves as in
    `DynaMazeContinuousEnv`. Columns [1, 26) are the corridor; beyond are the terminal states, T2 on
    the left and T1 on the right. The zone of T1 is columns [25, 26): for a point in it the corridor
    has a wall on the left at column 25, which also stops displacements by noise.

    The optimal values depend on the column alone.

    | id | environment |
    | --- | --- |
    | `DynaMazeLoCAContinuous-v0` | the corridor for a point |

    ## Action Space
    Chosen by `action`, by default `"discrete"`: `Discrete(4)`, 0 up, 1 right, 2 down, 3 left, by
    `step_size`; `"continuous"`: `Box(-1, 1, (2,), float32)`, down and right, times `step_size`.

    ## Observation Space
    Chosen by `observation`, by default `"position"`: `Box(0, [4, 27], (2,), float32)`, row and
    column. The kinds are those of `DynaMazeContinuousEnv`, except for "goal".

    ## Starting State
    Uniform in the corridor; with `starts="T1"` uniform in T1's zone.

    ## Rewards
    On reaching T1: 4 in task A, 1 in task B; on reaching T2: 2; otherwise 0.

    ## Episode End
    Terminated in T1 or T2. Truncated after 100 steps (`gym.make(..., max_episode_steps=n)`; -1 for
    no limit).

    ## Information
    `reset` and `step` return `world_step`, the number of steps over all episodes, and `phase`, the
    number of changes so far; the task is not reported.

    The phase changes by `reset(options=...)`, `set_task` or `changes`, as in `DynaMazeLoCAEnv`.

    ## Arguments
    Args:
        task: "A" or "B".
        starts: "all" or "T1".
        changes: as of `DynaMazeLoCAEnv`.
        action: "discrete" or "continuous".
        step_size: the displacement by an action, in cells, in (0, 1e6].
        noise: the standard deviation of the noise of each component of a displacement, in cells,
            in [0, 1e6].
        observation: see above.
        **options: those of `EnvOptions`.

    Raises:
        ValueError: for an unknown name, or a number outside its range; TypeError for anything but
            a number where one is expected.

    ## Version History
    * v0: the first.
    """

    kind: ClassVar = "LoCA point"

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
        **options: Unpack[EnvOptions],
    ) -> None:
        self._tables_layout: Layout | None = None  # the layout of the two tables
        super().__init__(
            tasks.corridor(task, starts),
            tasks.phase_changes(changes),
            action=action,
            step_size=step_size,
            noise=noise,
            observation=tasks.check_loca_observation(observation),
            **options,
        )

    # -- the agent -----------------------------------------------------------------------------

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take a step; arguments and errors as of `DynaMazeContinuousEnv`."""
        before = self.agent
        in_zone = before is not None and before[1] == ZONE
        self._tables = self._zone_tables if in_zone else self._corridor_tables
        observation, reward, terminated, truncated, info = super().step(action)
        after = self.agent
        assert before is not None
        assert after is not None
        if before[1] != EXIT_T2 == after[1]:
            reward = T2_REWARD
        return observation, reward, terminated, truncated, info

    def _sample(
        self, states: Float32Array, vectors: FloatArray, rng: np.random.Generator
    ) -> tuple[FloatArray, BoolArray]:
        columns, present = states[:, 1].astype(np.int64), self._tables
        rewards, terminated = np.zeros(len(states)), np.zeros(len(states), dtype=np.bool_)
        for tables, mask in (
            (self._corridor_tables, columns != ZONE),
            (self._zone_tables, columns == ZONE),
        ):
            self._tables, stepped = tables, states[mask]
            rewards[mask], terminated[mask] = super()._sample(stepped, vectors[mask], rng)
            states[mask] = stepped
        self._tables = present
        rewards[(columns != EXIT_T2) & (states[:, 1].astype(np.int64) == EXIT_T2)] = T2_REWARD
        return rewards, terminated

    def _sync_maze(self) -> None:
        super()._sync_maze()
        if self._tables_layout is not self.layout:
            self._corridor_tables, self._tables_layout = self._tables, self.layout
            cells = self._corridor_tables.cells.copy()
            close_zone(cells[0])
            self._zone_tables = self._corridor_tables._replace(cells=cells)

    def _initial_state(self, start: Cell) -> Float32Array:
        """Return a uniformly random position in the start's cell, at rest."""
        numbers = np.array([self._uniform(), self._uniform()])
        place = np.zeros(4, dtype=np.float32)
        place[:2] = uniform_positions(np.array(start), numbers)
        return place


def close_zone(cells: UInt8Array) -> None:
    """Draw the wall on the left of T1's zone into the cells of a slot of `PointMazeTables`."""
    cells[:, PADDING + ZONE - 1] = WALL


def uniform_positions(cells: IntArray, numbers: FloatArray) -> Float32Array:
    """Return the positions (..., 2) in some cells (row, col) of numbers from [0, 1)."""
    # Rounding to float32 could move a number just below the border onto it.
    last = np.nextafter((cells + 1).astype(np.float32), cells.astype(np.float32))
    positions: Float32Array = np.minimum((cells + numbers).astype(np.float32), last)
    return positions
