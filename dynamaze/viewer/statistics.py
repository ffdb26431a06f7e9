"""What has happened so far: for the status strip, and for the line at the end."""

from __future__ import annotations

import math
from collections import deque

from dynamaze.agents import Step

RECENT_EPISODES = 10


class Diary:
    """Counts steps and episodes.

    Attributes:
        title: who learns where.
        num_steps: steps seen.
        num_episodes: episodes that have ended.
        last: the latest step; None before the first.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.num_steps = 0
        self.num_episodes = 0
        self.last: Step | None = None
        self._recent: deque[int] = deque(maxlen=RECENT_EPISODES)  # lengths

    def add(self, step: Step) -> None:
        """Take note of a step."""
        self.last = step
        self.num_steps += 1
        if step.terminated or step.truncated:
            self.num_episodes += 1
            self._recent.append(step.episode_length)

    def fields(self, regret: float | None) -> list[tuple[str, str]]:
        """Pairs of label and value; regret None where it is not known."""
        step = self.last
        world_step = self.num_steps if step is None else step.info.get("world_step", self.num_steps)
        return [
            ("episode", f"{1 if step is None else step.episode + 1:,}"),
            ("world step", f"{world_step:,}"),
            ("return", f"{0 if step is None else step.episode_return:.4g}"),
            ("mean length", f"{self.mean_length():,.1f}" if self._recent else "-"),
            ("regret", written(regret)),
        ]

    def note(self) -> str:
        """Who learns where, and how often the maze has changed."""
        info = {} if self.last is None else self.last.info
        level = f", level {info['level']:,}" if info.get("level") is not None else ""
        phase = f", phase {info['phase']:,}" if info.get("phase") else ""
        return f"{self.title}{level}{phase}"

    def summary(self, regret: float | None = None) -> str:
        """The whole run in one line."""
        run = f"{self.title}: {count(self.num_steps, 'step')}"
        lost = "" if regret is None else f", regret {written(regret)}"
        if not self._recent:
            return f"{run}, no episode ended{lost}"
        recent = f"the last {len(self._recent)}" if len(self._recent) > 1 else "the last one"
        return (
            f"{run}, {count(self.num_episodes, 'episode')}, "
            f"{self.mean_length():.1f} steps an episode over {recent}{lost}"
        )

    def mean_length(self) -> float:
        """Mean steps of the last `RECENT_EPISODES` episodes; NaN without one."""
        return sum(self._recent) / len(self._recent) if self._recent else math.nan


def count(number: int, thing: str) -> str:
    """A number of things, in words."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def written(regret: float | None) -> str:
    """A regret with three digits or more; "-" where it is not known."""
    if regret is None or math.isnan(regret):
        return "-"
    return f"{regret:,.0f}" if regret >= 100 else f"{regret:.3g}"
