"""State of a walk through a maze: the keys' actions, and counts of steps and episodes."""

from __future__ import annotations

from typing import Any

import gymnasium as gym

from dynamaze.envs.base import MazeEnv

from .statistics import format_count

ARROWS = {"up": "w", "right": "d", "down": "s", "left": "a"}
"""Arrow key -> letter with the same action."""

QUIT_KEYS = ("escape", "q")


class WalkState:
    """State of a person's walk.

    Attributes:
        env: the environment.
        maze: the unwrapped environment.
        over: True if the episode has ended; `restart` begins the next one.
        num_steps: number of steps.
        episode_steps: number of steps in this episode.
        episode_return: undiscounted return of this episode so far.
    """

    def __init__(self, env: gym.Env[Any, Any], *, seed: int | None = None) -> None:
        """Begin the first episode.

        Args:
            env: a maze.
            seed: of the first reset; None for no seed.
        """
        maze = env.unwrapped
        assert isinstance(maze, MazeEnv)
        self.env, self.maze = env, maze
        self._actions = {key: action for (key,), action in keys_to_action(maze).items()}
        self._lengths: list[int] = []  # of the episodes that reached a goal
        self.num_steps = 0
        self._begin(seed)

    def handle_key(self, key: str) -> bool:
        """Handle a key; return False if it has no function."""
        letter = ARROWS.get(key, key)
        if letter == "r":
            self.restart()
        elif letter in self._actions:
            self._move(self._actions[letter])
        else:
            return False
        return True

    def restart(self) -> None:
        """Begin a new episode. The world step is not reset."""
        self._begin(None)

    def outcome(self) -> str:
        """Return the end of the episode in words."""
        end = "goal" if self._at_goal else "time limit"
        return f"{end} after {format_count(self.episode_steps, 'step')}"

    def status(self) -> str:
        """Return one line about the present state."""
        episode = f"return {self.episode_return:g}, shortest path {self.shortest_path_length}"
        if self.over:
            return f"{self.outcome()}, {episode}"
        return (
            f"world step {self.maze.world_step:,}, episode step {self.episode_steps:,}, {episode}"
        )

    def summary(self) -> str:
        """Return one line about the whole walk."""
        goals = format_count(len(self._lengths), "time")
        walk = f"{format_count(self.num_steps, 'step')}, {goals} at the goal"
        return f"{walk}, at best after {min(self._lengths):,}" if self._lengths else walk

    @property
    def shortest_path_length(self) -> int:
        """Steps from cell to cell on a shortest path from the start to the goal."""
        return self.maze.layout.shortest_path_length

    def _begin(self, seed: int | None) -> None:
        self.over = self._at_goal = False
        self.episode_steps, self.episode_return = 0, 0.0
        self.env.reset(seed=seed)

    def _move(self, action: Any) -> None:
        _, reward, terminated, truncated, _ = self.env.step(action)
        self.num_steps += 1
        self.episode_steps += 1
        self.episode_return += float(reward)
        self.over, self._at_goal = terminated or truncated, terminated
        if terminated:
            self._lengths.append(self.episode_steps)


def keys_to_action(maze: MazeEnv) -> dict[tuple[str, ...], Any]:
    """Return the actions of keys, as for Gymnasium's `play`."""
    keys: dict[tuple[str, ...], Any] = maze.get_keys_to_action()  # type: ignore[attr-defined]  # each kind of maze has its own
    return keys
