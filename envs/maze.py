"""Environment of the mazes of Sutton & Barto, and of every other maze that is given as a layout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynamaze.common.deprecation import renamed_arguments

from .changing_maze import MazeConfig
from .grid import GridEnv
from .mazes.layout import Rewards
from .mazes.random_changes import RandomChanges
from .mazes.schedule import ChangesLike, LayoutLike, read_schedule


class DynaMazeEnv(GridEnv):
    """Environment of a maze on a grid whose walls may change while the agent learns.

    ## Description
    The mazes of Sutton & Barto (2018), chapter 8, and every other maze on a grid. An agent walks
    from a start to a goal. A clock counts the world steps, that is, the steps over all episodes,
    and at given world steps the maze changes, even during an episode:

    | id | maze | shortest path |
    | --- | --- | --- |
    | `DynaMaze-v0` | example 8.1: does not change | 14 |
    | `DynaMazeBlocking-v0` | example 8.2: the short path is blocked at step 1000 | 10, then 16 |
    | `DynaMazeShortcut-v0` | example 8.3: a shortcut opens at step 3000 | 16, then 10 |

    ## Action Space
    `Discrete(4)`: 0 up, 1 right, 2 down, 3 left. A wall or the edge of the maze stops the agent.

    ## Observation Space
    Chosen by `observation`, a name or a mapping of its `kind` and its options:

    | name | space | meaning |
    | --- | --- | --- |
    | `"index"` | `Discrete(rows * cols)` | the cell's number, `row * cols + col` |
    | `"coordinates"` | `MultiDiscrete([rows, cols])` | row and column, row 0 on top |
    | `"one_hot"` | `Box(0, 1, (rows * cols,), float32)` | a 1 at the cell's number |
    | `"planes"` | `Box(0, 1, (3, rows, cols), float32)` | present walls, agent and goals |
    | `"window"` | `Box(0, 1, (2, 2r + 1, 2r + 1), float32)` | walls and goals within `radius` (2) |
    | `"rays"` | `Box(0, ..., (16,), float32)` | free cells, and a goal, in 8 directions |
    | `"rgb"` | `Box(0, 255, (height, width, 3), uint8)` | an image; `cell_size` (8) pixels |
    | `"action_mask"` | `Dict(observation, action_mask)` | 1 for each action that moves the agent |
    | `"goal"` | `Dict(observation, achieved_goal, desired_goal)` | for HER; see `compute_reward` |

    `{"kind": "window", "radius": 3}` chooses an option; `{"kind": "action_mask", "of": "planes"}`
    the observation inside a dictionary ("index", in "goal" "coordinates"). With
    `change_info_in="observation"` the observation is a dictionary that also reports changes.

    ## Starting State
    The start, `S`; with several starts, one of them at random.

    ## Rewards
    `goal_reward` (1) on reaching a goal, `step_reward` (0) otherwise; `wall_reward` if a wall or
    the edge stopped the agent and it is not None.

    ## Episode End
    Terminated at a goal. Truncated after 10,000 steps (`gym.make(..., max_episode_steps=n)`; -1
    for no limit): a random walk reaches it about 3 times in a million episodes.

    ## Information
    `reset` and `step` return `world_step`, the number of steps over all episodes, and `phase`, the
    number of changes so far. The step taken when the clock shows 1000 is the first one in the
    maze that holds from world step 1000. With `random_changes` also `skipped_changes`, the number
    of changes skipped because they would have blocked the goal; with `change_info` also `changed`,
    True if the maze has changed since the last observation, and `changed_cells`, (rows, cols) bool.

    The clock continues on `reset()`. It restarts on `reset(seed=...)`, and
    `reset(options={"world_step": k})` sets it. Seed the first reset only.

    A wall that appears at the agent's cell does not move it: the agent may step off to any free
    neighbour, but cannot come back.

    ## Arguments
    Args:
        layout: a maze as text, a list of rows, a file, a `Layout`, or "dyna", "blocking",
            "shortcut". `#` wall, `.` or space free, `S` start, `G` goal; a text may go on with
            `@ STEP` lines and the layouts that hold from then on.
        changes: time -> change, as a mapping or as pairs. A time is a world step, or "episode N".
            A change is a layout, or a mapping with the keys "layout", "start", "goal",
            "goal_reward", "step_reward", "wall_reward", "slip_probability". None keeps the
            changes of `layout`. (`env.unwrapped.change(change)` changes the maze now.)
        random_changes: a process of random changes: a mapping of the fields of `RandomChanges`,
            such as `{"when": "each_step", "probability": 0.01}` or `{"when": "poisson", "rate":
            0.01, "what": ["walls", "goal"]}`; see `DynaMazeDriftingEnv`.
        slip_probability: with this probability a step goes to one of the two directions
            perpendicular to the action, with equal probabilities.
        goal_reward: the reward on reaching a goal.
        step_reward: the reward of any other step.
        wall_reward: the reward of a step that a wall or the edge stopped; None for `step_reward`.
        observation: see above.
        change_info: the report of a change: "none", "change" (the fact) or "cells" (the changed
            cells, too).
        change_info_in: the place of the report: "info" or "observation".
        render_mode: "human" (a pygame window), "rgb_array" (a frame as uint8), "ansi" or
            "ansi_color" (text), "svg" (a drawing).

    Raises:
        LayoutError: (a ValueError) for an invalid maze or schedule.
        ValueError: for a number outside its range, or an unknown observation, `change_info` or
            render mode.

    ## Version History
    * v0: the first.
    """

    @renamed_arguments(notice="change_info", notice_in="change_info_in")
    def __init__(
        self,
        layout: LayoutLike = "dyna",
        changes: ChangesLike | None = None,
        *,
        random_changes: RandomChanges | Mapping[str, Any] | None = None,
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
            changes,
            rewards=Rewards.of(goal_reward, step_reward, wall_reward),
            slip_probability=slip_probability,
        )
        process = RandomChanges.from_argument(random_changes)
        super().__init__(
            MazeConfig(schedule, random_changes=process),
            observation=observation,
            change_info=change_info,
            change_info_in=change_info_in,
            render_mode=render_mode,
        )
