"""The maze of one world over its life: how it begins, and every way in which it changes.

The single environment has one `World`, the vector environment one for each of its worlds. Both
step by the arrays of `dynamics`; only where a maze may change do they come here, so that both
change alike and a step between two changes costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from operator import index
from typing import Any

import numpy as np

from dynamaze.common.arrays import BoolArray

from .generation.levels import Levels
from .mazes.dynamics import Dynamics
from .mazes.layout import Cell, Layout, Rewards
from .mazes.random_changes import Draw, Due, RandomChanges
from .mazes.schedule import LAST_STEP, Schedule, check_shape

NEVER = -1
"""The next change of a world that will not change by itself."""


@dataclass(frozen=True)
class Course:
    """All that settles how a maze begins and changes. Immutable, shared by worlds and copies.

    Attributes:
        schedule: the changes that are known beforehand.
        levels: where the mazes of new episodes come from; None keeps the schedule's.
        random_changes: the changes that nobody knows beforehand; None for none.
    """

    schedule: Schedule
    levels: Levels | None = None
    random_changes: RandomChanges | None = None

    def __post_init__(self) -> None:
        if self.random_changes is not None and self.levels is None:
            self.random_changes.check_fits(self.schedule.layouts[0])

    @property
    def first(self) -> Layout:
        """The layout in which a world begins."""
        return self.schedule.layouts[0]

    @property
    def changes_at_reset(self) -> bool:
        """Whether a new episode may bring another maze."""
        return self.levels is not None or self.schedule.by_episode

    @property
    def is_random(self) -> bool:
        """Whether a world uses random numbers at all."""
        return (
            self.levels is not None
            or self.random_changes is not None
            or any(layout.is_random for layout in self.schedule.layouts)
        )

    @cached_property
    def phases(self) -> tuple[Dynamics, ...]:
        """What a step does in each phase of the schedule."""
        return tuple(Dynamics(layout) for layout in self.schedule.layouts)

    def __deepcopy__(self, memo: object) -> Course:
        return self


class World:
    """One world's maze.

    Attributes:
        course: how it begins and changes.
        layout: the maze as it is now.
        phase: the number of changes so far.
        episode: the number of episodes begun since the clock started, less one.
        level: the level of the present maze, where they are generated.
        skipped: random changes that would have broken the only way, and were left out.
        next_change: the world step of the next change; -1 for never.
        news: the layout before the changes that no observation has told of yet; None without.
        before_change: the layout before the last change; None where there was none.
        changed_at: the world step of the last change.
    """

    def __init__(self, course: Course) -> None:
        self.course = course
        self.layout = course.first
        self.phase = self.skipped = self.changed_at = 0
        self.episode = -1
        self.level: int | None = None
        self.next_change = NEVER
        self.news: Layout | None = None
        self.before_change: Layout | None = None
        self._scheduled = 0  # the schedule's phase
        self._due: Due | None = None
        self._dynamics = course.phases[0]
        self._plan()

    @property
    def dynamics(self) -> Dynamics:
        """What a step does in the maze as it is now."""
        if self._dynamics.layout is not self.layout:
            phase = self.course.phases[self._scheduled]
            self._dynamics = phase if phase.layout is self.layout else Dynamics(self.layout)
        return self._dynamics

    @property
    def changed_cells(self) -> BoolArray:
        """(rows, cols) the cells that differ from the layout before the news."""
        if self.news is None:
            return np.zeros(self.layout.walls.shape, dtype=np.bool_)
        return differing_cells(self.news, self.layout)

    # -- the life of a world -------------------------------------------------------------------

    def restart(self, draw: Draw) -> None:
        """Begin a new life: the clock is at 0, and nothing has changed."""
        self.episode, self.skipped = -1, 0
        self.seek(0, draw)

    def seek(self, world_step: int, draw: Draw) -> None:
        """Set the clock. What changed at random or by call is undone; random changes go on."""
        schedule = self.course.schedule
        self._scheduled = self.phase = schedule.phase_at(
            max(self.episode, 0) if schedule.by_episode else world_step
        )
        if self.course.levels is None:
            self.layout = schedule.layouts[self.phase]
        self.news = self.before_change = None
        if self.phase and not schedule.by_episode:
            self.before_change = schedule.layouts[self.phase - 1]
            self.changed_at = schedule.steps[self.phase]
        random_changes = self.course.random_changes
        self._due = None if random_changes is None else random_changes.first(world_step, draw)
        self._plan()

    def begin_episode(self, world_step: int, draw: Draw, level: int | None = None) -> None:
        """Begin an episode, in another maze where the course says so.

        Args:
            world_step: the clock.
            draw: gives random numbers.
            level: which level, where mazes are generated; None draws one.
        """
        self.episode += 1
        schedule, levels = self.course.schedule, self.course.levels
        if schedule.by_episode and schedule.phase_at(self.episode) != self._scheduled:
            self._scheduled = schedule.phase_at(self.episode)
            self.change(schedule.layouts[self._scheduled], world_step)
        if levels is not None:
            self.level = levels.draw(draw) if level is None else level
            self.layout = levels.layout(self.level)
            self.news = self.before_change = None

    def advance(self, world_step: int, agent: Cell | None, draw: Draw) -> None:
        """Change what is due when the clock shows `next_change`.

        Args:
            world_step: the clock.
            agent: where the agent stands; it keeps a way to a goal.
            draw: gives random numbers.
        """
        schedule, random_changes = self.course.schedule, self.course.random_changes
        if not schedule.by_episode and world_step in schedule.steps[self._scheduled + 1 :][:1]:
            self._scheduled += 1
            self.change(schedule.layouts[self._scheduled], world_step)
        while random_changes is not None and self._due is not None and self._due.step == world_step:
            changed = random_changes.apply(self.layout, agent, draw)
            if changed is None:
                self.skipped += 1
            else:
                self.change(changed, world_step)
            self._due = random_changes.after(self._due, draw)
        self._plan()

    def change(self, layout: Layout, world_step: int) -> None:
        """Become another maze now.

        Raises:
            LayoutError: if it has another shape.
        """
        check_shape(layout, self.layout, "the changed layout")
        if self.news is None:
            self.news = self.layout
        self.before_change, self.changed_at = self.layout, world_step
        self.layout = layout
        self.phase += 1

    def _plan(self) -> None:
        """Look up when the next change comes."""
        schedule = self.course.schedule
        later = () if schedule.by_episode else schedule.steps[self._scheduled + 1 :][:1]
        due = () if self._due is None else (self._due.step,)
        self.next_change = min((*later, *due), default=NEVER)

    # -- saving and restoring ------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """All that the future of the maze depends on, as plain numbers that JSON can hold."""
        return {
            "phase": self.phase,
            "scheduled": self._scheduled,
            "episode": self.episode,
            "level": self.level,
            "skipped": self.skipped,
            "due": None if self._due is None else list(self._due),
            "layout": None if self.layout == self._expected() else write_layout(self.layout),
        }

    def restored(self, state: Mapping[str, Any], world_step: int) -> World:
        """A world as `get_state` told of it; this one stays as it is.

        Args:
            state: what it told.
            world_step: the clock.

        Raises:
            ValueError: if it is not such a state.
        """
        world = World(self.course)
        try:
            world.phase, world.skipped = index(state["phase"]), index(state["skipped"])
            world._scheduled, world.episode = index(state["scheduled"]), index(state["episode"])
            world.level = None if state["level"] is None else index(state["level"])
            world._due = None if state["due"] is None else _read_due(state["due"])
            layout = state["layout"]
            world.layout = world._expected() if layout is None else read_layout(layout)
            check_shape(world.layout, self.course.first, "the layout of the state")
            self._check(world)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a state that get_state() returned: {error!r}") from None
        world._plan()
        if NEVER < world.next_change <= world_step:
            raise ValueError(
                f"world step {world_step} of a state whose maze changes at {world.next_change}; "
                "expected an earlier one"
            )
        return world

    def _expected(self) -> Layout:
        """The layout where nothing changed at random or by call."""
        levels = self.course.levels
        if levels is None or self.level is None:
            return self.course.schedule.layouts[self._scheduled]
        return levels.layout(self.level)

    def _check(self, world: World) -> None:
        """Make sure that a restored world is one of this course."""
        if not 0 <= world._scheduled < len(self.course.schedule.layouts):
            raise ValueError(f"scheduled phase {world._scheduled}")
        if min(world.phase, world.skipped, world.episode + 1) < 0:
            raise ValueError("negative counts")
        if (world._due is None) != (self.course.random_changes is None):
            raise ValueError(f"due {world._due}")
        if world.level is not None and self.course.levels is None:
            raise ValueError(f"level {world.level}")


def differing_cells(before: Layout, after: Layout) -> BoolArray:
    """(rows, cols) the cells at which two layouts differ: in walls, starts or goals."""
    differ: BoolArray = before.walls != after.walls
    for cells, others in ((before.starts, after.starts), (before.goals, after.goals)):
        for cell in set(cells) ^ set(others):
            differ[cell] = True
    return differ


def write_layout(layout: Layout) -> dict[str, Any]:
    """A layout as plain data that JSON can hold."""
    return {
        "rows": layout.to_rows(),
        "rewards": list(layout.rewards),
        "slip_probability": layout.slip_probability,
    }


def read_layout(data: Mapping[str, Any]) -> Layout:
    """The layout that `write_layout` wrote."""
    rewards = Rewards(*data["rewards"])
    return Layout.from_text(data["rows"], rewards, data["slip_probability"])


def _read_due(data: Any) -> Due:
    step, time, left = data
    due = Due(index(step), float(time), index(left))
    if not (0 <= due.step <= LAST_STEP and due.time <= due.step and due.left >= 0):
        raise ValueError(f"due {due}")
    return due
