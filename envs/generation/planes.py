"""Compiled rules of whole mazes as questions: what is best everywhere, and what comes of it."""

from __future__ import annotations

import numpy as np

from dynamaze.common.compiled import compiled, compiled_with_arrays

from ..mazes.shortest_paths import UNSEEN, spread

_spread = compiled(spread)

WALLS, AGENT, GOALS = range(3)


@compiled_with_arrays
def distances(planes, distance, queue):
    """Steps to the nearest goal of one maze, on a grid with a blocked edge round it.

    Args:
        planes: (3, rows, cols) walls, agent, goals.
        distance: ((rows + 2) * (cols + 2),) written to: UNSEEN where no way leads, below that for
            walls and the edge.
        queue: as long, for work.
    """
    rows, cols = planes.shape[1:]
    stride = cols + 2
    distance[:] = UNSEEN - 1
    filled = 0
    for row in range(rows):
        for col in range(cols):
            place = (row + 1) * stride + col + 1
            if planes[GOALS, row, col] > 0.5:
                distance[place] = 0
                queue[filled] = place
                filled += 1
            elif planes[WALLS, row, col] <= 0.5:
                distance[place] = UNSEEN
    _spread(distance, queue, filled, stride)


@compiled_with_arrays
def distances_of(planes, distance, queue, steps):
    """Fill (mazes, rows, cols) with the steps to the nearest goal; -1 for none, and for walls."""
    rows, cols = planes.shape[2:]
    for maze in range(len(planes)):
        distances(planes[maze], distance, queue)
        for row in range(rows):
            for col in range(cols):
                steps[maze, row, col] = max(distance[(row + 1) * (cols + 2) + col + 1], -1)


@compiled_with_arrays
def share_among_best(planes, distance, queue, policy):
    """Fill (answers, 4) with probabilities that share alike among the best actions.

    An answer belongs to each cell that the agent's planes mark; where no way leads to a goal, all
    actions are as good.
    """
    rows, cols = planes.shape[2:]
    stride = cols + 2
    answer = 0
    for maze in range(len(planes)):
        distances(planes[maze], distance, queue)
        for row in range(rows):
            for col in range(cols):
                if planes[maze, AGENT, row, col] <= 0.5:
                    continue
                place = (row + 1) * stride + col + 1
                here = distance[place]
                count = 0
                for action, step in enumerate((-stride, 1, stride, -1)):
                    is_best = here > 0 and distance[place + step] == here - 1
                    policy[answer, action] = is_best
                    count += is_best
                for action in range(4):
                    policy[answer, action] = policy[answer, action] / count if count else 0.25
                answer += 1


@compiled_with_arrays
def follow(planes, actions, way, steps):  # noqa: PLR0912  # one loop, compiled
    """Fill (answers,) with the steps to a goal of one who takes these actions, -1 if never there.

    Args:
        planes: (mazes, 3, rows, cols); the agent's plane marks the cells that have an action.
        actions: (answers,) one for each of them.
        way: (rows * cols,) for work.
        steps: written to. A cell without an action that is no goal ends the way without success.
    """
    rows, cols = planes.shape[2:]
    first = 0
    number = np.empty(rows * cols, np.int64)
    outcome = np.empty(rows * cols, np.int64)
    for maze in range(len(planes)):
        answer = first
        for row in range(rows):
            for col in range(cols):
                cell = row * cols + col
                number[cell], outcome[cell] = -1, -2
                if planes[maze, AGENT, row, col] > 0.5:
                    number[cell] = answer
                    answer += 1
        for start in range(rows * cols):
            if number[start] < 0 or outcome[start] != -2:
                continue
            cell, length = start, 0
            while True:
                row, col = cell // cols, cell % cols
                if planes[maze, GOALS, row, col] > 0.5:
                    reached = 0
                    break
                if outcome[cell] != -2:  # known, or -3: on this very way, which so never ends
                    reached = max(outcome[cell], -1)
                    break
                if number[cell] < 0:
                    reached = -1
                    break
                outcome[cell] = -3
                way[length] = cell
                length += 1
                action = actions[number[cell]]
                below = row + (action == 2) - (action == 0)
                beside = col + (action == 1) - (action == 3)
                is_inside = 0 <= below < rows and 0 <= beside < cols
                if is_inside and planes[maze, WALLS, below, beside] <= 0.5:
                    cell = below * cols + beside
            for back in range(length - 1, -1, -1):
                if reached >= 0:
                    reached += 1
                outcome[way[back]] = reached
        for cell in range(rows * cols):
            if number[cell] >= 0:
                steps[number[cell]] = outcome[cell]
        first = answer
