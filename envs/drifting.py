"""A maze whose walls open and close at random for ever."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .changing_maze import Course
from .grid import GridEnv
from .mazes.layout import Rewards
from .mazes.random_changes import RandomChanges
from .mazes.schedule import LayoutLike, read_schedule

DRIFT = {"when": "each_step", "probability": 0.01, "what": ["walls"]}


class DynaMazeDriftingEnv(GridEnv):
    """A maze whose walls open and close at random for ever.

    ## Description
    No model of this maze stays true, and nothing says when it stops being true. After each step,
    with a small probability, one wall opens and another closes somewhere; the number of walls
    stays the same. A change never shuts a start, or the agent, off from the goal: one that would
    is drawn again, and after 32 draws skipped and counted. The changes come from the
    environment's own random numbers: the same seed and the same actions give the same changes.

    | id | maze | changes |
    | --- | --- | --- |
    | `DynaMazeDrifting-v0` | begins as example 8.1 | one in 100 steps in the mean |

    ## Action Space
    `Discrete(4)`: 0 up, 1 right, 2 down, 3 left. A wall or the edge of the maze stops the agent.

    ## Observation Space
    Chosen by `observation`, by default `"index"`: `Discrete(rows * cols)`, the cell's number. The
    forms are those of `DynaMazeEnv`.

    ## Starting State
    The start, `S`; where there are several, one of them at random.

    ## Rewards
    `goal_reward` (1) on reaching a goal, `step_reward` (0) otherwise; `wall_reward` where
    something stopped the agent, if it is not None.

    ## Episode End
    Terminated at a goal. Truncated after 10,000 steps (`gym.make(..., max_episode_steps=n)`; -1
    for no limit).

    ## Information
    `reset` and `step` give `world_step`, the steps of the whole life so far, `phase`, the number
    of changes so far, and `skipped_changes`, the number of those that were skipped. `notice` adds
    whether, or where, the maze has changed since the last observation.

    ## Arguments
    Args:
        layout: the maze in which the world begins, in any form that `DynaMazeEnv` takes.
        random_changes: when and what changes: a mapping of the fields of `RandomChanges`.
            `{"when": "each_step", "probability": p}`, `{"when": "poisson", "rate": changes a
            step}`, `{"when": "bursts", "probability": p, "length": n}` or `{"when": "periodic",
            "period": steps}`; `"what"`: any of "walls", "start", "goal", "rewards", "slip";
            `"cells"`: how many walls open, and how many close.
        slip_probability: with this probability a step goes to one of the two directions
            perpendicular to the action, each half as likely.
        goal_reward: paid on reaching a goal.
        step_reward: paid for any other step.
        wall_reward: paid for a step that a wall or the edge stopped; None pays `step_reward`.
        observation: see above.
        notice: what is told of a change: "none", "change" or "cells" (see `DynaMazeEnv`).
        notice_in: where it is told: "info" or "observation".
        render_mode: "human" (a pygame window), "rgb_array" (a frame as uint8), "ansi" or
            "ansi_color" (text), "svg" (a drawing).

    Raises:
        LayoutError: (a ValueError) for a maze that cannot be.
        ValueError: for a process of changes that cannot be, or a maze without walls.

    ## Version History
    * v0: the first.
    """

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
        notice: str = "none",
        notice_in: str = "info",
        render_mode: str | None = None,
    ) -> None:
        schedule = read_schedule(
            layout,
            {},
            rewards=Rewards.of(goal_reward, step_reward, wall_reward),
            slip_probability=slip_probability,
        )
        super().__init__(
            Course(schedule, random_changes=RandomChanges.read(random_changes)),
            observation=observation,
            notice=notice,
            notice_in=notice_in,
            render_mode=render_mode,
        )
