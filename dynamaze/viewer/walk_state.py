"""A person's walk through a maze: what the keys do in it, and how far it has come."""

from __future__ import annotations

from typing import Any

import gymnasium as gym

from dynamaze.envs.base import MazeEnv

from .statistics import count

ARROWS = {"up": "w", "right": "d", "down": "s", "left": "a"}
"""The arrow keys, and the letters that do the same."""

QUIT_KEYS = ("escape", "q")


class Game:
    """A person's walk.

    Attributes:
        env: the environment.
        maze: the same without its wrappers.
        over: whether the episode has ended; `restart` begins the next one.
        num_steps: steps walked.
        episode_steps: those of this episode.
        episode_return: its rewards so far, not discounted.
    """

    def __init__(self, env: gym.Env[Any, Any], *, seed: int | None = None) -> None:
        """Begin.

        Args:
            env: a maze.
            seed: of the first reset; None seeds nothing.
        """
        maze = env.unwrapped
        assert isinstance(maze, MazeEnv)
        self.env, self.maze = env, maze
        self._actions = {key: action for (key,), action in keys_to_action(maze).items()}
        self._lengths: list[int] = []  # of the walks that reached a goal
        self.num_steps = 0
        self._begin(seed)

    def press(self, key: str) -> bool:
        """Do what a key says; False if it has no meaning."""
        letter = ARROWS.get(key, key)
        if letter == "r":
            self.restart()
        elif letter in self._actions:
            self._move(self._actions[letter])
        else:
            return False
        return True

    def restart(self) -> None:
        """Begin a new episode. The world's clock goes on."""
        self._begin(None)

    def outcome(self) -> str:
        """How the episode has ended."""
        end = "goal" if self._at_goal else "time is up"
        return f"{end} after {count(self.episode_steps, 'step')}"

    def status(self) -> str:
        """Where things stand."""
        walk = f"return {self.episode_return:g}, shortest way {self.shortest_way}"
        if self.over:
            return f"{self.outcome()}, {walk}"
        return f"world step {self.maze.world_step:,}, episode step {self.episode_steps:,}, {walk}"

    def summary(self) -> str:
        """The whole walk in one line."""
        walk = f"{count(self.num_steps, 'step')}, {count(len(self._lengths), 'time')} at the goal"
        return f"{walk}, at best after {min(self._lengths):,}" if self._lengths else walk

    @property
    def shortest_way(self) -> int:
        """Steps from cell to cell of the shortest way from the start to the goal."""
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
    """The keys of Gymnasium's `play`, and their actions."""
    keys: dict[tuple[str, ...], Any] = maze.get_keys_to_action()  # type: ignore[attr-defined]  # each kind of maze has its own
    return keys
