"""Goal environments: `compute_reward` of hindsight experience replay, and which mazes allow it.

HER (Andrychowicz et al. 2017) replaces the desired goal of a stored step by another one and asks
for the reward of that. It knows only the two positions, so a maze is refused where the reward of a
step does not follow from the position reached and the goal shown in the same observation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.validation import shown

from .maze_config import MazeConfig
from .mazes.layout import Cell, Layout, Rewards
from .mazes.schedule import apply_change

WHY = "because compute_reward knows only the agent's cell and the goal"

MOVING = ("goal", "rewards")
"""Kinds of random changes within an episode that change the reward of a cell."""


def goal_reward(
    rewards: Rewards, achieved_goal: npt.ArrayLike, desired_goal: npt.ArrayLike, info: Any
) -> Any:
    """Return the reward of reaching one position if another were the goal.

    Args:
        rewards: of the maze.
        achieved_goal: (..., 2) cells (row, col), or positions in units of cells.
        desired_goal: (..., 2) the same.
        info: not used.

    Returns:
        (...) float64: the reward of the goal where the two are in the same cell, otherwise that of
        a step.

    Raises:
        ValueError: for another shape; TypeError for anything but numbers.
    """
    achieved, desired = _goals("achieved_goal", achieved_goal), _goals("desired_goal", desired_goal)
    try:
        reached = (np.floor(achieved) == np.floor(desired)).all(axis=-1)
    except ValueError:
        raise ValueError(
            f"achieved_goal of shape {achieved.shape} and desired_goal of shape {desired.shape}; "
            "expected the same number of goals, or one"
        ) from None
    return np.where(reached, rewards.goal, rewards.step)[()]


def _goals(name: str, goals: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return (..., 2) goals as an array."""
    try:
        array = np.asarray(goals)
    except ValueError:  # of several lengths
        array = np.array(None)
    if array.dtype.kind not in "fiub" and array.shape[-1:] == (2,):
        raise TypeError(f"{name}={shown(goals)}; expected numbers")
    if array.shape[-1:] != (2,):
        raise ValueError(f"{name} of shape {array.shape}; expected (..., 2)")
    return array


def check_goal_maze(config: MazeConfig) -> None:
    """Check that `compute_reward` can give the reward of each step in a maze and its changes.

    Raises:
        ValueError: if it cannot.
    """
    schedule = config.schedule
    for layout in schedule.layouts:
        check_goal_layout(layout, config.first.rewards)
        if layout.goals != config.first.goals and not schedule.by_episode:
            raise ValueError(
                f"observation 'goal' in a maze whose goal moves from {config.first.goals[0]} to "
                f"{layout.goals[0]} at a world step; expected goals that move between episodes "
                f"('episode N'), {WHY}"
            )
    kinds = [] if config.random_changes is None else config.random_changes.what
    for each in config.timed:
        for change in each.changes:
            layout = apply_change(config.first, change)
            check_goal_layout(layout, config.first.rewards)
            if layout.goals != config.first.goals:
                raise ValueError(
                    f"observation 'goal' in a maze whose goal moves to {layout.goals[0]} at given "
                    f"times; expected goals that stay, {WHY}"
                )
    moving = [kind for kind in kinds if kind in MOVING]
    if moving:
        raise ValueError(
            f"observation 'goal' with random_changes of {' and '.join(moving)}; expected changes "
            f"of walls, start or slip, {WHY}"
        )


def check_goal_layout(layout: Layout, rewards: Rewards, agent: Cell | None = None) -> None:
    """Check that `compute_reward` can give the reward of each step in a layout.

    Args:
        layout: the layout.
        rewards: those of the environment.
        agent: the agent's cell, if the layout takes the place of another one now.

    Raises:
        ValueError: if it cannot.
    """
    if layout.rewards.wall != layout.rewards.step:
        raise ValueError(
            f"observation 'goal' with wall_reward={layout.rewards.wall:g} and "
            f"step_reward={layout.rewards.step:g}; expected the same, {WHY}"
        )
    if layout.rewards != rewards:
        raise ValueError(
            f"observation 'goal' with rewards that change from {shown(tuple(rewards))} to "
            f"{shown(tuple(layout.rewards))}; expected the same, {WHY}"
        )
    if len(layout.goals) > 1:
        raise ValueError(
            f"observation 'goal' in a layout of {len(layout.goals)} goals; expected one, {WHY}"
        )
    if agent in layout.goals:
        raise ValueError(
            f"observation 'goal' and a goal that appears at the agent's cell {agent}; expected "
            f"another cell, {WHY}"
        )
