"""Environment of runs in unseen mazes, each of which changes once: adaptation in context."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Unpack

from dynamaze.common.validation import checked_integer, naming, shown

from .generation import MazeGenerator
from .generation.generator import TREE_LIKE
from .generation.levels import LevelSet
from .grid import GridEnv
from .maze_config import MazeConfig
from .mazes.random_changes import RandomChanges
from .observations.experience import EXPERIENCE_OBSERVATIONS, after_step
from .options import MazeOptions, split_options, with_options
from .timing.times import LAST_STEP

TRAINING_LEVELS = 10**6
"""Levels from this number on are held out."""

DEFAULT_LOOPS = 0.15
CHANGE_KINDS = ("block", "shortcut", "goal", "walls")
CHANGED_WALLS = 4
"""Walls that open, and that close, in a change of walls."""


@with_options(MazeOptions)
class DynaMazeAdaptationEnv(GridEnv):
    """Environment of runs in mazes that the agent has never seen and is not shown.

    ## Description
    A benchmark of adaptation in context: can an agent, or a policy with frozen weights, explore an
    unknown maze, use what it has found, and notice that the maze has changed? A run is a number of
    world steps in one maze, with a fixed start: episodes follow one another, and what was learned
    in one serves the next. Somewhere in the middle the maze changes once, unannounced: its
    shortest path is blocked, or a shortcut of at least 4 steps opens, or the goal moves, or four
    walls open and four close. The four have equal probabilities; where one is impossible, the goal
    moves. The first episode after the end of a run begins the next one, in a maze of another
    level.

    | id | mazes |
    | --- | --- |
    | `DynaMazeAdaptation-v0` | 9 x 9, Wilson's algorithm with loops; runs of 400 steps |

    Train on the levels below 1,000,000, which are the default, and test on held-out ones from
    there on (`first_level=1_000_000`). Small mazes are few: there are 192 perfect ones of size 5.

    ## Action Space
    `Discrete(4)`: 0 up, 1 right, 2 down, 3 left. A wall or the edge of the maze stops the agent.

    ## Observation Space
    Chosen by `observation`; nothing of the maze is shown. By default `"experience"`:
    `Dict(observation, last_action, last_reward)` with the number of the agent's cell, `row * cols +
    col`, its last action (4 at the beginning of an episode) and its last reward. `{"kind":
    "experience", "of": "one_hot"}` chooses the form of the cell. `"index"`, `"coordinates"` and
    `"one_hot"` are the cell alone, for agents that know what they did.

    ## Starting State
    The start of the maze, the same in all episodes of a run. The goal is at least half as far away
    as the farthest cell.

    ## Rewards
    `goal_reward` (1) on reaching the goal, `step_reward` (0) otherwise; `wall_reward` if a wall or
    the edge stopped the agent and it is not None.

    ## Episode End
    Terminated at the goal. Truncated after 400 steps (`gym.make(..., max_episode_steps=n)`; -1 for
    no limit). The end of a run ends no episode.

    ## Information
    `reset` and `step` return `world_step`, the number of steps over all episodes and runs,
    `run`, the number of runs before this one, `level`, the number of the maze, `phase`, the number
    of changes so far, and `skipped_changes`. `reset(seed=...)` and `reset(options={"level": k})`
    begin a new run; so does a reset with `world_step`.

    ## Arguments
    Args:
        size: rows and columns, from 3; one number makes a square.
        algorithm: as of `DynaMazeGeneratedEnv`, by default "wilson".
        levels: the number of mazes.
        first_level: the number of the first.
        loops: the share of inner walls that are opened, in [0, 1]; None for 0.15 where the
            algorithm can use it.
        endpoints: as of `DynaMazeGeneratedEnv`.
        split: the same.
        run_steps: world steps of a run, at least 2.
        change_steps: first and last of the steps of a run after which the maze may change, with
            equal probabilities; None for the middle half, 100 to 300 of 400.
        change_kinds: the kinds of change, each as likely as the others: "block", "shortcut",
            "goal", "walls", "start", "rewards" or "slip" (see `RandomChanges`).
        observation: see above.
        **options: those of `MazeOptions`.

    Raises:
        ValueError: for an invalid size, algorithm or number, change steps outside the run, or an
            observation that shows the maze.

    ## Version History
    * v0: the first.
    """

    kind: ClassVar = GridEnv.kind

    def __init__(
        self,
        size: int | Sequence[int] = 9,
        algorithm: str = "wilson",
        *,
        levels: int | None = TRAINING_LEVELS,
        first_level: int = 0,
        loops: float | None = None,
        endpoints: str = "random",
        split: str | None = None,
        run_steps: int = 400,
        change_steps: Sequence[int] | None = None,
        change_kinds: Sequence[str] = CHANGE_KINDS,
        observation: Any = "experience",
        **options: Unpack[MazeOptions],
    ) -> None:
        rules, rest = split_options(options)
        if loops is None and isinstance(algorithm, str) and algorithm in TREE_LIKE:
            loops = DEFAULT_LOOPS
        generator = MazeGenerator(size, algorithm, loops=loops, endpoints=endpoints, split=split)
        mazes = LevelSet(generator.make, levels=levels, first_level=first_level, **rules)
        run_steps = checked_integer("run_steps", run_steps, 2, LAST_STEP)
        earliest, latest = _checked_change_steps(change_steps, run_steps)
        with naming("change_kinds"):
            process = RandomChanges(
                when="once",
                earliest=earliest,
                latest=latest,
                what=change_kinds,
                otherwise="goal",
                cells=CHANGED_WALLS,
            )
        super().__init__(
            MazeConfig.of_levels(mazes, process, run_steps),
            observation=observation,
            kinds=EXPERIENCE_OBSERVATIONS,
            **rest,
        )

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take a step (see `GridEnv.step`)."""
        observation, reward, *rest = super().step(action)
        return after_step(observation, action, reward), reward, *rest


def _checked_change_steps(change_steps: Any, run_steps: int) -> tuple[int, int]:
    """Return the first and the last step of a run after which the maze may change."""
    if change_steps is None:
        return max(run_steps // 4, 1), max(3 * run_steps // 4, 1)
    pair = change_steps.tolist() if hasattr(change_steps, "tolist") else change_steps
    if not isinstance(pair, Sequence) or isinstance(pair, str | bytes) or len(pair) != 2:
        error = ValueError if isinstance(pair, Sequence) else TypeError
        raise error(f"change_steps={shown(change_steps)}; expected two steps, the first one first")
    earliest = checked_integer("change_steps", pair[0], 1, run_steps - 1)
    return earliest, checked_integer("change_steps", pair[1], earliest, run_steps - 1)
