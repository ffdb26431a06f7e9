"""Environments of mazes that are given as a layout: those of Sutton & Barto, and drifting ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

from .grid import GridEnv
from .maze_config import MazeConfig
from .mazes.random_changes import RandomChanges
from .mazes.schedule import LayoutArgument, TimedChangesLike, read_timed_changes
from .options import MazeOptions, split_options, with_options


@with_options(MazeOptions)
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
    | `"goal"` | `Dict(observation, achieved_goal, desired_goal)` | for HER, with `compute_reward` |

    `{"kind": "window", "radius": 3}` chooses an option; `{"kind": "action_mask", "of": "planes"}`
    the observation inside a dictionary ("index", in "goal" "coordinates"); `{"kind":
    "coordinates", "dtype": "float32"}` a `Box`, as wrappers that reshape or rescale need it. "goal"
    needs one goal that stays where it is during an episode, and rewards that never change:
    `compute_reward` is then the reward of every step. With
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
        layout: a maze as text, a list or array of rows, a file, a `Layout`, a `Schedule`, or
            "dyna", "blocking", "shortcut". `#` wall, `.` or space free, `S` start, `G` goal; a text
            may go on with `@ STEP` lines and the layouts that hold from then on. A mapping has
            numbers of its own: `{"layout": rows, "goal_reward": 2}`.
        changes: time -> change, as a mapping or as pairs. A time is a world step, or "episode N".
            A change is a layout, or a mapping with the keys "layout", "start", "goal",
            "goal_reward", "step_reward", "wall_reward", "slip_probability". None keeps the
            changes of `layout`. Or changes of other times, `at`, `every`, `poisson`, `each_step`,
            `bursts` or `once`, or a list of them: `every(500, cycle({"goal": (0, 3)}, {"goal":
            (0, 8)}))`; each is applied to the maze that it finds, and skipped and counted where it
            does not fit. (`env.unwrapped.change(change)` changes the maze now.)
        random_changes: a process of random changes: a mapping of the fields of `RandomChanges`,
            such as `{"when": "each_step", "probability": 0.01}` or `{"when": "poisson", "rate":
            0.01, "what": ["walls", "goal"]}`; see `DynaMazeDriftingEnv`.
        observation: see above.
        **options: those of `MazeOptions`.

    Raises:
        LayoutError: (a ValueError) for an invalid maze or schedule.
        ValueError: for a number outside its range, or an unknown observation, `change_info` or
            render mode.

    ## Version History
    * v0: the first.
    """

    kind: ClassVar = GridEnv.kind

    def __init__(
        self,
        layout: LayoutArgument = "dyna",
        changes: TimedChangesLike | None = None,
        *,
        random_changes: RandomChanges | Mapping[str, Any] | None = None,
        observation: Any = "index",
        **options: Unpack[MazeOptions],
    ) -> None:
        rules, rest = split_options(options)
        schedule, timed = read_timed_changes(layout, changes, **rules)
        process = RandomChanges.from_argument(random_changes)
        config = MazeConfig(schedule, random_changes=process, timed=timed)
        super().__init__(config, observation=observation, **rest)


DRIFT = {"when": "each_step", "probability": 0.01, "what": ["walls"]}


@with_options(MazeOptions)
class DynaMazeDriftingEnv(DynaMazeEnv):
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
            step}`, `{"when": "bursts", "probability": p, "length": n}`, `{"when": "periodic",
            "period": steps}` or `{"when": "once", "earliest": step, "latest": step}`; `"what"`: any
            of "walls", "block", "shortcut", "start", "goal", "rewards", "slip"; `"cells"`: the
            number of walls that open, and that close, in a change of walls.
        observation: see above.
        **options: those of `MazeOptions`.

    Raises:
        LayoutError: (a ValueError) for an invalid maze.
        ValueError: for an invalid process of changes, or a maze without walls.

    ## Version History
    * v0: the first.
    """

    kind: ClassVar = GridEnv.kind

    def __init__(
        self,
        layout: LayoutArgument = "dyna",
        random_changes: RandomChanges | Mapping[str, Any] = DRIFT,
        *,
        observation: Any = "index",
        **options: Unpack[MazeOptions],
    ) -> None:
        super().__init__(
            layout, {}, random_changes=random_changes, observation=observation, **options
        )
