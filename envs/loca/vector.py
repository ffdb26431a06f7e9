"""Native vector environments of local change adaptation (LoCA), on a grid and for points.

They use the compiled steps of all mazes. What differs is added here, on whole batches: the slips on
a grid, and for points the zone of T1, the reward of T2 and the random starts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray

from ..continuous.kernel import NUMBERS_PER_STEP
from ..continuous.vector import DynaMazeContinuousVectorEnv
from ..mazes.dynamics import NUM_ACTIONS, Dynamics
from ..options import Seeds, parse_reset_mask
from ..vector.base import MazeVectorEnv
from ..vector.grid import GridVectorEnv
from ..vector.kernel import BEGINS, ENDED, NEXT_STEP, BatchedEnvState, StepResult
from .continuous import DynaMazeLoCAContinuousEnv, close_zone, uniform_positions
from .grid import DynaMazeLoCAEnv
from .tasks import EXIT_T2, T2_REWARD, ZONE, check_phase


class LoCAVectorEnv(MazeVectorEnv):
    """Vector environment whose phase, the task and the starts, can be set by a reset."""

    def reset(
        self, *, seed: Seeds = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin episodes; arguments and errors as of `MazeVectorEnv`.

        Args:
            seed: one seed, one for each environment, or None.
            options: also `task` and `starts`, as of the single environment.
        """
        rest = dict(options or {})
        phase = check_phase(rest.pop("task", None), rest.pop("starts", None))
        result = super().reset(seed=seed, options=rest)
        if not phase.change:
            return result
        mask = parse_reset_mask(rest.get("reset_mask"), self.num_envs)
        for i in np.flatnonzero(mask).tolist():
            single = self._attach_single(i)
            single.change(phase.change)
            self._detach_single(i, single)
        return super().reset(options={"reset_mask": mask})

    def _stepping(self) -> BoolArray:
        """Return (n,) True where the next step is one of an episode and does not begin one."""
        return ~self._batch.done if self._mode == NEXT_STEP else np.ones_like(self._batch.done)


class DynaMazeLoCAVectorEnv(LoCAVectorEnv, GridVectorEnv):
    """Vector environment of `DynaMazeLoCAEnv`."""

    single_class = DynaMazeLoCAEnv

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._slip = self._tables.slip.copy()
        self._tables.slip[:] = 0.0  # off: they would go to the sides; see `_slipped`

    def _load_maze(self, slot: int, dynamics: Dynamics) -> None:
        super()._load_maze(slot, dynamics)
        self._slip = np.pad(self._slip, (0, self._tables.slip.size - self._slip.size))
        self._slip[slot] = dynamics.layout.slip_probability
        self._tables.slip[slot] = 0.0

    def _step_batch(self, actions: IntArray, result: StepResult) -> int:
        return super()._step_batch(self._slipped(actions), result)

    def _slipped(self, actions: IntArray) -> IntArray:
        """Return the directions moved: some actions are replaced by uniformly random ones."""
        slip = self._slip[self._batch.slot]
        rows = np.flatnonzero((slip > 0) & self._stepping())
        if not rows.size:
            return actions
        (number,) = draw_uniforms(self._batch, rows, 1).T
        other = slip[rows] / NUM_ACTIONS
        # The thresholds of `LoCADynamics`, added up in the same order.
        second = (first := 1.0 - (NUM_ACTIONS - 1) * other) + other
        turns = (number >= first).astype(np.int64) + (number >= second) + (number >= second + other)
        moved = actions.copy()
        moved[rows] = (moved[rows] + turns) % NUM_ACTIONS
        return moved


class DynaMazeLoCAContinuousVectorEnv(LoCAVectorEnv, DynaMazeContinuousVectorEnv):
    """Vector environment of `DynaMazeLoCAContinuousEnv`.

    Each maze has a second slot with the wall that points in the zone of T1 meet.
    """

    single_class = DynaMazeLoCAContinuousEnv
    numbers_per_step = NUMBERS_PER_STEP + 2

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for slot, phase in enumerate(self._phases):
            self._load_maze(slot, phase)

    def _needs_random_numbers(self) -> bool:
        return True  # for the starts

    def _load_maze(self, slot: int, dynamics: Dynamics) -> None:
        slots = self._own_slot(self.num_envs)
        self._tables = self._tables.with_capacity(2 * slots, len(dynamics.starts))
        for each in (slot, slots + slot):
            self._tables.put(each, dynamics)
        close_zone(self._tables.cells[slots + slot])

    def _step_batch(self, actions: FloatArray, result: StepResult) -> int:
        batch, stepping = self._batch, self._stepping()
        slots, before = batch.slot.copy(), batch.state[:, 1].astype(np.int64)
        batch.slot[before == ZONE] += self._own_slot(self.num_envs)
        marks = super()._step_batch(actions, result)
        batch.slot[:] = slots
        ended, begins = (result.marks & ENDED) > 0, (result.marks & BEGINS) > 0
        last = np.where(ended[:, None], result.final_state, batch.state)
        arrives = (before != EXIT_T2) & (last[:, 1].astype(np.int64) == EXIT_T2)
        result.reward[arrives & stepping] = T2_REWARD
        self._draw_positions((batch.episode_step == 0) & ~begins)
        return marks

    def _begin_episodes(
        self, mask: BoolArray, level: int | None = None, *, restarted: bool = False
    ) -> None:
        super()._begin_episodes(mask, level, restarted=restarted)
        self._draw_positions(mask)

    def _draw_positions(self, mask: BoolArray) -> None:
        """Move the masked points, which stand in the middle of a start's cell, anywhere in it."""
        rows = np.flatnonzero(mask)
        if rows.size:
            cells = self._batch.state[rows, :2].astype(np.int64)
            numbers = draw_uniforms(self._batch, rows, 2)
            self._batch.state[rows, :2] = uniform_positions(cells, numbers)


def draw_uniforms(batch: BatchedEnvState, rows: IntArray, count: int) -> FloatArray:
    """Return (rows, count) the next random numbers of some environments."""
    places = batch.next_uniform[rows, None] + np.arange(count)
    numbers: FloatArray = batch.uniforms[rows[:, None], places]
    batch.next_uniform[rows] += count
    return numbers
