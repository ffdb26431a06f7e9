"""Environment of a maze whose walls open and close at random."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynamaze.common.deprecation import renamed_arguments

from .changing_maze import MazeConfig
from .grid import GridEnv
from .mazes.layout import Rewards
from .mazes.random_changes import RandomChanges
from .mazes.schedule import LayoutLike, read_schedule

DRIFT = {"when": "each_step", "probability": 0.01, "what": ["walls"]}


class DynaMazeDriftingEnv(GridEnv):
    """Environment of a maze whose walls open and close at random.

    ## Description
    The maze never stops changing, and by default no change is announced. After each step, with a
    small probability, one wall opens and another closes somewhere; the number of walls stays the
    same. A change never disconnects a start, or the agent, from the goal: one that would is drawn
    again, and after 32 draws skipped and counted. The changes come from the environment's own
    random numbers: the same seed and the same actions give the same changes.

    | id | maze | changes |
    | --- | --- | --- |
    | `DynaMazeDrifting-v0` | begins as example 8.1 | on average one in 100 steps |

    ## Action Space
    `Discrete(4)`: 0 up, 1 right, 2 down, 3 left. A wall or the edge of the maze stops the agent.

    ## Observation Space
    Chosen by `observation`, by default `"index"`: `Discrete(rows * cols)`, the cell's number. The
    kinds are those of `DynaMazeEnv`.

    ## Starting State
    The start, `S`; with several starts, one of them at random.

    ## Rewards
    `goal_reward` (1) on reaching a goal, `step_reward` (0) otherwise; `wall_reward` if a wall or
    the edge stopped the agent and it is not None.

    ## Episode End
    Terminated at a goal. Truncated after 10,000 steps (`gym.make(..., max_episode_steps=n)`; -1
    for no limit).

    ## Information
    `reset` and `step` return `world_step`, the number of steps over all episodes, `phase`, the
    number of changes so far, and `skipped_changes`, the number of those that were skipped.
    `change_info` adds the changes since the last observation.

    ## Arguments
    Args:
        layout: the initial maze, in any form that `DynaMazeEnv` takes.
        random_changes: times and kinds of the changes: a mapping of the fields of `RandomChanges`.
            `{"when": "each_step", "probability": p}`, `{"when": "poisson", "rate": changes a
            step}`, `{"when": "bursts", "probability": p, "length": n}` or `{"when": "periodic",
            "period": steps}`; `"what"`: any of "walls", "start", "goal", "rewards", "slip";
            `"cells"`: the number of walls that open, and that close.
        slip_probability: with this probability a step goes to one of the two directions
            perpendicular to the action, with equal probabilities.
        goal_reward: the reward on reaching a goal.
        step_reward: the reward of any other step.
        wall_reward: the reward of a step that a wall or the edge stopped; None for `step_reward`.
        observation: see above.
        change_info: the report of a change: "none", "change" or "cells" (see `DynaMazeEnv`).
        change_info_in: the place of the report: "info" or "observation".
        render_mode: "human" (a pygame window), "rgb_array" (a frame as uint8), "ansi" or
            "ansi_color" (text), "svg" (a drawing).

    Raises:
        LayoutError: (a ValueError) for an invalid maze.
        ValueError: for an invalid process of changes, or a maze without walls.

    ## Version History
    * v0: the first.
    """

    @renamed_arguments(notice="change_info", notice_in="change_info_in")
    def __init__(
        self,
        layout: LayoutLike = "dyna",
        random_changes: RandomChanges | Mapping[str, Any] = DRIFT,
        *,
        slip_probability: float = 0.0,
        goal_reward: float = 1.0,
        step_reward: float = 0.0,
        wall_reward: float | None = None,
        observation: Any = "index",
        change_info: str = "none",
        change_info_in: str = "info",
        render_mode: str | None = None,
    ) -> None:
        schedule = read_schedule(
            layout,
            {},
            rewards=Rewards.of(goal_reward, step_reward, wall_reward),
            slip_probability=slip_probability,
        )
        super().__init__(
            MazeConfig(schedule, random_changes=RandomChanges.from_argument(random_changes)),
            observation=observation,
            change_info=change_info,
            change_info_in=change_info_in,
            render_mode=render_mode,
        )
