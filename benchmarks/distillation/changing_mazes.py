"""Evaluation of a policy while walls open and close in the middle of its episodes.

Every step is evaluated exactly in the maze of that moment: its loss is the number of steps by which
it makes the shortest path longer than necessary (a step into a wall loses 1, one away from the goal
2). Changes are unpredictable, so the best policy loses nothing, and the cost of the changes
themselves does not count: the exact planner, which replans at each step, has a normalised return
of 1.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import numpy.typing as npt

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.benchmarks.distillation.mazes import GAMMA, HELD_OUT, outputs_of
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import distances_to_goal

CHANGE_PROBABILITY = 0.25
"""Probability of a change after each step."""

CHANGED_CELLS = 4
"""Walls that open in a change, while as many others close."""

MAX_STEPS = 121
"""Time limit: an 11x11 maze has no more cells, so longer episodes have failed."""


class PlayResult(NamedTuple):
    """Results of a policy by episode."""

    success: npt.NDArray[np.bool_]  # (episodes,) whether the goal was reached
    normalised_return: npt.NDArray[np.float64]  # (episodes,) gamma^(steps lost); 0 in failure
    agreement: float  # fraction of the steps that lost nothing
    changes: npt.NDArray[np.int64]  # (episodes,) number of changes of the maze


def evaluate_in_changing_mazes(
    policy: Any,
    generator: MazeGenerator,
    episodes: int,
    *,
    seed: int,
    probability: float = CHANGE_PROBABILITY,
    sees_changes: bool = True,
) -> PlayResult:
    """Evaluate a greedy policy for an episode in each of several held-out mazes.

    Args:
        policy: an object with `action_logits` or `action_probabilities`, for planes.
        generator: of the mazes.
        episodes: number of mazes and of episodes.
        seed: of the mazes and, for the same actions, of their changes.
        probability: of a change after each step.
        sees_changes: False shows the policy the initial walls throughout.
    """
    changes = {"when": "each_step", "probability": probability, "cells": CHANGED_CELLS}
    envs: Any = gym.make_vec(
        "DynaMazeGenerated-v0",
        num_envs=episodes,
        vectorization_mode="vector_entry_point",
        **asdict(generator),
        observation="planes",
        first_level=HELD_OUT.first,
        levels=HELD_OUT.levels,
        random_changes=changes,
        max_episode_steps=MAX_STEPS + 1,
    )
    predict = outputs_of(policy)
    planes, _ = envs.reset(seed=seed)
    planes = planes.astype(np.float32)
    initial_walls = planes[:, 0]
    running, success = np.ones(episodes, np.bool_), np.zeros(episodes, np.bool_)
    lost, length, changed = (np.zeros(episodes, np.int64) for _ in range(3))
    best_steps = 0
    for _ in range(MAX_STEPS):
        actions = np.zeros(episodes, np.int64)
        seen = planes.copy()
        if not sees_changes:
            seen[:, 0] = initial_walls
        actions[running] = np.asarray(predict(seen[running])).argmax(axis=1)
        losses = steps_lost(planes, actions)
        lost[running] += losses[running]
        length[running] += 1
        best_steps += int((losses[running] == 0).sum())
        observations, _, terminated, _, infos = envs.step(actions)
        planes = observations.astype(np.float32)
        changed[running] = infos["phase"][running]
        success |= running & terminated
        running &= ~terminated
        if not running.any():
            break
    envs.close()
    # Each lost step delays the reward at the goal by one step.
    normalised_return = np.where(success, GAMMA**lost, 0.0)
    return PlayResult(success, normalised_return, best_steps / int(length.sum()), changed)


def steps_lost(planes: npt.NDArray[np.float32], actions: npt.NDArray[np.int64]) -> Any:
    """Return the steps by which each action makes the shortest path longer than necessary.

    Args:
        planes: (mazes, 3, rows, cols), one agent in each, at a cell with a path to the goal.
        actions: (mazes,) 0 up, 1 right, 2 down, 3 left.

    Returns:
        (mazes,) 0 to 2.
    """
    mazes, rows, cols = np.arange(len(planes)), *planes.shape[2:]
    row, col = np.divmod(planes[:, 1].reshape(len(planes), -1).argmax(axis=1), cols)
    below = np.clip(row + (actions == 2) - (actions == 0), 0, rows - 1)
    beside = np.clip(col + (actions == 1) - (actions == 3), 0, cols - 1)
    stopped = planes[mazes, 0, below, beside] > 0.5
    below, beside = np.where(stopped, row, below), np.where(stopped, col, beside)
    steps = distances_to_goal(planes)
    return 1 + steps[mazes, below, beside] - steps[mazes, row, col]
