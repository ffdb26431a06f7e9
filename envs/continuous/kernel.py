"""Compiled motion of a point through a maze, shared by the single and the vector environment.

A point lies in a cell: cell (row, col) covers [row, row + 1) x [col, col + 1). In a step it moves
along a straight line, through the cells that the line meets, one border after the other (Amanatides
& Woo 1987, "A fast voxel traversal algorithm for ray tracing"). A border before a wall or at the
edge stops the component of the motion across it; the other component continues. No border is
skipped, however long the line: a point never passes a wall and never leaves the maze.

Positions and velocities are float32 numbers, so that the observation is the exact state. A point
stopped by a wall below or to the right stands on the largest float32 number below the border, which
still lies in its own cell. A point on a wall's cell (the wall appeared there) may move in it and
leave it.

If the line meets a corner exactly, the point crosses one border after the other, that of rows first
if the cell beyond it is free, otherwise that of columns: never between two walls.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import Float32Array, FloatArray, UInt8Array
from dynamaze.common.compiled import compiled, compiled_with_arrays

from ..mazes.dynamics import Dynamics
from ..mazes.layout import Layout
from ..vector.kernel import (
    NEXT_STEP,
    begin_episode,
    begins_now,
    empty_result,
    end_step,
    next_random,
)

FREE, WALL, GOAL = 0, 1, 2
PADDING = 1
"""Cells of wall around a maze, so that its edge needs no rule of its own."""

SINE_TERMS = tuple((-1) ** k / math.factorial(2 * k + 1) for k in range(7, -1, -1))
COSINE_TERMS = tuple((-1) ** k / math.factorial(2 * k) for k in range(7, -1, -1))

JUST_BELOW = 1.0 - 2.0**-24
"""An integer times this, rounded to float32, is the float32 number before the integer."""

NUMBERS_PER_STEP = 4
"""Random numbers of a step: one to slip, two for the noise, one to choose a start."""


class PointMazeTables(NamedTuple):
    """Arrays of several mazes in which points move, one maze in each slot."""

    cells: UInt8Array  # (slots, rows + 2, cols + 2) of FREE, WALL and GOAL
    reward: FloatArray  # (slots, 3) on reaching a goal, for a step, for a step that a wall stopped
    slip: FloatArray  # (slots,) the probability of a step to one side
    starts: Float32Array  # (slots, most starts, 4) states: positions at rest
    num_starts: npt.NDArray[np.int64]  # (slots,)

    @classmethod
    def of(cls, mazes: Sequence[Dynamics]) -> PointMazeTables:
        """Return the tables of some mazes of one shape."""
        rows, cols = mazes[0].layout.walls.shape
        tables = cls(
            cells=np.zeros((0, rows + 2 * PADDING, cols + 2 * PADDING), dtype=np.uint8),
            reward=np.zeros((0, 3)),
            slip=np.zeros(0),
            starts=np.zeros((0, 0, 4), dtype=np.float32),
            num_starts=np.zeros(0, dtype=np.int64),
        ).with_capacity(len(mazes), max(len(maze.starts) for maze in mazes))
        for slot, maze in enumerate(mazes):
            tables.put(slot, maze)
        return tables

    def put(self, slot: int, maze: Dynamics) -> None:
        """Write a maze into a slot; its starts must fit into `starts`."""
        layout = maze.layout
        draw_cells(self.cells[slot], layout)
        self.reward[slot] = layout.rewards
        self.slip[slot] = layout.slip_probability
        self.starts[slot, : len(layout.starts), :2] = np.array(layout.starts) + 0.5
        self.num_starts[slot] = len(layout.starts)

    def with_capacity(self, slots: int, starts: int) -> PointMazeTables:
        """Return these tables with room for at least `slots` mazes of `starts` starts each."""
        more_slots = max(0, slots - self.slip.size)
        more_starts = max(0, starts - self.starts.shape[1])
        if not more_slots + more_starts:
            return self
        more = (0, more_slots)
        return self._replace(
            cells=np.pad(self.cells, (more, (0, 0), (0, 0)), constant_values=WALL),
            reward=np.pad(self.reward, (more, (0, 0))),
            slip=np.pad(self.slip, more),
            starts=np.pad(self.starts, (more, (0, more_starts), (0, 0))),
            num_starts=np.pad(self.num_starts, more, constant_values=1),
        )


def draw_cells(cells: UInt8Array, layout: Layout) -> None:
    """Write a maze into (rows + 2, cols + 2) cells, whose border holds walls already."""
    cells[PADDING:-PADDING, PADDING:-PADDING] = np.where(layout.walls, WALL, FREE)
    for row, col in layout.goals:
        cells[row + PADDING, col + PADDING] = GOAL


class Motion(NamedTuple):
    """Parameters of a point's motion."""

    step_size: float  # cells
    inertia: float  # the factor of the velocity from step to step
    max_speed: float  # of each component
    noise: float  # standard deviation of the noise of each component of a displacement


