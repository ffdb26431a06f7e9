"""The compiled motion of a point through a maze: the one rule of the single and the vector one.

A point lies in a cell: cell (row, col) covers [row, row + 1) x [col, col + 1). In a step it moves
along a straight line, through the cells that the line meets, one border after the other (Amanatides
& Woo 1987, "A fast voxel traversal algorithm for ray tracing"). A border before a wall or at the
edge stops the component of the motion across it; the other component goes on. Nothing is skipped,
however long the line: a point never passes a wall, and never leaves the maze.

Positions and velocities are numbers of float32, so that what is observed is the very state. The
last of them below a border is where a point stands that a wall stopped there: it still lies in its
own cell. A point that lies in a wall's cell, for the wall fell on it, may move in it and leave it.

On meeting a corner exactly, the point crosses one border after the other, that of rows first where
the cell beyond it is free, otherwise that of columns: never between two walls.
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
from ..vector.kernel import NEXT_STEP, begins_now, end_step, new_moment, next_random

FREE, WALL, GOAL = 0, 1, 2
PADDING = 1
"""Cells of wall all round a maze, so that its edge needs no rule of its own."""

SINE_TERMS = tuple((-1) ** k / math.factorial(2 * k + 1) for k in range(7, -1, -1))
COSINE_TERMS = tuple((-1) ** k / math.factorial(2 * k) for k in range(7, -1, -1))

JUST_BELOW = 1.0 - 2.0**-24
"""A whole number times this is, rounded to float32, the number before it in float32."""

NUMBERS_A_STEP = 4
"""One to slip, two for the noise, one to choose a start."""


class Terrain(NamedTuple):
    """The mazes that points move in, one in each slot."""

    cells: UInt8Array  # (slots, rows + 2, cols + 2) of FREE, WALL and GOAL
    reward: FloatArray  # (slots, 3) on reaching a goal, for a step, where something stopped it
    slip: FloatArray  # (slots,) the probability of a step to one side
    starts: Float32Array  # (slots, most starts, 2) positions
    num_starts: npt.NDArray[np.int64]  # (slots,)

    @classmethod
    def of(cls, mazes: Sequence[Dynamics]) -> Terrain:
        """One maze in each slot."""
        rows, cols = mazes[0].layout.walls.shape
        terrain = cls(
            cells=np.zeros((0, rows + 2 * PADDING, cols + 2 * PADDING), dtype=np.uint8),
            reward=np.zeros((0, 3)),
            slip=np.zeros(0),
            starts=np.zeros((0, 0, 2), dtype=np.float32),
            num_starts=np.zeros(0, dtype=np.int64),
        ).with_room(len(mazes), max(len(maze.starts) for maze in mazes))
        for slot, maze in enumerate(mazes):
            terrain.put(slot, maze)
        return terrain

    def put(self, slot: int, maze: Dynamics) -> None:
        """Put a maze into a slot; it has at most as many starts as there is room for."""
        layout = maze.layout
        draw_cells(self.cells[slot], layout)
        self.reward[slot] = layout.rewards
        self.slip[slot] = layout.slip_probability
        self.starts[slot, : len(layout.starts)] = np.array(layout.starts) + 0.5
        self.num_starts[slot] = len(layout.starts)

    def with_room(self, slots: int, starts: int) -> Terrain:
        """The same with room for so many mazes of so many starts."""
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
    """Draw a maze in (rows + 2, cols + 2) cells, whose border is of walls already."""
    cells[PADDING:-PADDING, PADDING:-PADDING] = np.where(layout.walls, WALL, FREE)
    for row, col in layout.goals:
        cells[row + PADDING, col + PADDING] = GOAL


class Motion(NamedTuple):
    """How a point answers to an action."""

    step_size: float  # cells
    inertia: float  # the share of the velocity that is kept from step to step
    max_speed: float  # of each component
    noise: float  # standard deviation of what is added to each component of a displacement


@compiled
def crosses_row_first(cells, slot, row, col, down, gaps, lengths):
    """Whether the line meets the next border of rows before that of columns.

    Args:
        cells: see `Terrain`.
        slot: of the maze.
        row: of the present cell in the padded maze.
        col: the same.
        down: 1 if the line goes down, -1 if up.
        gaps: the distances from the line's begin to the two borders.
        lengths: the lengths of the line's two components.
    """
    by_row, by_col = gaps[0] * lengths[1], gaps[1] * lengths[0]
    if by_row != by_col:
        return by_row < by_col
    return cells[slot, row + down, col] != WALL


@compiled
def slide(cells, slot, y, x, to_y, to_x):
    """Move a point along the line from (y, x), rows first, to (to_y, to_x).

    Returns:
        The position reached; whether the component along rows was stopped, and that along
        columns; and whether the point has reached a goal, whose cell then holds it.
    """
    row, col = int(y) + PADDING, int(x) + PADDING
    # Beyond the edge there is nothing to count: the edge stops what goes there.
    rows, cols = float(cells.shape[1] - 2 * PADDING), float(cells.shape[2] - 2 * PADDING)
    last_row = math.floor(min(max(to_y, -1.0), rows)) + PADDING
    last_col = math.floor(min(max(to_x, -1.0), cols)) + PADDING
    if abs(last_row - row) <= 1 and abs(last_col - col) <= 1:
        # No border of a short line can stop it where the cells beyond all of them are free.
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
    """The last number in a cell, a row or a column of the padded maze, in a direction."""
    if direction < 0:
        return float(cell - PADDING)
    return np.float64(np.float32((cell - PADDING + 1) * JUST_BELOW))


@compiled
def normal_pair(first, second):
    """Two independent standard normal numbers from two of [0, 1) (Box & Muller 1958).

    They lie in the direction of `second` turns less an eighth: of some quarters, and an angle of
    at most 45 degrees to either side, whose sine and cosine are the first terms of their series
    (to 1e-13). Those of the library branch in a way that a processor cannot foresee for random
    angles: a third of a whole step was lost to it.
    """
    radius = math.sqrt(-2.0 * math.log(1.0 - first))
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
def aim(motion, slip, state, push, numbers):
    """Change a point's velocity by an action.

    Args:
        motion: how the point answers to an action.
        slip: the probability that the action is turned to one side.
        state: (4,) position and velocity, (row, col) each; the velocity is changed in place.
        push: the action, down and right; outside [-1, 1] it is clipped.
        numbers: three from [0, 1): to slip, and two for the noise.

    Returns:
        Where the point would come to, rows and columns, if nothing stopped it.
    """
    down, right = min(max(push[0], -1.0), 1.0), min(max(push[1], -1.0), 1.0)
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
def go(cells, reward, slot, state, to_y, to_x):
    """Move a point to where it aims at, as far as nothing stops it.

    Args:
        cells: see `Terrain`.
        reward: the same.
        slot: of the maze.
        state: (4,) position and velocity, changed in place.
        to_y: where it aims at, rows.
        to_x: the same, columns.

    Returns:
        Reward and whether the episode ends.
    """
    y, x = np.float64(state[0]), np.float64(state[1])
    if cells[slot, int(y) + PADDING, int(x) + PADDING] == GOAL:
        return 0.0, True  # the goal came to the point
    to_y, to_x, row_stopped, col_stopped, reached = slide(cells, slot, y, x, to_y, to_x)
    state[0], state[1] = to_y, to_x
    if row_stopped:
        state[2] = 0.0
    if col_stopped:
        state[3] = 0.0
    kind = 0 if reached else (2 if row_stopped or col_stopped else 1)
    return reward[slot, kind], reached


@compiled
def move(  # noqa: PLR0913, PLR0917  # single numbers come into compiled code twice as fast as tuples
    cells,
    reward,
    state,
    slip,
    step_size,
    inertia,
    max_speed,
    noise,
    down,
    right,
    to_slip,
    first,
    second,
):
    """Take a step with a single point: reward and whether the episode ends."""
    motion = Motion(step_size, inertia, max_speed, noise)
    to_y, to_x = aim(motion, slip, state, (down, right), (to_slip, first, second))
    return go(cells, reward, 0, state, to_y, to_x)


@compiled
def move_apart(terrain, motion, states, pushes, numbers, pays, ends):
    """Take a step with many points of one maze, each by itself.

    Args:
        terrain: the maze, in slot 0.
        motion: how points answer to actions.
        states: (n, 4) positions and velocities, changed in place.
        pushes: (n, 2) the actions.
        numbers: (n, 3) from [0, 1).
        pays: (n,) rewards, written to.
        ends: (n,) whether an episode would end, written to.
    """
    for i in range(len(states)):
        to_y, to_x = aim(motion, terrain.slip[0], states[i], pushes[i], numbers[i])
        pays[i], ends[i] = go(terrain.cells, terrain.reward, 0, states[i], to_y, to_x)


@compiled
def _accelerated(motion, speed, push):
    """A component of the velocity after an action, as a number of float32."""
    faster = motion.inertia * speed + motion.step_size * push
    return np.float64(np.float32(min(max(faster, -motion.max_speed), motion.max_speed)))


@compiled
def begin_episode(terrain, lives, i):
    """Put the point of world i on a start of the maze that it lies in, at rest."""
    slot = lives.slot[i]
    count = terrain.num_starts[slot]
    choice = int(next_random(lives, i) * count) if count > 1 else 0
    lives.state[i, 0] = terrain.starts[slot, choice, 0]
    lives.state[i, 1] = terrain.starts[slot, choice, 1]
    lives.state[i, 2] = lives.state[i, 3] = 0.0
    lives.episode_step[i] = 0
    lives.done[i] = False


@compiled
def begin_episodes(terrain, lives, mask):
    """Begin an episode in every world of the mask."""
    for i in range(mask.size):
        if mask[i]:
            begin_episode(terrain, lives, i)


@compiled
def draw_all(terrain, motion, lives, mode, numbers):
    """Take the random numbers of all worlds that step: (n, 3), those not needed as they are."""
    noisy = motion.noise > 0.0
    for i in range(len(numbers)):
        if mode == NEXT_STEP and lives.done[i]:
            continue
        if terrain.slip[lives.slot[i]] > 0.0:
            numbers[i, 0] = next_random(lives, i)
        if noisy:
            numbers[i, 1] = next_random(lives, i)
            numbers[i, 2] = next_random(lives, i)


@compiled
def aim_all(terrain, motion, lives, pushes, mode, numbers, aims):
    """Change the velocities of all worlds that step, and fill in (n, 2) where they aim at."""
    for i in range(len(pushes)):
        if mode == NEXT_STEP and lives.done[i]:
            continue
        aims[i, 0], aims[i, 1] = aim(
            motion,
            terrain.slip[lives.slot[i]],
            lives.state[i],
            (pushes[i, 0], pushes[i, 1]),
            (numbers[i, 0], numbers[i, 1], numbers[i, 2]),
        )


@compiled_with_arrays
def step_points(terrain, motion, lives, pushes, max_episode_steps, mode, changes_at_reset):
    """Step every world; begin a new episode where the autoreset mode says so.

    A world whose maze changes now, or may change with a new episode, is only marked.

    Args:
        terrain: the mazes.
        motion: how a point answers to an action.
        lives: what each world remembers, changed in place.
        pushes: (n, 2) float64, the actions, down and right, finite.
        max_episode_steps: the time limit; -1 for none.
        mode: NEXT_STEP, SAME_STEP or DISABLED.
        changes_at_reset: whether a new episode may bring another maze.
    """
    moment = new_moment(lives.state)
    numbers, aims = np.empty((len(pushes), 3)), np.empty((len(pushes), 2))
    # In loops of their own, so that the processor is at work on many worlds at the same time.
    draw_all(terrain, motion, lives, mode, numbers)
    aim_all(terrain, motion, lives, pushes, mode, numbers, aims)
    for i in range(len(pushes)):
        if mode == NEXT_STEP and lives.done[i]:
            moment.begins[i] = True
        else:
            moment.reward[i], moment.terminated[i] = go(
                terrain.cells,
                terrain.reward,
                lives.slot[i],
                lives.state[i],
                aims[i, 0],
                aims[i, 1],
            )
            end_step(lives, moment, i, max_episode_steps, mode)
        if moment.begins[i]:
            for part in range(lives.state.shape[1]):
                moment.final_state[i, part] = lives.state[i, part]
        if begins_now(lives, moment, i, changes_at_reset):
            begin_episode(terrain, lives, i)
    moment.state[:] = lives.state
    return moment


# -- what is seen ------------------------------------------------------------------------------


@compiled
def look(cells, slot, y, x, down, right):
    """Follow a ray from a point until something stops it; a wall round the point does not.

    Args:
        cells: see `Terrain`.
        slot: of the maze.
        y: the point's position along rows.
        x: along columns.
        down: -1, 0 or 1.
        right: -1, 0 or 1; not both are 0.

    Returns:
        Its length in cells, and whether it meets a goal.
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
def look_around(cells, slots, states, directions, seen):
    """Follow rays from many points.

    Args:
        cells: see `Terrain`.
        slots: (n,)
        states: (n, 4)
        directions: (rays, 2) of -1, 0 and 1.
        seen: (n, 2, rays), filled in: lengths, and whether there is a goal.
    """
    for i in range(len(slots)):
        for ray in range(len(directions)):
            length, goal = look(
                cells,
                slots[i],
                np.float64(states[i, 0]),
                np.float64(states[i, 1]),
                directions[ray, 0],
                directions[ray, 1],
            )
            seen[i, 0, ray], seen[i, 1, ray] = length, 1.0 if goal else 0.0
