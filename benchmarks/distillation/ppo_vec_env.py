"""Generated mazes for Stable-Baselines3: the native vector environment as its `VecEnv`."""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.common.arrays import BoolArray
from dynamaze.distill.core.levels import LevelRange
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.levels import LevelSet
from dynamaze.envs.grid import GridEnv
from dynamaze.envs.maze_config import MazeConfig
from dynamaze.envs.mazes.layout import Cell, Rewards
from dynamaze.envs.mazes.shortest_paths import bfs_distances
from dynamaze.envs.vector.grid import GridVectorEnv
from dynamaze.envs.vector.sb3 import SB3VecEnv

STARTS_PER_MAZE = 1000
"""Levels of one maze, one for each start."""

STEP_REWARD = -0.01


class NearGoalEnv(GridEnv):
    """Generated mazes whose starts have a limited distance from the goal.

    Args:
        generator: of the mazes.
        mazes: levels of the generator.
        max_distance: steps, at least 1.
    """

    def __init__(self, generator: MazeGenerator, mazes: LevelRange, max_distance: int) -> None:
        self.generator, self.max_distance = generator, max_distance
        levels = LevelSet(
            self._make,
            levels=mazes.levels * STARTS_PER_MAZE,
            first_level=mazes.first * STARTS_PER_MAZE,
            rewards=Rewards.of(1.0, STEP_REWARD, None),
            slip_probability=0.0,
        )
        super().__init__(MazeConfig.of_levels(levels), observation="planes")

    def _make(self, level: int) -> tuple[Any, Cell, Cell]:
        maze = self.generator.make(level // STARTS_PER_MAZE)
        row, col = maze.goal
        distances = bfs_distances(maze.walls, [row * maze.walls.shape[1] + col])
        near = np.argwhere((distances > 0) & (distances <= self.max_distance))
        row, col = near[level % STARTS_PER_MAZE % len(near)]
        return maze.walls, (int(row), int(col)), maze.goal


class NearGoalVectorEnv(GridVectorEnv):
    """Vector environment of `NearGoalEnv`."""

    single_class = NearGoalEnv


class MazeVecEnv(SB3VecEnv):
    """Environments of `NearGoalEnv` that share a few mazes at a time.

    An environment whose episode ends begins again in one of the current mazes; `sample_mazes` draws
    others. So a batch has many cells of few mazes, and a network that computes all cells of a maze
    in one pass processes each maze once.

    Args:
        generator: of the mazes.
        mazes: the levels that they are drawn from.
        max_distance: largest distance from the goal at which episodes begin; they are truncated
            after `time_limit(max_distance)` steps.
        num_envs: number of environments.
        num_open: number of current mazes.
        rng: draws mazes and starts.

    Attributes:
        episodes: episodes that ended since `reset`. The first of each environment are excluded,
            because short episodes are mostly successful ones.
        successes: those of them that ended at the goal.
    """

    def __init__(
        self,
        generator: MazeGenerator,
        mazes: LevelRange,
        max_distance: int,
        *,
        num_envs: int,
        num_open: int,
        rng: np.random.Generator,
    ) -> None:
        envs = NearGoalVectorEnv(
            num_envs,
            time_limit(max_distance),
            autoreset_mode="Disabled",
            generator=generator,
            mazes=mazes,
            max_distance=max_distance,
        )
        super().__init__(envs, monitor=False)
        self.limit = time_limit(max_distance)
        self.mazes, self.num_open, self.rng = mazes, num_open, rng
        self.episodes = self.successes = self._steps = 0
        self.sample_mazes()

    def sample_mazes(self) -> None:
        """Draw the mazes of the next episodes, and reset the counts of episodes."""
        self._open = self.mazes.first + self.rng.integers(self.mazes.levels, size=self.num_open)
        self.episodes = self.successes = 0

    def reset(self) -> Any:
        """Return the first observations, (num_envs, 3, rows, cols)."""
        self.episodes = self.successes = self._steps = 0
        for part in np.array_split(np.arange(self.num_envs), min(self.num_open, self.num_envs)):
            seen, _ = self._begin(np.isin(np.arange(self.num_envs), part))
        return seen

    def step_wait(self) -> Any:
        """Step all environments and count their episodes."""
        seen, rewards, done, infos = super().step_wait()
        self._steps += 1
        if self._steps > self.limit:
            self.episodes += int(done.sum())
            self.successes += sum(not infos[i]["TimeLimit.truncated"] for i in np.flatnonzero(done))
        return seen, rewards, done, infos

    def _begin(self, done: BoolArray) -> tuple[Any, dict[str, Any]]:
        """Begin episodes in the masked environments, at one start of a current maze."""
        level = int(self.rng.choice(self._open)) * STARTS_PER_MAZE + int(
            self.rng.integers(STARTS_PER_MAZE)
        )
        return self.env.reset(options={"reset_mask": done, "level": level})


def time_limit(max_distance: int) -> int:
    """Return the time limit of an episode: enough for a few wrong turns."""
    return 2 * max_distance + 10
