"""Statistics of a run: episodes, visit counts and regret.

`RecordStatistics` wraps the environment, so that agents need not know of mazes.
"""

from __future__ import annotations

import math
from collections import deque
from copy import deepcopy
from typing import Any

import gymnasium as gym
import numpy as np

from dynamaze.agents import Step
from dynamaze.common.arrays import FloatArray
from dynamaze.envs import GridEnv, Layout
from dynamaze.envs.base import MazeEnv
from dynamaze.envs.mazes.dynamics import NUM_ACTIONS

from .environment import Camera

RECENT_EPISODES = 10


class EpisodeStatistics:
    """Counters of steps and episodes.

    Attributes:
        title: agent and environment, in words.
        num_steps: number of steps.
        num_episodes: number of finished episodes.
        total_reward: sum of all rewards.
        last: the latest step; None before the first.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.num_steps = 0
        self.num_episodes = 0
        self.total_reward = 0.0
        self.last: Step | None = None
        self._recent: deque[int] = deque(maxlen=RECENT_EPISODES)  # lengths

    def add(self, step: Step) -> None:
        """Add a step."""
        self.last = step
        self.num_steps += 1
        self.total_reward += step.reward
        if step.terminated or step.truncated:
            self.num_episodes += 1
            self._recent.append(step.episode_length)

    def fields(self, regret: float | None) -> list[tuple[str, str]]:
        """Return pairs (label, value) for the status strip; regret None if unknown."""
        step = self.last
        return [
            ("episode", f"{1 if step is None else step.episode + 1:,}"),
            ("world step", f"{self.world_step:,}"),
            ("return", f"{0 if step is None else step.episode_return:.4g}"),
            ("mean length", f"{self.mean_length():,.1f}" if self._recent else "-"),
            ("regret", format_regret(regret)),
        ]

    @property
    def world_step(self) -> int:
        """Clock of the environment; the number of steps if it has none."""
        info = {} if self.last is None else self.last.info
        return int(info.get("world_step", self.num_steps))

    def description(self) -> str:
        """Return the title with the present level and phase of the maze."""
        info = {} if self.last is None else self.last.info
        level = f", level {info['level']:,}" if info.get("level") is not None else ""
        phase = f", phase {info['phase']:,}" if info.get("phase") else ""
        return f"{self.title}{level}{phase}"

    def summary(self, regret: float | None = None) -> str:
        """Return one line about the whole run."""
        run = f"{self.title}: {format_count(self.num_steps, 'step')}"
        loss = "" if regret is None else f", regret {format_regret(regret)}"
        if not self._recent:
            return f"{run}, no episode ended{loss}"
        recent = f"the last {len(self._recent)}" if len(self._recent) > 1 else "the last one"
        return (
            f"{run}, {format_count(self.num_episodes, 'episode')}, "
            f"{self.mean_length():.1f} steps per episode over {recent}{loss}"
        )

    def mean_length(self) -> float:
        """Return the mean length of the last `RECENT_EPISODES` episodes; NaN without one."""
        return sum(self._recent) / len(self._recent) if self._recent else math.nan


class RecordStatistics(gym.Wrapper[Any, Any, Any, Any]):
    """Wrapper that records visits, tried pairs, regret and snapshots of episodes' ends.

    Attributes:
        visits: (S,) number of actions taken in each cell; None if there is no maze.
        tried: (S, 4) bool, pairs tried since the array was cleared by its reader; None if there is
            no maze of cells.
        ever_tried: (S, 4) bool, pairs tried so far; None if there is no maze of cells.
        regret: of all actions so far; None if there is no maze of cells.
        final_snapshot: snapshot after the last step if it ended an episode; None otherwise.
        initial_snapshot: snapshot after the last reset.
        keep_snapshots: False to save the time of taking them.
    """

    def __init__(self, env: gym.Env[Any, Any], camera: Camera, gamma: float) -> None:
        """Wrap an environment.

        Args:
            env: the environment of the camera.
            camera: takes the snapshots.
            gamma: discount of the regret.
        """
        super().__init__(env)
        maze = env.unwrapped
        self._camera = camera
        self._maze = maze if isinstance(maze, MazeEnv) else None
        self._grid = maze if isinstance(maze, GridEnv) else None
        self.visits = None if self._maze is None else np.zeros(self._maze.layout.num_cells)
        self.tried: Any = None
        self.ever_tried: Any = None
        self.regret: RunningRegret | None = None
        if self._grid is not None:
            self.tried = np.zeros((self._grid.layout.num_cells, NUM_ACTIONS), dtype=np.bool_)
            self.ever_tried = self.tried.copy()
            self.regret = RunningRegret(gamma)
        self.final_snapshot: Any = None
        self.initial_snapshot: Any = None
        self.keep_snapshots = True

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """Return a deep copy of the environment inside: steps of a search do not count."""
        return deepcopy(self.env, memo)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset the environment."""
        result = self.env.reset(seed=seed, options=options)
        self.initial_snapshot = self._camera.snapshot() if self.keep_snapshots else None
        return result

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Record the action and step the environment."""
        if self._maze is not None:
            self._record(self._maze, action)  # before the step, which may change the maze
        result = self.env.step(action)
        ended = result[2] or result[3]
        # Taken here, because the agent resets the environment before the viewer can draw.
        self.final_snapshot = self._camera.snapshot() if ended and self.keep_snapshots else None
        return result

    @property
    def total_regret(self) -> float | None:
        """Regret of all actions so far; None if unknown."""
        return None if self.regret is None else self.regret.total

    def _record(self, maze: MazeEnv, action: Any) -> None:
        """Count an action in the agent's present cell."""
        cell = maze.agent
        if cell is None or self.visits is None:
            return
        state = maze.layout.index(cell)
        self.visits[state] += 1
        if self._grid is not None and self.regret is not None and 0 <= action < NUM_ACTIONS:
            self.tried[state, action] = self.ever_tried[state, action] = True
            self.regret.add(self._grid, state, int(action))


class RunningRegret:
    """Running sum of V*(s) - Q*(s, a), the loss in expected discounted return of each action.

    The optimal values are those of the maze in which the action was taken, as if it never changed.

    Attributes:
        total: sum so far; NaN if a maze has no optimal values (gamma = 1 and unbounded return).
    """

    def __init__(self, gamma: float) -> None:
        """Set the discount, in [0, 1]."""
        self.total = 0.0
        self._gamma = gamma
        self._layout: Layout | None = None
        self._losses: list[list[float]] = []

    def add(self, maze: GridEnv, state: int, action: int) -> None:
        """Add the regret of an action in a state of a maze."""
        if maze.layout is not self._layout:  # layouts are immutable: solve once per layout
            self._layout, self._losses = maze.layout, action_losses(maze, self._gamma).tolist()
        self.total += self._losses[state][action]  # V*(s) - Q*(s, a) >= 0


def action_losses(maze: GridEnv, gamma: float) -> FloatArray:
    """Return V*(s) - Q*(s, a), (S, A); NaN everywhere if the maze has no optimal values."""
    try:
        return maze.regret(gamma)
    except (RuntimeError, ValueError):  # gamma = 1, and the optimal return is infinite
        return np.full((maze.layout.num_cells, NUM_ACTIONS), np.nan)


def format_count(number: int, noun: str) -> str:
    """Format a number with its noun, such as "1 step" or "2 steps"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def format_regret(regret: float | None) -> str:
    """Format a regret with three digits or more; "-" if it is unknown."""
    if regret is None or math.isnan(regret):
        return "-"
    return f"{regret:,.0f}" if regret >= 100 else f"{regret:.3g}"