@compiled
def motion_of(step_size, inertia, noise):
    """Return the parameters of a motion, with the maximum speed that follows from them."""
    max_speed = np.float64(np.float32(step_size / (1.0 - inertia)))
    return Motion(step_size, inertia, max_speed, noise)


@compiled
def crosses_row_first(cells, slot, row, col, down, gaps, lengths):
    """Return True if the line meets the next border of rows before that of columns.

    Args:
        cells: see `PointMazeTables`.
        slot: of the maze.
        row: of the present cell in the padded maze.
        col: the same.
        down: 1 if the line goes down, -1 if up.
        gaps: the distances from the line's first point to the two borders.
        lengths: the lengths of the line's two components.
    """
    # gaps[0] / lengths[0] < gaps[1] / lengths[1], without the division.
    by_row, by_col = gaps[0] * lengths[1], gaps[1] * lengths[0]
    if by_row != by_col:
        return by_row < by_col
    return cells[slot, row + down, col] != WALL


@compiled
def move_with_collisions(cells, slot, y, x, to_y, to_x):
    """Move a point along the line from (y, x), rows first, to (to_y, to_x), stopped by walls.

    Returns:
        The position reached; True if the component along rows was stopped, and that along columns;
        and True if the point reached a goal, whose cell then contains it.
    """
    row, col = int(y) + PADDING, int(x) + PADDING
    # Clipped: the edge stops every line that leaves the maze.
    rows, cols = float(cells.shape[1] - 2 * PADDING), float(cells.shape[2] - 2 * PADDING)
    last_row = math.floor(min(max(to_y, -1.0), rows)) + PADDING
    last_col = math.floor(min(max(to_x, -1.0), cols)) + PADDING
    if abs(last_row - row) <= 1 and abs(last_col - col) <= 1:
        # Fast path: a short line is not stopped if the cells beyond all its borders are free.
        beside = cells[slot, last_row, col] | cells[slot, row, last_col]
        if beside | cells[slot, last_row, last_col] == FREE:
            return to_y, to_x, False, False, False
    down = 1 if to_y >= y else -1
    right = 1 if to_x >= x else -1
    lengths = (abs(to_y - y), abs(to_x - x))
    row_stopped = col_stopped = reached = False
    while not reached and (row != last_row or col != last_col):
        first = col == last_col
        if not first and row != last_row:
            gap_y = row + 1 - PADDING - y if down > 0 else y - (row - PADDING)
            gap_x = col + 1 - PADDING - x if right > 0 else x - (col - PADDING)
            gaps = (gap_y, gap_x)
            first = crosses_row_first(cells, slot, row, col, down, gaps, lengths)
        there = cells[slot, row + down, col] if first else cells[slot, row, col + right]
        if there == WALL and first:
            row_stopped, last_row = True, row
            to_y = _border(row, down)
        elif there == WALL:
            col_stopped, last_col = True, col
            to_x = _border(col, right)
        else:
            row += down if first else 0
            col += 0 if first else right
            reached = there == GOAL
    if reached:
        to_y = min(max(to_y, float(row - PADDING)), _border(row, 1))
        to_x = min(max(to_x, float(col - PADDING)), _border(col, 1))
    return to_y, to_x, row_stopped, col_stopped, reached


@compiled
def _border(cell, direction):
    """Return the last float32 coordinate of a row or column of the padded maze, in a direction."""
    if direction < 0:
        return float(cell - PADDING)
    return np.float64(np.float32((cell - PADDING + 1) * JUST_BELOW))


@compiled
def normal_pair(first, second):
    """Return two independent standard normal numbers made of two in [0, 1) (Box & Muller 1958)."""
    radius = math.sqrt(-2.0 * math.log(1.0 - first))
    # The angle is `second` turns minus 1/8: some quarters, and at most 45 degrees to either side,
    # with sine and cosine by the first terms of their series (to 1e-13). The library's functions
    # branch unpredictably for random angles, which took a third of a whole step.
    quarters = math.floor(4.0 * second)
    angle = (4.0 * second - quarters - 0.5) * (math.pi / 2)
    square = angle * angle
    sine = cosine = 0.0
    for k in range(len(SINE_TERMS)):
        sine = SINE_TERMS[k] + square * sine
        cosine = COSINE_TERMS[k] + square * cosine
    sine *= angle
    odd = quarters & 1
    length = radius * (1 - (quarters & 2))
    return length * (-sine if odd else cosine), length * (cosine if odd else sine)


