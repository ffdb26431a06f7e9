"""Mazes that are made anew for each episode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .changing_maze import Course
from .generation import MazeRecipe
from .generation.levels import Levels
from .grid import GridEnv
from .mazes.layout import Rewards
from .mazes.random_changes import RandomChanges
from .mazes.schedule import Schedule


class DynaMazeGeneratedEnv(GridEnv):
    """A new maze in each episode, made from the number of a level.

    ## Description
    For learning what holds in every maze, not the way through one. At each reset a level is drawn
    from the environment's own random numbers, and the maze of that level is made. The same number
    is the same maze everywhere: train on `levels=1000`, test on `first_level=1000, levels=100`,
    and no maze is in both. Every maze can be solved.

    | id | mazes |
    | --- | --- |
    | `DynaMazeGenerated-v0` | 15 x 15, recursive backtracking |

    ## Action Space
    `Discrete(4)`: 0 up, 1 right, 2 down, 3 left. A wall or the edge of the maze stops the agent.

    ## Observation Space
    Chosen by `observation`, by default `"planes"`: `Box(0, 1, (3, rows, cols), float32)` with the
    walls, the agent and the goal. The forms are those of `DynaMazeEnv`; most show nothing of the
    maze, in which the agent then is blind.

    ## Starting State
    The maze's start. By default it is any free cell, and the goal one of those that are at least
    half as far away as the farthest.

    ## Rewards
    `goal_reward` (1) on reaching the goal, `step_reward` (0) otherwise; `wall_reward` where
    something stopped the agent, if it is not None.

    ## Episode End
    Terminated at the goal. Truncated after 10,000 steps (`gym.make(..., max_episode_steps=n)`; -1
    for no limit).

    ## Information
    `reset` and `step` give `world_step`, the steps of the whole life so far, `phase`, the number
    of changes so far (a new episode's maze is none), and `level`, the number of the maze.
    `reset(options={"level": k})` chooses it. With `random_changes` also `skipped_changes`.

    ## Arguments
    Args:
        size: rows and columns, from 3; one number makes a square. Odd sizes use all the room.
        algorithm: "backtracking" (long winding corridors), "prim" (many short dead ends),
            "kruskal", "wilson" (every perfect maze as likely as the others), "division" (long
            straight walls), "rooms", "obstacles" (single cells of a `density`) or "empty".
        levels: how many mazes there are; None for 2**31.
        first_level: the number of the first.
        density: the share of cells that are obstacles, in [0, 1); only of "obstacles".
        loops: the share of inner walls that are opened, in [0, 1], so that there is more than one
            way; of the perfect mazes and "rooms".
        room_size: the longest side of a room; only of "rooms".
        endpoints: "random", "farthest" (the start and the goal as far apart as can be) or
            "corners".
        random_changes: how the maze changes at random within an episode (see `DynaMazeEnv`).
        slip_probability: with this probability a step goes to one of the two directions
            perpendicular to the action, each half as likely.
        goal_reward: paid on reaching the goal.
        step_reward: paid for any other step.
        wall_reward: paid for a step that a wall or the edge stopped; None pays `step_reward`.
        observation: see above.
        notice: what is told of a change: "none", "change" or "cells" (see `DynaMazeEnv`).
        notice_in: where it is told: "info" or "observation".
        render_mode: "human" (a pygame window), "rgb_array" (a frame as uint8), "ansi" or
            "ansi_color" (text), "svg" (a drawing).

    Raises:
        ValueError: for a size, an algorithm, a density or a number of levels that cannot be.

    ## Version History
    * v0: the first.
    """

    def __init__(  # noqa: PLR0913  # what `gym.make` takes
        self,
        size: int | Sequence[int] = 15,
        algorithm: str = "backtracking",
        *,
        levels: int | None = None,
        first_level: int = 0,
        density: float | None = None,
        loops: float | None = None,
        room_size: int | None = None,
        endpoints: str = "random",
        random_changes: RandomChanges | Mapping[str, Any] | None = None,
        slip_probability: float = 0.0,
        goal_reward: float = 1.0,
        step_reward: float = 0.0,
        wall_reward: float | None = None,
        observation: Any = "planes",
        notice: str = "none",
        notice_in: str = "info",
        render_mode: str | None = None,
    ) -> None:
        recipe = MazeRecipe(size, algorithm, density, loops, room_size, endpoints)
        mazes = Levels(
            recipe.make,
            levels=levels,
            first_level=first_level,
            rewards=Rewards.of(goal_reward, step_reward, wall_reward),
            slip_probability=slip_probability,
        )
        process = RandomChanges.read(random_changes)
        super().__init__(
            Course(Schedule((mazes.layout(mazes.first_level),)), mazes, process),
            observation=observation,
            notice=notice,
            notice_in=notice_in,
            render_mode=render_mode,
        )
