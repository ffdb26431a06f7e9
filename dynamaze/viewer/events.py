"""Events of runs in the same maze, in words: changes, goals reached and optimal episodes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from dynamaze.agents import Step
from dynamaze.envs import Layout

from .runs import WatchedRun
from .statistics import format_count

OPTIMAL = 1e-9
"""Regret of an episode below which all its actions were optimal, up to rounding."""


class EventLog:
    """Log of the events of runs that take their steps together.

    Attributes:
        latest: the latest events as a sentence; "" before the first.
        changes: steps at which the maze of the first run changed.
    """

    def __init__(self, runs: Sequence[WatchedRun]) -> None:
        self.latest = ""
        self.changes: list[int] = []
        self._runs = [RunEvents(run) for run in runs]

    def add(self, steps: Sequence[Step]) -> None:
        """Add a step of each run, after it was added to the run."""
        found: list[str] = []
        for run, step in zip(self._runs, steps, strict=True):
            found += run.goals(step)
        changes = [run.changes() for run in self._runs]
        if changes[0]:
            self.changes.append(self._runs[0].run.statistics.num_steps)
            found.append(changes[0])
        if found:
            self.latest = "; ".join(found)


class RunEvents:
    """Events of one run: its first goal, and the first optimal episode since each change.

    Attributes:
        run: the run.
    """

    def __init__(self, run: WatchedRun) -> None:
        self.run = run
        self._maze: tuple[int | None, Layout] | None = None  # level and layout
        self._changed_at: int | None = None  # step; None in an unchanged maze
        self._regret = 0.0  # before this episode
        self._reached = self._optimal = False

    def changes(self) -> str:
        """Return how the maze has changed since the last call; "" if it has not."""
        maze, before = self.run.view.maze, self._maze
        self._maze = None if maze is None else (maze.level, maze.layout)
        if before is None or self._maze is None or before[1] is self._maze[1]:
            return ""
        is_other = before[0] != self._maze[0]  # a maze of another level
        self._optimal, self._reached = False, self._reached and not is_other
        self._changed_at = None if is_other else self.run.statistics.num_steps
        return "" if is_other else describe_change(before[1], self._maze[1])

    def goals(self, step: Step) -> Iterator[str]:
        """Yield the event of a step that ended an episode at a goal."""
        if not (step.terminated or step.truncated):
            return
        regret = self.run.recorded.total_regret
        lost = math.inf if regret is None else regret - self._regret
        self._regret = 0.0 if regret is None else regret
        if not step.terminated:
            return
        now, since = self.run.statistics.num_steps, self._changed_at
        is_whole = since is None or now - step.episode_length >= since
        if is_whole and lost < OPTIMAL and not self._optimal:
            self._reached = self._optimal = True
            steps = format_count(step.episode_length, "step")
            when = "" if since is None else f", {now - since:,} after the change"
            yield f"{self.run.name}: optimal path of {steps}{when}"
        elif not self._reached:
            self._reached = True
            yield f"{self.run.name}: first time at the goal"


def describe_change(before: Layout, after: Layout) -> str:
    """Return the difference between two layouts of a maze in words."""
    appeared = int((after.walls & ~before.walls).sum())
    removed = int((before.walls & ~after.walls).sum())
    parts = []
    if appeared:
        parts.append(f"{format_count(appeared, 'wall')} {_verb('appear', appeared)}")
    if removed:
        parts.append(f"{format_count(removed, 'wall')} {_verb('open', removed)}")
    if after.goals != before.goals:
        parts.append("the goal moves")
    if after.starts != before.starts:
        parts.append("the start moves")
    return "the maze changes" + (f": {', '.join(parts)}" if parts else "")


def _verb(verb: str, count: int) -> str:
    return f"{verb}s" if count == 1 else verb