@compiled
def accelerate(motion, slip, state, action, numbers):
    """Update a point's velocity by an action and return its target.

    Args:
        motion: the parameters of the motion.
        slip: the probability that the action is turned to one side.
        state: (4,) position and velocity, (row, col) each; the velocity is changed in place.
        action: down and right; clipped to [-1, 1].
        numbers: three from [0, 1): to slip, and two for the noise.

    Returns:
        The position, rows and columns, that the point reaches if no wall stops it.
    """
    down, right = min(max(action[0], -1.0), 1.0), min(max(action[1], -1.0), 1.0)
    if slip > 0.0 and numbers[0] >= 1.0 - slip:
        # To one side below the second threshold of `Dynamics`, otherwise to the other.
        to_one_side = numbers[0] < 1.0 - slip + slip / 2
        down, right = (right, -down) if to_one_side else (-right, down)
    state[2] = _accelerated(motion, np.float64(state[2]), down)
    state[3] = _accelerated(motion, np.float64(state[3]), right)
    to_y, to_x = (
        np.float64(state[0]) + np.float64(state[2]),
        np.float64(state[1]) + np.float64(state[3]),
    )
    if motion.noise > 0.0:
        down_noise, right_noise = normal_pair(numbers[1], numbers[2])
        to_y += motion.noise * down_noise
        to_x += motion.noise * right_noise
    return np.float64(np.float32(to_y)), np.float64(np.float32(to_x))


@compiled
def move(cells, reward, slot, state, to_y, to_x):
    """Move a point towards its target; walls stop the components of the motion into them.

    Args:
        cells: see `PointMazeTables`.
        reward: the same.
        slot: of the maze.
        state: (4,) position and velocity, changed in place.
        to_y: the target, rows.
        to_x: the target, columns.

    Returns:
        Reward and terminated.
    """
    y, x = np.float64(state[0]), np.float64(state[1])
    if cells[slot, int(y) + PADDING, int(x) + PADDING] == GOAL:
        return 0.0, True  # a change moved the goal to the point's cell
    to_y, to_x, row_stopped, col_stopped, reached = move_with_collisions(
        cells, slot, y, x, to_y, to_x
    )
    state[0], state[1] = to_y, to_x
    if row_stopped:
        state[2] = 0.0
    if col_stopped:
        state[3] = 0.0
    # The columns of `reward`: goal, step, wall.
    kind = 0 if reached else (2 if row_stopped or col_stopped else 1)
    return reward[slot, kind], reached


@compiled
def step_point(  # numbers enter compiled code faster than tuples
    cells, reward, state, slip, step_size, inertia, noise, down, right, slip_number, first, second
):
    """Step a single point: reward and terminated."""
    motion = motion_of(step_size, inertia, noise)
    to_y, to_x = accelerate(motion, slip, state, (down, right), (slip_number, first, second))
    return move(cells, reward, 0, state, to_y, to_x)


@compiled
def step_points_apart(tables, motion, states, actions, numbers, rewards, terminated):
    """Step many points of one maze independently.

    Args:
        tables: the maze, in slot 0.
        motion: the parameters of the motion.
        states: (n, 4) positions and velocities, changed in place.
        actions: (n, 2) down and right.
        numbers: (n, 3) from [0, 1): to slip, and two for the noise.
        rewards: (n,) written to.
        terminated: (n,) written to.
    """
    for i in range(len(states)):
        to_y, to_x = accelerate(motion, tables.slip[0], states[i], actions[i], numbers[i])
        rewards[i], terminated[i] = move(tables.cells, tables.reward, 0, states[i], to_y, to_x)


@compiled
def _accelerated(motion, speed, action):
    """Return a component of the velocity after an action, as a float32 number."""
    faster = motion.inertia * speed + motion.step_size * action
    return np.float64(np.float32(min(max(faster, -motion.max_speed), motion.max_speed)))


