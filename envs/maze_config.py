"""Configuration of a maze that changes: the initial layout and all kinds of its changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from dynamaze.common.configuration import fields_repr
from dynamaze.common.origin import qualified_name

from .mazes.dynamics import Dynamics
from .mazes.layout import Layout, Rewards
from .mazes.random_changes import RandomChanges
from .mazes.schedule import Schedule, apply_change
from .timing.timeline import TimedChange
from .timing.times import UniformSampler, describe_times


@dataclass(frozen=True, repr=False)
class MazeConfig:
    """The initial maze and all its kinds of changes. Immutable, shared by copies.

    Attributes:
        schedule: the changes that are known in advance.
        levels: the source of the mazes of new episodes; None keeps the schedule's.
        random_changes: the process of random changes; None for none.
        dynamics: makes the dynamics of a layout.
        run_steps: the number of world steps that a level lasts: the first episode after them
            begins another run, in another level; 0 for a level for each episode.
        timed: changes of other times than the schedule's. Each is applied to the layout that it
            finds, and skipped where it does not fit it.
    """

    schedule: Schedule
    levels: LevelSource | None = None
    random_changes: RandomChanges | None = None
    dynamics: Callable[[Layout], Dynamics] = Dynamics
    run_steps: int = 0
    timed: tuple[TimedChange, ...] = ()

    __repr__ = fields_repr

    @classmethod
    def of_levels(
        cls,
        levels: LevelSource,
        random_changes: RandomChanges | None = None,
        run_steps: int = 0,
    ) -> MazeConfig:
        """Return the configuration of generated mazes; the first level's is the initial one."""
        first = Schedule((levels.layout(levels.first_level),))
        return cls(first, levels, random_changes, run_steps=run_steps)

    def __post_init__(self) -> None:
        if self.random_changes is not None and self.levels is None:
            self.random_changes.check_fits(self.schedule.layouts[0])

    @property
    def first(self) -> Layout:
        """The initial layout."""
        return self.schedule.layouts[0]

    @property
    def changes_at_reset(self) -> bool:
        """True if a new episode may bring another maze."""
        by_episode = any(each.by_episode for each in self.timed)
        return self.levels is not None or self.schedule.by_episode or by_episode

    @property
    def can_change(self) -> bool:
        """True if the maze may become another one."""
        several = len(self.schedule.layouts) > 1
        return several or not self.is_known

    @property
    def is_known(self) -> bool:
        """True if the schedule determines all changes."""
        return self.levels is None and self.random_changes is None and not self.timed

    @property
    def is_random(self) -> bool:
        """True if the maze uses random numbers at all."""
        return (
            self.levels is not None
            or self.random_changes is not None
            or any(not each.is_known for each in self.timed)
            or any(layout.is_random for layout in self.schedule.layouts)
        )

    @property
    def counters(self) -> dict[str, str]:
        """The attributes of a `ChangingMaze` that the information reports, and their keys in it."""
        names = {"phase": "phase"}
        if self.levels is not None:
            names["level"] = "level"
        if self.run_steps:
            names["run"] = "run"
        if self.random_changes is not None or self.timed:
            names["skipped"] = "skipped_changes"
        return names

    def describe(self) -> dict[str, Any]:
        """Return the configuration as plain data: equal for equal mazes, however they were given.

        Generated mazes are described by the description of their source (its method `describe`,
        otherwise its class) and the maze of the first level.
        """
        schedule, levels, process = self.schedule, self.levels, self.random_changes
        describe_levels = getattr(levels, "describe", lambda: qualified_name(levels))
        return {
            "layouts": [layout_to_json(layout) for layout in schedule.layouts],
            "steps": schedule.steps,
            "by_episode": schedule.by_episode,
            "levels": None if levels is None else describe_levels(),
            "random_changes": None if process is None else process.describe(),
            **({"run_steps": self.run_steps} if self.run_steps else {}),
            **({"timed": [self._describe(each) for each in self.timed]} if self.timed else {}),
            "dynamics": getattr(self.dynamics, "__qualname__", qualified_name(self.dynamics)),
        }

    def _describe(self, timed: TimedChange) -> dict[str, Any]:
        """Return a timed change as plain data: the keys that it sets, and the layout after it."""
        changes = []
        for change in timed.changes:
            keys = sorted(change) if isinstance(change, Mapping) else [type(change) is Layout]
            changes.append([keys, layout_to_json(apply_change(self.first, change))])
        times = {**describe_times(timed.times), "by_episode": timed.by_episode}
        return {**times, "changes": changes}

    @cached_property
    def timeline(self) -> tuple[TimedChange, ...]:
        """All changes with their times: the schedule's first, then the random ones."""
        schedule, process = self.schedule, self.random_changes
        phases = TimedChange(schedule.times, schedule.layouts[1:], schedule.by_episode)
        drawn = () if process is None else (TimedChange(process.times, (process,), is_drawn=True),)
        return (phases, *drawn, *self.timed)

    @cached_property
    def phases(self) -> tuple[Dynamics, ...]:
        """The dynamics of each phase of the schedule."""
        return tuple(self.dynamics(layout) for layout in self.schedule.layouts)

    def __deepcopy__(self, memo: object) -> MazeConfig:
        return self


class LevelSource(Protocol):
    """Source of a new maze for each episode (`generation.levels.LevelSet`)."""

    @property
    def first_level(self) -> int:
        """The number of the first level."""

    def draw(self, uniform: UniformSampler) -> int:
        """Draw the number of a level."""

    def check(self, level: object) -> int:
        """Return the number of a level after checking it.

        Raises:
            ValueError: for a level that does not exist; TypeError if it is not a number.
        """

    def layout(self, level: int) -> Layout:
        """Return the maze of a level."""


def layout_to_json(layout: Layout) -> dict[str, Any]:
    """Return a layout as plain data that JSON can hold."""
    return {
        "rows": layout.to_rows(),
        "rewards": list(layout.rewards),
        "slip_probability": layout.slip_probability,
    }


def layout_from_json(data: Mapping[str, Any]) -> Layout:
    """Return the layout that `layout_to_json` wrote."""
    rewards = Rewards(*data["rewards"])
    return Layout.from_text(data["rows"], rewards, data["slip_probability"])
