"""A maze that changes over the lifetime of an environment, and the reports of its changes.

The single environment has one `ChangingMaze`, the vector environment one for each of its
environments. A step reads only the arrays of `mazes.dynamics`; this code runs where a maze may
change, so that both change by one rule and a step between two changes costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from operator import index
from typing import Any, Protocol

import numpy as np
from gymnasium import spaces

from dynamaze.common.arrays import BoolArray, IntArray
from dynamaze.common.configuration import fields_repr
from dynamaze.common.origin import qualified_name
from dynamaze.common.validation import checked_choice, checked_integer, shown

from .mazes.change_kinds import UniformSampler
from .mazes.dynamics import Dynamics
from .mazes.layout import Cell, Layout, Rewards
from .mazes.random_changes import PendingChange, RandomChanges
from .mazes.schedule import LAST_STEP, Schedule, check_shape
from .observations import as_entries

NEVER = LAST_STEP
"""The next change of a maze that will not change by itself: the end of the clock."""


class ChangingMaze:
    """The maze of one environment, with its present state.

    Attributes:
        config: the initial maze and its changes.
        layout: the present layout.
        phase: the number of changes so far.
        episode: the number of episodes begun since the clock started, minus one.
        level: the level of the present maze, where mazes are generated.
        run: the number of runs begun since the clock started, minus one, where a level lasts a
            number of steps (`MazeConfig.run_steps`).
        skipped: the number of random changes that were skipped because they blocked the goal.
        next_change: the world step of the next change; `NEVER`, the end of the clock, without one.
        unreported: the layout before the changes that no observation has reported yet; None if
            all are reported.
        before_change: the layout before the last change; None before the first.
        changed_at: the world step of the last change.
        changed_by_call: True once the environment's `change` was called.
    """

    def __init__(self, config: MazeConfig) -> None:
        self.config = config
        self.layout = config.first
        self.phase = self.skipped = self.changed_at = 0
        self.changed_by_call = False
        self.episode = -1
        self.level: int | None = None
        self.run, self._run_end = -1, 0
        self.next_change = NEVER
        self.unreported: Layout | None = None
        self.before_change: Layout | None = None
        self._schedule_phase = 0
        self._pending: PendingChange | None = None
        self._dynamics = config.phases[0]
        self._find_next_change()

    @property
    def dynamics(self) -> Dynamics:
        """The dynamics of the present layout."""
        if self._dynamics.layout is not self.layout:
            phase = self.config.phases[self._schedule_phase]
            is_phase = phase.layout is self.layout
            self._dynamics = phase if is_phase else self.config.dynamics(self.layout)
        return self._dynamics

    @property
    def changed_cells(self) -> BoolArray:
        """(rows, cols) bool, True where a cell differs from the last reported layout."""
        if self.unreported is None:
            return np.zeros(self.layout.walls.shape, dtype=np.bool_)
        return differing_cells(self.unreported, self.layout)

    # -- clock, episodes and changes -----------------------------------------------------------

    def restart(self, uniform: UniformSampler) -> None:
        """Set the clock to 0 and undo all changes."""
        self.episode, self.run, self.skipped = -1, -1, 0
        self.set_clock(0, uniform)

    def set_clock(self, world_step: int, uniform: UniformSampler) -> None:
        """Set the clock and undo all changes but scheduled ones; draw the next random change.

        The next episode begins a new run.
        """
        schedule = self.config.schedule
        self._schedule_phase = self.phase = schedule.phase_at(
            max(self.episode, 0) if schedule.by_episode else world_step
        )
        if self.config.levels is None:
            self.layout = schedule.layouts[self.phase]
        self.unreported = self.before_change = None
        self._run_end = world_step
        if self.phase and not schedule.by_episode:
            self.before_change = schedule.layouts[self.phase - 1]
            self.changed_at = schedule.steps[self.phase]
        random_changes = self.config.random_changes
        self._pending = (
            None if random_changes is None else random_changes.first(world_step, uniform)
        )
        self._find_next_change()

    def begin_episode(
        self, world_step: int, uniform: UniformSampler, level: int | None = None
    ) -> None:
        """Begin an episode, in another maze where the configuration says so.

        Args:
            world_step: the clock.
            uniform: draws a random number from [0, 1).
            level: the level, where mazes are generated; None draws one.
        """
        self.episode += 1
        schedule, levels = self.config.schedule, self.config.levels
        if schedule.by_episode and schedule.phase_at(self.episode) != self._schedule_phase:
            self._schedule_phase = schedule.phase_at(self.episode)
            self.change(schedule.layouts[self._schedule_phase], world_step)
        if levels is not None and (level is not None or world_step >= self._run_end):
            self.level = levels.draw(uniform) if level is None else level
            self.layout = levels.layout(self.level)
            self.unreported = self.before_change = None
            if self.config.run_steps:
                self._begin_run(world_step, uniform)

    def _begin_run(self, world_step: int, uniform: UniformSampler) -> None:
        """Draw the time of the first change of a run, which begins now."""
        self.run += 1
        self._run_end = world_step + self.config.run_steps
        if self.config.random_changes is not None:
            self._pending = self.config.random_changes.first(world_step, uniform)
            self._find_next_change()

    def apply_due_changes(
        self, world_step: int, agent: Cell | None, uniform: UniformSampler
    ) -> None:
        """Apply the changes of world step `next_change`, which the clock shows now.

        Args:
            world_step: the clock.
            agent: the agent's cell; a goal stays reachable from it.
            uniform: draws a random number from [0, 1).
        """
        schedule, random_changes = self.config.schedule, self.config.random_changes
        if not schedule.by_episode and world_step in self._next_scheduled_step():
            self._schedule_phase += 1
            self.change(schedule.layouts[self._schedule_phase], world_step)
        while random_changes is not None and self._pending is not None:
            if self._pending.step != world_step:
                break
            changed = random_changes.apply(self.layout, agent, uniform)
            if changed is None:
                self.skipped += 1
            else:
                self.change(changed, world_step)
            self._pending = random_changes.after(self._pending, uniform)
        self._find_next_change()

    def change(self, layout: Layout, world_step: int) -> None:
        """Replace the layout now.

        Raises:
            LayoutError: if it has another shape.
        """
        check_shape(layout, self.layout, "the changed layout")
        if self.unreported is None:
            self.unreported = self.layout
        self.before_change, self.changed_at = self.layout, world_step
        self.layout = layout
        self.phase += 1

    def _find_next_change(self) -> None:
        later = () if self.config.schedule.by_episode else self._next_scheduled_step()
        pending = () if self._pending is None else (self._pending.step,)
        self.next_change = min((*later, *pending, NEVER))

    def _next_scheduled_step(self) -> tuple[int, ...]:
        """Return the world step of the next scheduled change; () if there is none."""
        return self.config.schedule.steps[self._schedule_phase + 1 :][:1]

    # -- saving and restoring ------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Return everything that the maze's future depends on, as plain data for JSON.

        The keys are those of version 0.1.
        """
        return {
            "phase": self.phase,
            "scheduled": self._schedule_phase,
            "episode": self.episode,
            "level": self.level,
            "skipped": self.skipped,
            "due": None if self._pending is None else _pending_to_json(self._pending),
            "layout": None if self.layout == self._unchanged() else layout_to_json(self.layout),
            "unreported": None if self.unreported is None else layout_to_json(self.unreported),
            "changed_by_call": self.changed_by_call,
            **({"run": self.run, "run_end": self._run_end} if self.config.run_steps else {}),
        }

    def restored(self, state: Mapping[str, Any], world_step: int) -> ChangingMaze:
        """Return a maze in a state of `get_state`; this one is not changed.

        Args:
            state: a result of `get_state`.
            world_step: the clock.

        Raises:
            ValueError, KeyError, TypeError: if it is not such a state (`options.reading_state`).
        """
        maze = ChangingMaze(self.config)
        maze.phase, maze.skipped = _counter(state, "phase"), _counter(state, "skipped")
        maze.episode = _counter(state, "episode", -1)
        maze._schedule_phase = self._checked_scheduled_phase(_counter(state, "scheduled"))
        maze.level = self._checked_level(state["level"])
        if self.config.run_steps:
            maze.run = _counter(state, "run", -1)
            maze._run_end = checked_integer("run_end", state["run_end"], 0, 2 * LAST_STEP)
        maze._pending = self._checked_pending(state["due"])
        layout, unreported = state["layout"], state.get("unreported")
        maze.layout = maze._unchanged() if layout is None else self._checked_layout(layout)
        maze.unreported = None if unreported is None else self._checked_layout(unreported)
        if maze.phase < maze._schedule_phase:
            raise ValueError(f"phase {maze.phase} after {maze._schedule_phase} changes")
        # Versions before 0.2 did not store it.
        seems_called = layout is not None or maze.phase > maze._schedule_phase
        maze.changed_by_call = state.get("changed_by_call", seems_called)
        if not isinstance(maze.changed_by_call, bool):
            raise TypeError(f"changed_by_call={shown(maze.changed_by_call)}; expected a bool")
        maze._find_next_change()
        if maze.next_change <= world_step < LAST_STEP:
            raise ValueError(
                f"world step {world_step} of a state whose maze changes at {maze.next_change}; "
                "expected an earlier one"
            )
        schedule = self.config.schedule
        time = max(maze.episode, 0) if schedule.by_episode else world_step
        if maze._schedule_phase != schedule.phase_at(time):
            raise ValueError(
                f"a state after {maze._schedule_phase} scheduled changes at "
                f"{schedule.unit} {time}; expected {schedule.phase_at(time)}"
            )
        return maze

    def _unchanged(self) -> Layout:
        """Return the present layout without random changes and without calls of `change`."""
        levels = self.config.levels
        if levels is None or self.level is None:
            return self.config.schedule.layouts[self._schedule_phase]
        return levels.layout(self.level)

    def check_agent(self, cell: Cell) -> None:
        """Check that an agent can have come to a cell.

        Raises:
            ValueError: for a wall that no change has closed.
        """
        config = self.config
        if not self.layout.walls[cell]:
            return
        if config.random_changes is not None or self.changed_by_call:
            return  # closed around the agent
        if config.levels is not None or all(
            layout.walls[cell] for layout in config.schedule.layouts
        ):
            raise ValueError(f"an agent in the wall at {cell}; expected a free cell")

    # -- checks of a restored state: ValueError, or what Python raises for another type

    def _checked_scheduled_phase(self, phase: int) -> int:
        known = len(self.config.schedule.layouts)
        if phase >= known:
            raise ValueError(f"phase {phase} of a schedule of {known}")
        return phase

    def _checked_level(self, level: Any) -> int | None:
        if level is not None and self.config.levels is None:
            raise ValueError(f"level {shown(level)} of a maze that is not generated")
        return None if level is None else self.config.levels.check(index(level))  # type: ignore[union-attr]  # checked above

    def _checked_pending(self, due: Any) -> PendingChange | None:
        process = self.config.random_changes
        if (due is None) != (process is None):
            raise ValueError(
                f"the next random change {shown(due)} of a maze "
                f"{'without' if process is None else 'with'} random changes"
            )
        return None if due is None or process is None else _pending_from_json(due, process)

    def _checked_layout(self, data: Any) -> Layout:
        layout = layout_from_json(data)
        check_shape(layout, self.config.first, "the layout of the state")
        return layout


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
    """

    schedule: Schedule
    levels: LevelSource | None = None
    random_changes: RandomChanges | None = None
    dynamics: Callable[[Layout], Dynamics] = Dynamics
    run_steps: int = 0

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
        return self.levels is not None or self.schedule.by_episode

    @property
    def can_change(self) -> bool:
        """True if the maze may become another one."""
        several = len(self.schedule.layouts) > 1
        return several or self.levels is not None or self.random_changes is not None

    @property
    def is_random(self) -> bool:
        """True if the maze uses random numbers at all."""
        return (
            self.levels is not None
            or self.random_changes is not None
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
        if self.random_changes is not None:
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
            "dynamics": getattr(self.dynamics, "__qualname__", qualified_name(self.dynamics)),
        }

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


def differing_cells(before: Layout, after: Layout) -> BoolArray:
    """Return (rows, cols) bool, True where two layouts differ in walls, starts or goals."""
    differ: BoolArray = before.walls != after.walls
    for cells, others in ((before.starts, after.starts), (before.goals, after.goals)):
        for cell in set(cells) ^ set(others):
            differ[cell] = True
    return differ


class ChangeInfo:
    """The keys `changed` and `changed_cells`, in the information or in the observation.

    Args:
        change_info: "none", "change" (True if the maze has changed since the last observation) or
            "cells" (the changed cells, too).
        place: "info" or "observation", which then is a dictionary.
        shape: (rows, cols).

    Raises:
        ValueError: for another name.
    """

    def __init__(self, change_info: str, place: str, shape: tuple[int, int]) -> None:
        checked_choice("change_info", change_info, ("none", "change", "cells"))
        checked_choice("change_info_in", place, ("info", "observation"))
        self.is_off = change_info == "none"
        self.with_cells = change_info == "cells"
        self.in_info = change_info != "none" and place == "info"
        self.in_observation = change_info != "none" and place == "observation"
        self._shape = shape

    def extend_space(self, space: spaces.Space[Any]) -> spaces.Space[Any]:
        """Return the observation space with the report."""
        if not self.in_observation:
            return space
        entries = as_entries(space)
        entries["changed"] = spaces.Discrete(2)
        if self.with_cells:
            entries["changed_cells"] = spaces.MultiBinary(self._shape)
        return spaces.Dict(entries)

    def extend_observation(
        self, observation: Any, changed: int | IntArray, cells: BoolArray
    ) -> Any:
        """Return one observation, or a batch of them, with the report."""
        if not self.in_observation:
            return observation
        entries = as_entries(observation)
        entries["changed"] = changed
        if self.with_cells:
            entries["changed_cells"] = cells.astype("int8")
        return entries

    def info(self, changed: bool | BoolArray, cells: BoolArray) -> dict[str, Any]:
        """Return the entries of the information."""
        if not self.in_info:
            return {}
        if self.with_cells:
            return {"changed": changed, "changed_cells": cells}
        return {"changed": changed}


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


def _counter(state: Mapping[str, Any], name: str, low: int = 0) -> int:
    return checked_integer(name, state[name], low, LAST_STEP)


def _pending_to_json(pending: PendingChange) -> Any:
    """Return a pending change in the form of version 0.1, the time itself, if that is exact."""
    time = pending.step - pending.early
    is_exact = pending.step - time == pending.early
    return [pending.step, time, pending.remaining] if is_exact else pending._asdict()


def _pending_from_json(data: Any, process: RandomChanges) -> PendingChange:
    if isinstance(data, Mapping):
        step, early, remaining = data["step"], data["early"], data["remaining"]
    else:
        step, time, remaining = data
        early = step - time
    pending = PendingChange(index(step), float(early), index(remaining))
    in_burst = 0 <= pending.remaining < (process.length or 1)
    if not (pending.step >= 0 and 0.0 <= pending.early <= 1.0 and in_burst):  # False for NaN
        raise ValueError(f"the next random change {pending}")
    return pending
