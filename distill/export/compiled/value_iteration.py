"""Values of the value iteration network, compiled: by iterations, or by a wave from the goals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import Float32Array
from dynamaze.common.compiled import compiled, compiled_sums


class IterationWeights(NamedTuple):
    """Weights of the iterations: a map for each action."""

    reward: Float32Array  # (actions, 18) 3x3 of the walls, then of the goals
    moves: Float32Array  # (actions, 9), each row sums to 1
    bias: Float32Array  # (actions,)
    top: np.float32  # upper bound of values
    sharpness: np.float32  # factor from q to logits
    crossing: np.float32  # reward between those of a step and of a move through a wall


class IterationBuffers(NamedTuple):
    """Work arrays of (rows + 2) * (cols + 2) cells, row after row with a border of one cell."""

    walls: Float32Array  # (cells,) 1 in the border
    inside: npt.NDArray[np.int32]  # (cells,) 1 in the maze, 0 in the border
    goals: Float32Array  # (cells,) 0 in the border
    values: Float32Array  # (cells,) in the border those of the nearest cell
    best: Float32Array  # (cells,) largest q so far
    queue: npt.NDArray[np.int32]  # (cells,) that changed, by a step
    later: npt.NDArray[np.int32]  # (cells,) that changed, by a move into or out of a wall
    waiting: npt.NDArray[np.int32]  # (cells,) IN_QUEUE and IN_LATER where they are there
    rewards: Float32Array  # (actions, cells)


@compiled_sums
def iterate_values(rows, cols, iterations, weights, work):
    """Run all iterations but the last, whose maps follow from the values that remain in `work`.

    It stops as soon as an iteration changes no value, since no later one would.

    Args:
        rows: of the maze.
        cols: of the maze.
        iterations: at least 1.
        weights: `IterationWeights`.
        work: `IterationBuffers` after `load_maze` and `fill_rewards`; its values are written.
    """
    wide = cols + 2
    first, last = wide + 1, wide * (rows + 1) - 1
    work.values[:] = 0
    # Flat maps with a border: neighbours are at fixed offsets, so that 8 or 16 cells are computed
    # at once. Views instead of indices: an index that may be negative prevents vectorisation.
    size = last - first
    v0 = work.values[first - wide - 1 : last - wide - 1]
    v1 = work.values[first - wide : last - wide]
    v2 = work.values[first - wide + 1 : last - wide + 1]
    v3 = work.values[first - 1 : last - 1]
    v4 = work.values[first:last]
    v5 = work.values[first + 1 : last + 1]
    v6 = work.values[first + wide - 1 : last + wide - 1]
    v7 = work.values[first + wide : last + wide]
    v8 = work.values[first + wide + 1 : last + wide + 1]
    best = work.best[first:last]
    inside = work.inside[first:last]
    for _ in range(iterations - 1):
        for m in range(len(weights.bias)):
            p = weights.moves[m]
            p0, p1, p2, p3, p4, p5, p6, p7, p8 = (
                p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8],
            )  # fmt: skip
            reward = work.rewards[m, first:last]
            for j in range(size):
                around = p0 * v0[j] + p1 * v1[j] + p2 * v2[j] + p3 * v3[j] + p4 * v4[j]
                around += p5 * v5[j] + p6 * v6[j] + p7 * v7[j] + p8 * v8[j]
                q = reward[j] + around
                if m == 0 or q > best[j]:
                    best[j] = q
        changed = 0
        for j in range(size):
            value = min(best[j], weights.top)
            changed += inside[j] * (value != v4[j])
            v4[j] = value
        widen(work.values, rows, cols)
        if changed == 0:
            break


IN_QUEUE, IN_LATER = 1, 2


@compiled_sums
def spread_values(rows, cols, weights, work):
    """Compute the values to which iterations converge, of a network that `spreads_from_goals`.

    The values beside goals are known. A cell is computed again only if the value of a cell to which
    a move leads has grown: a shortest path search (label correcting method: Bertsekas 2017, Dynamic
    Programming and Optimal Control I, section 2.3). Moves into or out of walls wait until no other
    move changes a value, so that most values are computed once, and the time is proportional to the
    number of cells. Each sum is rounded as in an iteration, and there is one solution (see
    `MoveCosts.spreads_from_goals`): where iterations converge, the values are bit-identical.

    All values are 0 if there is no goal that can be entered and left.

    Args:
        rows: of the maze.
        cols: of the maze.
        weights: `IterationWeights`.
        work: `IterationBuffers` after `load_maze` and `fill_rewards`; its values are written.
    """
    wide = cols + 2
    ahead = (-wide, 1, wide, -1)
    values, waiting, queue, later = work.values, work.waiting, work.queue, work.later
    count = _fill_sources(rows, cols, weights, work, ahead)
    head, num_later = 0, 0
    while count:
        at = queue[head]
        waiting[at] &= ~IN_QUEUE
        head = head + 1 if head + 1 < len(queue) else 0
        count -= 1
        for action in range(4):
            before = at - ahead[action]  # the cell from which the action leads here
            if values[before] >= weights.top:
                continue
            reward = work.rewards[action, before]
            value = min(reward + values[at], weights.top)
            if value > values[before]:
                values[before] = value
                if reward > weights.crossing:
                    if not waiting[before] & IN_QUEUE:
                        waiting[before] |= IN_QUEUE
                        queue[(head + count) % len(queue)] = before
                        count += 1
                elif not waiting[before]:
                    waiting[before] = IN_LATER
                    later[num_later] = before
                    num_later += 1
        if count == 0:
            # Moves into or out of walls have waited until no other changes a value.
            for i in range(num_later):
                queue[i] = later[i]
                waiting[later[i]] = IN_QUEUE
            head, count, num_later = 0, num_later, 0
    widen(values, rows, cols)


@compiled
def _fill_sources(rows, cols, weights, work, ahead):
    """Set the values of cells beside goals to `top`, those of others to -inf, of the border to inf.

    A cell beside a goal has the value `top` if entering the goal and returning gains.

    Returns:
        The number of such cells, which are in the queue.
    """
    wide = cols + 2
    work.values[:] = np.inf
    work.waiting[:] = 0
    count = 0
    for row in range(1, rows + 1):
        for at in range(row * wide + 1, row * wide + cols + 1):
            work.values[at] = -np.inf
    for row in range(1, rows + 1):
        for goal in range(row * wide + 1, row * wide + cols + 1):
            if work.goals[goal] > 0:
                for action in range(4):
                    at, back = goal - ahead[action], (action + 2) % 4
                    gain = work.rewards[action, at] + work.rewards[back, goal]
                    if gain > 0 and work.values[at] < weights.top:
                        work.values[at] = weights.top
                        work.waiting[at] = IN_QUEUE
                        work.queue[count] = at
                        count += 1
    if count == 0:
        for row in range(1, rows + 1):
            work.values[row * wide + 1 : row * wide + cols + 1] = 0
    return count


@compiled_sums
def fill_rewards(rows, cols, weights, work):
    """Convolve walls and goals, and add the biases."""
    wide = cols + 2
    first, last = wide + 1, wide * (rows + 1) - 1
    for m in range(len(weights.bias)):
        reward = work.rewards[m, first:last]
        reward[:] = weights.bias[m]
        for k in range(9):
            if weights.reward[m, k] == 0 and weights.reward[m, 9 + k] == 0:
                continue  # most weights of a trained network
            there = (k // 3 - 1) * wide + k % 3 - 1
            walls = work.walls[first + there : last + there]
            goals = work.goals[first + there : last + there]
            for j in range(last - first):
                reward[j] += weights.reward[m, k] * walls[j]
                reward[j] += weights.reward[m, 9 + k] * goals[j]


@compiled
def widen(values, rows, cols):
    """Copy the values of the edge cells into the border."""
    wide = cols + 2
    for row in range(1, rows + 1):
        values[row * wide] = values[row * wide + 1]
        values[row * wide + cols + 1] = values[row * wide + cols]
    for col in range(wide):
        values[col] = values[wide + col]
        values[(rows + 1) * wide + col] = values[rows * wide + col]


@compiled
def logits_at(at, wide, weights, work, logits):
    """Write the (actions,) logits after the last iteration at one cell of the work arrays."""
    for action in range(len(logits)):
        q = work.rewards[action, at]
        for k in range(9):
            there = at + (k // 3 - 1) * wide + k % 3 - 1
            q += weights.moves[action, k] * work.values[there]
        logits[action] = weights.sharpness * q


def new_buffers(actions: int, rows: int, cols: int) -> Float32Array:
    """Return the numbers of the `IterationBuffers` for mazes of one size, one after another."""
    cells = (rows + 2) * (cols + 2)
    units = np.zeros((8 + actions) * cells, dtype=np.float32)
    units[:cells] = 1
    inside = units[cells : 2 * cells].view(np.int32).reshape(rows + 2, cols + 2)
    inside[1:-1, 1:-1] = 1
    return units


@compiled
def weights_at(weights, at, actions):
    """Return the `IterationWeights` from `at` on, in the order of their fields."""
    moves = at + 18 * actions
    bias = moves + 9 * actions
    return IterationWeights(
        weights[at:moves].reshape(actions, 18),
        weights[moves:bias].reshape(actions, 9),
        weights[bias : bias + actions],
        weights[bias + actions],
        weights[bias + actions + 1],
        weights[bias + actions + 2],
    )


@compiled
def buffers_at(units, at, actions, rows, cols):
    """Return the `IterationBuffers` from `at` on, in the order of their fields."""
    cells = (rows + 2) * (cols + 2)
    return IterationBuffers(
        units[at : at + cells],
        units[at + cells : at + 2 * cells].view(np.int32),
        units[at + 2 * cells : at + 3 * cells],
        units[at + 3 * cells : at + 4 * cells],
        units[at + 4 * cells : at + 5 * cells],
        units[at + 5 * cells : at + 6 * cells].view(np.int32),
        units[at + 6 * cells : at + 7 * cells].view(np.int32),
        units[at + 7 * cells : at + 8 * cells].view(np.int32),
        units[at + 8 * cells : at + (8 + actions) * cells].reshape(actions, cells),
    )


@compiled
def load_maze(flat, rows, cols, work):
    """Copy the walls and goals of the (3 * rows * cols,) numbers of an observation."""
    wide = cols + 2
    goals = 2 * rows * cols
    for row in range(rows):
        for col in range(cols):
            at = (row + 1) * wide + col + 1
            work.walls[at] = flat[row * cols + col]
            work.goals[at] = flat[goals + row * cols + col]
