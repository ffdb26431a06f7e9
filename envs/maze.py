"""The mazes of Sutton & Barto, and every other maze that is given as a layout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .changing_maze import Course
from .grid import GridEnv
from .mazes.layout import Rewards
from .mazes.random_changes import RandomChanges
from .mazes.schedule import ChangesLike, LayoutLike, read_schedule


class DynaMazeEnv(GridEnv):
    """A maze whose walls may change while the agent learns.

    ## Description
    The mazes of Sutton & Barto (2018), chapter 8, and every other maze on a grid. An agent walks
    from a start to a goal. The world has a clock that counts the steps of the agent's whole life,
    and at stated world steps the maze changes, in the middle of an episode if need be:

    | id | maze | shortest way |
    | --- | --- | --- |
    | `DynaMaze-v0` | example 8.1: does not change | 14 |
    | `DynaMazeBlocking-v0` | example 8.2: the short way is blocked at step 1000 | 10, then 16 |
    | `DynaMazeShortcut-v0` | example 8.3: a shortcut opens at step 3000 | 16, then 10 |

    ## Action Space
    `Discrete(4)`: 0 up, 1 right, 2 down, 3 left. A wall or the edge of the maze stops the agent.

    ## Observation Space
    Chosen by `observation`, a name or a mapping of its `kind` and its options:

    | name | space | what it is |
    | --- | --- | --- |
    | `"index"` | `Discrete(rows * cols)` | the cell's number, `row * cols + col` |
    | `"coordinates"` | `MultiDiscrete([rows, cols])` | row and column, row 0 on top |
    | `"one_hot"` | `Box(0, 1, (rows * cols,), float32)` | a 1 at the cell's number |
    | `"planes"` | `Box(0, 1, (3, rows, cols), float32)` | walls, agent and goals as they are now |
    | `"window"` | `Box(0, 1, (2, 2r + 1, 2r + 1), float32)` | walls and goals within `radius` (2) |
    | `"rays"` | `Box(0, ..., (16,), float32)` | free cells, and a goal, in 8 directions |
    | `"rgb"` | `Box(0, 255, (height, width, 3), uint8)` | a picture; `cell_size` (8) pixels |
    | `"action_mask"` | `Dict(observation, action_mask)` | 1 for each action that leads somewhere |
    | `"goal"` | `Dict(observation, achieved_goal, desired_goal)` | for HER; see `compute_reward` |

    `{"kind": "window", "radius": 3}` chooses an option; `{"kind": "action_mask", "of": "planes"}`
    what stands in a dictionary ("index", in "goal" "coordinates"). With `notice_in="observation"`
    the observation is a dictionary that also says what changed.

    ## Starting State
    The start, `S`; where there are several, one of them at random.

    ## Rewards
    `goal_reward` (1) on reaching a goal, `step_reward` (0) otherwise; `wall_reward` where
    something stopped the agent, if it is not None.

    ## Episode End
    Terminated at a goal. Truncated after 10,000 steps (`gym.make(..., max_episode_steps=n)`; -1
    for no limit): a random walk reaches it about 3 times in a million episodes.

    ## Information
    `reset` and `step` give `world_step`, the steps of the whole life so far, and `phase`, the
    number of changes so far. The step taken when the clock shows 1000 is the first one in the
    maze that holds from world step 1000. With `random_changes` also `skipped_changes`, the number
    of those that would have broken the only way; with `notice` also `changed`, whether the maze
    has changed since the last observation, and `changed_cells`, (rows, cols) bool.

    The clock survives `reset()`. It starts again on `reset(seed=...)`, and
    `reset(options={"world_step": k})` sets it. Seed the first reset only.

    A wall that falls on the agent does not move it: it stands on the wall's cell and may step off
    to any free neighbour, but not back.

    ## Arguments
    Args:
        layout: a maze as text, a list of rows, a file, a `Layout`, or "dyna", "blocking",
            "shortcut". `#` wall, `.` or space free, `S` start, `G` goal; a text may go on with
            `@ STEP` lines and the layouts that hold from then on.
        changes: when -> change, as a mapping or as pairs. When is a world step, or "episode N".
            A change is a layout, or a mapping of what changes: "layout", "start", "goal",
            "goal_reward", "step_reward", "wall_reward", "slip_probability". None keeps the
            changes that `layout` brings. (`env.unwrapped.change(change)` changes it now.)
        random_changes: changes that nobody knows beforehand: a mapping of the fields of
            `RandomChanges`, such as `{"when": "each_step", "probability": 0.01}` or `{"when":
            "poisson", "rate": 0.01, "what": ["walls", "goal"]}`; `DynaMazeDrifting-v0` has more
            of them.
        slip_probability: with this probability a step goes to one of the two directions
            perpendicular to the action, each half as likely.
        goal_reward: paid on reaching a goal.
        step_reward: paid for any other step.
        wall_reward: paid for a step that a wall or the edge stopped; None pays `step_reward`.
        observation: see above.
        notice: what is told of a change: "none", "change" (that there was one) or "cells" (that,
            and which cells).
        notice_in: where it is told: "info" or "observation".
        render_mode: "human" (a pygame window), "rgb_array" (a frame as uint8), "ansi" or
            "ansi_color" (text), "svg" (a drawing).

    Raises:
        LayoutError: (a ValueError) for a maze or a schedule that cannot be.
        ValueError: for a number outside its range, an observation, a notice or a render mode that
            does not exist.

    ## Version History
    * v0: the first.
    """

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
        notice: str = "none",
        notice_in: str = "info",
        render_mode: str | None = None,
    ) -> None:
        schedule = read_schedule(
            layout,
            changes,
            rewards=Rewards.of(goal_reward, step_reward, wall_reward),
            slip_probability=slip_probability,
        )
        process = RandomChanges.read(random_changes)
        super().__init__(
            Course(schedule, random_changes=process),
            observation=observation,
            notice=notice,
            notice_in=notice_in,
            render_mode=render_mode,
        )
