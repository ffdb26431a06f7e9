"""Environment with a new maze in each episode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Unpack

from .generation import MazeGenerator
from .generation.levels import LevelSet
from .grid import GridEnv
from .maze_config import MazeConfig
from .mazes.random_changes import RandomChanges
from .options import MazeOptions, split_options, with_options


@with_options(MazeOptions)
class DynaMazeGeneratedEnv(GridEnv):
    """Environment with a new maze in each episode, generated from the number of a level.

    ## Description
    For learning what holds in every maze, not the path through one. At each reset a level is drawn
    from the environment's own random numbers, and the maze of that level is generated. The same
    number is the same maze everywhere. Every maze can be solved.

    Different levels may be equal mazes, above all small ones: there are 192 perfect mazes of size
    5, and levels 354 and 1005 are the same. Train on `split="train"` and test on `split="test"`:
    whatever their levels are, no maze of one has the walls of a maze of the other.

    | id | mazes |
    | --- | --- |
    | `DynaMazeGenerated-v0` | 15 x 15, recursive backtracking |

    ## Action Space
    `Discrete(4)`: 0 up, 1 right, 2 down, 3 left. A wall or the edge of the maze stops the agent.

    ## Observation Space
    Chosen by `observation`, by default `"planes"`: `Box(0, 1, (3, rows, cols), float32)` with the
    walls, the agent and the goal. The kinds are those of `DynaMazeEnv`; most do not include the
    maze.

    ## Starting State
    The maze's start. By default it is any free cell, and the goal is one of those that are at
    least half as far away as the farthest.

    ## Rewards
    `goal_reward` (1) on reaching the goal, `step_reward` (0) otherwise; `wall_reward` if a wall or
    the edge stopped the agent and it is not None.

    ## Episode End
    Terminated at the goal. Truncated after 10,000 steps (`gym.make(..., max_episode_steps=n)`; -1
    for no limit).

    ## Information
    `reset` and `step` return `world_step`, the number of steps over all episodes, `phase`, the
    number of changes so far (a new episode's maze does not count), and `level`, the number of the
    maze. `reset(options={"level": k})` selects it. With `random_changes` also `skipped_changes`.

    ## Arguments
    Args:
        size: rows and columns, from 3; one number makes a square. Odd sizes use all the space.
        algorithm: "backtracking" (long winding corridors), "prim" (many short dead ends),
            "kruskal", "wilson" (uniform over all perfect mazes), "division" (long straight walls),
            "rooms", "obstacles" (single cells of a `density`) or "empty".
        levels: the number of mazes; None for 2**31.
        first_level: the number of the first.
        density: the share of cells that are obstacles, in [0, 1); only for "obstacles".
        loops: the share of inner walls that are opened, in [0, 1], so that there is more than one
            path; for the perfect mazes and "rooms".
        room_size: the maximum side of a room; only for "rooms".
        endpoints: "random", "farthest" (start and goal as far apart as possible) or "corners".
        split: "train" or "test": a half of all mazes, by a digest of their walls; None for all. The
            maze of a level is that without a split, or another one where that is in the other
            half.
        random_changes: the process of random changes within an episode (see `DynaMazeEnv`).
        observation: see above.
        **options: those of `MazeOptions`.

    Raises:
        ValueError: for an invalid size, algorithm, density or number of levels, or a split of
            mazes that all have the same walls ("empty").

    ## Version History
    * v0: the first.
    """

    kind: ClassVar = GridEnv.kind

    def __init__(
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
        split: str | None = None,
        random_changes: RandomChanges | Mapping[str, Any] | None = None,
        observation: Any = "planes",
        **options: Unpack[MazeOptions],
    ) -> None:
        rules, rest = split_options(options)
        generator = MazeGenerator(size, algorithm, density, loops, room_size, endpoints, split)
        mazes = LevelSet(generator.make, levels=levels, first_level=first_level, **rules)
        config = MazeConfig.of_levels(mazes, RandomChanges.from_argument(random_changes))
        super().__init__(config, observation=observation, **rest)
