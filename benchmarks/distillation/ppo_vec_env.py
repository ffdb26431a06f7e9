"""Generated mazes for Stable-Baselines3: the native vector environment as its `VecEnv`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from dynamaze.distill.core.levels import LevelRange
from dynamaze.envs.changing_maze import MazeConfig
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.levels import LevelSet
from dynamaze.envs.grid import GridEnv
from dynamaze.envs.mazes.layout import Cell, Rewards
from dynamaze.envs.mazes.schedule import Schedule
from dynamaze.envs.mazes.shortest_paths import bfs_distances
from dynamaze.envs.vector.grid import GridVectorEnv

STARTS = 1000
"""A maze counts as so many levels, one for each start."""

STEP_REWARD = -0.01


class NearEnv(GridEnv):
    """Generated mazes whose starts are at most some steps away from the goal.

    Args:
        recipe: how the mazes are made.
        mazes: the levels of the recipe that they are.
        reach: steps, at least 1.
    """

    def __init__(self, recipe: MazeGenerator, mazes: LevelRange, reach: int) -> None:
        self.recipe, self.reach = recipe, reach
        levels = LevelSet(
            self._make,
            levels=mazes.levels * STARTS,
            first_level=mazes.first * STARTS,
            rewards=Rewards.of(1.0, STEP_REWARD, None),
            slip_probability=0.0,
        )
        first = levels.layout(levels.first_level)
        super().__init__(
            MazeConfig(Schedule((first,)), levels),
            observation="planes",
            change_info="none",
            change_info_in="info",
            render_mode=None,
        )

    def _make(self, level: int) -> tuple[Any, Cell, Cell]:
        maze = self.recipe.make(level // STARTS)
        row, col = maze.goal
        distances = bfs_distances(maze.walls, [row * maze.walls.shape[1] + col])
        near = np.argwhere((distances > 0) & (distances <= self.reach))
        row, col = near[level % STARTS % len(near)]
        return maze.walls, (int(row), int(col)), maze.goal


class NearVectorEnv(GridVectorEnv):
    """Many worlds of `NearEnv`."""

    single_class = NearEnv


class MazeWorlds(VecEnv):
    """Many worlds of `NearEnv` that share a few mazes at a time.

    A world whose episode ends begins again in one of the mazes that are open now; `open_mazes`
    draws others. So a batch holds many cells of few mazes, and a network that answers for every
    cell of a maze in one pass sees each maze once.

    Args:
        recipe: how the mazes are made.
        mazes: the levels that they are drawn from.
        reach: how far from the goal episodes begin, at most; they end after `time_limit(reach)`.
        num_envs: how many worlds.
        at_once: how many mazes are open at a time.
        rng: draws mazes and starts.

    Attributes:
        ended: episodes that ended since `reset`. The first of each world do not count, for those
            that end soonest are those that end well.
        reached: those of them that ended at the goal.
    """

    def __init__(
        self,
        recipe: MazeGenerator,
        mazes: LevelRange,
        reach: int,
        *,
        num_envs: int,
        at_once: int,
        rng: np.random.Generator,
    ) -> None:
        self.worlds = NearVectorEnv(
            num_envs,
            time_limit(reach),
            autoreset_mode="Disabled",
            recipe=recipe,
            mazes=mazes,
            reach=reach,
        )
        self.render_mode = None
        super().__init__(
            num_envs, self.worlds.single_observation_space, self.worlds.single_action_space
        )
        self.mazes, self.at_once, self.rng = mazes, at_once, rng
        self.ended = self.reached = self._steps = 0
        self._actions: Any = None
        self.open_mazes()

    def open_mazes(self) -> None:
        """Draw the mazes in which episodes begin from now on, and count episodes anew."""
        self._open = self.mazes.first + self.rng.integers(self.mazes.levels, size=self.at_once)
        self.ended = self.reached = 0

    def reset(self) -> Any:
        """(num_envs, 3, rows, cols) first observations."""
        self.ended = self.reached = self._steps = 0
        for part in np.array_split(np.arange(self.num_envs), min(self.at_once, self.num_envs)):
            seen = self._begin(np.isin(np.arange(self.num_envs), part))
        return seen

    def _begin(self, which: Any) -> Any:
        """Begin episodes in the masked worlds, at one start of an open maze."""
        level = int(self.rng.choice(self._open)) * STARTS + int(self.rng.integers(STARTS))
        seen, _ = self.worlds.reset(options={"reset_mask": which, "level": level})
        return seen.copy()

    def step_async(self, actions: Any) -> None:
        """Keep the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> Any:
        """Observations, rewards, ends and what Stable-Baselines3 wants to know of them."""
        seen, rewards, terminated, truncated, _ = self.worlds.step(self._actions)
        seen = seen.copy()
        over = terminated | truncated
        self._steps += 1
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for i in np.flatnonzero(over):
            infos[i]["terminal_observation"] = seen[i].copy()
            infos[i]["TimeLimit.truncated"] = bool(truncated[i] and not terminated[i])
        if over.any():
            if self._steps > self.worlds.max_episode_steps:
                self.ended += int(over.sum())
                self.reached += int(terminated.sum())
            seen = self._begin(over)
        return seen, rewards.astype(np.float32), over, infos

    def close(self) -> None:
        """Close the worlds."""
        self.worlds.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """What the worlds say of themselves, once for each."""
        return [getattr(self.worlds, attr_name)] * self._count(indices)

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refuse: the worlds are one object.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(f"{attr_name!r} of single worlds; they are one object")

    def env_method(
        self, method_name: str, *args: Any, indices: Any = None, **more: Any
    ) -> list[Any]:
        """Refuse: the worlds are one object.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(f"{method_name!r} of single worlds; they are one object")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """No world is wrapped."""
        return [False] * self._count(indices)

    def _count(self, indices: int | Sequence[int] | None) -> int:
        return len(list(self._get_indices(indices)))


def time_limit(reach: int) -> int:
    """Steps that an episode may take: enough for a few wrong turns."""
    return 2 * reach + 10
