"""Run of a watched agent: its steps, its statistics and the view of its environment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import gymnasium as gym

from dynamaze.agents import Step

from .curves import Curve
from .environment import Camera
from .overlays import overlays_of
from .statistics import EpisodeStatistics, RecordStatistics
from .view import View


class Watchable(Protocol):
    """Agent or policy that can be watched."""

    def steps(self) -> Iterator[Step]:
        """Act without end, one step at a time."""


class Watched(Protocol):
    """Run of one agent, or of several that take their steps together.

    Attributes:
        title: agents and environment, in words.
    """

    title: str

    def steps(self) -> Iterator[Any]:
        """Act without end, one step at a time."""

    def add(self, step: Any) -> None:
        """Add a step to the statistics."""

    def show_latest(self) -> None:
        """Show the latest step in the views, also where it ended an episode."""

    def keep_snapshots(self, keep: bool) -> None:
        """Set whether the ends of episodes are recorded to be shown."""

    def fields(self) -> list[tuple[str, str]]:
        """Return pairs (label, value) for the status strip."""

    def note(self) -> str:
        """Return the line below them."""

    def summary(self) -> str:
        """Return the whole run in words; "" before its first step."""


class WatchedRun:
    """Run of one agent.

    Attributes:
        name: of the agent.
        env_id: id of its environment.
        title: agent and environment, in words.
        agent: takes the steps.
        statistics: counts them.
        recorded: wrapper around the environment.
        view: picture of the environment.
        regret: curve of the regret, without points if it is unknown.
    """

    def __init__(
        self,
        name: str,
        env: gym.Env[Any, Any],
        make_agent: Callable[[gym.Env[Any, Any]], Watchable],
        *,
        gamma: float,
        max_size: tuple[int, int],
        dark: bool = False,
        env_id: str | None = None,
    ) -> None:
        """Make the agent.

        Args:
            name: of the agent.
            env: its environment, with render mode "rgb_array".
            make_agent: returns the agent for an environment.
            gamma: discount of the regret.
            max_size: largest (width, height) of the picture, in pixels.
            dark: as of `View`.
            env_id: id in the title; None for the environment's own.
        """
        own_id = "" if env.spec is None else env.spec.id
        self.name, self.env_id = name, own_id if env_id is None else env_id
        self.title = f"{name} in {self.env_id}"
        camera = Camera(env, max_size)
        self.recorded = RecordStatistics(env, camera, gamma)
        self.agent = make_agent(self.recorded)
        overlays = overlays_of(self.agent, camera.maze, self.recorded)
        self.view = View(env, camera, overlays, dark=dark)
        self.statistics = EpisodeStatistics(self.title)
        self.regret = Curve()

    def steps(self) -> Iterator[Step]:
        """Act without end, one step at a time."""
        return self.agent.steps()

    def add(self, step: Step) -> None:
        """Add a step to the statistics."""
        self.statistics.add(step)
        if self.recorded.total_regret is not None:
            self.regret.add(self.recorded.total_regret)

    def show_latest(self) -> None:
        """Show the latest step in the view, also where it ended an episode."""
        self.view.snapshot = self.recorded.final_snapshot

    def keep_snapshots(self, keep: bool) -> None:
        """Set whether the ends of episodes are recorded to be shown."""
        self.recorded.keep_snapshots = keep

    def fields(self) -> list[tuple[str, str]]:
        """Return pairs (label, value) for the status strip."""
        return self.statistics.fields(self.recorded.total_regret)

    def note(self) -> str:
        """Return the title with the present level and phase of the maze."""
        return self.statistics.description()

    def summary(self) -> str:
        """Return one line about the whole run; "" before its first step."""
        if not self.statistics.num_steps:
            return ""
        return self.statistics.summary(self.recorded.total_regret)