@compiled
def sample_batch(tables, motion, batch, mode, numbers):
    """Fill `numbers`, (n, 3), for all environments that step; unneeded entries stay unset."""
    noisy = motion.noise > 0.0
    for i in range(len(numbers)):
        if mode == NEXT_STEP and batch.done[i]:
            continue
        if tables.slip[batch.slot[i]] > 0.0:
            numbers[i, 0] = next_random(batch, i)
        if noisy:
            numbers[i, 1] = next_random(batch, i)
            numbers[i, 2] = next_random(batch, i)


@compiled
def accelerate_batch(tables, motion, batch, actions, mode, numbers, targets):
    """Update the velocities of all environments that step, and fill `targets`, (n, 2)."""
    for i in range(len(actions)):
        if mode == NEXT_STEP and batch.done[i]:
            continue
        targets[i, 0], targets[i, 1] = accelerate(
            motion,
            tables.slip[batch.slot[i]],
            batch.state[i],
            (actions[i, 0], actions[i, 1]),
            (numbers[i, 0], numbers[i, 1], numbers[i, 2]),
        )


@compiled_with_arrays
def step_point_batch(tables, motion, batch, actions, max_episode_steps, mode, changes_at_reset):
    """Step every environment; begin a new episode where the autoreset mode says so.

    An environment whose maze changes now, or may change with a new episode, is only marked.

    Args:
        tables: the mazes.
        motion: the parameters of the motion.
        batch: the state of the environments, changed in place.
        actions: (n, 2) float64, down and right, finite.
        max_episode_steps: the time limit; -1 for none.
        mode: NEXT_STEP, SAME_STEP or DISABLED.
        changes_at_reset: True if a new episode may bring another maze.
    """
    result = empty_result(batch.state)
    numbers, targets = np.empty((len(actions), 3)), np.empty((len(actions), 2))
    # In separate loops: the processor then overlaps the work of many environments.
    sample_batch(tables, motion, batch, mode, numbers)
    accelerate_batch(tables, motion, batch, actions, mode, numbers, targets)
    for i in range(len(actions)):
        if mode == NEXT_STEP and batch.done[i]:
            result.begins[i] = True
        else:
            result.reward[i], result.terminated[i] = move(
                tables.cells,
                tables.reward,
                batch.slot[i],
                batch.state[i],
                targets[i, 0],
                targets[i, 1],
            )
            end_step(batch, result, i, max_episode_steps, mode)
        if result.begins[i]:
            for part in range(batch.state.shape[1]):
                result.final_state[i, part] = batch.state[i, part]
        if begins_now(batch, result, i, changes_at_reset):
            begin_episode(tables, batch, i)
        for part in range(batch.state.shape[1]):
            result.state[i, part] = batch.state[i, part]
    return result


# -- rays --------------------------------------------------------------------------------------


@compiled
def cast_ray(cells, slot, y, x, down, right):
    """Follow a ray from a point until a wall stops it; a wall at the point's own cell does not.

    Args:
        cells: see `PointMazeTables`.
        slot: of the maze.
        y: the point's position along rows.
        x: along columns.
        down: -1, 0 or 1.
        right: -1, 0 or 1; not both are 0.

    Returns:
        Its length in cells, and True if it meets a goal.
    """
    row, col = int(y) + PADDING, int(x) + PADDING
    seen = cells[slot, row, col] == GOAL
    while True:
        gap_y = row + 1 - PADDING - y if down > 0 else y - (row - PADDING)
        gap_x = col + 1 - PADDING - x if right > 0 else x - (col - PADDING)
        first = right == 0
        if down != 0 and right != 0:
            gaps = (gap_y, gap_x)
            first = crosses_row_first(cells, slot, row, col, down, gaps, (1.0, 1.0))
        row += down if first else 0
        col += 0 if first else right
        there = cells[slot, row, col]
        if there == WALL:
            length = gap_y if first else gap_x
            return length * math.sqrt(float(down * down + right * right)), seen
        seen = seen or there == GOAL


@compiled
def cast_rays(cells, slots, states, directions, seen):
    """Cast rays from many points.

    Args:
        cells: see `PointMazeTables`.
        slots: (n,)
        states: (n, 4)
        directions: (rays, 2) of -1, 0 and 1.
        seen: (n, 2, rays), filled in: lengths, and 1 for a goal, otherwise 0.
    """
    for i in range(len(slots)):
        for ray in range(len(directions)):
            length, goal = cast_ray(
                cells,
                slots[i],
                np.float64(states[i, 0]),
                np.float64(states[i, 1]),
                directions[ray, 0],
                directions[ray, 1],
            )
            seen[i, 0, ray], seen[i, 1, ray] = length, 1.0 if goal else 0.0
