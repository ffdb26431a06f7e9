"""How well a policy does while walls open and close in the middle of its episodes.

Every step is judged exactly, by the maze as it is at that moment: a step loses as many steps as it
makes the shortest way longer than it need be (one that a wall stops loses 1, one that leads away
2). Nobody knows what will change, so the best that can be done is to lose nothing, and what the
changes themselves cost is not counted: the exact planner, which searches anew at each step, keeps
everything.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import numpy.typing as npt

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import distances_to_goal

from .judging import GAMMA
from .mazes import HELD_OUT

OFTEN = 0.25
CELLS = 4
"""How likely a change is after each step; of so many walls, while as many others open."""

LONGEST = 121
"""Episodes that are longer have failed: more steps than an 11x11 maze has cells."""


class Played(NamedTuple):
    """How a policy did, by episode."""

    success: npt.NDArray[np.bool_]  # (episodes,) whether the goal was reached
    kept: npt.NDArray[np.float64]  # (episodes,) gamma to the power of the steps lost; 0 in failure
    agreement: float  # share of the steps that lost nothing
    changes: npt.NDArray[np.int64]  # (episodes,) how often the maze changed


def play_while_changing(
    policy: Any,
    recipe: MazeGenerator,
    episodes: int,
    *,
    seed: int,
    probability: float = OFTEN,
    sees_changes: bool = True,
) -> Played:
    """Play an episode in each of so many held-out mazes, by a policy's best actions.

    Args:
        policy: anything with `action_logits` or `action_probabilities`, for planes.
        recipe: how the mazes are made.
        episodes: how many.
        seed: settles the mazes and, for the same actions, their changes.
        probability: how likely a change is after each step.
        sees_changes: False shows the policy the walls as they were at first, for ever.
    """
    changes = {"when": "each_step", "probability": probability, "cells": CELLS}
    worlds: Any = gym.make_vec(
        "DynaMazeGenerated-v0",
        num_envs=episodes,
        vectorization_mode="vector_entry_point",
        **asdict(recipe),
        observation="planes",
        first_level=HELD_OUT.first,
        levels=HELD_OUT.levels,
        random_changes=changes,
        max_episode_steps=LONGEST + 1,
    )
    ask = getattr(policy, "action_logits", None) or policy.action_probabilities
    planes, _ = worlds.reset(seed=seed)
    planes = planes.astype(np.float32)
    at_first = planes[:, 0]
    alive, success = np.ones(episodes, np.bool_), np.zeros(episodes, np.bool_)
    lost, length, changed = (np.zeros(episodes, np.int64) for _ in range(3))
    best_steps = 0
    for _ in range(LONGEST):
        actions = np.zeros(episodes, np.int64)
        seen = planes.copy()
        if not sees_changes:
            seen[:, 0] = at_first
        actions[alive] = np.asarray(ask(seen[alive])).argmax(axis=1)
        loses = steps_lost(planes, actions)
        lost[alive] += loses[alive]
        length[alive] += 1
        best_steps += int((loses[alive] == 0).sum())
        observations, _, terminated, _, infos = worlds.step(actions)
        planes = observations.astype(np.float32)
        changed[alive] = infos["phase"][alive]
        success |= alive & terminated
        alive &= ~terminated
        if not alive.any():
            break
    worlds.close()
    kept = np.where(success, GAMMA**lost, 0.0)
    return Played(success, kept, best_steps / int(length.sum()), changed)


def steps_lost(planes: npt.NDArray[np.float32], actions: npt.NDArray[np.int64]) -> Any:
    """(mazes,) steps by which each action makes the shortest way longer than it need be: 0 to 2.

    Args:
        planes: (mazes, 3, rows, cols), one agent in each, from where a way leads to the goal.
        actions: (mazes,) 0 up, 1 right, 2 down, 3 left.
    """
    mazes, rows, cols = np.arange(len(planes)), *planes.shape[2:]
    row, col = np.divmod(planes[:, 1].reshape(len(planes), -1).argmax(axis=1), cols)
    below = np.clip(row + (actions == 2) - (actions == 0), 0, rows - 1)
    beside = np.clip(col + (actions == 1) - (actions == 3), 0, cols - 1)
    stopped = planes[mazes, 0, below, beside] > 0.5
    below, beside = np.where(stopped, row, below), np.where(stopped, col, beside)
    steps = distances_to_goal(planes)
    return 1 + steps[mazes, below, beside] - steps[mazes, row, col]
